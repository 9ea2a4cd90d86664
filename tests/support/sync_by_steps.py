"""``salt-run saltutil.sync_all``, one step for each line on standard input: ``sync_by_steps.py MASTER_CONFIGURATION``.

All steps are made by one process, as there. A line is printed when a step is done.
"""

import sys

import salt.config
import salt.runner


def main():
    opts = salt.config.client_config(sys.argv[1])
    runner = salt.runner.RunnerClient({**opts, "quiet": True})
    for line in sys.stdin:
        runner.cmd(f"saltutil.sync_{line.strip()}", print_event=False)
        print(f"done {line.strip()}", flush=True)


if __name__ == "__main__":
    main()
