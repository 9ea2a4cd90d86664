"""What cannot be told is not what went wrong: ``on_inconclusive`` says what follows, beside ``on_failure``."""

from __future__ import annotations

import pytest
from saltdeploy.lib.errors import CheckFailed, CheckInconclusive, DeployError
from saltdeploy.master.rollout.model import (
    AFTER_WAVE,
    ASK,
    BEFORE_FETCH,
    HOLD,
    ROLL_BACK,
    Gate,
    Outcome,
    Question,
)

from tests.unit.master.story import SILENT, Deploy, replay, standing, wave

UNTOLD = CheckInconclusive("no number from the query")
FAILED = CheckFailed("exit code 1")
POLICIES = (ROLL_BACK, HOLD, ASK)


def deploy(own: str, on_failure: str = ROLL_BACK, *, limit: int = 0, gates: tuple[Gate, ...] = ()) -> Deploy:
    """Four hosts that are to be switched at once."""
    hosts = wave("all", "a b c d", limit=limit, on_inconclusive=own)
    return Deploy(hosts, on_failure=on_failure, on_inconclusive=own, gates=frozenset(gates))


def switched(own: str, on_failure: str = ROLL_BACK, *, limit: int = 0, **errors: DeployError) -> Deploy:
    """The same, after each host has answered; those that are named here, with what they said."""
    made = deploy(own, on_failure, limit=limit).fetch()
    for host in made.ask():
        made.hear(host, errors.get(host))
    return made


def follows(made: Deploy) -> str:
    """What became of it: it asks, goes back, or was left as it is."""
    due = made.rollout.due()
    if isinstance(due, Question):
        return ASK
    return ROLL_BACK if made.rollout.stage == "rollback" else HOLD if made.rollout.outcome else ""


def outcome(made: Deploy) -> Outcome:
    assert made.rollout.outcome is not None
    return made.rollout.outcome


@pytest.mark.parametrize("on_failure", POLICIES)
@pytest.mark.parametrize("own", POLICIES)
@pytest.mark.parametrize("error", [UNTOLD, SILENT], ids=["a check could not tell", "a host is silent"])
def test_a_policy_of_its_own_counts_where_nothing_is_known_to_have_failed(
    own: str, on_failure: str, error: DeployError
) -> None:
    assert follows(switched(own, on_failure, a=error)) == own


@pytest.mark.parametrize("on_failure", POLICIES)
@pytest.mark.parametrize("error", [UNTOLD, SILENT], ids=["a check could not tell", "a host is silent"])
def test_by_default_what_cannot_be_told_has_failed(on_failure: str, error: DeployError) -> None:
    assert follows(switched("", on_failure, a=error)) == on_failure


@pytest.mark.parametrize(
    ("limit", "errors", "expected"),
    [
        (0, {"a": UNTOLD, "b": FAILED}, ROLL_BACK),
        (1, {"a": UNTOLD, "b": FAILED}, HOLD),
        (1, {"a": FAILED, "b": FAILED, "c": UNTOLD}, ROLL_BACK),
        (2, {"a": SILENT, "b": SILENT, "c": UNTOLD}, HOLD),
        (2, {"a": SILENT, "b": UNTOLD}, ""),
    ],
    ids=[
        "more than may failed",
        "it is one too many only if",
        "two failed",
        "nobody failed",
        "within the limit",
    ],
)
def test_what_is_known_to_have_failed_beyond_the_limit_is_a_failure_whatever_else_cannot_be_told(
    limit: int, errors: dict[str, DeployError], expected: str
) -> None:
    made = switched(HOLD, ROLL_BACK, limit=limit, **errors)
    assert follows(made) == expected or outcome(made).accepted


def test_what_fails_while_it_stops_makes_a_failure_of_it() -> None:
    made = deploy(HOLD).fetch()
    made.ask()
    made.hear("a", SILENT)
    made.hear("b", FAILED)
    assert follows(made) == "", "two are still under way"
    made.hear("c d")
    assert follows(made) == ROLL_BACK
    made.carry_on()
    assert not outcome(made).blameless


@pytest.mark.parametrize("own", [ROLL_BACK, HOLD])
def test_a_release_of_which_nothing_is_known_is_not_called_bad(own: str) -> None:
    made = switched(own, a=SILENT).carry_on()
    assert outcome(made).blameless
    assert "1 host of all could not be judged, the limit is 0: a (no answer" in outcome(made).reason
    assert not outcome(switched("", a=SILENT).carry_on()).blameless


@pytest.mark.parametrize("own", POLICIES)
def test_hosts_that_do_not_fetch_by_silence_are_judged_likewise(own: str) -> None:
    made = deploy(own, HOLD).fetch(a=SILENT)
    assert follows(made) == (ASK if own == ASK else HOLD), (
        "nothing has changed, so there is nothing to lead back"
    )


@pytest.mark.parametrize("own", POLICIES)
@pytest.mark.parametrize("untold", [True, False], ids=["could not tell", "failed"])
def test_checks_of_the_master_that_could_not_tell_have_the_policy_of_their_group(
    own: str, untold: bool
) -> None:
    made = deploy(own, ROLL_BACK, gates=(Gate(AFTER_WAVE, 0),)).fetch().carry_on()
    made.check(ok=False, reason="check latency: no number", untold=untold)
    assert follows(made) == (own if untold else ROLL_BACK)


def test_before_the_fetch_the_repos_own_policy_counts() -> None:
    made = deploy(ASK, HOLD, gates=(Gate(BEFORE_FETCH, -1),))
    made.check(ok=False, reason="check latency: no number", untold=True)
    assert made.question.text == "check latency: no number"
    made.answer("retry")
    made.check(ok=False, reason="check latency: 9 s", untold=False)
    assert follows(made) == HOLD


def test_each_group_has_its_own() -> None:
    canary, rest = wave("canary", "a b", on_inconclusive=HOLD), wave("rest", "c d", on_inconclusive=ASK)
    for silent, expected in (("a", HOLD), ("c", ASK)):
        made = Deploy(canary, rest).fetch()
        while (hosts := made.ask()) and not follows(made):
            for host in hosts:
                made.hear(host, SILENT if host == silent else None)
        assert follows(made) == expected


@pytest.mark.parametrize("own", POLICIES)
def test_a_process_that_is_told_the_same_stands_in_the_same_state(own: str) -> None:
    made = switched(own, a=SILENT)
    assert standing(replay(made)) == standing(made.rollout)
