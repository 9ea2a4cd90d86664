"""The page's files arrive with the package, and they load nothing from anywhere else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest


@pytest.fixture
def page(checkout: Path) -> Path:
    return checkout / "formula" / "deploy" / "page"


def test_the_page_names_no_other_server_and_no_way_to_read_text_as_html(page: Path) -> None:
    names_of_a_format = ("http://www.w3.org/2000/svg",)
    for path in page.iterdir():
        text = path.read_text()
        urls = [url for url in re.findall(r"\w+://[^\s\"'<>)]+", text) if url not in names_of_a_format]
        assert urls == [], path.name
        found = re.findall(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|DOMParser", text
        )
        assert found == [], path.name


def test_the_page_lets_nothing_load_but_its_own_files(page: Path) -> None:
    """salt-api sets no header of its own for a file, so the page says it itself."""
    (policy,) = re.findall(
        r'http-equiv="Content-Security-Policy" content="([^"]+)"', (page / "index.html").read_text()
    )
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["default-src"] == "'none'"
    assert {value for name, value in rules.items() if name.endswith("-src")} == {"'none'", "'self'"}


def test_every_module_that_is_imported_is_there(page: Path) -> None:
    for path in page.glob("*.js"):
        for name in re.findall(r'from "\./([^"]+)"', path.read_text()):
            assert (page / name).is_file(), f"{path.name} imports {name}"
