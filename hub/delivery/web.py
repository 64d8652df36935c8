"""What platforms call. Thin: each route reads the request, asks one part, answers."""

from __future__ import annotations

from fastapi import FastAPI

from hub.delivery.service import Delivery


def platform_app(delivery: Delivery) -> FastAPI:
    """The app."""
    app = FastAPI(title="unbind-hub delivery")
    del delivery
    return app
