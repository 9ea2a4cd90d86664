"""A repository in which releases are made of commits: of a part of their trees, or of what git's attributes make of them.

What is made is a commit without parents, the same one whenever it is made of the same commit in the same way. A ref
``refs/deploy-made/<way>/<commit>`` holds it and tells what it was made of. All of it is here, so that what was deployed
stays when the source has lost it.
"""

from __future__ import annotations

import posixpath
import re
import shutil
import tempfile
from dataclasses import dataclass
from typing import IO

from saltdeploy.config.exclude import Derivation
from saltdeploy.git.naming import NamingRepository
from saltdeploy.git.objects import GITLINK, NOTHING, SYMLINK, Change, read_changes
from saltdeploy.git.packer import ArchivedFile, files_in
from saltdeploy.lib.errors import BadRelease
from saltdeploy.protocol.release import check_commit

#: Below it is what was made.
MADE = "refs/deploy-made"
_HALF = "refs/deploy-asked/made"
_ATTRIBUTES = b".gitattributes"
_SUBST = b"export-subst"
_MOST_FILES = 2000  # that are converted by themselves; for more, all of the tree is
_AT_ONCE = 200  # paths that one git is told
_MOST_KNOWN = 8  # releases made before whose objects are not packed again
_FLUSH = ("-c", "core.fsync=loose-object,pack,pack-metadata,reference", "-c", "core.fsyncMethod=batch")
_SAID = re.compile(r"^Deploy-Commit: ([0-9a-f]{40}|[0-9a-f]{64})$", re.MULTILINE)


@dataclass(frozen=True)
class MadeOf:
    """A release that was made here.

    Attributes:
        made: its commit.
        commit: that of the repository.
        follows: a file in it tells of the commit, so that it is another one in each release (``export-subst``).
    """

    made: str
    commit: str
    follows: bool = False


class DerivingRepository(NamingRepository):
    """The master's mirror of a source; ``beside`` is the source where that is on this host."""

    def derived(self, commit: str, derivation: Derivation) -> str:
        """The commit that is deployed in place of one of the repository.

        Raises:
            BadRelease: the commit has no such directory.
            GitFailed, Corrupt, DiskFull: it cannot be made.
        """
        ref = f"{MADE}/{derivation.mark}/{check_commit(commit)}"
        found = self.commit_of(ref)
        if found and self.has(found):
            return found
        self._suit(commit)
        tree = self._subtree(commit, derivation.subdirectory)
        follows = False
        if derivation.converts:
            tree, follows = self._converted(commit, derivation)
        made = self._commit(tree, commit, derivation, follows=follows)
        self._take_in(made, derivation)
        self.point(ref, made)
        return made

    def origins(self) -> dict[str, str]:
        """Each release that was made here, with the commit of which it was made."""
        listed = self._ask(["for-each-ref", "--format=%(objectname) %(refname)", f"{MADE}/"]).splitlines()
        return {made: ref.rpartition("/")[2] for made, _, ref in (line.partition(" ") for line in listed)}

    # -- the directory ------------------------------------------------------------------------------------

    def _subtree(self, commit: str, directory: str) -> str:
        """The tree below a path; no link is followed."""
        tree = check_commit(self._ask(["rev-parse", "--verify", "--quiet", f"{commit}^{{tree}}"]).strip())
        at = ""
        for part in filter(None, directory.split("/")):
            at = f"{at}/{part}".lstrip("/")
            listed = self._run(["--literal-pathspecs", "ls-tree", "-z", tree, "--", part]).stdout
            head = listed.partition(b"\t")[0].split()
            if len(head) != 3 or head[1] != b"tree":
                kind = (
                    "a symbolic link, which is not followed"
                    if head[:1] == [SYMLINK.encode()]
                    else "no directory"
                )
                there = f"{at} is {kind} there" if head else f"it has no {at}"
                raise BadRelease(
                    f"commit {commit} has no directory {directory}: {there}",
                    path=directory,
                    next=f"git --git-dir={self._seen_dir} ls-tree {commit[:12]} tells what it has; deploy a release that "
                    "has it, or correct `subdirectory`",
                )
            tree = head[2].decode()
        return tree

    @property
    def _seen_dir(self) -> str:
        return str(self._beside[0] if self._beside else self.git_dir)

    # -- the attributes -----------------------------------------------------------------------------------

    def _converted(self, commit: str, derivation: Derivation) -> tuple[str, bool]:
        """The tree with the files that git's attributes make, and whether one of these tells of the commit."""
        inside = derivation.subdirectory.encode()
        before = self._before(derivation)
        with tempfile.TemporaryFile(dir=self.git_dir) as stream:
            changes = self._few_changes(before, commit, inside) if before else None
            if changes is None or before is None:
                follows = self._export_all(commit, inside, stream)
            else:
                follows = False
                self._export_some(commit, inside, changes, before.made, stream)
            stream.write(b"done\n")
            stream.seek(0)
            self._run([*_FLUSH, "fast-import", "--quiet", "--force", "--done"], stdin=stream)
        try:
            tree = check_commit(self._ask(["rev-parse", "--verify", "--quiet", f"{_HALF}^{{tree}}"]).strip())
        finally:
            self.forget(_HALF)
        return tree, follows

    def _before(self, derivation: Derivation) -> MadeOf | None:
        """What was made last in the same way."""
        command = [
            "for-each-ref",
            "--sort=-committerdate",
            "--count=1",
            "--format=%(objectname) %(refname) %(contents)",
        ]
        told = self._ask([*command, f"{MADE}/{derivation.mark}/"])
        words = told.split()
        if len(words) < 2 or not self.has(words[0]):
            return None
        return MadeOf(words[0], words[1].rpartition("/")[2], "\nDeploy-Follows: yes" in told)

    def _few_changes(self, before: MadeOf, commit: str, inside: bytes) -> list[Change] | None:
        """What differs from the release that was made last; None where all has to be converted."""
        if before.follows or not self.has(before.commit):
            return None
        found = []
        with tempfile.TemporaryFile(dir=self.git_dir) as spool:
            self.diff(before.commit, commit, spool)
            for change in read_changes(spool):
                if posixpath.basename(change.path) == _ATTRIBUTES:
                    return None
                if not inside or change.path.startswith(inside + b"/"):
                    found.append(change)
                if len(found) > _MOST_FILES:
                    return None
        return found

    def _export_all(self, commit: str, inside: bytes, stream: IO[bytes]) -> bool:
        links = {path: oid for path, oid in self.submodules(commit).items()}
        self._import(commit, [inside] if inside else [], inside, links, Import(stream, _HALF))
        return self._tells_of_commit(commit)

    def _export_some(
        self, commit: str, inside: bytes, changes: list[Change], base: str, stream: IO[bytes]
    ) -> None:
        importing = Import(stream, _HALF, base)
        for change in changes:
            if change.old_mode != NOTHING:
                importing.remove(_below(change.path, inside))
        there = [change.path for change in changes if change.mode != NOTHING]
        links = {change.path: change.oid for change in changes if change.mode == GITLINK}
        for begin in range(0, len(there), _AT_ONCE):
            self._import(commit, there[begin : begin + _AT_ONCE], inside, links, importing)

    def _import(
        self, commit: str, paths: list[bytes], inside: bytes, links: dict[bytes, str], importing: Import
    ) -> None:
        with tempfile.TemporaryFile(dir=self.git_dir) as out:
            self.archive(commit, paths, out)
            for file in files_in(out):
                if file.path == inside or not file.path.startswith(inside + b"/" if inside else b""):
                    continue
                if file.mode != GITLINK:
                    importing.put(_below(file.path, inside), file)
                elif file.path in links:
                    importing.link(_below(file.path, inside), links[file.path])

    def _tells_of_commit(self, commit: str) -> bool:
        """Whether attributes let files tell of the commit."""
        listed = self._run(["ls-tree", "-r", "-z", "--full-tree", commit]).stdout.split(b"\0")[:-1]
        oids = [
            each.split()[2].decode()
            for each in listed
            if posixpath.basename(each.partition(b"\t")[2]) == _ATTRIBUTES
        ]
        return any(data is not None and _SUBST in data for _, data in self.objects(oids, "blob"))

    # -- the commit ---------------------------------------------------------------------------------------

    def _commit(self, tree: str, commit: str, derivation: Derivation, *, follows: bool) -> str:
        """A commit that is the same whenever and wherever it is made of the same."""
        when = self._ask(["show", "-s", "--no-show-signature", "--format=%ct", commit]).strip() or "0"
        who = f"deploy <deploy@localhost> {when} +0000"
        told = [
            f"Deploy-Commit: {commit}",
            *([f"Deploy-Subdirectory: {derivation.subdirectory}"] if derivation.subdirectory else []),
            f"Deploy-Attributes: {derivation.attributes}",
            *(["Deploy-Follows: yes"] if follows else []),
        ]
        head = f"tree {tree}\nauthor {who}\ncommitter {who}\n\nMade of {commit}\n\n"
        text = f"{head}{chr(10).join(told)}\n".encode()
        written = self._run([*_FLUSH, "hash-object", "-t", "commit", "-w", "--stdin"], input=text).stdout
        return check_commit(written.decode().strip())

    def _take_in(self, made: str, derivation: Derivation) -> None:
        """Let all of its objects be here, and not only beside."""
        if not self._beside:
            return
        pattern = f"{MADE}/{derivation.mark}/"
        command = [
            "for-each-ref",
            "--sort=-committerdate",
            f"--count={_MOST_KNOWN}",
            "--format=%(objectname)",
            pattern,
        ]
        known = [each for each in self._ask(command).split() if self.has(each)]
        asked = "".join(f"{each}\n" for each in (made, *(f"^{each}" for each in known))).encode()
        packs = self.git_dir / "objects" / "pack" / "pack"
        self._run(
            [*_FLUSH, "pack-objects", "--revs", "--sparse", "--quiet", "--delta-base-offset", str(packs)],
            input=asked,
        )
        self._run(["prune-packed", "--quiet"], check=False)


def origin_told(message: str) -> str:
    """The commit of which a release says that it was made; "" for one that says nothing. Only where the pillar has such made."""
    found = _SAID.search(message)
    return found[1] if found else ""


def _below(path: bytes, inside: bytes) -> bytes:
    return path[len(inside) + 1 :] if inside else path


class Import:
    """Writes what ``git fast-import`` makes a commit of, which ``ref`` names then.

    Args:
        out: an open file.
        base: the commit whose tree it begins with; "" for an empty one.
    """

    def __init__(self, out: IO[bytes], ref: str, base: str = "") -> None:
        self._out = out
        begin = f"from {base}\n" if base else ""
        out.write(f"reset {ref}\n\ncommit {ref}\ncommitter - <-> 0 +0000\ndata 0\n{begin}".encode())

    def remove(self, path: bytes) -> None:
        """Take a file away, or a directory with all that is below it."""
        self._out.write(b"D %s\n" % _quoted(path))

    def put(self, path: bytes, file: ArchivedFile) -> None:
        """Put a file at a path."""
        self._out.write(b"M %s inline %s\ndata %d\n" % (file.mode.encode(), _quoted(path), file.size))
        if file.data is not None:
            shutil.copyfileobj(file.data, self._out, 1 << 20)
        self._out.write(file.target + b"\n")

    def link(self, path: bytes, commit: str) -> None:
        """Put a submodule at a path."""
        self._out.write(b"M %s %s %s\n" % (GITLINK.encode(), commit.encode(), _quoted(path)))


def _quoted(path: bytes) -> bytes:
    """A path as fast-import reads it."""
    escaped = path.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n")
    return b'"%s"' % escaped
