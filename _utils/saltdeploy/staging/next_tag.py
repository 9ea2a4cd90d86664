"""The tag that a repo's next release gets. Nothing is made of it here, so two who ask may be told the same."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from saltdeploy.config.plugins import resolve
from saltdeploy.config.tag_schemes import TABLE
from saltdeploy.lib.errors import BadArguments, BadName
from saltdeploy.protocol.release import check_tag


def next_tag(repo: str, tags: Collection[str], scheme: str, part: str, now: datetime) -> str:
    """What comes next.

    Args:
        repo: the repo's name.
        tags: all that there are.
        scheme: the name of one of the schemes.
        part: ``patch``, ``minor`` or ``major``, for ``semver``; "" for the least.
        now: with a time zone.

    Raises:
        BadArguments: there is no such scheme, or it takes no such part.
        BadName: what comes next is no legal tag, or git cannot have it beside one that there is.
        ConfigError: the scheme of another package cannot be used.
    """
    row = TABLE.find(scheme)
    if row is None:
        hint = f"salt-run deploy.next_tag repo={repo} scheme={'timestamp' if ':' in scheme else 'release'}"
        raise BadArguments(f"scheme={scheme} is none of {', '.join(TABLE.names())}", repo=repo, next=hint)
    if part and scheme in TABLE.built_in and scheme != "semver":
        raise BadArguments(
            f"scheme {scheme} has no {part} versions",
            repo=repo,
            next=f"salt-run deploy.next_tag repo={repo} scheme=semver next={part}",
        )
    tag = check_tag(str(resolve(row.place, f"tag scheme {scheme}")(tags, repo, now, part)))
    _refuse_conflict(repo, tag, tags)
    return tag


def _refuse_conflict(repo: str, tag: str, tags: Collection[str]) -> None:
    """Git keeps a tag as a file: there cannot be a directory of its name as well."""
    words = tag.split("/")
    above = {"/".join(words[:count]) for count in range(1, len(words) + 1)}
    for other in sorted(tags):
        if other in above or other.startswith(f"{tag}/"):
            raise BadName(
                f"git cannot have the tag {tag} beside the tag {other}",
                repo=repo,
                next=f"git tag {other}-1 {other} && git tag -d {other}, if nobody needs it by its name",
            )
