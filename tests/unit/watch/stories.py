"""Deploys as their events tell them; what the tests of all renderers are fed with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from saltdeploy.lib import errors
from saltdeploy.protocol import events

DEPLOY = "20261123101112000000"
REPO = "mediawiki"
TAG = "release/2026-11-23/1"
COMMIT = "a1b2c3d4e5f60718293a4b5c6d7e8f9012345678"
BEGIN = 1795428672.0  # 2026-11-23T10:11:12Z
FULL = errors.DiskFull(
    "no space left: 2345678 bytes are missing",
    repo=REPO,
    host="web3",
    path="/srv/mediawiki",
    next="free space (df -h /srv), then run the same command again",
)


class Story:
    """Builds the events of one deploy; ``self.now`` is the time of the next one."""

    def __init__(self, hosts: int, action: str = "sync") -> None:
        self.now = BEGIN
        self.action = action
        self.names = [f"web{number}" for number in range(1, hosts + 1)]

    def preparing(self, user: str = "alice") -> events.Event:
        return events.preparing(DEPLOY, REPO, self.now, action=self.action, tag=TAG, user=user)

    def started(
        self, user: str = "alice", groups: tuple[str, ...] = (), left_out: int = 0, reason: str = ""
    ) -> events.Event:
        return events.started(
            DEPLOY,
            REPO,
            self.now,
            tag=TAG,
            commit=COMMIT,
            user=user,
            hosts=len(self.names),
            action=self.action,
            groups=list(groups),
            left_out=left_out,
            reason=reason,
        )

    def stage(self, stage: str, total: int, group: str = "") -> events.Event:
        return events.stage_started(DEPLOY, REPO, self.now, stage=stage, total=total, group=group)

    def progress(
        self, stage: str, total: int, ok: int, failed: int, in_flight: int, group: str = ""
    ) -> events.Event:
        return events.stage_progress(
            DEPLOY,
            REPO,
            self.now,
            stage=stage,
            total=total,
            ok=ok,
            failed=failed,
            in_flight=in_flight,
            group=group,
        )

    def ended(self, stage: str, total: int, ok: int, failed: int = 0, group: str = "") -> events.Event:
        return events.stage_finished(
            DEPLOY, REPO, self.now, stage=stage, total=total, ok=ok, failed=failed, group=group
        )

    def working(
        self, host: str, phase: str, done: int, total: int, unit: str = "bytes", stage: str = "fetch"
    ) -> events.Event:
        return events.host_progress(
            DEPLOY, REPO, self.now, host=host, stage=stage, phase=phase, done=done, total=total, unit=unit
        )

    def answered(
        self, host: str, stage: str = "fetch", error: errors.DeployError | None = None, **facts: Any
    ) -> events.Event:
        return events.host_finished(
            DEPLOY,
            REPO,
            self.now,
            host=host,
            stage=stage,
            status=error.status if error else 0,
            error=error,
            facts=facts,
            live=COMMIT,
            live_tag=TAG,
        )

    def checked(self, check: str, verdict: str, text: str = "", group: str = "") -> events.Event:
        return events.check_finished(
            DEPLOY, REPO, self.now, check=check, stage="restart", group=group, verdict=verdict, text=text
        )

    def gate(self, wave: int, reason: str = "") -> events.Event:
        return events.gate_finished(
            DEPLOY, REPO, self.now, point="after wave", wave=wave, ok=not reason, reason=reason
        )

    def paused(self, wave: int, group: str, seconds: float) -> events.Event:
        return events.paused(DEPLOY, REPO, self.now, wave=wave, group=group, until=self.now + seconds)

    def pause_over(self, wave: int, seconds: float) -> events.Event:
        return events.pause_over(DEPLOY, REPO, self.now, wave=wave, seconds=seconds)

    def question(
        self, text: str, choices: tuple[str, ...], default: str = "no", key: str = "q1", within: float = 3600
    ) -> events.Event:
        return events.question(
            DEPLOY,
            REPO,
            self.now,
            key=key,
            text=text,
            choices=list(choices),
            default=default,
            until=self.now + within,
        )

    def decided(self, choice: str, user: str = "bob", key: str = "q1") -> events.Event:
        return events.answered(DEPLOY, REPO, self.now, key=key, choice=choice, user=user)

    def aborted(self, user: str, reason: str) -> events.Event:
        return events.aborted(DEPLOY, REPO, self.now, user=user, reason=reason)

    def resumed(self, user: str) -> events.Event:
        return events.resumed(DEPLOY, REPO, self.now, user=user, epoch=7)

    def pinned(self) -> events.Event:
        return events.pinned(DEPLOY, REPO, self.now, tag=TAG, commit=COMMIT)

    def finished(
        self, outcome: str, ok: int, total: int, reason: str = "", next_act: str = ""
    ) -> events.Event:
        return events.finished(
            DEPLOY, REPO, self.now, tag=TAG, outcome=outcome, ok=ok, total=total, reason=reason, next=next_act
        )


Step = events.Event | float
"""An event, or the moment of a tick."""


def held_by_a_full_disk() -> Iterator[Step]:
    """Ten hosts fetch; the disk of one is full: nothing is switched."""
    story = Story(10)
    yield story.started()
    story.now += 0.1
    yield story.stage("fetch", 10)
    size = 3_400_000
    for second in range(1, 9):
        story.now = BEGIN + second
        for number, host in enumerate(story.names, 1):
            if number <= second - 4:
                continue
            if host == "web3":
                if second == 2:
                    yield story.answered(host, error=FULL)
                continue
            done = min(size, size * second // (3 + number))
            if done < size:
                yield story.working(host, "receive", done, size)
            else:
                yield story.working(host, "write", 20 * number, 400, "files")
        done = max(0, second - 4)
        if done and second != 7:
            yield story.answered(f"web{done}", bytes=size, files=400, seconds=second)
        ok = done - (1 if done >= 3 else 0)
        yield story.progress("fetch", 10, ok, int(second >= 2), 10 - ok - int(second >= 2))
        yield story.now + 0.5
    story.now = BEGIN + 12
    for number in range(5, 11):
        yield story.answered(f"web{number}", bytes=size, files=400, seconds=11.0)
    yield story.progress("fetch", 10, 9, 1, 0)
    yield story.ended("fetch", 10, 9, 1)
    yield story.finished(
        "HELD",
        9,
        10,
        "1 hosts failed: web3 (no space left: 2345678 bytes are missing); nothing has changed anywhere",
        FULL.next,
    )


def converged(hosts: int = 10) -> Iterator[Step]:
    """All fetch, all switch."""
    story = Story(hosts)
    yield story.started()
    yield story.stage("fetch", hosts)
    for host in story.names:
        story.now += 10 / hosts
        yield story.working(host, "receive", 1_000, 2_000)
        yield story.answered(host, bytes=2_000, files=3, seconds=0.2)
    yield story.progress("fetch", hosts, hosts, 0, 0)
    yield story.ended("fetch", hosts, hosts)
    yield story.stage("checkout", hosts)
    for host in story.names:
        yield story.answered(host, "checkout", seconds=0.002)
    story.now += 1
    yield story.progress("checkout", hosts, hosts, 0, 0)
    yield story.ended("checkout", hosts, hosts)
    yield story.pinned()
    yield story.finished("CONVERGED", hosts, hosts)


def rolled_back() -> Iterator[Step]:
    """Five fetch, the third fails to switch, all go back but the one that is silent."""
    story = Story(5)
    broken = errors.DeployError(
        "the switch failed", repo=REPO, host="web3", next="salt 'web3' deploy.status mediawiki"
    )
    silent = errors.Unreachable(
        "no answer, and none when asked again", repo=REPO, host="web3", next="salt 'web3' test.ping"
    )
    yield story.started("")
    yield story.stage("fetch", 5)
    story.now += 1
    for host in story.names:
        yield story.answered(host, bytes=2_000)
    yield story.ended("fetch", 5, 5)
    yield story.stage("checkout", 5)
    yield story.progress("checkout", 5, 0, 0, 3)
    for host in story.names[:3]:
        yield story.answered(host, "checkout", broken if host == "web3" else None)
    yield story.ended("checkout", 3, 2, 1)
    yield story.stage("rollback", 3)
    yield story.progress("rollback", 3, 0, 0, 3)
    for host in story.names[:2]:
        yield story.answered(host, "rollback")
    yield story.progress("rollback", 3, 2, 0, 1)
    for second in range(1, 8):
        yield story.now + second
    story.now += 8
    yield events.warned(DEPLOY, REPO, story.now, "web9: ignored an answer that it did not sign")
    yield story.answered("web3", "rollback", silent)
    yield story.ended("rollback", 3, 2, 1)
    yield story.finished(
        "MIXED",
        2,
        3,
        "1 hosts failed, the limit is 0: web3 (the switch failed); could not switch back: web3 (no answer)",
        "salt-run deploy.report repo=mediawiki",
    )
