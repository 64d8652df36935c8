"""This package holds the archive's Alembic revisions in `versions`; `hub.archive.database.migrate` runs them."""
