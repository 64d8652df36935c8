"""`python -m hub` is `unbind-hub`."""

from hub.cli import run

if __name__ == "__main__":
    run()
