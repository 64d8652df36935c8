"""HTTP to programs on this machine, which speak no TLS.

`httpx.get` and its like read the certificates of the world's authorities before each call, 50 ms of a core's time: a
condition that is looked at 50 times a second would keep two cores busy with it.
"""

from __future__ import annotations

import ssl
from functools import partial

import httpx

NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""It knows no certificate, so it trusts nobody."""

get = partial(httpx.get, verify=NO_TLS)
post = partial(httpx.post, verify=NO_TLS)
request = partial(httpx.request, verify=NO_TLS)
stream = partial(httpx.stream, verify=NO_TLS)
