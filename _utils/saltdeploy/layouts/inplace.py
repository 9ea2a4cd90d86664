"""Layout ``inplace``: Trebuchet's way, a git work tree with its ``.git`` at ``location``.

For those who need ``.git`` at the live path. A checkout writes into the tree that users read: it is *not*
atomic, a reader may see both releases for a while, and files that git does not track stay.
"""

from __future__ import annotations

import os
import tempfile
from typing import Any

from saltdeploy import disk
from saltdeploy.config import Repo
from saltdeploy.errors import NotReady
from saltdeploy.manifest import Findings, compare
from saltdeploy.orders import Holdings
from saltdeploy.release import Release
from saltdeploy.repository import Progress, Repository, no_progress, read_changes, work_tree_git

RESET_FAILED, CHECKOUT_FAILED = 20, 30  # Trebuchet's status numbers


class Inplace:
    """The work tree of one repo."""

    def __init__(self, repo: Repo) -> None:
        self._location = repo.location
        self.store = Repository(repo.location / ".git")

    def holdings(self) -> Holdings:
        """What is checked out, and the releases whose objects are here."""
        if not self.store.git_dir.is_dir():
            return Holdings()
        held = self.store.kept()
        live = self.store.commit_of("HEAD")
        tags = {commit: tag for commit in held if (tag := self.store.name_of(commit))}
        previous = self.store.commit_of("refs/deploy-previous")
        return Holdings(live=live, previous=previous, held=tuple(held), tags=tags)

    def prepare(self, release: Release, progress: Progress = no_progress) -> dict[str, Any]:
        """The objects are in ``.git`` already; note the tag."""
        self.store.name(release.commit, release.tag)
        return {"files": 0}

    def open(self) -> dict[str, Any]:
        """Make ``location`` a git work tree; something else that is found there is moved aside and named."""
        if self.store.git_dir.is_dir():
            return {}
        facts = {}
        if self._location.is_symlink() or (self._location.exists() and any(self._location.iterdir())):
            kept = disk.free_name(self._location)
            self._location.rename(kept)
            facts["moved_aside"] = str(kept)
        self._location.mkdir(parents=True, exist_ok=True)
        work_tree_git(self._location, ["init", "--quiet"])
        return facts

    def flip(self, release: Release) -> dict[str, Any]:
        """``git checkout`` of the release, with Trebuchet's status numbers when it fails."""
        if not self.store.has(release.commit):
            raise NotReady(
                f"{release.tag} ({release.commit[:12]}) is not in the repository",
                path=str(self.store.git_dir),
                next=f"fetch it first: salt-run deploy.fetch repo={release.repo} tag={release.tag}",
            )
        live = self.store.commit_of("HEAD")
        if live and live != release.commit:
            self.store.point("refs/deploy-previous", live)
        if live:
            work_tree_git(self._location, ["reset", "--hard", "--quiet"], RESET_FAILED)
        command = ["checkout", "--force", "--quiet", "--detach", release.commit]
        work_tree_git(self._location, command, CHECKOUT_FAILED)
        return {}

    def verify(self, *, full: bool) -> Findings:
        """What ``git status`` says of the tree; git reads the files whose stat has changed."""
        if not self.store.git_dir.is_dir():
            raise NotReady("nothing of this repo is live here", path=str(self._location), next="deploy a release")
        findings = Findings()
        status = work_tree_git(self._location, ["status", "--porcelain", "-z", "--no-renames", "-uall", "--ignored"])
        for line in filter(None, status.split("\0")):
            kind = "extra" if line[:2] in ("??", "!!") else "missing" if "D" in line[:2] else "changed"
            if kind == "extra" or not full:
                findings.add(kind, line[3:].encode("utf-8", "surrogateescape"))
        if full:
            self._read_all(findings)
        return findings

    def _read_all(self, findings: Findings) -> None:
        with tempfile.TemporaryFile() as spool:
            self.store.diff("", self.store.commit_of("HEAD"), spool)
            for change in read_changes(spool):
                findings.files += 1
                place = os.path.join(os.fsencode(self._location), change.path)
                if kind := compare(place, change.mode, change.oid):
                    findings.add(kind, change.path)
