"""Which checks there are: read from the pillar's ``checks`` and from ``scap/checks.yaml`` in a release.

Running them is for :mod:`saltdeploy.checks`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from saltdeploy import policy
from saltdeploy.policy import Check, Wrong

_COMMON: dict[str, Callable[[Any], Any]] = {
    "type": policy.one_of(*policy.KINDS),
    "before": policy.stage,
    "after": policy.stage,
    "stage": policy.stage,  # scap's old word for `after`
    "group": policy.name,
    "timeout": policy.seconds(0.1),
    "on": policy.one_of("target", "master"),
}


def checks(value: Any) -> tuple[Check, ...]:
    """``checks``: name to table, in the order in which they run."""
    if not isinstance(value, dict):
        raise Wrong("must be a table of checks, each under its name")
    return tuple(_check(policy.name(name), entry) for name, entry in value.items())


def hook(name: str) -> Callable[[Any], Check | None]:
    """What reads ``depool`` and ``repool``: one check of any kind that runs on a target, without a stage."""

    def read(value: Any) -> Check | None:
        return None if value is None else _check(name, {"after": "checkout", **policy.table_of_any(value)})

    return read


def _check(name: str, entry: Any) -> Check:
    fields = policy.table_of_any(entry)
    kind = _COMMON["type"](fields.get("type", "command"))
    known = {**_COMMON, **_OPTIONS[kind]}
    read = policy.table(fields, known, path=(name,))
    before = read.get("before")
    stage = before or read.get("after") or read.get("stage")
    if stage is None:
        raise Wrong("needs before or after, with the name of a stage", name)
    return Check(
        name=name,
        kind=kind,
        before=before is not None,
        stage=stage,
        group=read.get("group", ""),
        timeout=read.get("timeout", 30.0),
        master=read.get("on", "master" if kind == "metric" else "target") == "master",
        options=tuple((key, read[key]) for key in _OPTIONS[kind] if key in read),
    )


#: The keys of each kind, beside the common ones.
_OPTIONS: dict[str, dict[str, Callable[[Any], Any]]] = {
    "command": {"command": policy.command},
    "script": {"command": policy.command},
    "nrpe": {"command": policy.text},
    "http": {"url": policy.text},
    "port": {"port": policy.ports},
    "salt": {"function": policy.text},
    "metric": {"query": policy.text},
}
