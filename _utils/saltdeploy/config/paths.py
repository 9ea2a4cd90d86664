"""Where a repo lies on a target: its live path, what is kept beside it, and that no two repos are in each other's way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from saltdeploy.lib.disk import is_below, literal
from saltdeploy.lib.errors import ConfigError


def area(location: Path) -> Path:
    """Where everything of a repo lies that is not live, beside its location."""
    return location.with_name(f".{location.name}.deploy")


def refuse_nesting(name: str, location: Path, repos: dict[str, Any], parent_dir: str) -> None:
    """See to it that no two repos overwrite each other.

    Args:
        name, location: of one repo.
        repos: the sections of all.
        parent_dir: where those without a location of their own live.

    Raises:
        ConfigError: two locations lie in each other.
    """
    for other, section in repos.items():
        said = section.get("location") if isinstance(section, dict) else None
        theirs = Path(literal(said if isinstance(said, str) and said else f"{parent_dir}/{other}"))
        if other != name and theirs.name and _overlap(location, theirs):
            raise ConfigError(
                f"{location} and {theirs} (repo {other}) lie in each other; releases would overwrite each other",
                repo=name,
                path=f"repo_config:{name}:location",
                next="give one of the two a location of its own",
            )


def _overlap(one: Path, other: Path) -> bool:
    """Whether one of the two locations, or what is kept beside it, lies in what the other has."""
    return any(
        mine == theirs or is_below(mine, theirs) or is_below(theirs, mine)
        for mine in (one, area(one))
        for theirs in (other, area(other))
    )
