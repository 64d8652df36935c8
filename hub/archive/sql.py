"""This module holds the archive's queries in SQL. `:digests` are the digests of one number under every key.

For example, `CASES_OF_NUMBER` finds the cases of a number by its digests, so no query ever holds a number.
"""

from __future__ import annotations

from sqlalchemy import text

CASE = text("SELECT * FROM cases WHERE part = :part AND log_offset = :log_offset")
CASE_OFFSET = text("SELECT case_offset FROM notices WHERE part = :part AND log_offset = :log_offset AND counts")
CASES_OF_NUMBER = text("SELECT * FROM cases WHERE number_key = ANY(:digests) ORDER BY log_offset DESC LIMIT :most")
CASE_BEFORE = text("""
    SELECT moved_at FROM cases
    WHERE number_key = ANY(:digests) AND part = :part AND log_offset < :log_offset
    ORDER BY log_offset DESC LIMIT 1
""")

DECIDED = """
    SELECT decision, breaches FROM receipts r
    WHERE r.source_part = e.part AND r.source_offset = e.log_offset AND r.operator = e.operator
      AND r.kind = 'receipt' AND r.record_time >= e.record_time - 86400000 AND r.record_time >= {since}
    ORDER BY r.record_time, r.log_offset LIMIT 1
"""
"""This finds the first receipt of an event `e`; later ones repeat it. One day is added because brokers' clocks differ.

`since`, here and below, changes no answer: it lets PostgreSQL leave out the months before it when a query begins, so
that it does not touch them one by one."""

HAPPENED = text(f"""
    WITH noticed AS (
        SELECT * FROM notices
        WHERE part = :part AND case_offset = :log_offset AND counts AND record_time BETWEEN :since AND :until
    ), people AS (
        SELECT DISTINCT ON (report_id) * FROM reported
        WHERE case_part = :part AND case_offset = :log_offset AND what = 'report' AND record_time >= :sent_since
        ORDER BY report_id, record_time, log_offset
    )
    SELECT e.record_time AS at, 1 AS rank, 'event' AS kind, e.type AS what, e.operator AS who,
           d.breaches AS breaches, e.part || '-' || e.log_offset AS source
    FROM events e
    JOIN noticed n ON n.source_part = e.part AND n.source_offset = e.log_offset
    LEFT JOIN LATERAL ({DECIDED.format(since=":sent_since")}) d ON true
    WHERE e.number_key = ANY(:digests) AND e.record_time BETWEEN :sent_since AND :until + 86400000
  UNION ALL
    SELECT e.record_time, 1, 'event', e.type, e.operator, d.breaches, e.part || '-' || e.log_offset
    FROM events e
    JOIN LATERAL ({DECIDED.format(since=":noted_since - 86400000")}) d ON d.decision = 'NOTED'
    WHERE e.number_key = ANY(:digests) AND e.record_time BETWEEN :noted_since AND :since
  UNION ALL
    SELECT record_time, 2, 'notice', stage, operator, NULL, part || '-' || log_offset FROM noticed
  UNION ALL
    SELECT record_time, 3, 'report', kind, coalesce(platform, name), NULL, source_part || '-' || source_offset
    FROM people
  UNION ALL
    SELECT DISTINCT ON (a.report_id) a.record_time, 4, 'answer', a.outcome, a.platform, NULL::text[],
           a.source_part || '-' || a.source_offset
    FROM reported a JOIN people USING (report_id)
    WHERE a.what = 'answer' AND a.record_time >= :sent_since
    ORDER BY at, rank
    LIMIT :most
""")

EFFECTS = text("""
    WITH said AS MATERIALIZED (
        SELECT platform, outcome, record_time, part, log_offset FROM effects
        WHERE rel_part = :part AND block = :block AND first_offset <= :log_offset AND last_offset >= :log_offset
          AND record_time >= :since
          AND CASE WHEN first_offset <= :log_offset AND last_offset >= :log_offset  -- get_bit fails beyond its bits
              THEN bits IS NULL OR get_bit(bits, :log_offset - first_offset) = 1 END
    )
    SELECT platform, outcome, min(record_time) AS first_at, max(record_time) AS last_at, count(*) AS messages,
           (min(ARRAY[record_time, part, log_offset]))[2] AS first_part,
           (min(ARRAY[record_time, part, log_offset]))[3] AS first_offset
    FROM said
    WHERE NOT EXISTS (
        SELECT FROM rejections r
        WHERE r.topic = 'acks' AND r.source_part = said.part AND r.source_offset = said.log_offset
          AND r.record_time >= :since
    )
    GROUP BY platform, outcome
    ORDER BY platform, first_at, outcome
""")

OLDER = "record_time <= :at AND (record_time, part, log_offset) < (:at, :page_part, :page_offset)"
NEWEST_FIRST = "ORDER BY record_time DESC, part DESC, log_offset DESC LIMIT :most"

BREACHES = text(f"""
    SELECT record_time, part, log_offset, source_part, source_offset, position_part, position_offset, breaches
    FROM receipts r
    WHERE operator = :operator AND breaches <> '{{}}' AND record_time >= :since AND {OLDER}
      AND NOT EXISTS (
        SELECT FROM receipts f
        WHERE f.source_part = r.source_part AND f.source_offset = r.source_offset AND f.operator = r.operator
          AND f.kind = 'receipt' AND f.log_offset < r.log_offset
      )
    {NEWEST_FIRST}
""")
REFUSALS = text(f"SELECT * FROM rejections WHERE {OLDER} {NEWEST_FIRST}")
REFUSALS_OF_SENDER = text(
    f"SELECT * FROM rejections WHERE sender = :sender AND topic = ANY(:topics) AND {OLDER} {NEWEST_FIRST}"
)
LOOKUPS = text(f"SELECT * FROM lookups WHERE {OLDER} {NEWEST_FIRST}")
LOOKUPS_OF_NUMBER = text("""
    SELECT l.* FROM lookups l
    JOIN (SELECT DISTINCT part, log_offset, record_time FROM looked_up WHERE number_key = ANY(:digests)) AS asked
    USING (part, log_offset, record_time)
    ORDER BY l.record_time DESC, l.part DESC, l.log_offset DESC LIMIT :most
""")
CLEAN_UPS = text("""
    SELECT e.record_time, e.part, e.log_offset, c.part AS case_part, c.log_offset AS case_offset, c.stage
    FROM events e
    JOIN LATERAL (
        SELECT position_part, position_offset FROM receipts r
        WHERE r.source_part = e.part AND r.source_offset = e.log_offset AND r.operator = e.operator
          AND r.kind = 'receipt' AND r.decision = 'ACCEPTED' AND r.record_time >= e.record_time - 86400000
        LIMIT 1
    ) d ON true
    JOIN cases c ON c.part = d.position_part AND c.log_offset = d.position_offset
    WHERE e.operator = :operator AND e.reason = 'BACKFILL'
      AND e.record_time <= :at AND (e.record_time, e.part, e.log_offset) < (:at, :page_part, :page_offset)
    ORDER BY e.record_time DESC, e.part DESC, e.log_offset DESC LIMIT :most
""")

PLACES = text("SELECT * FROM archive_places ORDER BY topic, part")
