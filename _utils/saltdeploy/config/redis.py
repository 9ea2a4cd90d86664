"""The section ``deployment_config:redis``: Trebuchet's keys, and what a redis with a password needs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from saltdeploy.config import values
from saltdeploy.lib.errors import ConfigError

_PATH = "deployment_config:redis"


def _whole(least: int, most: int) -> Callable[[Any], int]:
    """A whole number; Trebuchet's pillar has them as texts, too."""

    def check(value: Any) -> int:
        return values.whole(least, most)(
            int(value) if isinstance(value, str) and value.isdecimal() else value
        )

    return check


#: Key -> (default, check). The first block is Trebuchet's.
KEYS: dict[str, tuple[Any, Callable[[Any], Any]]] = {
    "host": ("localhost", values.text),
    "port": (6379, _whole(1, 65_535)),
    "db": (0, _whole(0, 65_535)),
    "socket_connect_timeout": (5.0, values.seconds(0.1)),
    # new keys
    "username": ("", values.text),
    "password": ("", values.text),
    "password_file": ("", values.absolute),
    "most_events": (100_000, _whole(0, 1 << 40)),
}


def redis(pillar: dict[str, Any]) -> dict[str, Any] | None:
    """The section with its defaults, the password read from its file; None where the pillar has none.

    It is read here and by no deploy: a mistake in it stops nobody.

    Raises:
        ConfigError: a key or a value is wrong; no text shows the password.
    """
    deployment = pillar.get("deployment_config")
    section = deployment.get("redis") if isinstance(deployment, dict) else None
    if not section:
        return None
    if not isinstance(section, dict):
        raise ConfigError("must be a table", path=_PATH)
    values.refuse_unknown(section, KEYS, _PATH)
    found = {key: _checked(key, section.get(key)) for key in KEYS}
    file = found.pop("password_file")
    if file and found["password"]:
        raise ConfigError("stands beside password", path=f"{_PATH}:password_file", next="set one of the two")
    return {**found, "password": values.secret_in(file, f"{_PATH}:password_file")} if file else found


def _checked(key: str, value: Any) -> Any:
    default, check = KEYS[key]
    if value is None:
        return default
    try:
        return check(value)
    except ValueError as error:
        raise ConfigError(
            str(error), path=f"{_PATH}:{key}", next="correct it in the pillar; docs/redis.md has all keys"
        ) from None
