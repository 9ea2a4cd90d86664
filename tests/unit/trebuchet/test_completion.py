"""What a shell offers when somebody types ``git deploy`` or ``saltdeploy`` and a tabulator."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from saltdeploy.master.roles.verbs import VERBS
from saltdeploy.trebuchet.subcommands import TABLE

SUBCOMMANDS = sorted([*(row.name for row in TABLE.built_in.values()), "help"])


def offered(checkout: Path, function: str, *words: str) -> list[str]:
    """What bash offers for the last one of these words."""
    file = checkout / "completions" / "saltdeploy.bash"
    typed = " ".join(f"'{word}'" for word in words)
    program = f'. {file}; COMP_WORDS=({typed}); COMP_CWORD={len(words) - 1}; {function}; printf "%s\\n" "${{COMPREPLY[@]}}"'
    done = subprocess.run(["bash", "--norc", "-c", program], capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_bash_offers_every_subcommand_and_every_function(checkout: Path) -> None:
    assert offered(checkout, "_git_deploy", "git", "deploy", "") == SUBCOMMANDS
    assert offered(checkout, "_git_deploy", "git", "deploy", "sh") == ["show", "show-tag"]
    assert offered(checkout, "_saltdeploy", "saltdeploy", "") == sorted(VERBS)


@pytest.mark.parametrize("name", [name for name in SUBCOMMANDS if name != "help"])
def test_bash_offers_no_option_that_there_is_not(checkout: Path, name: str) -> None:
    row = TABLE.built_in[name]
    known = {each for option in row.options for each in option.names if each.startswith("--")}
    shown = {
        each for each in offered(checkout, "_git_deploy", "git", "deploy", name, "-") if each.startswith("--")
    }
    assert shown == known


def test_zsh_offers_the_same_words(checkout: Path) -> None:
    text = (checkout / "completions" / "_git-deploy").read_text()
    for name, words in (("subcommands", SUBCOMMANDS), ("functions", sorted(VERBS))):
        (listed,) = re.findall(rf"^    {name}=\((.*)\)$", text, re.MULTILINE)
        assert listed.split() == words
