"""Runs one function of the runner as ``salt-run`` does, and prints as JSON which modules that has loaded.

``python cold_start.py CONFIGURATION CLI FUNCTION ARGUMENT...``: a process of its own, since what was imported once stays.
"""

from __future__ import annotations

import json
import sys

import salt.config
import salt.loader
import salt.pillar
import salt.runner


def main() -> None:
    opts = {**salt.config.master_config(sys.argv[1]), "__cli": sys.argv[2]}
    client = salt.runner.RunnerClient(opts)
    client.functions["test.arg"]()
    # Salt's own price of a pillar, which is nothing that this project could save
    plain = {**opts, "ext_pillar": [], "fileserver_backend": ["roots"]}
    salt.pillar.Pillar(plain, salt.loader.grains(plain), plain["id"], "base").compile_pillar()
    before = set(sys.modules)
    function = client.functions[sys.argv[3]]
    loaded = set(sys.modules) - before
    view = function(*sys.argv[4:])
    called = set(sys.modules) - before
    salt.loader.outputters(opts)[view["outputter"]](view)
    shown = set(sys.modules) - before
    steps = {"loaded": loaded, "called": called, "shown": shown}
    print(json.dumps({"view": view["view"], **{step: sorted(names) for step, names in steps.items()}}))


if __name__ == "__main__":
    main()
