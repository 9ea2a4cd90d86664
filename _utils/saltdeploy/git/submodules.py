"""Where a submodule's repository is: what ``.gitmodules`` says, seen from the repository above, rewritten by the pillar.

``.gitmodules`` is part of a release, and whoever writes it chooses what a host fetches. So it may name servers and
repositories beside its own; a path of the host itself only where the pillar leads there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from saltdeploy.git.command import settings
from saltdeploy.lib.errors import Corrupt
from saltdeploy.lib.text import public

MODULES = ".gitmodules"
MOST = 1 << 20  # bytes of it
_KEY = re.compile(r"submodule\.(.+)\.(path|url)", re.DOTALL)
_HELPER = re.compile(r"[A-Za-z0-9+.-]*::")
_DASH = re.compile(r"-|[a-z0-9+.-]+://([^/]*@)?-|[^/:]*@-", re.IGNORECASE)
_REMOTE = re.compile(r"(https?|ssh|git)://|(?![A-Za-z0-9+.-]+://)[^/:]+:")


@dataclass(frozen=True)
class Urls:
    """Where repositories are fetched from.

    Attributes:
        top: URL or path of the repo's own repository.
        rewrites: (begin of a URL, what stands there instead); the longest that fits is taken.
    """

    top: str
    rewrites: tuple[tuple[str, str], ...] = ()

    def of(self, said: str, above: str) -> str:
        """The URL of a submodule.

        Args:
            said: what ``.gitmodules`` says.
            above: the URL of the repository that has this ``.gitmodules``.

        Raises:
            Corrupt: it must not be fetched from.
        """
        is_relative = said.startswith(("./", "../"))
        url = _join(above, said) if is_relative else said
        fitting = [rule for rule in self.rewrites if url.startswith(rule[0])]
        if fitting:
            begin, instead = max(fitting, key=lambda rule: len(rule[0]))
            url = instead + url[len(begin) :]
        allowed = fitting or _REMOTE.match(url) or (is_relative and not _REMOTE.match(above))
        if not allowed or _DASH.match(url) or _HELPER.match(url):
            raise Corrupt(f"{public(url)!r} is no URL that a submodule may have")
        return url


def urls_in(data: bytes) -> dict[bytes, str]:
    """What ``.gitmodules`` says: path to URL.

    Raises:
        Corrupt: it cannot be read.
    """
    found: dict[str, dict[str, str]] = {}
    for key, value in settings(data).items():
        if (parts := _KEY.fullmatch(key)) is not None:
            found.setdefault(parts[1], {})[parts[2]] = value
    modules = (module for module in found.values() if module.keys() == {"path", "url"})
    return {
        module["path"].rstrip("/").encode("utf-8", "surrogateescape"): module["url"] for module in modules
    }


def below(said: dict[bytes, str], directory: str) -> dict[bytes, str]:
    """What ``.gitmodules`` says of a directory: path to URL, as seen from there."""
    above = f"{directory}/".encode() if directory else b""
    return {path[len(above) :]: url for path, url in said.items() if path.startswith(above)}


def _join(above: str, said: str) -> str:
    """A relative URL as git reads it: see git-submodule(1), ``add``."""
    base, joint = above.rstrip("/"), "/"
    while said.startswith(("./", "../")):
        step, said = said.split("/", 1)
        if step == "..":
            cut = max(base.rfind("/"), -1)
            if cut < 0:  # host:repository
                cut, joint = base.rfind(":"), ":"
            base = base[: max(cut, 0)]
    return f"{base}{joint}{said}"
