"""What a wheel carries, and where Salt finds the doors."""

from __future__ import annotations

import configparser
import importlib.util
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import saltdeploy
from saltdeploy import loader

SHIPPED = ("LICENSE", "README.md", "setup.cfg", "pyproject.toml", "_utils", "formula")


@pytest.fixture(scope="module")
def wheel(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """A wheel, built from a copy since building leaves files behind."""
    copy = tmp_path_factory.mktemp("checkout")
    out = tmp_path_factory.mktemp("wheel")
    for path in [*(checkout / name for name in SHIPPED), *(checkout / f"_{kind}" for kind in loader.KINDS)]:
        if path.is_dir():
            shutil.copytree(path, copy / path.name, ignore=shutil.ignore_patterns("__pycache__"))
        elif path.exists():
            shutil.copy(path, copy)
    pip = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index"]
    done = subprocess.run([*pip, "--wheel-dir", str(out), str(copy)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = out.glob("*.whl")
    return zipfile.ZipFile(built)


def test_a_wheel_carries_every_module_of_the_packages_and_every_door(
    wheel: zipfile.ZipFile, checkout: Path
) -> None:
    packages = checkout / "_utils"
    wanted = {str(file.relative_to(packages)) for file in packages.rglob("*.py")}
    for kind in loader.KINDS:
        wanted |= {f"saltdeploy/{kind}/{door.name}" for door in (checkout / f"_{kind}").glob("*.py")}
    assert wanted == {name for name in wheel.namelist() if name.endswith(".py")}


def test_a_wheel_tells_salt_where_its_doors_are(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    wheel.extractall(tmp_path)
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


def test_a_wheel_has_the_version_of_the_package_and_the_licence(wheel: zipfile.ZipFile) -> None:
    (metadata,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    text = wheel.read(metadata).decode()
    assert f"Version: {saltdeploy.__version__}\n" in text
    assert "Apache-2.0" in text
    assert any(name.endswith("LICENSE") for name in wheel.namelist())


def test_an_editable_install_finds_the_doors_in_the_checkout(checkout: Path) -> None:
    assert loader.dirs() == {kind: [str(checkout / f"_{kind}")] for kind in loader.KINDS}


def test_every_directory_of_doors_is_one_that_the_loader_tells_of(checkout: Path) -> None:
    doors = {path.name for path in checkout.glob("_*") if list(path.glob("*.py"))}
    assert doors == {f"_{kind}" for kind in loader.KINDS}


def test_no_directory_of_the_checkout_hides_a_directory_of_doors(checkout: Path) -> None:
    """Salt looks for ``states`` before ``_states``; ``pillar`` has ``pillar_dirs`` to help it."""
    hiding = {kind for kind in loader.KINDS if (checkout / kind).exists()}
    assert hiding <= {"pillar"}
