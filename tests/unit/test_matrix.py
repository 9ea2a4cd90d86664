"""What `make matrix` sums up: a line for each Salt, and the table of doors in the page."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import matrix

_CASE = '<testcase classname="tests.x" name="{name}"><properties>{said}</properties>{ended}</testcase>'
_DOOR = '<property name="door" value="{door}"/><property name="transport" value="{transport}"/>'


def case(name: str, door: str = "", transport: str = "zeromq", ended: str = "") -> str:
    said = _DOOR.format(door=door, transport=transport) if door else ""
    return _CASE.format(name=name, said=said, ended=ended)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    place = tmp_path / "results"
    place.mkdir()
    runs = {
        "3006": [
            case("a", "reactor"),
            case("b", "salt-api", ended="<skipped/>"),
            case("c", ended="<failure/>"),
        ],
        "3008": [case("a", "reactor"), case("a2", "reactor", ended="<error/>"), case("b", "salt-api", "tcp")],
    }
    for salt, cases in runs.items():
        (place / f"{salt}.xml").write_text(
            f"<testsuites><testsuite>{''.join(cases)}</testsuite></testsuites>"
        )
    return place


def test_doors_are_told_by_transport_and_salt_and_the_worst_test_counts(results: Path) -> None:
    assert matrix.table(matrix.seen_in(results)).splitlines()[2:] == [
        "| reactor | zeromq | works | fails |",
        "| salt-api | tcp | not tried | works |",
        "| salt-api | zeromq | not there | not tried |",
    ]


def test_the_page_keeps_all_but_its_table_and_a_failure_is_the_exit_status(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n\n{matrix.BEGIN}\nold\n{matrix.END}\n\nbehind\n")
    assert matrix.main(str(results), str(page)) == 1
    text = page.read_text()
    assert text.startswith("before\n") and text.endswith("behind\n")
    assert "old" not in text and "| reactor | zeromq |" in text
    said = capsys.readouterr().out
    assert "3006: 1 works, 1 not there, 1 fails" in said
    assert "  fails: tests.x.c" in said
    assert matrix.main(str(results), str(page)) == 1
    assert page.read_text() == text


def test_where_nothing_ran_that_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert matrix.main(str(tmp_path), str(tmp_path / "page.md")) == 1
    assert "make matrix" in capsys.readouterr().err


def test_the_page_has_a_table(checkout: Path) -> None:
    text = (checkout / "docs" / "salts.md").read_text()
    assert matrix.BEGIN in text and matrix.END in text
