"""Which checks there are: read from the pillar's ``checks``.

Those that a release brings are read by :mod:`saltdeploy.config.scap_checks`; running them is for :mod:`saltdeploy.checks`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any

from saltdeploy.config import rollout, values
from saltdeploy.config.rollout import Check
from saltdeploy.config.values import Wrong

_Reader = Callable[[Any], Any]

_COMMON: dict[str, _Reader] = {
    "type": values.one_of(*rollout.KINDS),
    "before": rollout.stage_before,
    "after": rollout.stage_after,
    "stage": rollout.stage_after,  # scap's old word for `after`
    "group": values.name,
    "timeout": values.seconds(0.1),
    "where": values.one_of("target", "master"),  # `on` would be true: so YAML reads that word
}
#: Kinds that ask the processes which serve.
ASK_PROCESSES = ("http", "port", "nrpe", "metric")
#: The places between the switch and the restart, where those are still the old ones.
GAP = (("after", "checkout"), ("before", "restart"))


def checks(value: Any) -> tuple[Check, ...]:
    """``checks``: name to table, in the order in which they run."""
    if not isinstance(value, dict):
        raise Wrong("must be a table of checks, each under its name")
    return tuple(_check(_name(name), entry) for name, entry in value.items())


def hook(name: str) -> Callable[[Any], Check | None]:
    """What reads ``depool`` and ``repool``: one check of any kind that runs on a target, without a stage."""

    def read(value: Any) -> Check | None:
        if value is None:
            return None
        fields = values.table_of_any(value)
        for key in ("before", "after", "stage", "group", "where"):
            if key in fields:
                raise Wrong("has its place already, on each target", key)
        try:
            return _check(name, {**fields, "after": "restart", "where": "target"})
        except Wrong as error:
            raise Wrong(str(error), *error.path[1:]) from None

    return read


def refuse_strangers(found: Iterable[Check], groups: Collection[str]) -> None:
    """Refuse checks for a group that there is not: nothing would ever run them.

    Raises:
        Wrong: for the first such check.
    """
    for check in found:
        if check.group and check.group not in groups:
            raise Wrong(f"there is no group {check.group}", check.name, "group")


def refuse_in_the_gap(found: Iterable[Check]) -> None:
    """Refuse checks that would ask the old processes for a verdict about the new release.

    Such a check passed once between the switch and the restart, and a site went down minutes later.

    Args:
        found: the checks of a repo whose switch is followed by a restart.

    Raises:
        Wrong: for the first such check.
    """
    for check in found:
        between = ("before" if check.before else "after", check.stage) in GAP
        if between and not check.master and check.kind in ASK_PROCESSES:
            raise Wrong(
                "would ask the processes of the old release, which are not restarted yet: use after: restart",
                check.name,
            )


def _name(value: Any) -> str:
    try:
        return values.name(value)
    except Wrong as error:
        raise error.below(value) from None


def _check(name: str, entry: Any) -> Check:
    if not isinstance(entry, dict):
        raise Wrong("must be a table", name)
    try:
        kind = _COMMON["type"](entry.get("type", "command"))
    except Wrong as error:
        raise error.below(name, "type") from None
    known = {**_COMMON, **_KINDS[kind].keys}
    read = values.table(entry, known, required=_KINDS[kind].required, path=(name,))
    stages = [key for key in ("before", "after", "stage") if key in read]
    if len(stages) != 1:
        raise Wrong("needs one of before and after, with the name of a stage", name)
    check = Check(
        name=name,
        kind=kind,
        before=stages == ["before"],
        stage=read[stages[0]],
        group=read.get("group", ""),
        timeout=read.get("timeout", 30.0),
        master=read.get("where", "master" if kind == "metric" else "target") == "master",
        options=tuple((key, read[key]) for key in _KINDS[kind].keys if key in read),
    )
    try:
        _refuse_unplaceable(check)
        _KINDS[kind].whole(check)
    except Wrong as error:
        raise error.below(name) from None
    return check


def _refuse_unplaceable(check: Check) -> None:
    """Refuse a check that nothing would ever run, or that could never find what it needs."""
    if check.stage == "final" and not check.master:
        raise Wrong("nothing runs on a target when all groups are done: use where: master, or after: restart")
    if check.kind == "script" and (check.master or (check.before and check.stage == "fetch")):
        raise Wrong("a script is of the release, which is not there: use where: target, or after: fetch")


# -- the keys of each kind ------------------------------------------------------------------------------


def _anything(check: Check) -> None:
    """What the keys say one by one is all that there is to say."""


@dataclass(frozen=True)
class _KindKeys:
    """The keys of a kind beside the common ones, those that it needs, and what they must be together."""

    keys: dict[str, _Reader]
    required: tuple[str, ...]
    whole: Callable[[Check], None] = _anything


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise Wrong("must be a number")
    return float(value)


def _pattern(value: Any) -> str:
    try:
        re.compile(values.text(value))
    except re.error as error:
        raise Wrong(f"is not a regular expression: {error}") from None
    return str(value)


def _no_shell(value: Any) -> bool:
    """scap's ``shell``: only false, since nothing here is run by a shell."""
    if values.flag(value):
        raise Wrong("no shell is used: put the lines into a script of the release (type: script)")
    return False


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise Wrong("must be a list")
    return list(value)


def _statuses(value: Any) -> tuple[int, ...]:
    numbers = value if isinstance(value, list) else [value]
    if not numbers or not all(type(each) is int and 100 <= each <= 599 for each in numbers):
        raise Wrong("must be a status such as 200, or a list of them")
    return tuple(numbers)


def _url(value: Any) -> str:
    if not values.text(value).startswith(("http://", "https://")):
        raise Wrong("must begin with http:// or https://")
    return str(value)


def _patterns(value: Any) -> dict[str, str]:
    table = values.table_of_any(value)
    return values.table(table, dict.fromkeys(table, _pattern))


def _function(value: Any) -> str:
    if "." not in values.text(value):
        raise Wrong("must be a function of Salt: module.function")
    return str(value)


_LIMITS = ("max", "min", "max_ratio", "max_increase")


def _whole_metric(check: Check) -> None:
    given = {key for key, _ in check.options}
    if given - set(_LIMITS) not in ({"query", "prometheus"}, {"url", "path"}):
        raise Wrong("needs query and prometheus, or url and path")
    if not given & set(_LIMITS):
        raise Wrong(f"needs a limit: {', '.join(_LIMITS)}")


_KINDS = {
    "command": _KindKeys({"command": values.command, "shell": _no_shell}, ("command",)),
    "script": _KindKeys({"command": values.command, "shell": _no_shell}, ("command",)),
    "nrpe": _KindKeys(
        {"command": values.text, "nrpe_dir": values.absolute, "shell": _no_shell}, ("command",)
    ),
    "http": _KindKeys(
        {
            "url": _url,
            "status": _statuses,
            "body": _pattern,
            "headers": _patterns,
            "host": values.text,
        },
        ("url",),
    ),
    "port": _KindKeys({"port": values.ports, "host": values.text}, ("port",)),
    "salt": _KindKeys({"function": _function, "args": _list, "kwargs": values.table_of_any}, ("function",)),
    "metric": _KindKeys(
        {
            "query": values.text,
            "prometheus": _url,
            "url": _url,
            "path": values.text,
            **dict.fromkeys(_LIMITS, _number),
        },
        (),
        _whole_metric,
    ),
}
