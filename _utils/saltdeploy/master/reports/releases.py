"""Who runs which release: the report of a fleet, the other way round."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def by_release(report: dict[str, Any], versions: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The view ``releases``: each release that some host runs, the pinned one first, then by how many run it.

    Args:
        report: see :func:`saltdeploy.master.reports.results.of_fleet`.
        versions: see :meth:`saltdeploy.master.records.history.History.versions`.

    Returns:
        ``releases``: ``commit``, ``tag``, ``first`` (the tag under which this commit was deployed first), ``pinned``, and
        ``hosts`` with the state of each; ``next``, where not all hosts run what is pinned.
    """
    pinned = report["pinned"] or {}
    found: dict[str, dict[str, Any]] = {}
    for name, host in report["hosts"].items():
        commit = host["live"]
        one = found.setdefault(
            commit,
            {
                "commit": commit,
                "tag": _tag(host["tag"], commit, versions),
                "first": first_tag(commit, versions),
                "pinned": bool(commit) and commit == pinned.get("commit"),
                "hosts": {},
            },
        )
        one["hosts"][name] = host["state"]
    ordered = sorted(found.values(), key=lambda one: (not one["pinned"], -len(one["hosts"]), one["commit"]))
    fine = report["retcode"] == 0
    return {
        "view": "releases",
        "retcode": report["retcode"],
        "repo": report["repo"],
        "pinned": report["pinned"],
        "releases": ordered,
        "next": "" if fine else f"salt-run deploy.report repo={report['repo']}",
    }


def first_tag(commit: str, versions: Sequence[dict[str, Any]]) -> str:
    """The tag under which a commit was deployed first; "" where it never was."""
    tags = [version["tag"] for version in versions if version["commit"] == commit]
    return str(tags[-1]) if tags else ""


def _tag(tag: str, commit: str, versions: Sequence[dict[str, Any]]) -> str:
    """The tag under which a commit was deployed last, as the master tells; else as the host does."""
    return next((str(version["tag"]) for version in versions if version["commit"] == commit), tag)
