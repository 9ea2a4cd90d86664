"""The project as a wheel, for tests that install it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from saltdeploy import loader

_SHIPPED = ("LICENSE", "README.md", "setup.cfg", "pyproject.toml", "_utils", "formula", "man", "completions")
_OF_THE_SDIST = (
    "MANIFEST.in",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "Makefile",
    "ruff.toml",
    ".ci",
    "bench",
    "bin",
)
_OF_THE_SDIST += ("demo", "docs", "pillar", "tests", "tools")
DOORS = tuple(f"_{kind}" for kind in loader.KINDS)


def copy_doors(checkout: Path, directory: Path) -> Path:
    """The directories that Salt can sync, and nothing else of the checkout."""
    for name in ("_utils", *DOORS):
        shutil.copytree(checkout / name, directory / name, ignore=shutil.ignore_patterns("__pycache__"))
    return directory


def copy_of(checkout: Path, directory: Path, *, everything: bool = False) -> Path:
    """Copy what goes into the wheel, or into the sdist: building leaves files behind.

    Returns:
        The copy.
    """
    directory.mkdir()
    for path in (checkout / name for name in (*_SHIPPED, *DOORS, *(_OF_THE_SDIST if everything else ()))):
        if path.is_dir():
            shutil.copytree(path, directory / path.name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(path, directory)
    return directory


def build_wheel(checkout: Path, directory: Path) -> Path:
    """Build the wheel, without a network."""
    copy = copy_of(checkout, directory / "copy")
    pip = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index"]
    _run([*pip, "--wheel-dir", str(directory), str(copy)])
    (wheel,) = directory.glob("*.whl")
    return wheel


def install_beside(wheel: Path, directory: Path) -> Path:
    """A fresh virtual environment with the wheel, and with the packages of this one (Salt among them) behind it.

    Returns:
        Its Python.
    """
    _run([sys.executable, "-m", "venv", "--without-pip", str(directory)])
    python = directory / "bin" / "python"
    (site,) = directory.glob("lib/python*/site-packages")
    ours = next(path for path in sys.path if path.endswith("site-packages"))
    (site / "behind.pth").write_text(f"{ours}\n")
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-deps", "--no-index"]
    _run([*pip, str(wheel)])
    return python


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
