"""A repository in which releases are made: of a directory as it is, or composed of trees of other repositories.

No work tree is ever touched, and the index is a file of our own: whoever edits the directory finds it as he left it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from saltdeploy.git.command import run
from saltdeploy.git.naming import NamingRepository
from saltdeploy.git.objects import FILE, GITLINK
from saltdeploy.git.reader import EMPTY_TREE
from saltdeploy.git.shield import EXACT, shielded
from saltdeploy.lib.errors import BadRelease, GitFailed, Unavailable
from saltdeploy.lib.text import public
from saltdeploy.protocol.release import check_commit

STAGED = "refs/heads/staged"
#: Stands in a directory that would be empty.
KEEPER = ".gitkeep"

_PART = "refs/deploy-parts-of-staged"
_MOST_NAMED = 5
_MANY_LOOSE = 2000  # objects that are worth a pack
#: One flush for all objects of a command, where git can; older ones know no such setting, and pass over it.
_FLUSH = ("-c", "core.fsync=loose-object", "-c", "core.fsyncMethod=batch")


class SnapshotRepository(NamingRepository):
    """The master's mirror of a source."""

    def tree_of_directory(self, directory: Path, index: Path) -> str:
        """All that lies in a directory, whatever ``.gitignore`` and attributes say: the bytes as they are.

        Args:
            index: a file of ours that remembers what each file looked like; the cost follows what changed since.

        Raises:
            BadRelease: repositories lie in it.
            GitFailed: a file cannot be read.
        """
        with shielded(self.git_dir, directory, attributes=EXACT) as shown:
            environment = {**shown, "GIT_INDEX_FILE": str(index)}
            command = ["-C", str(directory), *_FLUSH, "add", "--all", "--force", "--", "."]
            run(command, path=str(directory), environment=environment)
            tree = (
                run(["write-tree"], path=str(self.git_dir), environment=environment).stdout.decode().strip()
            )
        return check_commit(tree)

    def with_empty_directories(self, tree: str, directory: Path, index: Path) -> tuple[str, int]:
        """The tree with a file :data:`KEEPER` in each directory in which nothing is: git knows no empty ones.

        Args:
            tree: what :meth:`tree_of_directory` made of the directory with this index.

        Returns:
            The tree, and how many there are.
        """
        with shielded(self.git_dir, directory, attributes=EXACT) as shown:
            environment = {**shown, "GIT_INDEX_FILE": str(index)}
            command = ["-C", str(directory), "ls-files", "--others", "--directory", "-z", "--", "."]
            listed = run(command, path=str(directory), environment=environment).stdout.split(b"\0")[:-1]
            found = sorted(
                each for one in listed for each in _leaves(os.fsencode(directory), one.rstrip(b"/"))
            )
            if not found:
                return tree, 0
            blob = run(["hash-object", "-w", "--stdin"], input=b"", environment=environment).stdout.strip()
            lines = [b"%s %s\t%s/%s\0" % (FILE.encode(), blob, each, KEEPER.encode()) for each in found]
            run(["update-index", "-z", "--index-info"], input=b"".join(lines), environment=environment)
            made = (
                run(["write-tree"], path=str(self.git_dir), environment=environment).stdout.decode().strip()
            )
        return check_commit(made), len(found)

    def refuse_repositories(self, tree: str, before: str, directory: Path) -> None:
        """Of a repository in a directory git would take a name and no file.

        Args:
            before: the tree of the release before; "" for none.

        Raises:
            BadRelease: there are some that were not there before.
        """
        command = ["diff-tree", "-r", "-z", "--raw", "--no-renames", before or EMPTY_TREE[len(tree)], tree]
        words = self._run(command).stdout.split(b"\0")
        found = [
            path.decode("utf-8", "backslashreplace")
            for told, path in zip(words[::2], words[1::2], strict=False)
            if told.split(b" ")[1].decode() == GITLINK
        ]
        if found:
            named = ", ".join(found[:_MOST_NAMED]) + (", ..." if len(found) > _MOST_NAMED else "")
            raise BadRelease(
                f"git repositories lie in the directory, of which a release would have no file: {named}",
                path=str(directory / found[0]),
                next="compose the release of them (stage:parts, docs/staging.md), or move their .git away",
            )

    def bring_part(self, url: str, ref: str, number: int) -> str:
        """Fetch the commit of a branch, a tag or an id of another repository, without what is behind it.

        Args:
            number: of the part; the commit is kept as long as no other takes its place.

        Raises:
            Unavailable: it cannot be had.
        """
        kept = f"{_PART}/{number}"
        error: GitFailed | None = None
        for wanted in (f"refs/heads/{ref}", f"refs/tags/{ref}", ref):
            options = ["--quiet", "--no-tags", "--depth=1", "--", url, f"+{wanted}:{kept}"]
            try:
                self._remote("fetch", url, options)
            except GitFailed as failed:
                error = error or failed
                continue
            return check_commit(self._ask(["rev-parse", "--verify", f"{kept}^{{commit}}"]).strip())
        raise Unavailable(
            f"cannot fetch {ref} from {public(url)}: {error.cause if error else ''}",
            next=f"git ls-remote {public(url)} {ref}",
        )

    def compose(
        self, parts: Sequence[tuple[str, str]], patches: Sequence[tuple[Path, str]], index: Path
    ) -> str:
        """Lay trees beside each other and apply patches, in this order.

        Args:
            parts: path and commit of each; what lies at the root ("") comes first.
            patches: file, and where its paths begin.
            index: a file that is not there.

        Raises:
            BadRelease: a part lies on files of another, or a patch does not apply.
        """
        environment = {"GIT_INDEX_FILE": str(index)}
        self._run(["read-tree", "--empty"], environment=environment)
        for path, commit in parts:
            self._lay(path, commit, environment)
        for file, path in patches:
            where = [f"--directory={path}"] if path else []
            command = ["apply", "--cached", "--whitespace=nowarn", *where, "--", str(file)]
            try:
                self._run(command, environment=environment)
            except GitFailed as error:
                raise BadRelease(
                    f"a patch does not apply: {error.cause}",
                    path=str(file),
                    next=f"make it anew for what is there now, or take it out of stage:patches; git apply --stat -- {file}",
                ) from error
        return self._write_tree(environment)

    def files_of_patch(self, file: Path, path: str) -> list[str]:
        """The paths in a release that a patch changes.

        Args:
            path: where its paths begin; "" for the root.

        Raises:
            BadRelease: it is no patch.
        """
        where = [f"--directory={path}"] if path else []
        try:
            listed = self._run(["apply", "--numstat", "-z", *where, "--", str(file)]).stdout
        except GitFailed as error:
            raise BadRelease(
                f"it is no patch: {error.cause}", path=str(file), next=f"git apply --stat -- {file}"
            ) from error
        rows = listed.decode("utf-8", "backslashreplace").split("\0")
        return sorted({row.split("\t", 2)[2] for row in rows if row.count("\t") >= 2})

    def with_file(self, tree: str, path: str, data: bytes, index: Path) -> str:
        """The tree with one more file."""
        environment = {"GIT_INDEX_FILE": str(index)}
        blob = self._run(["hash-object", "-w", "--stdin"], input=data).stdout.decode().strip()
        self._run(["read-tree", tree], environment=environment)
        self._run(
            ["update-index", "--add", "--cacheinfo", f"{FILE},{check_commit(blob)},{path}"],
            environment=environment,
        )
        return self._write_tree(environment)

    def tree_of(self, commit: str) -> str:
        """The tree of a commit."""
        return check_commit(self._ask(["rev-parse", "--verify", f"{check_commit(commit)}^{{tree}}"]).strip())

    def commit_staged(self, tree: str, parent: str, who: str, email: str, message: str, now: float) -> str:
        """Make a commit, which the next one follows.

        Args:
            parent: the staged commit before; "" for none.
            now: seconds since the epoch.
        """
        about = {"NAME": who, "EMAIL": email, "DATE": f"{int(now)} +0000"}
        named = {f"GIT_{role}_{key}": text for role in ("AUTHOR", "COMMITTER") for key, text in about.items()}
        command = ["commit-tree", tree, *(["-p", parent] if parent else [])]
        made = self._run(command, input=message.encode(), environment=named).stdout.decode().strip()
        self._run(["update-ref", STAGED, check_commit(made), *([parent] if parent else [])])
        self._pack_loose()
        return made

    def _lay(self, path: str, commit: str, environment: dict[str, str]) -> None:
        if not path:
            self._run(["read-tree", commit], environment=environment)
            return
        listed = self._run(["ls-files", "--stage", "-z", "--", f":(literal){path}"], environment=environment)
        found = [line.partition(b"\t") for line in listed.stdout.split(b"\0")[:-1]]
        if len(found) == 1 and found[0][0].startswith(GITLINK.encode()):  # a submodule: its place is empty
            self._run(["update-index", "--force-remove", "--", path], environment=environment)
            found = []
        above = path.split("/")[:-1]
        files = ["/".join(above[: number + 1]) for number in range(len(above))]
        in_the_way = [os.fsdecode(name) for _, _, name in found] + [
            each
            for each in files
            if self._ask(["rev-parse", "--quiet", "--verify", f":{each}"], environment=environment)
        ]
        if in_the_way:
            raise BadRelease(
                f"the part at {path} lies on files of a part before it: {in_the_way[0]}",
                next="give it another path in stage:parts",
            )
        self._run(["read-tree", f"--prefix={path}/", commit], environment=environment)

    def _write_tree(self, environment: dict[str, str]) -> str:
        return check_commit(self._run(["write-tree"], environment=environment).stdout.decode().strip())

    def _pack_loose(self) -> None:
        """A directory that is staged first makes an object for each file."""
        count = self._ask(["count-objects"]).partition(" ")[0]
        if count.isdecimal() and int(count) > _MANY_LOOSE:
            self._run(["repack", "-d", "-q"], check=False)
            self._run(["prune-packed", "-q"], check=False)


def _leaves(directory: bytes, path: bytes) -> list[bytes]:
    """The directories below a path, and itself, in which there is no other."""
    top = os.path.join(directory, path)
    return [
        os.path.relpath(place, directory)
        for place, below, _ in os.walk(top)
        if not below and os.path.isdir(place)
    ]
