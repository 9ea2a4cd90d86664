"""An operator answers at a real terminal."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable, Iterator

import pytest
from saltdeploy.lib import errors
from saltdeploy.protocol import events
from saltdeploy.watch.console import terminal
from saltdeploy.watch.console.prompt import Prompt, letters, prompt_of, report
from saltdeploy.watch.settings import WatchSettings
from saltdeploy.watch.state import DeployView

from tests.unit.watch import hostile
from tests.unit.watch.rollouts import AFTER_CANARY, AFTER_FAILURE
from tests.unit.watch.screens import Screen, screen
from tests.unit.watch.stories import BEGIN, DEPLOY, FULL, REPO, TAG, Step, Story

TREBUCHET = "Continue? ([d]etailed/[C]oncise report,[y]es,[n]o,[r]etry): "
BARRIER = ("yes", "no", "retry")
CONCISE = f"Repo: {REPO}\nTag: {TAG}\n\n2/3 minions completed fetch\n"
DETAILED = (
    f"{CONCISE}\nDetails:\n\n"
    "web3: \n\tfetch status: 143 [started: 0 mins ago, last-return: 0 mins ago]\n"
    f"\t{FULL.cause}. Next: {FULL.next}\n"
)


class Desk:
    """A terminal with an operator, in front of a deploy.

    Attributes:
        given: the answers that were given, as ``(deploy, key, choice)``.
        first: what the deploy says to an answer: whether it was the first.
    """

    def __init__(self, seen: Screen) -> None:
        self.screen = seen
        self.given: list[tuple[str, str, str]] = []
        self.first = True
        self.broken = False
        self.now = BEGIN
        self.watcher = terminal.for_operator(seen.stdin, seen.stream, self._answer, WatchSettings())

    def _answer(self, question: events.Event, choice: str) -> bool:
        if self.broken:
            raise OSError("no space left")
        self.given.append((question["deploy"], question["key"], choice))
        return self.first

    def shows(self, *steps: Step) -> str:
        """What comes on the screen while this happens, and a moment later."""
        for step in steps:
            self.watcher.tick(step) if isinstance(step, float) else self.watcher.hear(step)
        self.watcher.tick(self.now)
        return self.screen.read().decode().replace("\r\n", "\n")

    def types(self, typed: str) -> str:
        """What comes on the screen when the operator types this."""
        self.screen.type(typed)
        return self.shows()

    def says_to(self, typed: str) -> str:
        """The same, less what they typed."""
        return self.types(typed).removeprefix(typed)


@pytest.fixture
def desk() -> Iterator[Desk]:
    with screen() as seen:
        yield Desk(seen)


def fetched(story: Story) -> list[Step]:
    return [
        story.started(),
        story.stage("fetch", 3),
        story.answered("web1"),
        story.answered("web2"),
        story.answered("web3", error=FULL),
        story.ended("fetch", 3, 2, 1),
    ]


@pytest.fixture
def asked(desk: Desk) -> Desk:
    """A desk at which the question of Trebuchet stands."""
    story = Story(3)
    desk.shows(*fetched(story), story.question("2/3 minions completed fetch", BARRIER))
    return desk


# -- what is asked --------------------------------------------------------------------------------------


def test_at_the_barrier_trebuchets_report_and_prompt_are_shown_byte_for_byte(desk: Desk) -> None:
    story = Story(3)
    shown = desk.shows(*fetched(story), story.question("2/3 minions completed fetch", BARRIER))
    assert shown.endswith(f"id={DEPLOY}\n{CONCISE}{TREBUCHET}")


@pytest.mark.parametrize(
    ("choices", "prompt"),
    [
        (BARRIER, TREBUCHET),
        (AFTER_CANARY, "Continue? ([d]etailed/[C]oncise report,[y]es,[n]o,[a]ll,roll[b]ack): "),
        (AFTER_FAILURE, "Continue? ([d]etailed/[C]oncise report,[r]etry,c[o]ntinue,roll[b]ack,[h]old): "),
        (("dance", "drop"), "Continue? ([d]etailed/[C]oncise report,d[a]nce,d[r]op): "),
    ],
)
def test_the_prompt_names_a_letter_for_each_choice(choices: tuple[str, ...], prompt: str) -> None:
    assert prompt_of(choices) == prompt


def test_a_letter_means_the_same_in_every_question() -> None:
    meant: dict[str, str] = {}
    for choices in (BARRIER, AFTER_CANARY, AFTER_FAILURE, ("retry", "no")):
        for word, letter in letters(choices).items():
            assert meant.setdefault(letter, word) == word


# -- reports --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("typed", ["\n", "c\n", "C\n", "concise\n"])
def test_a_concise_report_is_shown_and_the_operator_is_asked_again(asked: Desk, typed: str) -> None:
    assert asked.says_to(typed) == CONCISE + TREBUCHET


@pytest.mark.parametrize("typed", ["d\n", "D\n", " d \n"])
def test_a_detailed_report_names_those_who_are_pending(asked: Desk, typed: str) -> None:
    assert asked.says_to(typed) == DETAILED + TREBUCHET


def test_in_a_detailed_report_minutes_do_not_start_again_after_a_day(asked: Desk) -> None:
    asked.now = BEGIN + 25 * 3600
    assert "[started: 1500 mins ago, last-return: 1500 mins ago]" in asked.says_to("d\n")


def test_F18_a_host_that_never_answered_has_no_last_return() -> None:
    story, state = Story(1), DeployView()
    silent = errors.Unreachable("no answer", next="salt web1 test.ping")
    for event in (story.started(), story.stage("fetch", 1), story.answered("web1", error=silent)):
        state.hear(event)
    assert "\tfetch status: 155 [started: 0 mins ago, last-return: None mins ago]" in report(
        state, detailed=True
    )


def test_who_is_at_work_still_has_no_status_in_a_detailed_report(desk: Desk) -> None:
    story = Story(1)
    steps = [
        story.started(),
        story.stage("checkout", 1),
        story.working("web1", "flip", 1, 2, "steps", "checkout"),
    ]
    desk.shows(*steps, story.question("?", BARRIER))
    detail = "web1: \n\tcheckout status: None [started: 0 mins ago, last-return: None mins ago]\n"
    assert desk.says_to("d\n").endswith(detail + TREBUCHET)


# -- answers --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "choice"),
    [
        ("y\n", "yes"),
        ("Y\n", "yes"),
        ("yes\n", "yes"),
        ("n\n", "no"),
        ("r\n", "retry"),
        (" RETRY \n", "retry"),
    ],
)
def test_an_answer_goes_to_its_deploy_and_the_operator_is_asked_no_more(
    asked: Desk, typed: str, choice: str
) -> None:
    assert asked.says_to(typed) == ""
    assert asked.given == [(DEPLOY, "q1", choice)]
    assert "Continue?" not in asked.shows(Story(3).decided(choice, "alice"))


@pytest.mark.parametrize("typed", ["x\n", "yn\n", "1\n", "all\n", "y;n\n", "\x1b[A\n"])
def test_whatever_else_is_typed_is_no_answer(asked: Desk, typed: str) -> None:
    assert asked.says_to(typed).endswith(TREBUCHET)
    assert asked.given == []


def test_a_line_without_its_end_is_no_answer(asked: Desk) -> None:
    asked.screen.type("y", whole=False)
    asked.shows()
    assert asked.given == []
    asked.says_to("es\n")
    assert asked.given == [(DEPLOY, "q1", "yes")]


def test_what_was_typed_before_it_was_asked_is_no_answer(desk: Desk) -> None:
    story = Story(3)
    desk.shows(*fetched(story))
    desk.screen.type("y\n")
    desk.shows(story.question("?", BARRIER))
    desk.shows()
    assert desk.given == []


def test_only_the_first_of_several_lines_is_the_answer(asked: Desk) -> None:
    asked.says_to("n\ny\n")
    asked.shows()
    assert asked.given == [(DEPLOY, "q1", "no")]


def test_after_a_retry_it_is_asked_anew_with_new_numbers(asked: Desk) -> None:
    story = Story(3)
    asked.says_to("r\n")
    again = [
        story.decided("retry", "alice"),
        story.stage("fetch", 3),
        story.answered("web3"),
        story.ended("fetch", 3, 3),
    ]
    shown = asked.shows(*again, story.question("3/3 minions completed fetch", BARRIER, key="q2"))
    assert shown.endswith(f"{CONCISE.replace('2/3', '3/3')}{TREBUCHET}")
    asked.says_to("y\n")
    assert asked.given == [(DEPLOY, "q1", "retry"), (DEPLOY, "q2", "yes")]


def test_an_answer_that_cannot_be_delivered_is_asked_for_again(asked: Desk) -> None:
    asked.broken = True
    assert asked.says_to("y\n") == f"The answer was not taken: no space left\n{TREBUCHET}"


# -- others ---------------------------------------------------------------------------------------------


def test_when_somebody_else_was_first_the_operator_reads_who_and_is_asked_no_more(asked: Desk) -> None:
    assert asked.shows(Story(3).decided("no", "bob")).startswith("\nbob was first: no\n")
    assert "Continue?" not in asked.says_to("y\n")
    assert asked.given == []


def test_an_answer_that_comes_second_is_told_of(asked: Desk) -> None:
    asked.first = False
    asked.says_to("y\n")
    assert asked.shows(Story(3).decided("no", "bob")).startswith("bob was first: no\n")


@pytest.mark.parametrize(
    "event",
    [
        Story(3).decided("no", ""),
        Story(3).aborted("bob", "stopped by bob"),
        Story(3).finished("HELD", 2, 3, "an operator chose to stop here"),
    ],
    ids=["time ran out", "aborted", "ended"],
)
def test_a_question_that_is_over_is_asked_no_more(asked: Desk, event: events.Event) -> None:
    assert "Continue?" not in asked.shows(event)
    asked.says_to("y\n")
    assert asked.given == []


def test_what_happens_meanwhile_stands_on_lines_of_its_own_and_the_prompt_below(asked: Desk) -> None:
    shown = asked.shows(events.warned(DEPLOY, REPO, BEGIN, "web9: ignored an answer"))
    assert shown == f"\n10:11:12 Warning: web9: ignored an answer\n{TREBUCHET}"


# -- terminals ------------------------------------------------------------------------------------------


def test_who_has_no_terminal_is_not_asked_and_nothing_of_theirs_is_read() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"y\n")
    screen_, given = io.StringIO(), []
    with os.fdopen(reading) as stdin:
        prompt = Prompt(stdin, screen_, lambda question, choice: bool(given.append(choice)))
        for step in [*fetched(Story(3)), Story(3).question("?", BARRIER)]:
            prompt.hear(step)  # type: ignore[arg-type]
        prompt.tick(BEGIN)
        prompt.close()
        assert (screen_.getvalue(), given) == ("", [])
        assert stdin.readline() == "y\n"
    os.close(writing)


def test_an_operator_who_ends_the_input_is_told_how_to_answer_elsewhere(asked: Desk) -> None:
    assert f"To answer: salt-run deploy.answer yes id={DEPLOY}\n" in asked.says_to("\x04")
    assert "Continue?" not in asked.shows()


def test_a_terminal_that_is_closed_does_not_stop_the_deploy() -> None:
    seen = Screen(80, 24)
    desk = Desk(seen)
    story = Story(3)
    desk.shows(*fetched(story), story.question("?", BARRIER))
    os.close(seen.master)
    desk.watcher.tick(BEGIN)
    desk.watcher.hear(story.decided("yes"))
    desk.watcher.close()
    seen.stdin.close()
    with pytest.raises(OSError):
        seen.stream.close()


def test_at_the_end_the_cursor_stands_on_a_new_line(asked: Desk) -> None:
    asked.watcher.close()
    assert asked.screen.read().decode().startswith("\r\n")


def test_hostile_texts_have_no_power_over_the_terminal(desk: Desk) -> None:
    error = errors.DeployError(hostile.TEXT, next=hostile.TEXT)
    story = Story(3)
    steps = [story.started(), story.stage("fetch", 3), story.answered(hostile.TEXT, error=error)]
    shown = desk.shows(*steps, story.question(hostile.TEXT, ("yes", hostile.TEXT), hostile.TEXT))
    shown += desk.says_to("d\n") + desk.shows(story.decided(hostile.TEXT, hostile.TEXT))
    assert hostile.controls(shown) <= {"\t"}


def test_a_whole_session_reads_as_the_golden_file_says(
    desk: Desk, golden: Callable[[str, str], None]
) -> None:
    story = Story(3)
    shown = desk.shows(*fetched(story), story.question("2/3 minions completed fetch", BARRIER))
    story.now = desk.now = BEGIN + 30
    shown += desk.types("d\n") + desk.types("r\n") + desk.shows(*_second_try(story))
    shown += desk.types("y\n") + desk.shows(*_the_rest(story))
    golden("prompt-session", shown)


def _second_try(story: Story) -> Iterable[Step]:
    yield story.decided("retry", "alice")
    yield story.stage("fetch", 3)
    yield story.answered("web3")
    yield story.ended("fetch", 3, 3)
    yield story.question("3/3 minions completed fetch", BARRIER, key="q2")


def _the_rest(story: Story) -> Iterable[Step]:
    yield story.decided("yes", "alice", "q2")
    yield story.stage("checkout", 3)
    for host in story.names:
        yield story.answered(host, "checkout")
    yield story.ended("checkout", 3, 3)
    yield story.pinned()
    yield story.finished("CONVERGED", 3, 3)
