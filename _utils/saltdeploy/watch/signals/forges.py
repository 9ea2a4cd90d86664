"""GitHub and GitLab: a deployment of the commit, once its outcome is known.

GitHub: ``POST /repos/{owner}/{repo}/deployments`` and ``.../deployments/{id}/statuses`` of its REST API.
GitLab: ``POST /projects/{id}/deployments`` of its REST API.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from saltdeploy.lib.errors import DeployError
from saltdeploy.watch.signals.http_post import Post
from saltdeploy.watch.signals.signal import FINISHED, Notification
from saltdeploy.watch.signals.wording import SCAP, line

_CHANGES = ("sync", "checkout", "rollback")
_LONGEST = 140  # characters of GitHub's description


class Forge:
    """What both have in common: only what changed hosts and has ended is told, of projects that are known.

    Args:
        projects: repo -> the project of the forge.
    """

    def __init__(self, projects: Mapping[str, str]) -> None:
        self._projects = projects

    def tell(self, signal: Notification) -> None:
        """See :class:`saltdeploy.watch.signals.sink.Sink`."""
        project = self._projects.get(signal.repo)
        if project and signal.kind == FINISHED and signal.action in _CHANGES and signal.outcome != "HELD":
            self._deployed(signal, project)

    def _deployed(self, signal: Notification, project: str) -> None:
        raise NotImplementedError


class GitHub(Forge):
    """See :class:`Forge`; ``url`` is that of the API: ``https://api.github.com``."""

    def __init__(
        self, url: str, token: str, environment: str, projects: Mapping[str, str], post: Post
    ) -> None:
        super().__init__(projects)
        self._url, self._environment, self._post = url.rstrip("/"), environment, post
        self._headers = {
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
            "Authorization": f"Bearer {token}",
        }

    def _deployed(self, signal: Notification, project: str) -> None:
        place = f"{self._url}/repos/{quote(project)}/deployments"
        about: dict[str, Any] = {
            "ref": signal.commit,
            "environment": self._environment,
            "auto_merge": False,
            "required_contexts": [],
            "description": _short(signal),
            "payload": {"deploy": signal.deploy, "tag": signal.tag},
        }
        made = self._post.json(place, about, self._headers)
        number = made.get("id") if isinstance(made, dict) else None
        if not isinstance(number, int):
            raise DeployError(
                f"{place} gives its deployment no id", next="see that url is that of GitHub's API"
            )
        word = "success" if signal.converged else "failure"
        status = {"state": word, "environment": self._environment, "description": _short(signal)}
        self._post.json(f"{place}/{number}/statuses", status, self._headers)


class GitLab(Forge):
    """See :class:`Forge`; ``url`` is that of the API: ``https://gitlab.com/api/v4``."""

    def __init__(
        self, url: str, token: str, environment: str, projects: Mapping[str, str], post: Post
    ) -> None:
        super().__init__(projects)
        self._url, self._environment, self._post = url.rstrip("/"), environment, post
        self._headers = {"PRIVATE-TOKEN": token}

    def _deployed(self, signal: Notification, project: str) -> None:
        about = {
            "environment": self._environment,
            "sha": signal.commit,
            "ref": signal.tag,
            "tag": True,
            "status": "success" if signal.converged else "failed",
        }
        self._post.json(f"{self._url}/projects/{quote(project, safe='')}/deployments", about, self._headers)


def _short(signal: Notification) -> str:
    return line(signal, SCAP)[:_LONGEST]
