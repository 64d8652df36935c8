"""Messages as they came, out of the archive: for whoever has to prove what was signed.

A message's own bytes may hold numbers, so nothing here is for the web: it is for who holds the key file.
"""

from __future__ import annotations

import base64
from hashlib import sha256
from typing import Any

from sqlalchemy import Engine, text

from hub.archive.keys import Keyring
from hub.archive.packing import unpack
from hub.archive.rest import out_of
from hub.archive.rows import MessageRow
from hub.core.model import Source
from hub.errors import HubError
from hub.wire.signing import signed_bytes

MESSAGE = text("SELECT * FROM messages WHERE topic = :topic AND part = :part AND log_offset = :log_offset")


def position_of(words: str) -> Source:
    """A position as it is written, `partition-offset`.

    Raises:
        HubError: it is none.
    """
    found = Source.read(words)
    if found is None:
        raise HubError(f"{words!r} is no position", todo="Write partition-offset, such as 7-120033.")
    return found


def original(engine: Engine, keys: Keyring, topic: str, position: Source) -> dict[str, Any]:
    """A message as it came, as plain JSON: bytes in base64, `signed` the bytes that its `signature` header covers.

    Raises:
        HubError: it is not in the archive, or its seal does not open.
    """
    with engine.connect() as connection:
        row = connection.execute(MESSAGE, {"topic": topic, "part": position[0], "log_offset": position[1]}).first()
        hub_id = connection.execute(text("SELECT hub_id FROM archive_meta")).scalar()
    if row is None:
        raise HubError(f"the archive holds no message {position} of {topic}", todo="unbind-hub archive status")
    message = out_of(keys, MessageRow, row)
    assert isinstance(message, MessageRow)
    record = unpack(message)
    return {
        "topic": topic,
        "position": str(position),
        "record_time": record.record_time,
        "kind": message.kind,
        "mark": message.mark,
        "hub_id": hub_id,
        "key": _base64(record.key),
        "value": _base64(record.value),
        "value_sha256": None if record.value is None else sha256(record.value).hexdigest(),
        "headers": [{"name": name, "value": _base64(value)} for name, value in record.headers],
        "signed": None if record.value is None else _base64(signed_bytes(hub_id or "", topic, record.value)),
    }


def _base64(data: bytes | None) -> str | None:
    return None if data is None else base64.b64encode(data).decode()
