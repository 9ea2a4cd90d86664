"""The door ``salt-run``: whatever the program says or does not say, one reads what happened and what to do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.trebuchet.deployers import REPO, Deployer

LOCKED = {
    "view": "error",
    "error": {
        "kind": "locked",
        "status": 151,
        "cause": "it is locked by carol",
        "repo": REPO,
        "next": "salt-run deploy.locks",
    },
}


@pytest.fixture
def started(alice: Deployer) -> Deployer:
    alice.deploys("start")
    return alice


def finds(person: Deployer, tmp_path: Path, script: str) -> None:
    """Their salt-run is this program."""
    program = tmp_path / "salt run"  # with a space, as a configured command may have one
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    person.git("config", "--global", "deploy.salt-run", f"'{program}' --config-dir=/etc/salt")


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (f"echo '{json.dumps(LOCKED)}'", f"repo {REPO}: it is locked by carol. Next: salt-run deploy.locks"),
        (
            "echo Exception occurred in runner deploy.fetch",
            "gave no answer of the runner deploy: Exception occurred",
        ),
        ("echo no key >&2; exit 4", "ended with 4): no key"),
        (
            """echo '{"view": "detached", "deploy": "1", "retcode": 1}'""",
            "the deploy goes on without this terminal. Next: git deploy attach",
        ),
    ],
    ids=["refused", "a traceback", "nothing", "left"],
)
def test_what_does_not_lead_to_a_deploy_is_told_and_keeps_the_lock(
    started: Deployer, tmp_path: Path, script: str, said: str
) -> None:
    finds(started, tmp_path, script)
    done = started.deploys("sync")
    assert done.code == 163
    if "exit 4" in script:
        done = started.deploys("lock", "moving")  # its stderr is not shown as it comes
    assert said in done.told
    assert "Next: " in done.told
    assert started.lock.exists()


def test_arguments_arrive_as_single_words_and_no_shell_reads_them(started: Deployer, tmp_path: Path) -> None:
    finds(started, tmp_path, f"""for word in "$@"; do echo "$word"; done >> {tmp_path}/words; exit 1""")
    started.deploys("sync", "--force", "-m", "5 o'clock; $(touch /tmp/x) yes")
    tag = started.deploy_file()["tag"]
    words = (tmp_path / "words").read_text().splitlines()
    assert words == [
        "--config-dir=/etc/salt",
        "--out=json",
        "--no-color",
        "deploy.fetch",
        f"repo={REPO}",
        f"tag={tag}",
        "force=True",
        "reason=5 o'clock; $(touch /tmp/x) yes",
    ]
