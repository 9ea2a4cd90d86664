"""Tools beside ours, each in the best configuration that its own documentation tells, and the one interface of all.

One file for each peer (or for a few that share their way); :func:`table` names them all.
"""

from __future__ import annotations

from bench.peers.peer import Peer, Place

#: Peers that belong into the table and cannot be had: name -> why.
ABSENT = {"desync": "a Go program; packaged neither by Debian (bookworm) nor on PyPI nor on npm"}


def table() -> dict[str, type[Peer]]:
    """Name -> peer, in the order in which they are shown."""
    from bench.peers import ansible, capistrano, casync, git, links, ostree, ours, rsync, salt, scap

    modules = (ours, rsync, git, salt, links, scap, capistrano, ansible, ostree, casync)
    return {peer.name: peer for module in modules for peer in module.PEERS}


__all__ = ["ABSENT", "Peer", "Place", "table"]
