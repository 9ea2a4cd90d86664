"""The person at the terminal: messages go to stderr, the prompt to stdout, as Trigger had it."""

from __future__ import annotations

import sys
from collections.abc import Iterable

PROMPT = "Continue? ([d]etailed/[C]oncise report,[y]es,[n]o,[r]etry): "


class Operator:
    """Who has typed the command."""

    def tell(self, *lines: str) -> None:
        """Show lines."""
        for line in lines:
            print(line, file=sys.stderr, flush=True)

    def show(self, lines: Iterable[str]) -> None:
        """Show what was asked for, so that another program may read it."""
        for line in lines:
            print(line, flush=True)

    def answer(self, prompt: str) -> str | None:
        """What they type at a prompt; None when nobody types any more."""
        sys.stderr.flush()
        try:
            return input(prompt).strip()
        except EOFError:
            print(flush=True)
            return None
