"""Deploys group by group, with all that can come between two groups, as their events tell them."""

from __future__ import annotations

from collections.abc import Iterator

from saltdeploy.lib import errors
from saltdeploy.protocol import events

from tests.unit.watch.stories import DEPLOY, REPO, Step, Story

GROUPS = ("canary", "appservers")
CANARIES = ("web1", "web2")
OTHERS = ("web3", "web4", "web5", "web6")
AFTER_CANARY = ("yes", "no", "all", "rollback")
AFTER_FAILURE = ("retry", "continue", "rollback", "hold")
NOT_UP = errors.HookFailed(
    "php-fpm: the port 9000 does not answer",
    repo=REPO,
    host="web4",
    next="salt 'web4' service.status php-fpm",
)


def _fetched(story: Story) -> Iterator[Step]:
    yield story.stage("fetch", len(story.names))
    yield story.progress("fetch", len(story.names), 0, 0, len(story.names))
    for number, host in enumerate(story.names, 1):
        story.now += 0.5
        yield story.working(host, "receive", 1_000_000, 2_000_000)
        yield story.answered(host, bytes=2_000_000, files=20)
        yield story.progress("fetch", len(story.names), number, 0, len(story.names) - number)
    yield story.ended("fetch", len(story.names), len(story.names))


def _done(story: Story, stage: str, group: str, hosts: tuple[str, ...]) -> Iterator[Step]:
    """All hosts of a group go through a stage, one second each."""
    yield story.stage(stage, len(hosts), group)
    yield story.progress(stage, len(hosts), 0, 0, 1, group)
    for number, host in enumerate(hosts, 1):
        story.now += 1
        yield story.working(host, "restart", 0, 0, "steps", stage)
        yield story.answered(host, stage)
        yield story.progress(stage, len(hosts), number, 0, min(1, len(hosts) - number), group)
    yield story.ended(stage, len(hosts), len(hosts), 0, group)


def canary_and_rollback() -> Iterator[Step]:
    """The canaries are well; among the others a service does not come up, twice; an operator has all rolled back."""
    story = Story(6)
    yield story.preparing()
    story.now += 1
    yield story.started(groups=GROUPS, left_out=2, reason="new login page")
    yield from _fetched(story)
    yield from _done(story, "checkout", "canary", CANARIES)
    yield story.checked("error-rate", "pass", "2.1 is not above 5", "canary")
    yield story.gate(0)
    yield story.question("canary is done; go on with appservers?", AFTER_CANARY)
    for minute in range(1, 4):
        yield story.now + 60 * minute
    story.now += 200
    yield story.decided("yes")
    yield story.stage("checkout", 4, "appservers")
    yield story.progress("checkout", 4, 0, 0, 2, "appservers")
    yield story.working("web3", "flip", 1, 4, "steps", "checkout")
    yield story.working("web4", "wait", 3, 4, "steps", "checkout")
    yield story.now + 4
    story.now += 5
    yield story.answered("web3", "checkout")
    yield story.answered("web4", "checkout", NOT_UP)
    yield story.progress("checkout", 4, 1, 1, 0, "appservers")
    yield story.ended("checkout", 4, 1, 1, "appservers")
    why = "1 hosts of appservers failed, the limit is 0: web4 (php-fpm: the port 9000 does not answer)"
    yield story.question(why, AFTER_FAILURE, "rollback", "q2")
    story.now += 20
    yield story.decided("retry", "alice", "q2")
    yield story.stage("checkout", 4, "appservers")
    yield story.progress("checkout", 4, 1, 0, 1, "appservers")
    story.now += 2
    yield story.answered("web4", "checkout", NOT_UP)
    yield story.progress("checkout", 4, 1, 1, 0, "appservers")
    yield story.ended("checkout", 4, 1, 1, "appservers")
    yield story.question(why, AFTER_FAILURE, "rollback", "q3")
    story.now += 3600
    yield story.decided("rollback", "", "q3")
    yield from _done(story, "rollback", "appservers", OTHERS[:2])
    yield from _done(story, "rollback", "canary", CANARIES)
    yield story.finished("ROLLED BACK", 4, 4, why)


def paused_and_converged() -> Iterator[Step]:
    """The canaries are well; half a minute later the others follow."""
    story = Story(6)
    yield story.preparing()
    yield story.started("", groups=GROUPS)
    yield from _fetched(story)
    yield from _done(story, "checkout", "canary", CANARIES)
    yield story.paused(1, "appservers", 45)
    for second in range(5, 45, 5):
        yield story.now + second
    story.now += 45
    yield story.pause_over(1, 45)
    yield from _done(story, "checkout", "appservers", OTHERS)
    yield story.pinned()
    yield story.finished("CONVERGED", 6, 6)


def a_check_stops_it() -> Iterator[Step]:
    """A check of the master on the canaries has no answer, then fails: the canaries go back, nobody else has changed."""
    story = Story(6)
    yield story.started(groups=GROUPS)
    yield from _fetched(story)
    yield from _done(story, "checkout", "canary", CANARIES)
    yield story.checked("latency", "inconclusive", "no number from the query", "canary")
    yield story.gate(0, "check latency: inconclusive: no number from the query")
    yield story.question("check latency: inconclusive: no number from the query", AFTER_FAILURE, "rollback")
    story.now += 10
    yield story.decided("retry")
    yield story.checked("latency", "fail", "340 is above 250", "canary")
    yield story.gate(0, "check latency: fail: 340 is above 250")
    yield from _done(story, "rollback", "canary", CANARIES)
    yield story.finished("ROLLED BACK", 2, 2, "check latency: fail: 340 is above 250")


def resumed_and_aborted() -> Iterator[Step]:
    """The deploying process dies among the canaries, another goes on; an operator stops it: all go back."""
    story = Story(6)
    yield story.started(groups=GROUPS)
    yield from _fetched(story)
    yield story.stage("checkout", 2, "canary")
    yield story.progress("checkout", 2, 0, 0, 2, "canary")
    yield story.answered("web1", "checkout")
    yield story.progress("checkout", 2, 1, 0, 1, "canary")
    story.now += 600
    yield story.resumed("bob")
    yield story.stage("checkout", 2, "canary")
    yield story.now + 4
    story.now += 5
    yield events.warned(DEPLOY, REPO, story.now, "web9: ignored an answer that it did not sign")
    yield story.aborted("bob", "stopped by bob: the login page is broken")
    yield story.answered("web2", "checkout")
    yield story.progress("checkout", 2, 2, 0, 0, "canary")
    yield story.ended("checkout", 2, 2, 0, "canary")
    yield from _done(story, "rollback", "canary", CANARIES)
    yield story.finished("ROLLED BACK", 2, 2, "stopped by bob: the login page is broken")


ALL = (canary_and_rollback, paused_and_converged, a_check_stops_it, resumed_and_aborted)
