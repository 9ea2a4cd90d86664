"""Files that are gone or damaged: the next deploy converges all the same, as docs/formats.md says."""

from __future__ import annotations

from pathlib import Path

import pytest
from saltdeploy.lib import disk
from saltdeploy.protocol.release import file_name

from tests.support.repositories import Source
from tests.unit.protocol.whole_deploys import REPO, Fleet

NAME = file_name(REPO)

AREA = "host:srv/.site.deploy"
LOST = [
    f"master:hosts/{NAME}.json",
    f"master:lock/{NAME}",
    "master:lock/.domain",
    f"master:lock/.epochs/{NAME}.json",
    "master:lock/.epochs",
    f"master:manifests/{NAME}+.db",
    f"master:manifests/{NAME}+.json",
    f"master:mirrors/{NAME}.git",
    "master:payloads",
    f"master:payloads/pairs/{NAME}",
    "master:plans",
    "master:history",
    "master:tags",
    "master:claims",
    f"master:pins/{NAME}.json",
    f"host:cache/deploy/{NAME}/record.json",
    "host:cache/deploy/payloads",
    f"{AREA}/store.git",
    f"{AREA}/slots/0.json",
    f"{AREA}/slots/1.json",
    f"{AREA}/slots/0.db",
    f"{AREA}/slots/1.db",
    f"{AREA}/slots/0",
    f"{AREA}/slots/1",
    f"{AREA}/incoming",
    f"{AREA}/slots",
]


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory, source: Source) -> Fleet:
    """One host, which has taken two releases."""
    made = Fleet(tmp_path_factory.mktemp("patient"), source, hosts=("web1",))
    for tag in ("v0", "v1"):
        assert made.sync(tag).outcome.word == "CONVERGED"
    return made


def place_of(path: str, fleet: Fleet) -> Path:
    kind, _, rest = path.partition(":")
    return (fleet.root if kind == "master" else fleet.place / "web1") / rest


@pytest.mark.parametrize("path", LOST)
def test_the_next_deploy_converges_when_a_file_is_gone(patient: Fleet, path: str) -> None:
    disk.remove_tree(place_of(path, patient))
    patient.converges()


DAMAGED = [
    f"master:manifests/{NAME}+.json",
    f"master:manifests/{NAME}+.db",
    f"{AREA}/slots/*.json",
    f"{AREA}/slots/*.db",
]


@pytest.mark.parametrize("path", DAMAGED)
def test_the_next_deploy_converges_when_a_file_is_damaged_that_can_be_rebuilt(
    patient: Fleet, path: str
) -> None:
    place = place_of(path, patient)
    damaged = list(place.parent.glob(place.name))
    assert damaged
    for file in damaged:
        file.write_bytes(b"{ not what was written" * 300)
    patient.converges()
