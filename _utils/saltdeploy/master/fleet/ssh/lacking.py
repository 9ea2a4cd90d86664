"""What a repo wants of its hosts that one without a minion cannot do: there is no Salt on it, and no package of somebody else."""

from __future__ import annotations

from collections.abc import Iterator

from saltdeploy.config import Repo, check_kinds
from saltdeploy.config.signal_kinds import PluggedSignal


def lacking(repo: Repo) -> list[str]:
    """What of a pillar no such host can do, in words that name its keys."""
    return list(_of_salt(repo))


def _of_salt(repo: Repo) -> Iterator[str]:
    hooks = repo.hooks
    named = [*((check.name, check) for check in hooks.checks if not check.master)]
    named += [(key, check) for key in ("depool", "repool") if (check := getattr(hooks, key)) is not None]
    for name, check in named:
        if check.kind == "salt":
            yield f"a function of Salt by {name}"
        elif check.kind not in check_kinds.TABLE.built_in:
            yield f"check type {check.kind} of a package by {name}"
    for key, calls in (("fetch", hooks.fetch_calls), ("checkout", hooks.checkout_calls)):
        if calls:
            yield f"{', '.join(calls)} by {key}_module_calls"
    if repo.paths.config_files:
        yield "files rendered by Salt by config_files"
    for signal in hooks.restart.signals:
        if isinstance(signal, PluggedSignal):
            yield f"signal type {signal.kind} of a package"
