"""``deploy.deployment_server_init`` on the deployment server of Trebuchet's grains, with real git."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import salt._logging
import salt.client
import salt.config

from tests.functional.test_target_steps import pillar

OWNER = "nobody" if os.geteuid() == 0 else pwd.getpwuid(os.getuid()).pw_name


@pytest.fixture(autouse=True)
def quiet_logging() -> Iterator[None]:
    """Salt keeps records for a logging that is never set up here, and would write them to a stream that is closed."""
    yield
    salt._logging.shutdown_temp_handler()


@pytest.fixture
def srv() -> Iterator[Path]:
    """Where somebody else may go, too."""
    with tempfile.TemporaryDirectory(prefix="srv-") as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


@pytest.fixture
def upstream(srv: Path) -> str:
    """A core with a submodule."""
    more = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "protocol.file.allow=always"]
    for name in ("extension", "core"):
        git(srv, "init", "--quiet", name)
        if name == "core":
            git(srv / name, *more, "submodule", "--quiet", "add", f"file://{srv}/extension", "ext")
        (srv / name / "README").write_text(f"{name}\n")
        git(srv / name, "add", "README")
        git(srv / name, *more, "commit", "--quiet", "--message", "one")
    return f"file://{srv}/core"


def git(place: Path, *words: str) -> str:
    command = ["git", "-c", "safe.directory=*", "-C", str(place), *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def server(
    checkout: Path, directory: Path, srv: Path, repos: dict[str, Any], **grains: Any
) -> salt.client.Caller:
    """A minion without a master, with these repos and grains."""
    data = {"deployment_config": {"parent_dir": str(srv / "deployment")}, "repo_config": repos}
    settings = {
        "id": "deploy1",
        "file_client": "local",
        "user": pwd.getpwuid(os.getuid()).pw_name,
        "root_dir": str(directory),
        "cachedir": str(directory / "cache"),
        "pki_dir": str(directory / "pki"),
        "sock_dir": str(directory / "run"),
        "extension_modules": str(directory / "cache" / "extmods"),
        "pillar_roots": {"base": [str(pillar(directory / "pillar", data))]},
        "module_dirs": [str(checkout)],
        "pillar_dirs": [str(checkout / "_pillar")],
        "grains": grains,
        "enable_fqdns_grains": False,
    }
    configuration = directory / "minion"
    configuration.write_text(json.dumps(settings))  # JSON is YAML
    return salt.client.Caller(mopts=salt.config.minion_config(str(configuration)))


def test_each_repo_gets_a_staging_repository_of_the_right_user_and_a_second_call_touches_nothing(
    checkout: Path, tmp_path: Path, srv: Path, upstream: str
) -> None:
    repos = {"mediawiki/slot0": {"upstream": upstream, "checkout_submodules": True}}
    host = server(checkout, tmp_path, srv, repos, deployment_server=True)
    assert host.cmd("deploy.deployment_server_init") == 0
    place = srv / "deployment" / "mediawiki" / "slot0"
    assert (place / "ext" / "README").read_text() == "extension\n"
    assert git(place, "config", "--local", "deploy.repo-name") == "mediawiki/slot0"
    assert git(place, "config", "--local", "deploy.checkout-submodules") == "true"
    git(place, "config", "deploy.repo-name", "own")
    assert host.cmd("deploy.deployment_server_init") == 0
    assert git(place, "config", "deploy.repo-name") == "own"


def test_the_owner_is_who_the_grain_names_and_the_group_shares_it(
    checkout: Path, tmp_path: Path, srv: Path
) -> None:
    repos = {"test/testrepo": {"grain": "test"}, "pages": {"stage": {}, "source": str(srv / "pages")}}
    host = server(checkout, tmp_path, srv, repos, deployment_server=True, deployment_repo_user=OWNER)
    assert host.cmd("deploy.deployment_server_init") == 0
    place = srv / "deployment" / "test" / "testrepo"
    for path in (place, place / ".git", place / ".git" / "config"):
        assert pwd.getpwuid(path.stat().st_uid).pw_name == OWNER, path
    assert oct(place.stat().st_mode & 0o7777) == "0o2775"
    assert (place / ".git").stat().st_mode & 0o070 == 0o070
    assert not (srv / "pages").exists(), "what people stage by deploy.stage is a plain directory"


def test_what_cannot_be_made_is_1_and_the_others_are_made(checkout: Path, tmp_path: Path, srv: Path) -> None:
    (srv / "deployment" / "taken").mkdir(parents=True)
    (srv / "deployment" / "taken" / "notes").touch()
    repos = {"a": {"upstream": f"file://{srv}/no-such"}, "b": {}, "taken": {}}
    host = server(checkout, tmp_path, srv, repos, deployment_server=True)
    assert host.cmd("deploy.deployment_server_init") == 1
    assert (srv / "deployment" / "b" / ".git").is_dir()
    assert os.listdir(srv / "deployment" / "taken") == ["notes"]


@pytest.mark.parametrize(
    ("grains", "said"), [({}, 0), ({"deployment_server": True, "deployment_repo_user": "no-such-user"}, 1)]
)
def test_another_host_does_nothing_and_an_unknown_owner_is_named(
    checkout: Path, tmp_path: Path, srv: Path, grains: dict[str, Any], said: int
) -> None:
    assert server(checkout, tmp_path, srv, {"a": {}}, **grains).cmd("deploy.deployment_server_init") == said
    assert not (srv / "deployment" / "a" / ".git").exists()
