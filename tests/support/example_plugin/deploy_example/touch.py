"""Signal ``touch``: a file that a server watches is touched, as uWSGI's ``touch-reload`` has it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from saltdeploy.checks.base import CheckContext


def touch(options: Mapping[str, Any], place: CheckContext) -> str:
    """Touch ``path``, and write into it which release is there."""
    path = Path(options["path"])
    path.write_text(place.environment["DEPLOY_TAG"])
    return f"touched {path}"
