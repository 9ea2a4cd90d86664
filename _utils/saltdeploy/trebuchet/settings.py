"""How ``git deploy`` is configured: git's own configuration, and the file ``.trigger`` of the repository.

Later levels win: system, global, ``.trigger``, the repository's own. What names a program or a master is read from the
system's and the user's files alone: others write to the repository, and would have their programs run by whoever deploys.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from saltdeploy.git.staging_tree import StagingTree
from saltdeploy.lib.errors import DeployError
from saltdeploy.lib.text import legible
from saltdeploy.protocol.release import check_repo
from saltdeploy.trebuchet.refusal import CONFIGURATION, WRONG_UMASK, Refusal

REQUIRED = ("deploy.repo-name", "user.name", "user.email")
DOOR_KEYS = (
    "deploy.door",
    "deploy.salt-run",
    "deploy.salt-call",
    "deploy.api-url",
    "deploy.api-token-file",
    "deploy.api-ca-file",
    "deploy.api-eauth",
    "deploy.api-user",
)
_DRIVERS = {
    f"deploy.{name.lower()}-driver": f"trebuchet.local.{name}Driver"
    for name in ("Sync", "Lock", "Service", "Report")
}
_TRUE = ("true", "yes", "on", "1", "")
_LARGEST = 1 << 16  # bytes of .trigger


@dataclass(frozen=True)
class Settings:
    """What was configured.

    Attributes:
        repo: the repo's name in the pillar.
        identity: ``user.name`` and ``user.email``.
        required_umask: None: any.
        checkout_submodules: whether sync tags go into submodules as well.
        door: the keys of :data:`DOOR_KEYS` that are set.
    """

    repo: str
    identity: Mapping[str, str]
    required_umask: int | None
    checkout_submodules: bool
    door: Mapping[str, str]

    @property
    def user(self) -> str:
        """Who deploys, as git knows them."""
        return self.identity["user.name"]


def read(tree: StagingTree) -> Settings:
    """The settings of a work tree.

    Raises:
        Refusal: something is missing or not valid; every missing key is named.
    """
    system, own = tree.configuration("system"), tree.configuration("global")
    found = {**system, **own, **_of_trigger(tree.top / ".trigger"), **tree.configuration("local")}
    missing = [key for key in REQUIRED if not found.get(key)]
    if missing:
        raise Refusal(
            "\n".join(
                [
                    *(f"Missing the following configuration item: {key}" for key in missing),
                    "Please add the missing configuration items via git config or in the .trigger file",
                ]
            ),
            CONFIGURATION,
            f"git does not know {', '.join(missing)}",
            path=str(tree.top),
            next="; ".join(f"git config {key} ..." for key in missing),
        )
    _check_drivers(found, tree)
    try:
        repo = check_repo(found["deploy.repo-name"])
    except DeployError as error:
        raise Refusal(error.cause, CONFIGURATION, "deploy.repo-name is no repo's name", path=str(tree.top),
                      next="git config deploy.repo-name NAME, the key in repo_config of the pillar") from None  # fmt: skip
    return Settings(
        repo,
        {key: found[key] for key in ("user.name", "user.email")},
        _umask(found.get("deploy.required-umask", ""), tree),
        found.get("deploy.checkout-submodules", "false").lower() in _TRUE,
        {key: value for key, value in {**system, **own}.items() if key in DOOR_KEYS},
    )


def of_doors(repo: str, own: Mapping[str, str]) -> Settings:
    """The settings of who asks about a repo and is in no staging repository.

    Args:
        own: what the system's and the user's files say.
    """
    return Settings(repo, {}, None, False, {key: value for key, value in own.items() if key in DOOR_KEYS})


def check_umask(wanted: int | None, present: int, repo: str) -> None:
    """Refuse another umask than the one that is required: files of the staging repository are its group's.

    Raises:
        Refusal: it is another.
    """
    if wanted is not None and wanted != present:
        raise Refusal(
            f"Required umask is {wanted:03o}. Please set your umask and try again.",
            WRONG_UMASK,
            f"it is {present:03o} here",
            repo=repo,
            next=f"umask {wanted:03o}",
        )


def _of_trigger(file: Path) -> dict[str, str]:
    """The file that a repository brings for Trigger: ``section.name: value``, or the name below its section."""
    try:
        text = file.read_bytes()[:_LARGEST]
    except OSError:
        return {}
    try:
        said = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        raise Refusal(
            "Found a .trigger config file, but could not parse it. Unable to load repo specific config.",
            CONFIGURATION,
            "it must be a map such as {deploy.repo-name: test/testrepo}",
            path=str(file),
            next="correct or remove it",
        )
    flat: dict[str, Any] = {}
    for key, value in said.items():
        inner = value if isinstance(value, dict) else {}
        flat |= {f"{key}.{name}": each for name, each in inner.items()} or {str(key): value}
    return {key: _spelled(value) for key, value in flat.items() if not isinstance(value, (dict, list))}


def _spelled(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else legible("" if value is None else str(value))


def _check_drivers(found: Mapping[str, str], tree: StagingTree) -> None:
    for key, name in _DRIVERS.items():
        said = found.get(key, name)
        if said != name:
            raise Refusal(
                f"Failed to import driver: trigger.drivers.{said.rpartition('.')[0]}",
                CONFIGURATION,
                f"{key} is {said}, and drivers of Trigger are not loaded here",
                path=str(tree.top),
                next=f"git config --unset {key}; deploy.door says how the master is reached",
            )


def _umask(said: str, tree: StagingTree) -> int | None:
    if not said:
        return None
    try:
        return int(said, 8)
    except ValueError:
        raise Refusal(
            f"deploy.required-umask is no octal number: {legible(said)}",
            CONFIGURATION,
            "it must be one such as 002",
            path=str(tree.top),
            next="git config deploy.required-umask 002",
        ) from None
