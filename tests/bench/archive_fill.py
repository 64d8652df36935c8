"""Two years of cases put into an archive in bulk, for asking it afterwards.

Each number's digest and seal are made by the archive's own keys and copied; events, notices, receipts and effects are
made of the cases in SQL. Offsets rise with time, as in a log.
"""

from __future__ import annotations

import logging
from typing import Any

from sqlalchemy import Engine, text

from hub.archive import months
from hub.archive.blocks import BLOCK
from hub.archive.keys import Keyring
from hub.archive.rest import at_rest, column_types
from hub.archive.rows import CaseRow
from hub.archive.tables import TABLES
from hub.core.model import DAY_MS, Stage
from tests.bench import messages

log = logging.getLogger(__name__)

PARTS = 12
NOW = 1_795_400_000_000
SPAN_MS = 730 * DAY_MS
RELEASED_EVERY, RELEASED_AFTER_MS = 10, 70 * DAY_MS
SMALL_BLOCKS = 4
SMALL_ACK = 64
BLOCK_FIRST = SMALL_BLOCKS * BLOCK
"""The first offset whose acknowledgements are not small."""


def fill(engine: Engine, keys: Keyring, cases: int, platforms: int) -> None:
    """Fill an empty archive."""
    each = cases // PARTS
    step = SPAN_MS // each
    given = {"platforms": platforms, "each": each, "block": BLOCK, "small": SMALL_ACK, "blocks": SMALL_BLOCKS}
    given |= {"first": NOW - SPAN_MS, "step": step}
    with engine.begin() as connection:
        # What is made and filled in one transaction needs no log; and indexes are made of what lies there.
        connection.execute(text("TRUNCATE cases"))
        db: Any = connection.connection.driver_connection
        with db.cursor() as cursor:
            months.make(cursor, _months(NOW - SPAN_MS, NOW + RELEASED_AFTER_MS))
        for table in FILLED:
            connection.execute(text(f"ALTER TABLE {table} DROP CONSTRAINT {table}_pkey"))
            for index in TABLES[table].indexes:
                index.drop(connection)
        _copy_cases(db, keys, each, step)
        log.info("cases are copied")
        for statement in BULK:
            query = text(statement)
            connection.execute(query, {one: given[one] for one in query.compile().params})
        log.info("rows are made of them")
        for table in FILLED:
            connection.execute(text(f"ALTER TABLE {table} ADD CONSTRAINT {table}_pkey PRIMARY KEY ({_key_of(table)})"))
            for index in TABLES[table].indexes:
                index.create(connection)
        log.info("indexes are made")
    with engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        connection.execute(text("VACUUM (ANALYZE)"))
        connection.execute(text("CHECKPOINT"))


def _months(since_ms: int, until_ms: int) -> set[int]:
    first, last = months.month_of(since_ms), months.month_of(until_ms)
    assert first is not None
    assert last is not None
    return set(range(first, last + 1))


def _key_of(table: str) -> str:
    return ", ".join(column.name for column in TABLES[table].primary_key.columns)


def _copy_cases(db: Any, keys: Keyring, each: int, step: int) -> None:
    with db.cursor() as cursor, cursor.copy("COPY cases FROM STDIN (FORMAT BINARY)") as copy:
        copy.set_types(column_types("cases"))
        for part in range(PARTS):
            for offset in range(each):
                copy.write_row(at_rest(keys, _case(part, offset, NOW - SPAN_MS + offset * step, each)))


def number_at(part: int, offset: int) -> str:
    """The number of a case; no two share one."""
    return messages.number_of(offset * PARTS + part)


def _case(part: int, offset: int, at: int, each: int) -> CaseRow:
    """One case in ten was released, so that there are positions which are no case's id."""
    number = number_at(part, offset)
    stage, moved_at, last = Stage.COOLING, at, offset
    if offset % RELEASED_EVERY == 0:
        stage, moved_at, last = Stage.RELEASED, at + RELEASED_AFTER_MS, each + offset // RELEASED_EVERY
    times = (at, at, at, at + 60 * DAY_MS, at + RELEASED_AFTER_MS, 0, None, moved_at, moved_at, last)
    return CaseRow(part, offset, number, number, messages.OPERATOR, Stage.COOLING, stage, *times)


FILLED = ("cases", "events", "notices", "receipts", "effects")
EVENT_ID = "decode(md5(part || '-' || log_offset), 'hex')"
SAID = """
    INSERT INTO effects SELECT platform % 12, (block * 12 + part) * 100000 + platform, {seq},
        CAST(:first AS bigint) + (block + 1) * :block * CAST(:step AS bigint) + platform * 3600,
        'platform-' || lpad(platform::text, 4, '0'), {what}
        FROM generate_series(0, 11) AS part, {blocks} AS block, {platforms} AS platform
"""
WHOLE = "generate_series(CAST(:blocks AS bigint), CAST(:each AS bigint) / CAST(:block AS bigint))"
BULK = (
    f"""INSERT INTO events SELECT part, log_offset, opened_at, {EVENT_ID}, operator, number_key, 'COOLING', opened_at,
        cooling_until, reissue_not_before, NULL, 'USER_REQUEST', false, 0 FROM cases""",
    f"""INSERT INTO events SELECT part, last_offset, moved_at, {EVENT_ID}, operator, number_key, 'RELEASED', moved_at,
        NULL, NULL, NULL, NULL, false, 0 FROM cases WHERE last_offset > log_offset""",
    f"""INSERT INTO notices SELECT part, log_offset, opened_at, log_offset, 'COOLING', operator, opened_at, opened_at,
        part, log_offset, {EVENT_ID}, 0, true FROM cases""",
    f"""INSERT INTO notices SELECT part, last_offset, moved_at, log_offset, 'RELEASED', operator, moved_at, moved_at,
        part, last_offset, {EVENT_ID}, 0, true FROM cases WHERE last_offset > log_offset""",
    """INSERT INTO receipts SELECT operator, part, log_offset, opened_at, 'receipt', part, log_offset, NULL, 'ACCEPTED',
        NULL, part, log_offset, '{}', opened_at, NULL, NULL, NULL FROM cases""",
    """INSERT INTO receipts SELECT operator, part, last_offset, moved_at, 'receipt', part, last_offset, NULL,
        'ACCEPTED', NULL, part, last_offset, '{}', moved_at, NULL, NULL, NULL FROM cases
        WHERE last_offset > log_offset""",
    # Every platform said NOT_BOUND of every block, and one in ten UNBOUND of every 16th position, a while after it.
    SAID.format(
        seq="0",
        what="'NOT_BOUND', part, block, block * :block, block * :block + :block - 1, NULL",
        blocks=WHOLE,
        platforms="generate_series(0, :platforms - 1)",
    ),
    SAID.format(
        seq="1",
        what="'UNBOUND', part, block, block * :block, block * :block + :block - 16, "
        "decode(repeat('0100', :block / 16 - 1) || '01', 'hex')",
        blocks=WHOLE,
        platforms="generate_series(0, :platforms - 1, 10)",
    ),
    # The first blocks: small acknowledgements, one after another.
    SAID.format(
        seq="2 + small",
        what="'NOT_BOUND', part, block, block * :block + small * :small, "
        "block * :block + small * :small + :small - 1, NULL",
        blocks="generate_series(0, :blocks - 1)",
        platforms="generate_series(0, :block / :small - 1) AS small, generate_series(0, :platforms - 1)",
    ),
)
