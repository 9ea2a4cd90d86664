"""Renders the configuration files of a release on this host, checks them, and lets a tree lead to them."""

from __future__ import annotations

import difflib
import os
import re
import shlex
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from saltdeploy.config import Repo
from saltdeploy.config.config_files import FILE, ConfigFile
from saltdeploy.layouts import Layout, rendered
from saltdeploy.lib import process as processes
from saltdeploy.lib.errors import BadConfigFile, Corrupt, DeployError
from saltdeploy.minion.checks import CheckSite
from saltdeploy.protocol.release import Release

_WITHIN = 60.0  # seconds for one template, or one check
_LARGEST = 1 << 20  # bytes of a template
_MOST_LINES = 60  # of a difference
#: Lines of which a plan shows no values, whoever has written them.
_SECRET = re.compile(r"(?i)(pass(word|wd|phrase)?|secret|token|credential|api_?key|private_?key)\b\W*[=:]")

Rendered = dict[str, tuple[int, bytes]]


def bring(
    repo: Repo, release: Release, layout: Layout, site: CheckSite, *, as_it_was: bool
) -> dict[str, Any]:
    """Render the files for a release that is on disk, check them, and let its tree lead to them.

    What is live is left alone; a tree that has its files keeps them where the release goes live as it was.

    Args:
        as_it_was: the release is gone back to.

    Returns:
        Facts: ``rendered`` is how many files.

    Raises:
        BadConfigFile: a template does not render, or a check fails.
    """
    tree = layout.tree(release.commit) if repo.paths.config_files else None
    if tree is None:
        return {}
    holdings = layout.holdings()
    has = rendered.noted(repo, release.commit)
    if has is not None and (as_it_was or holdings.live == release.commit):
        has.link(tree)
        return {}
    put(repo, release, layout, site, tree)
    rendered.forget(repo, {release.commit, *holdings.held, holdings.live, holdings.previous})
    return {"rendered": len(repo.paths.config_files)}


def put(repo: Repo, release: Release, layout: Layout, site: CheckSite, tree: Path) -> None:
    """Render the files anew, and let a tree lead to them; each of its links changes by one rename.

    Raises:
        BadConfigFile: nothing has changed.
    """
    files = render(repo, release, site, lambda file: _template(file, release, layout, site))
    for file in repo.paths.config_files:
        _check(file, files[file.path][1], site, tree)
    rendered.put(repo, release.commit, tree, rendered.store(repo, files))


def render(repo: Repo, release: Release, site: CheckSite, template: Callable[[ConfigFile], str]) -> Rendered:
    """The files, each with its mode and contents.

    Args:
        template: of a file.
    """
    return {
        file.path: (file.mode, _rendered(file, template(file), repo, release, site))
        for file in repo.paths.config_files
    }


def _template(file: ConfigFile, release: Release, layout: Layout, site: CheckSite) -> str:
    if file.of_salt:
        return _of_salt(file, site)
    try:
        data = layout.read(release.commit, file.template, _LARGEST)
    except Corrupt as error:
        raise _bad(file, f"its template {file.template} in the release: {error.cause}", site) from error
    if data is None:
        raise _bad(file, f"the release has no template {file.template}", site)
    return data.decode("utf-8", "surrogateescape")


def _of_salt(file: ConfigFile, site: CheckSite) -> str:
    said = _called(file, site, "cp.get_file_str", [file.template])
    if not isinstance(said, str):
        raise _bad(file, f"the master's file server has no {file.template}", site)
    return said


def _rendered(file: ConfigFile, text: str, repo: Repo, release: Release, site: CheckSite) -> bytes:
    variables = {
        "repo": repo.name,
        "tag": release.tag,
        "commit": release.commit,
        "host": site.host.name,
        "group": site.group,
        **dict(file.vars),
    }
    said = _called(file, site, "file.apply_template_on_contents", [text, file.engine, variables, {}, "base"])
    if not isinstance(said, str):
        comment = said.get("comment") if isinstance(said, dict) else said
        raise _bad(file, f"{file.template} cannot be rendered: {comment}", site)
    return said.encode("utf-8", "surrogateescape")


def _called(file: ConfigFile, site: CheckSite, function: str, arguments: list[Any]) -> Any:
    """What a function of Salt answers; a template that hangs is killed."""
    try:
        return processes.call(lambda: site.host.call(function, arguments, {}), _WITHIN)
    except processes.Overran:
        raise _bad(file, f"{file.template} had not been rendered after {_WITHIN:g} seconds", site) from None
    except processes.Raised as error:
        why = "it holds secrets, so the error is not shown" if file.secret else str(error)[:1000]
        raise _bad(file, f"{file.template} cannot be rendered: {why}", site) from None


def _check(file: ConfigFile, data: bytes, site: CheckSite, tree: Path) -> None:
    if not file.check:
        return
    with tempfile.TemporaryDirectory(prefix="saltdeploy-") as place:
        path = Path(place, os.path.basename(file.path))
        path.write_bytes(data)
        path.chmod(0o600)
        command = [str(path) if word == FILE else word for word in file.check]
        try:
            ended = processes.run(command, _WITHIN, directory=tree, environment=site.place().environment)
        except processes.Overran:
            raise _bad(
                file, f"{shlex.join(file.check)} had not ended after {_WITHIN:g} seconds", site
            ) from None
        except OSError as error:
            raise _bad(file, f"{file.check[0]} cannot be run: {error.strerror}", site) from error
    if ended.code:
        said = "" if file.secret else f": {ended.output.replace(str(path), file.path)}"
        raise _bad(file, f"{shlex.join(file.check)} ended with {ended.code}{said}", site)


def _bad(file: ConfigFile, why: str, site: CheckSite) -> DeployError:
    return BadConfigFile(
        why,
        path=file.path,
        next=f"mend its template, or repo_config:{site.repo.name}:config_files; salt-run deploy.plan shows what would be "
        "written",
    )


# -- what would change --------------------------------------------------------------------------------------


def differences(
    repo: Repo, release: Release, layout: Layout, site: CheckSite, texts: Mapping[str, str]
) -> dict[str, str]:
    """What a release would change in the files that are live: path to a unified difference, without secrets; "" for nothing.

    Args:
        texts: path to template, of the files whose template is in the release, which is not here yet.

    Raises:
        BadConfigFile: a template does not render, or a check fails.
    """
    files = render(
        repo, release, site, lambda file: _of_salt(file, site) if file.of_salt else texts[file.path]
    )
    live = Path(os.path.realpath(repo.paths.location))
    for file in repo.paths.config_files:
        _check(file, files[file.path][1], site, live if live.is_dir() else Path("/"))
    return {
        file.path: _difference(file, live / file.path, files[file.path][1])
        for file in repo.paths.config_files
    }


def _difference(file: ConfigFile, there: Path, data: bytes) -> str:
    try:
        before = there.read_bytes()
    except OSError:
        before = b""
    if before == data:
        return ""
    if file.secret:
        return "it changes; it is secret, so nothing of it is shown"
    lines = list(
        difflib.unified_diff(
            _lines(before), _lines(data), f"{file.path} (live)", f"{file.path} (new)", lineterm="", n=2
        )
    )
    more = len(lines) - _MOST_LINES
    return "\n".join(
        [*map(_masked, lines[:_MOST_LINES]), *([f"... and {more} more lines"] if more > 0 else [])]
    )


def _lines(data: bytes) -> list[str]:
    return data.decode("utf-8", "replace").splitlines()


def _masked(line: str) -> str:
    found = _SECRET.search(line)
    return f"{line[: found.end()]} ***" if found else line
