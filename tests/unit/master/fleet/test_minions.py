"""Stories of one host that is asked and does not answer as it should."""

from __future__ import annotations

from collections import Counter

import pytest
from saltdeploy.lib.errors import Unreachable
from saltdeploy.master.fleet.authenticity import Authenticator
from saltdeploy.master.fleet.minions import Fleet
from saltdeploy.protocol import events
from saltdeploy.protocol.orders import CHECKOUT, FETCH, ROLLBACK, Order
from saltdeploy.protocol.result import Result

from tests.unit.master.simulation import DEATH, JOB, NEW, REPO, RETURN, Habits, Minion, Simulation

DEPLOY = "20261123120000000000"
HOSTS = ("web1", "web2", "web3")


class Asked:
    """A small fleet that is asked."""

    def __init__(self, habits: Habits = Habits(), timeout: float = 600.0) -> None:  # noqa: B008 - frozen
        self.world = Simulation(1, HOSTS, habits)
        self.warnings: list[str] = []
        self.fleet = Fleet(
            self.world, DEPLOY, Authenticator(self.world.secret), timeout, self.warnings.append
        )
        self.answers: list[Result] = []

    @property
    def web1(self) -> Minion:
        return self.world.minions["web1"]

    def ask(self, stage: str = FETCH, attempt: int = 1, hosts: tuple[str, ...] = ("web1",)) -> Asked:
        self.fleet.ask(list(hosts), (Order(DEPLOY, 1, stage, NEW, attempt=attempt),))
        return self

    def listen(self, answers: int = 1) -> list[Result]:
        """Listen until so many have answered."""
        self.answers = []
        for _ in range(10_000):
            self.answers += self.fleet.hear(0.25).answers
            if len(self.answers) >= answers:
                return self.answers
        raise AssertionError("it waits for ever")

    def jobs(self) -> Counter[str]:
        """How often each function was published to a host."""
        return Counter(function for function, _ in self.world.published)


@pytest.fixture
def asked() -> Asked:
    return Asked()


def test_an_answer_that_is_lost_is_fetched_from_the_hosts_record(asked):
    asked.web1.mishaps[RETURN] = 1
    assert asked.ask().listen()[0].ok
    assert asked.jobs() == {"deploy.fetch": 1, "deploy.result": 1}
    assert asked.web1.finished.total() == 1


def test_an_answer_that_is_lost_twice_is_fetched_at_the_second_try(asked):
    asked.web1.mishaps[RETURN] = 2
    assert asked.ask().listen()[0].ok
    assert asked.jobs() == {"deploy.fetch": 1, "deploy.result": 2}


def test_a_host_that_never_heard_the_question_is_asked_anew(asked):
    asked.web1.mishaps[JOB] = 1
    assert asked.ask().listen()[0].ok
    assert asked.jobs() == {"deploy.fetch": 2, "deploy.result": 1}


@pytest.mark.parametrize("stage", [FETCH, CHECKOUT])
def test_a_minion_that_died_in_the_middle_of_a_stage_is_asked_anew_when_it_is_back(asked, stage):
    asked.web1.mishaps[DEATH] = 1
    assert asked.ask(stage).listen()[0].ok
    assert asked.web1.finished.total() == 1
    assert not asked.web1.holdings.unsettled


def test_a_stage_that_kills_its_minion_each_time_is_not_tried_for_ever(asked):
    asked.web1.mishaps[DEATH] = 1000
    assert isinstance(asked.ask().listen()[0].error, Unreachable)
    assert asked.jobs()["deploy.fetch"] == 4


def test_a_host_that_says_nothing_is_asked_twice_what_became_of_it(asked):
    asked.web1.mishaps[JOB] = 1000
    assert isinstance(asked.ask().listen()[0].error, Unreachable)
    assert asked.jobs() == {"deploy.fetch": 1, "deploy.result": 2}


def test_a_host_that_works_for_long_is_waited_for(asked):
    asked = Asked(Habits(slow=100.0))
    assert asked.ask(hosts=HOSTS).listen(3)[-1].ok
    assert asked.jobs()["deploy.fetch"] == 3


def test_a_host_that_works_beyond_all_patience_is_given_up():
    asked = Asked(Habits(slow=100_000.0))
    assert "no end after 600 seconds" in asked.ask().listen()[0].error.cause


def test_a_host_that_is_too_busy_to_answer_twice_and_then_tells_how_far_it_is_is_waited_for(asked):
    asked.web1.mishaps[JOB] = 3  # the order, and both questions
    asked.ask()
    while asked.jobs()["deploy.result"] < 2:
        asked.fleet.hear(0.25)
    progress = events.host_progress(
        DEPLOY,
        REPO,
        asked.world.now(),
        host="web1",
        stage=FETCH,
        phase="receive",
        done=1,
        total=2,
        unit="bytes",
    )
    asked.world.put(events.tag_of(progress), {"data": progress})
    assert asked.listen()[0].ok


@pytest.mark.parametrize(("timeout", "least"), [(60.0, 15), (600.0, 30), (3600.0, 180)])
def test_a_stage_that_may_take_long_gives_a_silent_host_more_time(timeout, least):
    asked = Asked(timeout=timeout)
    asked.web1.mishaps[JOB] = 1000
    begin = asked.world.now()
    assert isinstance(asked.ask().listen()[0].error, Unreachable)
    assert least <= asked.world.now() - begin <= least + 5


def test_hosts_that_never_heard_the_question_are_asked_anew_at_once(asked):
    for host in HOSTS:
        asked.world.minions[host].mishaps[JOB] = 1
    asked.ask(hosts=HOSTS).listen(3)
    assert len(asked.world.jids) == 3, "a job to all, one question to all, and once more the job to all"


def test_an_answer_to_the_first_attempt_is_none_to_the_second(asked):
    first = asked.ask().listen()[0]
    asked.web1.mishaps[JOB] = 1  # the second never arrives at first
    asked.ask(attempt=2)
    asked.world.returned("web1", asked.world.jids[0], first.to_wire(asked.world.secret("web1")))
    second = asked.listen()[0]
    assert (first.attempt, second.attempt) == (1, 2)


def test_an_answer_to_another_stage_is_none_to_this(asked):
    first = asked.ask(FETCH).listen()[0]
    asked.ask(CHECKOUT)
    asked.world.returned("web1", asked.world.jids[0], first.to_wire(asked.world.secret("web1")))
    assert asked.listen()[0].stage == CHECKOUT


def test_an_answer_without_the_hosts_signature_is_noted_once_and_its_own_counts(asked):
    asked.ask()
    for _ in range(3):
        asked.world.returned("web1", asked.world.jids[0], Result("web1", REPO, DEPLOY, 1, FETCH).to_wire())
    answer = asked.listen()[0]
    assert answer.commit == NEW.commit, "the false one names no commit"
    assert len(asked.warnings) == 1


@pytest.mark.parametrize(
    "came",
    [
        "'deploy.fetch' is not available.",
        "'deploy' __virtual__ returned False: the door is saltdeploy 0.2.0, the package is 0.1.0",
        "The minion function caused an exception: Traceback (most recent call last):\n"
        '  File "minion.py", line 1, in run\n'
        * 30
        + "AttributeError: module 'saltdeploy.minion' has no attribute 'stages'",
        "Passed invalid arguments to deploy.fetch: unexpected keyword argument 'order'",
        None,
    ],
    ids=["no door", "a door that refuses", "a door without its package", "an older door", "nothing"],
)
def test_what_salt_says_where_half_an_upgrade_is_missing_leads_to_the_other_half(asked, came):
    asked.web1.mishaps[JOB] = 1000
    asked.ask()
    asked.world.returned("web1", asked.world.jids[0], came)
    error = asked.listen()[0].error
    assert isinstance(error, Unreachable)
    assert error.next == "salt 'web1' saltutil.sync_all"
    assert error.cause.count(str(came).splitlines()[-1]) == 1
    assert len(error.cause) < 1000


SYNCED = (
    "'deploy' __virtual__ returned False: the door is saltdeploy 0.2.0, the package is 0.1.0. Next: sync all"
)


def replace_package(asked: Asked, seconds: float, *, of: str = "web1") -> None:
    """From now on, and for so long, each new job of the host meets files of two versions."""
    publish, end = asked.world.publish, asked.world.elapsed() + seconds

    def refuse(hosts, function, arguments, jid):
        if of in hosts and asked.world.elapsed() < end:
            asked.world.published.append((function, of))
            asked.world.returned(of, jid, SYNCED)
            hosts = [host for host in hosts if host != of]
        if hosts:
            publish(hosts, function, arguments, jid)

    asked.world.publish = refuse


@pytest.mark.parametrize("stage", [FETCH, CHECKOUT, ROLLBACK])
@pytest.mark.parametrize("seconds", [3.0, 20.0, 100.0])
def test_a_host_whose_package_is_being_replaced_is_asked_until_it_takes_the_job(asked, stage, seconds):
    replace_package(asked, seconds)
    assert asked.ask(stage).listen()[0].ok
    assert asked.web1.finished.total() == 1
    assert len(asked.warnings) == 1


def test_a_host_whose_package_is_replaced_while_it_works_is_not_called_unreachable(asked):
    asked = Asked(Habits(slow=80.0), timeout=600)
    asked.ask(CHECKOUT)
    asked.fleet.hear(0.25)
    replace_package(asked, 100.0)
    assert asked.listen()[0].ok
    assert asked.jobs()["deploy.checkout"] == 1


def test_the_time_of_a_sync_is_not_taken_off_the_time_of_the_stage(asked):
    asked = Asked(timeout=10)
    replace_package(asked, 60.0)
    assert asked.ask(ROLLBACK).listen()[0].ok


def test_a_host_that_keeps_files_of_two_versions_is_given_up_with_the_sentence_and_what_helps(asked):
    replace_package(asked, 100_000.0)
    begun = asked.world.elapsed()
    error = asked.ask().listen()[0].error
    assert "the door is saltdeploy 0.2.0, the package is 0.1.0" in error.cause
    assert error.next == "salt 'web1' saltutil.sync_all"
    assert asked.world.elapsed() - begun < 180


def test_F31_a_host_in_blackout_is_told_as_that_with_what_to_allow(asked):
    asked.web1.mishaps[JOB] = 1000
    asked.ask()
    asked.world.returned(
        "web1",
        asked.world.jids[0],
        "ERROR executing 'deploy.fetch': Minion in blackout mode. Set 'minion_blackout' to False in pillar or grains to "
        "resume operations. Only saltutil.refresh_pillar allowed in blackout mode.",
    )
    error = asked.listen()[0].error
    assert "blackout mode" in error.cause
    assert "deploy.fetch, deploy.checkout, deploy.rollback" in error.next
    assert error.next.endswith("salt 'web1' saltutil.refresh_pillar")


def test_an_answer_that_nobody_signed_is_the_best_reason_for_a_host_that_stays_silent(asked):
    asked.web1.mishaps[JOB] = 1000
    asked.ask()
    asked.world.returned("web1", asked.world.jids[0], Result("web1", REPO, DEPLOY, 1, FETCH).to_wire())
    error = asked.listen()[0].error
    assert "without the host's signature" in error.cause
    assert error.next.startswith("salt 'web1' saltutil.refresh_pillar")


def test_what_was_ignored_is_logged_once_for_whoever_reads_warnings(asked, caplog):
    caplog.set_level("WARNING")
    asked.ask()
    asked.world.returned("web1", asked.world.jids[0], "no answer")
    assert asked.listen()[0].ok
    assert len(asked.warnings) == 1
    assert not [record for record in caplog.records if "ignored" in record.getMessage()], (
        "the recorder logs warnings"
    )


def test_a_flood_of_messages_does_not_keep_the_deploy_from_its_other_work(asked):
    asked.ask()
    asked.world.next = lambda wait: ("salt/job/1/ret/web9", {})  # it never ends
    assert asked.fleet.hear(0.25).answers == []


@pytest.mark.parametrize("data", [None, [], "text", 7])
def test_an_event_that_is_no_table_is_passed_over(asked, data):
    asked.ask()
    asked.world.put(f"salt/job/{asked.world.jids[0]}/ret/web1", data)
    assert asked.listen()[0].ok
