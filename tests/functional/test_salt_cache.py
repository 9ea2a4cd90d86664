"""Salt's own cache does what locks and history expect of a store."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
import salt.cache
import salt.config
import salt.loader
from saltbridge import master
from saltdeploy.lib.errors import Locked
from saltdeploy.master.cache import Records, Store
from saltdeploy.master.locking.locks import Locks
from saltdeploy.master.locking.model import Holder

from tests.support.stores import StoreContract


def _opts(root: Path, **more: Any) -> dict[str, Any]:
    here = {"cachedir": str(root), "extension_modules": str(root / "extmods"), "mmap_cache_size": 1000}
    return {**salt.config.DEFAULT_MASTER_OPTS, **here, **more}


@pytest.fixture(params=["localfs", "mmap_cache"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    opts = _opts(tmp_path, cache=request.param)
    if f"{request.param}.fetch" not in salt.loader.cache(opts):
        pytest.skip(f"this Salt has no cache driver {request.param}")
    return master.store(opts)


class TestSaltCache(StoreContract):
    """Each driver that needs no server."""


def test_what_another_master_wrote_is_seen_though_salt_keeps_a_copy_in_memory(tmp_path: Path) -> None:
    ours = master.store(_opts(tmp_path, memcache_expire_seconds=600))
    Records(ours, "deploy/test").put("mediawiki", {"token": "ours"})
    assert Records(ours, "deploy/test").get("mediawiki") == {"token": "ours"}
    salt.cache.Cache(_opts(tmp_path)).store("deploy/test", "mediawiki", {"token": "theirs"})
    assert Records(ours, "deploy/test").get("mediawiki") == {"token": "theirs"}


def test_masters_that_share_a_cache_keep_out_of_each_others_way(store: Store, tmp_path: Path) -> None:
    east, west = (Locks(tmp_path / name, store) for name in ("east", "west"))
    with east.hold("mediawiki/slot0", (), Holder.here("alice", deploy="1")) as lease:
        lease.beat(time.time() + 1)
        with pytest.raises(Locked, match="alice"), west.hold("mediawiki/slot0", (), Holder.here("bob")):
            pass
    east.lock("group:mediawiki/slot0/canary", "the database moves", Holder.here("carol"))
    assert [lock.holder.user for lock in west.all()] == ["carol"]
    with west.hold("mediawiki/slot0", ("rest",), Holder.here("bob")) as next_one:
        assert next_one.epoch > lease.epoch
