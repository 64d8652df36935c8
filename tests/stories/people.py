"""People at the app: each has a device and a home, reads their own messages, and uses the web like anybody."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from tests.stories.browser import Browser, Page
from tests.stories.post import Post

NO_CODE_CAME = "none came"
"""What somebody types who has no code: of six digits one in a million would be the right ones."""


class Person:
    """One person. They read what comes to the numbers they hold, and to their own e-mail address.

    Args:
        http: a connection to the app.
    """

    def __init__(self, name: str, http: Browser, post: Post, *, email: str | None = None) -> None:
        self.name = name
        self.email = email or f"{name}@mail.example"
        self.session: str | None = None
        self.account: int | None = None
        self._http = http
        self._post = post

    def log_in(self, number: str, **more: Any) -> int:
        """Ask for a code, type it in; the status: 200 in, 401 no code came, 403 another proof is asked for."""
        return self._enter("/login", number, **more)

    def register(self, number: str, **more: Any) -> int:
        """Begin an account with a number; 409 if it is registered already."""
        return self._enter("/register", number, **more)

    def begin_anew(self, number: str, **more: Any) -> int:
        """Begin an account with a number whose account is somebody else's."""
        return self._enter("/begin_anew", number, **more)

    def recover(self, **more: Any) -> int:
        """Get into one's account by e-mail."""
        self._http.ask("POST", "/recover", {"email": self.email})
        code = self._post.code(self.email) or NO_CODE_CAME
        return self._take(self._http.ask("POST", "/recover/confirm", self._self(code, **more) | {"email": self.email}))

    def change_number(self, number: str) -> int:
        """Bind one's account to another number that one holds."""
        words = self._self(self._code(number)) | {"number": number}
        return self._http.ask("POST", "/number", words, self._headers()).status_code

    def change_email(self, number: str, email: str) -> int:
        """Have another e-mail address for the account one is in, proven by its number."""
        words = self._self(self._code(number)) | {"number": number, "email": email}
        return self._http.ask("POST", "/email", words, self._headers()).status_code

    def files(self) -> dict[str, str]:
        """What lies in the account one is in."""
        found: dict[str, str] = self._http.ask("GET", "/files", headers=self._headers()).good().json()
        return found

    def put_file(self, name: str, content: str) -> None:
        """Write a file."""
        self._http.ask("PUT", f"/files/{name}", {"content": content}, self._headers()).good()

    def _enter(self, path: str, number: str, **more: Any) -> int:
        words = self._self(self._code(number), **more) | {"number": number}
        return self._take(self._http.ask("POST", path, words))

    def _code(self, number: str) -> str:
        self._http.ask("POST", "/codes", {"number": number})
        mine = self._post.holder(number) == self.name
        return (self._post.code(self.name) if mine else None) or NO_CODE_CAME

    def _self(self, code: str, **more: Any) -> dict[str, Any]:
        words = {"code": code, "owner": self.name, "email": self.email}
        return words | {"device": f"{self.name}'s phone", "place": f"{self.name}'s home"} | more

    def _take(self, answer: Page) -> int:
        if answer.status_code == HTTPStatus.OK:
            self.session, self.account = answer.json()["session"], answer.json()["account"]
        return answer.status_code

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.session}"}
