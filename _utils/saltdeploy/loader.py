"""Tells Salt where the doors lie when the package was installed with pip (entry point ``salt.loader``).

Not used with ``module_dirs`` or ``saltutil.sync_all``: there Salt finds the doors by itself.
"""

from __future__ import annotations

from pathlib import Path

KINDS = ("modules", "runners", "states", "pillar", "fileserver", "engines", "output", "grains", "returners")


def dirs() -> dict[str, list[str]]:
    """The directory of each kind of door.

    Returns:
        Salt's loader type -> a list of one directory: inside the package, or, in an editable install,
        beside it.
    """
    package = Path(__file__).resolve().parent
    checkout = package.parent.parent
    places = {kind: (package / kind, checkout / f"_{kind}") for kind in KINDS}
    return {kind: [str(place) for place in pair if place.is_dir()][:1] for kind, pair in places.items()}
