"""Every benchmark by its name: ``python -m bench NAME``; ``--help`` lists them.

Exits with 1 when a promise of docs/performance.md, or a target of the project, is missed.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from bench import cache, compare


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__.splitlines()[0])
    parser.add_argument("--directory", type=Path, default=cache(), help="where all is built and kept")
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser(
        "compare",
        help="peers side by side",
        description=compare.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    compare.arguments(one)
    options = parser.parse_args()
    options.directory.mkdir(parents=True, exist_ok=True)
    return compare.main(options, options.directory.resolve())


if __name__ == "__main__":
    sys.exit(main())
