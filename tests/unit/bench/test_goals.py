"""What must be reached is judged in each run beside the fastest peer of that run, by the run in the middle."""

import pytest

from bench import goals
from bench.goals import COLD, WARM, Row


def took(seconds: float, cpu: float = 1.0) -> dict:
    return {
        "seconds": seconds,
        "hosts": {"hub": {"cpu": 9.0}, "web1": {"cpu": cpu}, "web2": {"cpu": 3 * cpu}},
    }


def run(ours: float, **peers: float) -> dict:
    return {WARM: {"small": took(ours)}, **{name: {"small": took(each)} for name, each in peers.items()}}


SMALL = Row("small", goals.beside_the_fastest("small"), 1.2)


def test_a_run_is_judged_beside_the_fastest_peer_of_that_run():
    verdict = goals.judge([SMALL], [run(3.0, rsync=2.0, **{"git-smart": 4.0})])[0]
    assert (verdict.middle.value, verdict.middle.name) == (1.5, "rsync")
    assert verdict.is_missed


def test_one_unlucky_run_of_three_misses_no_aim():
    verdict = goals.judge([SMALL], [run(1.0, rsync=1.0), run(9.0, rsync=1.0), run(1.1, rsync=1.0)])[0]
    assert verdict.middle.value == 1.1
    assert not verdict.is_missed
    assert "| 1.10 × | 1.00 to 9.00 | 1.2 × | met |" in goals.told([verdict])


@pytest.mark.parametrize(
    "found", [pytest.param([], id="no run"), pytest.param([{WARM: {"small": took(1.0)}}], id="no peer")]
)
def test_what_was_not_measured_is_told_and_not_missed(found):
    verdict = goals.judge([SMALL], found)[0]
    assert not verdict.is_missed
    assert "not measured" in goals.told([verdict])


@pytest.mark.parametrize(("case", "rounds", "left"), [("none", 0, 0.5), ("small", 2, 1.1)])
def test_a_cold_command_is_judged_by_what_salt_does_not_take_itself(case, rounds, left):
    cells = {"none": took(1.5), "small": took(2.5), "test.arg": took(1.0), "round": {"seconds": 0.2}}
    value = goals.beyond(case, rounds)({COLD: cells})
    assert value.value == pytest.approx(left)


def test_the_processor_time_of_a_host_leaves_the_hub_out():
    cells = {WARM: {"small": took(1.0, cpu=0.1)}, "git-smart": {"small": took(1.0, cpu=0.2)}}
    assert goals.of_a_host("small")(cells).value == pytest.approx(0.2)
