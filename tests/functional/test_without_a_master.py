"""The master is gone, and with it the pillar: a host goes back, verifies and tells by what is on its own disk."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.functional.test_target_steps import Minion, deploy, minion, source
from tests.support.repositories import Source

__all__ = ["minion", "source"]  # fixtures


def alone(place: Path, function: str, *arguments: str) -> tuple[dict[str, Any], int]:
    """``salt-call --local`` on the minion that has lost its master: the answer, and the exit status."""
    settings = json.loads((place / "minion").read_text())
    lost = {**settings, "file_client": "remote", "pillar_roots": {"base": [str(place / "nothing")]}}
    (place / "alone").mkdir(exist_ok=True)
    (place / "alone" / "minion").write_text(json.dumps(lost))
    salt_call = Path(sys.executable).with_name("salt-call")
    command = [str(salt_call), "--local", "-c", str(place / "alone"), "--out=json", "--retcode-passthrough"]
    done = subprocess.run([*command, function, *arguments], capture_output=True, text=True, timeout=120)
    return json.loads(done.stdout)["local"], done.returncode


def test_F37_without_a_master_a_host_goes_back_verifies_and_tells(
    minion: Minion, source: Source, tmp_path: Path
) -> None:
    host = minion(restart_command=f"touch {tmp_path}/restarted")
    for number in (0, 1):
        assert deploy(host, source, number)["status"] == 0
    (tmp_path / "restarted").unlink()

    back, status = alone(tmp_path, "deploy.rollback", "demo")
    assert (back["status"], back["tag"], status) == (0, "v0", 0), back
    assert (tmp_path / "srv" / "demo" / "VERSION").read_text() == "v0"
    assert (tmp_path / "restarted").exists()
    for function in ("deploy.verify", "deploy.status"):
        told, status = alone(tmp_path, function, "demo")
        assert (told["status"], told["tag"], status) == (0, "v0", 0), told
    told, _ = alone(tmp_path, "deploy.status")
    assert told["demo"]["tag"] == "v0"


def test_F37_of_a_repo_that_was_never_here_a_host_alone_says_what_it_said_before(
    minion: Minion, source: Source, tmp_path: Path
) -> None:
    deploy(minion(), source, 0)
    told, status = alone(tmp_path, "deploy.rollback", "other")
    assert (told["error"]["kind"], status) == ("unknown-repo", 1)
