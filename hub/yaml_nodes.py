"""This module reads YAML field by field, so that an error names the line, the field and what to write.

For example, `share` of the value 2 raises "bank.yaml, line 7: fuse is no share" and says to write a number from 0 to 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Any, TypeVar

import yaml

from hub.errors import PlatformError

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)
DEPTH_MAX = 8
"""How deep lists and mappings may be nested. The files read here need five; a deep one would overflow the stack."""


class _Loader(yaml.SafeLoader):
    """Composes a document that is at most `DEPTH_MAX` deep."""

    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Return the next value, with all that is in it."""
        if self._depth >= DEPTH_MAX and self.check_event(yaml.CollectionStartEvent):
            problem = f"more than {DEPTH_MAX} lists and fields are in one another"
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=mark)
        self._depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1


class Node:
    """One value of a file, with its place there. Mappings are read by field; `done` refuses fields nobody read."""

    def __init__(self, file: str, node: yaml.Node, path: str = "") -> None:
        self._file = file
        self._node = node
        self._path = path
        self._read: set[str] = set()

    @classmethod
    def of(cls, text: str, file: str) -> Node:
        """Return the one mapping of a file.

        Args:
            file: the file's name, for error messages.

        Raises:
            PlatformError: the text is not YAML, or not a mapping.
        """
        try:
            node = yaml.compose(text, Loader=_Loader)
        except yaml.YAMLError as wrong:
            mark = getattr(wrong, "problem_mark", None)
            line = "" if mark is None else f", line {mark.line + 1}"
            problem = getattr(wrong, "problem", None) or "it cannot be read"
            raise PlatformError(f"{file}{line}: {problem}", todo="Correct the YAML there.") from wrong
        if not isinstance(node, yaml.MappingNode):
            raise PlatformError(f"{file} holds no fields", todo="Begin with `unbind-hub platform init`.")
        return cls(file, node)

    @property
    def line(self) -> int:
        """Return the line where the value stands, counted from 1."""
        return int(self._node.start_mark.line) + 1

    def wrong(self, what: str, todo: str) -> PlatformError:
        """Return the error to raise about this value."""
        return PlatformError(f"{self._file}, line {self.line}: {self._path or 'the file'} {what}", todo=todo)

    def has(self, name: str) -> bool:
        """Return whether a field is there and not empty."""
        self._read.add(name)
        node = self._fields().get(name)
        return node is not None and node.tag != "tag:yaml.org,2002:null"

    def __getitem__(self, name: str) -> Node:
        """Return the value of a field that must be there."""
        if not self.has(name):
            raise self.wrong(f"has no {name}", f"Add the field {name} there.")
        self._read.add(name)
        return Node(self._file, self._fields()[name], f"{self._path}.{name}".lstrip("."))

    def get(self, name: str, read: Callable[[Node], T], default: T) -> T:
        """Return the value of a field that may be left out, or the default."""
        self._read.add(name)
        return read(self[name]) if self.has(name) else default

    def done(self) -> None:
        """Refuse the fields that nobody read.

        Raises:
            PlatformError: there is such a field.
        """
        for name, node in self._fields().items():
            if name not in self._read:
                known = ", ".join(sorted(self._read))
                raise Node(self._file, node, self._path).wrong(
                    f"has a field {name} that means nothing", f"Fields there: {known}."
                )

    def names(self) -> list[str]:
        """Return the names of the fields."""
        return list(self._fields())

    def _fields(self) -> dict[str, yaml.Node]:
        if not isinstance(self._node, yaml.MappingNode):
            raise self.wrong("is no mapping", "Write its fields below it, indented.")
        fields: dict[str, yaml.Node] = {}
        for key, value in self._node.value:
            if key.value in fields:
                raise Node(self._file, key, self._path).wrong(f"has {key.value} twice", "Keep one of them.")
            fields[str(key.value)] = value
        return fields

    def is_text(self) -> bool:
        """Return whether this is a single value, not a list or a mapping."""
        return isinstance(self._node, yaml.ScalarNode)

    def plain(self) -> Any:
        """Return the value as YAML means it: a text, a number, true or false, nothing."""
        if not isinstance(self._node, yaml.ScalarNode):
            raise self.wrong("is not one value", "Write one value.")
        loader = yaml.SafeLoader("")
        return loader.construct_object(self._node)

    def text(self) -> str:
        """Return a text as it is written."""
        if not isinstance(self._node, yaml.ScalarNode) or not self._node.value:
            raise self.wrong("is no text", "Write a text.")
        return str(self._node.value)

    def whole(self, least: int, most: int) -> int:
        """Return a whole number within bounds."""
        value = self.plain()
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise self.wrong("is no whole number in its bounds", f"Write a number from {least} to {most}.")
        return value

    def share(self) -> float:
        """Return a share from 0 to 1."""
        value = self.plain()
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= 1:
            raise self.wrong("is no share", "Write a number from 0 to 1.")
        return float(value)

    def truth(self) -> bool:
        """Return a truth value."""
        value = self.plain()
        if not isinstance(value, bool):
            raise self.wrong("is neither true nor false", "Write true or false.")
        return value

    def one_of(self, kind: type[E]) -> E:
        """Return a word out of an enum."""
        try:
            return kind(self.text())
        except ValueError:
            words = ", ".join(one.value for one in kind if one.value != "UNKNOWN")
            raise self.wrong("is no word known here", f"Write one of {words}.") from None

    def items(self) -> list[Node]:
        """Return the values of a list; a single value counts as a list of one."""
        if isinstance(self._node, yaml.SequenceNode):
            return [Node(self._file, one, f"{self._path}[{place}]") for place, one in enumerate(self._node.value)]
        return [self]

    def mapping(self, names: Iterable[str] | None = None) -> dict[str, Node]:
        """Return all fields, each with its value. If names are given, refuse other fields."""
        known = None if names is None else set(names)
        for name in self._fields():
            if known is not None and name not in known:
                raise self.wrong(f"has a field {name} that means nothing", f"Fields there: {', '.join(sorted(known))}.")
        return {name: self[name] for name in self._fields() if self.has(name)}
