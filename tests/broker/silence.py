"""Finding phone numbers where none may be: every usual form of a number, in text and in bytes."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Iterator
from urllib.parse import unquote_to_bytes

NATIONAL_DIGITS = 11
APART = rb"[^0-9A-Za-z]{0,6}"
COUNTRY = rb"(?<!\d)(?:(?:00)?86" + APART + rb")?"
WRITTEN = re.compile(COUNTRY + rb"(1[3-9]\d)" + APART + rb"(\d{4})" + APART + rb"(\d{4})(?!\d)")
OTHER_DIGITS = {zero + digit: 0x30 + digit for zero in (0xFF10, 0x660, 0x6F0) for digit in range(10)}
"""Full-width and Arabic-Indic digits."""

IN_OTHER_DIGITS = re.compile(rb"\xef\xbc[\x90-\x99]|\xd9[\xa0-\xa9]|\xdb[\xb0-\xb9]")
IN_HEX = re.compile(rb"(?:3[0-9]){11,}")
HEX_TOKEN = re.compile(rb"(?<![0-9a-f])[0-9a-f]{32,64}(?![0-9a-f])")
BASE64_TOKEN = re.compile(rb"[A-Za-z0-9+/_-]{15,}={0,2}")
HASHES = (hashlib.md5, hashlib.sha1, hashlib.sha256)


class Searcher:
    """Looks for some numbers (E.164, +86). What it finds it gives back in national form."""

    def __init__(self, numbers: Iterable[str]) -> None:
        self._nationals = {number[-NATIONAL_DIGITS:].encode() for number in numbers}
        self._hashes: dict[bytes, bytes] = {}
        for national in self._nationals:
            for form in (b"+86" + national, b"86" + national, national):
                for made in HASHES:
                    self._hashes[made(form).hexdigest().encode()] = national

    def found_in(self, data: bytes) -> set[bytes]:
        """The numbers in some bytes: written out in several scripts' digits, with or without country code and
        separators, percent-encoded, as hex or base64 of its digits, or as a bare hash, which anybody can undo."""
        found = self._written(data)
        if IN_OTHER_DIGITS.search(data):
            found |= self._written(data.decode(errors="replace").translate(OTHER_DIGITS).encode())
        if b"%" in data:
            found |= self._written(unquote_to_bytes(data))
        for token in self._decoded(data):
            found |= self._written(token)
        tokens = HEX_TOKEN.findall(data.lower())
        return found | {self._hashes[token] for token in tokens if token in self._hashes}

    def _written(self, data: bytes) -> set[bytes]:
        return {b"".join(parts) for parts in WRITTEN.findall(data)} & self._nationals

    @staticmethod
    def _decoded(data: bytes) -> Iterator[bytes]:
        for token in IN_HEX.findall(data):
            yield binascii.unhexlify(token[: len(token) // 2 * 2])
        for token in BASE64_TOKEN.findall(data):
            plain = token.rstrip(b"=").replace(b"-", b"+").replace(b"_", b"/")
            if len(plain) % 4 != 1:
                yield base64.b64decode(plain + b"=" * (-len(plain) % 4))
