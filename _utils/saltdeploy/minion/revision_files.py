"""What is live, in two small files beside the trees: ``REVISION``, as Capistrano has it, and scap's ``DEPLOY_HEAD``.

They are written at each switch, forth and back, each as a whole. Nothing depends on them: where they cannot be written
the switch goes on, and they are gone rather than wrong.
"""

from __future__ import annotations

import contextlib
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from saltdeploy.config import Repo
from saltdeploy.lib import disk
from saltdeploy.lib.errors import Corrupt
from saltdeploy.lib.text import public, utc
from saltdeploy.protocol.orders import Order
from saltdeploy.protocol.release import Release

if TYPE_CHECKING:
    from saltdeploy.layouts import Layout

log = logging.getLogger(__name__)

REVISION, DEPLOY_HEAD = "REVISION", "DEPLOY_HEAD"
#: What ``revision_files`` may be.
BESIDE, NONE = "beside", "none"
_MOST = 1 << 16  # bytes


def write(order: Order, repo: Repo, layout: Layout, before: Release | None, host: str, now: float) -> None:
    """Let the files tell what is live now; they stay as they are where they tell it already.

    Args:
        before: what was live before; None where nothing was, or it is not known.
        host: the minion's id.
        now: seconds since the epoch.
    """
    if repo.paths.revision_files == NONE:
        return
    commit = _of_the_repository(order.release.commit, repo, layout)
    if _told(repo.paths.area) == (order.release.tag, commit):
        return
    told = _head(order, repo, before, host, now)
    told["commit"] = commit
    if commit != order.release.commit:
        told["release"] = order.release.commit
    if before is not None:
        told["previous_commit"] = _of_the_repository(before.commit, repo, layout)
    head = yaml.safe_dump(told, sort_keys=False, allow_unicode=True)
    try:
        disk.make_directory(repo.paths.area)
        for name in (REVISION, DEPLOY_HEAD):
            disk.clear_asides(repo.paths.area / name)
        disk.write_atomically(repo.paths.area / DEPLOY_HEAD, head.encode())
        disk.write_atomically(repo.paths.area / REVISION, f"{commit}\n".encode())
    except OSError as error:
        log.warning("%s: %s and %s are not written: %s", repo.name, REVISION, DEPLOY_HEAD, error)
        for name in (REVISION, DEPLOY_HEAD):
            with contextlib.suppress(OSError):
                (repo.paths.area / name).unlink(missing_ok=True)


def _of_the_repository(commit: str, repo: Repo, layout: Layout) -> str:
    """The commit that its repository knows: of a release that the master has made of one, that one."""
    if not repo.contents.derivation:
        return commit
    from saltdeploy.git.deriving import origin_told  # few repos have any made

    for store in (layout.trees, layout.store):
        if store is not None and store.has(commit):
            ((_, message),) = store.objects([commit], "commit")
            return origin_told((message or b"").decode("utf-8", "replace")) or commit
    return commit


def _told(area: Path) -> tuple[str, str]:
    """Tag and commit that both files tell; empty where they do not tell the same."""
    try:
        revision = (disk.read_below(area, REVISION, _MOST) or b"").decode().strip()
        head = yaml.safe_load(disk.read_below(area, DEPLOY_HEAD, _MOST) or b"")
    except (OSError, UnicodeDecodeError, yaml.YAMLError, Corrupt):
        return ("", "")
    if not isinstance(head, dict) or head.get("commit") != revision:
        return ("", "")
    return str(head.get("tag")), revision


def _head(order: Order, repo: Repo, before: Release | None, host: str, now: float) -> dict[str, Any]:
    """scap's keys, as far as this host knows them; then ours. What is not known is left out."""
    release = order.release
    told = {
        "tag": release.tag,
        "commit": release.commit,
        "user": order.user,
        "timestamp": utc(now),
        "original_origin": public(repo.origin.url),
        "git_repo": repo.name,
        "git_submodules": repo.contents.submodules,
        "service_name": ", ".join(service.name for service in repo.hooks.restart.services),
        "previous_tag": before.tag if before else "",
        "previous_commit": before.commit if before else "",
        "deploy": order.deploy,
        "group": order.group,
        "host": host,
    }
    return {key: value for key, value in told.items() if value != ""}
