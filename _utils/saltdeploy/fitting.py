"""Which transports a layout takes, where not every one will do."""

from __future__ import annotations

from saltdeploy.errors import ConfigError

_TAKES = {"overlay": ("squashfs",)}


def refuse_unfit(transport: str, layout: str, repo: str) -> None:
    """See to it that a layout can make something of what a transport brings.

    Raises:
        ConfigError: it cannot.
    """
    takes = _TAKES.get(layout, (transport,))
    if transport not in takes:
        raise ConfigError(
            f"layout {layout} can make nothing of what transport {transport} brings",
            repo=repo,
            path=f"repo_config:{repo}:transport",
            next=f"set transport to {' or '.join(takes)}, or layout to slots",
        )
