"""Benchmarks on real trees; docs/performance.md tells how to run them and what they showed."""

import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(CHECKOUT / "_utils"))  # where the package lies
