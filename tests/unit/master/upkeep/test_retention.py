"""Old journals go by ``deploy.gc``, and whatever could be told before can be told after, also by what is left of them."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from saltdeploy.config.journals import JournalRetention
from saltdeploy.lib.cleanup import Cleanup
from saltdeploy.lib.errors import ConfigError, DeployError
from saltdeploy.master.records.journal import Journals
from saltdeploy.master.records.lineage import lineage
from saltdeploy.master.records.pins import Pins
from saltdeploy.master.records.told_positions import ToldPositions
from saltdeploy.master.running.operator import OperatorSignals
from saltdeploy.master.upkeep import retention
from saltdeploy.master.upkeep.retention import Readers

from tests.support.repositories import repo as configured
from tests.support.rounds import rounds
from tests.unit.master.masters import NOON
from tests.unit.master.pasts import REPO, Past

NOBODY = Readers()
LONG_AGO = NOON - 400 * 86_400


def aged(past: Past, *, but: int = 0) -> list[str]:
    """The ids of all deploys, whose journals are old from now on, except the newest ones."""
    journals = Journals(past.master.root)
    deploys = journals.all(REPO)
    for deploy in deploys[: len(deploys) - but]:
        os.utime(journals.path(REPO, deploy), (LONG_AGO, LONG_AGO))
    return deploys


def collect(past: Past, readers: Readers = NOBODY, *, test: bool = False, **policy: int) -> dict[str, Any]:
    repos = [replace(past.repo, name=name, journals=JournalRetention(**policy)) for name in (REPO, "l10n")]
    return retention.collect(repos, past.master, Cleanup(test=test), readers, whole=True)


def left(past: Past) -> list[str]:
    return Journals(past.master.root).all(REPO)


def told(past: Past) -> tuple[Any, ...]:
    """What people, roll backs and guards want to know of a repo."""
    versions = past.history.versions(REPO)
    line = lineage(REPO, versions)
    pins = [(pin.release, pin.partial, pin.hosts) for pin in Pins(past.master.root).all(REPO)]
    return line.present, line.before, {one["commit"] for one in versions if one["bad"]}, pins


def without_cache(past: Past) -> None:
    """The cache of the master is lost, and so are its pins: journals alone remember."""
    shutil.rmtree(past.master.root / "store")
    (past.master.root / "pins" / f"{REPO}.json").write_bytes(b"")


def test_F38_journals_beyond_the_newest_go_when_they_are_old(tmp_path: Path) -> None:
    past = Past.of(tmp_path, *(f"v{n % 9 + 1}" for n in range(30)))
    deploys = aged(past)
    planned = collect(past, test=True, deploys=20, days=90)
    assert left(past) == deploys
    assert collect(past, deploys=20, days=90) == planned == {REPO: {"dropped": 10}}
    assert left(past) == deploys[10:]
    assert len(past.history.versions(REPO)) == 30, "the history remembers them"
    assert collect(past, deploys=20, days=90) == {}


def test_F38_a_young_journal_stays_however_many_there_are(tmp_path: Path) -> None:
    past = Past.of(tmp_path, *(f"v{n % 9 + 1}" for n in range(30)))
    aged(past, but=28)
    assert collect(past, deploys=20, days=90) == {REPO: {"dropped": 2}}


def test_F38_the_release_before_is_still_told_by_journals_however_often_the_present_one_was_deployed(
    tmp_path: Path,
) -> None:
    past = Past.of(tmp_path, "v1", "v2", "v3", *["v4"] * 30)
    aged(past)
    (found,) = collect(past, deploys=20, days=90).values()
    assert found["kept"] == {"pins, the way back or a bad release are told by them": 13}
    without_cache(past)
    assert past.way_back().release.tag == "v3"


DEPLOYS = st.tuples(
    st.integers(1, 8), st.sampled_from(["sync", "sync", "sync", "fetch", "restart"]),
    st.sampled_from(["CONVERGED", "CONVERGED", "MIXED", "HELD", "ROLLED BACK"]), st.sampled_from([0, 0, 0, 1]),
)  # fmt: skip


@settings(max_examples=rounds(60))
@given(deploys=st.lists(DEPLOYS | st.just("back"), min_size=6, max_size=24), newest=st.integers(1, 4))
def test_F38_no_past_is_told_otherwise_when_its_old_journals_are_gone(
    deploys: list[Any], newest: int
) -> None:
    place = Path(tempfile.mkdtemp())
    try:
        past = Past(place)
        for each in deploys:
            if each == "back":
                go_back(past)
                continue
            number, action, outcome, left_out = each
            past.record(f"v{number}", action, outcome, left_out=left_out)
        aged(past)
        before, were = told(past), len(left(past))
        collect(past, deploys=newest, days=7)
        event("some go" if len(left(past)) < were else "all stay")
        assert told(past) == before
        if not all(partial for _, partial, _ in before[3]):  # partial ones alone no journals tell for certain
            without_cache(past)
            assert told(past) == before
    finally:
        shutil.rmtree(place)


def go_back(past: Past) -> None:
    before = lineage(REPO, past.history.versions(REPO)).before
    if before is not None:
        past.record(before.tag, "rollback")


def test_F38_what_redis_was_not_told_yet_stays(tmp_path: Path) -> None:
    past = Past.of(tmp_path, *(f"v{n % 9 + 1}" for n in range(24)))
    first, second, third, _ = aged(past)[:4]
    sizes = {deploy: Journals(tmp_path).path(REPO, deploy).stat().st_size for deploy in left(past)}
    known = {**sizes, first: sizes[first] - 1}
    del known[third]
    (found,) = collect(past, Readers(lambda: known), deploys=20, days=7).values()
    assert found == {"dropped": 2, "kept": {"redis has not been told them": 2}}
    assert second not in left(past)


def test_F38_while_redis_is_away_all_stays_and_it_is_said_why(tmp_path: Path) -> None:
    past = Past.of(tmp_path, *(f"v{n % 9 + 1}" for n in range(24)))
    aged(past)

    def away() -> dict[str, int]:
        raise DeployError("redis does not answer")

    assert collect(past, Readers(away), deploys=20, days=7) == {
        REPO: {"dropped": 0, "kept": {"redis does not answer": 4}}
    }


def test_F38_a_history_that_cannot_be_read_keeps_its_journals(tmp_path: Path) -> None:
    past = Past.of(tmp_path, *(f"v{n % 9 + 1}" for n in range(24)))
    deploys = aged(past)
    past.master.store.broken = True
    (found,) = collect(past, deploys=20, days=7).values()
    assert found["dropped"] == 0
    assert left(past) == deploys


def test_F38_what_operators_said_and_the_links_of_other_repos_go_with_a_journal(tmp_path: Path) -> None:
    past = Past.of(tmp_path, *(f"v{n % 9 + 1}" for n in range(24)))
    journals = Journals(tmp_path)
    first = left(past)[0]
    with journals.write(REPO, first, ("l10n",)):
        pass
    OperatorSignals(tmp_path, REPO, first).abort("alice", "enough")
    aged(past)
    assert left(past)[0] == first
    kept = collect(past, deploys=20, days=7)
    assert first in left(past), "it is the newest of the other repo"
    assert kept[REPO]["dropped"] == 3
    for number in range(20):
        with journals.write("l10n", f"{NOON + number:020.0f}"):
            pass
    collect(past, deploys=20, days=7)
    assert first not in left(past)
    assert not journals.path("l10n", first).is_symlink()
    assert not list((tmp_path / "control").iterdir())


def test_F38_positions_of_sinks_that_are_gone_go_and_those_of_others_forget_journals_that_are_gone(
    tmp_path: Path,
) -> None:
    past = Past.of(tmp_path, *(f"v{n % 9 + 1}" for n in range(24)))
    journals = Journals(tmp_path)
    aged(past)
    for name in ("irc", "old"):
        ToldPositions(tmp_path, name).load(journals.paths())
    collect(past, Readers(sinks={"irc"}), deploys=20, days=7)
    assert [path.stem for path in (tmp_path / "signals").iterdir()] == ["irc"]
    positions = ToldPositions(tmp_path, "irc")
    positions.load(journals.paths())
    positions.move(left(past)[-1], 7, keep=True)
    assert positions.path.read_text().count(":") == 20


@pytest.mark.parametrize("said", [{"deploys": 3}, {"days": 1}, {"days": "ten"}, {"weeks": 3}, [3]])
def test_a_policy_by_which_the_page_or_signals_would_lack_something_is_refused(said: Any) -> None:
    with pytest.raises(ConfigError, match="journals|table"):
        configured(Path("/srv/demo"), journals=said)


def test_a_repo_keeps_journals_as_all_do_unless_it_says_otherwise() -> None:
    assert configured(Path("/srv/demo")).journals == JournalRetention(1000, 90)
    assert configured(Path("/srv/demo"), journals={"days": 30}).journals == JournalRetention(1000, 30)
