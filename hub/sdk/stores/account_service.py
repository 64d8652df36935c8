"""This module asks a platform's own account service over HTTP. `schemas/account-service.yaml` says what it must serve.

What may work later (no connection, a timeout, 429, 5xx) is tried again a bounded number of times, each time after a
longer wait. Every call may be repeated, because each deed carries a key that names it for good. For example, the key
`7-120033/120033/u1/FREEZE` is the deed that the opening notice of case 7-120033 asks for at account "u1".
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from hub.core.numbers import is_e164
from hub.errors import PlatformError, StoreAway
from hub.sdk.accounts import AMBIGUOUS, ELSEWHERE, Account, Done, Readability
from hub.sdk.deeds import Ask, AskKey
from hub.sdk.stores.bulk import chunks
from hub.sdk.stores.deeds import log_answer
from hub.sdk.stores.raw import sane

log = logging.getLogger(__name__)
T = TypeVar("T")

TRY_AGAIN = {429, 500, 502, 503, 504}
ANSWER_BYTES_MAX = 16 * 2**20
ID_CHARS_MAX = 191


@dataclass(frozen=True)
class ServiceSettings:
    """This says where the service is, and how it is asked."""

    url: str
    token: str
    timeout_ms: int = 10_000
    batch_max: int = 500
    """At most so many numbers, accounts or deeds are in one call."""

    tries_max: int = 5
    backoff_ms: int = 200
    """The wait before the second try; each further one waits twice as long."""


class AccountService:
    """This makes the calls; only one thread uses it at a time."""

    def __init__(self, settings: ServiceSettings) -> None:
        import httpx

        self._settings = settings
        self._failures = (httpx.TransportError,)
        self._client = httpx.Client(
            timeout=settings.timeout_ms / 1_000, headers={"authorization": f"Bearer {settings.token}"}
        )

    def readability(self) -> Readability:
        """Return how many bound rows the service has, and how many numbers among them it cannot read."""
        answer = self._call("GET", "readability", None)
        counts = {"ambiguous": 0, **answer}
        rows, unreadable, ambiguous = (
            _field(counts, name, lambda one: isinstance(one, int)) for name in ("rows", "unreadable", "ambiguous")
        )
        return Readability(rows, max(unreadable, ambiguous), ambiguous)

    def match(self, numbers: Collection[str], account_ids: Collection[str]) -> dict[str, Account]:
        """Return the accounts bound to numbers now, and those with these ids, as far as they exist."""
        found: dict[str, Account] = {}
        for asked in _shares(sorted(numbers), list(account_ids), self._settings.batch_max):
            answer = self._call("POST", "match", asked)
            accounts = [_account(one) for one in _field(answer, "accounts", lambda one: isinstance(one, list))]
            numbers_asked, ids_asked = set(asked["numbers"]), set(asked["accounts"])
            found |= {
                one.account_id: one
                for one in accounts
                if one.account_id in ids_asked or numbers_asked & (one.may_be or {one.number})
            }
            log.info(
                "match: asked for %d numbers and %d accounts, found %d",
                len(asked["numbers"]),
                len(asked["accounts"]),
                len(accounts),
            )
        return found

    def act(self, asks: Sequence[Ask]) -> dict[AskKey, Done]:
        """Have deeds done, in their order; return the service's answer to each, or FAILED if it gives none."""
        answers: dict[AskKey, Done] = {}
        for share in chunks(asks, self._settings.batch_max):
            answer = self._call("POST", "act", {"asks": [_as_json(ask) for ask in share]})
            listed = _field(answer, "answers", lambda one: isinstance(one, list))
            said = dict(_answer(one) for one in listed)
            for ask in share:
                answers[ask.key] = said.get(_key(ask), Done.FAILED)
                log_answer(log, ask, answers[ask.key])
        return answers

    def close(self) -> None:
        """Disconnect."""
        self._client.close()

    def _call(self, method: str, path: str, content: Mapping[str, Any] | None) -> dict[str, Any]:
        settings, wrong = self._settings, "nothing"
        for one in range(settings.tries_max):
            if one:
                time.sleep((settings.backoff_ms << (one - 1)) / 1_000)
            try:
                status, body = self._exchange(method, path, content)
            except self._failures as failure:
                wrong = type(failure).__name__
                continue
            if status not in TRY_AGAIN:
                return _checked(path, status, body)
            wrong = f"status {status}"
        raise StoreAway(
            f"the account service does not answer {path}: {wrong}",
            todo="Check the service and its address; nothing is lost, start again.",
        )

    def _exchange(self, method: str, path: str, content: Mapping[str, Any] | None) -> tuple[int, bytes]:
        with self._client.stream(method, f"{self._settings.url}/{path}", json=content) as response:
            body = bytearray()
            for part in response.iter_bytes():
                body += part
                if len(body) > ANSWER_BYTES_MAX:
                    raise _not_as_described(path, f"more than {ANSWER_BYTES_MAX} bytes")
        return response.status_code, bytes(body)


def _checked(path: str, status: int, body: bytes) -> dict[str, Any]:
    if status in {401, 403}:
        raise PlatformError(f"the account service refuses {path}: status {status}", todo="Check store.http.token.")
    if status != 200:
        raise _not_as_described(path, f"status {status}")
    try:
        answer = json.loads(body)
    except ValueError as wrong:
        raise _not_as_described(path, "no JSON") from wrong
    if not isinstance(answer, dict):
        raise _not_as_described(path, "no object")
    return answer


def _not_as_described(path: str, what: str) -> PlatformError:
    return PlatformError(
        f"the account service does not answer {path} as described: {what}",
        todo="Compare it with schemas/account-service.yaml; nothing of the batch was acknowledged.",
    )


def _field(answer: Any, name: str, fits: Callable[[Any], bool]) -> Any:
    if not isinstance(answer, dict) or name not in answer or not fits(answer[name]):
        raise _not_as_described("a call", f"no good {name}")
    return answer[name]


def _account(one: Any) -> Account:
    name = _field(one, "account_id", lambda given: isinstance(given, str) and 0 < len(given) <= ID_CHARS_MAX)
    number = _field(one, "number", lambda given: given is None or isinstance(given, str))
    bound_at = _field(one, "bound_at", lambda given: given is None or isinstance(given, int))
    state = one.get("state") or ""
    known_at = None if bound_at is None else sane(bound_at)
    proven_at = one.get("proven_at")
    if not (proven_at is None or isinstance(proven_at, int)):
        raise _not_as_described("a call", "no good proven_at")
    may_be = _field({"may_be": [], **one}, "may_be", _are_numbers)
    if may_be:
        return Account(name, AMBIGUOUS, known_at, str(state), proven_at, frozenset(may_be))
    readable = number is None or is_e164(number)
    return Account(name, number if readable else ELSEWHERE, known_at, str(state), proven_at)


def _are_numbers(given: object) -> bool:
    return isinstance(given, list) and all(isinstance(one, str) and is_e164(one) for one in given)


def _answer(one: Any) -> tuple[str, Done]:
    key = _field(one, "key", lambda given: isinstance(given, str))
    return key, Done(_field(one, "done", lambda given: given in set(Done)))


def _key(ask: Ask) -> str:
    """Return the key of a deed. It has the notice's offset, so that a later stage can ask for the same deed again."""
    key = ask.key
    named = (str(key.case), str(ask.position.offset), key.account_id, key.deed, *([key.report] if key.report else []))
    return "/".join(named)


def _as_json(ask: Ask) -> dict[str, Any]:
    return {
        "key": _key(ask),
        "case": str(ask.key.case),
        "account_id": ask.key.account_id,
        "deed": ask.key.deed.value,
        "number": ask.number,
        "bound_at": ask.bound_at,
        "state": ask.snapshot,
        "rebind": ask.rebind,
        "beside": list(ask.beside),
    }


def _shares(numbers: list[str], accounts: list[str], most: int) -> Iterator[dict[str, list[str]]]:
    """Yield numbers and accounts in parts, each with as many as one call takes."""
    for share in chunks(numbers, most):
        yield {"numbers": share, "accounts": []}
    for share in chunks(accounts, most):
        yield {"numbers": [], "accounts": share}
