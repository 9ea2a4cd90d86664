"""The checks that a plan tells are those that hosts run."""

from __future__ import annotations

from pathlib import Path

from saltdeploy import config
from saltdeploy.master.planning import check_places

from tests.support.repositories import Source, tree


def test_of_a_file_of_checks_that_the_pillar_leaves_out_of_the_trees_nothing_is_planned(
    tmp_path: Path,
) -> None:
    text = "checks:\n  well: {stage: promote, command: look}"
    source = Source(tmp_path / "source", tree(a="1", **{"scap/checks.yaml": text}))
    commit = source.tag(0).commit
    found = {
        str(left_out): check_places.of(_repo(tmp_path, left_out), source.repository, commit)
        for left_out in ([], ["scap"], ["scap/checks.yaml"], ["scap/other"])
    }
    named = {left_out: [row["check"] for row in rows] for left_out, rows in found.items()}
    assert named == {
        "[]": ["well"],
        "['scap']": [],
        "['scap/checks.yaml']": [],
        "['scap/other']": ["well"],
    }


def _repo(place: Path, left_out: list[str]) -> config.Repo:
    keys = {"location": str(place / "demo"), "exclude": left_out}
    return config.load({"repo_config": {"demo": keys}}, "demo")
