"""F33: each file that docs/formats.md lists is damaged in each way, then the next release is deployed.

Either it converges everywhere, or the damage is one error that names the file and what to do, and hosts that it is not on
are as they should be. Another repo of the same master and the same hosts is deployed meanwhile as if nothing were. The list of files is that of the page: a new one cannot be forgotten.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from saltdeploy.lib.errors import DeployError
from saltdeploy.lib.os_errors import from_os

from tests.support.damage import flip_a_bit, truncate
from tests.support.repositories import Source, snapshot, tree
from tests.support.without_rights import without_rights
from tests.unit.protocol.test_formats import matcher, table, without_aside
from tests.unit.protocol.whole_deploys import Fleet

pytestmark = pytest.mark.component("a deploy for each file and each damage")

PAGE = Path(__file__).resolve().parents[3] / "docs" / "formats.md"
PATTERNS = [row[0].strip("`").partition("`")[0] for row in table(PAGE.read_text(), "files")]


def empty(path: Path) -> None:
    path.write_bytes(b"")


def another_bit(path: Path) -> None:
    """A flipped bit; one byte where there is none."""
    if path.stat().st_size:
        flip_a_bit(path)
    else:
        path.write_bytes(b"\x01")


def of_another_version(path: Path) -> None:
    path.write_text(json.dumps({"version": 99, "of": "a version to come"}))


def unreadable(path: Path) -> None:
    path.chmod(0)


def directory(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "file").write_text("somebody's\n")


DAMAGES: dict[str, Callable[[Path], None]] = {
    "empty": empty,
    "truncated": truncate,
    "a flipped bit": another_bit,
    "another version's": of_another_version,
    "not readable": unreadable,
    "a directory": directory,
}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    trees = [tree(a=str(n), b="b" * 50, same="s\n" * 100) for n in range(4)]
    found = Source(tmp_path_factory.mktemp("damage") / "source.git", *trees)
    for number in range(len(trees)):
        found.checked_out(number)  # it is made once, and not by a child process that is forgotten
    return found


OTHER = "l10n"


def deployed(place: Path, source: Source) -> Fleet:
    """Two hosts, of which one may fail, on v1; v0 beside it."""
    fleet = Fleet(place, source, failure_limit=1)
    for tag in ("v0", "v1"):
        assert fleet.sync(tag).outcome.word == "CONVERGED"
    return fleet


def beside(fleet: Fleet) -> Fleet:
    """Another repo of the same master and the same hosts, on v0."""
    other = Fleet(fleet.place, fleet.source, repo=OTHER)
    assert other.sync("v0").outcome.word == "CONVERGED"
    return other


def files(fleet: Fleet) -> dict[str, Path]:
    """Each file of the repo, or of no repo, that is there now; those of one host, as the hosts are alike."""
    found = _all_files(fleet)
    return {name: path for name, path in found.items() if OTHER not in name}


def _all_files(fleet: Fleet) -> dict[str, Path]:
    found = {f"master:{path.relative_to(fleet.root)}": path for path in below(fleet.root)}
    web1 = fleet.minions["web1"]
    found |= {f"minion:{path.relative_to(web1.cache)}": path for path in below(web1.cache)}
    return {
        **found,
        **{f"area:{path.relative_to(web1.repo.paths.area)}": path for path in below(web1.repo.paths.area)},
    }


def below(root: Path) -> list[Path]:
    return sorted(path for path in root.rglob("*") if path.is_file() and not path.is_symlink())


def file_of(pattern: str, fleet: Fleet) -> Path | None:
    """The newest file that a row of the page is about."""
    found = [path for name, path in files(fleet).items() if matcher(pattern).fullmatch(without_aside(name))]
    return max(found, key=lambda path: path.stat().st_mtime_ns) if found else None


@pytest.fixture(scope="module")
def there(source: Source, tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The rows of which this fleet has a file."""
    fleet = deployed(tmp_path_factory.mktemp("there"), source)
    return {pattern for pattern in PATTERNS if file_of(pattern, fleet)}


#: Rows of which this fleet has no file between two deploys: what is there only meanwhile, and what other layouts,
#: transports, engines and commands keep.
ELSEWHERE = frozenset(
    {
        "area:assets.json",
        "area:assets/**",
        "area:blobs/<aa>/<content>",
        "area:blobs/incoming/**",
        "area:catalogue-<shape>.db",
        "area:catalogue-<shape>.db-journal",
        "area:catalogue.db",
        "area:catalogue.db-journal",
        "area:first/**",
        "area:images/<sha256>",
        "area:images/<sha256>.part",
        "area:images/unpacked/**",
        "area:incoming/**",
        "area:layers/links-<digest>/**",
        "area:layers/<layer>.db",
        "area:shared/**",
        "area:rendered/<digest>/**",
        "area:rendered/of-<commit>",
        "area:taking.json",
        "master:once/<repo>.lock",
        "master:suspended.json",
        "master:suspended.lock",
        "master:asked/<token>",
        "master:roles.json",
        "master:staging/<repo>.<digest>.index",
        "area:layers/<layer>.db-journal",
        "area:layers/<layer>.img",
        "area:layers/<layer>.img.part",
        "area:layers/<layer>.json",
        "area:layers/<layer>/**",
        "area:mounts/<mount>.json",
        "area:mounts/<mount>.layers.json",
        "area:mounts/<mount>/**",
        "area:records/<release>.db",
        "area:records/<release>.db-journal",
        "area:records/<release>.json",
        "area:releases/<release>/**",
        "area:slots/<slot>.db-journal",
        "area:store.git.damaged/**",
        "area:trees.git/**",
        "live:.git/**",
        "live:.git/deploy-catalogue.db",
        "live:.git/deploy-catalogue.db-journal",
        "live:.git/deploy-roots.json",
        "live:.git/deploy-tags.json",
        "live:.git/deploy-unfinished",
        "live:<file>/**",
        "master:.keys/<room>/<file>",
        "master:bad/<key>/<key>.p",
        "master:baselines/<key>.p",
        "master:control/<repo>.<deploy>/.<aside>",
        "master:control/<repo>.<deploy>/abort",
        "master:control/<repo>.<deploy>/answer.<question>",
        "master:deploy.log",
        "master:exports/<repo>/.<aside>/**",
        "master:exports/<repo>/<commit>/**",
        "master:forgotten.json",
        "master:lock-log/<key>.p",
        "master:lock/.manual",
        "master:locks/<key>.p",
        "master:manifests/<repo>+<shape>.db-journal",
        "master:mirrors/<repo>+commits.git/**",
        "master:mirrors/<repo>.submodules.git/**",
        "master:mirrors/<repo>.submodules.lock",
        "master:payloads/.<aside>",
        "master:payloads/.delta-<aside>/**",
        "master:payloads/pairs/.made/<note>.json",
        "master:plans/<repo>/<sha256>.json",
        "master:metrics/<sink>.json",
        "master:signals/<sink>.json",
        "master:swarm.json",
        "master:swarm.lock",
        "master:swarms/<deploy>/**",
        "minion:<repo>/incoming/**",
        "minion:<repo>/partial/<sha256>",
        "minion:<repo>/preseed.lock",
        "minion:<repo>/switch.json",
        "minion:.keys/<room>/<file>",
        "minion:booked",
        "minion:booked.lock",
        "minion:payloads/.incoming.<repo>/**",
        "minion:payloads/<sha256>",
        "minion:swarm/**",
    }
)


def test_F33_a_file_that_no_case_damages_is_known_to_lie_elsewhere(there: set[str]) -> None:
    assert set(PATTERNS) - there == ELSEWHERE


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("pattern", [each for each in PATTERNS if each not in ELSEWHERE])
def test_F33_a_damaged_file_is_mended_or_named_with_what_to_do(
    pattern: str, damage: str, tmp_path: Path, source: Source
) -> None:
    fleet = deployed(tmp_path, source)
    other = beside(fleet) if damage in _STOPS_MOST else None
    path = file_of(pattern, fleet)
    assert path is not None
    DAMAGES[damage](path)

    def look() -> None:
        if other is not None and any(word in pattern for word in ("<repo>", "<key>", "area:")):
            assert_deploys(other, 1)  # while the file is as it is
        assert_mended_or_named(fleet, path)

    without_rights(look) if damage == "not readable" else look()


#: The damages by which another repo is looked at as well, since each look is a deploy.
_STOPS_MOST = ("empty", "not readable", "a directory")


def assert_deploys(fleet: Fleet, number: int) -> None:
    assert fleet.sync(f"v{number}").outcome.word == "CONVERGED"
    for minion in fleet.minions.values():
        assert snapshot(minion.location) == fleet.source.checked_out(number)


def assert_mended_or_named(fleet: Fleet, path: Path) -> None:
    told = tell(fleet)
    if told is not None:
        named = f"{told.path} {told.cause} {told.next}"
        assert path.name in named or path.parent.name in named, told
        assert told.next
        if path.is_dir():
            shutil.move(path, f"{path}.bad")
        elif os.path.lexists(path):
            path.rename(f"{path}.bad")
        assert tell(fleet) is None, "with the file out of the way"
    for minion in fleet.minions.values():
        assert snapshot(minion.location) == fleet.source.checked_out(2)


def tell(fleet: Fleet) -> DeployError | None:
    """Deploy v2; the error that names what is wrong, None where all is well."""
    try:
        report = fleet.sync("v2", force=True)
    except DeployError as error:
        return error
    except OSError as error:  # as the runner tells it
        return from_os(error)
    errors = [host.error for host in report.course.hosts.values() if host.error]
    if report.outcome.word == "CONVERGED":
        return None
    web2 = fleet.minions["web2"]
    assert snapshot(web2.location) == fleet.source.checked_out(2), (
        "what is damaged on one host is that host's"
    )
    if not errors:  # the master could not write down how it ended
        assert report.outcome.word == "MIXED"
        return DeployError(report.outcome.reason, next=report.next)
    first = errors[0]
    return DeployError(str(first["cause"]), path=str(first.get("path", "")), next=str(first.get("next", "")))
