"""This module says how a platform's own table of accounts is laid out, and what freezing and unbinding mean in it.

For example, with `frozen="blocked"` a freeze sets `blocked` to 1, and unbinding sets `number` to NULL.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from hub.sdk.accounts import Binding
from hub.sdk.deeds import Deed
from hub.sdk.numbering import NumberForm

Values = dict[str, Any]


@dataclass(frozen=True)
class SqlTable:
    """This says how a platform keeps its accounts. Index the number column: every batch searches it by equality."""

    name: str
    form: NumberForm
    account_id: str = "account_id"
    number: str = "number"
    bound_at: str | None = "bound_at"
    """With None no age is known, so everything is frozen and nothing unbound."""

    proven_at: str | None = None
    """When a code on a known device last proved that the number is the account's user's, in the form of `bound_at`. An
    account that was proven since a case began is left alone."""

    schema: str | None = None
    frozen: str | None = None
    """This column keeps an account from logging in; with None, the login has to consult the table `<prefix>frozen`."""

    frozen_value: object = 1
    unbound_value: object = None
    """The number column holds this without a number; NULL and the empty text always count as that. In a text
    `{account_id}` stands for the account's id, for columns that must be unique."""

    also_clear: tuple[str, ...] = ()
    """These columns belong to the number, such as its encrypted form: they are NULL when unbound, and put back with
    it."""

    freeze_sets: Mapping[str, object] = field(default_factory=dict)
    """These are further columns and what a freeze sets them to; they are put back with it."""

    unbind_sets: Mapping[str, object] = field(default_factory=dict)
    """These are further columns and what unbinding sets them to; they are put back with the number."""

    calls: Mapping[Deed, str] = field(default_factory=dict)
    """This SQL runs in the same transaction before an account is changed, with :account_id, :deed and :case bound. If
    it raises, only that account is FAILED; it may also return FAILED or DECLINED as the first column of a row."""

    bound_at_unit_ms: int = 1_000
    """This is the unit of ages that are numbers: 1,000 for seconds since 1970, 1 for milliseconds."""

    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    """This is the zone of ages that carry none."""

    scan_rows_max: int = 50_000
    """So many rows' numbers are read at the start; in a larger table these are the first and the last by account id."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Return every column the adapter looks at."""
        named = (self.account_id, self.number, self.bound_at, self.proven_at, self.frozen, *self.also_clear)
        all_named = (*named, *self.freeze_sets, *self.unbind_sets)
        return tuple(dict.fromkeys(name for name in all_named if name is not None))

    def name_of(self, value: Any) -> str:
        """Return an account id as text; the records and the platform's own code know an account by this name only."""
        return bytes(value).hex() if isinstance(value, bytes | memoryview) else str(value)

    def number_without(self, row: Mapping[str, Any]) -> Any:
        """Return what the number column of a row is to hold without a number."""
        if isinstance(self.unbound_value, str):
            return self.unbound_value.replace("{account_id}", self.name_of(row[self.account_id]))
        return self.unbound_value

    def is_unbound(self, row: Mapping[str, Any]) -> bool:
        """Return whether a row has no number."""
        return row[self.number] in (None, "", self.number_without(row))

    def after(self, binding: Binding, row: Mapping[str, Any], before: Mapping[str, Any]) -> Values:
        """Return what columns of a row are to hold; others stay. Only values that are still as left by us are undone.

        Args:
            before: the row as it was before the first case froze or unbound it.
        """
        freeze = dict(self.freeze_sets) if self.frozen is None else {self.frozen: self.frozen_value, **self.freeze_sets}
        thawed = {name: before[name] for name, wrote in freeze.items() if not is_other(row[name], wrote)}
        cleared = {**dict.fromkeys(self.also_clear), **self.unbind_sets}
        if binding is Binding.UNBOUND:
            return {**thawed, self.number: self.number_without(row), **cleared}
        if binding is Binding.WITHOUT_NUMBER:
            return self._without_number(row, before, thawed)
        if binding is Binding.THAWED or not self.is_unbound(row):
            return freeze if binding is Binding.FROZEN else thawed
        returned = {name: before[name] for name, wrote in cleared.items() if not is_other(row[name], wrote)}
        if self.bound_at is not None and row[self.bound_at] is None:
            returned[self.bound_at] = before[self.bound_at]
        # Unbinding lifted the freeze, so a freeze that is there now is the platform's own.
        return {**returned, self.number: before[self.number], **(freeze if binding is Binding.FROZEN else {})}

    def _without_number(self, row: Mapping[str, Any], before: Mapping[str, Any], thawed: Values) -> Values:
        """Return what a row is to hold whose case is undone, but whose number is another account's by now."""
        if not self.is_unbound(row):  # it was unbound in this very transaction
            return {**thawed, self.number: self.number_without(row), **dict.fromkeys(self.also_clear)}
        return {name: before[name] for name, wrote in self.unbind_sets.items() if not is_other(row[name], wrote)}


def is_other(found: object, wrote: object) -> bool:
    """Return whether a column surely holds something else than was written, because the platform has set it since.

    Drivers give some values back in another form; for values that cannot be compared this is False.
    """
    if found is None or wrote is None:
        return found is not wrote
    if isinstance(found, str) and isinstance(wrote, str):
        return found.rstrip(" ") != wrote.rstrip(" ")
    if isinstance(found, int | float | Decimal) and isinstance(wrote, int | float | Decimal):
        return found != wrote
    return False
