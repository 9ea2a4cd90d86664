"""Packs what git-annex has noted of the places of contents in the web, for the pointers of a release and no others."""

from __future__ import annotations

import contextlib
import hashlib
import tempfile
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path

from saltdeploy.blobs import urls
from saltdeploy.config import Repo
from saltdeploy.gitobjects import read_changes
from saltdeploy.gitreader import Reader
from saltdeploy.manifest import Manifest
from saltdeploy.master import plan
from saltdeploy.master.sealing import Sealer
from saltdeploy.orders import Order, Payload
from saltdeploy.origins import ANNEX
from saltdeploy.payloads import Payloads
from saltdeploy.pointers import Pointer

#: The branch here, and as it was where this repository was cloned from.
_REFS = (f"refs/heads/{plan.ANNEX_BRANCH}", f"refs/remotes/*/{plan.ANNEX_BRANCH}")
_MOST_HEADS = 8


def pack(
    order: Order, repo: Repo, source: plan.Source, payloads: Payloads, bases: Iterable[str]
) -> tuple[Payload, ...]:
    """The lists of URLs for hosts that are brought to the order's release; none where git-annex has noted none.

    There is one for each base, with what the release has and the base has not, which is what such a host lacks; and one
    of the whole release, for a host that has lost contents. A host asks for them only when its other sources fail.

    Args:
        bases: commits, or "".

    Raises:
        Corrupt, Unavailable, GitFailed: the repository cannot be read.
    """
    # with transport git the files of submodules are not here, and the catalogue has them
    if ANNEX not in repo.blobs or (repo.submodules and order.transport == "git"):
        return ()
    heads = source.repository.heads(*_REFS)[:_MOST_HEADS]
    if not heads:
        return ()
    state = hashlib.sha256(" ".join(heads).encode()).hexdigest()[:32]
    lists = _Lists(order, repo, source, heads)

    def listed(base: str, write: Callable[[Path], None]) -> Payload:
        return payloads.find_or_pack(
            repo.packed_as, base, order.release.commit, write, urls.KIND, state=state
        )

    whole = listed("", lists.write)
    path = payloads.path(whole.sha256)
    if not whole.size or path is None:
        return ()
    parts = [listed(base, lists.part(base, path)) for base in dict.fromkeys(bases) if base]
    return (whole, *(payload for payload in parts if payload.size))


class _Lists:
    """Writes the lists of one release.

    Args:
        heads: commits of git-annex's branch.
    """

    def __init__(self, order: Order, repo: Repo, source: plan.Source, heads: Sequence[str]) -> None:
        self._release = order.release
        self._transport = order.transport
        self._sealer = Sealer(repo, source.root)
        self._source = source
        self._heads = heads

    def write(self, path: Path) -> None:
        """The list of the whole release."""
        with self._catalogue() as catalogue:
            keys = _annexed(catalogue.stubs())
        urls.write(_noted(keys, self._heads, self._source.repository), path)

    def part(self, base: str, whole: Path) -> Callable[[Path], None]:
        """What writes the list of what the release has and the commit ``base`` has not, from that of the whole."""

        def write(path: Path) -> None:
            with self._catalogue() as catalogue, tempfile.TemporaryFile() as spool:
                self._source.repository.diff(base, self._release.commit, spool)
                keys = _annexed(filter(None, (catalogue.stub(each.path) for each in read_changes(spool))))
            urls.write(urls.read(whole, keys), path)

        return write

    def _catalogue(self) -> contextlib.AbstractContextManager[Manifest]:
        return self._sealer.catalogue(self._release, self._source, self._transport)


def _annexed(stubs: Iterable[Pointer]) -> set[str]:
    return {pointer.key for pointer in stubs if pointer.kind == ANNEX}


def _noted(keys: Collection[str], heads: Iterable[str], reader: Reader) -> dict[str, list[str]]:
    """Key to its URLs, of those that have any. What one head has noted later than another holds."""
    asked = {path: key for key in keys for path in urls.logs(key)}
    logs: dict[str, bytes] = {}
    for head in heads:
        for path, log in reader.files(head, asked, urls.MOST_OF_A_KEY):
            logs[asked[path]] = logs.get(asked[path], b"") + log + b"\n"
    return {key: found for key, log in logs.items() if (found := urls.noted(log))}
