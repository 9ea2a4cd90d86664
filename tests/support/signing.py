"""Keys as an operator makes them."""

from __future__ import annotations

import subprocess
from pathlib import Path


def generate(file: Path, *options: str) -> Path:
    """Make a private key; Ed25519 unless the options of ``openssl genpkey`` say otherwise."""
    command = ["openssl", "genpkey", *(options or ("-algorithm", "ed25519")), "-out", str(file)]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    file.chmod(0o600)
    return file


def public_pem(file: Path) -> str:
    """The public key, as it stands in a pillar."""
    command = ["openssl", "pkey", "-in", str(file), "-pubout"]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
