"""Master, minions and who deploys are three users, and none of them is root."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.factories import Factories
from tests.integration.fleet import HERE, Fleet
from tests.integration.pillar import Pillar
from tests.integration.repo import Releases, Repo
from tests.integration.saltapi import SaltApi
from tests.support import readable_python
from tests.support.installed import copy_doors
from tests.support.nobody import as_nobody
from tests.unit.protocol.test_formats import matcher, table

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")

#: Accounts that every Debian has and that nothing else of these tests uses.
MASTER, MINION = "www-data", "games"
HOSTS = ("web1", "web2")
#: What the page says is its owner's alone.
CLOSED = ("lock", "journal", "pins", "hosts", "control", "bound")
#: Made anew, or renamed, while a test looks.
PASSING = re.compile(r"/\.[^/]*\.[0-9a-f]{8}(/|$)")


@pytest.fixture(scope="module")
def rootless(factories: Factories, short_directory: Path, checkout: Path) -> Iterator[tuple[Fleet, Pillar]]:
    short_directory.chmod(0o711)
    place = short_directory / "rootless"
    place.mkdir()
    python = readable_python.make(place / "python")
    doors = str(copy_doors(checkout, place / "doors"))
    more = shutil.copytree(HERE / "salt", place / "salt", ignore=shutil.ignore_patterns("__pycache__"))
    pillar = Pillar(place / "pillar", place / "disks", server="")
    pillar.add("demo", {})
    pillar.add("mounted", {"layout": "overlay", "service_name": "nginx", "owner": {"user": "backup"}})
    fleet = Fleet(
        Factories.like(factories, root_dir=place),
        place,
        HOSTS,
        master={
            "user": MASTER,
            "module_dirs": [doors],
            "pillar_dirs": [f"{doors}/_pillar"],
            "pillar_roots": {"base": [str(more / "pillar"), str(pillar.directory)]},
        },
        minion={"user": MINION, "module_dirs": [doors, str(more)]},
    )
    daemons = [(fleet.master, MASTER), *((host.daemon, MINION) for host in fleet.hosts.values())]
    for user in {MASTER, MINION}:
        readable_python.as_user(python, user, place / f"python-of-{user}")
    for daemon, user in daemons:
        daemon.python_executable = str(place / f"python-of-{user}")
        belongs(Path(daemon.config["root_dir"]), user)
    belongs(pillar.directory, MASTER)
    belongs(pillar.directory.with_name("signing.pem"), MASTER)
    for host in fleet.hosts.values():
        belongs(host.disk, MINION)
    with fleet.running():
        yield fleet, pillar


def belongs(place: Path, user: str) -> None:
    for path in (place, *place.rglob("*")):
        shutil.chown(path, user, pwd.getpwnam(user).pw_gid)


@pytest.fixture(scope="module")
def repo(rootless: tuple[Fleet, Pillar], tmp_path_factory: pytest.TempPathFactory) -> Repo:
    fleet, pillar = rootless
    found = Repo("demo", fleet, pillar, Releases(tmp_path_factory.mktemp("rootless") / "releases.git"))
    belongs(found.git_dir, "backup")  # whoever pushes is somebody else again
    return found


def owner(path: Path) -> tuple[str, int]:
    found = path.lstat()
    return pwd.getpwuid(found.st_uid).pw_name, stat.S_IMODE(found.st_mode)


def test_who_deploys_by_salt_api_is_nobody_here_and_every_file_is_its_users_own(
    rootless: tuple[Fleet, Pillar], repo: Repo
) -> None:
    fleet, _ = rootless
    with fleet.api(python=fleet.directory / f"python-of-{MASTER}") as url:
        account = SaltApi(url, "deployer")
        for function, more, tag in (
            ("sync", {"tag": "v0"}, "v0"),
            ("sync", {"tag": "v3"}, "v3"),
            ("rollback", {}, "v0"),
        ):
            done = account.run(f"deploy.{function}", {"repo": repo.name, **more})
            assert (done["outcome"], done["ok"]) == ("CONVERGED", 2), done
            assert repo.on_disk() == repo.everywhere(tag)
        told = account.run("deploy.doctor", {"repo": "mounted"})

    # what does not work so, said before anybody tries
    said = " ".join(f"{each['cause']} {each['next']}" for each in told["findings"] if each["host"] == "web1")
    assert f"user {MINION} may not mount" in said, told
    assert "owner" in said

    alone = [fleet.root / name for name in CLOSED]
    for path in (file for place in alone for file in (place, *place.rglob("*"))):
        assert owner(path) == (MASTER, 0o700 if path.is_dir() else 0o600), path
    assert {owner(path)[0] for path in fleet.root.rglob("*")} == {MASTER}
    for host in fleet.hosts.values():
        assert owner(host.record) == (MINION, 0o700)
        assert {owner(path)[0] for path in host.disk.rglob("*")} == {MINION}
        secret = [
            path for path in host.record.rglob("*.json") if path.name in ("record.json", "configuration.json")
        ]
        assert secret and {owner(path) for path in secret} == {(MINION, 0o600)}
    assert strangers(fleet) == []


def strangers(fleet: Fleet) -> list[str]:
    """Files of the master and of minions that docs/formats.md does not name."""
    page = (Path(__file__).resolve().parents[2] / "docs" / "formats.md").read_text()
    patterns = [matcher(cell) for row in table(page, "files") for cell in re.findall(r"`([^`]+)`", row[0])]
    places = {
        "master": fleet.root,
        **{f"minion of {name}": host.record for name, host in fleet.hosts.items()},
    }
    found = []
    for side, place in places.items():
        for path in place.rglob("*"):
            name = f"{side.split()[0]}:{path.relative_to(place)}"
            if (
                path.is_file()
                and not PASSING.search(name)
                and not any(each.fullmatch(name) for each in patterns)
            ):
                found.append(name)
    return found


def test_another_user_of_the_host_reads_nothing_and_stops_nobody(
    rootless: tuple[Fleet, Pillar], repo: Repo
) -> None:
    fleet, _ = rootless
    places = [fleet.root / name for name in CLOSED] + [host.record for host in fleet.hosts.values()]

    def look() -> int:
        opened = []
        for place in places:
            try:
                opened.append(os.listdir(place))
            except PermissionError:
                continue
        return len(opened)

    assert as_nobody(look).status == 0
    command = [str(fleet.directory / f"python-of-{MASTER}"), "-c", "import os; print(os.geteuid())"]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, cwd="/")
    assert int(ran.stdout) == pwd.getpwnam(MASTER).pw_uid
