"""Transport ``squashfs``: a base image of a whole release, and one overlay image of what has changed since.

The master makes a base image seldom, and a target keeps the one that it got last: an upgrade brings the overlay image
alone. The master keeps a base as long as the overlay image is at most a quarter of it; then it makes a new base.
"""

from __future__ import annotations

from saltdeploy.content import squashfs
from saltdeploy.content.images import Images, Layers
from saltdeploy.content.payloads import Payloads
from saltdeploy.git.repository import Progress, Repository, Tag
from saltdeploy.protocol.orders import Order, Payload
from saltdeploy.transports import shared_trees
from saltdeploy.transports.base import Arrival, Brought, Transport

BASE, OVERLAY = "image", "overlay"
_SHARE = 4  # a base serves while the overlay is at most this part of it


class Squashfs(Transport):
    """See the module."""

    def pack(
        self, payloads: Payloads, source: Repository, repo: str, tag: Tag, base: str
    ) -> tuple[Payload, ...]:
        """The trees that differ from ``base``, and one or two images. The ``base`` of an image is that of its base image."""
        return shared_trees.pack_trees(payloads, source, repo, tag, base), *_images(
            payloads, source, repo, tag.commit
        )

    def unpack(self, order: Order, arrival: Arrival, progress: Progress) -> Brought:
        """Receive the images that are not here."""
        if arrival.store.has(order.release.commit):
            return arrival.stored(order.release.commit)
        came = shared_trees.bring_trees(order, arrival, progress)
        size = came.bytes
        base, overlay = _of_order(order, arrival)
        images = Images(arrival.repo.paths.area / "images")
        images.open()
        here = images.find(base)
        if arrival.repo.layout.name != "overlay":  # there nothing is unpacked
            travels = sum(each.size for each in (None if here else base, overlay) if each is not None)
            shared_trees.refuse_without_room(came, travels, order, arrival)
        lower = here or images.take(shared_trees.receive(base, order, arrival, progress), base)
        size += 0 if here else base.size
        layers = [lower]
        if overlay is not None:
            layers.insert(0, shared_trees.receive(overlay, order, arrival, progress))
            size += overlay.size
        contents = Layers(layers, images.unpacked, came.brings)
        return Brought({"bytes": size, "base": base.base if here else ""}, contents)

    def is_packed(self, payloads: Payloads, repo: str, commit: str, base: str) -> bool:
        """Whether there is a base image of the release, or an overlay image over the last one."""
        if payloads.find(repo, commit, commit, BASE):
            return True
        image = payloads.last(repo, BASE)
        return image is not None and payloads.find(repo, image.base, commit, OVERLAY) is not None


def _images(payloads: Payloads, source: Repository, repo: str, commit: str) -> tuple[Payload, ...]:
    """The images of a release: its own base image if there is one, or an overlay image over the last base; or a new base."""
    own = payloads.find(repo, commit, commit, BASE)
    if own is not None:
        return (own,)
    base = payloads.last(repo, BASE)
    if base is not None and source.has(base.base):
        overlay = payloads.find_or_pack(
            repo,
            base.base,
            commit,
            lambda path: squashfs.write_overlay(source, base.base, commit, path),
            OVERLAY,
        )
        if overlay.size * _SHARE <= base.size:
            return base, overlay
    return (
        payloads.find_or_pack(
            repo, commit, commit, lambda path: squashfs.write_base(source, commit, path), BASE
        ),
    )


def _of_order(order: Order, arrival: Arrival) -> tuple[Payload, Payload | None]:
    """The order's base image, and the overlay image that lies over it.

    Raises:
        NoBase: there are none that belong together.
    """
    bases = {payload.base: payload for payload in order.payloads if payload.kind == BASE}
    if order.release.commit in bases:
        return bases[order.release.commit], None
    for payload in order.payloads:
        if payload.kind == OVERLAY and payload.base in bases:
            return bases[payload.base], payload
    raise shared_trees.no_base(order, arrival)
