"""The pages for the next engineer name what there is: files, make targets, one version."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import saltdeploy

PAGES = ("CONTRIBUTING.md", "docs/architecture.md")
TRACK_RECORD = "docs/track-record.md"


@pytest.mark.parametrize("page", PAGES)
def test_each_file_that_a_page_names_is_there(page: str, checkout: Path) -> None:
    named = set(re.findall(r"`([a-z_]+(?:/[a-z_]+)*\.(?:py|jsonl|cfg|md))`", (checkout / page).read_text()))
    assert len(named) > 10
    places = [checkout / "_utils" / "saltdeploy", checkout]
    assert [name for name in sorted(named) if not any((place / name).is_file() for place in places)] == []


@pytest.mark.parametrize("page", [*PAGES, TRACK_RECORD])
def test_each_link_of_a_page_leads_somewhere(page: str, checkout: Path) -> None:
    here = (checkout / page).parent
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", (checkout / page).read_text())
    assert [link for link in links if not (here / link).is_file()] == []


def test_each_make_target_that_the_page_names_is_there(checkout: Path) -> None:
    named = set(re.findall(r"`make ([a-z-]+)`", (checkout / "CONTRIBUTING.md").read_text()))
    targets = set(re.findall(r"^([a-z-]+):", (checkout / "Makefile").read_text(), re.MULTILINE))
    assert named <= targets


def test_each_door_that_imports_the_package_asks_for_its_version(checkout: Path) -> None:
    doors = [door for door in checkout.glob("_*/*.py") if "import saltdeploy" in door.read_text()]
    assert len(doors) == 12
    for door in doors:
        asked = re.findall(r"(?:require\(|__version__ != )\"([^\"]+)\"", door.read_text())
        assert asked == [saltdeploy.__version__], door


def test_each_fault_of_the_track_record_is_held_by_a_test_that_there_is(checkout: Path) -> None:
    rows = re.findall(r"^\| .* \| `(test_F\d\d\w+)` \|$", (checkout / TRACK_RECORD).read_text(), re.MULTILINE)
    assert len(rows) > 30
    sources = "".join(path.read_text() for path in (checkout / "tests").rglob("test_*.py"))
    assert [name for name in rows if f"def {name}(" not in sources] == []
