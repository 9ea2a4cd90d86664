"""Looks up what the pillar names by an address of Salt's SDB; only few pillars do."""

from __future__ import annotations

import functools
from typing import Any

import salt.utils.sdb
from saltdeploy.config import origin

Opts = dict[str, Any]


def opened(opts: Opts) -> None:
    """From now on this process looks up addresses by the profiles of this configuration."""
    origin.opens(functools.partial(_look_up, opts))


def _look_up(opts: Opts, address: str) -> Any:
    return salt.utils.sdb.sdb_get(address, opts)
