"""Makes a release on the master: of a plain directory, of an archive, or composed of several repositories.

One commit and one annotated tag for each, in the master's own mirror. The directory stays what it is: a plain directory that
people edit.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from saltdeploy.config import Repo
from saltdeploy.config.staging import StagePlan
from saltdeploy.content.payloads import digest_of
from saltdeploy.git.reader import EMPTY_TREE
from saltdeploy.git.repository import Difference
from saltdeploy.git.snapshots import STAGED, SnapshotRepository
from saltdeploy.lib import durable, process
from saltdeploy.lib.errors import BadRelease, ConfigError, DeployError, HookFailed
from saltdeploy.lib.os_errors import from_os
from saltdeploy.lib.spelling import argument
from saltdeploy.lib.text import public
from saltdeploy.master.cache import Store
from saltdeploy.master.history import history_of
from saltdeploy.master.locking.locks import is_held
from saltdeploy.master.pins import Pins
from saltdeploy.master.revisions import Untagged, free_name
from saltdeploy.master.source import Source
from saltdeploy.protocol.release import file_name
from saltdeploy.staging import archive as archives
from saltdeploy.staging.tagging import TagText, make_tag

#: Where a composed release tells what it is made of.
SOURCES = ".deploy-sources.json"

_KEPT_OUTPUT = 4000  # characters of a build's

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class StageRequest:
    """What an operator asked for.

    Attributes:
        directory, archive: in place of what the pillar says; "" for that.
        user, reason: who, and why.
    """

    directory: str = ""
    archive: str = ""
    user: str = ""
    reason: str = ""


@dataclass(frozen=True)
class _StagedTree:
    """A tree, what it was made of in one line, and the last that the build said."""

    tree: str
    origin: str
    output: str = ""


def stage(
    repo: Repo, request: StageRequest, root: Path, store: Store, now: Callable[[], float]
) -> dict[str, Any]:
    """Make a release, where there is something new.

    Args:
        root: the master's directory for deploys.
        store: where histories lie.
        now: seconds since the epoch.

    Returns:
        The view ``stage``: ``tag`` and ``commit`` of what was staged, now or before; ``new``; ``added``, ``changed``,
        ``removed`` (files); ``origin``; ``output`` of the build.

    Raises:
        BadRelease: what is there makes no release; the message says why.
        ConfigError: the pillar does not say what to make it of.
        DeployError: it cannot be read, built, fetched or written.
    """
    if request.directory and request.archive:
        raise BadRelease(
            "directory= and archive= exclude each other", repo=repo.name, next="give one of them"
        )
    source = Source(repo, root)
    mirror = SnapshotRepository(source.mirror.git_dir)
    try:
        with source.alone():
            before = mirror.commit_of(STAGED)
            made = _tree(repo, request, source, mirror, root, mirror.tree_of(before) if before else "")
            return _named(repo, request, source, mirror, before, made, store, now())
    except DeployError as error:
        raise error.at(repo=repo.name) from None
    except OSError as error:
        raise from_os(error, repo=repo.name) from error


# -- the tree -------------------------------------------------------------------------------------------


def _tree(
    repo: Repo, request: StageRequest, source: Source, mirror: SnapshotRepository, root: Path, before: str
) -> _StagedTree:
    plan = repo.staging.plan or StagePlan()
    if request.archive:
        return _of_archive(Path(request.archive), mirror, before, root)
    if request.directory or not plan.parts:
        directory = Path(request.directory or plan.directory or _usual(repo, source))
        output = "" if request.directory else _build(plan, directory)
        return _of_directory(directory, mirror, before, _index(root, repo, directory), output)
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


def _of_directory(
    directory: Path, mirror: SnapshotRepository, before: str, index: Path, output: str
) -> _StagedTree:
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
    return _StagedTree(tree, f"directory {directory.absolute()}", output)


def _of_archive(archive: Path, mirror: SnapshotRepository, before: str, root: Path) -> _StagedTree:
    with _scratch(root) as scratch:
        (scratch / "tree").mkdir()
        archives.unpack(archive, scratch / "tree")
        made = _of_directory(scratch / "tree", mirror, before, scratch / "index", "")
    return _StagedTree(made.tree, f"archive {archive.name} sha256:{digest_of(archive)}")


def _composed(plan: StagePlan, mirror: SnapshotRepository, root: Path) -> _StagedTree:
    found = [
        (part, mirror.bring_part(part.source, part.ref, number)) for number, part in enumerate(plan.parts)
    ]
    told = {
        "parts": [
            {"path": part.path, "source": public(part.source), "ref": part.ref, "commit": commit}
            for part, commit in found
        ],
        "patches": [
            {"file": patch.file, "path": patch.path, "sha256": _digest(Path(patch.file))}
            for patch in plan.patches
        ],
    }
    with _scratch(root) as scratch:
        patches = [(Path(patch.file), patch.path) for patch in plan.patches]
        tree = mirror.compose([(part.path, commit) for part, commit in found], patches, scratch / "index")
        data = json.dumps(told, indent=2, sort_keys=True).encode() + b"\n"
        tree = mirror.with_file(tree, SOURCES, data, scratch / "index.with")
    return _StagedTree(tree, f"{len(plan.parts)} repositories and {len(plan.patches)} patches, see {SOURCES}")


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


# -- its name -------------------------------------------------------------------------------------------


def _named(
    repo: Repo,
    request: StageRequest,
    source: Source,
    mirror: SnapshotRepository,
    before: str,
    made: _StagedTree,
    store: Store,
    now: float,
) -> dict[str, Any]:
    view = {"view": "stage", "retcode": 0, "repo": repo.name, "origin": made.origin, "output": made.output}
    commit, changed = before, None
    if before and mirror.tree_of(before) == made.tree:
        known = _tag_of(source, before)
        if known:
            return {**view, "new": False, "tag": known, "commit": before}
        # else: a master was killed between the commit and its tag
    else:
        commit = _commit(repo, request, mirror, before, made, now)
        changed = mirror.difference(before, commit) if before else None
    history = history_of(repo.name, source.root, store, running=is_held(source.root, repo.name))
    taken = frozenset(source.tags())
    tag = make_tag(
        source.mirror,
        commit,
        lambda names: free_name(repo, Untagged(commit, STAGED, taken), names, history, now),
        _text(repo, request, made, source, now),
    )
    log.info("%s: staged %s (%s) of %s", repo.name, tag.name, commit, made.origin)
    return {**view, "new": True, "tag": tag.name, "commit": commit, **_counts(changed)}


def _tag_of(source: Source, commit: str) -> str:
    found = [ref for ref, meant in source.made_tags().items() if meant == commit]
    return found[0].removeprefix("refs/tags/") if found else ""


def _commit(
    repo: Repo, request: StageRequest, mirror: SnapshotRepository, before: str, made: _StagedTree, now: float
) -> str:
    who = request.user or "unknown"
    message = f"{request.reason or 'Stage a release'}\n\nrepo: {repo.name}\nfrom: {made.origin}\n"
    return mirror.commit_staged(made.tree, before, who, f"{who}@{socket.gethostname()}", message, now)


def _text(repo: Repo, request: StageRequest, made: _StagedTree, source: Source, now: float) -> TagText:
    pin = Pins(source.root).get(repo.name)
    facts = {
        "repo": repo.name,
        "from": made.origin,
        "by": request.user,
        "reason": request.reason,
        "previous": f"{pin.release.tag} ({pin.release.commit})" if pin else "",
    }
    return TagText(request.user, socket.gethostname(), now, facts)


def _counts(found: Difference | None) -> dict[str, int]:
    return {key: getattr(found, key) if found else 0 for key in ("added", "changed", "removed")}
