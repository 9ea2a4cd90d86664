"""How one begins, and what is wrong with a set-up."""

from __future__ import annotations

from saltdeploy.lib.spelling import argument
from saltdeploy.watch.console.views.common import View, called, cell, listed, views
from saltdeploy.watch.text import clean, hosts, natural, some

_BECAME = {
    "printed": "{path} ({what}):",
    "written": "{path} ({what}) is written:",
    "exists": "{path} ({what}) is there already, and stays as it is; add this to it:",
    "present": "{what}: nothing to do, it is there",
}
_MOST_TEXT = 20_000
_BELOW = " " * 12
_ITS = "salt {host} "  # what is done at a host, when several have the same


def scap(view: View, now: float, colour: bool) -> list[str]:
    """The view ``scap``: the pillar, and below it what is not in it."""
    lines = []
    for each in views(view.get("left")):
        value = f" {clean(each.get('value'), 200)}" if clean(each.get("value")) else ""
        lines.append(f"{clean(each.get('key'), 300)}{value}: {clean(each.get('why'), 1000)}")
        if act := clean(each.get("next"), 1000):
            lines.append(f"{_BELOW}Instead: {act}")
    read = [f"# read: {clean(each, 500)}" for each in listed(view.get("read"))]
    left = ["Not carried over:", "", *lines, ""] if lines else ["All of it is carried over.", ""]
    return [*read, "", *_pieces(view), *left, *_nexts(view)]


def init(view: View, now: float, colour: bool) -> list[str]:
    """The view ``init``."""
    return [*_pieces(view), *_nexts(view)]


def _nexts(view: View) -> list[str]:
    return ["Next:", *(f"    {each}" for each in called(view.get("next")))]


def _pieces(view: View) -> list[str]:
    lines: list[str] = []
    for piece in views(view.get("pieces")):
        words = {key: cell(piece.get(key)) for key in ("path", "what")}
        lines += [_BECAME.get(cell(piece.get("state")), "{path}:").format(**words)]
        if piece.get("state") != "present":
            lines += [
                "",
                *(_indented(line) for line in str(piece.get("text"))[:_MOST_TEXT].split("\n")),
            ]
    return [*lines, *([""] if lines and lines[-1].strip() else [])]


def _indented(line: str) -> str:
    """A line of YAML, whose indentation counts."""
    depth = len(line) - len(line.lstrip(" "))
    return f"    {' ' * min(depth, 40)}{clean(line, 500)}".rstrip()


def doctor(view: View, now: float, colour: bool) -> list[str]:
    """The view ``doctor``: a line for each check, and below it what is wrong; hosts with the same thing together."""
    lines = []
    states = [clean(each.get("state"), 20) for each in views(view.get("checks"))]
    for check in views(view.get("checks")):
        name, state = cell(check.get("name")), clean(check.get("state"), 20)
        reason = f" ({clean(check.get('reason'), 500)})" if clean(check.get("reason")) else ""
        lines.append(f"{state:<10}  {name}{reason}")
        lines += _wrong(view, name)
    hosts_told, repos_told = len(listed(view.get("hosts"))), len(listed(view.get("repos")))
    looked = f"{repos_told} {'repo' if repos_told == 1 else 'repos'}, {hosts(hosts_told)}"
    counted = ", ".join(f"{states.count(state)} {state}" for state in ("ok", "wrong", "cannot say"))
    lines += ["", f"{counted}: {looked}"]
    again = f" {argument('repo', clean(view.get('repo'), 200))}" if clean(view.get("repo")) else ""
    if "wrong" in states:
        lines.append(f"Next: mend the first thing that is wrong, then salt-run deploy.doctor{again}")
    return lines


def _wrong(view: View, check: str) -> list[str]:
    """What a check has found."""
    found: dict[tuple[str, ...], list[str]] = {}
    for each in views(view.get("findings")):
        if cell(each.get("check")) != check:
            continue
        host = clean(each.get("host"), 255) or "-"
        mend = clean(each.get("next"), 2000).replace(f"salt '{host}' ", _ITS)
        where = "master" if each.get("on_master") is True else ""
        key = (
            where,
            clean(each.get("repo"), 200),
            clean(each.get("cause"), 2000),
            clean(each.get("by_hand"), 1000),
            mend,
        )
        found.setdefault(key, []).append(host)
    return [line for key, names in found.items() for line in _lines(key, sorted(set(names), key=natural))]


def _lines(key: tuple[str, ...], names: list[str]) -> list[str]:
    master, repo, cause, by_hand, mend = key
    target = f"'{names[0]}'" if len(names) == 1 else f"-L '{','.join(names)}'"
    about = f", repo {repo}" if repo else ""
    lines = [f"{_BELOW}{master or some(names)}{about}: {cause}"]
    if by_hand:
        lines.append(f"{_BELOW}By hand: {by_hand}{', then' if mend else ''}")
    if mend:
        lines.append(f"{_BELOW}Mend: {mend.replace(_ITS, f'salt {target} ')}")
    return lines
