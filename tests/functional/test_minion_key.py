"""A job uses the key that the minion's own process has read, as long as that is the one on the disk."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import salt.config
import salt.crypt
import tornado.ioloop
from saltbridge import minion


@pytest.fixture
def opts(tmp_path: Path) -> dict[str, Any]:
    """A minion with a key of its own, whose master is nowhere."""
    found: dict[str, Any] = salt.config.DEFAULT_MINION_OPTS.copy()
    pki = tmp_path / "pki"
    pki.mkdir()
    found.update(
        id="web1",
        pki_dir=str(pki),
        cachedir=str(tmp_path / "cache"),
        root_dir=str(tmp_path),
        master_ip="127.0.0.1",
        master_uri="tcp://127.0.0.1:1",
        __role="minion",
    )
    _make_key(found)
    return found


def _make_key(opts: dict[str, Any]) -> None:
    private, public = salt.crypt.gen_keys(2048)
    for name, text in (("minion.pem", private), ("minion.pub", public)):
        aside = Path(opts["pki_dir"], f"{name}.new")
        aside.write_text(text)
        os.replace(aside, aside.with_suffix(""))


@pytest.fixture
def auth(opts: dict[str, Any]) -> Any:
    """What Salt makes anew for each connection of a job."""
    loop = tornado.ioloop.IOLoop(make_current=False)
    made = salt.crypt.AsyncAuth(opts, io_loop=loop)
    made._private_key = None
    yield made
    loop.close()


def lend(auth: Any, opts: dict[str, Any]) -> None:
    minion._lend_key(SimpleNamespace(auth=auth), opts)


def test_a_job_is_lent_the_key_that_was_read_ahead(opts: dict[str, Any], auth: Any) -> None:
    minion.keep_key(opts)
    lend(auth, opts)
    kept = auth._private_key
    assert kept is not None
    assert auth.get_keys() is kept
    assert auth.gen_token(b"salt")


def test_a_key_that_was_replaced_since_is_read_by_the_job_itself(opts: dict[str, Any], auth: Any) -> None:
    minion.keep_key(opts)
    _make_key(opts)
    lend(auth, opts)
    assert auth._private_key is None


def test_a_minion_without_a_key_lends_none(opts: dict[str, Any], auth: Any) -> None:
    os.unlink(Path(opts["pki_dir"], "minion.pem"))
    minion.keep_key(opts)
    lend(auth, opts)
    assert auth._private_key is None
