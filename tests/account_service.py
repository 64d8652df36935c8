"""A small real account service: FastAPI over a dictionary, served on 127.0.0.1, held to its OpenAPI in every call."""

from __future__ import annotations

import json
import socket
import threading
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import uvicorn
import yaml
from fastapi import FastAPI, Header, HTTPException, Request
from jsonschema import Draft202012Validator
from starlette.requests import ClientDisconnect

from hub.core.numbers import is_e164

OPENAPI = Path(__file__).resolve().parents[1] / "schemas" / "account-service.yaml"
TOKEN = "a token of the test"
STOP_S = 20.0


@dataclass(frozen=True)
class ServiceAccount:
    """One account of the service."""

    number: str | None
    bound_at: int | None = None
    frozen: bool = False
    may_be: tuple[str, ...] = ()
    proven_at: int | None = None


@dataclass
class Service:
    """The accounts, what was asked and what was done, and faults to be had.

    `down`: calls that fail. `refuses`: answers for single accounts.

    `dies_after`: how many deeds are still done before the next is done and the answer lost, with a status of 500.
    """

    accounts: dict[str, ServiceAccount] = field(default_factory=dict)
    done: dict[str, str] = field(default_factory=dict)
    deeds: list[tuple[str, str]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    down: int = 0
    refuses: dict[str, str] = field(default_factory=dict)
    dies_after: int | None = None

    def match(self, asked: dict[str, Any]) -> dict[str, Any]:
        wanted, names = set(asked["numbers"]), set(asked["accounts"])
        found = {
            name: one for name, one in self.accounts.items() if wanted & {one.number, *one.may_be} or name in names
        }
        return {"accounts": [self._account(name, one) for name, one in found.items()]}

    def _account(self, name: str, one: ServiceAccount) -> dict[str, Any]:
        said = {"account_id": name, "number": one.number, "bound_at": one.bound_at, "proven_at": one.proven_at}
        said["state"] = json.dumps(one.frozen)
        return said | ({"may_be": list(one.may_be)} if one.may_be else {})

    def act(self, asked: dict[str, Any]) -> dict[str, Any]:
        return {"answers": [{"key": one["key"], "done": self._once(one)} for one in asked["asks"]]}

    def _once(self, ask: dict[str, Any]) -> str:
        self.asked.append(ask["key"])
        if ask["key"] not in self.done:
            said = self.refuses.get(ask["account_id"], "DONE")
            if said != "DONE":
                return said
            if self._is_taken(ask):
                return "TAKEN"
            self._do(ask)
            self.done[ask["key"]] = "DONE"
            self.deeds.append((ask["account_id"], ask["deed"]))
            if self.dies_after is not None:
                self.dies_after -= 1
                if self.dies_after < 0:
                    self.dies_after = None
                    raise HTTPException(500)
        return self.done[ask["key"]]

    def _is_taken(self, ask: dict[str, Any]) -> bool:
        """Whether somebody else has the number that is to be put back."""
        one = self.accounts.get(ask["account_id"])
        if not ask["rebind"] or one is None or one.number is not None:
            return False
        holders = {name for name, other in self.accounts.items() if other.number == ask["number"]}
        return bool(holders - {ask["account_id"], *ask["beside"]})

    def _do(self, ask: dict[str, Any]) -> None:
        name = ask["account_id"]
        one = self.accounts.get(name)
        if one is None:
            return
        before = json.loads(ask["state"])
        if ask["deed"] == "REINSTATE":
            one = replace(one, frozen=before)
            if ask["rebind"] and one.number is None:
                one = replace(one, number=ask["number"], bound_at=ask["bound_at"])
        elif one.number == ask["number"]:
            unbind = ask["deed"] == "UNBIND"
            one = replace(one, number=None, frozen=False) if unbind else replace(one, frozen=True)
        self.accounts[name] = one


@cache
def openapi() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(OPENAPI.read_text(encoding="utf-8"))
    return found


def hold_to(schema: str, value: Any) -> None:
    """Check a value against one of the document's schemas."""
    rule = {"$ref": f"#/components/schemas/{schema}", "components": openapi()["components"]}
    Draft202012Validator(rule).validate(value)


SCHEMAS = {"match": ("Wanted", "Matched"), "act": ("Asks", "Answers")}


def application(service: Service) -> FastAPI:
    app = FastAPI()

    def admit(authorization: str | None) -> None:
        if authorization != f"Bearer {TOKEN}":
            raise HTTPException(401)
        if service.down:
            service.down -= 1
            raise HTTPException(503)

    @app.get("/readability")
    async def readability(authorization: str | None = Header(None)) -> dict[str, int]:
        admit(authorization)
        numbers = [one.number for one in service.accounts.values() if one.number is not None]
        ambiguous = sum(bool(one.may_be) for one in service.accounts.values())
        answer = {"rows": len(numbers), "unreadable": sum(not is_e164(one) for one in numbers)}
        answer |= {"ambiguous": ambiguous} if ambiguous else {}
        hold_to("Readability", answer)
        return answer

    @app.post("/{call}")
    async def call(call: str, request: Request, authorization: str | None = Header(None)) -> dict[str, Any]:
        admit(authorization)
        try:
            asked, (wanted, given) = await request.json(), SCHEMAS[call]
        except ClientDisconnect as gone:  # killed while it was asking
            raise HTTPException(400) from gone
        hold_to(wanted, asked)
        answer = service.match(asked) if call == "match" else service.act(asked)
        hold_to(given, answer)
        return answer

    return app


class Served:
    """The service on a free port of 127.0.0.1, in a thread, until closed."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        config = uvicorn.Config(application(service), log_level="error", lifespan="off")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), daemon=True)
        self._socket.listen()
        self._thread.start()

    def close(self) -> None:
        self._server.should_exit = True
        self._thread.join(STOP_S)
        self._socket.close()
