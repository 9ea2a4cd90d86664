"""The history of a repo."""

from __future__ import annotations

from saltdeploy.watch.text import clean, short, table
from saltdeploy.watch.views.pieces import View, before, cell, release, repo, time_of, views, word

_LONGEST_REASON = 40
_MOST_CAUSES = 5


def versions(view: View, now: float, colour: bool) -> list[str]:
    """The view ``versions``."""
    found = views(view.get("versions"))
    if not found:
        return [f"{repo(view)}: never deployed"]
    heading = ("TIME", "ACTION", "TAG", "COMMIT", "WHO", "OUTCOME", "DEPLOY", "BAD", "REASON")
    lines = table(_without_empty_ends([heading, *map(_row, found)]))
    lines = [f"{repo(view)}: its deploys, the newest first", "", *lines]
    remarks = [*_causes(found), *_bad(found), *before(view)]
    return [*lines, "", *remarks] if remarks else lines


def _row(version: View) -> tuple[str, ...]:
    return (
        time_of(version.get("time")),
        cell(version.get("action")),
        cell(version.get("tag")),
        short(version.get("commit")) or "-",
        cell(version.get("user")),
        word(version) or "not ended",
        cell(version.get("deploy")),
        "bad" if clean(version.get("bad")) else "-",
        clean(version.get("reason"), _LONGEST_REASON) or "-",
    )


def _without_empty_ends(rows: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Less the last columns in which there is nothing."""
    while len(rows[0]) > 1 and all(row[-1] == "-" for row in rows[1:]):
        rows = [row[:-1] for row in rows]
    return rows


def _causes(found: list[View]) -> list[str]:
    """Why the latest deploys ended as they did, where there is something to say."""
    told = [(version, clean(version.get("cause"))) for version in found]
    said = [
        f"deploy {cell(version.get('deploy'))}: {word(version)}: {cause}" for version, cause in told if cause
    ]
    return said[:_MOST_CAUSES]


def _bad(found: list[View]) -> list[str]:
    """Each bad release once, with the reason."""
    bad = {release(version): clean(version.get("bad")) for version in found if clean(version.get("bad"))}
    lines = [f"bad: {name}: {why}" for name, why in bad.items()]
    return [*lines, "a bad release is refused unless force=True"] if lines else lines
