"""What becomes of scap's ``checks.yaml`` and ``config-files.yaml``, entry by entry, when a configuration is imported.

``scap/checks.yaml`` is read out of each release, so what can be done stays there. The files of an environment are not:
their checks go into the pillar.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from saltdeploy.config import scap_checks
from saltdeploy.config.repo import Repo
from saltdeploy.config.scap_pillar import NotCarried
from saltdeploy.lib.errors import BadChecks

_FILE = "checks.yaml"
_SHELL = "/bin/sh"


def checks(base: bytes, own: bytes, environment: str, repo: Repo) -> tuple[dict[str, Any], list[NotCarried]]:
    """The checks for the pillar, and those that cannot be carried over.

    Args:
        base: ``scap/checks.yaml``; empty where there is none.
        own: the environment's, likewise.
        repo: as far as it is known; its groups count.

    Raises:
        BadChecks: a file cannot be read at all.
    """
    usual, mine = scap_checks.entries(base), scap_checks.entries(own)
    left = [why for name, entry in usual.items() if (why := _refused(name, entry, repo))]
    found: dict[str, Any] = {}
    for name, entry in mine.items():
        key = f"environments/{environment}/{_FILE}: {name}"
        if name in usual:
            left.append(_twice(key, entry))
        if entry is not None and (why := _refused(name, entry, repo, key)):
            left.append(why)
        elif entry is not None:
            found[name] = scap_checks.in_our_words(name, entry)
    return found, left


def templates(text: bytes, file: str) -> list[NotCarried]:
    """The configuration files that scap makes on hosts; nothing here makes them."""
    try:
        said = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError):
        said = None
    if not isinstance(said, dict):
        return [NotCarried(file, "", "it cannot be read as YAML")] if text else []
    why = "scap makes this file of a template on each host; here nothing does"
    act = "a state of Salt: file.managed with template: jinja"
    return [NotCarried(f"{file}: {path}", _template(said[path]), why, act) for path in map(str, said)]


def _template(entry: Any) -> str:
    return str(entry.get("template", "")) if isinstance(entry, Mapping) else ""


def _twice(key: str, entry: Any) -> NotCarried:
    why = "scap/checks.yaml of the release has a check of this name as well, and it is done in every environment"
    act = "take it out of scap/checks.yaml in the release"
    return NotCarried(key, "null" if entry is None else "", why, act)


def _refused(name: str, entry: Any, repo: Repo, key: str = "") -> NotCarried | None:
    try:
        scap_checks.read(yaml.safe_dump({"checks": {name: entry}}).encode(), repo)
    except BadChecks as error:
        where = error.path.partition(f":{name}")[2].lstrip(":")
        act = _as_list(entry) if where == "shell" else "mend it in the release, or take it out there"
        cause = f"{where}: {error.cause}" if where else error.cause
        return NotCarried(key or f"{_FILE}: {name}", "", cause, act)
    return None


def _as_list(entry: Any) -> str:
    """The same command as an argument list, as it would stand in the file."""
    said = entry.get("command") if isinstance(entry, Mapping) else ""
    listed = yaml.safe_dump([_SHELL, "-c", str(said)], default_flow_style=True, width=10_000).strip()
    return f"command: {listed}, without shell"
