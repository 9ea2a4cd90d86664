"""Where a repo's commits come from: what the master reads, and what targets may fetch from themselves."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from saltdeploy.protocol.release import base_of

if TYPE_CHECKING:
    from saltdeploy.config.deploy_key import DeployKey

SCHEMES = {"git-http": "http", "git-https": "https", "git-ssh": "ssh", "git": "git"}


@dataclass(frozen=True)
class Origin:
    """Where a repo is kept.

    Attributes:
        source: where the master reads tags from: a path or a URL.
        url: where targets fetch from with transport ``git``.
        rsync_url: where targets reach the master's exported trees with transport ``rsync``.
        deploy_key: by which git reads them over ssh; None: as the user may whom Salt runs as.
    """

    source: str
    url: str
    rsync_url: str
    deploy_key: DeployKey | None = None


def origin(name: str, keys: dict[str, Any], deployment: dict[str, Any], site: str) -> Origin:
    """What holds for one repo; what it does not say, Trebuchet's deployment server does.

    Args:
        name: of the repo.
        keys, deployment: checked values of the repo's section and of ``deployment_config``.
        site: the grain ``site``, which chooses the server.
    """
    upstream = keys["upstream"] or ""
    server = deployment["servers"].get(site) or next(iter(deployment["servers"].values()), "")
    return Origin(
        source=keys["source"] or _staging(deployment["parent_dir"], base_of(name)) or upstream,
        url=keys["url"] or (f"{SCHEMES[keys['type']]}://{server}/{base_of(name)}" if server else upstream),
        rsync_url=keys["rsync_url"] or "",
        deploy_key=keys["deploy_key"],
    )


def _staging(parent_dir: str, name: str) -> str:
    """Trebuchet's staging repository, when this host is the deployment server."""
    staging = Path(parent_dir, name)
    return str(staging) if (staging / ".git").exists() else ""  # a file where its git directory is elsewhere
