"""salt-factories as these tests want it."""

from __future__ import annotations

from typing import Any

from saltfactories.manager import FactoriesManager
from saltfactories.utils import running_username


class Factories(FactoriesManager):
    """Minions without the engine that tells their own events: the master's tells all that we wait for."""

    @classmethod
    def like(cls, manager: FactoriesManager, **settings: Any) -> Factories:
        return cls(**{**{name: getattr(manager, name) for name in _SETTINGS}, **settings})

    def final_minion_config_tweaks(self, config: dict[str, Any]) -> None:
        config.setdefault("user", running_username())


_SETTINGS = (
    "root_dir",
    "log_server_port",
    "log_server_level",
    "log_server_host",
    "inject_sitecustomize",
    "environ",
    "slow_stop",
    "event_listener",
)
