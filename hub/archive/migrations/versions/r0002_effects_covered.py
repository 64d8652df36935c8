"""What platforms said of a case out of one index: their rows lie as their acknowledgements came, a page each."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """The index with what is asked for in it."""
    op.execute("DROP INDEX effects_of_block")
    op.execute(
        "CREATE INDEX effects_of_block ON effects (rel_part, block, last_offset, first_offset) "
        "INCLUDE (record_time, platform, outcome, part, log_offset, bits)"
    )


def downgrade() -> None:
    """The archive is made anew from the logs instead."""
    raise NotImplementedError("unbind-hub archive rebuild")
