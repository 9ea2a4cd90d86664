"""What `make dist` builds: all that a fleet needs, and nothing that stays when it is taken away again."""

from __future__ import annotations

import configparser
import email
import importlib.util
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
import saltdeploy
from saltdeploy import loader
from saltdeploy.trebuchet.subcommands import TABLE

from tests.support.installed import DOORS, build_wheel, copy_of, install_beside


@pytest.fixture(scope="module")
def wheel(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(checkout, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def sdist(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("sdist")
    copy = copy_of(checkout, place / "copy", everything=True)
    command = [sys.executable, "-m", "build", "--sdist", "--no-isolation", "--outdir", str(place), str(copy)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (archive,) = place.glob("*.tar.gz")
    return archive


def contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_wheel_brings_the_doors_the_formula_and_the_page(wheel: Path, checkout: Path) -> None:
    brought = contents(wheel)
    wanted = {
        f"saltdeploy/formula/{path.relative_to(checkout / 'formula')}": path.read_bytes()
        for path in (checkout / "formula").rglob("*")
        if path.is_file()
    }
    assert {name: data for name, data in brought.items() if name.startswith("saltdeploy/formula/")} == wanted
    modules = {str(path.relative_to(checkout / "_utils")) for path in (checkout / "_utils").rglob("*.py")}
    for door in DOORS:
        modules |= {f"saltdeploy/{door.strip('_')}/{path.name}" for path in (checkout / door).glob("*.py")}
    assert {name for name in brought if name.endswith(".py")} == modules


def test_the_wheel_tells_salt_where_its_doors_are(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    (entry_points,) = tmp_path.glob("*.dist-info/entry_points.txt")
    parser = configparser.ConfigParser()
    parser.read(entry_points)
    assert dict(parser["salt.loader"]) == {"deploy": "saltdeploy.loader:dirs"}
    assert parser["console_scripts"]["git-deploy"] == "saltdeploy.trebuchet.shell:main"
    spec = importlib.util.spec_from_file_location("installed", tmp_path / "saltdeploy" / "loader.py")
    assert spec and spec.loader
    installed = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(installed)
    assert installed.dirs() == {kind: [str(tmp_path / "saltdeploy" / kind)] for kind in loader.KINDS}


def test_the_wheel_says_what_it_is(wheel: Path) -> None:
    assert any(name.endswith("/LICENSE") for name in contents(wheel))
    (name,) = (name for name in contents(wheel) if name.endswith(".dist-info/METADATA"))
    said = email.message_from_bytes(contents(wheel)[name])
    assert said["Version"] == saltdeploy.__version__
    assert "salt-extension" in said["Keywords"]
    assert (said["License"] or said["License-Expression"]) == "Apache-2.0"
    assert {"Name", "Summary", "Author", "Requires-Python", "Description-Content-Type"} <= set(said.keys())


def test_indexes_take_both(wheel: Path, sdist: Path) -> None:
    command = [sys.executable, "-m", "twine", "check", "--strict", str(wheel), str(sdist)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_sdist_makes_the_same_wheel_and_has_docs_and_tests(
    wheel: Path, sdist: Path, tmp_path: Path
) -> None:
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (unpacked,) = tmp_path.iterdir()
    for name in (
        "docs/operations.md",
        "tests/functional/test_distribution.py",
        ".ci/run",
        "Makefile",
        "man/git-deploy.1",
    ):
        assert (unpacked / name).is_file(), name
    ours, theirs = contents(wheel), contents(build_wheel(unpacked, tmp_path))
    record = next(name for name in ours if name.endswith("/RECORD"))
    assert {name: data for name, data in theirs.items() if name != record} == {
        name: data for name, data in ours.items() if name != record
    }


def test_what_pip_installs_pip_takes_away_again(wheel: Path, tmp_path: Path) -> None:
    python = install_beside(wheel, tmp_path / "environment")
    place = python.parent.parent
    commands = ("saltdeploy", "git-deploy", "deploy-info", "trigger-submodule-update")
    pages = ("saltdeploy.1", "git-deploy.1")
    installed = [python.parent / name for name in commands] + [
        place / "share/man/man1" / name for name in pages
    ]
    assert [path for path in installed if not path.is_file()] == []
    for command in commands[:3]:  # the last one has no help, and works on the submodule that it is in
        asked = subprocess.run([python.parent / command, "--help"], capture_output=True, text=True)
        assert asked.returncode == 0, asked.stderr

    pip = [sys.executable, "-m", "pip", "--python", str(python), "uninstall", "--yes", "saltext-deploy"]
    assert subprocess.run(pip, capture_output=True).returncode == 0
    assert [path for path in place.rglob("*") if "salt" in path.name or path in installed] == []


def test_the_manual_of_git_deploy_names_each_subcommand(checkout: Path) -> None:
    page = (checkout / "man" / "git-deploy.1").read_text()
    assert [each.name for each in TABLE.rows() if each.name not in page] == []
