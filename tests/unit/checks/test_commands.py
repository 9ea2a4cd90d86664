"""Checks that run programs."""

from __future__ import annotations

from pathlib import Path

import pytest
from saltdeploy.checks import FAIL, INCONCLUSIVE, PASS, CheckContext, Verdict

from tests.unit.checks.conftest import script, verdict


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("exit 0", Verdict(PASS, "Check 'x' completed")),
        ("echo fine", Verdict(PASS, "Check 'x' completed, output: fine")),
        ("echo out; exit 2", Verdict(FAIL, "Check 'x' failed: out (exit code 2)")),
        ("exit 7", Verdict(FAIL, "Check 'x' failed: exit code 7")),
        ("kill -9 $$", Verdict(FAIL, "Check 'x' failed: killed by signal 9")),
        ("sleep 600", Verdict(FAIL, "Check 'x' exceeded 1s timeout")),
        ("echo begun; sleep 600", Verdict(FAIL, "Check 'x' exceeded 1s timeout: begun")),
    ],
)
def test_a_command_is_judged_by_its_exit_code_in_scaps_words(
    place: CheckContext, text: str, found: Verdict
) -> None:
    assert verdict(place, "command", command=script(text), timeout=1) == found


def test_a_command_runs_in_the_release_with_scaps_variables(place: CheckContext) -> None:
    found = verdict(place, "command", command=script("cat VERSION; echo; echo $SCAP_FINAL_PATH"))
    assert found.text.split()[-2:] == ["v1", "/srv/demo"]


def test_a_program_of_the_release_is_named_from_its_root(place: CheckContext) -> None:
    assert verdict(place, "command", command="scap/scripts/say hello").text.endswith("said hello in v1")


def test_no_shell_reads_a_command(place: CheckContext) -> None:
    assert verdict(place, "command", command="echo $HOME ; false").text.endswith("$HOME ; false")


def test_a_program_that_is_not_there_is_a_failure(place: CheckContext) -> None:
    found = verdict(place, "command", command="/nonexistent/program")
    assert found == Verdict(
        FAIL, "Check 'x' failed: /nonexistent/program cannot be run: No such file or directory"
    )


def test_much_output_is_cut_to_its_end(place: CheckContext) -> None:
    found = verdict(
        place, "command", command=script("yes 0123456789 | head -c 1000000; echo; echo cause; exit 1")
    )
    assert "cause (exit code 1)" in found.text
    assert len(found.text) < 2200


def test_a_script_comes_from_the_release(place: CheckContext) -> None:
    assert verdict(place, "script", command="say hello").text.endswith("output: said hello in v1")
    assert verdict(place, "script", command="say hello 4") == Verdict(
        FAIL, "Check 'x' failed: said hello in v1 (exit code 4)"
    )


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("away", "not below scap/scripts"),
        ("../../VERSION", "not below scap/scripts"),
        ("/bin/true", "not below scap/scripts"),
        ("none", "has no scap/scripts/none"),
        ("folder", "has no scap/scripts/folder"),
        ("plain", "cannot be run: Permission denied"),
    ],
)
def test_a_script_that_is_not_the_releases_own_does_not_run(place: CheckContext, name: str, why: str) -> None:
    found = verdict(place, "script", command=name)
    assert found.word == FAIL and why in found.text


def test_a_directory_of_scripts_that_leads_out_of_the_release_is_not_followed(
    place: CheckContext, tmp_path: Path
) -> None:
    assert place.directory is not None
    (place.directory / "scap").rename(tmp_path / "elsewhere")
    (place.directory / "scap").symlink_to(tmp_path / "elsewhere")
    assert "not below" in verdict(place, "script", command="say hello").text


@pytest.mark.parametrize(
    ("line", "word", "said"),
    [
        ("/bin/sh -c 'echo DISK OK; exit 0'", PASS, "DISK OK"),
        ("/bin/sh -c 'echo DISK WARNING; exit 1'", FAIL, "DISK WARNING (exit code 1)"),
        ("/bin/sh -c 'echo DISK CRITICAL; exit 2'", FAIL, "DISK CRITICAL (exit code 2)"),
        ("/bin/sh -c 'echo DISK UNKNOWN; exit 3'", INCONCLUSIVE, "DISK UNKNOWN (exit code 3)"),
        ("/usr/lib/check_disk -w $ARG1$", FAIL, "only nrpe itself fills in"),
        ("/bin/sh -c 'open", FAIL, "cannot be split"),
    ],
)
def test_what_monitoring_calls_a_name_is_run(
    place: CheckContext, tmp_path: Path, line: str, word: str, said: str
) -> None:
    (tmp_path / "a.cfg").write_text("# command[check_disk]=/bin/false\nallowed_hosts=127.0.0.1\n")
    (tmp_path / "b.cfg").write_text(f"command[check_disk_all]=/bin/false\n  command[check_disk] = {line}\n")
    found = verdict(place, "nrpe", command="check_disk", nrpe_dir=str(tmp_path))
    assert found.word == word and said in found.text


def test_a_name_that_monitoring_does_not_know_is_a_failure(place: CheckContext, tmp_path: Path) -> None:
    found = verdict(place, "nrpe", command="check_none", nrpe_dir=str(tmp_path / "none"))
    assert found.word == FAIL and "no command[check_none]" in found.text
