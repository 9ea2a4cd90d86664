"""Asks a git repository for its objects, by ids: which there are, how large, what is in them. Runs git for whoever asks more."""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import IO, Any

from saltdeploy.git.command import STREAM, run, start
from saltdeploy.git.inquiry import MOST_AT_ONCE, Inquiry, NoAnswer
from saltdeploy.git.objects import Blobs, read_object
from saltdeploy.git.shield import UNFILTERED, shielded
from saltdeploy.lib.errors import Corrupt
from saltdeploy.protocol.release import check_commit

_PIPE = 1 << 20  # bytes, which is what users may have


class ObjectReader:
    """One git directory, bare or the ``.git`` of a work tree.

    Args:
        beside: another one, or several, whose objects are seen as well.
    """

    def __init__(self, git_dir: Path, beside: Path | Sequence[Path] | None = None) -> None:
        self.git_dir = git_dir
        self._beside = (beside,) if isinstance(beside, Path) else tuple(beside or ())
        others = ":".join(_quoted(each / "objects") for each in self._beside)
        self._seeing = {"GIT_ALTERNATE_OBJECT_DIRECTORIES": others} if others else {}
        about, of = (partial(_cat_file, git_dir, self._seeing, how) for how in ("--batch-check", "--batch"))
        self._about, self._of = Inquiry(git_dir, about), Inquiry(git_dir, of)

    @property
    def advice(self) -> str:
        """What to do when objects are missing or damaged: the next fetch brings them again."""
        return f"git --git-dir={self.git_dir} fsck; rm -r -- {self.git_dir}; then run the same command again"

    def has(self, commit: str) -> bool:
        """Whether the commit and its tree are here."""
        if not self.git_dir.is_dir():
            return False
        spec = f"{check_commit(commit)}^{{tree}}"
        try:
            ((_, *kind),) = self._about.heads([spec])
            return kind[:1] == [b"tree"]
        except NoAnswer:
            return self._run(["cat-file", "-e", spec], check=False).returncode == 0

    def _is_there(self, name: str) -> bool:
        """Whether an object has this name, as git-cat-file(1) takes it; also where that cannot be told."""
        try:
            ((*_, last),) = self._about.heads([name])
        except (NoAnswer, ValueError):
            return True
        return last != b"missing"

    def total_size(self, oids: IO[bytes]) -> int:
        """Bytes that the blobs listed in the file ``oids`` (one a line) will take in files.

        Raises:
            Corrupt: when one is missing.
        """
        oids.seek(0)
        few = list(itertools.islice(oids, MOST_AT_ONCE + 1))
        if len(few) <= MOST_AT_ONCE:
            with contextlib.suppress(NoAnswer):
                return sum(
                    self._size(said) for said in self._about.heads([each.decode().strip() for each in few])
                )
        oids.seek(0)
        total = 0
        with tempfile.TemporaryFile() as sizes:
            self._run(["cat-file", "--batch-check=%(objectsize)", "--buffer"], stdin=oids, stdout=sizes)
            sizes.seek(0)
            for line in sizes:
                total += self._size([b"", b"", *line.split()] if line.strip().isdigit() else line.split())
        return total

    def _size(self, said: list[bytes]) -> int:
        """The size of an object by what git says of it: id, kind, size."""
        if len(said) == 3 and said[2].isdigit():
            return int(said[2])
        raise Corrupt(
            f"the object store has no blob {said[0].decode()}", path=str(self.git_dir), next=self.advice
        )

    def missing(self, oids: Iterable[str]) -> set[str]:
        """Those of these objects that are not here."""
        asked = list(oids)
        if len(asked) <= MOST_AT_ONCE:
            with contextlib.suppress(NoAnswer):
                heads = self._about.heads(asked)
                return {head[0].decode() for head in heads if head[-1] == b"missing"}
        said = self._lines(["cat-file", "--batch-check=%(objectname)", "--buffer"], listed(asked))
        return {line.split()[0].decode() for line in said if line.endswith(b" missing")}

    def objects(self, oids: Iterable[str], kind: str, most: int = -1) -> Iterator[tuple[str, bytes | None]]:
        """Each of these ids with its object; None where that is not here, or of another kind.

        Args:
            kind: ``commit``, ``tree`` or ``blob``.
            most: bytes of each that are of interest; negative for all.
        """
        asked = list(oids)
        for begin in range(0, len(asked), MOST_AT_ONCE):
            some = asked[begin : begin + MOST_AT_ONCE]
            try:
                with self._of.asked(some) as answers:
                    found = [read_object(answers, kind, most) for _ in some]
            except NoAnswer:
                raise Corrupt(
                    f"git cannot read {kind} {some[0]} or one of those behind it",
                    path=str(self.git_dir),
                    next=self.advice,
                ) from None
            yield from zip(some, found, strict=True)

    @contextlib.contextmanager
    def blobs(self, oids: IO[bytes]) -> Iterator[Blobs]:
        """Read the blobs listed in the file ``oids`` (one a line), in its order, by one git process."""
        oids.seek(0)
        command = [*STREAM, "cat-file", "--batch", "--buffer"]
        with (
            self._shown() as shown,
            start(command, oids, subprocess.PIPE, shown, subprocess.DEVNULL) as process,
        ):
            assert process.stdout is not None
            _widen(process.stdout)
            try:
                yield Blobs(process.stdout, self.git_dir, self.advice)
            finally:
                process.kill()

    def let_go(self) -> None:
        """End what reads here: it would go on to see what was deleted."""
        self._about.close()
        self._of.close()

    # -- running git --------------------------------------------------------------------------------------

    def _lines(self, arguments: list[str], asked: bytes) -> list[bytes]:
        return self._run(arguments, input=asked).stdout.splitlines()

    def _ask(self, arguments: list[str], **options: Any) -> str:
        output = self._run(arguments, check=False, **options).stdout or b""
        return output.decode("utf-8", "surrogateescape")

    def _run(self, arguments: list[str], **options: Any) -> subprocess.CompletedProcess[bytes]:
        with self._shown(options.pop("attributes", UNFILTERED)) as shown:
            environment = {**shown, **options.pop("environment", {})}
            return run(arguments, **{"path": str(self.git_dir), "environment": environment, **options})

    @contextlib.contextmanager
    def _shown(self, attributes: bytes = UNFILTERED) -> Iterator[dict[str, str]]:
        """The environment in which git sees this directory.

        Args:
            attributes: see :func:`saltdeploy.git.shield.shielded`.
        """
        with shielded(self.git_dir, attributes=attributes) as environment:
            yield {**environment, **self._seeing}


def _cat_file(git_dir: Path, seeing: Mapping[str, str], how: str) -> subprocess.Popen[bytes]:
    """A ``git cat-file`` that answers what it is asked. No method: who holds its object would hold it for ever."""
    with shielded(git_dir) as shown:
        command = [*STREAM, "cat-file", how]
        environment = {**shown, **seeing}
        return start(command, subprocess.PIPE, subprocess.PIPE, environment, subprocess.DEVNULL, locks=False)


def _widen(pipe: IO[bytes]) -> None:
    """Let a pipe hold more, so that two processes that work on many small things wait less often for each other."""
    with contextlib.suppress(OSError):  # the user has no more memory for pipes, see pipe(7)
        fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, _PIPE)


def listed(oids: Iterable[str]) -> bytes:
    """Ids as git reads them, one a line."""
    return b"".join(b"%s\n" % oid.encode() for oid in oids)


def _quoted(path: Path) -> str:
    """A path as git reads it in a list divided by colons, see GIT_ALTERNATE_OBJECT_DIRECTORIES in git(1)."""
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
