"""The table of tag schemes: what operators write at ``tag_scheme``, and where the scheme is. Packages may add rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from saltdeploy.config.plugins import Table
from saltdeploy.lib.errors import ConfigError

DEFAULT = "release"


@dataclass(frozen=True)
class TagSchemeRow:
    """One scheme.

    Attributes:
        name: what operators write.
        place: ``package.module:function``, called as ``function(tags, repo, now, part)`` with the tags that there are, the
            repo's name, an aware datetime, and ``patch``, ``minor``, ``major`` or ""; it returns the tag that comes next.
        example: of a tag.
    """

    name: str
    place: str
    example: str = ""


TABLE = Table(
    "tag scheme",
    "saltdeploy.schemes",
    TagSchemeRow,
    (
        TagSchemeRow("release", "saltdeploy.staging.schemes:release", "release/2026-11-23/1"),
        TagSchemeRow("semver", "saltdeploy.staging.schemes:semver", "v1.2.3"),
        TagSchemeRow("scap", "saltdeploy.staging.schemes:scap", "scap/sync/2026-11-23/0001"),
        TagSchemeRow("sync", "saltdeploy.staging.schemes:sync", "mediawiki-sync-20261123-120000"),
        TagSchemeRow("timestamp", "saltdeploy.staging.schemes:timestamp", "scap_2026-11-23T12-00-00Z"),
    ),
)


def scheme(value: Any) -> str:
    """A reader of ``tag_scheme`` in the pillar."""
    try:
        if isinstance(value, str) and TABLE.find(value):
            return value
    except ConfigError as error:  # of a broken package
        raise ValueError(str(error)) from None
    hint = "; a tag cannot hold a colon: timestamp is the scheme of times" if ":" in str(value) else ""
    raise ValueError(f"must be one of {', '.join(TABLE.names())}{hint}")
