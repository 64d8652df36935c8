"""This revision makes the first tables: whole messages, what is read from them, and how far each log is kept."""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None

STATEMENTS = (
    """
    CREATE TABLE messages ( topic TEXT NOT NULL, part INTEGER NOT NULL, log_offset BIGINT NOT NULL, record_time
    BIGINT NOT NULL, kind TEXT, mark TEXT, sealed BYTEA NOT NULL, CONSTRAINT messages_pkey PRIMARY KEY (topic,
    part, log_offset, record_time) ) PARTITION BY RANGE (record_time)
    """,
    """
    CREATE TABLE events ( part INTEGER NOT NULL, log_offset BIGINT NOT NULL, record_time BIGINT NOT NULL,
    event_id BYTEA NOT NULL, operator TEXT NOT NULL, number_key BYTEA NOT NULL, type TEXT NOT NULL, occurred_at
    BIGINT NOT NULL, cooling_until BIGINT, reissue_not_before BIGINT, bound_before BIGINT, reason TEXT, ported
    BOOLEAN NOT NULL, reminders INTEGER NOT NULL, CONSTRAINT events_pkey PRIMARY KEY (part, log_offset,
    record_time) ) PARTITION BY RANGE (record_time)
    """,
    "CREATE INDEX events_backfill ON events (operator, record_time) WHERE reason = 'BACKFILL'",
    "CREATE INDEX events_of_number ON events (number_key)",
    """
    CREATE TABLE operator_reports ( part INTEGER NOT NULL, log_offset BIGINT NOT NULL, record_time BIGINT NOT
    NULL, operator TEXT NOT NULL, day BIGINT NOT NULL, sent BIGINT[] NOT NULL, CONSTRAINT operator_reports_pkey
    PRIMARY KEY (part, log_offset) )
    """,
    """
    CREATE TABLE notices ( part INTEGER NOT NULL, log_offset BIGINT NOT NULL, record_time BIGINT NOT NULL,
    case_offset BIGINT NOT NULL, stage TEXT NOT NULL, operator TEXT NOT NULL, occurred_at BIGINT NOT NULL,
    published_at BIGINT NOT NULL, source_part BIGINT NOT NULL, source_offset BIGINT NOT NULL, event_id BYTEA NOT
    NULL, reminders INTEGER NOT NULL, counts BOOLEAN NOT NULL, CONSTRAINT notices_pkey PRIMARY KEY (part,
    log_offset, record_time) ) PARTITION BY RANGE (record_time)
    """,
    "CREATE INDEX notices_by_time ON notices (record_time, stage)",
    "CREATE INDEX notices_of_case ON notices (part, case_offset)",
    """
    CREATE TABLE cases ( part INTEGER NOT NULL, log_offset BIGINT NOT NULL, number_key BYTEA NOT NULL,
    number_sealed BYTEA NOT NULL, operator TEXT NOT NULL, opened_as TEXT NOT NULL, stage TEXT NOT NULL,
    opened_at BIGINT NOT NULL, published_at BIGINT NOT NULL, bound_before BIGINT NOT NULL, cooling_until BIGINT,
    reissue_not_before BIGINT, reminders INTEGER NOT NULL, scheduled_at BIGINT, last_at BIGINT NOT NULL,
    moved_at BIGINT NOT NULL, last_offset BIGINT NOT NULL, CONSTRAINT cases_pkey PRIMARY KEY (part, log_offset)
    )
    """,
    "CREATE INDEX cases_of_number ON cases (number_key)",
    """
    CREATE TABLE receipts ( operator TEXT NOT NULL, part INTEGER NOT NULL, log_offset BIGINT NOT NULL,
    record_time BIGINT NOT NULL, kind TEXT NOT NULL, source_part BIGINT NOT NULL, source_offset BIGINT NOT NULL,
    message_id BYTEA, decision TEXT NOT NULL, reason TEXT, position_part BIGINT, position_offset BIGINT,
    breaches TEXT[] NOT NULL, recorded_at BIGINT NOT NULL, report_day BIGINT, number_key BYTEA, platform TEXT,
    CONSTRAINT receipts_pkey PRIMARY KEY (operator, part, log_offset, record_time) ) PARTITION BY RANGE
    (record_time)
    """,
    "CREATE INDEX receipts_breaches ON receipts (operator, record_time, log_offset) WHERE breaches <> '{}'",
    "CREATE INDEX receipts_by_time ON receipts (operator, record_time)",
    "CREATE INDEX receipts_of_source ON receipts (source_part, source_offset)",
    """
    CREATE TABLE acks ( part INTEGER NOT NULL, log_offset BIGINT NOT NULL, record_time BIGINT NOT NULL, platform
    TEXT NOT NULL, sent_at BIGINT NOT NULL, received_parts BIGINT[] NOT NULL, received_through BIGINT[] NOT
    NULL, positions BIGINT NOT NULL, CONSTRAINT acks_pkey PRIMARY KEY (part, log_offset, record_time) )
    PARTITION BY RANGE (record_time)
    """,
    "CREATE INDEX acks_by_time ON acks (record_time)",
    """
    CREATE TABLE effects ( part INTEGER NOT NULL, log_offset BIGINT NOT NULL, seq INTEGER NOT NULL, record_time
    BIGINT NOT NULL, platform TEXT NOT NULL, outcome TEXT NOT NULL, rel_part INTEGER NOT NULL, block BIGINT NOT
    NULL, first_offset BIGINT NOT NULL, last_offset BIGINT NOT NULL, bits BYTEA, CONSTRAINT effects_pkey PRIMARY
    KEY (part, log_offset, seq, record_time) ) PARTITION BY RANGE (record_time)
    """,
    "CREATE INDEX effects_of_block ON effects (rel_part, block, last_offset, first_offset)",
    """
    CREATE TABLE reports ( part INTEGER NOT NULL, log_offset BIGINT NOT NULL, record_time BIGINT NOT NULL,
    report_id BYTEA NOT NULL, operator TEXT NOT NULL, number_key BYTEA NOT NULL, platform TEXT NOT NULL, kind
    TEXT NOT NULL, happened_at BIGINT NOT NULL, CONSTRAINT reports_pkey PRIMARY KEY (part, log_offset,
    record_time) ) PARTITION BY RANGE (record_time)
    """,
    "CREATE INDEX reports_of_number ON reports (number_key)",
    """
    CREATE TABLE reported ( part INTEGER NOT NULL, log_offset BIGINT NOT NULL, record_time BIGINT NOT NULL, what
    TEXT NOT NULL, source_part BIGINT NOT NULL, source_offset BIGINT NOT NULL, report_id BYTEA NOT NULL,
    operator TEXT, number_key BYTEA, platform TEXT, name TEXT, kind TEXT, case_part BIGINT, case_offset BIGINT,
    happened_at BIGINT, recorded_at BIGINT NOT NULL, deadline_at BIGINT, outcome TEXT, CONSTRAINT reported_pkey
    PRIMARY KEY (part, log_offset, record_time) ) PARTITION BY RANGE (record_time)
    """,
    "CREATE INDEX reported_by_time ON reported (record_time)",
    "CREATE INDEX reported_of_case ON reported (case_part, case_offset)",
    "CREATE INDEX reported_of_report ON reported (report_id)",
    """
    CREATE TABLE answers ( part INTEGER NOT NULL, log_offset BIGINT NOT NULL, record_time BIGINT NOT NULL, what
    TEXT NOT NULL, platform TEXT NOT NULL, message_id BYTEA NOT NULL, outcome TEXT, said_at BIGINT NOT NULL,
    CONSTRAINT answers_pkey PRIMARY KEY (part, log_offset, record_time) ) PARTITION BY RANGE (record_time)
    """,
    """
    CREATE TABLE rejections ( part INTEGER NOT NULL, log_offset BIGINT NOT NULL, record_time BIGINT NOT NULL,
    topic TEXT NOT NULL, source_part BIGINT NOT NULL, source_offset BIGINT NOT NULL, reason TEXT NOT NULL,
    sender TEXT, recorded_at BIGINT NOT NULL, CONSTRAINT rejections_pkey PRIMARY KEY (part, log_offset,
    record_time) ) PARTITION BY RANGE (record_time)
    """,
    "CREATE INDEX rejections_by_time ON rejections (record_time, log_offset)",
    "CREATE INDEX rejections_of_sender ON rejections (sender, record_time, log_offset)",
    "CREATE INDEX rejections_of_source ON rejections (topic, source_part, source_offset)",
    """
    CREATE TABLE held ( part INTEGER NOT NULL, log_offset BIGINT NOT NULL, seq INTEGER NOT NULL, record_time
    BIGINT NOT NULL, what TEXT NOT NULL, operator TEXT, source_part BIGINT NOT NULL, source_offset BIGINT NOT
    NULL, event_id BYTEA, word TEXT NOT NULL, said_by TEXT, copy_part BIGINT, copy_offset BIGINT, CONSTRAINT
    held_pkey PRIMARY KEY (part, log_offset, seq, record_time) ) PARTITION BY RANGE (record_time)
    """,
    """
    CREATE TABLE lookups ( part INTEGER NOT NULL, log_offset BIGINT NOT NULL, record_time BIGINT NOT NULL,
    lookup_id BYTEA NOT NULL, kind TEXT NOT NULL, asked_by TEXT NOT NULL, role TEXT NOT NULL, asked_at BIGINT
    NOT NULL, numbers BIGINT NOT NULL, clear BIGINT NOT NULL, blocked BIGINT NOT NULL, unknown BIGINT NOT NULL,
    CONSTRAINT lookups_pkey PRIMARY KEY (part, log_offset, record_time) ) PARTITION BY RANGE (record_time)
    """,
    "CREATE INDEX lookups_by_time ON lookups (record_time, part, log_offset)",
    """
    CREATE TABLE looked_up ( part INTEGER NOT NULL, log_offset BIGINT NOT NULL, seq INTEGER NOT NULL,
    record_time BIGINT NOT NULL, number_key BYTEA NOT NULL, case_part BIGINT, case_offset BIGINT, answer TEXT,
    CONSTRAINT looked_up_pkey PRIMARY KEY (part, log_offset, seq, record_time) ) PARTITION BY RANGE
    (record_time)
    """,
    "CREATE INDEX looked_up_of_number ON looked_up (number_key)",
    """
    CREATE TABLE platforms ( part INTEGER NOT NULL, log_offset BIGINT NOT NULL, record_time BIGINT NOT NULL,
    platform TEXT NOT NULL, state TEXT NOT NULL, tier SMALLINT NOT NULL, name_zh TEXT NOT NULL, name_en TEXT NOT
    NULL, left_at BIGINT, CONSTRAINT platforms_pkey PRIMARY KEY (part, log_offset) )
    """,
    """
    CREATE TABLE operators ( part INTEGER NOT NULL, log_offset BIGINT NOT NULL, record_time BIGINT NOT NULL,
    operator TEXT NOT NULL, name_zh TEXT NOT NULL, name_en TEXT NOT NULL, clearance_required BOOLEAN NOT NULL,
    CONSTRAINT operators_pkey PRIMARY KEY (part, log_offset) )
    """,
    """
    CREATE TABLE archive_meta ( log_id BYTEA NOT NULL, hub_id TEXT NOT NULL, partitions INTEGER NOT NULL,
    PRIMARY KEY (log_id) )
    """,
    """
    CREATE TABLE archive_places ( topic TEXT NOT NULL, part INTEGER NOT NULL, next_offset BIGINT NOT NULL,
    log_end BIGINT NOT NULL, record_time BIGINT, seen_at BIGINT NOT NULL, last_source BIGINT NOT NULL, PRIMARY
    KEY (topic, part) )
    """,
)
PARTED = (
    "messages",
    "events",
    "notices",
    "receipts",
    "acks",
    "effects",
    "reports",
    "reported",
    "answers",
    "rejections",
    "held",
    "lookups",
    "looked_up",
)


def upgrade() -> None:
    """Make the tables; each partitioned one gets a default partition for record times that no clock shows."""
    for statement in STATEMENTS:
        op.execute(statement)
    for table in PARTED:
        op.execute(f"CREATE TABLE {table}_other PARTITION OF {table} DEFAULT")


def downgrade() -> None:
    """Refuse: to go back, the archive is rebuilt from the logs."""
    raise NotImplementedError("unbind-hub archive rebuild")
