"""Webhooks over TLS: the connection goes to a number, the certificate is checked against the name."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from hub.delivery.channels import Parcel
from hub.delivery.health import Verdict
from hub.delivery.webhooks import Post, WebhookChannel
from hub.wire.signing import Signer
from tests.delivery_in_memory import LOG, MemoryInboxes, MemoryReleases, quick_settings

KEY = Signer.from_seed("delivery/hub", b"k" * 32, "h")
PARCEL = Parcel("l_hooky_0_0-0", (), b"{}")
GOOD = b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"


def certificate(name: str, folder: Path) -> Path:
    """A certificate of a name that signs itself, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(who)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    path = folder / f"{name}.pem"
    path.write_bytes(pem + made.public_bytes(serialization.Encoding.PEM))
    return path


@asynccontextmanager
async def serving(certified: Path) -> AsyncIterator[tuple[int, list[str]]]:
    """A web server with that certificate: its port, and the Host header of each request."""
    hosts: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower().split("\r\n")
        hosts.extend(line.removeprefix("host: ") for line in head if line.startswith("host: "))
        await reader.readexactly(2)
        writer.write(GOOD)
        await writer.drain()
        writer.close()

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certified)
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1], hosts
    finally:
        server.close()


CASES = [
    ("localhost", True, Verdict.RECEIVED),
    ("other.example", True, Verdict.FAILED),
    ("localhost", False, Verdict.FAILED),
]


@pytest.mark.parametrize(("name", "trusted", "verdict"), CASES)
async def test_the_certificate_must_be_of_the_name_and_trusted(
    name: str, trusted: bool, verdict: Verdict, tmp_path: Path
) -> None:
    """Numbers are told to nobody who cannot prove the name on the roster, though the connection goes to its address."""
    certified = certificate(name, tmp_path)
    context = ssl.create_default_context(cafile=str(certified) if trusted else None)
    async with serving(certified) as (port, hosts):
        post = Post(quick_settings(tmp_path), KEY, LOG.log_id, context, MemoryInboxes())
        channel = WebhookChannel("hooky", f"https://localhost:{port}/hook", MemoryReleases(), 1, post)
        answer = await channel.hand_over(PARCEL)
        await channel.close()
    assert answer.verdict is verdict, answer
    assert hosts == ([f"localhost:{port}"] if verdict is Verdict.RECEIVED else [])
