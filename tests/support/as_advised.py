"""Types a command as an error advises it."""

from __future__ import annotations

import re
import shlex
import subprocess

from saltdeploy.lib.errors import DeployError


def type_it(error: DeployError | None, program: str) -> str:
    """Run the command of this program that the error advises, at a shell of this host.

    Returns:
        What it prints.
    """
    advice = error.next if error else ""
    found = re.search(rf"(?:^|[ (]){re.escape(program)} (?:[^,;)]|,(?! ))+", advice)
    assert found, f"no {program} is advised: {advice}"
    words = shlex.split(found[0].strip(" ("))
    return subprocess.run(words, check=True, capture_output=True, text=True, timeout=30).stdout
