"""The tag that the staging repository says hosts are to run, where that repository is on this host."""

from __future__ import annotations

from pathlib import Path

from saltdeploy.config import Repo
from saltdeploy.lib.errors import DamagedFile
from saltdeploy.lib.os_errors import from_os
from saltdeploy.master.payloads.source import Source
from saltdeploy.protocol.release import check_tag
from saltdeploy.staging.deploy_files import DeployDirectory


def tag_of(repo: Repo, root: Path) -> str:
    """What ``git deploy sync`` has written down last; "" where nothing is, or the repository is elsewhere.

    Args:
        root: the master's directory for deploys.

    Raises:
        DamagedFile: the file is there and cannot be read.
        Unavailable: there is no repository at its place.
    """
    source = Source(repo, root)
    if source.work_tree is None:
        return ""
    files = DeployDirectory(source.repository.git_dir)
    try:
        found = files.deployed()
    except (ValueError, KeyError) as error:
        raise DamagedFile.of_file(
            files.deploy_path, str(error), repo=repo.name, after="git deploy sync, or give the tag"
        ) from None
    except OSError as error:
        raise from_os(error, repo=repo.name) from None
    return check_tag(found.tag) if found else ""
