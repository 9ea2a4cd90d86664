"""Benchmarks on real trees; docs/performance.md tells how to run them and what they showed."""

import signal
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(CHECKOUT / "_utils"))  # where the package lies


def cache() -> Path:
    """Where the benchmarks keep what they have built and measured, unless they are told: git ignores it."""
    return CHECKOUT / ".cache" / "bench"


def end_in_good_order() -> None:
    """Let SIGTERM end this process as Ctrl-C does: no daemon that it has started outlives it."""
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
