"""Layout ``inplace``: Trebuchet's way, a git work tree with its ``.git`` at ``location``.

For those who need ``.git`` at the live path. A checkout writes into the tree that users read: it is *not*
atomic, a reader may see both releases for a while, and files that git does not track stay. Only the first
checkout is one step: until then the work tree is in ``.<name>.deploy/first`` next to ``location``. While
a checkout is not finished, ``.git/deploy-unfinished`` says so, and nothing is reported as live. When files were found to be
others than those of the commit, ``.git/deploy-damaged`` names the commit until the next checkout.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import tempfile
from collections.abc import Collection
from pathlib import Path
from typing import Any

from saltdeploy.blobs.source import BlobSource
from saltdeploy.config import Repo
from saltdeploy.content import release_root
from saltdeploy.content.manifest import Manifest
from saltdeploy.content.slices import PathSlice
from saltdeploy.content.source import Contents, Stored
from saltdeploy.content.untracked import NOTHING_UNTRACKED, Known, KnownPaths, Untracked
from saltdeploy.content.verify import Findings, differences
from saltdeploy.git import flaws, shield
from saltdeploy.git.objects import read_changes
from saltdeploy.git.repository import Progress, Repository, no_progress
from saltdeploy.layouts.activate import activate_first, log_activation
from saltdeploy.layouts.symlinked.tree import refuse_other_root
from saltdeploy.layouts.untracked import of_foreign
from saltdeploy.lib import disk, landlock
from saltdeploy.lib.below import Below
from saltdeploy.lib.cleanup import Cleanup
from saltdeploy.lib.errors import Corrupt, NotReady, Unsupported
from saltdeploy.lib.open_files import users_of
from saltdeploy.lib.os_errors import from_os
from saltdeploy.lib.spelling import argument
from saltdeploy.protocol.holdings import Holdings
from saltdeploy.protocol.merkle import is_root
from saltdeploy.protocol.release import Release

RESET_FAILED, CHECKOUT_FAILED = 20, 30  # Trebuchet's status numbers
_PREVIOUS = "refs/deploy-previous"


class Inplace:
    """The work tree of one repo."""

    def __init__(self, repo: Repo) -> None:
        self._repo = repo
        self._location = repo.paths.location
        self._first = repo.paths.area / "first"
        # what the master has made is written as it is
        attributes = shield.EXACT if repo.contents.derivation.converts else shield.UNFILTERED
        self._git = functools.partial(shield.work_tree_git, attributes=attributes)

    @property
    def store(self) -> Repository:
        """The ``.git`` at ``location``; before the first checkout, that of the work tree to be."""
        return Repository(self._tree() / ".git")

    @property
    def trees(self) -> None:
        """``git checkout`` needs the contents as well."""

    def _tree(self) -> Path:
        return self._location if self._is_installed() else self._first

    def _is_installed(self) -> bool:
        """Whether there is a work tree at ``location``.

        Raises:
            Unsupported: its ``.git`` is a link. Who made it would choose what is written to.
        """
        git_dir = self._location / ".git"
        if git_dir.is_symlink():
            raise Unsupported(
                f"is a link to {os.readlink(git_dir)}; layout inplace works on a directory only",
                repo=self._repo.name,
                path=str(git_dir),
                next=f"put the directory itself there, or rm -- {git_dir}: the next deploy makes a new work tree",
            )
        return git_dir.is_dir()

    def holdings(self) -> Holdings:
        """What is checked out, and the releases whose objects are here."""
        store = self.store
        if not store.git_dir.is_dir():
            return Holdings()
        live = store.commit_of("HEAD") if self._is_installed() and not self._unfinished.exists() else ""
        held = dict.fromkeys(filter(None, [*store.kept(), live]))
        known = disk.read_json(self._tags(), {})
        tags = {commit: tag for commit in held if (tag := known.get(commit) or store.name_of(commit))}
        known = disk.read_json(self._roots(), {})
        roots = {commit: known[commit] for commit in held if is_root(known.get(commit))}
        damaged = bool(live) and self._is_damaged(live)
        return Holdings(
            damaged=damaged,
            live=live,
            previous=store.commit_of(_PREVIOUS),
            held=tuple(held),
            tags=tags,
            roots=roots,
        )

    def _tags(self) -> Path:
        return self.store.git_dir / "deploy-tags.json"

    def _roots(self) -> Path:
        return self.store.git_dir / "deploy-roots.json"

    @property
    def _unfinished(self) -> Path:
        return self.store.git_dir / "deploy-unfinished"

    @property
    def _damaged(self) -> Path:
        return self.store.git_dir / "deploy-damaged"

    def _is_damaged(self, commit: str) -> bool:
        try:
            return self._damaged.read_text().strip() == commit
        except FileNotFoundError:
            return False

    def open(self) -> dict[str, Any]:
        """Make a git work tree where there is none; next to ``location``, which stays as it is."""
        if not self._is_installed():
            disk.make_directory(self._first)
            Repository.make_work_tree(self._first)
        self._recover()
        return {}

    def _recover(self) -> None:
        """Delete locks of git processes that were killed, unless a process has them open, and our own rubbish."""
        locks = self.store.locks()
        used = users_of(locks)
        for path in locks:
            if path not in used:
                path.unlink(missing_ok=True)
        disk.clear_asides(self._tags())
        disk.clear_asides(self._roots())
        disk.clear_asides(self._unfinished)
        disk.clear_asides(self._damaged)

    def prepare(
        self,
        release: Release,
        progress: Progress = no_progress,
        contents: Contents | None = None,
        root: str = "",
        needed: Collection[str] = (),
        noted: BlobSource | None = None,
    ) -> dict[str, Any]:
        """The objects are in ``.git`` already; compute what they come to, and note the tag."""
        self._refuse_unless_held(release)
        self._recover()
        self._refuse_flawed(release)
        found = self._root(release.commit)
        refuse_other_root(found, root, release, self.store.git_dir)
        self._remember(self._roots(), release.commit, found)
        self._name(release)
        return {"files": 0, "root": found}

    def _refuse_flawed(self, release: Release) -> None:
        """What git would not check out; it says so only when other hosts may have switched already."""
        flaw = next(flaws.find(self.store, release.commit, self.store.commit_of("HEAD")), None)
        if flaw is not None:
            raise Corrupt(
                f"{release.tag} cannot be checked out: {flaw.why}",
                repo=self._repo.name,
                path=os.fsdecode(flaw.path) or "/",
                next="correct the path in a new commit, and deploy a new tag of that",
            )

    def _root(self, commit: str) -> str:
        """The root of a release, whose contents are git's objects."""
        store = self.store
        return release_root.root_of(self._catalogue(), commit, store, Stored(store))

    def _catalogue(self) -> Path:
        return self.store.git_dir / "deploy-catalogue.db"

    def _remember(self, file: Path, commit: str, value: str) -> None:
        known = disk.read_json(file, {})
        if known.get(commit) != value:
            self._write(file, json.dumps({**known, commit: value}, sort_keys=True, indent=1))

    def _write(self, file: Path, text: str) -> None:
        """Write one of our own files into ``.git``, whose owner may put a link in its place at any moment."""
        write = functools.partial(disk.write_atomically, file, text.encode())
        landlock.confined(write, [self._tree()])

    def untracked(self, commit: str = "", coming: Known | None = None) -> Untracked:
        """What the first release has not of what was there before. From then on what git does not track stays."""
        if self._is_installed():
            return NOTHING_UNTRACKED
        with tempfile.TemporaryFile() as changes:
            if commit and coming is None:
                self.store.diff("", commit, changes)
                coming = KnownPaths(change.path for change in read_changes(changes))
        return of_foreign(self._repo, coming)

    def _unlink(self, file: Path) -> None:
        landlock.confined(functools.partial(file.unlink, missing_ok=True), [self._tree()])

    def collect(self, cleanup: Cleanup, needed: Collection[str]) -> None:
        """Delete what killed processes left. What was deployed stays in ``.git``, as with Trebuchet."""
        cleanup.drop("incoming", *disk.asides(self._tags()), *disk.asides(self._unfinished))

    def _name(self, release: Release) -> None:
        """Let the tag name the commit in git, and remember it as the name by which the commit was deployed last."""
        self.store.name(release.commit, release.tag)
        self._remember(self._tags(), release.commit, release.tag)

    def _refuse_unless_held(self, release: Release) -> None:
        if not self.store.has(release.commit):
            raise NotReady(
                f"{release.tag} ({release.commit[:12]}) is not in the repository",
                path=str(self.store.git_dir),
                next=f"fetch it first: salt-run deploy.fetch repo={release.repo} {argument('tag', release.tag)}",
            )

    def activate(self, release: Release, *, back: bool = False) -> dict[str, Any]:
        """``git checkout`` of the release, with Trebuchet's status numbers when it fails.

        This is what :func:`saltdeploy.layouts.activate.activate` does for a link, as far as it can be done here: the
        previous release is remembered as a ref, the checkout is many steps, and of generations there is that one ref
        only. Something else that is found at ``location`` is moved aside and named.
        """
        self._refuse_unless_held(release)
        self._recover()
        live = self.store.commit_of("HEAD")
        moves = live != release.commit or not self._is_installed()
        self._remember_previous(live, release, back=back)
        self._check_out(live, release)
        facts = self._install()
        if moves:
            log_activation(release, self._location, live)
        return facts

    def _remember_previous(self, live: str, release: Release, *, back: bool) -> None:
        if self._is_installed() and live and live != release.commit:
            if back:
                self.store.forget(_PREVIOUS)  # what is live is bad; of what was live before nothing is known
            else:
                self.store.point(_PREVIOUS, live)

    def _check_out(self, live: str, release: Release) -> None:
        """Until it is done, ``deploy-unfinished`` says that nothing is live."""
        self._write(self._unfinished, f"{release.commit}\n")
        if self._damaged.exists():  # git knows from its index which files it need not write, and was wrong
            self._unlink(self.store.git_dir / "index")
        if live:
            self._git(self._tree(), ["reset", "--hard", "--quiet"], RESET_FAILED)
        command = ["checkout", "--force", "--quiet", "--detach", release.commit]
        self._git(self._tree(), command, CHECKOUT_FAILED)
        self._name(release)
        self._unlink(self._damaged)
        self._unlink(self._unfinished)

    def _install(self) -> dict[str, Any]:
        """Put the first work tree at ``location``."""
        if not self._is_installed():
            return activate_first(self._first, self._location, self._repo.name)
        if not os.path.lexists(self._first):
            return {}
        # that step was made and killed: what is there now was at ``location``
        kept = disk.free_name(self._location)
        try:
            os.rename(self._first, kept)
        except OSError as error:
            raise from_os(error, repo=self._repo.name, path=str(self._location)) from error
        return {"moved_aside": str(kept)}

    def tree(self, commit: str) -> Path | None:
        """The one tree that there is, whatever is checked out in it now."""
        return self._location.resolve() if self.store.has(commit) else None

    def read(self, commit: str, path: str, most: int) -> bytes | None:
        """A file as git has it: the tree shows the release only once it is live."""
        return self.store.file(commit, path, most) if self.store.has(commit) else None

    def verify(self, *, full: bool, part: PathSlice | None = None) -> Findings:
        """What ``git status`` says of the tree.

        Args:
            full: every file is read, by git and by us; otherwise git reads those whose stat has changed.
            part: files that we read besides.
        """
        live = self.store.commit_of("HEAD") if self._is_installed() else ""
        if not live:
            raise NotReady(
                "nothing of this repo is live here",
                path=str(self._location),
                next=f"salt-run deploy.report repo={self._repo.name} ends with the command that brings its release",
            )
        findings = Findings()
        found: set[bytes] = set()
        with tempfile.TemporaryDirectory() as directory:
            index = Path(directory, "index") if full else None
            if index:  # one that knows no file's stat
                self._git(self._location, ["read-tree", live], index=index)
                listed = self._git(self._location, ["ls-files", "-z"], index=index)
                findings.files = listed.count("\0")
            # a submodule's own files are no part of the release, and git would look at them as the configuration there says
            ours = "--ignore-submodules=dirty"
            command = ["status", "--porcelain", "-z", "--no-renames", "-uall", "--ignored", ours]
            for line in filter(None, self._git(self._location, command, index=index).split("\0")):
                kind = "extra" if line[:2] in ("??", "!!") else "missing" if "D" in line[:2] else "changed"
                found.add(line[3:].encode("utf-8", "surrogateescape"))
                findings.add(kind, line[3:].encode("utf-8", "surrogateescape"))
        if full or part is not None:
            self._root(live)
            self._compare(live, found, findings, None if full else part)
        self._note_damage(live, findings, full=full)
        return findings

    def _note_damage(self, live: str, findings: Findings, *, full: bool) -> None:
        """Remember that files differ, until they are checked out again. Files more are none of the release, and stay."""
        if findings.missing or findings.changed:
            self._write(self._damaged, f"{live}\n")
        elif full:
            self._unlink(self._damaged)

    def _compare(self, live: str, found: set[bytes], findings: Findings, part: PathSlice | None) -> None:
        """Compare the sha256 of every file, unless git has found it to differ: a collision of git's own ids would show."""
        with Manifest(self._catalogue()) as manifest:
            wanted = manifest.entries() if part is None else (e for e in manifest.entries() if e.path in part)
            expected = (entry for entry in wanted if entry.path not in found)
            for kind, path, _ in differences(expected, self._location.resolve(), full=True):
                if kind and not self._is_converted(live, path, manifest.digest(path)):
                    findings.add(kind, path)

    def _is_converted(self, live: str, path: bytes, digest: bytes | None) -> bool:
        """Whether a file is what git makes of a blob with that digest: line ends, as .gitattributes asks."""
        name = path.decode("utf-8", "surrogateescape")
        try:
            fd = Below(self._location.resolve()).open(path)
        except OSError:
            return False
        with os.fdopen(fd, "rb") as file:
            found = file.read()
        as_it_is, made = (
            self._git(self._location, ["cat-file", how, f"{live}:{name}"]).encode("utf-8", "surrogateescape")
            for how in ("blob", "--filters")
        )
        return made == found and hashlib.sha256(as_it_is).digest() == digest
