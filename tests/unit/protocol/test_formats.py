"""docs/formats.md says what lies on the disks: all of it, and so that a reader of its own can be written by the page."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from saltdeploy.content.manifest import Manifest
from saltdeploy.layouts.symlinked.tree import Slot
from saltdeploy.lib.programs import is_installed
from saltdeploy.master.records.history import History
from saltdeploy.master.records.journal import Journals, replay
from saltdeploy.minion.record import Record
from saltdeploy.protocol.release import file_name

from tests.support.repositories import Source
from tests.unit.protocol import format_reader
from tests.unit.protocol.whole_deploys import REPO, Fleet

pytestmark = pytest.mark.component("deploys from end to end, one for each layout and transport")

NAME = file_name(REPO)
KEY = "demo=2Fsite"

# -- the page -------------------------------------------------------------------------------------------

_WORDS = {
    "sha256": "[0-9a-f]{64}",
    "commit": "(?:[0-9a-f]{40}|[0-9a-f]{64})",
    "deploy": r"[0-9]{20}",
    "n": "[0-9]+",
    "repo": r"[A-Za-z0-9_][A-Za-z0-9_.%-]*",
    "key": r"[A-Za-z0-9_.=-]+",
    "aa": "[0-9a-f]{2}",
    "shape": "[a-z+]*",
}


def table(page: str, name: str) -> list[list[str]]:
    """The cells of the rows between the comments ``<name>: begin`` and ``<name>: end``."""
    text = page.split(f"<!-- {name}: begin -->")[1].split(f"<!-- {name}: end -->")[0]
    rows = [line.strip("|").split(" | ") for line in text.strip().splitlines()]
    return [[cell.strip() for cell in row] for row in rows[2:]]


def matcher(pattern: str) -> re.Pattern[str]:
    """What a pattern of the page matches."""
    below = pattern.endswith("/**")
    parts = re.split(r"<([a-z0-9]+)>", pattern.removesuffix("/**"))
    said = "".join(_WORDS.get(part, "[^/]+") if n % 2 else re.escape(part) for n, part in enumerate(parts))
    return re.compile(said + ("(?:/.+)?" if below else ""), re.DOTALL)


def without_aside(path: str) -> str:
    """The path that a file is going to replace, where it is on its way; or at which it was found damaged."""
    path = re.sub(r"\.[0-9]{8}T[0-9]{6}Z(?:\.[0-9]+)?$", "", path)
    return re.sub(r"(^|/|:)\.([^/]+)\.[0-9a-f]{8}$", r"\1\2", path)


def test_each_row_of_the_table_names_a_module_that_is_there_and_a_section_of_the_page(
    page: str, checkout: Path
) -> None:
    headings = re.findall(r"^##+ (.*)", page, re.MULTILINE)
    anchors = {re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    for pattern, owner, said, gone in table(page, "files"):
        assert (checkout / "_utils" / "saltdeploy" / owner.strip("`")).is_file(), owner
        assert set(re.findall(r"\(#([^)]*)\)", said)) <= anchors, said
        assert pattern.strip("`").partition(":")[0] in ("master", "minion", "area", "live")
        assert gone


def test_the_table_tells_one_file_from_another(page: str) -> None:
    patterns = [matcher(row[0].strip("`")) for row in table(page, "files")]
    for path in ("master:lock/demo/x", "master:else", "minion:demo/else.json", "area:slots", "live.git"):
        assert not any(pattern.fullmatch(path) for pattern in patterns), path


def test_the_page_names_every_event_with_every_field_of_it(page: str, checkout: Path) -> None:
    (golden,) = (checkout / "tests").rglob("golden/events.jsonl")
    rows = {row[0].strip("`"): set(re.findall(r"`([A-Za-z_]+)`", row[1])) for row in table(page, "events")}
    everywhere = {"v", "deploy", "event", "repo", "time"}
    for line in golden.read_text().splitlines():
        event = json.loads(line)["event"]
        ours = {re.sub("^(checkout|rollback)_status$", "fetch_status", key) for key in event}
        assert ours - everywhere <= rows[event["event"]], event


# -- whole deploys --------------------------------------------------------------------------------------


def unnamed(fleet: Fleet, page: str) -> set[str]:
    """The files that no row of the table is about."""
    patterns = [matcher(row[0].strip("`")) for row in table(page, "files")]
    return {
        path for path in fleet.seen if not any(pattern.fullmatch(without_aside(path)) for pattern in patterns)
    }


def test_the_table_has_a_row_for_every_file_of_whole_deploys(fleet: Fleet, page: str) -> None:
    assert unnamed(fleet, page) == set()
    assert len(fleet.seen) > 100
    assert f"minion:{NAME}/switch.json" in fleet.seen


@pytest.mark.parametrize(
    ("layout", "transport", "program"),
    [
        ("releases", "bundle", "git"),
        ("inplace", "bundle", "git"),
        ("slots", "tar", "zstd"),
        ("slots", "delta", "zstd"),
        ("slots", "squashfs", "sqfstar"),
        ("releases", "git", "git"),
    ],
)
def test_the_table_has_a_row_for_every_file_of_other_layouts_and_transports(
    tmp_path: Path, source: Source, page: str, layout: str, transport: str, program: str
) -> None:
    assert is_installed(program), f"install {program}: tools/programs"
    fleet = Fleet(
        tmp_path, source, hosts=("web1",), layout=layout, transport=transport, url=f"file://{source.git_dir}"
    )
    for tag in ("v0", "v1", "v2"):
        assert fleet.sync(tag).outcome.word == "CONVERGED"
    assert unnamed(fleet, page) == set()


@pytest.mark.images
@pytest.mark.parametrize("transport", ["squashfs", "bundle"])
def test_the_table_has_a_row_for_every_file_of_mounted_releases(
    tmp_path: Path, source: Source, page: str, transport: str
) -> None:
    fleet = Fleet(tmp_path, source, hosts=("web1",), layout="overlay", transport=transport)
    for tag in ("v0", "v1", "v2"):
        assert fleet.sync(tag).outcome.word == "CONVERGED"
    assert unnamed(fleet, page) == set()
    assert any(path.startswith("area:mounts/") for path in fleet.seen)


# -- the reader -----------------------------------------------------------------------------------------


def test_the_reader_imports_nothing_of_ours(checkout: Path) -> None:
    text = Path(format_reader.__file__).read_text()
    nodes = list(ast.walk(ast.parse(text)))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)]
    assert {name.partition(".")[0] for name in names} <= {*sys.stdlib_module_names, "msgpack"}


def journals(fleet: Fleet) -> Iterator[Path]:
    known = Journals(fleet.root)
    for deploy in known.all(REPO):
        yield fleet.root / "journal" / NAME / f"{deploy}.msgpack"


def test_the_reader_reads_the_events_that_the_package_reads(fleet: Fleet) -> None:
    paths = list(journals(fleet))
    assert len(paths) == 5
    for path in paths:
        told = format_reader.journal(path)
        assert told == list(replay(path))
        assert [told[0]["event"], told[1]["event"], told[-1]["event"]] == ["started", "planned", "finished"]


@pytest.mark.parametrize("tail", [b"\x85\xa1v\x01", b"\0" * 4096, b"\xc1", b"\xde"])
def test_a_torn_tail_ends_the_journal_for_both(fleet: Fleet, tmp_path: Path, tail: bytes) -> None:
    whole = next(journals(fleet))
    torn = tmp_path / whole.name
    torn.write_bytes(whole.read_bytes() + tail)
    assert format_reader.journal(torn) == list(replay(torn)) == list(replay(whole))


def test_the_reader_finds_what_is_pinned_and_by_which_epoch(fleet: Fleet) -> None:
    (read,) = format_reader.record(fleet.root / "pins" / f"{NAME}.json")
    pin = fleet.pins.get(REPO)
    assert pin is not None
    assert read["order"]["release"] == {"repo": REPO, "tag": "v2", "commit": pin.release.commit}
    assert (tuple(read["hosts"]), read["partial"], read["order"]["deploy"]) == (pin.hosts, False, "pin")
    epoch = format_reader.record(fleet.root / "lock" / ".epochs" / f"{NAME}.json")
    assert epoch == read["order"]["epoch"] == pin.order.epoch
    for minion in fleet.minions.values():
        known = format_reader.record(minion.cache / NAME / "record.json")
        assert known["epoch"] == epoch == Record(minion.cache, REPO).epoch()


def test_F37_the_reader_finds_what_a_host_needs_of_its_configuration(fleet: Fleet) -> None:
    for minion in fleet.minions.values():
        known = format_reader.record(minion.cache / NAME / "configuration.json")
        assert known["version"] == 1
        assert list(known["places"]) == [str(minion.location)]
        assert 1 <= len(known["deploys"]) <= 3
        for section in (known["last"], *known["deploys"].values()):
            assert section["repo_config"][REPO]["location"] == str(minion.location)


def test_the_reader_finds_the_history(fleet: Fleet) -> None:
    records = [format_reader.record(path) for path in (fleet.root / "history" / KEY).glob("*.p")]
    told = [
        {key: value for key, value in version.items() if key != "bad"}
        for version in History(fleet.master.store).versions(REPO)
    ]
    assert sorted(records, key=lambda record: record["time"], reverse=True) == told
    assert format_reader.record(fleet.root / "bad" / KEY / "v3.p")["why"] == "amir rolled back from it"


def test_the_reader_finds_which_tree_is_live_and_was_live_before(fleet: Fleet) -> None:
    for minion in fleet.minions.values():
        slots = minion.repo.paths.area / "slots"
        read = {path.stem: format_reader.record(path) for path in slots.glob("*.json")}
        for name, state in read.items():
            ours = Slot(slots / name).state().to_disk()
            assert state == {**ours, "towards": list(ours["towards"])}
        by_turn = sorted(read, key=lambda name: read[name]["turn"])
        assert os.readlink(minion.location) == f".site.deploy/slots/{by_turn[-1]}"
        assert [(read[name]["tag"], read[name]["bad"]) for name in by_turn[-2:]] == [
            ("v3", True),
            ("v2", False),
        ]


def test_the_reader_computes_the_root_of_each_tree_from_its_manifest(fleet: Fleet) -> None:
    sealed = format_reader.record(fleet.root / "manifests" / f"{NAME}+.json")
    for minion in fleet.minions.values():
        for database in (minion.repo.paths.area / "slots").glob("*.db"):
            commit, files = format_reader.manifest(database)
            with Manifest(database) as manifest:
                assert commit == manifest.commit()
                ours = {
                    entry.path: (entry.mode, entry.oid, entry.size, entry.digest)
                    for entry in manifest.entries()
                }
            assert files == ours
            assert format_reader.root(files) == sealed[commit]
            assert sealed[commit] == format_reader.record(database.with_suffix(".json"))["root"]


def test_a_payload_has_the_name_of_its_bytes_and_a_note_says_its_kind(fleet: Fleet) -> None:
    payloads = fleet.root / "payloads"
    for path in payloads.glob("[0-9a-f]*"):
        assert hashlib.sha256(path.read_bytes()).hexdigest() == path.name
    for note in (payloads / "pairs" / NAME).glob("*.json"):
        said = format_reader.record(note)
        data = (payloads / said["sha256"]).read_bytes()
        assert len(data) == said["size"]
        if said["kind"] == "bundle":
            assert data.startswith(b"# v2 git bundle\n")
        else:
            assert format_reader.payload_head(payloads / said["sha256"])["form"] == "bundle.zst"
