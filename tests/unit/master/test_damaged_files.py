"""F33: each file that the master keeps, damaged in each way: the damage is named, and it is no other repo's.

What can be rebuilt is; what orders deploys never goes backwards; no damage is a bare exception of Python.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from saltdeploy.checks import CheckContext, Response
from saltdeploy.content.payloads import Payloads
from saltdeploy.lib import disk, flock
from saltdeploy.lib.errors import DamagedFile, DeployError, NoSuchDeploy
from saltdeploy.master import deploy as master_deploy
from saltdeploy.master.cache import Records, bad_bank, history_bank, key_of, tags_bank
from saltdeploy.master.context import Master
from saltdeploy.master.locking.locks import Locks
from saltdeploy.master.payloads.swarm import identity
from saltdeploy.master.plan_model import SYNC, Part, Plan
from saltdeploy.master.records.checks import Baselines
from saltdeploy.master.records.history import History, history_of
from saltdeploy.master.records.journal import Journals, replay
from saltdeploy.master.records.pin import Pin, pin_order
from saltdeploy.master.records.pins import Pins
from saltdeploy.master.records.secret import master_secret
from saltdeploy.master.records.state import DeployState
from saltdeploy.master.rollout.model import HOLD, Rules
from saltdeploy.master.running.auto_resume import DeadDeploys
from saltdeploy.master.running.operator import OperatorSignals
from saltdeploy.master.upkeep.ext_pillar import data_for
from saltdeploy.master.waves import Wave
from saltdeploy.protocol import events
from saltdeploy.protocol.orders import FETCH, Order, Payload
from saltdeploy.protocol.release import Release
from saltdeploy.protocol.result import Result

from tests.support.damage import flip_a_bit, truncate
from tests.support.stores import Directory
from tests.unit.master.buses import Quiet
from tests.unit.master.masters import NOON, Clock, person

HOSTS = ("web1", "web2")
COMMIT = "1" * 40
FIRST = "20261123110000000000"
SECOND = "20261123110500000000"
#: Repo to the epoch of its last deploy.
EPOCHS = {"wiki": int(NOON * 1e6) + 10_000_000, "l10n": int(NOON * 1e6) + 20_000_000}


@dataclass
class World:
    """A master with two repos that were deployed, and what it keeps of them."""

    root: Path
    store: Directory

    @property
    def pins(self) -> Pins:
        return Pins(self.root)

    @property
    def locks(self) -> Locks:
        clock = Clock()
        return Locks(self.root, self.store, clock, clock.pause, clock)

    def tells(self, host: str = "web1") -> dict[str, Any]:
        """The pillar of a host."""
        repos = {name: {"targets": "*", "source": "/srv/source"} for name in EPOCHS}
        return data_for(host, self.root, {"repo_config": repos}, lambda expression, kind: True)

    def deploy(self, repo: str, deploy: str, tag: str, epoch: int, *, partial: tuple[str, ...] = ()) -> None:
        """One that converged."""
        payload = Payload("", "a" * 64, 1)
        order = Order(deploy, epoch, FETCH, Release(repo, tag, COMMIT), payloads=(payload,))
        hosts = partial or HOSTS
        part = Part(order, hosts, partial=bool(partial))
        rules = Rules(on_failure=HOLD, on_abort=HOLD)
        script = Plan(SYNC, "alice", "", (part,), (Wave("", "", hosts, 2, 0),), rules)
        of, at = (deploy, repo), {"tag": tag}
        told = [
            events.started(*of, NOON, commit=COMMIT, user="alice", hosts=2, action=SYNC, reason="", groups=[],
                           left_out=0, **at),
            events.planned(*of, NOON, script=script.to_wire()),
            events.pinned(*of, NOON, commit=COMMIT, **at),
            events.finished(*of, NOON, outcome="CONVERGED", ok=2, total=2, reason="", next="", **at),
        ]  # fmt: skip
        with Journals(self.root).write(repo, deploy) as journal:
            for event in told:
                journal.append(event)
        History(self.store).started(told[0])
        History(self.store).finished(told[-1])
        self.pins.put(Pin(pin_order(order, epoch), hosts, partial=bool(partial)))
        self.pins.raise_epoch(repo, epoch)


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path / "deploy", Directory(tmp_path / "store"))
    for number, (repo, epoch) in enumerate(EPOCHS.items()):
        world.deploy(repo, f"2026112311000000000{number}", "v1", epoch)
        world.pins.note(repo, [Result(host, repo) for host in HOSTS], NOON)
        disk.make_directory(world.root / "lock" / ".epochs")
        disk.write_json(world.root / "lock" / ".epochs" / f"{repo}.json", epoch)
        with world.locks.hold(repo, (), person("alice")):
            named = (world.root / "lock" / repo).read_bytes()
        (world.root / "lock" / repo).write_bytes(named)  # as its process left it that was killed
    world.tells()  # makes the secret and the certificate
    return world


@pytest.fixture(autouse=True)
def log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """What the package tells its log, and nobody else."""
    logger = logging.getLogger("saltdeploy")
    logger.addHandler(caplog.handler)
    logger.propagate = False
    yield caplog
    logger.propagate = True
    logger.removeHandler(caplog.handler)


# -- how a file is damaged ------------------------------------------------------------------------------


def _replace(make: Callable[[Path], object]) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        disk.remove_tree(path)
        make(path)

    return damage


def _other_type(path: Path) -> None:
    was_list = path.read_bytes().lstrip().startswith(b"[")
    path.write_text(json.dumps({"a": 1} if was_list else [1, "two"]))


def _bit_of_the_form(path: Path) -> None:
    path.write_bytes(bytes([path.read_bytes()[0] ^ 0x80]) + path.read_bytes()[1:])


DAMAGES: dict[str, Callable[[Path], Any]] = {
    "empty": lambda path: path.write_bytes(b""),
    "truncated": truncate,
    "a bit flipped": flip_a_bit,
    "the first bit flipped": _bit_of_the_form,
    "zeros": lambda path: path.write_bytes(b"\0" * 4096),
    "another type": _other_type,
    "another version": lambda path: path.write_text('{"version": 9, "body": [[{"x": {}}]]}'),
    "fields of another type": lambda path: path.write_text('{"epoch": [], "token": 7, "time": {}, "hosts": {"web1": 3}}'),
    "null": lambda path: path.write_text("null"),
    "brackets": lambda path: path.write_text("[" * 200_000),
    "a directory": _replace(lambda path: path.mkdir()),
    "a loop of links": _replace(lambda path: path.symlink_to(path)),
}  # fmt: skip

#: Where the files lie that are the repo ``wiki``'s, or nobody's.
FILES = {
    "pins": "deploy/pins/wiki.json",
    "seen": "deploy/hosts/wiki.json",
    "epochs": "deploy/lock/.epochs/wiki.json",
    "the lock file": "deploy/lock/wiki",
    "the journal": f"deploy/journal/wiki/{FIRST}.msgpack",
    "the name of the locks": "deploy/lock/.domain",
    "the secret": "deploy/secret",
    "the certificate": "deploy/swarm.json",
    "the claim": "store/deploy/claims/wiki.json",
    "the history": f"store/{history_bank('wiki')}/{FIRST}.json",
    "the tags": f"store/{tags_bank('wiki')}/v1.json",
}

CASES = [(file, damage) for file in FILES for damage in DAMAGES]


@pytest.fixture
def damaged(world: World, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    file, damage = request.param
    path = tmp_path / FILES[file]
    assert path.exists()
    DAMAGES[damage](path)
    return path


def every(cases: list[tuple[str, str]]) -> Any:
    named = [pytest.param(case, id=f"F33 {case[0]}: {case[1]}") for case in cases]
    return pytest.mark.parametrize("damaged", named, indirect=True)


@every(CASES)
def test_whatever_is_damaged_another_repo_is_deployed_and_every_pillar_renders(
    world: World, damaged: Path
) -> None:
    told = world.tells()
    assert told["pins"]["l10n"]["tag"] == "v1"
    assert len(told["secret"]) == 64 and told["swarm"]["key"]
    with world.locks.hold("l10n", (), person("bob")) as lease:
        assert lease.epoch > EPOCHS["l10n"]
    world.deploy("l10n", "20261123130000000000", "v2", EPOCHS["l10n"] + 100)
    assert world.tells()["pins"]["l10n"]["tag"] == "v2"
    assert history_of("l10n", world.root, world.store, running=False).versions("l10n")
    world.locks.all()
    DeadDeploys(world.root, 60.0).due(NOON)


@every(CASES)
def test_the_repo_itself_works_on_or_says_which_file_is_damaged_and_what_to_do(
    world: World, damaged: Path
) -> None:
    asked: list[Callable[[], object]] = [
        lambda: world.pins.all("wiki"),
        lambda: world.pins.holdings("wiki"),
        lambda: world.locks.hold("wiki", (), person("bob")).__enter__().release(),
        lambda: world.locks.refuse("wiki", ()),
        lambda: history_of("wiki", world.root, world.store, running=False).versions("wiki"),
        lambda: history_of("wiki", world.root, world.store, running=False).commit_of("wiki", "v1"),
        lambda: DeployState.read(Journals(world.root).path("wiki", FIRST)),
        lambda: world.pins.note("wiki", [Result("web1", "wiki")], NOON),
    ]
    for ask in asked:
        try:
            ask()
        except DamagedFile as error:
            assert damaged.stem in error.path and error.next and error.cause
        except DeployError as error:
            assert damaged.suffix == ".msgpack" and error.next, error  # its journal tells of nothing


@every([case for case in CASES if case[0] == "pins"])
def test_pins_are_made_anew_from_the_journals_and_the_damaged_file_is_kept(
    world: World, damaged: Path, log: pytest.LogCaptureFixture
) -> None:
    told = world.tells()
    assert told["pins"]["wiki"]["tag"] == "v1" and told["pins"]["wiki"]["order"]["epoch"] == EPOCHS["wiki"]
    assert "unknown" not in told
    assert [path.name.split(".")[0] for path in damaged.parent.glob("wiki.json.*")] == ["wiki"]
    assert "rebuilt" in log.text and str(damaged) in log.text
    log.clear()
    world.tells()
    assert not log.text


@every([case for case in CASES if case[0] == "epochs"])
def test_F58_epochs_never_go_backwards_though_the_clock_has(world: World, damaged: Path) -> None:
    highest = EPOCHS["wiki"]  # above the time of the clock
    with world.locks.hold("wiki", (), person("bob")) as lease:
        assert lease.epoch > highest


# -- when journals do not know --------------------------------------------------------------------------


def pins_file(world: World) -> Path:
    return world.root / "pins" / "wiki.json"


def without_journals(world: World) -> None:
    disk.remove_tree(world.root / "journal" / "wiki")


def with_torn_journal(world: World) -> None:
    world.deploy("wiki", SECOND, "v2", EPOCHS["wiki"] + 5)
    truncate(Journals(world.root).path("wiki", SECOND))


def with_lost_journal(world: World) -> None:
    world.deploy("wiki", SECOND, "v2", EPOCHS["wiki"] + 5)
    Journals(world.root).path("wiki", SECOND).write_bytes(b"")


def with_limits_alone(world: World) -> None:
    without_journals(world)
    world.deploy("wiki", SECOND, "v2", EPOCHS["wiki"] + 5, partial=("web1",))


@pytest.mark.parametrize(
    "lose",
    [without_journals, with_torn_journal, with_lost_journal, with_limits_alone],
    ids=lambda f: f.__name__,
)
def test_pins_that_no_journal_tells_for_certain_are_unknown_and_not_nothing(
    world: World, lose: Callable[[World], None]
) -> None:
    lose(world)
    pins_file(world).write_bytes(b"")
    told = world.tells()
    assert "wiki" not in told["pins"] and told["pins"]["l10n"]["tag"] == "v1"
    unknown = told["unknown"]["wiki"]
    assert (unknown["kind"], unknown["repo"]) == ("damaged-file", "wiki")
    assert unknown["path"] == str(pins_file(world))
    assert f"mv -- {pins_file(world)}" in unknown["next"] and "deploy.sync repo=wiki" in unknown["next"]
    assert pins_file(world).read_bytes() == b""  # it stays for whoever looks at it
    assert list(world.pins.damaged(EPOCHS)) == ["wiki"]


def test_the_advice_mends_it(world: World) -> None:
    without_journals(world)
    pins_file(world).write_bytes(b"")
    pins_file(world).rename(pins_file(world).with_suffix(".json.bad"))
    world.deploy("wiki", SECOND, "v2", EPOCHS["wiki"] + 5)
    assert world.tells()["pins"]["wiki"]["tag"] == "v2"


def test_a_pin_for_all_targets_needs_nothing_of_a_damaged_file(world: World) -> None:
    without_journals(world)
    pins_file(world).write_bytes(b"")
    world.deploy("wiki", SECOND, "v2", EPOCHS["wiki"] + 5)
    assert world.tells()["pins"]["wiki"]["tag"] == "v2"


def test_pins_are_made_in_the_order_of_epochs_and_not_of_the_clock(world: World) -> None:
    world.deploy("wiki", "20200101000000000000", "v2", EPOCHS["wiki"] + 5)  # the clock had been put back
    world.deploy("wiki", "20190101000000000000", "v3", EPOCHS["wiki"] + 6, partial=("web2",))
    before = world.pins.all("wiki")
    pins_file(world).write_bytes(b"")
    assert world.pins.all("wiki") == before
    assert [pin.release.tag for pin in before] == ["v3", "v2"]


def test_F58_an_epoch_that_nothing_tells_is_refused_with_the_path_and_the_remedy(world: World) -> None:
    for gone in ("journal/wiki", "pins/wiki.json"):
        disk.remove_tree(world.root / gone)
    world.store.flush("deploy/claims", "wiki")
    note = world.root / "lock" / ".epochs" / "wiki.json"
    note.write_text("[3]")
    with pytest.raises(DamagedFile, match="epoch") as caught:
        world.locks.hold("wiki", (), person("bob")).__enter__()
    assert caught.value.path == str(note) and f"mv -- {note}" in caught.value.next
    os.rename(note, f"{note}.bad")
    with world.locks.hold("wiki", (), person("bob")) as lease:
        assert lease.epoch >= int(NOON * 1e6)


# -- the rest of what is kept ---------------------------------------------------------------------------

JSON_DAMAGES = [pytest.param(damage, id=f"F33 {name}") for name, damage in DAMAGES.items()]


@pytest.mark.parametrize("damage", JSON_DAMAGES)
def test_a_lock_that_cannot_be_read_holds_its_repo_and_is_shown(
    world: World, tmp_path: Path, damage: Callable[[Path], Any]
) -> None:
    world.locks.lock("repo:wiki", "the database moves", person("carol"))
    world.locks.lock("repo:l10n", "the database moves", person("carol"))
    damage(tmp_path / "store" / "deploy/locks" / f"{key_of('repo:wiki')}.json")
    shown = {lock.scope: lock for lock in world.locks.all()}
    assert shown["repo:l10n"].holder.user == "carol"
    with pytest.raises(DamagedFile) as caught:
        world.locks.refuse("wiki", ())
    assert "salt-run cache.flush bank=deploy/locks" in caught.value.next
    assert "cache.flush" in shown["repo:wiki"].holder.reason


@pytest.mark.parametrize("damage", JSON_DAMAGES)
def test_what_operators_told_a_deploy_is_read_or_named(world: World, damage: Callable[[Path], Any]) -> None:
    control = OperatorSignals(world.root, "wiki", FIRST)
    control.answer("barrier", "alice", "yes")
    (place,) = (world.root / "control").glob("*/answer.barrier")
    damage(place)
    with pytest.raises(DamagedFile) as caught:
        control.answered("barrier")
    assert caught.value.path == str(place) and caught.value.next


@pytest.mark.parametrize("damage", JSON_DAMAGES)
def test_numbers_of_checks_that_cannot_be_read_are_named(
    world: World, tmp_path: Path, damage: Callable[[Path], Any]
) -> None:
    baselines, release = Baselines(world.store), Release("wiki", "v1", COMMIT)
    baselines.keep(release, {"errors": 1.0})
    (place,) = (tmp_path / "store" / "deploy" / "baselines").glob("*.json")
    damage(place)
    with pytest.raises(DamagedFile, match="cache.flush"):
        baselines.of(release)


@pytest.mark.parametrize("damage", JSON_DAMAGES)
def test_a_note_of_a_payload_that_is_damaged_is_made_anew(
    tmp_path: Path, damage: Callable[[Path], Any]
) -> None:
    payloads = Payloads(tmp_path / "payloads")

    def pack() -> Payload:
        return payloads.find_or_pack("wiki", "", COMMIT, lambda path: path.write_bytes(b"packed") and None)

    first = pack()
    (note,) = (tmp_path / "payloads" / "pairs" / "wiki").glob("*.json")
    damage(note)
    assert pack() == first
    assert payloads.find("wiki", "", COMMIT, "bundle") == first


def test_a_lock_file_that_is_a_directory_is_named_with_what_to_do(world: World) -> None:
    place = world.root / "lock" / "wiki"
    disk.remove_tree(place)
    place.mkdir()
    with pytest.raises(DamagedFile, match="no lock can be taken there") as caught, flock.taken(place):
        pass
    assert f"mv -- {place}" in caught.value.next


def test_names_that_are_no_repos_stop_nothing(world: World) -> None:
    (world.root / "pins" / "-x.json").write_text("{")
    (world.root / "journal" / "-x").mkdir()
    (world.root / "journal" / "wiki" / "notes.msgpack").write_text("")
    assert world.pins.repos() == Journals(world.root).repos() == sorted(EPOCHS)
    assert Journals(world.root).all("wiki") == [FIRST]


def test_a_history_that_journals_do_not_tell_either_is_named_record_by_record(world: World) -> None:
    without_journals(world)
    place = world.store._path / bad_bank("wiki") / "v1.json"
    Records(world.store, bad_bank("wiki")).put("v1", {"tag": "v1"})
    assert place.exists()
    with pytest.raises(DamagedFile, match="cache.flush bank=deploy/bad/wiki") as caught:
        history_of("wiki", world.root, world.store, running=False).is_bad("wiki", "v1", COMMIT)
    assert caught.value.repo == "wiki"


def test_a_secret_that_was_cut_off_is_not_used(world: World) -> None:
    before = master_secret(world.root)
    truncate(world.root / "secret")
    after = master_secret(world.root)
    assert len(after) == 32 and not after.startswith(before[:16])
    assert identity(world.root) == identity(world.root)


def test_a_journal_is_read_up_to_where_it_is_damaged(world: World) -> None:
    path = Journals(world.root).path("wiki", FIRST)
    whole = len(list(replay(path)))
    with open(path, "ab") as file:
        file.write(b"\0" * 100)
    assert len(list(replay(path))) == whole


def test_whoever_looks_while_pins_are_made_anew_never_finds_that_nothing_is_pinned(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bool] = []
    write = disk.write_json

    def looked_at(path: Path, value: Any, mode: int = 0o644) -> None:
        seen.append(pins_file(world).exists())
        write(path, value, mode)

    pins_file(world).write_bytes(b"")
    monkeypatch.setattr(disk, "write_json", looked_at)
    assert world.pins.all("wiki")
    assert seen == [True]


def test_a_deploy_whose_journal_has_lost_its_end_is_not_made_again(world: World) -> None:
    path = Journals(world.root).path("wiki", FIRST)
    os.truncate(path, path.stat().st_size - 10)
    master = Master(
        root=world.root,
        bus=Quiet(),
        store=world.store,
        targets=lambda expression, kind: list(HOSTS),
        accepted=lambda: list(HOSTS),
        secret=lambda host: "",
        user="alice",
        place=CheckContext(lambda *_: None, lambda *_: Response(200)),
    )
    pillar = {"repo_config": {"wiki": {"targets": "*", "location": "/srv/wiki"}}}
    with pytest.raises(NoSuchDeploy, match="has ended already"):
        master_deploy.resume(FIRST, pillar, "", master)
