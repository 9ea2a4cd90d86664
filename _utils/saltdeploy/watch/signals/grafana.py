"""Grafana: a region annotation from the begin of a deploy to its end. Its HTTP API: ``POST /api/annotations``."""

from __future__ import annotations

from saltdeploy.watch.signals.http_post import Post
from saltdeploy.watch.signals.signal import FINISHED, Notification
from saltdeploy.watch.signals.wording import SCAP, line


class Grafana:
    """Posts annotations.

    Args:
        url: of Grafana, without a path of the API.
        token: of a service account that may write annotations.
        tags: that each annotation bears beside repo, action and outcome.
        post: the client.
    """

    def __init__(self, url: str, token: str, tags: tuple[str, ...], post: Post) -> None:
        self._url = f"{url.rstrip('/')}/api/annotations"
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._tags, self._post = tags, post

    def tell(self, signal: Notification) -> None:
        """See :class:`saltdeploy.watch.signals.sink.Sink`."""
        if signal.kind != FINISHED:
            return
        region = {
            "time": int(signal.began * 1000),
            "timeEnd": int(signal.time * 1000),
            "tags": ["deploy", signal.repo, signal.action, signal.outcome, *self._tags],
            "text": f"{line(signal, SCAP)} [{signal.tag}]",
        }
        self._post.json(self._url, region, self._headers)
