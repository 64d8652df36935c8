"""The command line, one file per command. See `hub.cli.main` for what there is."""

from hub.cli.main import app, run

__all__ = ["app", "run"]
