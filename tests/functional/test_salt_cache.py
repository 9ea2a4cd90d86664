"""Salt's own cache does what locks and history expect of a store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import salt.cache
import salt.config
import salt.loader
from saltbridge import master
from saltdeploy.master.store import Records, Store

from tests.stores import StoreContract


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
