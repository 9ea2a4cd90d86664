"""The page of everyday features: what it says that we have, a test shows."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "everyday.md"
TOOLS = ("Trebuchet", "scap", "Capistrano", "Deployer", "Kamal")


def rows() -> list[list[str]]:
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


HEADING, _, *FEATURES = rows()


def test_each_feature_says_what_every_tool_has() -> None:
    assert tuple(HEADING[1:6]) == TOOLS
    assert all(len(row) == len(HEADING) and all(row) for row in FEATURES)
    assert len({row[0] for row in FEATURES}) == len(FEATURES)


@pytest.mark.parametrize("row", FEATURES, ids=lambda row: row[0].replace(" ", "-"))
def test_what_is_said_to_be_here_is_shown_by_a_test(row: list[str]) -> None:
    *_, shown = row
    (named,) = re.findall(r"`([^`]+)`", shown)
    file, _, name = named.partition("::")
    path = ROOT / file
    assert path.is_file()
    found = {each.name for each in ast.walk(ast.parse(path.read_text())) if isinstance(each, ast.FunctionDef)}
    assert name in found if name else any(each.startswith("test_") for each in found)
