"""Packs what git-annex has noted of the places of contents in the web, for the pointers of a release and no others."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import tempfile
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

from saltdeploy.blobs import annex_urls
from saltdeploy.config import Repo, transports
from saltdeploy.config.pointers import ANNEX
from saltdeploy.content.manifest import Manifest
from saltdeploy.content.payloads import Payloads
from saltdeploy.git.objects import read_changes
from saltdeploy.master.payloads import source as master_source
from saltdeploy.master.payloads.annex_branches import Annex
from saltdeploy.master.payloads.signing import Sealer
from saltdeploy.protocol.orders import Order, Payload


def pack(
    order: Order, repo: Repo, source: master_source.Source, payloads: Payloads, bases: Iterable[str]
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
    if ANNEX not in repo.contents.blobs or (
        repo.contents.submodules and not transports.row(order.transport).kinds
    ):
        return ()
    lists = _Lists(order, repo, source)
    if not any(annex.heads for annex in lists.annexes.values()):
        return ()
    state = hashlib.sha256(
        repr(sorted((path, a.heads) for path, a in lists.annexes.items())).encode()
    ).hexdigest()[:32]

    def listed(base: str, write: Callable[[Path], None]) -> Payload:
        return payloads.find_or_pack(
            repo.packed_as, base, order.release.commit, write, annex_urls.KIND, state=state
        )

    whole = listed("", lists.write)
    path = payloads.path(whole.sha256)
    if not whole.size or path is None:
        return ()
    parts = [listed(base, lists.part(base, path)) for base in dict.fromkeys(bases) if base]
    return (whole, *(payload for payload in parts if payload.size))


class _Lists:
    """Writes the lists of one release.

    Attributes:
        annexes: what git-annex knows in the release's own repository, whose path is ``""``, and in those of the submodules
            that have annexed files.
    """

    def __init__(self, order: Order, repo: Repo, source: master_source.Source) -> None:
        self._release = order.release
        self._transport = order.transport
        self._sealer = Sealer(repo, source.root)
        self._source = source
        self._submodules = source.submodules(self._release.commit)
        self.annexes = {b"": source.annex()}
        if self._submodules:  # the catalogue is not needed to know that there are none
            parts = {path: self._submodules[path] for path in sorted(self._keys) if path}
            self.annexes |= {path: source.annex(url) for path, url in parts.items()}

    @functools.cached_property
    def _keys(self) -> dict[bytes, set[str]]:
        """Path of each repository whose files are annexed, as in :attr:`annexes`, to their keys."""
        found: dict[bytes, set[str]] = {}
        with self._catalogue() as catalogue:
            for path, pointer in catalogue.stubs():
                if pointer.kind == ANNEX:
                    found.setdefault(self._repository_of(path), set()).add(pointer.key)
        return found

    def _repository_of(self, path: bytes) -> bytes:
        while path and path not in self._submodules:
            path = path.rpartition(b"/")[0]
        return path

    def write(self, path: Path) -> None:
        """The list of the whole release."""
        known: dict[str, list[str]] = {}
        for where, annex in self.annexes.items():
            for key, found in _noted(self._keys.get(where, ()), annex).items():
                known[key] = list(dict.fromkeys([*known.get(key, []), *found]))
        annex_urls.write(known, path)

    def part(self, base: str, whole: Path) -> Callable[[Path], None]:
        """What writes the list of what the release has and the commit ``base`` has not, from that of the whole."""

        def write(path: Path) -> None:
            with self._catalogue() as catalogue, tempfile.TemporaryFile() as spool:
                with self._source.packer(self._release.commit, self._transport) as packer:
                    packer.diff(base, self._release.commit, spool)
                stubs = filter(None, (catalogue.stub(each.path) for each in read_changes(spool)))
                keys = {pointer.key for pointer in stubs if pointer.kind == ANNEX}
            annex_urls.write(annex_urls.read(whole, keys), path)

        return write

    def _catalogue(self) -> contextlib.AbstractContextManager[Manifest]:
        return self._sealer.catalogue(self._release, self._source, self._transport)


def _noted(keys: Collection[str], annex: Annex) -> dict[str, list[str]]:
    """Key to its URLs, of those that have any. What one head has noted later than another holds."""
    asked = {path: key for key in keys for path in annex_urls.logs(key)}
    logs: dict[str, bytes] = {}
    for head in annex.heads if asked else ():
        for path, log in annex.reader.files(head, asked, annex_urls.MOST_OF_A_KEY):
            logs[asked[path]] = logs.get(asked[path], b"") + log + b"\n"
    return {key: found for key, log in logs.items() if (found := annex_urls.noted(log))}
