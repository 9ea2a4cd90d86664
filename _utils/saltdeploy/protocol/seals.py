"""What binds a release to the bytes of its tree: the root that the master computed, and a signature over all of it.

Signed is the line ``saltdeploy release 1``, then a JSON list without spaces of repo, tag, commit, shape and root, in ASCII;
by Ed25519 (RFC 8032). The private key never leaves the master's disk: neither orders nor errors hold a part of it.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from saltdeploy.lib.errors import ConfigError, DeployError, Unsigned
from saltdeploy.protocol.merkle import is_root
from saltdeploy.protocol.release import Release

_HEAD = b"saltdeploy release 1\n"
_SHAPE = re.compile(r"[a-z+]{0,100}")
_SIGNATURE = re.compile(r"([0-9a-f]{128})?")
_FOR_OTHERS = 0o007
_HOW = "openssl genpkey -algorithm ed25519 -out KEY makes one"


@dataclass(frozen=True)
class Seal:
    """The seal of a release.

    Attributes:
        root: of its tree as it lies on a disk, see :mod:`saltdeploy.protocol.merkle`.
        shape: what the tree holds beside git's own files, see :attr:`saltdeploy.config.Repo.shape`.
        signature: in hexadecimal; "" where the master has no key.
    """

    root: str
    shape: str = ""
    signature: str = ""

    def to_wire(self) -> dict[str, str]:
        """The seal as plain data."""
        return dict(self.__dict__)

    @classmethod
    def from_wire(cls, data: object) -> Seal | None:
        """Rebuild and check a seal that crossed a host boundary; None where there was none.

        Raises:
            DeployError: a part has the wrong form.
        """
        if data is None:
            return None
        if not isinstance(data, dict) or not is_root(data.get("root")):
            raise DeployError("a seal without a root")
        shape, signature = data.get("shape"), data.get("signature")
        if not isinstance(shape, str) or not _SHAPE.fullmatch(shape):
            raise DeployError("a seal without a shape")
        if not isinstance(signature, str) or not _SIGNATURE.fullmatch(signature):
            raise DeployError("a seal with a signature of an unreadable form")
        return cls(data["root"], shape, signature)


def signed(release: Release, seal: Seal, key: Path) -> Seal:
    """The seal with a signature.

    Args:
        key: a file with an Ed25519 private key in PEM, without a passphrase.

    Raises:
        ConfigError: there is no such key in it, or others may read it.
    """
    return replace(seal, signature=_private(key).sign(_message(release, seal)).hex())


def refuse_unsigned(release: Release, seal: Seal | None, keys: Sequence[str]) -> None:
    """See to it that one of the keys has signed the release.

    Args:
        keys: public keys, as :func:`public_key` gives them; without any, everything is accepted.

    Raises:
        Unsigned: none has.
    """
    if not keys:
        return
    if seal is None or not seal.signature:
        raise _unsigned(release, "it has no signature, and this host takes signed releases only")
    for key in keys:
        try:
            public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(key))
            public.verify(bytes.fromhex(seal.signature), _message(release, seal))
            return
        except InvalidSignature:
            continue
    raise _unsigned(release, f"its signature is by none of the {len(keys)} keys that this host trusts")


def public_key(pem: Any) -> str:
    """A public key in PEM, as the pillar lists them, as 64 hexadecimal digits.

    Raises:
        ValueError: it is no such key.
    """
    try:
        key = load_pem_public_key(str(pem).strip().encode())
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError("must be an Ed25519 public key in PEM (openssl pkey -in KEY -pubout)")
    return _raw(key)


def public_key_of(key: Path) -> str:
    """The public key that belongs to a private one, as :func:`public_key` gives it.

    Raises:
        ConfigError: see :func:`signed`.
    """
    return _raw(_private(key).public_key())


def _message(release: Release, seal: Seal) -> bytes:
    parts = [release.repo, release.tag, release.commit, seal.shape, seal.root]
    return _HEAD + json.dumps(parts, separators=(",", ":"), ensure_ascii=True).encode()


def _raw(key: Ed25519PublicKey) -> str:
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw).hex()


def _private(path: Path) -> Ed25519PrivateKey:
    try:
        with open(path, "rb") as file:
            others = os.fstat(file.fileno()).st_mode & _FOR_OTHERS
            key = load_pem_private_key(file.read(1 << 16), None)
    except OSError as error:
        raise _bad_key(path, f"cannot be read: {error.strerror}") from None
    except (ValueError, TypeError, UnsupportedAlgorithm):  # TypeError: it has a passphrase
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise _bad_key(path, f"holds no Ed25519 private key in PEM without a passphrase ({_HOW})")
    if others:
        raise _bad_key(path, f"is open to every user of this host; chmod 600 {path}")
    return key


def _bad_key(path: Path, why: str) -> ConfigError:
    return ConfigError(
        f"the signing key {path} {why}",
        path="deployment_config:signing_key",
        next=f"ls -l {path}; the user that Salt's master runs as must be able to read it",
    )


def _unsigned(release: Release, why: str) -> Unsigned:
    return Unsigned(
        f"release {release.tag} ({release.commit[:12]}) is refused: {why}",
        repo=release.repo,
        path="deployment_config:release_keys",
        next="see that the master's signing_key belongs to one of release_keys (docs/trust.md), then deploy again",
    )
