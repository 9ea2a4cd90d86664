"""What the watchers say of a deploy: one sentence for each thing, the same on every screen and in every log."""

from __future__ import annotations

from saltdeploy.lib.text import size, utc
from saltdeploy.watch import awaited
from saltdeploy.watch.notes import (
    AnswerNote,
    CheckNote,
    Failure,
    OutcomeNote,
    PauseNote,
    Pinned,
    QuestionNote,
)
from saltdeploy.watch.stage import HostFacts, HostProgress, Stage
from saltdeploy.watch.state import DeployView
from saltdeploy.watch.text import clock, duration, hosts, outcome, short, with_next

_MOST_NAMED = 3
_PROGRESS = "%s: %s stage(s): %3.0f%% (%sok: %d; fail: %d; left: %d)"  # scap's, less the time and the spinner
_MASTER = "master"
_MOST_GROUPS = 12


def preparing(state: DeployView) -> str:
    """The first sign of life."""
    which = f" {_way(state)} {tags(state)}" if state.tag else ""
    what = f": {state.action}{which}" if state.action else ""
    return f"Preparing deploy [{state.repo}]{what}{_by(state.user)}"


def still_preparing(state: DeployView) -> str:
    """What is done before any host is asked, and for how long already."""
    step = f": {state.step}" if state.step else ""
    return f"{state.repo}: preparing{step}, {int(state.elapsed())} s"


def tags(state: DeployView) -> str:
    """``v1``; where several repos are deployed as one, ``v1, l10n v7``."""
    return ", ".join([state.tag, *state.also])


def started(state: DeployView) -> str:
    """What begins, for whom, and why."""
    why = f": {state.reason}" if state.reason else ""
    whose = f"{hosts(state.hosts)}{_by(state.user)} at {utc(state.now)}"
    return f"Started deploy {_name(state)}: {state.action} {_way(state)} {state.tag} on {whose}{why}"


def _way(state: DeployView) -> str:
    return "to" if state.action == "rollback" else "of"  # "rollback of v2" would read as the way from v2


def scope(state: DeployView) -> list[str]:
    """What else is deployed with it, the groups of a deploy, and how many targets it leaves out."""
    also = f"as one with {', '.join(state.also)}" if state.also else ""
    more = len(state.groups) - _MOST_GROUPS
    named = ", ".join(state.groups[:_MOST_GROUPS]) + (f" and {more} more" if more > 0 else "")
    groups = f"groups in this order: {named}" if named else ""
    others = f"{hosts(state.left_out)} left out by the limit" if state.left_out else ""
    return [f"{state.repo}: {text}" for text in (also, groups, others) if text]


def resumed(state: DeployView) -> str:
    """Another process goes on."""
    return f"Resumed deploy {_name(state)}{_by(state.resumed)}"


def aborted(state: DeployView) -> str:
    """Who stops the deploy, and why."""
    return f"Aborted deploy {_name(state)}: {state.aborted}. No further host starts"


def finished(state: DeployView) -> str:
    """That it has ended, and how long it took."""
    return f"Finished deploy {_name(state)}: {tags(state)} (duration: {duration(state.elapsed())})"


def ending(end: OutcomeNote) -> str:
    """How it ended, as one line."""
    word = outcome(end.word, end.ok, end.total)
    return with_next(f"{word}: {end.reason}" if end.reason else word, end.next)


def pinned(pin: Pinned) -> str:
    """What hosts should be running from now on."""
    return f"{pin.repo}: pinned {pin.tag} ({short(pin.commit)})"


def stage_started(state: DeployView, stage: Stage) -> str:
    """That hosts are asked, and how many."""
    return f"{state.repo}: {stage.title} stage started on {hosts(stage.total)}"


def stage_finished(state: DeployView, stage: Stage) -> str:
    """That they have answered, how long it took, and what came over the network."""
    took = duration(state.elapsed(stage))
    return f"{state.repo}: {stage.title} stage finished (duration: {took}{received(stage)})"


def counts(state: DeployView, stage: Stage) -> str:
    """How far a stage is, byte for byte as scap says it."""
    in_flight = "" if stage.in_flight is None else f"in-flight: {stage.in_flight}; "
    return _PROGRESS % (
        state.repo,
        stage.title,
        stage.percent,
        in_flight,
        stage.ok,
        stage.failed,
        stage.left,
    )


def failed(failure: Failure) -> str:
    """Why a host failed, and what to do."""
    return with_next(failure.cause, failure.next)


def warned(text: str) -> str:
    """What stops nothing."""
    return f"Warning: {text}"


def waits(question: QuestionNote, state: DeployView) -> list[str]:
    """That the deploy waits for an operator, for how long, and how to answer; nothing where nobody is asked."""
    if question.until <= state.now:
        return []
    what = f"{choices(question)} ({otherwise(question, state)})"
    return [
        f"{state.repo}: waits for an answer: {what}",
        f"{state.repo}: to answer: {how_to_answer(question, state)}",
    ]


def doing(host: HostProgress, now: float) -> str:
    """What a host does, how far it is and for how long: ``receive 40%, 00:12``, ``runs check well, 00:12``."""
    if host.step:
        return f"runs {host.step}, {clock(now - host.step_since)}"
    percent = "" if host.percent is None else f" {host.percent}%"
    return f"{host.phase or 'no sign yet'}{percent}, {clock(now - host.since)}"


def done(stage: Stage, host: HostProgress, told: HostFacts) -> str:
    """That a host has done what it was asked for: ``fetch is done in 2.3 s: 120 files, 3.4 MB from fanout1``."""
    if host.unchanged:
        return f"{stage.label}: it runs the release already"
    amounts = [f"{told.files} files" if told.files else "", size(told.bytes) if told.bytes else ""]
    what = ", ".join(filter(None, amounts))
    source = f" from {told.source}" if told.source else ""
    took = f" in {told.seconds:.1f} s" if told.seconds else ""
    return f"{stage.label} is done{took}" + (f": {what}{source}" if what else "")


def lines_cut(number: int) -> str:
    """That a host has logged more about a stage than it may tell."""
    lines = "1 earlier line" if number == 1 else f"{number} earlier lines"
    return f"{lines} of its own log left out"


def checked(check: CheckNote, repo: str) -> str:
    """What a check of the master found, in scap's words where it has them; text that says so by itself is enough."""
    if check.is_step:
        return _stepped(check, repo)
    if check.text.startswith(f"Check '{check.name}' "):
        return f"{check.group or repo}: {check.text}"
    how = {"pass": "completed", "fail": "failed"}.get(
        check.verdict, f"was {check.verdict or 'without verdict'}"
    )
    joint = ", output: " if check.verdict == "pass" else ": "
    return f"{check.group or repo}: Check '{check.name}' {how}" + (
        f"{joint}{check.text}" if check.text else ""
    )


def _stepped(step: CheckNote, repo: str) -> str:
    """How a step went that runs once."""
    how = {"begun": "begins", "pass": "is done", "fail": "failed"}.get(
        step.verdict, "ended so that nobody knows how"
    )
    said = f": {step.text}" if step.text else ""
    return f"{repo}: {step.name} {how} on {step.group}{said}"


def paused(pause: PauseNote, state: DeployView) -> str:
    """How long it is until a group begins."""
    return f"{pause.group or state.repo} begins in {clock(left(pause.until, state))}"


def choices(question: QuestionNote) -> str:
    """What can be answered."""
    return " / ".join(question.choices)


def otherwise(question: QuestionNote, state: DeployView) -> str:
    """What happens without an answer, and when."""
    return f"else {question.default} in {clock(left(question.until, state))}"


def how_to_answer(question: QuestionNote, state: DeployView) -> str:
    """The command that answers, with the first of the choices."""
    choice = next(iter(question.choices), "...")
    return f"salt-run deploy.answer {choice} id={state.deploy}"


def answered(answer: AnswerNote) -> str:
    """Who decided what."""
    if answer.unattended:
        return f"unattended, so the default is taken: {answer.choice}"
    if not answer.user:
        return f"nobody answered in time: {answer.choice}"
    return f"{answer.user} answered: {answer.choice}"


def waited_for(state: DeployView, stage: Stage) -> str:
    """The hosts that a stage waits for: by name when they are few, with what they last told."""
    missing = stage.total - stage.done
    named = awaited.slowest(state, _MOST_NAMED + 1)
    if len(named) != missing and missing <= _MOST_NAMED:
        silent = [HostProgress(name, stage.begun) for name in awaited.silent_names(state)]
        named = [*silent, *stage.slowest(_MOST_NAMED)]
    if len(named) != missing or missing > _MOST_NAMED:
        return hosts(missing) + (
            f"; no sign yet of {awaited.unheard(state)}" if awaited.unheard(state) else ""
        )
    return ", ".join(f"{host.name} ({doing(host, state.now)})" for host in named)


def left(until: float, state: DeployView) -> float:
    """Seconds until a moment."""
    return max(0.0, until - state.now)


def _name(state: DeployView) -> str:
    return f"[{state.repo}@{short(state.commit)}]" if state.commit else f"[{state.repo}]"


def _by(user: str) -> str:
    return f" by {user}" if user else ""


def received(stage: Stage) -> str:
    """What came over the network, and, where not all came from the master, who served how many hosts."""
    came = f", received: {size(stage.received)}" if stage.received else ""
    if not set(stage.sources) - {_MASTER}:
        return came
    named = [f"{source} ({number})" for source, number in stage.sources.most_common(_MOST_NAMED)]
    more = len(stage.sources) - len(named)
    return f"{came}, from: {', '.join(named)}{f' and {more} more' if more else ''}"
