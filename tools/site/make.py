"""Builds the docs site out of the pages of the checkout and the docstrings of the doors: ``make docs``.

The pages keep their places to each other, so that their links lead where they lead in the checkout. A link that leads
nowhere, or a heading that is not there, ends it with an error.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tools.site.reference import KINDS, page

CHECKOUT = Path(__file__).resolve().parent.parent.parent
#: What pages lead to, and the site shows.
SHOWN = (
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "LICENSE",
    "docs",
    "formula",
    "pillar",
)


def version() -> str:
    """The one that the package says."""
    found = re.search(
        r'^__version__ = "(.+)"$', (CHECKOUT / "_utils/saltdeploy/__init__.py").read_text(), re.M
    )
    assert found
    return found[1]


def lay_out(directory: Path) -> None:
    """Put together what Sphinx reads."""
    for name in SHOWN:
        source = CHECKOUT / name
        if source.is_dir():
            shutil.copytree(source, directory / name)
        else:
            shutil.copy(source, directory / name)
    reference = directory / "reference"
    reference.mkdir()
    for kind in KINDS:
        (reference / f"{kind.directory.strip('_')}.rst").write_text(page(kind, CHECKOUT))
    with (directory / "README.md").open("a") as readme:
        readme.write(contents(directory))


def contents(directory: Path) -> str:
    """The table of contents at the side: pages in the README's order, then the reference."""
    listed = list(
        dict.fromkeys(re.findall(r"\]\((docs/[\w-]+)\.md\)", (directory / "README.md").read_text()))
    )
    others = [f"docs/{path.stem}" for path in sorted((directory / "docs").glob("*.md"))]
    reference = [f"reference/{kind.directory.strip('_')}" for kind in KINDS]
    pages = [*listed, *(name for name in others if name not in listed), *reference]
    return "\n".join(
        ["", "```{toctree}", ":hidden:", "", *pages, "SECURITY", "CONTRIBUTING", "CHANGELOG", "```", ""]
    )


def main() -> int:
    """Build it; the exit status is Sphinx's."""
    parser = argparse.ArgumentParser(description="Build the docs site.")
    parser.add_argument("directory", type=Path, help="where the pages go; what is there is replaced")
    asked = parser.parse_args()
    shutil.rmtree(asked.directory, ignore_errors=True)
    with tempfile.TemporaryDirectory() as name:
        source = Path(name) / "site"
        source.mkdir()
        lay_out(source)
        command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html"]
        command += [
            "-c",
            str(Path(__file__).parent),
            "-d",
            str(Path(name) / "trees"),
            str(source),
            str(asked.directory),
        ]
        status = subprocess.run(command, env={**os.environ, "SALTDEPLOY_VERSION": version()}).returncode
    if not status:
        shutil.copy(asked.directory / "README.html", asked.directory / "index.html")
        print(f"the site is at {asked.directory / 'index.html'}")
    return status


if __name__ == "__main__":
    sys.exit(main())
