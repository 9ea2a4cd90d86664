"""Packages of somebody else, installed by pip into a directory of their own."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from saltdeploy.config import check_kinds, pointers, signal_kinds, tag_schemes, transports

EXAMPLE = Path(__file__).parent / "example_plugin"


def install(target: Path, package: Path) -> Path:
    """Install a package from its directory with pip, without a network; return ``target``."""
    copy = target.with_name(f"{target.name}-copy") / package.name
    # building leaves files behind
    shutil.copytree(package, copy, ignore=shutil.ignore_patterns("__pycache__"))
    pip = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--no-build-isolation"]
    done = subprocess.run(
        [*pip, "--no-compile", "--target", str(target), str(copy)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return target


def put(target: Path, name: str, code: str, points: dict[str, dict[str, str]]) -> None:
    """Put a package of one module to those that are installed, with the metadata that pip would write.

    Args:
        name: of the package; with underscores it is that of the module.
        code: of the module.
        points: group to name to the object in the module that the entry point leads to.
    """
    module = name.replace("-", "_")
    (target / f"{module}.py").write_text(code)
    metadata = target / f"{module}-0.1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1\n")
    lines = []
    for group, named in points.items():
        lines += [f"[{group}]", *(f"{point} = {module}:{thing}" for point, thing in named.items())]
    (metadata / "entry_points.txt").write_text("\n".join(lines) + "\n")


@contextlib.contextmanager
def beside(installed: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Packages that were installed into a directory are installed beside ours meanwhile, and forgotten afterwards."""
    for table in (transports.TABLE, check_kinds.TABLE, pointers.TABLE, signal_kinds.TABLE, tag_schemes.TABLE):
        monkeypatch.setattr(table, "_loaded", {})
    monkeypatch.syspath_prepend(installed)
    known = set(sys.modules)
    yield
    for name in set(sys.modules) - known:
        if str(installed) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]
