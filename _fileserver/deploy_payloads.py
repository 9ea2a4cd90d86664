"""
Serve packed releases to minions as ``salt://deploy/<sha256>``.

Payloads are served under their digest only and nothing is listed: the name is the capability.

.. code-block:: yaml

    fileserver_backend:
      - roots
      - deploy_payloads
"""

import importlib
import os
from pathlib import Path

import saltdeploy

saltdeploy.require("0.2.0")

from saltdeploy.download.salt import ROOT
from saltdeploy.lib import lifetime

__virtualname__ = "deploy_payloads"
_NOTHING = {"path": "", "rel": ""}


def __virtual__():
    if lifetime.is_daemon(__opts__):
        importlib.import_module("saltdeploy.content.payloads")
    return __virtualname__


def envs():
    """Payloads belong to no environment of their own; they are served in ``base``."""
    return ["base"]


def update():
    """Payloads never change: there is nothing to update."""


def find_file(path, saltenv="base", **kwargs):
    """Find a payload by its digest. ``path`` is ``deploy/<sha256>``; anything else is not found."""
    head, _, name = str(path).partition("/")
    if head != ROOT:
        return dict(_NOTHING)
    from saltdeploy.content.payloads import (
        Payloads,  # a command that reads the pillar asks for other files only
    )

    place = Payloads(Path(__opts__["cachedir"], "deploy", "payloads")).path(name)
    if place is None:
        return dict(_NOTHING)
    return {"path": str(place), "rel": path, "stat": list(os.stat(place))}


def serve_file(load, fnd):
    """One piece of a payload, from ``loc``, of the size that Salt's file channel uses."""
    answer = {"data": b"", "dest": fnd.get("rel", "")}
    if not fnd.get("path"):
        return answer
    with open(fnd["path"], "rb") as file:
        file.seek(load["loc"])
        answer["data"] = file.read(__opts__["file_buffer_size"])
    return answer


def file_hash(load, fnd):
    """The digest of a payload is its name."""
    if not fnd.get("path"):
        return {}
    return {"hsum": os.path.basename(fnd["path"]), "hash_type": "sha256"}


def file_list(load):
    """Nothing: whoever does not know a payload's name shall not learn it."""
    return []


def dir_list(load):
    """Nothing, as :func:`file_list`."""
    return []
