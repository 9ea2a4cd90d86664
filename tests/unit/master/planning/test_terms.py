"""The terms of a deploy: whose limits count, and that a roll back waits for hosts and for nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from saltdeploy.lib.errors import BadArguments
from saltdeploy.master.plan_model import RESTART, SYNC, Request
from saltdeploy.master.planning import plan, terms
from saltdeploy.master.rollout.model import ASK, CONTINUE, HOLD, ROLL_BACK, Ask, Rules
from saltdeploy.master.waves import Wave
from saltdeploy.protocol import events
from saltdeploy.protocol.orders import CHECKOUT, FETCH, ROLLBACK

from tests.unit.master.simulated_deploys import SimulatedDeploy
from tests.unit.master.simulation import FAILS_BEHIND, Simulation
from tests.unit.master.story import BROKEN, Deploy

HOSTS = [f"web{number}" for number in range(1, 8)]
CANARY = {"name": "canary", "targets": "web1"}
FLEET_CHECK = {"type": "command", "where": "master", "command": ["true"]}


def terms_of(
    action: str, *, interactive: bool = False, once: dict[str, object] | None = None, **section: Any
) -> tuple[tuple[Wave, ...], Rules]:
    """Waves and rules of a deploy of a repo with this section in the pillar; a group's targets are one host."""
    pillar = {"repo_config": {"wiki": {"upstream": "https://git.example.org/wiki", **section}}}
    wish = Request(action, "wiki", interactive=interactive, overrides=tuple((once or {}).items()))
    (repo,) = plan.configured(wish, pillar, "")
    waves = terms.waves_of(wish, repo, HOSTS, lambda expression, kind: [expression])
    return waves, terms.rules_of(wish, [repo], waves, pinned=False)


def limits(action: str, **section: Any) -> dict[str, tuple[int, int, int]]:
    """Of each wave: how many switch at once, how many may fail, how many switch back at once."""
    return {wave.name: (wave.window, wave.limit, wave.back) for wave in terms_of(action, **section)[0]}


# -- whose limits count -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("section", "canary", "rest"),
    [
        pytest.param({"batch": 1, "failure_limit": 1}, (1, 1, 1), (1, 1, 6), id="F05"),
        pytest.param({"batch": "50%", "failure_limit": "50%"}, (1, 0, 1), (3, 3, 6), id="F05-shares"),
        pytest.param({"rollback_batch": 2}, (1, 0, 2), (6, 0, 2), id="F05-rollback_batch"),
        pytest.param({}, (1, 0, 1), (6, 0, 6), id="defaults"),
    ],
)
@pytest.mark.parametrize("named", [[], [{"name": "default"}], [{"name": "default", "batch": None}]])
def test_F05_a_group_takes_from_the_repo_what_it_does_not_say(section, canary, rest, named):
    found = limits(SYNC, **section, groups=[CANARY, *named])
    assert found == {"canary": canary, "default": rest}


def test_F05_what_a_group_says_itself_counts():
    rest = {"name": "rest", "batch": 2, "failure_limit": 0, "rollback_batch": 3}
    found = limits(SYNC, batch=1, failure_limit=1, rollback_batch=1, groups=[CANARY, rest])
    assert found == {"canary": (1, 1, 1), "rest": (2, 0, 3)}


def test_F05_the_parts_of_a_split_group_share_the_limit_of_the_repo():
    waves, rules = terms_of(SYNC, failure_limit=1, groups=[{"name": "all", "group_size": 2}])
    deploy = Deploy(*waves, **rules.__dict__).fetch()
    deploy.ask()
    deploy.hear("web1", BROKEN)
    deploy.hear("web2")
    deploy.ask()
    deploy.hear("web3", BROKEN)
    deploy.hear("web4")
    assert deploy.carry_on().end == "ROLLED BACK 4/4"


# -- the way back of a deploy -------------------------------------------------------------------------------


def test_F06_a_failed_deploy_goes_back_with_the_window_of_the_way_back():
    waves, rules = terms_of(SYNC, batch=2, rollback_batch=3)
    deploy = Deploy(*waves, **rules.__dict__).fetch()
    assert deploy.ask() == ["web1", "web2"]
    deploy.hear("web1 web2")
    deploy.ask()
    deploy.hear("web3 web4", BROKEN)
    assert deploy.ask() == ["web4", "web3", "web2"]


def test_F06_as_many_go_back_as_went_forth_where_an_older_version_wrote_the_journal():
    told = {"name": "", "group": "", "hosts": ["a", "b", "c"], "window": 1, "limit": 2, "hold": ""}
    deploy = Deploy(Wave.from_wire(told)).fetch()
    for host in "abc":
        deploy.ask()
        deploy.hear(host, BROKEN)
    assert deploy.ask() == ["c"]


# -- a roll back by command ---------------------------------------------------------------------------------


@pytest.mark.parametrize("hold", [300, ASK])
def test_F06_a_roll_back_knows_no_holds(hold):
    waves, rules = terms_of(ROLLBACK, groups=[{**CANARY, "hold": hold}, {"name": "rest", "group_size": 2}])
    deploy = Deploy(*waves, **rules.__dict__).fetch().carry_on()
    assert deploy.end == "CONVERGED 7/7"
    assert [wave.name for wave in waves] == ["canary", "rest"], "a group is not split on the way back"


def test_F06_the_window_of_a_roll_back_is_its_own():
    assert limits(ROLLBACK, batch=1) == {"": (7, 0, 7)}
    assert limits(ROLLBACK, batch=1, rollback_batch="50%") == {"": (4, 0, 4)}


def test_F06_a_roll_back_goes_on_to_the_next_host_whoever_fails():
    waves, rules = terms_of(ROLLBACK, rollback_batch=1, groups=[CANARY])
    deploy = Deploy(*waves, **rules.__dict__).fetch(web2=BROKEN)
    while hosts := deploy.ask():
        deploy.hear(" ".join(hosts), BROKEN if hosts[0] in ("web1", "web4") else None)
    assert deploy.asked_for(CHECKOUT) == ["web1", "web3", "web4", "web5", "web6", "web7"]
    assert deploy.asked_for(ROLLBACK) == [], "the way back leads nobody to the release that is left"
    assert (deploy.end, deploy.astray) == ("MIXED 4/7", {"web1", "web2", "web4"})
    assert deploy.rollout.outcome.accepted, "who comes back later takes the release to which the fleet went"
    assert "no failure stops it" in deploy.reason


@pytest.mark.parametrize("action", [ROLLBACK, SYNC])
def test_F06_what_no_host_has_on_its_disk_is_not_what_the_fleet_should_run(action):
    waves, rules = terms_of(action, failure_limit="100%", on_failure=HOLD)
    deploy = Deploy(*waves, **rules.__dict__).fetch(**dict.fromkeys(HOSTS, BROKEN))
    assert deploy.end == "HELD 0/7"
    assert not deploy.rollout.outcome.accepted
    assert "no host has it on its disk: web1 (the disk is full)" in deploy.reason


def test_F06_a_roll_back_asks_nobody_at_the_barrier_and_runs_no_checks_of_the_master():
    checks = {"fleet": {**FLEET_CHECK, "after": "final"}, "errors": {**FLEET_CHECK, "after": "checkout"}}
    _, rules = terms_of(ROLLBACK, interactive=True, checks=checks, on_failure=ASK)
    assert (rules.confirm, rules.gates, rules.on_failure) == (False, frozenset(), CONTINUE)


def test_other_actions_keep_their_rules():
    checks = {"fleet": {**FLEET_CHECK, "after": "final"}}
    _, rules = terms_of(SYNC, interactive=True, checks=checks)
    assert (rules.confirm, len(rules.gates), rules.on_failure, rules.on_abort) == (True, 1, ASK, ROLL_BACK)
    _, rules = terms_of(FETCH, on_failure=HOLD)
    assert (rules.fetch_only, rules.on_failure) == (True, HOLD)
    _, rules = terms_of(RESTART)
    assert (rules.anew, rules.on_failure, rules.on_abort) == (True, HOLD, HOLD)


def test_F13_a_roll_back_that_is_aborted_leads_nobody_to_the_release_that_is_left():
    waves, rules = terms_of(ROLLBACK, rollback_batch=1, on_abort=ROLL_BACK)
    deploy = Deploy(*waves, **rules.__dict__).fetch()
    deploy.ask()
    deploy.hear("web1")
    deploy.ask()
    deploy.tell("abort", "stopped by amir")
    deploy.hear("web2")
    assert deploy.asked_for(ROLLBACK) == []
    assert deploy.end == "MIXED 5/7", "what was pinned stays pinned, and five hosts run it"
    assert deploy.astray == {"web1", "web2"}
    assert deploy.reason == "stopped by amir; 2 of 7 hosts have switched: web1, web2"


def test_F13_a_roll_back_that_is_aborted_before_anybody_switched_is_held():
    waves, rules = terms_of(ROLLBACK)
    deploy = Deploy(*waves, **rules.__dict__)
    deploy.ask()
    deploy.tell("abort", "stopped by amir")
    assert deploy.end == "HELD 0/7"


def test_F06_a_roll_back_whose_process_dies_goes_on_under_the_same_terms(tmp_path):
    section = {"groups": [{**CANARY, "hold": ASK}, {"name": "rest", "hold": 300}], "rollback_batch": 2}
    waves, rules = terms_of(ROLLBACK, **section)
    world = Simulation(1, HOSTS)
    world.minions["web1"].mishaps[FAILS_BEHIND, CHECKOUT] = 1
    deploy = SimulatedDeploy(tmp_path, world, waves, rules, action=ROLLBACK)
    end = deploy.run(kills=[40, 30])
    assert (str(end), end.astray, end.unwell) == ("MIXED 7/7", (), ("web1",)), (
        "its files are those of the others"
    )
    assert deploy.lives == 3
    assert not {events.PAUSED, events.QUESTION} & {event["event"] for event in world.fired}


@st.composite
def sections(draw: st.DrawFn) -> dict[str, Any]:
    """What a pillar may say about a rollout."""
    shares = st.sampled_from([1, 2, "1%", "50%", "100%"])
    keys = {"batch": shares, "rollback_batch": shares, "failure_limit": st.sampled_from([0, 1, "100%"])}
    of_a_group = {**keys, "hold": st.sampled_from([0, 30, ASK]), "group_size": st.integers(1, 3)}
    groups = [
        {
            "name": f"g{number}",
            "targets": f"web{number}",
            **draw(st.fixed_dictionaries({}, optional=of_a_group)),
        }
        for number in range(draw(st.integers(0, 3)))
    ]
    points = st.sampled_from(
        [("before", "fetch"), ("after", "fetch"), ("after", "checkout"), ("after", "final")]
    )
    checks = {
        f"c{n}": {**FLEET_CHECK, when: stage}
        for n, (when, stage) in enumerate(draw(st.lists(points, max_size=2)))
    }
    return {
        **draw(st.fixed_dictionaries({}, optional=keys)),
        "groups": groups,
        "checks": checks,
        "on_failure": draw(st.sampled_from([ROLL_BACK, HOLD, ASK])),
    }


@given(section=sections(), interactive=st.booleans(), data=st.data())
def test_F06_a_roll_back_never_waits_for_anything_but_hosts(section, interactive, data):
    waves, rules = terms_of(ROLLBACK, interactive=interactive, **section)
    deploy = Deploy(*waves, **rules.__dict__)
    fetched = set()
    while deploy.rollout.outcome is None:
        due = deploy.rollout.due()
        assert due is None or isinstance(due, Ask)
        deploy.ask()
        host = data.draw(st.sampled_from(sorted(deploy.rollout.in_flight())))
        works = data.draw(st.booleans())
        if works and deploy.rollout.stage == FETCH:
            fetched.add(host)
        deploy.hear(host, None if works else BROKEN)
    assert set(deploy.asked_for(CHECKOUT)) == fetched, (
        "each host that can go back does, whatever the others do"
    )
    assert deploy.asked_for(ROLLBACK) == []


# -- for one deploy alone -------------------------------------------------------------------------------------

OWN = {"groups": [{**CANARY, "batch": 1, "failure_limit": 0, "hold": 60}, {"name": "rest"}]}


def test_F08_what_is_said_for_one_deploy_counts_for_every_group():
    once = {"batch": "50%", "failure_limit": 1, "hold": "ask", "on_failure": "hold"}
    waves, rules = terms_of(SYNC, once=once, **OWN)
    assert [(wave.window, wave.limit, wave.hold) for wave in waves] == [(1, 1, ASK), (3, 1, ASK)]
    assert rules.on_failure == HOLD
    assert [wave.hold for wave in terms_of(SYNC, **OWN)[0]] == ["60", ""]


def test_F08_no_hold_can_be_said_for_one_deploy():
    assert [wave.hold for wave in terms_of(SYNC, once={"hold": 0}, **OWN)[0]] == ["", ""]


def test_F08_the_batch_of_a_roll_back_is_how_many_switch_back_at_once():
    section = {"groups": [{**CANARY}, {"name": "rest", "rollback_batch": 5, "batch": 4}]}
    assert limits(ROLLBACK, once={"batch": 2}, **section)["rest"][0] == 2
    assert limits(ROLLBACK, **section)["rest"][0] == 5


def test_F08_on_failure_that_is_said_counts_before_what_interactive_asks():
    assert terms_of(SYNC, interactive=True, once={"on_failure": "hold"})[1].on_failure == HOLD
    assert terms_of(SYNC, interactive=True)[1].on_failure == ASK


@pytest.mark.parametrize(
    ("action", "wish", "rule", "of_waves"),
    [
        (SYNC, {}, "hold", ["ask", "hold"]),
        (SYNC, {"once": {"on_inconclusive": "rollback"}}, "rollback", ["rollback"] * 2),
        (SYNC, {"interactive": True}, "", ["", ""]),
        (SYNC, {"interactive": True, "once": {"on_inconclusive": "hold"}}, "hold", ["hold"] * 2),
        (ROLLBACK, {}, "", ["", ""]),
        (RESTART, {}, "", ["", ""]),
    ],
    ids=[
        "the pillar's",
        "said for once",
        "somebody is asked",
        "said, and somebody is there",
        "a way back",
        "a restart",
    ],
)
def test_what_cannot_be_told_has_a_rule_where_something_can_go_back(action, wish, rule, of_waves):
    groups = [{**CANARY, "on_inconclusive": "ask"}, {"name": "rest"}]
    waves, rules = terms_of(action, on_inconclusive="hold", groups=groups, **wish)
    assert (rules.on_inconclusive, [wave.on_inconclusive for wave in waves]) == (rule, of_waves)


def test_who_says_nothing_of_it_writes_what_older_versions_read():
    waves, _ = terms_of(SYNC)
    assert "on_inconclusive" not in waves[0].to_wire()
    (said,) = terms_of(SYNC, on_inconclusive="ask")[0]
    assert type(said).from_wire(said.to_wire()) == said


@pytest.mark.parametrize(
    ("once", "cause", "instead"),
    [
        ({"batch": 0}, "batch must let at least one host switch", "batch=25%"),
        ({"failure_limit": "101%"}, "failure_limit must be a count", "failure_limit=10%"),
        ({"on_failure": "explode"}, "on_failure must be one of rollback, hold, ask", "on_failure=hold"),
        ({"hold": "yes"}, "hold must be a number of seconds", "hold=ask"),
    ],
)
def test_F08_what_the_pillar_could_not_say_is_refused_with_what_it_could(once, cause, instead):
    with pytest.raises(BadArguments) as raised:
        terms_of(SYNC, once=once, **OWN)
    assert raised.value.cause.startswith(cause)
    assert raised.value.next == f"salt-run deploy.sync repo=wiki {instead}"


def test_F08_a_hold_is_refused_where_there_are_no_groups_between_which_to_hold():
    with pytest.raises(BadArguments, match="the repo has no groups"):
        terms_of(SYNC, once={"hold": "ask"})


def test_F08_a_refusal_of_several_repos_names_all_of_them():
    wish = Request(SYNC, "wiki", "v1", overrides=(("batch", 0),), also=(("l10n", "v7"),))
    section = {"upstream": "https://git.example.org/wiki"}
    with pytest.raises(BadArguments) as raised:
        plan.configured(wish, {"repo_config": {"wiki": section, "l10n": section}}, "")
    assert raised.value.next == """salt-run deploy.sync repo='{"wiki": "v1", "l10n": "v7"}' batch=25%"""
