"""This module reads settings of the web from YAML files and checks them with a pydantic model.

For example, `numbers_a_day: 0` in `limits.yaml` is refused, and the message names the field `numbers_a_day`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from hub.errors import HubError

M = TypeVar("M", bound=BaseModel)


def read_settings(path: Path, kind: type[M], see: str) -> M:
    """Read a file of settings; an empty file means the defaults.

    Args:
        see: where the file is described, for the person who has to correct it.

    Raises:
        HubError: the file cannot be read, or does not fit the model; the message names the field.
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
