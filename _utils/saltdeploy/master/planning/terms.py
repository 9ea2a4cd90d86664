"""On which terms a deploy goes on: its waves and its rules, of what the operator asks for and what the pillar says.

A roll back has terms of its own. It takes users away from a bad release, so it waits for hosts and for nothing else: no
holds, no questions, no checks of the master; no failure stops it, and its window may be wider.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from saltdeploy.config import Repo
from saltdeploy.master.plan_model import RESTART, Request
from saltdeploy.master.records import checks
from saltdeploy.master.rollout.model import ASK, CONTINUE, HOLD, Gate, Rules
from saltdeploy.master.waves import Wave, share_of, waves
from saltdeploy.protocol.orders import FETCH, ROLLBACK

#: What of a deploy has nothing to go back to: a restart, and a roll back, which leaves a bad release. An abort stops both
#: where they are.
_ON_FAILURE = {ROLLBACK: CONTINUE, RESTART: HOLD}


def waves_of(
    request: Request, lead: Repo, hosts: list[str], targets: Callable[[str, str], list[str]]
) -> tuple[Wave, ...]:
    """The waves of a deploy.

    Args:
        lead: the repo whose groups count.
        hosts: sorted.
        targets: ``(expression, type)`` to minion ids.
    """
    found = waves(
        lead,
        hosts,
        lambda group: targets(group.targets, group.targets_type),
        back=request.action == ROLLBACK,
    )
    return found if _tells_apart(request) else tuple(replace(wave, on_inconclusive="") for wave in found)


def _tells_apart(request: Request) -> bool:
    """Whether what cannot be told has a policy of its own: not where nothing goes back, or somebody is asked anyway."""
    is_asked = request.interactive and "on_inconclusive" not in request.once
    return request.action not in _ON_FAILURE and not is_asked


def _is_interactive(request: Request) -> bool:
    return request.interactive and request.action != ROLLBACK


def policies_of(request: Request, lead: Repo) -> tuple[str, str]:
    """What follows when more hosts fail than may; and when that cannot be told, "" for as if they had failed."""
    is_asked = _is_interactive(request) and "on_failure" not in request.once
    on_failure = _ON_FAILURE.get(request.action) or (ASK if is_asked else lead.rollout.on_failure)
    return on_failure, lead.rollout.on_inconclusive if _tells_apart(request) else ""


def rules_of(request: Request, repos: Sequence[Repo], groups: tuple[Wave, ...], *, pinned: bool) -> Rules:
    """What decides when things go wrong.

    Args:
        repos: of the deploy; the first one leads.
        pinned: see :class:`~saltdeploy.master.rollout.model.Rules`.
    """
    lead = repos[0]
    on_failure, on_inconclusive = policies_of(request, lead)
    return Rules(
        on_failure=on_failure,
        on_inconclusive=on_inconclusive,
        on_abort=HOLD if request.action in _ON_FAILURE else lead.rollout.on_abort,
        fetch_only=request.action == FETCH,
        confirm=_is_interactive(request),
        gates=_gates(request, repos, groups),
        pinned=pinned,
        anew=request.action == RESTART,
        fetch_window=_fetch_window(lead, sum(len(wave.hosts) for wave in groups)),
    )


def _gates(request: Request, repos: Sequence[Repo], groups: tuple[Wave, ...]) -> frozenset[Gate]:
    if request.action == ROLLBACK:  # they would judge the release that is being left
        return frozenset()
    return frozenset().union(*(checks.gates(repo, groups) for repo in repos))


def _fetch_window(lead: Repo, hosts: int) -> int:
    """How many hosts fetch at once; 0 for all of them."""
    window = min(share_of(lead.rollout.fetch_batch, hosts, up=True), lead.delivery.at_once or hosts)
    return window if window < hosts else 0
