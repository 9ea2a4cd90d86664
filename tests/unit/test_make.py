"""``make test`` runs every test, whatever marks it has."""

from __future__ import annotations

import itertools
import re
import shlex
import subprocess
from argparse import ArgumentParser, Namespace
from pathlib import Path

import pytest
from _pytest.mark.expression import Expression


def runs(checkout: Path, target: str) -> list[Namespace]:
    """Each time that a target runs pytest: ``m`` is its expression of marks, ``paths`` what it runs."""
    command = ["make", "--dry-run", "--no-print-directory", "--directory", str(checkout), target]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    parser = ArgumentParser()
    parser.add_argument("-m", default="")
    parser.add_argument("--hypothesis-profile", default="quick")
    for ignored in ("--numprocesses", "--dist", "--junit-xml"):
        parser.add_argument(ignored)
    parser.add_argument("paths", nargs="+")
    return [parser.parse_args(shlex.split(tail)) for tail in re.findall(r" -m pytest (.*)", said)]


def asks_for(run: Namespace, marks: tuple[str, ...]) -> bool:
    """Whether it runs a test that has just these marks."""
    return not run.m or Expression.compile(run.m).evaluate(lambda name, **_: name in marks)


def named(given: list[Namespace]) -> list[str]:
    """The marks that the expressions name."""
    return sorted({word for run in given for word in re.findall(r"\w+", run.m)} - {"not", "and", "or"})


def test_no_test_falls_between_the_targets(checkout: Path) -> None:
    given = [*runs(checkout, "test"), *runs(checkout, "matrix")]
    marks = named(given)
    for folder in {file.relative_to(checkout).parts[1] for file in (checkout / "tests").rglob("test_*.py")}:
        there = [run for run in given if f"tests/{folder}" in run.paths]
        for has in itertools.chain(*(itertools.combinations(marks, n) for n in range(len(marks) + 1))):
            assert any(asks_for(run, has) for run in there), f"{folder}: nobody runs a test marked {has}"


def test_a_test_of_a_component_is_none_of_the_unit(checkout: Path) -> None:
    (unit,), (components,) = runs(checkout, "unit"), runs(checkout, "components")
    for has in [(), ("component",), ("hypothesis",), ("component", "hypothesis")]:
        assert asks_for(unit, has) is not asks_for(components, has)


def test_properties_are_looked_at_for_long_by_the_faults(checkout: Path) -> None:
    long = [run for run in runs(checkout, "fault") if run.hypothesis_profile == "thorough"]
    assert any(asks_for(run, ("hypothesis",)) and asks_for(run, ("component", "hypothesis")) for run in long)
    assert {run.hypothesis_profile for run in runs(checkout, "unit")} == {"quick"}


def test_the_marks_of_the_targets_are_known_to_pytest(checkout: Path, request: pytest.FixtureRequest) -> None:
    known = {re.split(r"\W", line)[0] for line in request.config.getini("markers")}
    assert set(named(runs(checkout, "test"))) <= known
