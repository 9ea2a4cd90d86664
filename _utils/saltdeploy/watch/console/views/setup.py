"""How one begins, and what is wrong with a set-up."""

from __future__ import annotations

from saltdeploy.watch.console.views.common import View, called, cell, listed, views
from saltdeploy.watch.text import clean, count, hosts, natural, some

_BECAME = {
    "printed": "{path} ({what}):",
    "written": "{path} ({what}) is written:",
    "exists": "{path} ({what}) is there already, and stays as it is; add this to it:",
    "present": "{what}: nothing to do, it is there",
}
_MOST_TEXT = 20_000


def init(view: View, now: float, colour: bool) -> list[str]:
    """The view ``init``."""
    lines: list[str] = []
    for piece in views(view.get("pieces")):
        words = {key: cell(piece.get(key)) for key in ("path", "what")}
        lines += [_BECAME.get(cell(piece.get("state")), "{path}:").format(**words)]
        if piece.get("state") != "present":
            lines += [
                "",
                *(f"    {clean(line, 500)}" for line in str(piece.get("text"))[:_MOST_TEXT].split("\n")),
            ]
    return [
        *lines,
        *([""] if lines and lines[-1].strip() else []),
        "Next:",
        *(f"    {each}" for each in called(view.get("next"))),
    ]


def doctor(view: View, now: float, colour: bool) -> list[str]:
    """The view ``doctor``: a line for each thing that is wrong, hosts with the same one together."""
    found: dict[tuple[str, str, str, bool], list[str]] = {}
    for each in views(view.get("findings")):
        key = (
            clean(each.get("repo"), 200),
            clean(each.get("cause"), 2000),
            clean(each.get("next"), 1000).replace(
                f"salt '{clean(each.get('host'), 255)}' ", "salt '{host}' "
            ),
            each.get("on_master") is True,
        )
        found.setdefault(key, []).append(clean(each.get("host"), 255) or "-")
    lines = [_line(key, sorted(set(names), key=natural)) for key, names in found.items()]
    looked = f"{count(view.get('checks'))} checks, {len(called(view.get('repos')))} repos, {hosts(len(listed(view.get('hosts'))))}"
    if not lines:
        return [f"nothing is wrong: {looked}"]
    again = f" repo={cell(view.get('repo'))}" if clean(view.get("repo")) else ""
    return [
        *lines,
        "",
        f"{len(lines)} {'thing is' if len(lines) == 1 else 'things are'} wrong ({looked})",
        f"Next: mend the first one, then salt-run deploy.doctor{again}",
    ]


def _line(key: tuple[str, str, str, bool], names: list[str]) -> str:
    repo, cause, mend, on_master = key
    where = "master" if on_master else some(names)
    target = f"'{names[0]}'" if len(names) == 1 else f"-L {','.join(names)}"
    command = mend.replace("'{host}'", target)
    return f"{where}{f', repo {repo}' if repo else ''}: {cause}. Mend: {command}"
