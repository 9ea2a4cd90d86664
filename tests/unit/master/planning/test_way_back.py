"""Where a roll back leads, whatever became of the master's clock and memory; and what it says where it cannot know."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from saltdeploy.lib.errors import BadRelease, NothingToRollBackTo
from saltdeploy.master.planning import release_guards
from saltdeploy.master.records.journal import Journals
from saltdeploy.master.reports import results
from saltdeploy.watch.console.results import render

from tests.unit.master.masters import NOON
from tests.unit.master.pasts import HOSTS, REPO, Past, release

AGAIN = f"salt-run deploy.rollback repo={REPO}"
ALONE = f"salt 'web*' deploy.rollback {REPO}"


@pytest.fixture
def past(tmp_path: Path) -> Past:
    return Past(tmp_path / "master")


def restored(past: Past, tmp_path: Path, *forgotten: str) -> None:
    """Releases are deployed of which the master knows nothing any more, since it is given an older copy of its memory."""
    shutil.copytree(past.master.root, tmp_path / "copy")
    for tag in forgotten:
        past.deploy(tag)
    shutil.rmtree(past.master.root)
    shutil.copytree(tmp_path / "copy", past.master.root)


def refusal(past: Past, to: str = "") -> NothingToRollBackTo:
    with pytest.raises(NothingToRollBackTo) as found:
        past.way_back(to)
    return found.value


# -- what was accepted ----------------------------------------------------------------------------------


def test_F51_with_a_dead_host_within_the_limit_it_leads_to_the_release_before_and_the_one_it_left_is_bad(
    past: Past,
) -> None:
    past.deploy("v0")
    past.fleet.silent = {"web3"}
    for tag in ("v2", "v3", "v4"):
        past.deploy(tag, outcome="MIXED", accepted=True)
    assert past.way_back().release == release("v3")
    past.deploy("v3", "rollback", "MIXED", accepted=True)
    assert past.bad() == {"v4"}
    assert past.way_back().release == release("v2")


def test_F51_a_bad_release_that_is_accepted_within_the_limits_is_good_again(past: Past) -> None:
    past.deploy("v1")
    past.deploy("v2")
    past.deploy("v1", "rollback")
    assert past.bad() == {"v2"}
    past.deploy("v2", outcome="MIXED", accepted=True)
    assert past.bad() == set()


def test_F07_another_tag_of_a_bad_commit_is_refused(past: Past) -> None:
    past.deploy("v1")
    past.record("v2", outcome="ROLLED BACK")
    with pytest.raises(BadRelease, match="v9 is marked bad: it is the same commit as v2: it was rolled back"):
        release_guards.refuse_bad(release("v9", "v2"), past.history, force=False)
    past.deploy("v9", commit="v2")
    release_guards.refuse_bad(release("v2"), past.history, force=False)
    assert past.bad() == set()


# -- epochs ---------------------------------------------------------------------------------------------


def test_F52_a_clock_that_was_ahead_for_one_deploy_changes_nothing(past: Past) -> None:
    past.deploy("v1", deploy="20261123120000000000", time=NOON)
    past.deploy("v2", deploy="20271123120000000000", time=NOON + 365 * 86_400)  # a year ahead
    past.deploy("v3", deploy="20261123130000000000", time=NOON + 3600)
    assert [version["tag"] for version in past.history.versions(REPO)] == ["v3", "v2", "v1"]
    assert Journals(past.master.root).latest(REPO) == "20261123130000000000"
    assert past.history.latest(REPO) == "20261123130000000000"
    assert past.way_back().release == release("v2")
    past.deploy("v2", "rollback", deploy="20261123140000000000", time=NOON + 7200)
    assert past.bad() == {"v3"}
    shutil.rmtree(past.master.root / "store")
    assert past.bad() == {"v3"}, "the journals say the same"
    assert past.way_back().release == release("v1")


def test_F52_a_roll_back_to_what_runs_is_refused_and_names_what_pins_it(past: Past) -> None:
    past.deploy("v1")
    past.deploy("v2")
    for host in past.fleet.hosts.values():
        host.switch("v1", back=True)
    error = refusal(past)
    assert "v1, and that is what every host that answered runs already" in error.cause
    assert error.next.startswith(f"{AGAIN} to=v1; or ")
    assert past.way_back("v1").release == release("v1")
    past.deploy("v1", "rollback")
    assert "v1 is what every host that answered runs already" in refusal(past, "v1").cause


def test_F52_a_host_whose_switch_did_not_come_to_a_good_end_can_be_led_back_again(past: Past) -> None:
    past.deploy("v1")
    past.deploy("v2")
    past.fleet.hosts["web1"].switch("v1", back=True)
    assert past.way_back().release == release("v1")


# -- what hosts know ------------------------------------------------------------------------------------


def test_F53_a_restored_master_says_so_first_and_goes_back_to_what_hosts_ran_before(
    past: Past, tmp_path: Path
) -> None:
    past.deploy("v0")
    past.deploy("v1")
    restored(past, tmp_path, "v2", "v3")
    found = past.way_back()
    assert (found.release, found.left) == (release("v2"), release("v3"))
    assert found.warning.startswith(
        "web1, web2, web3 took part in deploys of which this master has no record"
    )
    assert found.warning.endswith("they run v3, and ran v2 before")


def test_F53_what_it_leaves_is_bad_and_not_what_it_remembered(past: Past, tmp_path: Path) -> None:
    past.deploy("v0")
    past.deploy("v1")
    restored(past, tmp_path, "v2", "v3")
    ran = {"tag": "v3", "commit": release("v3").commit}
    past.deploy("v2", "rollback", epoch=1000, left=ran)
    assert past.bad() == set(), "this master has no deploy of v3 to show"
    assert past.history.is_bad(REPO, "v3", release("v3").commit)
    assert past.way_back().release == release("v1"), "which hosts ran before that"


def test_F53_to_takes_what_every_host_holds(past: Past, tmp_path: Path) -> None:
    past.deploy("v0")
    past.deploy("v1")
    restored(past, tmp_path, "v2", "v3")
    assert past.way_back("v2").release == release("v2")
    assert past.way_back("v0").release == release("v0")
    past.fleet.hosts["web2"].lived.remove("v2")
    error = refusal(past, "v2")
    assert "v2 was never deployed successfully from here, and not every host holds it" in error.cause
    assert f"{AGAIN} to=v1" in error.next


def test_F53_where_hosts_do_not_agree_it_refuses_and_names_the_ways(past: Past, tmp_path: Path) -> None:
    past.deploy("v0")
    past.deploy("v1")
    restored(past, tmp_path, "v2", "v3")
    past.fleet.hosts["web2"].bad.add("v2")
    error = refusal(past)
    assert "no record" in error.cause
    assert "do not agree" in error.cause
    assert f"{AGAIN} to=v2" in error.next
    assert ALONE in error.next


def test_F53_a_host_that_missed_the_newest_deploy_has_no_say(past: Past, tmp_path: Path) -> None:
    past.deploy("v0")
    past.deploy("v1")
    shutil.copytree(past.master.root, tmp_path / "copy")
    past.fleet.silent = {"web2"}
    past.deploy("v2", outcome="MIXED", accepted=True)
    past.fleet.silent = set()
    shutil.rmtree(past.master.root)
    shutil.copytree(tmp_path / "copy", past.master.root)
    assert past.way_back().release == release("v1")


def test_F53_a_master_that_lost_everything_takes_what_hosts_ran_before(past: Past) -> None:
    past.deploy("v1")
    past.deploy("v2")
    shutil.rmtree(past.master.root)
    assert past.way_back().release == release("v1")


def test_F53_where_no_host_is_heard_it_names_the_local_way_back(past: Past) -> None:
    past.fleet.silent = set(HOSTS)
    error = refusal(past)
    assert "no earlier release" in error.cause
    assert error.next.startswith("salt 'web*' saltutil.refresh_pillar, then the same command again; or ")
    assert ALONE in error.next


def test_F53_hosts_of_a_version_that_tells_no_epoch_are_heard_by_what_they_run(
    past: Past, tmp_path: Path
) -> None:
    past.deploy("v0")
    past.deploy("v1")
    restored(past, tmp_path, "v2", "v3")
    for host in past.fleet.hosts.values():
        host.epoch = 0
    assert past.way_back().release == release("v2")


def test_F53_what_was_only_fetched_is_no_way_back(past: Past) -> None:
    past.deploy("v1")
    past.deploy("v2")
    past.record("v3", "fetch", accepted=False)
    for host in past.fleet.hosts.values():
        host.epoch = 30
        host.lived.insert(0, "v3")
    assert "v3 was never deployed successfully" in refusal(past, "v3").cause


# -- reports --------------------------------------------------------------------------------------------


def test_F53_the_report_of_a_restored_master_begins_with_that_and_does_not_advise_the_old_tag(
    past: Past, tmp_path: Path
) -> None:
    past.deploy("v0")
    past.deploy("v1")
    restored(past, tmp_path, "v2", "v3")
    view = results.of_fleet(past.repo, past.master)
    assert (view["retcode"], view["before"]) == (1, "")
    text = render(view) or ""
    assert text.startswith(
        f"{REPO}: web1, web2, web3 took part in deploys of which this master has no record"
    )
    assert text.endswith(f"Next: salt-run deploy.sync repo={REPO} tag=v3; or {AGAIN}")


def test_F51_report_and_versions_tell_where_a_roll_back_leads(past: Past) -> None:
    past.deploy("v1")
    past.deploy("v2", outcome="MIXED", accepted=True)
    for view in (
        results.of_fleet(past.repo, past.master),
        results.of_versions(REPO, past.history, past.master.root),
    ):
        assert view["before"] == "v1"
        assert "deploy.rollback leads to v1" in (render(view) or "")
    assert "unrecorded" not in results.of_fleet(past.repo, past.master)


def test_F53_a_report_works_without_the_history(past: Past) -> None:
    past.deploy("v1")
    past.master.store.broken = True  # type: ignore[attr-defined]
    view = results.of_fleet(past.repo, past.master)
    assert (view["retcode"], view["before"]) == (0, "")


def test_F53_an_order_that_is_resumed_under_another_epoch_is_known(past: Past) -> None:
    past.deploy("v1")
    past.deploy("v2")
    for host in past.fleet.hosts.values():
        host.epoch = 25
    assert past.way_back().warning
    deploy = past.history.latest(REPO)
    past.history.resumed({"repo": REPO, "deploy": deploy, "epoch": 25})
    assert not past.way_back().warning
