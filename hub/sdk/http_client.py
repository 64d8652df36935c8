"""This module is a platform's end of the hub's HTTP interface: it fetches, signs and answers, without Kafka.

For example, `HttpPlatform("https://delivery.hub.example", "bank", signer, "whpk_…").fetch("2026-01-31", folder)` keeps
the file of that day and sends its receipt.

It needs the extra `platform` (httpx, PyJWT). It is synchronous, because it is used once a day or once for each webhook.
"""

from __future__ import annotations

import base64
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from hub.clock import system_clock
from hub.core.model import Acknowledgement, Outcome, ReportAnswer
from hub.errors import ContractError, HubError, PlatformError
from hub.sdk.webhooks import public_key_of
from hub.wire.contracts import ACKS, ANSWERS, decode, encode
from hub.wire.signing import Signer, signed_bytes

if TYPE_CHECKING:
    import httpx

N = TypeVar("N")
TOKEN_LIFE_S = 60
TIMEOUT_S = 60.0
DRAFT_S = 600.0
"""A draft takes long: thousands of cases are looked up one by one, and a long log is read for the rest."""

NONCE_BYTES = 16
DAYS_LISTED = 400


def token(signer: Signer, platform: str, method: str, target: str, now_s: int) -> str:
    """Return a token for one request (the claims are those of `hub.delivery.auth`).

    Args:
        target: the path and the query, as they are sent.
    """
    import jwt

    claims = {
        "iss": platform,
        "aud": signer.hub_id,
        "iat": now_s,
        "exp": now_s + TOKEN_LIFE_S,
        "jti": secrets.token_hex(NONCE_BYTES),
        "htm": method,
        "htu": target,
    }
    return jwt.encode(claims, signer.private, algorithm="EdDSA", headers={"kid": signer.key_id})


class HttpPlatform:
    """This is one platform's connection to the hub's delivery.

    Args:
        url: the address of the hub's delivery, such as `https://delivery.hub.example`.
        public_key: the hub's public key, `whpk_…`; files are checked against it.
    """

    def __init__(self, url: str, platform: str, signer: Signer, public_key: str) -> None:
        import httpx

        self._platform = platform
        self._signer = signer
        self._public: Ed25519PublicKey = public_key_of(public_key)
        self._base = f"/v1/platforms/{platform}"
        self._client = httpx.Client(base_url=url, timeout=TIMEOUT_S)

    def __enter__(self) -> HttpPlatform:
        return self

    def __exit__(self, kind: type[BaseException] | None, wrong: BaseException | None, at: TracebackType | None) -> None:
        self._client.close()

    def status(self) -> dict[str, Any]:
        """Return how delivery to this platform fares."""
        found: dict[str, Any] = self._ask("GET", "/delivery").json()
        return found

    def notices(self, partition: int, first: int = 0, limit: int = 100) -> dict[str, Any]:
        """Return notices of a partition from an offset on, with `next` and `partitions`."""
        found: dict[str, Any] = self._ask(
            "GET", "/notices", params={"partition": str(partition), "from": str(first), "limit": str(limit)}
        ).json()
        return found

    def replay(self, **wanted: Any) -> Iterator[dict[str, Any]]:
        """Yield notices again.

        Ask by `by="position", partition=, first=`, by `by="case", case=`, or by `by="time", since=, until=`.
        """
        following: dict[str, Any] | None = wanted
        while following is not None:
            found = self._ask("POST", "/replay", json=following).json()
            yield from found["notices"]
            following = _onward(following, found["next"])

    def days(self, limit: int = DAYS_LISTED) -> list[dict[str, Any]]:
        """Return the days that have a file, each with `received`; `limit` days are asked for in one request."""
        found: list[dict[str, Any]] = []
        following: str | None = ""
        while following is not None:
            wanted = {"limit": str(limit)} | ({"from": following} if following else {})
            page = self._ask("GET", "/files", params=wanted).json()
            found += page["files"]
            following = _onward(following, page["next"])
        return found

    def fetch(self, day: str, folder: Path) -> Path:
        """Fetch a day's file, check the hub's signature, keep the file, then send its receipt, which moves `received`.

        Args:
            day: the day, as `days` names it.

        Raises:
            HubError: the content is not what the hub signed.
            PlatformError: the hub counts no receipt of it; the file is kept.
            ValueError: `day` is no date.
        """
        date.fromisoformat(day)  # it becomes a file's name
        answer = self._ask("GET", f"/files/{day}")
        digest = sha256(answer.content).digest()
        try:
            signed = signed_bytes(self._signer.hub_id, f"files/{day}", digest)
            self._public.verify(bytes.fromhex(answer.headers.get("signature", "")), signed)
        except (InvalidSignature, ValueError) as wrong:
            raise HubError(f"the file of {day} is not signed by the hub", todo="Check its public key.") from wrong
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{day}.csv"
        scratch = path.with_suffix(".tmp")
        scratch.touch(mode=0o600)  # it holds numbers
        scratch.write_bytes(answer.content)
        scratch.replace(path)
        self._ask("PUT", f"/files/{day}/receipt", content=digest.hex().encode())
        return path

    def draft(self, rows: bytes, content_type: str = "text/csv") -> dict[str, Any]:
        """Return what rows (`case,outcome`) say, as a summary to read and acknowledgements to sign; write nothing."""
        found: dict[str, Any] = self._ask(
            "POST", "/outcomes", content=rows, headers={"content-type": content_type}, timeout=DRAFT_S
        ).json()
        return found

    def drafted(self, found: dict[str, Any]) -> list[Acknowledgement]:
        """Return the acknowledgements of a draft, decoded from the bytes that are signed, so that they can be shown.

        Raises:
            HubError: what is to be signed is no acknowledgement of this platform.
        """
        return [self._own(base64.b64decode(one["value"])) for one in found["acknowledgements"]]

    def send(self, drafted: dict[str, Any]) -> list[dict[str, Any]]:
        """Sign what was drafted and post it; from then on this platform has said it.

        Raises:
            PlatformError: the hub refused it.
            HubError: what is to be signed is no acknowledgement of this platform.
        """
        return [self.acknowledge(base64.b64decode(one["value"])) for one in drafted["acknowledgements"]]

    def acknowledge(self, value: bytes) -> dict[str, Any]:
        """Sign an acknowledgement's bytes and post it; return where it was written."""
        self._own(value)
        return self._post_signed("/acknowledgements", ACKS, value)

    def _own(self, value: bytes) -> Acknowledgement:
        try:
            ack = decode(value, Acknowledgement)
        except ContractError as wrong:
            raise HubError("this is no acknowledgement", todo="Sign nothing else; tell the hub's staff.") from wrong
        if ack.platform != self._platform:
            raise HubError("this speaks for another platform", todo="Sign nothing; tell the hub's staff.")
        return ack

    def inbox(self, first: int = 0) -> dict[str, Any]:
        """Return what the hub asks and tells this platform alone, from an offset on, with `next`."""
        found: dict[str, Any] = self._ask("GET", "/inbox", params={"from": str(first)}).json()
        return found

    def requests(self) -> list[dict[str, Any]]:
        """Return the reports that the hub passed on and that have no answer yet, in the order they came."""
        asked: dict[str, dict[str, Any]] = {}
        first, answered, page = 0, set[str](), self.inbox()
        while page["messages"]:
            for one in page["messages"]:
                if one["kind"] == "ReportRequest":
                    asked.setdefault(one["message"]["report_id"], one["message"])
                elif one["kind"] == "AcceptedAnswer":
                    answered.add(one["message"]["report_id"])
            page = self.inbox(_onward(first, first := page["next"]))
        return [one for report_id, one in asked.items() if report_id not in answered]

    def answer(self, report_id: str, outcome: Outcome) -> dict[str, Any]:
        """Answer a report that the hub passed on: say what was found, and done, on looking again.

        Args:
            report_id: the id in the request, in hex.
        """
        said = ReportAnswer(bytes.fromhex(report_id), self._platform, outcome, system_clock())
        return self._post_signed("/answers", ANSWERS, encode(said))

    def _post_signed(self, path: str, topic: str, value: bytes) -> dict[str, Any]:
        headers = {
            name: base64.b64encode(one).decode() if name == "signature" else one.decode()
            for name, one in self._signer.headers(topic, value)
        }
        answer: dict[str, Any] = self._ask("POST", path, content=value, headers=headers).json()
        return answer

    def _ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        with _told_plainly():
            request = self._client.build_request(method, self._base + path, **options)
            target = request.url.raw_path.decode()
            proof = token(self._signer, self._platform, method, target, int(time.time()))
            request.headers["authorization"] = f"Bearer {proof}"
            answer = self._client.send(request)
        if answer.is_success:
            return answer
        try:
            problem = answer.json()
            what, todo = f"{problem['reason']}: {problem['detail']}", str(problem["todo"])
        except (ValueError, KeyError, TypeError):
            what, todo = f"the hub answers {answer.status_code}", "Try again; then tell the hub's staff."
        raise (HubError if answer.status_code >= 500 else PlatformError)(what, todo=todo)


def _onward(asked: N, following: N) -> N:
    """Return the page that comes next; refuse the page that was just asked for, or asking would have no end."""
    if following == asked:
        raise HubError("the hub's pages lead nowhere", todo="Try again; then tell the hub's staff.")
    return following


@contextmanager
def _told_plainly() -> Iterator[None]:
    import httpx

    try:
        yield
    except httpx.HTTPError as wrong:
        raise HubError(f"the hub does not answer ({type(wrong).__name__})", todo="Check the address.") from wrong
