"""Makes of Salt what a minion's door needs."""

from __future__ import annotations

import json
import logging
import os
from typing import Any

import salt.channel.client
import salt.crypt
import salt.exceptions

log = logging.getLogger(__name__)

Opts = dict[str, Any]

_KEY = "minion.pem"
_kept: dict[str, tuple[tuple[int, ...], Any]] = {}  # path to the file as it was seen, and the key in it


def pillar_of_now(opts: Opts, grains: dict[str, Any], said: dict[str, Any]) -> dict[str, Any]:
    """The pillar of this minion, compiled by the master at this moment and not taken from its cache.

    Salt's own ``salt.pillar.get_pillar`` has a parameter for that, and does not pass it on to a master.

    Args:
        said: what an ext_pillar is told beside the grains.

    Raises:
        SaltException, OSError: the master does not answer, or with something else.
    """
    load = {
        "cmd": "_pillar",
        "ver": "2",
        "id": opts["id"],
        "grains": grains,
        "saltenv": opts.get("saltenv"),
        "pillarenv": opts.get("pillarenv"),
        "pillar_override": {},
        "extra_minion_data": said,
        "clean_cache": True,
    }
    with salt.channel.client.ReqChannel.factory(opts) as channel:
        _lend_key(channel, opts)
        told = channel.crypted_transfer_decode_dictentry(load, dictkey="pillar")
    if not isinstance(told, dict):
        raise salt.exceptions.SaltClientError(f"it answers with no pillar: {type(told).__name__}")
    plain: dict[str, Any] = json.loads(json.dumps(told, default=str))
    return plain


def keep_key(opts: Opts) -> None:
    """Read this minion's key, in its own process, for the jobs that are forked from it.

    Salt checks a key whenever it reads it, which takes 36 ms of processor time with 2,048 bits and 250 with 4,096; and it reads
    it in each job that asks the master for something.
    """
    path = os.path.join(opts["pki_dir"], _KEY)
    try:
        seen = _seen(path)
        if _kept.get(path, ((), None))[0] != seen:
            _kept[path] = (seen, salt.crypt.PrivateKey.from_file(path))
    except (OSError, salt.exceptions.SaltException) as error:  # there is none yet, or none that Salt reads
        log.debug("the key in %s was not read ahead: %s", path, error)


def _lend_key(channel: Any, opts: Opts) -> None:
    """Let a new channel use the key that the minion's own process has read, if that is the one on the disk."""
    path = os.path.join(opts["pki_dir"], _KEY)
    auth = getattr(channel, "auth", None)
    try:
        seen, key = _kept.get(path, ((), None))
        is_its = getattr(auth, "_private_key", key) is None and getattr(auth, "rsa_path", "") == path
        if key is not None and is_its and _seen(path) == seen:
            auth._private_key = key
    except OSError as error:
        log.debug("%s: %s", path, error)


def _seen(path: str) -> tuple[int, ...]:
    found = os.stat(path)
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def file_of_master(opts: Opts, path: str, saltenv: str = "base") -> bytes:
    """The begin of a file from the master's file server by one request, where ``cp.get_file`` takes three.

    Salt's own function asks for a hash before and after, and each of its connections reads this minion's key anew. Whoever
    calls this has a digest to compare with.

    Args:
        path: as the file server knows it.

    Returns:
        Its first ``file_buffer_size`` bytes, as the master has it configured; b"" where it cannot be had in this way.
    """
    if opts.get("file_client") != "remote" or not opts.get("master_uri"):
        return b""
    load = {"cmd": "_serve_file", "path": path, "saltenv": saltenv, "loc": 0}
    try:
        with salt.channel.client.ReqChannel.factory(opts) as channel:
            _lend_key(channel, opts)
            told = channel.send(load, raw=True)
    except salt.exceptions.SaltException as error:
        log.debug("%s did not come by one request: %s", path, error)
        return b""
    data = told.get(b"data", told.get("data")) if isinstance(told, dict) else None
    return data if isinstance(data, bytes) else b""
