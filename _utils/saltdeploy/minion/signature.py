"""Whether a host may take a release: it is signed, if the host asks for that, and what is on disk is what was signed."""

from __future__ import annotations

from collections.abc import Sequence

from saltdeploy.config import Repo
from saltdeploy.lib.errors import ConfigError, NotReady
from saltdeploy.lib.spelling import argument
from saltdeploy.minion.context import Task
from saltdeploy.protocol import seals
from saltdeploy.protocol.holdings import Holdings
from saltdeploy.protocol.orders import CHECKOUT, FETCH, Order


def refuse(tasks: Sequence[Task]) -> None:
    """Look at the orders of a stage, before anything is done. Back to what was live here there is always a way.

    Raises:
        Unsigned: this host's pillar asks for a signature by one of its keys.
        ConfigError: the master sealed trees of another shape than this host's pillar asks for.
    """
    for task in tasks:
        if task.order.stage in (FETCH, CHECKOUT):
            seals.refuse_unsigned(task.order.release, task.order.seal, task.repo.trust.release_keys)
            _refuse_other_shape(task.order, task.repo)


def _refuse_other_shape(order: Order, repo: Repo) -> None:
    if order.seal is not None and order.seal.shape != repo.shape:
        raise ConfigError(
            f"the master's trees of this repo hold {order.seal.shape or 'what git has'}, and this host's pillar asks "
            f"for {repo.shape or 'what git has'}",
            repo=repo.name,
            path=f"repo_config:{repo.name}:blobs",
            next="salt '*' saltutil.refresh_pillar wait=True; then deploy again",
        )


def is_sealed(order: Order, repo: Repo, holdings: Holdings) -> bool:
    """Whether the tree that is here of an order's release has the root that the master says.

    A tree of an older version, whose root nobody knows, has; unless this host asks for signatures.
    """
    if order.seal is None:
        return True
    found = holdings.roots.get(order.release.commit, "" if repo.trust.release_keys else order.seal.root)
    return found == order.seal.root


def refuse_unlike(order: Order, repo: Repo, holdings: Holdings) -> None:
    """See to it before a switch that :func:`is_sealed`, and that nobody has found the tree to be damaged.

    Raises:
        NotReady: it is not, or it was.
    """
    here, sound = order.release.commit in holdings.tags, order.release.commit in holdings.held
    if order.stage == CHECKOUT and here and not sound:
        raise NotReady(
            f"the files on disk of {order.release.tag} are not those of the release: somebody has changed them",
            repo=repo.name,
            path=str(repo.paths.location),
            next=f"salt-run deploy.sync repo={repo.name} {argument('tag', order.release.tag)}",
        )
    if order.stage == CHECKOUT and not is_sealed(order, repo, holdings):
        raise NotReady(
            f"what is on disk of {order.release.tag} is not known to have root {order.seal.root[:16] if order.seal else ''}",
            repo=repo.name,
            path=str(repo.paths.location),
            next=f"salt-run deploy.sync repo={repo.name} {argument('tag', order.release.tag)}",
        )
