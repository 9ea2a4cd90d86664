"""What a reader of this version makes of what a newer or an older one wrote, as docs/formats.md says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgpack
import pytest
from saltdeploy.content import compressed
from saltdeploy.layouts.symlinked.tree import Slot, TreeState
from saltdeploy.lib.errors import Corrupt, DeployError
from saltdeploy.master.plan_model import Plan
from saltdeploy.master.records.journal import Journals, replay
from saltdeploy.master.records.pins import Pin, Pins
from saltdeploy.master.records.state import DeployState
from saltdeploy.minion.record import Record
from saltdeploy.protocol.orders import Order
from saltdeploy.protocol.release import Release, file_name
from saltdeploy.protocol.seals import Seal

from tests.unit.protocol import format_reader
from tests.unit.protocol.whole_deploys import REPO, Fleet

NAME = file_name(REPO)


def newest_journal(fleet: Fleet) -> Path:
    journals = Journals(fleet.root)
    return journals.path(REPO, journals.latest(REPO))


def test_a_newer_event_or_field_in_a_journal_is_passed_over(fleet: Fleet, tmp_path: Path) -> None:
    told = format_reader.journal(newest_journal(fleet))
    newer: list[dict[str, Any]] = [{**event, "newer": 1} for event in told]
    path = tmp_path / "newer.msgpack"
    path.write_bytes(b"".join(map(msgpack.packb, [*newer[:2], {**newer[0], "event": "newer"}, *newer[2:]])))
    assert DeployState.replayed(replay(path)).ended


def test_a_newer_field_of_a_plan_in_a_journal_is_refused(fleet: Fleet) -> None:
    script = format_reader.journal(newest_journal(fleet))[1]["script"]
    assert Plan.from_wire(script).action == script["action"]
    with pytest.raises(TypeError):
        Plan.from_wire({**script, "newer": 1})


def test_a_newer_field_of_a_pin_is_passed_over_and_lost(fleet: Fleet) -> None:
    (read,) = format_reader.record(fleet.root / "pins" / f"{NAME}.json")
    newer = Pin.from_wire({**read, "newer": 1, "order": {**read["order"], "newer": 1}})
    assert newer == Pins(fleet.root).get(REPO)


@pytest.mark.parametrize("missing", ["swarm", "sources", "group", "attempt", "anew", "payloads", "transport"])
def test_an_order_without_a_field_that_must_be_there_is_refused(fleet: Fleet, missing: str) -> None:
    (read,) = format_reader.record(fleet.root / "pins" / f"{NAME}.json")
    wire = {key: value for key, value in read["order"].items() if key not in ("back", "turns", "seal")}
    assert Order.from_wire(wire).seal is None
    with pytest.raises(DeployError):
        Order.from_wire({key: value for key, value in wire.items() if key != missing})


def test_a_newer_field_of_a_minions_record_is_kept(tmp_path: Path) -> None:
    record = Record(tmp_path, REPO)
    file = tmp_path / NAME / "record.json"
    file.parent.mkdir()
    file.write_text('{"epoch": 7, "results": {}, "newer": 1}')
    record.keep_seal(Release(REPO, "v1", "1" * 40), Seal("2" * 64))
    assert (record.epoch(), format_reader.record(file)["newer"]) == (7, 1)


def test_a_newer_field_makes_the_state_of_a_tree_unknown(fleet: Fleet, tmp_path: Path) -> None:
    slots = fleet.minions["web1"].repo.paths.area / "slots"
    known = format_reader.record(slots / "0.json")
    (tmp_path / "0").mkdir()
    (tmp_path / "0.db").write_bytes((slots / "0.db").read_bytes())
    for state, commit in ((known, known["commit"]), ({**known, "newer": 1}, "")):
        (tmp_path / "0.json").write_text(json.dumps(state))
        assert Slot(tmp_path / "0").state().commit == commit
    (tmp_path / "0.json").write_text(json.dumps({"commit": known["commit"], "tag": "v"}))
    assert Slot(tmp_path / "0").state() == TreeState(known["commit"], "v")


def test_a_newer_field_in_the_head_of_a_payload_is_refused(tmp_path: Path) -> None:
    head = {"form": "tar.zst", "size": 1, "files": 1, "base_sha256": "", "base_size": 0}
    (tmp_path / "known").write_text(json.dumps(head) + "\n")
    (tmp_path / "newer").write_text(json.dumps({**head, "newer": 1}) + "\n")
    assert compressed.head_of(tmp_path / "known").size == 1
    with pytest.raises(Corrupt):
        compressed.head_of(tmp_path / "newer")
