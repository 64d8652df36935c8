"""The archive's migrations: Alembic's revisions in `versions`, run by `hub.archive.database.migrate`."""
