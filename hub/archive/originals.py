"""This module reads messages out of the archive as they came, for somebody who has to prove what was signed.

The bytes of a message may hold numbers. So the web never uses this module; only the holder of the key file does.
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
    """Read a position as it is written, `partition-offset`.

    Raises:
        HubError: the words are not a position.
    """
    found = Source.read(words)
    if found is None:
        raise HubError(f"{words!r} is no position", todo="Write partition-offset, such as 7-120033.")
    return found


def original(engine: Engine, keys: Keyring, topic: str, position: Source) -> dict[str, Any]:
    """Return a message as it came, as plain JSON with bytes in base64.

    `signed` is the bytes that the message's `signature` header covers.

    Raises:
        HubError: the message is not in the archive, or its seal does not open.
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
