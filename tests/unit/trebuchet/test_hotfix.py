"""``git deploy hotfix``: what runs is corrected, and nothing newer comes along."""

from __future__ import annotations

import json

from tests.unit.trebuchet.deployers import Deployer


def text(person: Deployer) -> str:
    return (person.place / "index.html").read_text()


def released(person: Deployer, tag: str) -> None:
    """What ``git deploy sync`` has left behind, as to tag and deploy file."""
    person.git("tag", "-a", "-m", tag, tag)
    file = person.place / ".git" / "deploy" / "deploy"
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps({"tag": tag, "user": "alice", "time": "20261123-120000"}))


def test_it_begins_at_what_was_synced_last_and_an_abort_brings_back_what_is_newer(alice: Deployer) -> None:
    released(alice, "v1")
    alice.commits("newer")
    done = alice.deploys("hotfix")
    assert (done.code, done.first) == (0, "Deployment started.")
    (start,) = [tag for tag in alice.tags() if "-start-" in tag]
    assert f"The work tree is at v1; it was at {start}" in done.told
    assert (text(alice), alice.lock.exists()) == ("one\n", True)
    alice.commits("corrected")
    assert alice.deploys("abort").code == 0
    assert text(alice) == "newer\n"


def test_it_begins_at_a_tag_of_before(alice: Deployer) -> None:
    alice.git("tag", "v0")
    alice.commits("two")
    released(alice, "v1")
    assert alice.deploys("hotfix", "v0").code == 0
    assert text(alice) == "one\n"


def test_what_is_not_committed_or_no_tag_or_somebody_elses_keeps_it_from_beginning(alice: Deployer) -> None:
    assert alice.deploys("hotfix").code == 211, "nothing was ever synced"
    released(alice, "v1")
    (alice.place / "index.html").write_text("half done\n")
    assert alice.deploys("hotfix").code == 161
    alice.git("checkout", "--quiet", "index.html")
    assert alice.deploys("hotfix", "no-such-tag").code == 1
    assert not alice.lock.exists()
    alice.deploys("start")
    assert alice.deploys("hotfix").code == 100
    assert text(alice) == "one\n"
