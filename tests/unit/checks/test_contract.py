"""Each row of the table of kinds is true: its two functions, its keys, and what the page says of it."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest
from saltdeploy import checks
from saltdeploy.checks import FAIL, INCONCLUSIVE, PASS, CheckContext
from saltdeploy.config import check_kinds, plugins
from saltdeploy.config.check_kinds import TABLE, CheckKind
from saltdeploy.config.checks import checks as read
from saltdeploy.config.rollout import Check
from saltdeploy.config.values import Wrong

from tests.unit.config.test_checks import WHOLE

each_row = pytest.mark.parametrize("row", TABLE.built_in.values(), ids=lambda row: row.name)


def example(row: CheckKind) -> Check:
    (found,) = read({"x": {"type": row.name, "after": "restart", **WHOLE[row.name]}})
    return found


@each_row
def test_a_row_leads_to_two_functions_that_take_a_check_and_where_it_runs(row: CheckKind) -> None:
    for place in (row.run, row.by_hand):
        function = plugins.resolve(place, row.name)
        assert list(inspect.signature(function).parameters) == ["check", "place"]
        assert function.__module__.startswith("saltdeploy.checks.")


@each_row
def test_a_check_ends_in_a_verdict_and_a_command_wherever_it_runs(
    row: CheckKind, place: CheckContext
) -> None:
    check = example(row)
    found = checks.run(check, place)
    assert found.word in (PASS, FAIL, INCONCLUSIVE)
    assert "Check 'x'" in found.text
    assert checks.by_hand(check, place)


@each_row
def test_a_key_that_a_kind_needs_is_asked_for(row: CheckKind) -> None:
    for key in row.required:
        keys = {name: value for name, value in WHOLE[row.name].items() if name != key}
        with pytest.raises(Wrong, match=f"needs {key}"):
            read({"x": {"type": row.name, "after": "restart", **keys}})


@each_row
def test_a_check_runs_on_a_target_unless_its_kind_is_of_the_master(row: CheckKind) -> None:
    assert example(row).master is row.on_master


@each_row
def test_the_page_says_of_a_kind_what_the_row_says(row: CheckKind, checkout: Path) -> None:
    page = (checkout / "docs" / "checks.md").read_text()
    (told,) = re.findall(rf"^\| `{row.name}` \|(.+)\|$", page, re.MULTILINE)
    assert set(row.keys) - {"shell"} <= set(re.findall(r"`(\w+)`", told))  # shell: scap's, and refused
    (asking,) = re.findall(r"A check that asks processes \(([^)]+)\)", page)
    assert (f"`{row.name}`" in asking) is row.asks_processes


def test_there_is_no_kind_of_another_name() -> None:
    with pytest.raises(Exception, match="there is no kind of check 'magic'") as caught:
        check_kinds.kind("magic")
    assert str(caught.value).endswith("choose one of command, script, nrpe, http, port, salt, metric")


@pytest.mark.parametrize("fields", [{"run": "nowhere"}, {"keys": ["url"]}, {"required": ("url",)}])
def test_a_row_that_cannot_be_meant_is_refused(fields: dict[str, object]) -> None:
    known = {"name": "x", "run": "a:b", "by_hand": "a:c"}
    with pytest.raises(TypeError):
        CheckKind(**{**known, **fields})  # type: ignore[arg-type]
