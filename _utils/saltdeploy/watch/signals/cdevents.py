"""CDEvents: a service was deployed, upgraded or rolled back, as a CloudEvent over http.

The formats: CDEvents 0.5.0, ``continuous-deployment.md`` and ``cloudevents-binding.md`` (binary mode).
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from saltdeploy.lib.text import utc
from saltdeploy.watch.signals.http_post import Post
from saltdeploy.watch.signals.signal import FINISHED, ROLLED_BACK, Notification

_SPEC, _VERSION = "0.5.0", "0.3.0"
_CHANGES = ("sync", "checkout", "rollback")


def event_of(signal: Notification, source: str, environment: str) -> dict[str, Any] | None:
    """The CDEvent that a signal means; None for what changed no service.

    Args:
        source: a URI reference of the deploying system: ``/deploy/master1``.
        environment: the id of the environment.
    """
    word = _word(signal)
    if not word:
        return None
    return {
        "context": {
            "specversion": _SPEC,
            "id": signal.id,
            "source": source,
            "type": f"dev.cdevents.service.{word}.{_VERSION}",
            "timestamp": utc(signal.time),
            "chainId": signal.deploy,
        },
        "subject": {
            "id": signal.repo,
            "source": source,
            "content": {"environment": {"id": environment}, "artifactId": _purl(signal)},
        },
        "customData": {
            "tag": signal.tag,
            "user": signal.user,
            "outcome": signal.outcome,
            "reason": signal.reason,
            "hosts": signal.total,
        },
        "customDataContentType": "application/json",
    }


def _word(signal: Notification) -> str:
    if signal.kind != FINISHED or signal.action not in _CHANGES:
        return ""
    if signal.outcome == ROLLED_BACK or (signal.converged and signal.action == "rollback"):
        return "rolledback"
    if not signal.converged:
        return ""
    return "deployed" if signal.first else "upgraded"


def _purl(signal: Notification) -> str:
    """The package URL of a release: https://github.com/package-url/purl-spec, type ``generic``."""
    name = "/".join(quote(part, safe="") for part in signal.repo.split("/"))
    return f"pkg:generic/{name}@{quote(signal.tag, safe='')}?commit={signal.commit}"


class CDEvents:
    """Posts CloudEvents in binary mode.

    Args:
        url: where to.
        source, environment: see :func:`event_of`.
        token: a bearer token; "" for none.
        post: the client.
    """

    def __init__(self, url: str, source: str, environment: str, token: str, post: Post) -> None:
        self._url, self._source, self._environment = url, source, environment
        self._token, self._post = token, post

    def tell(self, signal: Notification) -> None:
        """See :class:`saltdeploy.watch.signals.sink.Sink`."""
        event = event_of(signal, self._source, self._environment)
        if event is None:
            return
        context = event["context"]
        headers = {
            "ce-specversion": "1.0",
            "ce-id": context["id"],
            "ce-source": context["source"],
            "ce-type": context["type"],
            "ce-subject": event["subject"]["id"],
            "ce-time": context["timestamp"],
        }
        headers = {name: quote(value, safe="/:.-+_ ") for name, value in headers.items()}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        self._post.json(self._url, event, headers)
