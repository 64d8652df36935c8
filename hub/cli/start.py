"""Where `unbind-hub` begins: a program of the hub loads nothing of the commands that people type."""

from __future__ import annotations

import errno
import sys

import typer

from hub.errors import UnbindError

FULL = (errno.ENOSPC, errno.EDQUOT)
"""What the system says of a disk, or of a user's share of it, with no room left."""
CLUSTER_TODO = "look whether the cluster's brokers run and answer, and start this again"


def run() -> None:
    """Run the command line; a known error is a sentence and exit code 1, not a traceback."""
    try:
        _commands()()
    except ModuleNotFoundError as missing:
        typer.echo(f"{missing.name} is not installed\n  What to do: pip install 'unbind-hub[local]'", err=True)
        sys.exit(1)
    except UnbindError as error:
        typer.echo(str(error), err=True)
        sys.exit(1)
    except OSError as error:
        if error.errno not in FULL:
            raise
        where = f", writing {error.filename}" if error.filename else ""
        typer.echo(f"this machine's disk is full{where}\n  What to do: make room and start again", err=True)
        sys.exit(1)
    except Exception as error:
        if not _is_of_kafka(error):
            raise
        typer.echo(f"the Kafka cluster: {type(error).__name__}: {error}\n  What to do: {CLUSTER_TODO}", err=True)
        sys.exit(1)


def _is_of_kafka(error: Exception) -> bool:
    """Return whether the client or the cluster says this. Only a command that talks to Kafka loads the client."""
    client = sys.modules.get("aiokafka.errors")
    return client is not None and isinstance(error, client.KafkaError)


def _commands() -> typer.Typer:
    from hub.cli import programs

    if sys.argv[1:] and sys.argv[1] in programs.NAMES:
        return programs.app
    from hub.cli.main import app

    return app
