"""This module shows delivery to the hub's own staff, on 127.0.0.1 alone: `/metrics` and `/status`."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from hub.delivery.service import Delivery
from hub.delivery.status import all_rows


def staff_app(delivery: Delivery) -> FastAPI:
    """Return the app for staff."""
    app = FastAPI(title="unbind-hub delivery, for staff", docs_url=None, redoc_url=None)

    @app.get("/metrics")
    def metrics() -> Response:
        """Return the metrics for Prometheus."""
        for row in all_rows(delivery):
            delivery.metrics.behind.labels(row["platform"]).set(row["behind"])
        return Response(generate_latest(delivery.metrics.registry), media_type=CONTENT_TYPE_LATEST)

    @app.get("/status")
    def status() -> list[dict[str, Any]]:
        """Return every receiver's state."""
        return all_rows(delivery)

    return app
