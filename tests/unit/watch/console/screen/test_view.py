"""What stands on the screen."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest
from saltdeploy.lib import errors
from saltdeploy.protocol import events

from tests.unit.watch import rollouts, stories
from tests.unit.watch.console.screen.looking import Looking, until
from tests.unit.watch.stories import BEGIN, Step, Story

GROUPS = {**dict.fromkeys(rollouts.CANARIES, "canary"), **dict.fromkeys(rollouts.OTHERS, "appservers")}
SIZES = [(80, 24), (200, 60), (120, 30), (60, 16), (40, 12), (30, 8), (20, 5), (8, 2)]


def midway(hosts: int) -> Iterable[Step]:
    """Half of the hosts have fetched, the others are at it."""
    story = Story(hosts)
    yield story.started()
    yield story.stage("fetch", hosts)
    for number, host in enumerate(story.names):
        story.now = BEGIN + 10 * number / hosts
        yield story.working(host, "receive", 1_000 * number, 1_000 * hosts)
        if number % 2:
            yield story.answered(host, bytes=1_000 * hosts, files=3, seconds=0.2)
    yield story.progress("fetch", hosts, hosts // 2, 0, hosts - hosts // 2)


MOMENTS = {
    "question": (lambda: until(rollouts.canary_and_rollback(), events.QUESTION), GROUPS),
    "rolled-back": (rollouts.canary_and_rollback, GROUPS),
    "pause": (lambda: until(rollouts.paused_and_converged(), events.PAUSED), GROUPS),
    "aborted": (lambda: until(rollouts.resumed_and_aborted(), events.ABORTED), GROUPS),
    "midway": (lambda: midway(1000), {}),
    "held": (stories.held_by_a_full_disk, {}),
}


@pytest.mark.parametrize("size", [(80, 24), (200, 60)], ids=str)
@pytest.mark.parametrize("moment", MOMENTS)
def test_the_screen_is_as_the_golden_file_says(
    moment: str, size: tuple[int, int], golden: Callable[[str, str], None]
) -> None:
    steps, groups = MOMENTS[moment]
    golden(f"screen-{moment}-{size[0]}", Looking(steps(), groups=groups).text(*size))


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("moment", MOMENTS)
def test_it_is_never_wider_nor_higher_than_the_terminal(moment: str, size: tuple[int, int]) -> None:
    steps, groups = MOMENTS[moment]
    looking = Looking(steps(), groups=groups)
    for keys in ((), ("tab",), ("down", "enter"), ("escape", "/", "web"), ("escape", "a")):
        looking.press(*keys)
        seen = looking.seen(*size)
        assert len(seen) <= size[1]
        assert max(map(len, seen)) <= size[0]


@pytest.mark.parametrize("moment", MOMENTS)
def test_F18_no_line_stands_there_twice(moment: str) -> None:
    steps, groups = MOMENTS[moment]
    seen = [line.strip(" ─") for line in Looking(steps(), groups=groups).seen(140, 60)]
    told = [line for line in seen if line[2:3] == ":"]
    assert sorted(set(told)) == sorted(told)


def test_F18_how_it_ended_and_what_it_asks_stand_once() -> None:
    asks = Looking(until(rollouts.canary_and_rollback(), events.QUESTION)).text()
    assert asks.count("canary is done; go on with appservers?") == 1
    assert "deploy.answer" not in asks  # the keys do it
    ended = Looking(rollouts.canary_and_rollback()).text(80, 60)
    assert ended.count("ROLLED BACK 4/4") == 1
    assert ended.count("canary is done; go on with appservers?") == 1  # in the log, since it is answered


def test_F18_hosts_that_fail_alike_share_a_line_of_the_log() -> None:
    story = Story(14)
    steps: list[Step] = [story.started(), story.stage("fetch", 14)]
    steps += [story.answered(host, error=errors.Unreachable("no answer")) for host in story.names]
    looking = Looking([*steps, story.ended("fetch", 14, 0, 14)])
    text = looking.text(120, 60)
    assert text.count(": no answer") == 2
    assert "web2, web3, web4, web5, web6 and 8 more: the same: no answer" in text
    looking.press("/", "web1*", "enter")
    assert looking.text(120, 60).count("fetch: no answer") == 6  # who asks for hosts gets each of their lines


def test_hosts_that_failed_come_first_then_those_at_work() -> None:
    looking = Looking(until(rollouts.canary_and_rollback(), events.ANSWERED), groups=GROUPS)
    story = Story(6)
    story.now = BEGIN + 3000
    looking.hear(
        [story.stage("checkout", 4, "appservers"), story.answered("web6", "checkout", rollouts.NOT_UP)]
    )
    looking.hear([story.working("web5", "restart", 1, 4, "steps", "checkout")])
    assert [row.name for row in looking.rows()] == ["web6", "web5", "web1", "web2", "web3", "web4"]


def test_of_a_host_everything_is_shown_and_the_neighbours_are_one_key_away() -> None:
    looking = Looking(rollouts.canary_and_rollback(), groups=GROUPS)
    looking.press("/", "web4", "enter", "enter")
    text = looking.text()
    assert "web4, group appservers" in text
    assert "appservers checkout  failed" in text
    assert "Next: salt 'web4' service.status php-fpm" in " ".join(text.split())
    looking.press("escape", "/", *["backspace"] * 4, "enter", "enter", "down")
    assert "web4, group" not in looking.text()


def test_hosts_that_only_the_plan_names_wait() -> None:
    looking = Looking([Story(6).started()], groups=GROUPS)
    assert looking.text().count("not asked yet") == 6


def test_a_deploy_that_nobody_carries_on_says_so_in_place_of_its_question() -> None:
    looking = Looking(until(rollouts.canary_and_rollback(), events.QUESTION))
    text = looking.text(end="it has died\nNext: salt-run deploy.resume repo=mediawiki")
    assert "Next: salt-run deploy.resume repo=mediawiki" in text
    assert "canary is done" not in text


def test_a_replayed_deploy_offers_no_keys_that_act() -> None:
    looking = Looking(until(rollouts.canary_and_rollback(), events.QUESTION), acts=False)
    assert looking.press("1", "enter", "a", "enter") == []
    assert "abort" not in looking.seen()[-1]
