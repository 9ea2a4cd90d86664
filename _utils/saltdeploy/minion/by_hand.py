"""What is asked of a host outside of any stage: its services, its maintenance, what configuration files would become."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from saltdeploy import layouts
from saltdeploy.config import Repo
from saltdeploy.config.rollout import Restart
from saltdeploy.git.repository import no_progress
from saltdeploy.lib import flock
from saltdeploy.lib.errors import ConfigError, DeployError, NothingToRestart
from saltdeploy.minion import config_files, maintenance, services, stages
from saltdeploy.minion.checks import CheckSite
from saltdeploy.minion.context import Host
from saltdeploy.minion.record import Record
from saltdeploy.minion.steps import Step, Steps
from saltdeploy.protocol.release import Release
from saltdeploy.protocol.result import Result


def config_diff(repo: Repo, release: Release, texts: dict[str, str], host: Host) -> Result:
    """What a release would change in the configuration files that are live: facts ``config:<path>``. Changes nothing.

    Args:
        texts: path to template, of files whose template is in the release.
    """
    try:
        found = config_files.differences(repo, release, layouts.of(repo), CheckSite(repo, host), texts)
    except (DeployError, OSError) as error:
        failed = stages.as_ours(error).at(repo=repo.name, host=host.name)
        return Result(host.name, repo.name, status=failed.status, error=failed)
    return Result(
        host.name, repo.name, facts={f"config:{path}": text[:4000] for path, text in found.items() if text}
    )


def service(repo: Repo, verb: str, host: Host) -> Result:
    """Do one thing to all services of a repo, and wait for their ports where they run then. No switch, no checks, no hooks.

    Args:
        verb: ``start``, ``stop``, ``restart`` or ``reload``.
    """
    return _by_hand(repo, host, lambda: _serviced(repo, verb, host))


def _serviced(repo: Repo, verb: str, host: Host) -> list[Step]:
    if not repo.hooks.restart.services:
        raise NothingToRestart(
            "the pillar of this host names no service of this repo",
            path=f"repo_config:{repo.name}:service_name",
            next="name its services there; see docs/services.md",
        )
    ports = Restart(
        ports=repo.hooks.restart.ports if verb != "stop" else (), timeout=repo.hooks.restart.timeout
    )
    return [
        *services.only(verb, repo.hooks.restart, host),
        *services.steps(ports, host, CheckSite(repo, host).place),
    ]


def under_maintenance(repo: Repo, host: Host, *, on: bool, why: str) -> Result:
    """Put this host under maintenance, or end it, by hand."""

    def steps() -> list[Step]:
        wanted, record, site = repo.hooks.maintenance, Record(host.cache, repo.name), CheckSite(repo, host)
        if wanted is None:
            raise ConfigError(
                "the pillar of this host does not say how it is put under maintenance",
                path=f"repo_config:{repo.name}:maintenance",
                next="set it, {file: /run/site.maintenance} or commands on and off; see docs/services.md",
            )
        if on:
            return [
                Step(
                    "depool",
                    "maintenance on",
                    lambda: maintenance.turn_on(wanted, record, site, why, by_hand=True),
                )
            ]
        return [Step("repool", "maintenance off", lambda: maintenance.turn_off(wanted, record, site))]

    return _by_hand(repo, host, steps)


def _by_hand(repo: Repo, host: Host, make: Callable[[], list[Step]]) -> Result:
    """Do steps outside of any stage, when no stage runs; what this host holds is told besides."""
    steps = Steps(no_progress, host.clock)
    with flock.locked(Record(host.cache, repo.name).lock, wait=True):
        try:
            steps.run(make())
        except (DeployError, OSError) as error:
            failed = stages.as_ours(error).at(repo=repo.name, host=host.name)
            return stages.with_facts(
                dataclasses.replace(stages.status(repo, host), status=failed.status, error=failed),
                **steps.facts(),
            )
    return stages.with_facts(stages.look(repo, host), **steps.facts())
