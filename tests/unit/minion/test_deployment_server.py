"""Why a staging repository could not be made, and what to do then."""

from __future__ import annotations

from pathlib import Path

import pytest
from saltdeploy.lib.errors import DeployError
from saltdeploy.minion.deployment_server import StagingRepository, make


@pytest.mark.parametrize(
    ("upstream", "owner", "cause", "following"),
    [
        ("file:///no-such", "", "git clone: fatal: '/no-such' does not appear to be a git", "git -C PLACE clone"),
        ("", "no-such-user", "this host has no user no-such-user", "useradd --system no-such-user"),
    ],
)  # fmt: skip
def test_what_went_wrong_names_the_repo_and_the_command_that_goes_on(
    tmp_path: Path, upstream: str, owner: str, cause: str, following: str
) -> None:
    with pytest.raises(DeployError) as caught:
        make(StagingRepository("a", tmp_path / "a", upstream, False), owner)
    assert caught.value.repo == "a"
    assert caught.value.cause.startswith(cause)
    assert caught.value.next.startswith(following.replace("PLACE", str(tmp_path / "a")))


def test_files_that_are_there_are_nobodys_repository(tmp_path: Path) -> None:
    (tmp_path / "notes").touch()
    before = tmp_path.stat().st_mode
    with pytest.raises(DeployError, match="files are here, and no git repository"):
        make(StagingRepository("a", tmp_path, "", False))
    assert (tmp_path.stat().st_mode, list(tmp_path.iterdir())) == (before, [tmp_path / "notes"])
