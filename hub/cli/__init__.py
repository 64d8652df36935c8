"""This package holds the command line, with one file for each command; it begins in `hub.cli.start`."""

from hub.cli.start import run

__all__ = ["run"]
