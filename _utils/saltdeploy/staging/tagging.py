"""Makes the tag by which a commit is deployed that has none: its name is free when it is made, whoever else makes one."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from saltdeploy.git.naming import NamingRepository
from saltdeploy.git.repository import Tag
from saltdeploy.lib.errors import GitFailed
from saltdeploy.lib.text import legible

_MOST_TRIES = 100
_NOT_IN_A_NAME = re.compile(r"[\x00-\x1f\x7f<>]+")


@dataclass(frozen=True)
class TagText:
    """What an annotated tag tells of a deploy.

    Attributes:
        user, host: who makes it, and on which master.
        time: seconds since the epoch.
        facts: what else, by name; what is empty is left out.
    """

    user: str
    host: str
    time: float
    facts: Mapping[str, str]

    @property
    def tagger(self) -> str:
        """As git writes it."""
        user = _NOT_IN_A_NAME.sub(" ", self.user).strip() or "unknown"
        host = _NOT_IN_A_NAME.sub(" ", self.host).strip()
        return f"{user} <{user.replace(' ', '.')}@{host}> {int(self.time)} +0000"

    def message(self, name: str) -> str:
        """The name, and a line for each fact."""
        lines = [f"{key}: {' '.join(legible(value).split())}" for key, value in self.facts.items() if value]
        return "\n".join([name, "", *lines])


def make_tag(
    mirror: NamingRepository, commit: str, choose: Callable[[Collection[str]], str], text: TagText
) -> Tag:
    """Make a tag of a commit that the mirror holds. Two callers never get the same name.

    Args:
        choose: a free name, where the mirror has these tags; asked again when somebody else was first.

    Raises:
        GitFailed: no tag can be made there.
        BadName: of ``choose``.
    """
    failed: GitFailed | None = None
    for _ in range(_MOST_TRIES):
        name = choose(mirror.tags())
        try:
            return mirror.create_tag(name, commit, text.tagger, text.message(name))
        except GitFailed as error:
            failed = error
    assert failed is not None
    raise failed
