"""Makes the repository that the demo deploys: a small web site with three tagged releases.

Between them files appear, change and go, a symbolic link turns, a script becomes executable, a file becomes a
directory: what real releases do. The last one is broken, and a check sees it on the first host that takes it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

TAGS = ["v1", "v2", "v3"]
#: What the pillar of the demo says of it: one host goes first, and a check fails there with the last release.
ROLLOUT = {
    "groups": [{"name": "canary", "targets": "web1", "targets_type": "list"}, {"name": "rest"}],
    "checks": {"version": {"type": "command", "after": "checkout", "command": ["cat", "VERSION"]}},
}
_TOPICS = ["apes", "bees", "cats", "dogs", "eels", "frogs", "geese", "hares", "ibis", "jays", "kites", "lynx"]
_LANGUAGES = ["de", "en", "es", "fr", "ja", "pl"]


def make(directory: Path) -> None:
    """Write the repository into ``directory``, which must not exist yet."""
    _git(directory.parent, "init", "--quiet", "--", str(directory))
    for tag, release in zip(TAGS, (_first, _second, _third), strict=True):
        release(directory)
        _git(directory, "add", "--all")
        _git(directory, "commit", "--quiet", "--message", f"Release {tag}")
        _git(directory, "tag", "--annotate", "--message", f"Release {tag}", tag)


def _first(site: Path) -> None:
    _write(site / "index.html", _page("Animals", "\n".join(f'<a href="/{t}/">{t}</a>' for t in _TOPICS)))
    for topic in _TOPICS:
        _write(site / topic / "index.html", _page(topic, f"All about {topic}. " * 40))
        for language in _LANGUAGES:
            _write(site / topic / f"{language}.json", f'{{"title": "{topic}", "language": "{language}"}}\n')
    for theme, colour in (("day", "#fff"), ("night", "#111")):
        _write(site / "themes" / theme / "style.css", f"body {{ background: {colour}; margin: 2em }}\n")
    (site / "theme").symlink_to("themes/day")
    _write(site / "bin" / "warm-cache", "#!/bin/sh\nexec true\n")
    _write(site / "VERSION", "1\n")
    (site / "logo.bin").write_bytes(bytes(range(256)) * 200)


def _second(site: Path) -> None:
    for topic in _TOPICS[:4]:
        _write(site / topic / "index.html", _page(topic, f"More about {topic}. " * 60))
    shutil.rmtree(site / "lynx")
    _write(site / "moles" / "index.html", _page("moles", "New here. " * 20))
    (site / "theme").unlink()
    (site / "theme").symlink_to("themes/night")
    (site / "bin" / "warm-cache").chmod(0o755)
    _write(site / "VERSION", "2\n")


def _third(site: Path) -> None:
    (site / "VERSION").unlink()
    _write(site / "VERSION" / "number", "3\n")
    _write(
        site / "apes" / "index.html", _page("apes", "This release is broken: VERSION is a directory. " * 10)
    )
    for topic in _TOPICS[:11]:
        (site / topic / "ja.json").unlink()


def _page(title: str, body: str) -> str:
    return f"<!doctype html>\n<title>{title}</title>\n<h1>{title}</h1>\n<p>{body}</p>\n"


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def _git(directory: Path, *arguments: str) -> None:
    name = {"NAME": "Demo", "EMAIL": "demo@example.org", "DATE": "2026-11-23T12:00:00Z"}
    who = {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in name.items()}
    # nobody's own hooks, signatures or line ends
    alone = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    subprocess.run(["git", *arguments], cwd=directory, env={**os.environ, **who, **alone}, check=True)
