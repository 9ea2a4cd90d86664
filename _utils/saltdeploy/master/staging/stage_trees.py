"""The tree of a release that is made on the master: of a plain directory after a build, of an archive, or composed."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import shlex
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from saltdeploy.config import Repo
from saltdeploy.config.staging import StagePlan
from saltdeploy.content.payloads import digest_of
from saltdeploy.git.reader import EMPTY_TREE
from saltdeploy.git.snapshots import SnapshotRepository
from saltdeploy.lib import durable, process
from saltdeploy.lib.errors import BadRelease, ConfigError, HookFailed
from saltdeploy.lib.spelling import argument
from saltdeploy.lib.text import public
from saltdeploy.master.payloads.source import Source
from saltdeploy.protocol.release import file_name
from saltdeploy.staging import archive as archives

#: Where a composed release tells what it is made of.
SOURCES = ".deploy-sources.json"

_KEPT_OUTPUT = 4000  # characters of a build's


@dataclass(frozen=True)
class StagedTree:
    """What a release is made of.

    Attributes:
        tree: git's id of it.
        origin: what it was made of, in one line.
        build: the command that was run first, and the last that it said; "" for none.
        output: the last that the build said.
        empty: directories in which nothing is, and that hosts have all the same.
    """

    tree: str
    origin: str
    build: str = ""
    output: str = ""
    empty: int = 0


def make_tree(
    repo: Repo, directory: str, archive: str, source: Source, mirror: SnapshotRepository, before: str
) -> StagedTree:
    """Make it; the mirror has all objects then.

    Args:
        directory, archive: in place of what the pillar says; "" for that.
        before: the tree of the release before; "" for none.

    Raises:
        BadRelease, ConfigError, HookFailed, DeployError: it cannot be made, and why.
    """
    plan, root = repo.staging.plan or StagePlan(), source.root
    if archive:
        return _of_archive(Path(archive), mirror, before, root)
    if directory or not plan.parts:
        place = Path(directory or plan.directory or _usual(repo, source))
        output = "" if directory else _build(plan, place)
        made = _of_directory(place, mirror, before, _index(root, repo, place))
        built = shlex.join(plan.build) if plan.build and not directory else ""
        return dataclasses.replace(made, build=built, output=output)
    return _composed(plan, mirror, root)


def _usual(repo: Repo, source: Source) -> str:
    """The directory that people edit: the source itself, or the work tree of the repository there."""
    if source.is_staged:
        return repo.origin.source
    if source.work_tree is not None:
        return str(source.work_tree)
    raise ConfigError(
        f"{public(source.place)} is a repository without a work tree, and nothing says what to stage",
        path=f"repo_config:{repo.name}:stage",
        next=f"deploy what it has: salt-run deploy.sync {argument('repo', repo.name)} branch=main; "
        f"or give directory= or archive=",
    )


def _build(plan: StagePlan, directory: Path) -> str:
    if not plan.build:
        return ""
    try:
        ended = process.run(plan.build, plan.build_timeout, directory=directory)
    except process.Overran as error:
        raise HookFailed(
            f"the build did not end in {plan.build_timeout:g} s: {error.output[-_KEPT_OUTPUT:]}",
            path=str(directory),
            next="raise stage:build_timeout, or see why it hangs",
        ) from None
    except OSError as error:
        raise HookFailed(
            f"the build {plan.build[0]} cannot be run: {error.strerror}",
            path=str(directory),
            next="correct stage:build in the pillar",
        ) from None
    if ended.code:
        raise HookFailed(
            f"the build ended with {ended.code}: {ended.output[-_KEPT_OUTPUT:]}",
            path=str(directory),
            next="nothing was staged; mend the build, then stage again",
        )
    return ended.output[-_KEPT_OUTPUT:]


def _index(root: Path, repo: Repo, directory: Path) -> Path:
    """Remembers what the files of this directory looked like."""
    place = durable.private_directory(root / "staging")
    digest = hashlib.sha256(str(directory.absolute()).encode()).hexdigest()[:16]
    return place / f"{file_name(repo.name)}.{digest}.index"


def _of_directory(directory: Path, mirror: SnapshotRepository, before: str, index: Path) -> StagedTree:
    if not directory.is_dir():
        raise BadRelease(
            "there is no directory of this name", path=str(directory), next=f"ls -ld -- {directory}"
        )
    index.with_name(f"{index.name}.lock").unlink(missing_ok=True)  # of one that was killed: we are alone
    tree = mirror.tree_of_directory(directory, index)
    if tree in EMPTY_TREE.values():
        raise BadRelease(
            "there is no file in the directory: an empty release would take everything away from hosts",
            path=str(directory),
            next=f"ls -A -- {directory}",
        )
    mirror.refuse_repositories(tree, before, directory)
    tree, empty = mirror.with_empty_directories(tree, directory, index)
    return StagedTree(tree, f"directory {directory.absolute()}", empty=empty)


def _of_archive(archive: Path, mirror: SnapshotRepository, before: str, root: Path) -> StagedTree:
    with _scratch(root) as scratch:
        (scratch / "tree").mkdir()
        archives.unpack(archive, scratch / "tree")
        made = _of_directory(scratch / "tree", mirror, before, scratch / "index")
    return dataclasses.replace(made, origin=f"archive {archive.name} sha256:{digest_of(archive)}")


def _composed(plan: StagePlan, mirror: SnapshotRepository, root: Path) -> StagedTree:
    found = [
        (part, mirror.bring_part(part.source, part.ref, number)) for number, part in enumerate(plan.parts)
    ]
    told = {
        "parts": [
            {"path": part.path, "source": public(part.source), "ref": part.ref, "commit": commit}
            for part, commit in found
        ],
        "patches": [
            {
                "file": patch.file,
                "path": patch.path,
                "sha256": _digest(Path(patch.file)),
                "files": mirror.files_of_patch(Path(patch.file), patch.path),
            }
            for patch in plan.patches
        ],
    }
    with _scratch(root) as scratch:
        patches = [(Path(patch.file), patch.path) for patch in plan.patches]
        tree = mirror.compose([(part.path, commit) for part, commit in found], patches, scratch / "index")
        data = json.dumps(told, indent=2, sort_keys=True).encode() + b"\n"
        tree = mirror.with_file(tree, SOURCES, data, scratch / "index.with")
    return StagedTree(tree, f"{len(plan.parts)} repositories and {len(plan.patches)} patches, see {SOURCES}")


def _digest(file: Path) -> str:
    try:
        return digest_of(file)
    except OSError as error:
        raise BadRelease(
            f"the patch cannot be read: {error.strerror}", path=str(file), next=f"ls -l -- {file}"
        ) from error


@contextlib.contextmanager
def _scratch(root: Path) -> Iterator[Path]:
    """A directory on the master's own disk, which is big enough for releases."""
    place = durable.private_directory(root / "staging")
    made = Path(tempfile.mkdtemp(prefix=".scratch-", dir=place))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)
