"""A plain webhook: each signal as a JSON document, signed as GitHub signs its own."""

from __future__ import annotations

import hashlib
import hmac
import json

from saltdeploy.watch.signals.http_post import Post
from saltdeploy.watch.signals.signal import Notification


class Webhook:
    """Posts every signal.

    Args:
        url: where to.
        secret: the key of the signature in ``X-Hub-Signature-256``; "" for none.
        post: the client.
    """

    def __init__(self, url: str, secret: str, post: Post) -> None:
        self._url, self._secret, self._post = url, secret, post

    def tell(self, signal: Notification) -> None:
        """See :class:`saltdeploy.watch.signals.sink.Sink`."""
        body = json.dumps(signal.to_wire(), sort_keys=True).encode()
        headers = {
            "Content-Type": "application/json",
            "X-Deploy-Notification": signal.kind,
            "X-Deploy-Id": signal.id,
        }
        if self._secret:
            digest = hmac.new(self._secret.encode(), body, hashlib.sha256).hexdigest()
            headers["X-Hub-Signature-256"] = f"sha256={digest}"
        self._post.data(self._url, body, headers)
