"""What a release would change in the configuration files of hosts: each renders its own, and tells the difference."""

from __future__ import annotations

import os
from typing import Any

from saltdeploy.config import Repo
from saltdeploy.git.repository import Repository
from saltdeploy.lib.errors import BadConfigFile, Corrupt
from saltdeploy.master.context import Master
from saltdeploy.master.fleet.survey import gather
from saltdeploy.protocol.release import Release

_ANSWER_WITHIN = 20.0  # seconds
_LARGEST = 1 << 18  # bytes of a template: it travels in a job


def of(
    repo: Repo, repository: Repository, release: Release, hosts: list[str], master: Master
) -> dict[str, Any]:
    """Host to path to what would change there; of a host that gave no answer, or cannot render, ``error`` says why.

    Args:
        repository: has the release, whose templates are read.
    """
    if not repo.paths.config_files or not hosts:
        return {}
    try:
        texts = {
            file.path: _template(file.template, repository, release)
            for file in repo.paths.config_files
            if not file.of_salt
        }
    except (BadConfigFile, Corrupt) as error:
        return {host: {"error": error.cause} for host in hosts}
    answers = gather(
        master,
        hosts,
        "deploy.config_diff",
        [repo.name, {"release": release.to_wire(), "texts": texts}],
        _ANSWER_WITHIN,
    )
    found: dict[str, Any] = {}
    for host in hosts:
        answer = answers.get(host)
        if answer is None:
            found[host] = {"error": "it gives no answer"}
        elif answer.error is not None:
            found[host] = {"error": f"{answer.error.path}: {answer.error.cause}".removeprefix(": ")}
        else:
            changed = {
                file.path: str(answer.facts.get(f"config:{file.path}", ""))
                for file in repo.paths.config_files
            }
            found[host] = {path: text for path, text in changed.items() if text}
    return found


def _template(path: str, repository: Repository, release: Release) -> str:
    data = repository.file(release.commit, path, _LARGEST)
    if data is None:
        raise BadConfigFile(f"the release has no template {path}", repo=release.repo, path=path)
    return os.fsdecode(data)
