"""Where a release comes from, and each file in it: what stands in the release itself, and in its tag."""

from __future__ import annotations

import json
import posixpath
import shlex
from pathlib import Path
from typing import Any

from saltdeploy.config import Repo
from saltdeploy.git.repository import Repository, Tag
from saltdeploy.lib.errors import DamagedFile, NoSuchTag, NotReady
from saltdeploy.lib.spelling import argument
from saltdeploy.lib.text import public
from saltdeploy.master.payloads.source import Source
from saltdeploy.master.records.pins import Pins
from saltdeploy.master.staging.stage_trees import SOURCES

_LARGEST = 1 << 20  # bytes of what a release tells of its parts


def provenance(repo: Repo, root: Path, tag: str, file: str) -> dict[str, Any]:
    """The view ``sources``.

    Args:
        root: the master's directory for deploys.
        tag: the release; "" for the one that is pinned.
        file: a path in the release, to say where that comes from; "" for all of it.

    Raises:
        NotReady: no release is pinned.
        NoSuchTag: there is no such release, or no such file in it.
        DamagedFile: what the release tells of its parts cannot be read.
    """
    source = Source(repo, root)
    pin = Pins(root).get(repo.name)
    if not tag and pin is None:
        raise NotReady(
            "no release is pinned",
            repo=repo.name,
            next=f"salt-run deploy.sources {argument('repo', repo.name)} tag=TAG",
        )
    found = source.tag(tag or (pin.release.tag if pin else ""))
    repository = (
        source.mirror
        if source.mirror.is_readable() and source.mirror.has(found.commit)
        else source.repository
    )
    told = _told(repository, repo, source, found)
    view = {
        "view": "sources",
        "retcode": 0,
        "repo": repo.name,
        "tag": found.name,
        "commit": found.commit,
        **told,
    }
    if not file:
        return view
    path = posixpath.normpath(file).lstrip("/")
    if not repository.has_path(found.commit, path):
        raise NoSuchTag(
            f"{found.name} has no file {path}",
            repo=repo.name,
            next=f"git --git-dir={repository.git_dir} ls-tree -r --name-only {found.name} | grep {shlex.quote(posixpath.basename(path))}",
        )
    return {**view, "file": _file(path, told)}


def _told(repository: Repository, repo: Repo, source: Source, tag: Tag) -> dict[str, Any]:
    """Parts and patches, as a composed release has them; of another, the one place that it comes from."""
    data = repository.file(tag.commit, SOURCES, _LARGEST)
    if data is None:
        said = repository.message(tag.name) if repository.commit_of(f"refs/tags/{tag.name}") else ""
        origin = next((line[6:] for line in said.splitlines() if line.startswith("from: ")), "")
        whole = {"path": "", "source": public(origin or source.place), "ref": tag.name, "commit": tag.commit}
        return {"parts": [whole], "patches": []}
    try:
        told = json.loads(data)
        return {
            "parts": [
                {key: str(part[key]) for key in ("path", "source", "ref", "commit")} for part in told["parts"]
            ],
            "patches": [
                {
                    **{key: str(patch[key]) for key in ("file", "path", "sha256")},
                    "files": [str(each) for each in patch.get("files", ())],
                }
                for patch in told["patches"]
            ],
        }
    except (ValueError, KeyError, TypeError, AttributeError):
        raise DamagedFile.of_file(
            Path(SOURCES), f"it is none that deploy.stage made, in {tag.name}", repo=repo.name,
            after=f"git --git-dir={repository.git_dir} show {tag.name}:{SOURCES}",
        ) from None  # fmt: skip


def _file(path: str, told: dict[str, Any]) -> dict[str, Any]:
    """The part that has the longest path of those above the file, and the patches that changed it."""
    above = [part for part in told["parts"] if not part["path"] or path.startswith(f"{part['path']}/")]
    part = max(above, key=lambda each: len(each["path"]), default=None)
    patches = [patch["file"] for patch in told["patches"] if path in patch["files"]]
    if part is None or path == SOURCES:
        return {
            "path": path,
            "source": "",
            "patches": patches,
        }  # made here, by a patch or by deploy.stage itself
    within = posixpath.relpath(path, part["path"]) if part["path"] else path
    return {**part, "path": path, "within": within, "patches": patches}
