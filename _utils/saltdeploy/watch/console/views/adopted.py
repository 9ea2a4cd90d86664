"""What hosts have taken over into what their releases share."""

from __future__ import annotations

from saltdeploy.watch.console.views import answers
from saltdeploy.watch.console.views.common import View, part, repo
from saltdeploy.watch.text import clean, hosts, natural

_WIDTH = 11  # columns
_LONGEST = 500  # characters
_KNOWN = ("moved", "copied", "linked", "there_already", "not_found")


def adopted(view: View, now: float, colour: bool) -> list[str]:
    """The view ``adopted``."""
    found = view["hosts"] if isinstance(view.get("hosts"), dict) else {}
    lines: list[str] = []
    fine = 0
    for name in sorted(found, key=lambda each: natural(clean(each, 255))):
        answer = found[name] if isinstance(found[name], dict) else {}
        if not answer:
            lines.append(f"{'UNREACHABLE':<{_WIDTH}} {clean(name, 255)}: no answer")
        elif answer.get("status") != 0:
            lines += answers.lines(answer)
        else:
            fine += 1
            lines.append(f"{'ok':<{_WIDTH}} {clean(name, 255)}: {_told(part(answer, 'facts'))}")
    return [*lines, "", f"{repo(view)}: {fine}/{hosts(len(found))} have taken over what they share"]


def _told(facts: View) -> str:
    said = [
        f"{kind.replace('_', ' ')} {text}" for kind in _KNOWN if (text := clean(facts.get(kind), _LONGEST))
    ]
    return "; ".join(said) or "nothing to take over"
