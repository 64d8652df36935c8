"""This module lets `python -m hub` run `unbind-hub`."""

from hub.cli import run

if __name__ == "__main__":
    run()
