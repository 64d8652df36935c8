"""This module decides where a webhook may go. A platform wrote its address, which must not lead into the hub's network.

For example, `https://hooks.bank.example/unbind` is refused as private_address if its name resolves to 10.0.0.5.

Rules (OWASP, "Server-Side Request Forgery Prevention"):
1. The address is https and has no user or password; plain http goes only to 127.0.0.1, and only where private addresses
   are allowed.
2. Every address to which its name resolves must be public, unless private ones are allowed. The connection is then made
   to an address that was checked, so it does not help if the name resolves to another one a moment later.
3. No redirect is followed (`webhooks.py`), because it would lead around rule 2.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Sequence
from concurrent.futures import Executor
from functools import partial
from typing import NamedTuple

import httpx

LOOPBACK = "127.0.0.1"
PORT_MAX = 65_535
NAT64 = ipaddress.ip_network("64:ff9b::/96")
"""RFC 6052: its last 32 bits are an IPv4 address of the public network."""

INSIDE = tuple(map(ipaddress.ip_network, ("64:ff9b:1::/48", "::ffff:0:0:0/96", "::/96", "fec0::/10")))
"""RFC 8215, 2765, 4291, 3879: these are translations into a network of one's own, and old forms that some hosts still
route; `ipaddress` calls them global."""


class BadAddress(Exception):
    """No webhook goes to this address; the message is a word for the status."""


class Target(NamedTuple):
    """This is a checked address: the URL by number, and the name for the Host header and TLS."""

    url: httpx.URL
    host_header: str
    name: str


def parse(text: str, *, private: bool) -> httpx.URL:
    """Return the URL of a webhook.

    Raises:
        BadAddress: the text breaks rule 1.
    """
    try:
        url = httpx.URL(text)
    except (httpx.InvalidURL, ValueError, TypeError):
        raise BadAddress("not_a_url") from None
    if url.port is not None and not 0 < url.port <= PORT_MAX:
        raise BadAddress("not_a_url")
    if url.userinfo or not url.host or url.fragment:
        raise BadAddress("not_a_plain_url")
    if url.scheme != "https" and not (private and url.scheme == "http" and url.host == LOOPBACK):
        raise BadAddress("not_https")
    return url


async def resolve(url: httpx.URL, *, private: bool, lookups: Executor | None = None) -> Target:
    """Return the address to connect to.

    Args:
        lookups: the executor whose threads look up the name; without one, asyncio's are used.

        Raises:
            BadAddress: the name has no address, or one that is not public.
    """
    port = url.port or (443 if url.scheme == "https" else 80)
    try:
        ask = partial(socket.getaddrinfo, url.host, port, type=socket.SOCK_STREAM)
        found = await asyncio.get_running_loop().run_in_executor(lookups, ask)
    except (OSError, UnicodeError):
        raise BadAddress("name_not_found") from None
    address = chosen([str(one[4][0]) for one in found], private=private)
    return Target(url.copy_with(host=address), url.netloc.decode(), url.host)


def chosen(addresses: Sequence[str], *, private: bool) -> str:
    """Return that one of a name's addresses to which to connect.

    Raises:
        BadAddress: there is none, or one of them is not public, for then the private one is probably meant.
    """
    if not addresses:
        raise BadAddress("name_not_found")
    if not private and not all(is_public(one) for one in addresses):
        raise BadAddress("private_address")
    return addresses[0]


def is_public(address: str) -> bool:
    """Return whether an address is public; an address inside another one is checked too."""
    one = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(one, ipaddress.IPv6Address):
        inner = one.ipv4_mapped or one.sixtofour or (one.teredo[1] if one.teredo else None)
        if inner is not None:
            return is_public(str(inner))
        if any(one in network for network in INSIDE):
            return False
        if one in NAT64:
            return is_public(str(ipaddress.IPv4Address(int(one) & 0xFFFFFFFF)))
    return one.is_global and not one.is_multicast
