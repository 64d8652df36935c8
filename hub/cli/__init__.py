"""The command line, one file per command. See `hub.cli.main` for what there is."""

from hub.cli.main import app

__all__ = ["app"]
