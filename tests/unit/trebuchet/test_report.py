"""Trebuchet's report, byte for byte."""

from __future__ import annotations

from saltdeploy.trebuchet.progress import HostStage, StageProgress, combined
from saltdeploy.trebuchet.report import report

NOW = 1_000_000.0
REPO, TAG = "test/testrepo", "test/testrepo-sync-20131216-030825"
FINE = HostStage(0, NOW - 30, NOW - 10, done=True)
FULL = HostStage(143, NOW - 125, NOW - 70, cause="the disk is full", next="df -h /srv")
SILENT = HostStage()


def shown(*stages: StageProgress, detailed: bool = False) -> str:
    return "\n".join(report(REPO, TAG, stages, NOW, detailed=detailed)) + "\n"


def test_a_stage_is_one_line() -> None:
    fetch = StageProgress("fetch", {"web1": FINE, "web2": FINE, "web3": FINE})
    assert shown(fetch) == f"Repo: {REPO}\nTag: {TAG}\n\n3/3 minions completed fetch\n"


def test_details_of_a_stage_are_of_those_that_have_not_done_it() -> None:
    checkout = StageProgress("checkout", {"web10": SILENT, "web1": FINE, "web2": FULL})
    assert shown(checkout, detailed=True) == (
        f"Repo: {REPO}\nTag: {TAG}\n\n1/3 minions completed checkout\n\nDetails:\n\n"
        "web2: \n"
        "\tcheckout status: 143 [started: 2 mins ago, last-return: 1 mins ago]\n"
        "\tthe disk is full. Next: df -h /srv\n"
        "web10: \n"
        "\tcheckout status: None [started: None mins ago, last-return: None mins ago]\n"
    )


def test_details_of_both_stages_are_of_all() -> None:
    fetch = StageProgress("fetch", {"web1": FINE, "web2": FINE})
    checkout = StageProgress("checkout", {"web1": FINE, "web2": FULL})
    assert shown(fetch, checkout, detailed=True) == (
        f"Repo: {REPO}\nTag: {TAG}\n\n"
        "2/2 minions completed fetch; 1/2 minions completed checkout\n\nDetails:\n\n"
        "web1: \n"
        "\tfetch status: 0 [started: 0 mins ago, last-return: 0 mins ago]\n"
        "\tcheckout status: 0 [started: 0 mins ago, last-return: 0 mins ago]\n"
        "web2: \n"
        "\tfetch status: 0 [started: 0 mins ago, last-return: 0 mins ago]\n"
        "\tcheckout status: 143 [started: 2 mins ago, last-return: 1 mins ago]\n"
        "\tthe disk is full. Next: df -h /srv\n"
    )


def test_minutes_go_on_after_a_day() -> None:
    old = HostStage(1, NOW - 2 * 86_400, NOW - 86_400 - 60)
    assert "[started: 2880 mins ago, last-return: 1441 mins ago]" in shown(
        StageProgress("fetch", {"web1": old}), detailed=True
    )


def test_no_host_moves_the_cursor() -> None:
    bad = HostStage(1, cause="\x1b[2Jgone\nweb9: ")
    lines = shown(StageProgress("fetch", {"web1\x1b[A": bad}), detailed=True)
    assert "\x1b" not in lines and "\nweb9" not in lines


def test_who_holds_the_release_has_completed_its_fetch_and_who_runs_it_its_checkout() -> None:
    said = {
        "hosts": {
            "web1": {"tag": TAG, "held": ["v1", TAG], "reachable": True},
            "web2": {"tag": "v1", "held": ["v1", TAG], "reachable": True},
            "web3": {"tag": "v1", "held": ["v1"], "reachable": True},
            "web4": {"tag": TAG, "held": [TAG], "reachable": False},
            "app1": {"tag": TAG, "held": [TAG], "reachable": False, "over_ssh": True},
        }
    }
    fetch, checkout = combined(said, TAG, {"fetch": StageProgress("fetch", {"web3": FULL})})
    assert (fetch.done, checkout.done) == (["web1", "web2"], ["web1"])
    assert fetch.hosts["web3"].cause == "the disk is full"
    silent = checkout.hosts["web4"]
    assert (silent.status, silent.cause, silent.next) == (None, "it does not answer", "salt web4 test.ping")
    assert checkout.hosts["app1"].next == "salt-run deploy.doctor", "no minion of that name is there"
