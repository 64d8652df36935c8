"""Settings of the web in YAML files, held to a pydantic model."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from hub.errors import HubError

M = TypeVar("M", bound=BaseModel)


def read_settings(path: Path, kind: type[M], see: str) -> M:
    """What a file says; an empty one says the defaults.

    Args:
        see: where it is described, for whoever has to mend it.

    Raises:
        HubError: it cannot be read, or says something else; the message names the field.
    """
    try:
        raw: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as wrong:
        raise HubError(f"{path.name} cannot be opened ({wrong.strerror})", todo="Check the path.") from wrong
    except (yaml.YAMLError, ValueError, RecursionError) as wrong:
        raise HubError(f"{path.name} is not YAML in UTF-8", todo="Write `name: value` lines.") from wrong
    try:
        return kind.model_validate({} if raw is None else raw)
    except ValidationError as wrong:
        first = wrong.errors()[0]
        where = ".".join(str(one) for one in first["loc"]) or "it"
        raise HubError(f"{path.name}: {where}: {first['msg']}", todo=f"See {see} for what it may say.") from wrong
