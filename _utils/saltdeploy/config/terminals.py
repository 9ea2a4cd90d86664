"""The key ``deployment_config:require_terminal_multiplexer``: whether deploys are begun inside tmux or screen alone."""

from __future__ import annotations

from typing import Any

from saltdeploy.config import values
from saltdeploy.config.values import Wrong
from saltdeploy.lib.errors import ConfigError

KEY = "require_terminal_multiplexer"
WARN, REFUSE = "warn", "refuse"


def multiplexer(value: Any) -> str:
    """``warn``, ``refuse`` or "": scap's truth values mean the latter two.

    >>> multiplexer(True)
    'refuse'

    Raises:
        Wrong: it is none of them.
    """
    if value in (WARN, REFUSE):
        return str(value)
    try:
        return REFUSE if values.flag(value) else ""
    except Wrong:
        raise Wrong(f"must be {WARN}, {REFUSE}, true or false") from None


def required(pillar: dict[str, Any]) -> str:
    """What the pillar says: ``warn``, ``refuse`` or "".

    Raises:
        ConfigError: it says something else.
    """
    deployment = pillar.get("deployment_config")
    value = deployment.get(KEY) if isinstance(deployment, dict) else None
    try:
        return multiplexer(value) if value is not None else ""
    except Wrong as error:
        raise ConfigError(
            str(error), path=f"deployment_config:{KEY}", next="correct it in the pillar"
        ) from None
