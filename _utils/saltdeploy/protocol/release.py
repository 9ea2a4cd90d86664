"""Names and tags: what is legal; and what a release is.

The rules for tags are git's own (``git check-ref-format``), with two more: no leading dash anywhere, so that
no name can be taken for an option, and only printable characters.
"""

from __future__ import annotations

import re
import urllib.parse
from dataclasses import dataclass
from typing import Any

from saltdeploy.lib.errors import BadName

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_REPO_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*")
#: Between a repo and its environment: ``site@staging``.
SEPARATOR = "@"
_TAG_FORBIDDEN = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//")
_HOST_FORBIDDEN = re.compile(r"[\x00-\x20\x7f/\\]")
_DEPLOY = re.compile(r"[0-9]{20}(_[0-9]+)?")
_LONGEST = 200


@dataclass(frozen=True)
class Release:
    """One release of a repo.

    Attributes:
        repo: the repo's name.
        tag: the deploy tag.
        commit: the commit that the tag meant when it was resolved; 40 or 64 hexadecimal digits.
    """

    repo: str
    tag: str
    commit: str

    def to_wire(self) -> dict[str, str]:
        """The release as plain data."""
        return {"repo": self.repo, "tag": self.tag, "commit": self.commit}

    @classmethod
    def from_wire(cls, data: dict[str, Any]) -> Release:
        """Rebuild and check a release that crossed a host boundary.

        Raises:
            BadName: when a part is missing or not legal.
        """
        repo, tag, commit = (data.get(key) for key in ("repo", "tag", "commit"))
        if not isinstance(repo, str) or not isinstance(tag, str) or not isinstance(commit, str):
            raise BadName("a release without a repo, a tag or a commit")
        return cls(check_repo(repo), check_tag(tag), check_commit(commit))


def check_repo(name: str) -> str:
    """Return ``name`` when it is a legal repo name: path parts of letters, digits and ``_ . + -``; behind ``@`` an environment.

    Raises:
        BadName: otherwise.
    """
    plain, at, env = name.partition(SEPARATOR)
    parts = [*plain.split("/"), *([env] if at else [])]
    if len(name) > _LONGEST or not all(_REPO_PART.fullmatch(part) for part in parts):
        raise BadName(
            f"{name[:_LONGEST]!r} is not a legal repo name",
            next="use letters, digits and _ . + - in parts divided by /, and perhaps one @ with an environment; no part "
            "begins with . or -",
        )
    return name


def base_of(repo: str) -> str:
    """The repo that an environment is of: ``site`` of ``site@staging``; the name itself of any other."""
    return repo.partition(SEPARATOR)[0]


def check_tag(tag: str) -> str:
    """Return ``tag`` when git and this project accept it as a tag's name.

    Raises:
        BadName: otherwise; the hint speaks of colons where there are any, since times tempt to use them.
    """
    parts = tag.split("/")
    bad_part = any(p == "" or p.startswith((".", "-")) or p.endswith((".lock", ".")) for p in parts)
    if not tag.isprintable() or _too_long(tag) or tag == "@" or bad_part or _TAG_FORBIDDEN.search(tag):
        hint = "see git help check-ref-format; no part begins with a dash"
        if ":" in tag:
            hint = f"git allows no colon in a tag; try {tag.replace(':', '')[:_LONGEST]!r}"
        raise BadName(f"{tag[:_LONGEST]!r} is not a legal tag", next=hint)
    return tag


def _too_long(name: str, most: int = _LONGEST) -> bool:
    """Counted in bytes, as file systems do."""
    return len(name.encode("utf-8", "replace")) > most


def check_commit(commit: str) -> str:
    """Return ``commit`` when it is a full commit id, in lower case.

    Raises:
        BadName: otherwise.
    """
    if not _COMMIT.fullmatch(commit):
        raise BadName(f"{commit[:80]!r} is not a full commit id")
    return commit


def check_deploy(deploy: str) -> str:
    """Return ``deploy`` when it is the id of a deploy: a job id of Salt.

    Raises:
        BadName: otherwise.
    """
    if not _DEPLOY.fullmatch(deploy):
        raise BadName(
            f"{deploy[:40]!r} is not the id of a deploy",
            next="salt-run deploy.overview --out=yaml tells the deploys of all repos",
        )
    return deploy


def check_host(host: str) -> str:
    """Return ``host`` when it can be a minion id that is safe in a path, a tag and on a terminal.

    Raises:
        BadName: otherwise.
    """
    if (
        not host
        or _too_long(host, 255)
        or host in (".", "..")
        or _HOST_FORBIDDEN.search(host)
        or not host.isprintable()
    ):
        raise BadName(f"{host[:80]!r} is not a legal host name")
    return host


def file_name(repo: str) -> str:
    """One file name for a repo whose name may hold slashes; reversible and without collisions.

    >>> file_name("mediawiki/slot0")
    'mediawiki%2Fslot0'
    """
    return urllib.parse.quote(check_repo(repo), safe="")


def repo_of(name: str) -> str:
    """The repo whose :func:`file_name` this is.

    >>> repo_of("mediawiki%2Fslot0")
    'mediawiki/slot0'
    """
    return check_repo(urllib.parse.unquote(name))
