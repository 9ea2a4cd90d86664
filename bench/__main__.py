"""All benchmarks, one after the other: ``python -m bench``. Exits with 1 when a promise is broken."""

from __future__ import annotations

import sys

from bench import caps, fleet, overhead, target_side

if __name__ == "__main__":
    print("== the target's side, 300,000 files ==", flush=True)
    broken = target_side.main()
    print("\n== ten minions, 9,000 files ==", flush=True)
    broken = fleet.main() or broken
    print("\n== eight minions, what a deploy costs beyond its work ==", flush=True)
    broken = overhead.main() or broken
    print("\n== do caps hold ==", flush=True)
    sys.exit(caps.main() or broken)
