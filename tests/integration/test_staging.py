"""Releases that the master makes itself, by a real ``salt-run``, on real hosts: of a directory that people edit, and composed
as the founding discussion has it, of a core with 40 extensions and two patches."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.repo import Repo, converged
from tests.unit.master.staging.test_stage import repository

EXTENSIONS = 40


def files(place: Path) -> dict[str, str]:
    """Path to content of all that lies at a live path."""
    top = place.resolve()
    return {
        str(Path(above, name).relative_to(top)): Path(above, name).read_text()
        for above, _, names in os.walk(top)
        for name in names
    }


@pytest.mark.repo(
    stage={"build": ["sh", "-c", "cat parts/* > page; echo built of $(ls parts | wc -l) parts"]}
)
def test_S03_S38_a_directory_that_people_edit_is_built_staged_and_deployed(
    repo: Repo, tmp_path: Path
) -> None:
    repo.git_dir.rename(tmp_path / "not-this-one")
    (repo.git_dir / "parts").mkdir(parents=True)
    (repo.git_dir / "parts" / "1").write_text("one\n")
    (repo.git_dir / "cache").mkdir()
    (repo.git_dir / ".gitignore").write_text("cache\n")
    made = repo.fleet.salt_run("deploy.stage", repo=repo.name, reason="the first one")
    assert (made.status, made.data["new"], made.data["output"]) == (0, True, "built of 1 parts"), made
    converged(repo.sync(made.data["tag"]))
    kept = {"parts/1": "one\n", "page": "one\n", ".gitignore": "cache\n", "cache/.gitkeep": ""}
    assert [files(repo.place(host)) for host in repo.hosts] == [kept] * 2

    (repo.git_dir / "parts" / "2").write_text("two\n")
    again = repo.run("stage")
    assert (again.data["added"], again.data["changed"], again.data["removed"]) == (1, 1, 0)
    assert repo.run("stage").data["new"] is False
    converged(repo.sync(again.data["tag"]))
    assert {files(repo.place(host))["page"] for host in repo.hosts} == {"one\ntwo\n"}
    assert sorted(os.listdir(repo.git_dir)) == [".gitignore", "cache", "page", "parts"], (
        "still a plain directory"
    )
    converged(repo.run("rollback"))
    assert [files(repo.place(host)) for host in repo.hosts] == [kept] * 2


@pytest.fixture
def upstream(tmp_path: Path) -> Iterator[Path]:
    """A core, its extensions and two patches, as they lie somewhere."""
    repository(tmp_path / "core", index__php="core\n", includes__Setup="setup\n")
    for number in range(EXTENSIONS):
        repository(tmp_path / f"Ext{number}", **{"Ext.php": f"extension {number}\n", "i18n__en": "{}\n"})
    (tmp_path / "01-core.patch").write_text(
        "--- a/includes/Setup\n+++ b/includes/Setup\n@@ -1 +1 @@\n-setup\n+setup, patched\n"
    )
    (tmp_path / "02-ext.patch").write_text(
        "--- a/Ext.php\n+++ b/Ext.php\n@@ -1 +1,2 @@\n extension 7\n+fixed\n"
    )
    yield tmp_path


def composed(upstream: Path) -> dict[str, Any]:
    parts: list[dict[str, str]] = [{"source": str(upstream / "core"), "ref": "main"}]
    for number in range(EXTENSIONS):
        name = f"Ext{number}"
        parts.append({"source": str(upstream / name), "ref": "main", "path": f"extensions/{name}"})
    patches = [
        str(upstream / "01-core.patch"),
        {"file": str(upstream / "02-ext.patch"), "path": "extensions/Ext7"},
    ]
    return {"parts": parts, "patches": patches}


@pytest.mark.repo()
def test_S01_a_core_with_40_extensions_and_two_patches_is_composed_deployed_and_one_extension_moves(
    repo: Repo, upstream: Path
) -> None:
    repo.configure(stage=composed(upstream))
    made = repo.run("stage", reason="wmf.1")
    assert (made.status, made.data["new"]) == (0, True), made
    converged(repo.sync(made.data["tag"]))
    for host in repo.hosts:
        found = files(repo.place(host))
        assert len(json.loads(found.pop(".deploy-sources.json"))["parts"]) == EXTENSIONS + 1
        assert len(found) == 2 + 2 * EXTENSIONS
        assert found["includes/Setup"] == "setup, patched\n"
        assert found["extensions/Ext7/Ext.php"] == "extension 7\nfixed\n"

    commit = repository(upstream / "Ext9", **{"Ext.php": "extension 9, moved\n"})
    moved = repo.run("stage", reason="Ext9 has moved")
    assert (moved.data["added"], moved.data["changed"], moved.data["removed"]) == (0, 2, 0)
    done = converged(repo.sync(moved.data["tag"]))
    assert {files(repo.place(host))["extensions/Ext9/Ext.php"] for host in repo.hosts} == {
        "extension 9, moved\n"
    }
    assert done.data["previous"] == made.data["tag"]

    whose = repo.run("sources", file="extensions/Ext9/Ext.php").data["file"]
    assert (whose["source"], whose["commit"], whose["within"]) == (str(upstream / "Ext9"), commit, "Ext.php")
    patched = repo.run("sources", file="extensions/Ext7/Ext.php").data["file"]
    assert patched["patches"] == [str(upstream / "02-ext.patch")]
    mirror = repo.fleet.root / "mirrors" / f"{repo.name}.git"
    said = subprocess.run(
        ["git", f"--git-dir={mirror}", "cat-file", "tag", moved.data["tag"]],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert "reason: Ext9 has moved\n" in said and f"previous: {made.data['tag']} (" in said
