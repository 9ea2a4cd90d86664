"""What metric checks measured before a release was first deployed; kept until it is live everywhere.

A second try of the same release is compared with the same numbers: what the first try had broken must not have
become the measure of what is usual.
"""

from __future__ import annotations

from saltdeploy import durable
from saltdeploy.master.store import BASELINES, Records, Store
from saltdeploy.release import Release


class Baselines:
    """The baselines of all releases that were begun and are not live everywhere."""

    def __init__(self, store: Store) -> None:
        self._records = Records(store, BASELINES, durable.fields(values=dict))

    def of(self, release: Release) -> dict[str, float | None]:
        """Check to number; empty for a release that was never begun. None where there was no number to be had."""
        known = self._records.get(_name(release)).get("values", {})
        return {str(check): value for check, value in known.items()}

    def keep(self, release: Release, values: dict[str, float | None]) -> None:
        """Note what was measured."""
        if values:
            self._records.put(_name(release), {"values": values})

    def forget(self, release: Release) -> None:
        """The release is what is usual now."""
        self._records.drop(_name(release))


def _name(release: Release) -> str:
    return f"{release.repo} {release.commit}"
