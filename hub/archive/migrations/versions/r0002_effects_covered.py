"""This revision lets one index answer what platforms said of a case, so that PostgreSQL does not read the table.

Rows lie in the order in which acknowledgements came, so each row of a case would be another page to read.
"""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the index anew, with the columns that the query reads in it."""
    op.execute("DROP INDEX effects_of_block")
    op.execute(
        "CREATE INDEX effects_of_block ON effects (rel_part, block, last_offset, first_offset) "
        "INCLUDE (record_time, platform, outcome, part, log_offset, bits)"
    )


def downgrade() -> None:
    """Refuse: to go back, the archive is rebuilt from the logs."""
    raise NotImplementedError("unbind-hub archive rebuild")
