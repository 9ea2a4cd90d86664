"""What hosts say to a restart, in the form of Trebuchet's runner: Trigger prints it as ``<minion>: <status>``. No I/O."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from saltdeploy.protocol import events
from saltdeploy.watch.text import natural

Answers = list[dict[str, dict[str, Any]]]


def restart_answers(told: Iterable[events.Event]) -> Answers:
    """One dict for each host, in the hosts' natural order.

    Args:
        told: events of a deploy of kind ``restart``.

    Returns:
        ``{host: {"status": True, "repo": R, "dependencies": []}}``; without ``status`` while it has not answered, which Trigger
        shows as ``No status available``.
    """
    answers: dict[str, dict[str, Any]] = {}
    for event in told:
        repo, stage = str(event.get("repo", "")), event.get("stage")
        if event.get("event") == events.STAGE_STARTED:
            for host in map(str, event.get("names") or ()):
                answers.setdefault(host, {"repo": repo, "dependencies": []})
        elif event.get("event") == events.HOST_FINISHED:
            known = answers.setdefault(str(event.get("host", "")), {"repo": repo, "dependencies": []})
            if (
                stage == "checkout" or event.get("status") != 0
            ):  # fetch only looks whether the release is there
                known["status"] = event.get("status") == 0
    return [{host: answers[host]} for host in sorted(answers, key=natural)]
