"""Salt's own cache writes the records where docs/formats.md says, and as its reader reads them."""

from __future__ import annotations

from pathlib import Path

import salt.config
from saltbridge import master
from saltdeploy.master.cache import CLAIMS, Records, history_bank

from tests.unit.protocol import format_reader


def test_localfs_keeps_a_record_as_msgpack_below_the_directory_of_the_banks_name(tmp_path: Path) -> None:
    opts = {**salt.config.DEFAULT_MASTER_OPTS, "cachedir": str(tmp_path), "cache": "localfs"}
    store = master.store({**opts, "extension_modules": str(tmp_path / "extmods")})
    deploy, record = "20261123120000000003", {"tag": "v1", "time": 1795428672.5, "outcome": ""}
    Records(store, history_bank("demo/site")).put(deploy, record)
    Records(store, CLAIMS).put("demo/site", {"until": None})
    root = tmp_path / "deploy"
    assert format_reader.record(root / "history" / "demo=2Fsite" / f"{deploy}.p") == record
    assert format_reader.record(root / "claims" / "demo=2Fsite.p") == {"until": None}
