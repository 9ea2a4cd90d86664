"""Seals releases: computes the root of a release from its commit, remembers it, and signs it if there is a key.

Below the master's directory, for each repo and each shape of its trees: ``manifests/<repo>+<shape>.db``, the catalogue of the
release that was sealed last (:mod:`saltdeploy.content.release_root`), and ``.json``, the roots of the releases before. Both can be deleted:
the next deploy computes again what it needs.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from saltdeploy.config import Repo, transports
from saltdeploy.content import release_root
from saltdeploy.content.manifest import Manifest
from saltdeploy.content.source import Stored
from saltdeploy.lib import disk, durable, flock
from saltdeploy.lib.errors import ConfigError, DamagedFile, DeployError
from saltdeploy.master.payloads import source as master_source
from saltdeploy.protocol import seals
from saltdeploy.protocol.merkle import is_root
from saltdeploy.protocol.release import Release, file_name
from saltdeploy.protocol.seals import Seal

_KEPT = 1000  # roots of a repo


class Sealer:
    """Seals the releases of one repo.

    Args:
        root: the master's directory.
    """

    def __init__(self, repo: Repo, root: Path) -> None:
        self._repo = repo
        self._home = root / "manifests"
        self._base = self._home / f"{file_name(repo.name)}+{repo.shape}"

    def seal(self, release: Release, source: master_source.Source, transport: str) -> Seal | None:
        """The seal of a release; None where the master does not have its contents (submodules with transport ``git``).

        Raises:
            Corrupt: the repository lacks something of it, or has other bytes than its ids say.
            Unavailable: the commit of a submodule cannot be had.
            ConfigError: the signing key cannot be used, or targets would not trust it.
        """
        self.refuse_half_set()
        if self._repo.contents.submodules and not transports.row(transport).kinds:
            return None
        with flock.alone(self._file(".lock")):
            known = self._known()
            found = known.get(release.commit)
            if found is None:
                found = self._compute(release, source, transport)
                self._remember({**known, release.commit: found})
        return self._signed(release, found)

    def seal_again(
        self, release: Release, source: Callable[[], master_source.Source], transport: str
    ) -> Seal | None:
        """As :meth:`seal`, for a release that was deployed before; it works while git does not, with a release that was
        sealed, and gives None for one that was not."""
        found = self._known().get(release.commit)
        if found is not None:
            self.refuse_half_set()
            return self._signed(release, found)
        with contextlib.suppress(DeployError):
            return self.seal(release, source(), transport)
        return None

    @contextlib.contextmanager
    def catalogue(self, release: Release, source: master_source.Source, transport: str) -> Iterator[Manifest]:
        """The catalogue of a release; nobody else reads or changes it while the block runs.

        Raises:
            Corrupt, Unavailable: see :meth:`seal`.
        """
        with flock.alone(self._file(".lock")):
            self._compute(release, source, transport)
            with Manifest(self._file(".db")) as manifest:
                yield manifest

    def _compute(self, release: Release, source: master_source.Source, transport: str) -> str:
        with source.packer(release.commit, transport) as reader:
            try:
                return release_root.root_of(
                    self._file(".db"),
                    release.commit,
                    reader,
                    Stored(reader),
                    self._repo.contents.blobs,
                    self._repo.left_out,
                )
            except DeployError as error:
                raise error.at(repo=self._repo.name) from None

    def _signed(self, release: Release, root: str) -> Seal:
        seal = Seal(root, self._repo.shape)
        return (
            seals.signed(release, seal, Path(self._repo.trust.signing_key))
            if self._repo.trust.signing_key
            else seal
        )

    def refuse_half_set(self) -> None:
        """See to it that targets trust the key that releases are signed by: else they would refuse every release.

        Raises:
            ConfigError: there are keys that they trust, and none to sign with, or one that is none of those.
        """
        keys, key = self._repo.trust.release_keys, self._repo.trust.signing_key
        if keys and (not key or seals.public_key_of(Path(key)) not in keys):
            raise ConfigError(
                "targets take signed releases only, and "
                + (
                    "the signing key is none of those that they trust"
                    if key
                    else "there is no key to sign with"
                ),
                repo=self._repo.name,
                path="deployment_config:signing_key",
                next="set signing_key to a private key whose public key is in release_keys; see docs/trust.md",
            )

    def _known(self) -> dict[str, str]:
        try:
            known: dict[str, Any] = durable.read(self._file(".json"), durable.mapping, {})
        except DamagedFile:  # they are computed again
            return {}
        return {commit: root for commit, root in known.items() if is_root(root)}

    def _remember(self, roots: dict[str, str]) -> None:
        file = self._file(".json")
        disk.clear_asides(file)
        durable.write(file, dict([*roots.items()][-_KEPT:]))
        for other in self._home.glob(
            f"{file_name(self._repo.name)}+*"
        ):  # of a shape that the pillar had before
            if other.stem != self._base.name and not other.is_dir():  # that is somebody's, or was set aside
                other.unlink(missing_ok=True)

    def _file(self, kind: str) -> Path:
        return self._base.with_name(f"{self._base.name}{kind}")
