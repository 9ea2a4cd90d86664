"""On real hosts that take signed releases only: a directory of the repository, with what git's attributes make of its files."""

from __future__ import annotations

import pytest
import yaml

from tests.integration.repo import Repo, converged
from tests.support.repositories import git

#: One more release: its files below ``lib`` are as attributes say that stand at the top of the repository.
ATTRIBUTED = b"""commit refs/heads/main
committer T <t@example.org> 1700000100 +0000
data 1
v
from refs/tags/v2^0
M 100644 inline .gitattributes
data 45
*.txt eol=crlf
lib/tests export-ignore
*.f f
M 100644 inline lib/dos.txt
data 4
one

M 100644 inline lib/tests/x
data 1
x
reset refs/tags/v9
from refs/heads/main

"""


@pytest.mark.repo(subdirectory="lib", attributes="checkout", max_removed="100%")
def test_a_directory_is_deployed_as_git_makes_its_files_and_nothing_else_is(repo: Repo) -> None:
    git(repo.git_dir, "fast-import", "--quiet", "--force", input=ATTRIBUTED)
    for tag, wanted in (("v0", {"a": b"a\n", "b": b"b\n"}), ("v9", {"b": b"b\n", "dos.txt": b"one\r\n"})):
        commit = git(repo.git_dir, "rev-parse", f"{tag}^{{commit}}").decode().strip()
        plan = repo.run("plan", tag=tag)
        assert any(f"{tag} is commit {commit}" in each for each in plan.data["remarks"])
        converged(repo.sync(tag))
        for host in repo.hosts:
            place = repo.place(host)
            assert {path.name: path.read_bytes() for path in place.iterdir()} == wanted
            head = place.parent / f".{place.name}.deploy" / "DEPLOY_HEAD"
            assert yaml.safe_load(head.read_text())["commit"] == commit
            found = repo.call(host, "verify", full=True)
            assert (found.status, found.data["status"]) == (0, 0), found
    changed = repo.run("changes").data
    assert changed["brings"]["count"] == 3, "commits of the repository, and not what is made of them"
    assert changed["files"]["added"] == 1
    refused = repo.sync("v1", transport="git")
    assert refused.status == 1
    assert "fetch from the repository itself" in str(refused.data)
    assert "moved" not in str(repo.run("plan", tag="v0").data["guards"])
    converged(repo.run("rollback"))
    assert all((repo.place(host) / "a").read_bytes() == b"a\n" for host in repo.hosts)
    assert repo.run("report").status == 0
