"""Every signal reaches its sink once and in order, whatever happens to the sink and to the process that brings it."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
from saltdeploy.lib.errors import DeployError
from saltdeploy.master.records.journal import Journals
from saltdeploy.master.records.told_positions import ToldPositions
from saltdeploy.watch.signals.courier import Courier
from saltdeploy.watch.signals.signal import KINDS, Notification
from saltdeploy.watch.signals.sink import Refused, SinkSettings

from tests.support.told import FIRST, REPO, SECOND, THIRD, Told

NOW = 3000.0


class Box:
    """A sink in memory that can be away, or refuse."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []
        self.wrong: DeployError | None = None

    def tell(self, notification: Notification) -> None:
        if self.wrong:
            raise self.wrong
        self.told.append((notification.deploy, notification.kind))


def courier(
    root: Path, box: Box, *, late: float = 1e9, repos: tuple[str, ...] = (), on: tuple[str, ...] = KINDS
) -> Courier:
    settings = SinkSettings("box", "webhook", repos, on, late)
    return Courier(settings, box, ToldPositions(root, "box"), Journals(root).paths, now=lambda: NOW)


@pytest.fixture
def box() -> Box:
    return Box()


WHOLE = ["started", "finished"]


def kinds(box: Box, deploy: str) -> list[str]:
    return [kind for told, kind in box.told if told == deploy]


def test_a_new_sink_announces_no_past(tmp_path: Path, box: Box) -> None:
    Told(tmp_path, FIRST, "v1", 1000.0, "web1").whole()
    served = courier(tmp_path, box)
    served.bring()
    assert box.told == []
    Told(tmp_path, SECOND, "v2", 2000.0, "web1").whole()
    served.bring()
    assert kinds(box, SECOND) == WHOLE


def test_nothing_comes_twice_however_often_the_process_begins_anew(tmp_path: Path, box: Box) -> None:
    courier(tmp_path, box)
    deploy = Told(tmp_path, FIRST, "v1", 1000.0, "web1").begin()
    for step in (lambda: deploy.ask("fetch"), lambda: deploy.answer("fetch"), deploy.end, lambda: None):
        courier(tmp_path, box).bring()
        step()
    courier(tmp_path, box).bring()
    assert kinds(box, FIRST) == WHOLE


def test_a_sink_that_was_away_gets_what_it_missed_and_the_log_says_so_once(
    tmp_path: Path, box: Box, caplog: pytest.LogCaptureFixture
) -> None:
    served = courier(tmp_path, box)
    box.wrong = DeployError("it is down")
    deploy = Told(tmp_path, FIRST, "v1", 1000.0, "web1").begin()
    waits = [served.look() for _ in range(12)]
    assert waits == sorted(waits) and waits[-1] == 60.0
    deploy.end()
    served.look()
    box.wrong = None
    served.look()
    assert kinds(box, FIRST) == WHOLE
    assert caplog.text.count("it is down") == 1 and caplog.text.count("is back") == 1


def test_one_signal_that_a_sink_refuses_for_ever_stops_no_other(
    tmp_path: Path, box: Box, caplog: pytest.LogCaptureFixture
) -> None:
    served = courier(tmp_path, box)
    box.wrong = Refused("unknown commit")
    deploy = Told(tmp_path, FIRST, "v1", 1000.0, "web1").begin()
    served.look()
    box.wrong = None
    deploy.end()
    served.look()
    assert kinds(box, FIRST) == ["finished"]
    assert REPO in caplog.text and "unknown commit" in caplog.text


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ({"late": 10.0}, []),
        ({"repos": ("other",)}, []),
        ({"repos": (REPO,)}, WHOLE),
        ({"on": ("finished",)}, ["finished"]),
    ],
)
def test_a_sink_hears_what_it_wants_to_hear(
    tmp_path: Path, box: Box, how: dict[str, object], expected: list[str]
) -> None:
    served = courier(tmp_path, box, **how)  # type: ignore[arg-type]
    Told(tmp_path, FIRST, "v1", 1000.0, "web1").whole()
    served.bring()
    assert kinds(box, FIRST) == expected


def test_a_damaged_file_of_positions_is_set_aside_and_the_sink_begins_now(
    tmp_path: Path, box: Box, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    courier(tmp_path, box)
    file = tmp_path / "signals" / "box.json"
    file.write_bytes(b"\0\0\0")
    Told(tmp_path, FIRST, "v1", 1000.0, "web1").whole()
    served = courier(tmp_path, box)
    Told(tmp_path, SECOND, "v2", 2000.0, "web1").whole()
    served.bring()
    assert kinds(box, FIRST) == [] and kinds(box, SECOND) == WHOLE
    assert "is damaged" in caplog.text


def test_journals_that_are_deleted_are_forgotten(tmp_path: Path, box: Box) -> None:
    served = courier(tmp_path, box)
    Told(tmp_path, FIRST, "v1", 1000.0, "web1").whole()
    served.bring()
    Journals(tmp_path).path(REPO, FIRST).unlink()
    served.bring()
    positions = ToldPositions(tmp_path, "box")
    positions.load(Journals(tmp_path).paths())
    assert positions.of(FIRST) == 0


def test_F38_how_far_a_sink_was_told_a_journal_goes_with_the_journal(tmp_path: Path, box: Box) -> None:
    served = courier(tmp_path, box)
    for deploy, tag, moment in ((FIRST, "v1", 1000.0), (SECOND, "v2", 2000.0)):
        Told(tmp_path, deploy, tag, moment, "web1").whole()
        served.bring()
    Journals(tmp_path).path(REPO, FIRST).unlink()
    served.bring()
    Told(tmp_path, THIRD, "v3", 2500.0, "web1").whole()
    served.bring()
    assert set(json.loads((tmp_path / "signals" / "box.json").read_text())) == {SECOND, THIRD}
    assert len(box.told) == 6, "nobody is told anything twice"


class Newest:
    """All journals the first time, and then the newest alone, as whoever looks twice a second gets them."""

    def __init__(self, root: Path) -> None:
        self._journals = Journals(root)
        self.are_all = False
        self._began = False

    def __call__(self) -> list[Path]:
        self.are_all, self._began = not self._began, True
        return self._journals.paths() if self.are_all else self._journals.paths()[-1:]


def test_what_is_not_looked_at_for_a_while_is_not_taken_for_deleted(tmp_path: Path, box: Box) -> None:
    positions = ToldPositions(tmp_path, "box")
    Told(tmp_path, FIRST, "v1", 1000.0, "web1").whole()
    courier(tmp_path, box)
    Told(tmp_path, SECOND, "v2", 2000.0, "web1").whole()
    settings = SinkSettings("box", "webhook", (), KINDS, 1e9)
    served = Courier(settings, box, positions, Newest(tmp_path), now=lambda: NOW)
    for _ in range(3):
        served.bring()
    courier(tmp_path, box).bring()
    assert (kinds(box, FIRST), kinds(box, SECOND)) == ([], WHOLE)
