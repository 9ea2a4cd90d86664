"""Trigger and Ricochet as their authors left them, where somebody has them: this project keeps none of their code.

``TREBUCHET_ORIGINALS`` names a directory with the checkouts ``trigger`` and ``ricochet`` (of github.com/trebuchet-deploy). They
are of Python 2: what has another name today is supplied, and nothing in them is changed. ``TREBUCHET_PYTHON`` names a Python 2
with ``redis``, ``GitPython`` and ``PyYAML``, which needs no more than the port of redis; Ricochet needs Flask.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

VARIABLE = "TREBUCHET_ORIGINALS"

#: Trigger's redis is the one of this host's port 6379.
_TRIGGER = """
import sys, types
import redis
place, port = sys.argv[1], int(sys.argv[2])
sys.path.insert(0, place)
real, more = redis.Redis, {}
if sys.version_info[0] > 2:
    import builtins, configparser
    builtins.raw_input, builtins.basestring = input, str
    sys.modules["ConfigParser"], more = configparser, {"decode_responses": True}
    sys.modules.setdefault("imp", types.ModuleType("imp"))
redis.Redis = lambda **_: real(host="127.0.0.1", port=port, db=0, **more)
from trigger import drivers, shell
if sys.version_info[0] > 2:
    for each in vars(drivers).values():
        if isinstance(each, type) and issubclass(each, Exception):
            each.message = property(lambda self: self.args[0])
    shell.TriggerError.message = property(lambda self: self.args[0])
sys.argv[:3] = ["git-deploy"]
shell.main()
"""

_RICOCHET = """
import sys
sys.path.insert(0, sys.argv[1])
from ricochet import app
page = app.test_client()
for path in sys.argv[2:]:
    print(page.get(path).get_data(as_text=True))
"""


def originals() -> Path:
    """The directory with the checkouts; without one the test is skipped, and says how it is run."""
    named = os.environ.get(VARIABLE)
    if not named:
        pytest.skip(f"{VARIABLE} names no directory with trigger and ricochet; the rules are tested without")
    return Path(named)


def trigger(port: int, *words: str) -> list[str]:
    """The words that run Trigger's ``git deploy``.

    Args:
        port: of redis.
    """
    python = os.environ.get("TREBUCHET_PYTHON", sys.executable)
    return [python, "-c", _TRIGGER, str(originals() / "trigger"), str(port), *words]


def ricochet(port: int, staging: Path, directory: Path, paths: Sequence[str]) -> list[Any]:
    """What Ricochet's server answers.

    Args:
        port: of redis.
        staging: where staging repositories lie.
        directory: for its settings.
        paths: that a browser asks for.
    """
    settings = directory / "ricochet.cfg"
    redis = {"host": "127.0.0.1", "port": port, "db": 0, "decode_responses": True}
    settings.write_text(f"AUTH_BACKEND = 'none'\nREDIS = {redis!r}\nDEPLOY_DIR = {str(staging)!r}\n")
    said = subprocess.run(
        [sys.executable, "-c", _RICOCHET, str(originals() / "ricochet"), *paths],
        env={**os.environ, "RICOCHET_SETTINGS": str(settings), "TZ": "UTC"},
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return [json.loads(line) for line in said.splitlines()]
