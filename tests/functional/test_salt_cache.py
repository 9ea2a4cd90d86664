"""Salt's own cache does what locks and history expect of a store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import salt.cache
import salt.config

from tests.stores import StoreContract


@pytest.fixture(params=["localfs", "mmap_cache"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    opts = {
        **salt.config.DEFAULT_MASTER_OPTS,
        "cachedir": str(tmp_path),
        "extension_modules": str(tmp_path / "extmods"),
        "cache": request.param,
        "mmap_cache_size": 1000,
    }
    cache = salt.cache.Cache(opts)
    if f"{request.param}.fetch" not in cache.modules:
        pytest.skip(f"this Salt has no cache driver {request.param}")
    return cache


class TestSaltCache(StoreContract):
    """Each driver that needs no server."""
