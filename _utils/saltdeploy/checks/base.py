"""What the kinds of checks share: where a check runs and what it found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PASS, FAIL, INCONCLUSIVE = "pass", "fail", "inconclusive"


@dataclass(frozen=True)
class Response:
    """What a web server answered; ``status`` 0 when it did not, and then ``body`` says why."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""


@dataclass(frozen=True)
class CheckContext:
    """Where a check runs.

    Attributes:
        call: calls a Salt function: ``call(name, arguments, keywords)``.
        get: asks a web server: ``get(url, headers, timeout in seconds)``.
        directory: the release's tree, which commands run in; None on the master.
        environment: further variables for commands (scap's ``SCAP_...``).
    """

    call: Callable[[str, list[Any], dict[str, Any]], Any]
    get: Callable[[str, Mapping[str, str], float], Response]
    directory: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Verdict:
    """What a check found.

    Attributes:
        word: :data:`PASS`, :data:`FAIL` or :data:`INCONCLUSIVE`.
        text: one short sentence; for a command its exit code and the last lines that it said.
    """

    word: str
    text: str = ""

    @property
    def ok(self) -> bool:
        """Whether the deploy may go on."""
        return self.word == PASS
