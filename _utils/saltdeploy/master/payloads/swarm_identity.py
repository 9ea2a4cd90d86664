"""The certificate by which the hosts of a fleet know each other in a swarm; made at first use.

All have the same one, and its key, by the pillar, which Salt hands out encrypted and only to minions whose keys were accepted. It
says no more than that: whoever has it is a minion of this master. What a swarm brings is bound by digests anyhow.
"""

from __future__ import annotations

import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from saltdeploy.lib import durable, flock
from saltdeploy.lib.errors import DamagedFile
from saltdeploy.protocol.swarm import Identity

_ANYBODY = "*"  # libtorrent wants the torrent's name in the certificate, or this
_VALID = datetime.timedelta(days=3650)
_RENEWED = datetime.timedelta(days=180)  # before it ends


def identity(root: Path) -> Identity:
    """The fleet's certificate and its key.

    Args:
        root: the master's directory for deploys.
    """
    path = root / "swarm.json"
    if (known := _known(path)) is not None:
        return known
    with flock.alone(root / "swarm.lock"):  # two makers at once: both go by the first one's
        if (known := _known(path)) is not None:
            return known
        made = _made()
        durable.write(path, made.__dict__, mode=0o600)
        return made


def _known(path: Path) -> Identity | None:
    try:
        found = durable.read(path, Identity.from_wire, None)
        if found is None:
            return None
        ends = x509.load_pem_x509_certificate(found.certificate.encode()).not_valid_after_utc
    except (DamagedFile, ValueError):
        return None
    return found if ends - _now() > _RENEWED else None


def _made() -> Identity:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, _ANYBODY)])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(_now() - datetime.timedelta(days=1))  # clocks differ
        .not_valid_after(_now() + _VALID)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(_ANYBODY)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    encoding = serialization.Encoding.PEM
    private = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return Identity(certificate.public_bytes(encoding).decode(), private.decode())


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc)
