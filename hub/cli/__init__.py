"""The command line, one file per command. See `hub.cli.main` for what there is, `hub.cli.start` for where it begins."""

from hub.cli.start import run

__all__ = ["run"]
