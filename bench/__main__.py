"""Every benchmark by its name: ``python -m bench [NAME ...] [options]``.

==============  ================================================================================================
goals           what must be reached, beside the fastest peers, in turns (``bench/side_by_side.py``); the default
big             the same on 300,000 files: many hours
compare         this project and many peers, one after the other, on a rig of hosts (``bench/compare.py``)
transports      every transport, one target (``bench/transports.py``)
egress          what leaves the master over links of 100 Mbit/s (``bench/egress.py``)
scale           what a target costs the master, by the size of the fleet (``bench/scale.py``)
crowd           the same with thousands of simulated hosts on a real bus (``bench/crowd.py``)
tiers           two masters below a third, against one master (``bench/tiers.py``)
profile         where the time of a deploy goes (``bench/profiles.py``)
target          one target, 300,000 files, without Salt (``bench/target_side.py``)
fleet           ten minions, a repository with a long history (``bench/fleet.py``)
overhead        what a deploy costs beyond its work (``bench/overhead.py``)
budget          a small release's time, call by call (``bench/budget.py``)
choice          what ``auto`` chooses for real repositories (``bench/choice.py``); not among ``all``
staging         a plain directory staged again, beside ``git add`` and rsync (``bench/staging.py``)
caps            whether transfers keep to their rates (``bench/caps.py``)
all             all of them
==============  ================================================================================================

Exits with 1 when a promise of docs/performance.md, or a target of the project, is missed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from bench import (
    budget,
    cache,
    caps,
    choice,
    compare,
    crowd,
    egress,
    fleet,
    overhead,
    profiles,
    scale,
    side_by_side,
    staging,
    target_side,
    tiers,
    transports,
)

Bench = Callable[[argparse.Namespace, Path], int]

BENCHES: dict[str, Bench] = {
    "goals": side_by_side.main,
    "big": side_by_side.big,
    "compare": compare.main,
    "transports": transports.main,
    "egress": egress.main,
    "scale": scale.main,
    "crowd": crowd.main,
    "tiers": tiers.main,
    "profile": profiles.main,
    "target": lambda options, directory: target_side.main(["--directory", str(directory)]),
    "fleet": lambda options, directory: fleet.main(
        ["--directory", str(directory), "--minions", str(options.minions)]
    ),
    "overhead": lambda options, directory: overhead.main([]),
    "budget": budget.main,
    "choice": choice.main,
    "staging": lambda options, directory: staging.main(
        ["--directory", str(directory), "--files", str(options.files)]
    ),
    "caps": lambda options, directory: caps.main([]),
}


#: How many targets and files a benchmark takes where nobody says.
_USUAL, _ELSE = {"goals": (4, 20_000), "big": (10, 300_000), "budget": (4, 20_000)}, (10, 20_000)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", choices=[*BENCHES, "all"], default="goals")
    parser.add_argument("--directory", type=Path, default=cache(), help="where all is built and kept")
    parser.add_argument("--minions", type=int, default=0, help="how many targets; 4 for goals, else 10")
    parser.add_argument(
        "--files", type=int, default=0, help="in the tree, up to 300,000; 20,000, and all for big"
    )
    parser.add_argument("--runs", type=int, default=3, help="of goals and big; the one in the middle counts")
    parser.add_argument("--blobs", type=int, default=500, help="MB of binary files, for transports")
    parser.add_argument("--payload", type=int, default=240, help="MB, up to 270, for egress")
    parser.add_argument(
        "--repositories", default="", help="paths of git directories, with commas, for choice"
    )
    parser.add_argument("--steps", default="", help="old..new, with commas between, for choice")
    parser.add_argument("--sizes", default="", help="of fleets, with commas between, for scale and crowd")
    parser.add_argument("--peers", default="", help="names, with commas between; else all that can be had")
    parser.add_argument("--sites", type=int, choices=(1, 2), default=1, help="two: 40 ms between them")
    parser.add_argument("--rate", default="", help="of each host's link, as tc says it: 100mbit")
    parser.add_argument("--loopback", action="store_true", help="without namespaces")
    parser.add_argument("--quick", action="store_true", help="few cases, few peers")
    parser.add_argument("--again", action="store_true", help="measure again what has been measured")
    options = parser.parse_args()
    options.directory.mkdir(parents=True, exist_ok=True)
    wanted = [options.names] if isinstance(options.names, str) else options.names
    missed = 0
    for name in [each for each in BENCHES if each != "choice"] if "all" in wanted else wanted:
        print(f"== {name} ==", flush=True)
        usual = _USUAL.get(name, _ELSE)
        mine = argparse.Namespace(
            **{**vars(options), "minions": options.minions or usual[0], "files": options.files or usual[1]}
        )
        missed = BENCHES[name](mine, options.directory.resolve()) or missed
    return missed


if __name__ == "__main__":
    sys.exit(main())
