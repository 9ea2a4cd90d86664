"""Which checks there are: read from the pillar's ``checks``.

Those that a release brings are read by :mod:`saltdeploy.config.scap_checks`; running them is for :mod:`saltdeploy.checks`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any

from saltdeploy.config import check_kinds, rollout, values
from saltdeploy.config.check_kinds import CheckKind, Reader
from saltdeploy.config.rollout import Check
from saltdeploy.config.values import Wrong

_COMMON: dict[str, Reader] = {
    "type": check_kinds.name_of_kind,
    "before": rollout.stage_before,
    "after": rollout.stage_after,
    "stage": rollout.stage_after,  # scap's old word for `after`
    "group": values.name,
    "timeout": values.seconds(0.1),
    "where": values.one_of("target", "master"),  # `on` would be true: so YAML reads that word
}
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
        if between and not check.master and check_kinds.kind(check.kind).asks_processes:
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
        kind = check_kinds.kind(check_kinds.name_of_kind(entry.get("type", "command")))
    except Wrong as error:
        raise error.below(name, "type") from None
    known = {**_COMMON, **kind.keys}
    read = values.table(entry, known, required=kind.required, path=(name,))
    stages = [key for key in ("before", "after", "stage") if key in read]
    if len(stages) != 1:
        raise Wrong("needs one of before and after, with the name of a stage", name)
    check = Check(
        name=name,
        kind=kind.name,
        before=stages == ["before"],
        stage=read[stages[0]],
        group=read.get("group", ""),
        timeout=read.get("timeout", 30.0),
        master=read.get("where", "master" if kind.on_master else "target") == "master",
        options=tuple((key, read[key]) for key in kind.keys if key in read),
    )
    try:
        _refuse_unplaceable(check, kind)
        kind.refuse(check)
    except Wrong as error:
        raise error.below(name) from None
    return check


def _refuse_unplaceable(check: Check, kind: CheckKind) -> None:
    """Refuse a check that nothing would ever run, or that could never find what it needs."""
    if check.stage == "final" and not check.master:
        raise Wrong("nothing runs on a target when all groups are done: use where: master, or after: restart")
    if kind.of_release and (check.master or (check.before and check.stage == "fetch")):
        raise Wrong(
            f"a {kind.name} is of the release, which is not there: use where: target, or after: fetch"
        )
