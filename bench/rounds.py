"""How long a round to all hosts takes inside one running process: from the publish of a ping to its last return.

Usage::

    python -m bench.rounds DIRECTORY-OF-THE-MASTERS-CONFIGURATION HOW-MANY

Prints a list of seconds as JSON; the first rounds, which open what the others find open, are left out.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path


def main() -> int:
    import salt.client
    import salt.config

    opts = salt.config.client_config(str(Path(sys.argv[1], "master")))
    took = []
    with salt.client.LocalClient(mopts=opts) as client:
        hosts = 0
        for number in range(2 + int(sys.argv[2])):
            began = time.perf_counter()
            answers = client.cmd("*", "test.ping")
            if number >= 2:
                took.append(time.perf_counter() - began)
                if len(answers) != hosts:
                    raise SystemExit(f"only {len(answers)} of {hosts} minions answer a ping")
            hosts = len(answers)
    print(json.dumps(took))
    return 0


if __name__ == "__main__":
    sys.exit(main())
