"""A real site: a virtualenv for each release, a migration, a server that takes over its socket, static files behind nginx.

Somebody reads it all the time, and every answer is a good one: of the release before, or of the next.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import threading
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.repo import Repo, converged
from tests.support.remotes import nginx
from tests.support.repositories import FILE, Entry, Source, Tree

SITE = Path(__file__).resolve().parent.parent / "support" / "real_site"
VERSIONS = ("one", "two", "broken", "four")
#: What the pillar says of such a site; docs/everyday.md has the same.
PILLAR: dict[str, Any] = {
    "targets": "web1",
    "assets": {"paths": ["static"], "keep": 3},
    "once": [
        {
            "name": "migrate",
            "before": "checkout",
            "where": "first",
            "command": ["python3", "migrate.py", "DISK/site.db", "forth"],
            "undo": ["python3", "migrate.py", "DISK/site.db", "back"],
        }
    ],
    "checks": {
        "virtualenv": {"after": "fetch", "command": ["sh", "virtualenv.sh", "DISK"], "timeout": 60},
        "serves-this-release": {"after": "restart", "command": ["python3", "probe.py", "DISK/site.sock"]},
    },
    "restart_command": ["sh", "restart.sh", "DISK"],
}

_LOCATIONS = """
location /static/ {{ root {live}; error_page 404 = @before; }}
location @before {{ root {assets}; }}
location / {{ proxy_pass http://unix:{disk}/site.sock:; }}
"""


def releases() -> list[Tree]:
    """Four releases: the second one needs a column, the third does not come up, the fourth is well again."""
    shared = {path.name.encode(): Entry(FILE, path.read_bytes()) for path in SITE.glob("*.*")}
    trees = []
    for version in VERSIONS:
        column = "name" if version == "one" else "title"
        trees.append(
            {
                **shared,
                b"VERSION": Entry(FILE, version.encode()),
                b"COLUMN": Entry(FILE, column.encode()),
                b"static/site.css": Entry(FILE, f"/* {version} */".encode()),
                f"static/app-{version}.js".encode(): Entry(FILE, version.encode()),
            }
        )
    trees[2][b"COLUMN"] = Entry(FILE, b"nothing_of_this_name")
    return trees


def read(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return int(answer.status), answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, ""
    except OSError as error:
        return 0, str(error)


class Reader:
    """Reads the page and its style sheet until it is told to stop, and what the page asks for, of each that it still has open.

    Attributes:
        seen: how often which version answered.
        failures: everything that was no good answer.
    """

    def __init__(self, url: str) -> None:
        self.seen: Counter[str] = Counter()
        self.failures: list[tuple[int, str]] = []
        self._url = url
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self._ends.wait(0.01):
            for path in ("/", "/static/site.css", *(f"/static/app-{version}.js" for version in self.seen)):
                status, text = read(self._url + path)
                if status != 200:
                    self.failures.append((status, f"{path}: {text}"))
                elif path == "/":
                    self.seen[json.loads(text)["version"]] += 1

    def __enter__(self) -> Reader:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join()


def plain_checkout(live: Path) -> Path:
    """The site as a directory that somebody has checked out at the live path."""
    return live


def of_capistrano(live: Path) -> Path:
    """The site as Capistrano has it: the live path is a link to one of its releases."""
    release = live.with_name("capistrano") / "releases" / "20261101120000"
    live.parent.mkdir(parents=True, exist_ok=True)
    live.symlink_to(release)
    return release


def serve_as_before(live: Path, disk: Path, lay: Callable[[Path], Path]) -> None:
    """The site is served without us: its database, its files, and the process."""
    tree = lay(live)
    for path, entry in releases()[0].items():
        place = tree / os.fsdecode(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(entry.data)
    environment = {
        **os.environ,
        "DEPLOY_TAG": "before",
        "DEPLOY_COMMIT": "before",
        "SCAP_FINAL_PATH": str(live),
    }
    migrate = ["python3", "migrate.py", str(disk / "site.db"), "forth"]
    for command in (migrate, ["sh", "virtualenv.sh", str(disk)], ["sh", "restart.sh", str(disk)]):
        subprocess.run(command, cwd=live, env=environment, check=True)


@pytest.fixture
def site(repo: Repo) -> Iterator[Repo]:
    """The site's own releases; what serves in the end is ended."""
    shutil.rmtree(repo.git_dir)
    Source(repo.git_dir, *releases())
    disk = repo.fleet.hosts["web1"].disk
    yield repo
    with contextlib.suppress(ProcessLookupError, FileNotFoundError):
        os.kill(int((disk / "site.pid").read_text()), signal.SIGTERM)
    for left in disk.glob("site.*"):
        left.unlink()


@pytest.mark.repo(**PILLAR)
@pytest.mark.parametrize("lay", [plain_checkout, of_capistrano])
def test_a_site_is_taken_over_goes_forth_and_back_and_no_reader_fails(
    site: Repo, tmp_path: Path, lay: Callable[[Path], Path]
) -> None:
    disk = site.fleet.hosts["web1"].disk
    serve_as_before(site.place("web1"), disk, lay)
    live = site.place("web1")
    assets = live.with_name(f".{live.name}.deploy") / "assets"
    with (
        nginx(tmp_path / "nginx", _LOCATIONS.format(live=live, assets=assets, disk=disk)) as url,
        Reader(url) as reader,
    ):
        assert converged(site.sync("v0")).data["hosts"]["web1"]["moved_aside"]
        page = json.loads(read(url + "/")[1])
        assert (page["version"], page["rows"]) == ("one", ["front"])
        assert page["python"].startswith(str(disk / "venvs"))
        converged(site.sync("v1"))
        assert json.loads(read(url + "/")[1])["rows"] == ["Front page"]
        assert read(url + "/static/site.css")[1] == "/* two */"
        broken = site.sync("v2")
        assert broken.data["outcome"] == "ROLLED BACK"
        assert "the new process did not come up" in broken.data["reason"]
        assert "step migrate was done on web1 and undone" in broken.data["reason"]
        assert json.loads(read(url + "/")[1])["version"] == "two"
        converged(site.sync("v3"))
        converged(site.run("rollback", to="v0"))
        assert json.loads(read(url + "/")[1])["rows"] == ["front"]
    assert reader.failures == []
    assert set(reader.seen) == {"one", "two", "four"}
    with contextlib.closing(sqlite3.connect(disk / "site.db")) as database:
        ways = list(database.execute("select tag, way from migrations"))
    assert ways == [
        ("before", "forth"), ("v0", "forth"), ("v1", "forth"), ("v2", "forth"), ("v1", "back"), ("v3", "forth"), ("v0", "back"),
    ]  # fmt: skip
