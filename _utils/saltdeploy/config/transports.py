"""What goes with which layout, where not everything will do; and what ``auto`` chooses from."""

from __future__ import annotations

from saltdeploy.config.rollout import AUTO
from saltdeploy.lib.errors import ConfigError

#: Of these the master chooses when it is told to; the others need servers, of which it knows nothing.
CHOSEN_FROM = ("bundle", "tar", "delta", "squashfs")
_TAKES = {"overlay": ("squashfs", "bundle", "git"), "inplace": ("bundle", "git")}


def refuse_unfit(transport: str, layout: str, repo: str, *path: object) -> None:
    """See to it that a layout can make something of what a transport brings.

    Args:
        path: keys from the repo's section down to where the transport is named; ``transport`` if it is left out.

    Raises:
        ConfigError: it cannot.
    """
    takes = _TAKES.get(layout, (transport,))
    if transport not in (*takes, AUTO):
        raise ConfigError(
            f"layout {layout} can make nothing of what transport {transport} brings",
            repo=repo,
            path=":".join(["repo_config", repo, *map(str, path or ("transport",))]),
            next=f"set transport to {' or '.join(takes)}, or layout to slots",
        )


def refuse_unseen(visible: int, layout: str, repo: str) -> None:
    """See to it that a layout can show several releases at once where that is wanted.

    Raises:
        ConfigError: it cannot.
    """
    if visible > 1 and layout != "overlay":
        raise ConfigError(
            f"layout {layout} shows one release at a time",
            repo=repo,
            path=f"repo_config:{repo}:visible_releases",
            next="leave it out, or set layout to overlay",
        )


def candidates(layout: str) -> tuple[str, ...]:
    """What ``transport: auto`` can mean, the usual one first."""
    fit = _TAKES.get(layout, CHOSEN_FROM)
    return tuple(name for name in CHOSEN_FROM if name in fit)


def usual(transport: str, layout: str) -> str:
    """A transport by its own name: where nothing was chosen for a host, ``auto`` means the usual one."""
    return candidates(layout)[0] if transport == AUTO else transport
