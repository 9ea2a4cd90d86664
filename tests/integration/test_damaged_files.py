"""F33: a file of one repo that is damaged on the master stops no other repo, no pillar and no host."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from saltdeploy.master.cache import key_of
from saltdeploy.protocol.release import file_name

from tests.integration.fleet import Fleet
from tests.integration.pillar import Pillar
from tests.integration.repo import Releases, Repo, converged


@pytest.fixture
def other(repo: Repo, fleet: Fleet, pillar: Pillar, releases: Releases) -> Iterator[Repo]:
    """A second repo, on the same hosts."""
    name = f"{repo.name}.also"
    pillar.add(name, {})
    for host in repo.hosts:
        fleet.salt(host, "saltutil.refresh_pillar", wait=True)
    yield Repo(name, fleet, pillar, releases)


def pins_of(repo: Repo) -> Path:
    return repo.fleet.root / "pins" / f"{file_name(repo.name)}.json"


def pinned_for(repo: Repo, host: str) -> dict[str, Any]:
    """What the host's pillar tells once it is rebuilt."""
    repo.fleet.salt(host, "saltutil.refresh_pillar", wait=True)
    (result,) = repo.fleet.salt(host, "state.single", "deploy.pinned", repo.name).data.values()
    return result


def test_F33_pins_that_are_damaged_are_rebuilt_or_named_and_stop_nobody_else(repo: Repo, other: Repo) -> None:
    converged(repo.sync("v0"))
    converged(other.sync("v0"))
    pins = pins_of(repo)
    before = pins.read_bytes()

    pins.write_bytes(b"")
    converged(other.sync("v1"))
    assert repo.run("report").status == 0, "the journals know what is pinned"
    assert pins.read_bytes() == before

    journals = repo.fleet.root / "journal" / file_name(repo.name)
    journals.rename(journals.with_name(f"{journals.name}.lost"))
    pins.write_bytes(before[: len(before) // 2])
    converged(other.sync("v2"))
    assert other.on_disk() == other.everywhere("v2")
    assert pinned_for(other, "web1")["result"] is True
    refused = repo.sync("v1").data["error"]
    assert (refused["kind"], refused["path"]) == ("damaged-file", str(pins))
    answer = pinned_for(repo, "web1")
    assert answer["result"] is False and str(pins) in answer["comment"]
    assert repo.call("web1", "fetch").data["error"]["kind"] == "damaged-file"
    assert repo.on_disk() == repo.everywhere("v0"), "what runs stays"

    assert f"mv -- {pins} {pins}.bad" in refused["next"]
    pins.rename(f"{pins}.bad")
    converged(repo.sync("v1"))
    assert pinned_for(repo, "web1")["result"] is True


def test_F33_a_claim_that_is_damaged_holds_its_own_repo_and_the_advice_frees_it(
    repo: Repo, other: Repo
) -> None:
    converged(repo.sync("v0"))
    claim = repo.fleet.root / "claims" / f"{key_of(repo.name)}.p"
    claim.write_bytes(b"")
    converged(other.sync("v0"))
    refused = repo.sync("v1").data["error"]
    assert (refused["kind"], refused["repo"]) == ("damaged-file", repo.name)
    advice = f"salt-run cache.flush bank=deploy/claims key='\"{key_of(repo.name)}\"'"
    assert advice in refused["next"]
    repo.fleet.salt_run("cache.flush", bank="deploy/claims", key=f'"{key_of(repo.name)}"')
    converged(repo.sync("v1"))
