"""A host of the old version fetches a payload by swarm: ``old_fetch.py UTILS DIRECTORY``, in a process of its own.

Its code is in memory when the line ``ready`` is printed; it goes on when a line comes on standard input. Then it prints who
brought the payload, and whom it left.
"""

import hashlib
import json
import sys
import time
from pathlib import Path

UTILS, DIRECTORY = sys.argv[1], Path(sys.argv[2])
DATA = b"payload" * 1000
NAME = hashlib.sha256(DATA).hexdigest()


class ByMaster:
    def fetch(self, payload, destination, progress):
        destination.write_bytes(DATA if payload.sha256 == NAME else b"torrent")


def main():
    sys.path.insert(0, UTILS)
    from saltdeploy import config, orders
    from saltdeploy.carriers.swarm import Place
    from saltdeploy.swarms import Identity
    from saltdeploy.target import stages, supplies

    print("ready", flush=True)
    sys.stdin.readline()
    repo = config.load({"repo_config": {"r": {"location": f"{DIRECTORY}/live", "source": "s"}}}, "r", "")
    order = orders.Order.from_wire(
        {
            "deploy": "20261129000000000000",
            "epoch": 1,
            "stage": orders.FETCH,
            "release": {"repo": "r", "tag": "v1", "commit": "a" * 40},
            "transport": "bundle",
            "payloads": [{"base": "", "sha256": NAME, "size": len(DATA), "kind": "bundle"}],
            "group": "",
            "attempt": 1,
            "anew": False,
            "sources": [],
            "swarm": {"torrents": [[NAME, hashlib.sha256(b"torrent").hexdigest(), 7]], "peers": []},
        }
    )
    host = stages.Host(
        name="web1",
        cache=DIRECTORY,
        carrier=ByMaster(),
        send=lambda tag, data: None,
        call=lambda name, arguments, keywords: None,
        clock=time.time,
        place=Place(Identity("certificate", "key"), "127.0.0.1"),
    )
    carrier = supplies.carrier(order, repo, host)
    carrier.fetch(order.payloads[0], DIRECTORY / "payload", lambda *_: None)
    print(json.dumps({**carrier.facts(), "payload": NAME}), flush=True)


main()
