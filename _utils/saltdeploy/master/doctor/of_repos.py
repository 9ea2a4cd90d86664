"""Checks of each repo, as the master sees it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator

from saltdeploy.config import Repo, transports
from saltdeploy.lib import programs
from saltdeploy.lib.errors import DeployError
from saltdeploy.lib.spelling import argument
from saltdeploy.master.doctor.seen import Finding, Seen
from saltdeploy.master.payloads.source import Source
from saltdeploy.master.plan_model import SYNC, Request
from saltdeploy.master.planning import dependencies, guards
from saltdeploy.master.planning.resolve import RepoRequest

#: The guards of a deploy that speak of the set-up, and not of a release or of the time of day.
_OF_SETUP = ("dependencies", "signing_key", "layout")


def configuration(seen: Seen) -> Iterator[Finding]:
    """Whether every key of a repo is valid."""
    for name, error in seen.broken.items():
        where = f" at {error.path}" if error.path else ""
        key = error.path or f"repo_config:{name}"
        yield Finding(
            f"its pillar is not valid{where}: {error.cause}",
            "salt '*' saltutil.refresh_pillar",
            repo=name,
            by_hand=error.next or f"correct {key}; docs/configuration.md has every key",
        )


def source(seen: Seen) -> Iterator[Finding]:
    """Whether its repository can be read, and has something to deploy."""
    for repo in seen.repos:
        try:
            found = Source(repo, seen.settings.root)
            has_tags = bool(found.tags())
        except DeployError as error:
            yield _of_error(error, repo)
            continue
        if not has_tags:
            yield Finding(
                f"its repository {repo.origin.source} has no tag yet, and tags are what is deployed",
                first_tag(found),
                repo=repo.name,
            )


def first_tag(source: Source) -> str:
    """The command that makes the first tag."""
    if source.is_remote:
        return "git tag v1 && git push origin v1"
    return f"git --git-dir={shlex.quote(str(source.repository.git_dir))} tag v1"


def packers(seen: Seen) -> Iterator[Finding]:
    """Whether the master has the programs of its transport."""
    for repo in seen.repos:
        row = None if repo.delivery.transport == transports.AUTO else transports.row(repo.delivery.transport)
        lacking = [each for each in row.packers if not programs.is_installed(each)] if row else []
        if lacking:
            yield Finding(
                f"transport {repo.delivery.transport} needs {', '.join(lacking)} on the master",
                f"salt-call --local pkg.install pkgs='{json.dumps(list(map(programs.package_of, lacking)))}'",
                repo=repo.name,
            )


def urls(seen: Seen) -> Iterator[Finding]:
    """Whether targets are told where to fetch from."""
    for repo in seen.repos:
        row = None if repo.delivery.transport == transports.AUTO else transports.row(repo.delivery.transport)
        if row and row.url and not getattr(repo.origin, row.url):
            yield Finding(
                f"transport {repo.delivery.transport} needs {row.url}, where targets fetch from, and there is none",
                "salt '*' saltutil.refresh_pillar",
                repo=repo.name,
                by_hand=f"set repo_config:{repo.name}:{row.url} in the pillar",
            )


def settings(seen: Seen) -> Iterator[Finding]:
    """What a deploy would be refused for, whatever its release: keys, dependencies, what its layout cannot do."""
    if seen.master is None or seen.pillar is None:
        return
    for repo in seen.repos:
        request = Request(SYNC, repo.name, "")
        refused: list[DeployError] = []
        try:
            needed = dependencies.of(request, seen.pillar, seen.site)
        except DeployError as error:
            needed = ()
            refused.append(error)
        asked = RepoRequest(request, repo, "", repo, seen.master, is_locking=False, needed=needed)
        wanted = [each for each in guards.OF_REQUEST if each[0] in _OF_SETUP]
        guards.ask(wanted, asked, refused.append)
        yield from (_of_error(each, repo) for each in refused)


def targets(seen: Seen) -> Iterator[Finding]:
    """Whether any minion takes it."""
    for repo in seen.repos:
        if repo.name in seen.targets and not seen.targets[repo.name]:
            by_grain = f"deployment_target:{repo.name}" in repo.targets.expression
            yield Finding(
                f"no minion takes it: none matches {repo.targets.expression!r} ({repo.targets.type})",
                f"salt 'web*' grains.append deployment_target {shlex.quote(repo.name)}"
                if by_grain
                else f"salt-run deploy.targets {argument('repo', repo.name)}",
                repo=repo.name,
                by_hand="name the hosts" if by_grain else f"correct repo_config:{repo.name}:targets",
            )


def _of_error(error: DeployError, repo: Repo) -> Finding:
    where = f"{error.path}: " if error.path and error.path not in error.cause else ""
    return Finding(f"{where}{error.cause}", error.next, repo=repo.name)
