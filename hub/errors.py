"""This module lists every error a person can meet, by whose fault it is, each with what to do next.

- `OperatorError`: the operator's file, key or event is at fault.
- `PlatformError`: the platform's configuration, store or acknowledgement is at fault.
- `HubError`: the hub, its machine or its cluster is at fault.

A refusal of one message is not an error here: it is a value with a `Refusal` (see `hub.core.model`), so that one bad
message never stops the rest. For example, a question about too many numbers is an `OperatorError`, and a badly signed
event is refused with BAD_SIGNATURE.
"""


class UnbindError(Exception):
    """The base class of these errors. `message` says what is wrong, `todo` what to do next."""

    def __init__(self, message: str, *, todo: str) -> None:
        super().__init__(f"{message}\n  What to do: {todo}")
        self.message = message
        self.todo = todo


class HubError(UnbindError):
    """The hub, its machine or its cluster is at fault."""


class OperatorError(UnbindError):
    """The operator's file, key or event is at fault."""


class PlatformError(UnbindError):
    """The platform's configuration, store or acknowledgement is at fault."""


class StoreUnreadable(PlatformError):
    """Too many rows of the account store cannot be read, so "not bound" would be a guess."""


class ContractError(UnbindError):
    """A value does not fit its schema. The codec raises it; `todo` says what the schema asks for."""


class StoreAway(PlatformError):
    """The account store does not answer just now; the adapter tries again a bounded number of times."""
