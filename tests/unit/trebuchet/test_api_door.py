"""The token of salt-api is kept as ssh keeps keys, and travels nowhere in the clear."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.trebuchet.deployers import Deployer

NOWHERE = "http://127.0.0.1:9"  # nobody listens there


@pytest.fixture
def token(tmp_path: Path) -> Path:
    file = tmp_path / "token"
    file.write_text("0123456789abcdef\n")
    file.chmod(0o600)
    return file


def refused(alice: Deployer, token: Path, url: str = NOWHERE) -> str:
    """What is told of a lock by the door api."""
    for key, value in (("door", "api"), ("api-url", url), ("api-token-file", str(token))):
        alice.git("config", "--global", f"deploy.{key}", value)
    said = alice.deploys("lock", "moving")
    assert said.code != 0
    return said.told


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_token_that_others_may_read_is_not_used(alice: Deployer, token: Path, mode: int) -> None:
    token.chmod(mode)
    told = refused(alice, token)
    assert (
        f"path {token}: the token is not this user's alone (mode {mode:04o}). Next: chmod 600 {token}" in told
    )


def test_a_token_that_is_a_link_is_not_followed(alice: Deployer, token: Path) -> None:
    link = token.with_name("link")
    link.symlink_to(token)
    assert f"path {link}" in refused(alice, link)


def test_without_a_token_one_is_told_to_log_in(alice: Deployer, tmp_path: Path) -> None:
    told = refused(alice, tmp_path / "none")
    assert "there is no token for salt-api. Next: git deploy login" in told


@pytest.mark.parametrize("url", ["http://master.example.org:8000", "", "ftp://127.0.0.1"])
def test_no_token_travels_in_the_clear(alice: Deployer, token: Path, url: str) -> None:
    assert "it must begin with https://" in refused(alice, token, url)


def test_a_master_that_is_away_is_named_and_the_token_is_not(alice: Deployer, token: Path) -> None:
    told = refused(alice, token)
    assert f"path {NOWHERE}: salt-api cannot be reached: " in told
    assert token.read_text().strip() not in told
