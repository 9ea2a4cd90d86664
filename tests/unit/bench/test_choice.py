"""What ``auto`` chooses for a repository is told beside a bundle, and judged by more than a clock's tick."""

import argparse
import dataclasses

import pytest

from bench import choice
from demo import sample

ROW = choice.Decided("a", "1 → 2", "1 Mbit/s", "bundle", "", 5, 5, 10.0, 10.0)


@pytest.mark.parametrize(
    ("took", "bundle", "judged"),
    [
        pytest.param(11.0, 10.0, (True, False), id="a tenth more"),
        pytest.param(9.0, 10.0, (False, True), id="a tenth less"),
        pytest.param(0.05, 0.02, (False, False), id="a tick of the clock"),
        pytest.param(10.4, 10.0, (False, False), id="as much"),
    ],
)
def test_a_choice_is_worse_or_better_by_more_than_can_be_measured(took, bundle, judged):
    row = dataclasses.replace(ROW, took=took, bundle_took=bundle)
    assert (row.is_worse, row.is_better) == judged


def test_the_master_decides_for_a_real_repository(tmp_path, capsys):
    sample.make(tmp_path / "site")
    steps = f"{sample.TAGS[0]}..{sample.TAGS[1]}"
    options = argparse.Namespace(repositories=str(tmp_path / "site" / ".git"), steps=steps)
    assert choice.main(options, tmp_path) in (0, 1)
    told = capsys.readouterr().out
    assert told.count(f"| .git {sample.TAGS[0]} → {sample.TAGS[1]} |") == len(choice.LINKS)
    assert f"{len(choice.LINKS)} choices" in told
