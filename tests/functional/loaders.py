"""Loads every door by Salt's own loaders, uses it once, and prints what came of it as JSON.

``python loaders.py CONFIGURATION``: run as a process of its own, since what was imported once is never looked for again.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import salt.config
import salt.loader
import salt.minion

REPO = "test/testrepo"  # of the example pillar


def main() -> None:
    minion = salt.minion.SMinion(salt.config.minion_config(sys.argv[1]))
    master = salt.config.master_config(sys.argv[1])
    print(json.dumps({**_of_a_minion(minion), **_of_a_master(master, minion)}))


def _of_a_minion(minion: Any) -> dict[str, Any]:
    modules, states = minion.functions, minion.states
    return {
        "modules": _names(modules),
        "get_config": modules["deploy.get_config"](REPO),
        "fetch": modules["deploy.fetch"](REPO),
        "asked": modules["deploy.status"](REPO, __pub_jid="20261123120000000000", __pub_tgt="web1"),
        "called": modules["deploy.status"](REPO, __pub_jid="20261123120000000000", __pub_tgt="salt-call"),
        "published": _takes_what_salt_publishes(modules["deploy.status"]),
        "states": _names(states),
        "pinned": states["deploy.pinned"](REPO),
    }


def _of_a_master(opts: dict[str, Any], minion: Any) -> dict[str, Any]:
    runners = salt.loader.runner(opts)
    backends = salt.loader.fileserver(opts, ["deploy_payloads"])
    pillars = salt.loader.pillars(opts, minion.functions)
    outputters = salt.loader.outputters(opts)
    unknown = f"deploy/{'0' * 64}"
    nothing = {"view": "versions", "repo": REPO, "versions": []}
    return {
        "runners": _names(runners),
        "refused": runners["deploy.sync"](),
        "ext_pillar": pillars["deploy_pins"]("web1", {}),
        "fileserver": {
            "envs": backends["deploy_payloads.envs"](),
            "found": backends["deploy_payloads.find_file"](unknown),
            "listed": backends["deploy_payloads.file_list"]({"saltenv": "base"}),
        },
        "output": outputters["deploy"](nothing),
    }


def _takes_what_salt_publishes(function: Any) -> bool:
    """Whether Salt tells the function the id of its job."""
    _, named = salt.minion.load_args_and_kwargs(function, [REPO], {"jid": "1"})
    return named == {"__pub_jid": "1"}


def _names(loader: Any) -> list[str]:
    return sorted(name for name in loader if name.startswith("deploy."))


if __name__ == "__main__":
    main()
