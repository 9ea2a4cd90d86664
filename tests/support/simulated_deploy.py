"""The journal of a deploy that never took place, for as many hosts as wanted."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

from saltdeploy.lib.errors import HookFailed
from saltdeploy.master.records.journal import Journals
from saltdeploy.protocol import events
from saltdeploy.protocol.host_lines import HostLine

COMMIT = "5f0c9a17" * 5
LASTS = 90.0  # seconds of a deploy, whatever its size


def simulated(
    repo: str, deploy: str, begun: float, hosts: int, told: int = 8, *, failing: int = 0, word: str = "x"
) -> Iterator[events.Event]:
    """The events of a deploy with a canary, in the order of their times.

    Args:
        told: times that a host tells of its progress, fetch and checkout together.
        failing: hosts that fail the checkout; the outcome is MIXED then.
        word: stands in every text that somebody may choose.
    """
    clock = itertools.count()
    each = LASTS / (hosts * (told + 2) + 20)
    names = [f"{word}{number}" for number in range(1, hosts + 1)]
    canary, rest = names[:3], names[3:]

    def now() -> float:
        return begun + next(clock) * each

    groups = [("canary", canary), ("rest", rest)]
    yield events.started(
        deploy, repo, now(), tag=f"v2{word}", commit=COMMIT, user=f"alice{word}", hosts=hosts, action="sync",
        groups=["canary", "rest"], left_out=0, reason=f"the weekly train {word}",
    )  # fmt: skip
    waves = [{"name": name, "hosts": those} for name, those in groups]
    yield events.planned(deploy, repo, now(), script={"waves": waves})
    yield events.warned(deploy, repo, now(), f"a warning {word}")
    failed = set(rest[:failing])
    stages = [("fetch", "", names), *(("checkout", name, those) for name, those in groups)]
    for stage, group, those in stages:
        yield events.stage_started(
            deploy, repo, now(), stage=stage, total=len(those), group=group, names=those
        )
        bad = [name for name in those if name in failed and stage == "checkout"]
        for part in range(1, told // 2 + 1):
            for name in those:
                phase = "receive" if stage == "fetch" else ("flip", "restart", "check")[part % 3]
                yield events.host_progress(
                    deploy, repo, now(), host=name, stage=stage, phase=phase, done=part * 250_000,
                    total=told // 2 * 250_000, unit="bytes" if stage == "fetch" else "steps",
                )  # fmt: skip
        for number, name in enumerate(those):
            error = HookFailed(f"exit code 1: {word}") if name in bad else None
            yield events.host_finished(
                deploy, repo, now(), host=name, stage=stage, status=1 if error else 0, error=error,
                facts={"bytes": 1_000_000, "seconds": 2.5, "source": f"master{word}"} if stage == "fetch" else {},
                live=COMMIT, live_tag=f"v2{word}",
                lines=[HostLine(begun, 30, f"its own log {word}")] if number < 3 else (),
            )  # fmt: skip
            if number % 50 == 0:
                yield events.stage_progress(
                    deploy, repo, now(), stage=stage, total=len(those), ok=number + 1, failed=0, group=group,
                    in_flight=len(those) - number - 1,
                )  # fmt: skip
        ok = len(those) - len(bad)
        yield events.stage_finished(
            deploy, repo, now(), stage=stage, total=len(those), ok=ok, failed=len(bad), group=group
        )
        if group == "canary":
            yield events.check_finished(
                deploy, repo, now(), check="errors", stage="checkout", group=group, verdict="inconclusive", text=f"output {word}"
            )  # fmt: skip
            until = now() + 3600
            choices = ["yes", "no", word]
            yield events.question(
                deploy, repo, now(), key="1", text=f"canary is done; go on? {word}", choices=choices,
                default="no", until=until,
            )  # fmt: skip
            yield events.answered(deploy, repo, now(), key="1", choice="yes", user=f"bob{word}")
    outcome = "MIXED" if failing else "CONVERGED"
    yield events.finished(
        deploy, repo, now(), tag=f"v2{word}", outcome=outcome, ok=hosts - failing, total=hosts,
        reason=f"{failing} hosts failed: {word}" if failing else "", next=f"salt-run deploy.sync {word}" if failing else "",
    )  # fmt: skip


def write(root: Path, told: Iterator[events.Event]) -> None:
    """Put it where the master looks for its journals."""
    first = next(told)
    with Journals(root).write(first["repo"], first["deploy"]) as journal:
        for event in itertools.chain([first], told):
            journal.append(event)
