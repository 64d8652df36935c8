"""`unbind-hub platform`: a platform's way onto the hub."""

from __future__ import annotations

import typer

app = typer.Typer(no_args_is_help=True, help="For platforms, and for the registrar of platforms.")
