"""Transport ``git``: a target fetches exactly the pinned commit from a git URL.

The URL is the repo's ``url``, or Trebuchet's ``<scheme>://<server of the site>/<repo>``. What was fetched must
be the commit that came over Salt's channel; the tag on the server is only a way to ask for it.
"""

from __future__ import annotations

from saltdeploy.content.payloads import Payloads
from saltdeploy.git.repository import Progress, Repository, Tag
from saltdeploy.lib.errors import ConfigError
from saltdeploy.protocol.orders import Order, Payload
from saltdeploy.transports.base import Arrival, Brought, Transport


class Git(Transport):
    """See the module."""

    def pack(
        self, payloads: Payloads, source: Repository, repo: str, tag: Tag, base: str
    ) -> tuple[Payload, ...]:
        """Nothing: targets fetch by themselves."""
        return ()

    def unpack(self, order: Order, arrival: Arrival, progress: Progress) -> Brought:
        """Fetch the commit, unless it is here already."""
        store, release = arrival.store, order.release
        if store.has(release.commit):
            return arrival.stored(release.commit)
        if not arrival.repo.origin.url:
            raise ConfigError(
                "transport git needs a URL",
                path=f"repo_config:{release.repo}:url",
                next="set url, upstream, or deployment_config:servers",
            )
        store.access = arrival.access
        store.fetch(arrival.repo.origin.url, release.tag, release.commit, progress)
        return arrival.stored(release.commit, bytes=store.received)
