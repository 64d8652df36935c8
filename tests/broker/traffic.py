"""Operators' traffic with everything in it: whole lifecycles, repeats, mistakes and forgeries."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping

from hub.core.model import HOUR_MS, EventType, NumberEvent, OperatorReport, ReleaseReason, Reminder
from hub.wire import contracts
from hub.wire.contracts import encode
from tests.broker.scene import Message, Scene, event, mobile_numbers, now_ms

OPERATORS = {"north": "+86135", "south": "+86136"}
"""Operators and the prefix of their numbers."""

NEXT: dict[EventType | None, list[EventType]] = {
    None: [EventType.COOLING],
    EventType.COOLING: [EventType.RELEASE_SCHEDULED, EventType.RELEASED, EventType.RESTORED, EventType.WITHDRAWN],
    EventType.RELEASE_SCHEDULED: [EventType.RELEASED, EventType.RESTORED],
    EventType.RELEASED: [EventType.REASSIGNED, EventType.WITHDRAWN],
    EventType.REASSIGNED: [EventType.COOLING],
    EventType.RESTORED: [EventType.COOLING],
    EventType.WITHDRAWN: [EventType.COOLING],
    EventType.SUSPENDED: [EventType.COOLING],
}
WEIGHTS = {
    "good": 80,
    "repeat": 6,
    "any_type": 3,
    "suspended": 1,
    "report": 1,
    "id_reused": 1,
    "reversed": 1,
    "handover": 1,
    "missing": 1,
    "not_its_range": 1,
    "bad_number": 1,
    "wrong_partition": 1,
    "other_signer": 1,
    "other_hub": 1,
    "unknown_key": 1,
    "spoilt_bytes": 1,
}


class Traffic:
    """Makes messages of two operators over a set of numbers.

    Args:
        scene: its operators are put on the roster here.
        numbers: how many numbers each operator has.
        prefixes: of the numbers used, within `OPERATORS`.
    """

    def __init__(self, scene: Scene, numbers: int, rng: random.Random, prefixes: Mapping[str, str] = OPERATORS) -> None:
        self.kinds: Counter[str] = Counter()
        self._scene = scene
        self._rng = rng
        self._numbers = {one: mobile_numbers(numbers, prefix) for one, prefix in prefixes.items()}
        self._stage: dict[str, EventType] = {}
        self._events: dict[str, list[NumberEvent]] = {}
        self._sent: list[Message] = []
        self._now_ms = now_ms() - HOUR_MS
        for operator, prefix in OPERATORS.items():
            if operator not in scene.operators:
                scene.put_operator(operator, prefix)

    def messages(self, count: int) -> Iterator[Message]:
        """Messages, in the order they are to be sent."""
        kinds = self._rng.choices(list(WEIGHTS), list(WEIGHTS.values()), k=count)
        for kind in kinds:
            self._now_ms += 1
            message = self._make(kind)
            self.kinds[kind] += 1
            self._sent.append(message)
            yield message

    def _make(self, kind: str) -> Message:
        operator = self._rng.choice(list(OPERATORS))
        number = self._rng.choice(self._numbers[operator])
        if kind == "repeat" and self._sent:
            return self._rng.choice(self._sent)
        if kind == "report":
            return self._report(operator)
        good = self._next(operator, number)
        known = self._events.get(number)
        match kind:
            case "any_type":
                return self._sign(good._replace(type=self._rng.choice(list(EventType))))
            case "suspended":
                return self._sign(good._replace(type=EventType.SUSPENDED))
            case "handover":
                handed = {"type": EventType.REASSIGNED, "reason": ReleaseReason.TRANSFER, "bound_before": self._now_ms}
                return self._sign(good._replace(**handed))  # type: ignore[arg-type]
            case "id_reused" if known:
                return self._sign(good._replace(event_id=self._rng.choice(known).event_id))
            case "reversed":
                return self._sign(good._replace(occurred_at=self._now_ms - HOUR_MS))
            case "missing":
                return self._sign(good._replace(type=EventType.COOLING, cooling_until=None))
            case "not_its_range":
                return self._sign(good._replace(number="+86137" + number[6:]))
            case "bad_number":
                return self._sign(good._replace(number=number[:-3]))
            case _ if kind not in {"good", "repeat", "id_reused"}:
                return self._forge(kind, good)
        self._stage[number] = good.type
        self._events.setdefault(number, []).append(good)
        return self._sign(good)

    def _next(self, operator: str, number: str) -> NumberEvent:
        kind = self._rng.choice(NEXT[self._stage.get(number)])
        known = self._events.get(number)
        reminders = tuple(Reminder(self._now_ms - 1, "SMS") for _ in range(self._rng.randint(0, 2)))
        return event(
            number,
            kind,
            operator,
            occurred_at=self._now_ms,
            event_id=self._rng.randbytes(16),
            reminders=reminders,
            supersedes=known[-1].event_id if kind is EventType.WITHDRAWN and known else None,
        )

    def _sign(self, content: NumberEvent) -> Message:
        return self._scene.event_message(content)

    def _forge(self, kind: str, good: NumberEvent) -> Message:
        other = next(one for one in OPERATORS if one != good.operator)
        match kind:
            case "other_signer":
                return self._scene.event_message(good, self._scene.signer(f"{other}-1"))
            case "other_hub":
                return self._scene.event_message(good, self._scene.signer(f"{good.operator}-1", "another-hub"))
            case "unknown_key":
                return self._scene.event_message(good, self._scene.signer("nobody-1"))
            case "wrong_partition":
                message = self._sign(good)
                return message._replace(partition=(message.partition + 1) % self._scene.hub_log.partitions)
        value = encode(good)[:-1]
        headers = self._scene.signer(f"{good.operator}-1").headers(contracts.EVENTS, value)
        return self._sign(good)._replace(value=value, headers=headers)

    def _report(self, operator: str) -> Message:
        report = OperatorReport(operator, 20_000, tuple(range(self._scene.hub_log.partitions)))
        value = encode(report)
        headers = self._scene.signer(f"{operator}-1").headers(contracts.EVENTS, value)
        return Message(contracts.EVENTS, self._scene.home(operator), operator.encode(), value, headers)
