"""This module shows the state of receivers as rows, for people and machines.

For example, a row has "platform": "bank", "state": "DEGRADED", "behind": 120, and what to do in "todo".
"""

from __future__ import annotations

from typing import Any

from hub.core.channel import WRITTEN, Way, kind_of
from hub.core.model import Platform
from hub.delivery.health import ReceiverState
from hub.delivery.keys import public_form
from hub.delivery.service import DELIVERED_IN, Delivery, is_told

TODO = {
    ReceiverState.HEALTHY: "",
    ReceiverState.DEGRADED: "Look at the receiver: it has failed for a while and is tried less often.",
    ReceiverState.SUSPENDED: "Mend the receiver: only a probe goes there now and then. It then gets all it missed.",
}


def status_of(delivery: Delivery, platform: Platform) -> dict[str, Any]:
    """Return one platform's row. Times are UTC milliseconds; `behind` counts notices it has not received."""
    courier = delivery.couriers.get(platform.id)
    received = delivery.received.of(platform.id)
    ends = [delivery.releases.end(one) for one in range(delivery.hub_log.partitions)]
    places = [courier.place(one) if courier is not None else received.get(one, -1) + 1 for one in range(len(ends))]
    row: dict[str, Any] = {
        "platform": platform.id,
        "channel": kind_of(platform).kind,
        "state": None,
        "since": None,
        "behind": sum(max(0, end - place) for end, place in zip(ends, places, strict=True)),
        "failing_since": None,
        "failures": 0,
        "next_try_at": None,
        "received_at": None,
        "why": "",
        "todo": "" if courier is not None else why_not(delivery, platform),
    }
    if courier is not None:
        health = courier.health
        tries = [health.overall.try_at, *(pace.try_at for _, pace in health.lanes)]
        row |= {
            "state": str(health.state),
            "since": health.since or None,
            "failing_since": health.overall.failing_since,
            "failures": health.overall.failures,
            "next_try_at": max(tries) or None,
            "received_at": health.received_at,
            "why": health.why,
            "todo": TODO[health.state],
        }
    return row


def why_not(delivery: Delivery, platform: Platform) -> str:
    """Return what is to be done so that a platform without a courier has one."""
    way = kind_of(platform).way
    if way is Way.KAFKA:
        return "Nothing: it reads Kafka itself."
    if not is_told(platform):
        return f"Have the registrar write its channel as one of {WRITTEN}."
    if platform.state not in DELIVERED_IN:
        return f"Nothing is sent while its state is {platform.state}."
    key = public_form(delivery.signer.public)
    return f"Have the registrar run: unbind-hub platform add-delivery-key {platform.id} --public {key}"


def all_rows(delivery: Delivery) -> list[dict[str, Any]]:
    """Return every platform that does not read Kafka itself, by id."""
    platforms = sorted(delivery.roster.roster.platforms.values(), key=lambda one: one.id)
    return [status_of(delivery, one) for one in platforms if kind_of(one).way is not Way.KAFKA]
