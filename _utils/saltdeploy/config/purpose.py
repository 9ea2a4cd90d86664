"""What a repo is deployed for: the key ``purpose``. It says what follows a release on a host where the pillar does not.

A release travels, is verified and becomes live in the same way whatever it is for. What stands in the pillar counts: a purpose
is for a service without ``=action``, for a signal without a name, and for a check without ``before`` and ``after``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from saltdeploy.config import check_kinds
from saltdeploy.config.values import Wrong

CODE = "code"
_PLACES = ("before", "after", "stage")


@dataclass(frozen=True)
class Defaults:
    """What follows a release, where the pillar does not say.

    Attributes:
        action: what is done to a service.
        signal: which signal is sent; "" where each needs a name.
        check: where a check stands, as the pillar says it.
        asking: where one stands that asks processes.
    """

    action: str
    signal: str
    check: tuple[str, str]
    asking: tuple[str, str]

    def __str__(self) -> str:
        signal = f"a signal is {self.signal}, " if self.signal else ""
        apart = f" ({' '.join(self.asking)} where it asks processes)" if self.asking != self.check else ""
        return f"a service is {_DONE[self.action]}, {signal}a check runs {' '.join(self.check)}{apart}"


_DONE = {"reload": "reloaded", "around": "stopped before the switch and started behind it"}
_RESTARTED = ("after", "restart")
#: For ``code`` all of it stands in the pillar, and a service is restarted.
DEFAULTS = {
    "config": Defaults("reload", "HUP", ("before", "checkout"), _RESTARTED),
    "data": Defaults("reload", "HUP", _RESTARTED, _RESTARTED),
    "image": Defaults("around", "", _RESTARTED, _RESTARTED),
}


def completed(section: dict[str, Any]) -> dict[str, Any]:
    """A repo's section with what follows from its purpose. What is written wrong stays as it is: its reader says so."""
    found = section.get("purpose")
    defaults = DEFAULTS.get(found) if isinstance(found, str) else None
    if defaults is None:
        return section
    fill: dict[str, Callable[[Any, Defaults], Any]] = {
        "service_name": _services,
        "signal": _signals,
        "checks": _checks,
    }
    return {key: fill[key](value, defaults) if key in fill else value for key, value in section.items()}


def _services(value: Any, defaults: Defaults) -> Any:
    if not isinstance(value, str):
        return value
    parts = (part.strip() for part in value.split(","))
    return ", ".join(f"{part}={defaults.action}" if part and "=" not in part else part for part in parts)


def _signals(value: Any, defaults: Defaults) -> Any:
    if isinstance(value, list):
        return [each if isinstance(each, list) else _signals(each, defaults) for each in value]
    if not defaults.signal or not isinstance(value, Mapping) or "name" in value or "type" in value:
        return value
    return {"name": defaults.signal, **value}


def _checks(value: Any, defaults: Defaults) -> Any:
    if not isinstance(value, Mapping):
        return value
    return {name: _placed(entry, defaults) for name, entry in value.items()}


def _placed(entry: Any, defaults: Defaults) -> Any:
    if not isinstance(entry, Mapping) or any(place in entry for place in _PLACES):
        return entry
    try:
        asks = check_kinds.kind(check_kinds.name_of_kind(entry.get("type", "command"))).asks_processes
    except Wrong:
        return entry
    place, stage = defaults.asking if asks else defaults.check
    return {**entry, place: stage}
