"""What Trigger prints and Ricochet shows, by their rules alone: they read the keys of redis and two files, and know no other."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import redis

_TIME = "%Y%m%d-%H%M%S"


def report(client: redis.Redis, repo: str, tag: str, stage: str) -> str:
    """The line that Trigger's report ends with, for the stages ``fetch``, ``checkout`` or both (``sync``)."""
    minions = client.smembers(f"deploy:{repo}:minions")
    hashes = [client.hgetall(f"deploy:{repo}:minions:{minion}") for minion in minions]
    done = {
        name: f"{sum(data.get(key) == tag for data in hashes)}/{len(hashes)} minions completed {name}"
        for name, key in (("fetch", "fetch_tag"), ("checkout", "tag"))
    }
    return done.get(stage) or f"{done['fetch']}; {done['checkout']}"


def restarted(printed: str) -> list[str]:
    """The lines that Trigger prints of what ``salt-call --out=json publish.runner deploy.restart R,10%`` has printed."""
    said = json.loads(printed)["local"]
    if isinstance(said, str):
        return [f"Error received from salt; raw output:\n\n{said}"]
    lines = []
    for each in said:
        if not isinstance(each, dict):
            lines += ["Got bad return from salt. Here is the raw data:", str(each)]
            continue
        lines += [f"{minion}: {data.get('status', 'No status available')}" for minion, data in each.items()]
    return lines


def page(client: redis.Redis, staging: Path, repo: str) -> dict[str, Any]:
    """What Ricochet's server answers for ``/repo/<repo>``; it fails where the texts are not of Trebuchet's forms.

    Args:
        staging: the staging repository.
    """
    found: dict[str, Any] = {"minion_data": {}}
    for name in ("deploy", "lock"):
        file, data = staging / ".git" / "deploy" / name, {}
        if file.exists():
            data = json.loads(file.read_text())
            data["time"] = int(time.mktime(time.strptime(data["time"], _TIME)))
        found[f"{name}_data"] = data
    for minion in client.smembers(f"deploy:{repo}:minions"):
        data = client.hgetall(f"deploy:{repo}:minions:{minion}")
        for key in {"checkout_timestamp", "fetch_timestamp"} & data.keys():
            data[key] = int(float(data[key]))
        found["minion_data"][minion] = data
    return found


def colours(shown: dict[str, Any]) -> dict[str, tuple[bool, bool]]:
    """Of each minion whether its fetch and its checkout are green on Ricochet's page."""
    deploy = shown["deploy_data"]
    return {
        minion: (
            data.get("fetch_timestamp", 0) > deploy.get("time", 0) and data.get("fetch_status") == "0",
            data.get("tag") == deploy.get("tag"),
        )
        for minion, data in shown["minion_data"].items()
    }
