"""Set-ups of a master that are broken in one way each: the doctor names what is wrong, and its commands mend it.

Nothing runs here, which is one thing that the doctor says each time. What it takes targets to see stands in
``tests/integration/test_doctor.py``.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.functional.test_doors import configuration
from tests.integration.host import programs_but_git
from tests.support.installed import copy_doors
from tests.support.repositories import Source, git, tree

NAME = "site"
Break = Callable[["Place"], object]


class Place:
    """A master's files below a directory, complete and right; it does not run."""

    def __init__(self, checkout: Path, directory: Path) -> None:
        self.srv = directory / "srv"
        self.doors = copy_doors(checkout, self.srv / "salt")
        self.source = Source(self.srv / "site.git", tree(index="one\n")).git_dir
        self.pillar = self.srv / "pillar"
        self.pillar.mkdir()
        self.config = directory / "conf"
        self.extmods = self.config / "extmods"  # Salt puts a path that is elsewhere below its own root
        self.included = self.config / "master.d"
        self.included.mkdir(parents=True)
        self.sync()
        (self.config / "cache" / "proc").mkdir(
            parents=True
        )  # a master has made it when it ran the first time
        own = {"file_client": "remote", "extension_modules": str(self.extmods), "id": "vm_master"}
        roots = {
            "file_roots": {"base": [str(self.doors)]},
            "pillar_roots": {"base": [str(self.pillar)]},
        }
        configuration(checkout, self.config, **own, **roots).rename(self.config / "master")
        self.configure(fileserver_backend=["roots", "deploy_payloads"], ext_pillar=[{"deploy_pins": {}}])
        self.repo()
        self.top({"*": ["deploy"]})
        self.path = os.environ["PATH"]

    def sync(self) -> None:
        """What ``salt-run saltutil.sync_all`` does; that one needs no master either, and takes a while."""
        shutil.rmtree(self.extmods, ignore_errors=True)
        for kind in self.doors.iterdir():
            shutil.copytree(kind, self.extmods / kind.name.removeprefix("_"))

    def configure(self, **settings: Any) -> None:
        (self.included / "deploy.conf").write_text(json.dumps(settings))  # JSON is YAML

    def repo(self, **keys: Any) -> None:
        """What the pillar says of the repo."""
        said = {"source": str(self.source), "location": "/srv/www/site", **keys}
        (self.pillar / "deploy.sls").write_text(json.dumps({"repo_config": {NAME: said}}))

    def top(self, given: dict[str, Any]) -> None:
        (self.pillar / "top.sls").write_text(json.dumps({"base": given}))

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        program = Path(sys.executable).with_name("salt-run")
        command = [sys.executable, str(program), "-c", str(self.config), *arguments]
        return subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PATH": self.path})

    def doctor(self) -> dict[str, Any]:
        done = self.run("--out=json", "deploy.doctor", f"repo={NAME}")
        assert done.stdout.startswith("{"), (done.stdout, done.stderr)
        view = json.loads(done.stdout)
        assert done.returncode == view["retcode"]
        found: dict[str, Any] = view
        return found


def without(kind: str) -> Break:
    return lambda place: shutil.rmtree(place.extmods / kind)


def no_git(place: Place) -> None:
    place.path = str(programs_but_git(place.srv / "bin"))


@dataclass(frozen=True)
class Broken:
    """A set-up in which one thing is wrong.

    Attributes:
        breaks: makes it so.
        check: which check finds it.
        cause: words that stand in the cause.
        mends: words that stand in what is to be done about it.
        more: other checks that find what follows from it.
    """

    breaks: Break
    check: str
    cause: str
    mends: str
    more: frozenset[str] = field(default_factory=frozenset)


SETUPS = {
    "no file server": Broken(
        lambda place: place.configure(ext_pillar=[{"deploy_pins": {}}]),
        "the file server is configured",
        "lacks deploy_payloads",
        """echo '{"fileserver_backend": ["roots", "deploy_payloads"]}' > """,
    ),
    "no ext_pillar": Broken(
        lambda place: place.configure(fileserver_backend=["roots", "deploy_payloads"]),
        "ext_pillar is configured",
        "lacks deploy_pins",
        """echo '{"ext_pillar": [{"deploy_pins": {}}]}' > """,
    ),
    "file server not installed": Broken(
        without("fileserver"),
        "the file server is installed",
        "does not find _fileserver/deploy_payloads.py",
        "salt-run saltutil.sync_all && systemctl restart salt-master",
    ),
    "ext_pillar not installed": Broken(
        without("pillar"),
        "ext_pillar is installed",
        "does not find _pillar/deploy_pins.py",
        "salt-run saltutil.sync_all && systemctl restart salt-master",
    ),
    "outputter not installed": Broken(
        without("output"),
        "the outputter is installed",
        "does not find _output/deploy.py",
        "salt-run saltutil.sync_all",
    ),
    "F23 pillar_cache": Broken(
        lambda place: (place.included / "more.conf").write_text("pillar_cache: True\n"),
        "the pillar cache is off",
        "a host that was away is told an old release",
        """echo '{"pillar_cache": false}' > """,
    ),
    "pillar does not render": Broken(
        lambda place: (place.pillar / "deploy.sls").write_text("{% if %}\n"),
        "the pillar renders",
        "the pillar does not render",
        "salt-run pillar.show_pillar vm_master",
    ),
    "F16 pillar not for the master's own id": Broken(
        lambda place: place.top({"web*": ["deploy"]}),
        "the pillar has the repo",
        "compiled for the master's own minion id 'vm_master' has no repo_config",
        "top.sls",
    ),
    "another repo": Broken(
        lambda place: (place.pillar / "deploy.sls").write_text("repo_config: {other: {source: /srv/other}}"),
        "the pillar has the repo",
        "has no repo 'site'; it has other",
        "salt-run deploy.init repo=site source=... write=True",
    ),
    "a key that is not valid": Broken(
        lambda place: place.repo(layout="nonsense"),
        "repo: its pillar is valid",
        "nonsense",
        "salt '*' saltutil.refresh_pillar",
    ),
    "a location where nothing may lie": Broken(
        lambda place: place.repo(location="/etc"), "repo: its pillar is valid", "/etc", "location"
    ),
    "no git": Broken(no_git, "git on the master", "git", "pkg.install git"),
    "no source": Broken(
        lambda place: place.repo(source="/no/such"),
        "repo: its source has tags",
        "there is no git repository at this path",
        "git -C /no/such status",
    ),
    "a source that cannot be reached": Broken(
        lambda place: place.repo(source="http://127.0.0.1:1/site.git"),
        "repo: its source has tags",
        "cannot fetch from http://127.0.0.1:1/site.git",
        "git ls-remote http://127.0.0.1:1/site.git",
    ),
    "no tag": Broken(
        lambda place: git(place.source, "tag", "-d", "v0"),
        "repo: its source has tags",
        "has no tag yet",
        "tag v1",
    ),
    "F15 rsync without a URL": Broken(
        lambda place: place.repo(transport="rsync"), "repo: URLs for targets", "rsync_url", "rsync_url"
    ),
}
_MENDED_BY_PASTING = (
    "no file server",
    "no ext_pillar",
    "F23 pillar_cache",
    "no tag",
)
NOT_RUNNING = "the master runs"


@pytest.fixture
def place(checkout: Path, tmp_path: Path) -> Place:
    return Place(checkout, tmp_path)


def wrong(view: dict[str, Any]) -> set[str]:
    return {each["check"] for each in view["findings"]}


def test_a_master_that_is_right_and_does_not_run_is_told_that_and_nothing_else(place: Place) -> None:
    view = place.doctor()
    assert wrong(view) == {NOT_RUNNING}
    assert view["findings"][0]["next"] == "systemctl restart salt-master"
    unknown = {each["name"] for each in view["checks"] if each["state"] == "cannot say"}
    assert "target: it answers" in unknown, "what nobody could ask is not called ok"


@pytest.mark.parametrize("name", SETUPS)
def test_what_is_wrong_is_named_with_what_mends_it(name: str, place: Place) -> None:
    broken = SETUPS[name]
    broken.breaks(place)
    view = place.doctor()
    assert view["retcode"] == 1
    assert wrong(view) - broken.more == {NOT_RUNNING, broken.check}
    (found,) = [each for each in view["findings"] if each["check"] == broken.check]
    assert broken.cause in found["cause"]
    assert broken.mends in f"{found['by_hand']} {found['next']}"


@pytest.mark.parametrize("name", _MENDED_BY_PASTING)
def test_the_command_that_is_printed_mends_it(name: str, place: Place) -> None:
    broken = SETUPS[name]
    broken.breaks(place)
    (found,) = [each for each in place.doctor()["findings"] if each["check"] == broken.check]
    subprocess.run(["bash", "-c", found["next"].partition(" && systemctl ")[0]], check=True)
    assert wrong(place.doctor()) == {NOT_RUNNING}


def test_a_person_reads_a_line_for_each_check_and_below_it_what_is_wrong(place: Place) -> None:
    place.configure(fileserver_backend=["roots", "deploy_payloads"])
    done = place.run("deploy.doctor", f"repo={NAME}")
    lines = done.stdout.splitlines()
    at = lines.index("wrong       ext_pillar is configured")
    assert lines[at + 1].startswith(
        "            master: ext_pillar in the master's configuration lacks deploy_pins"
    )
    assert lines[at + 2].startswith("            Mend: echo ")
    assert "ok          the pillar renders" in lines
    assert "cannot say  target: it answers (first: the master runs)" in lines
    assert lines[-1] == f"Next: mend the first thing that is wrong, then salt-run deploy.doctor repo={NAME}"
    assert done.returncode == 1


def test_init_changes_no_file_that_is_there_and_prints_its_piece(place: Place) -> None:
    shutil.rmtree(place.pillar)
    place.pillar.mkdir()
    place.top({})
    before = (place.pillar / "top.sls").read_bytes()
    init = ("deploy.init", "repo=site", f"source={place.source}", "location=/srv/www/site")
    printed = place.run(*init)
    assert (printed.returncode, len(list(place.pillar.iterdir()))) == (0, 1)
    assert "master configuration: nothing to do, it is there" in printed.stdout
    assert "    repo_config:\n      site:\n        source: " in printed.stdout
    done = place.run(*init, "write=True")
    assert f"{place.pillar}/top.sls (top file of the pillar) is there already" in done.stdout
    assert (done.returncode, (place.pillar / "top.sls").read_bytes()) == (1, before)
    assert (place.pillar / "deploy.sls").read_text().startswith("repo_config:\n  site:\n    source: ")


def test_init_writes_what_a_master_lacks_beside_what_its_lists_hold(place: Place) -> None:
    shutil.rmtree(place.pillar)
    file = place.config / "master.d" / "zz.conf"
    place.configure(fileserver_backend=["roots", "s3fs"], ext_pillar=[{"cmd_yaml": "true"}])
    done = place.run(
        *("deploy.init", "repo=site", f"source={place.source}", "write=True", f"config_file={file}")
    )
    assert done.returncode == 0, done.stdout
    assert yaml.safe_load(file.read_text()) == {
        "fileserver_backend": ["roots", "s3fs", "deploy_payloads"],
        "ext_pillar": [{"cmd_yaml": "true"}, {"deploy_pins": {}}],
    }
    assert "salt-run deploy.sync repo=site tag=v0" in done.stdout
    assert wrong(place.doctor()) == {NOT_RUNNING}
