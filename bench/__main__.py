"""All benchmarks, one after the other: ``python -m bench``. Exits with 1 when a promise is broken."""

from __future__ import annotations

import sys

from bench import fleet, target_side

if __name__ == "__main__":
    print("== the target's side, 300,000 files ==", flush=True)
    broken = target_side.main()
    print("\n== ten minions, 9,000 files ==", flush=True)
    sys.exit(fleet.main() or broken)
