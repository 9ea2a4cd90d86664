"""The pillar's tables as they are written: taken out of it, read key by key, and kept for who shows them or reads them again."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from saltdeploy.config.schema import REPO_KEYS, SECRET_KEYS, Key
from saltdeploy.config.values import Wrong, refuse_unknown
from saltdeploy.lib.errors import ConfigError
from saltdeploy.lib.text import public

#: Stands in place of a credential.
NOT_SHOWN = "(not shown)"


@dataclass(frozen=True)
class PillarText:
    """What the pillar says of one repo, as plain data.

    Attributes:
        trebuchet: the section as ``deploy.get_config`` shows it, Trebuchet's defaults filled in.
        written: the part of the pillar that the repo was read from, and the ``site``: read again, it gives the same. It holds
            no credentials, since hosts keep it.
    """

    trebuchet: dict[str, Any]
    written: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)


def as_trebuchet(section: Any, keys: dict[str, Any], location: Path, url: str) -> dict[str, Any]:
    """A repo's section as ``deploy.get_config`` shows it.

    Args:
        section, keys: as it is written, and its checked values.
        location, url: what follows from them.
    """
    return {
        **_as_written(section, keys),
        "location": str(location),
        "shadow_location": str(location.with_name(f".{location.name}")),
        "url": url,
    }


def written(pillar: dict[str, Any], repos: dict[str, Any], name: str, site: str) -> dict[str, Any]:
    """The part of the pillar that the repo ``name`` is read from, ``repos`` being all sections, and the grain ``site``."""
    return {
        "site": site,
        "deployment_config": copy.deepcopy(table_of(pillar, "deployment_config")),
        "repo_config": {name: _without_secrets(copy.deepcopy(repos[name]))},
    }


def _without_secrets(section: Any) -> Any:
    return (
        {key: each for key, each in section.items() if key not in SECRET_KEYS}
        if isinstance(section, dict)
        else section
    )


def _as_written(section: Any, keys: dict[str, Any]) -> dict[str, Any]:
    """Every key as plain data: checked, or where it was made into something else, as it was written."""
    said = section if isinstance(section, dict) else {}
    written = {}
    for key, (default, _) in REPO_KEYS.items():
        plain = keys[key] is None or isinstance(keys[key], (str, int, float, list, dict))
        raw = default if said.get(key) is None else said[key]
        written[key] = keys[key] if plain else NOT_SHOWN if key in SECRET_KEYS else copy.deepcopy(raw)
    return written


def table_of(pillar: dict[str, Any], name: str) -> dict[str, Any]:
    """One of the pillar's tables; {} where it is not there.

    Raises:
        ConfigError: it is no table.
    """
    return mapping(pillar.get(name) or {}, name, "")


def mapping(value: Any, path: str, repo: str) -> dict[str, Any]:
    """What must be a table; {} where nothing is written.

    Raises:
        ConfigError: it is something else.
    """
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ConfigError("must be a table", repo=repo, path=path)
    return value


def checked(section: dict[str, Any], keys: dict[str, Key], path: str, repo: str) -> dict[str, Any]:
    """The values of a table, each by its own check, or the default.

    Args:
        keys: a table of :mod:`saltdeploy.config.schema`.
        path: where the section stands in the pillar.
        repo: its name; "" for what is of all.

    Raises:
        ConfigError: a key is unknown, or its value is wrong.
    """
    refuse_unknown(section, keys, path, repo)
    values = {}
    for key, (default, check) in keys.items():
        value = default if section.get(key) is None else section[key]
        try:
            values[key] = None if value is None else check(value)
        except ValueError as error:
            below = error.path if isinstance(error, Wrong) else ()
            said = "" if below or key in SECRET_KEYS else f"; it is {public(repr(value))[:80]}"
            raise ConfigError(
                f"{error}{said}",
                repo=repo,
                path=":".join([path, key, *below]),
                next="correct it in the pillar; docs/configuration.md has all keys",
            ) from None
    return values
