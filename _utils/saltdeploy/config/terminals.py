"""The key ``deployment_config:require_terminal_multiplexer``: whether deploys are begun inside tmux or screen alone."""

from __future__ import annotations

from typing import Any

from saltdeploy.config.schema import DEPLOYMENT_KEYS
from saltdeploy.config.values import Wrong
from saltdeploy.lib.errors import ConfigError

KEY = "require_terminal_multiplexer"
WARN, REFUSE = "warn", "refuse"


def required(pillar: dict[str, Any]) -> str:
    """What the pillar says: ``warn``, ``refuse`` (as scap's ``true``) or "".

    Raises:
        ConfigError: it says something else.
    """
    deployment = pillar.get("deployment_config")
    value = deployment.get(KEY) if isinstance(deployment, dict) else None
    try:
        return str(DEPLOYMENT_KEYS[KEY][1](value)) if value is not None else ""
    except Wrong as error:
        path = f"deployment_config:{KEY}"
        raise ConfigError(str(error), path=path, next="correct it in the pillar") from None
