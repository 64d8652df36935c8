"""This package holds the command line, with one file for each command; `hub.cli.main` lists the commands."""

from hub.cli.main import app, run

__all__ = ["app", "run"]
