"""Pillar to frozen :class:`Repo`; a wrong key is one error that names its pillar path.

Trebuchet's pillar (``deployment_config`` and ``repo_config``) is read unchanged. The keys that are new
stand behind Trebuchet's in :mod:`saltdeploy.config.schema`.
"""

from __future__ import annotations

import copy
import difflib
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from saltdeploy.config import checks as config_checks
from saltdeploy.config import delivery, paths, pointers, transports
from saltdeploy.config.delivery import Delivery
from saltdeploy.config.exclude import LeftOut
from saltdeploy.config.freeze import Window
from saltdeploy.config.owner import Ownership, of_trebuchet
from saltdeploy.config.paths import SharedPaths, refuse_place
from saltdeploy.config.rollout import Check, Group, Restart
from saltdeploy.config.schema import DEPLOYMENT_KEYS, REPO_KEYS, SCHEMES, Key
from saltdeploy.config.staging import StagePlan
from saltdeploy.config.values import Wrong, refuse_unknown
from saltdeploy.lib.errors import ConfigError, DeployError, UnknownRepo
from saltdeploy.lib.text import public
from saltdeploy.protocol.release import check_repo


@dataclass(frozen=True)
class Repo:
    """Everything that the pillar says about one repo, with defaults filled in.

    Attributes:
        name: the key in ``repo_config``.
        location: the live path on a target.
        source: where the master reads tags from: a path or a URL.
        url: where targets fetch from with transport ``git``.
        rsync_url: where targets reach the master's exported trees with transport ``rsync``.
        targets, targets_type: Salt's target expression for the repo's targets.
        transport, layout: names of :mod:`saltdeploy.transports` and :mod:`saltdeploy.layouts`; whether payloads travel
            by swarm is said in ``supply``.
        slots: how many whole work trees layout ``slots`` keeps.
        keep_releases: how many releases layout ``releases`` keeps.
        visible_releases: how many releases layout ``overlay`` shows at once, the live one over older ones.
        stat_limit: files; up to this many, a fetch compares all unchanged ones with the record as well, above that those in
            directories that others have changed.
        batch: how many hosts switch at once: a count or a share such as ``25%``.
        rollback_batch: how many hosts switch back at once: a count or a share.
        fetch_batch: how many hosts fetch at once: a count or a share.
        failure_limit: how many hosts of a group may fail before the deploy is stopped: a count or a share.
        timeout: seconds that a host may take for one stage.
        groups: the order in which the targets switch; empty: all of them are one group.
        on_failure: what follows when too many hosts fail: ``rollback``, ``hold`` or ``ask``.
        on_inconclusive: what follows where that cannot be told, likewise; "" as ``on_failure`` says.
        on_abort: what follows when an operator stops the deploy: ``rollback`` or ``hold``.
        question_timeout: seconds until a question that nobody answers gets its default.
        restart: what makes a host's processes take up the release.
        checks: what must be true before and after stages.
        depool, repool: what takes a host out of service before the switch, and back when it is healthy.
        dependencies: repos that are deployed first.
        max_removed: a release that is smaller by a greater share of the files, or of their bytes, is refused.
        require_signed: only tags whose signature git can verify.
        freeze: when nothing may be deployed: the fleet's windows and the repo's; see :mod:`saltdeploy.config.freeze`.
        fetch_calls, checkout_calls: Salt functions to call on a target after the stage, with arguments.
        supply: who serves payloads besides the master, and what a transfer keeps to.
        blobs: kind of pointers (git-lfs, git-fat, git-annex) to the sources of their contents; {}: pointers are
            files like any other.
        submodules: whether submodules are part of a release.
        submodule_urls: (begin of a submodule's URL, what stands there instead).
        signing_key: file on the master with the private key that releases are signed by; "" for none.
        release_keys: public keys; where there are any, a target takes only what one of them has signed.
        tag_scheme: how its next release is called.
        shared: what is the host's own and stays whatever is deployed.
        staging: what ``deploy.stage`` makes releases of; None where the pillar does not say.
        untracked: what follows where a live tree has what is of no release: ``refuse``, ``warn`` or ``ignore``.
        exclude: what of a release is no part of its trees.
        owner: whose the files of a tree are, and their modes.
        revision_files: where ``REVISION`` and ``DEPLOY_HEAD`` tell what is live: ``beside`` the trees, or ``none``.
        trebuchet: the section as ``deploy.get_config`` shows it, Trebuchet's defaults filled in.
        written: the part of the pillar that this was read from, and the ``site``: read again, it gives the same.
    """

    name: str
    location: Path
    source: str
    url: str
    rsync_url: str
    targets: str
    targets_type: str
    transport: str
    layout: str
    slots: int
    keep_releases: int
    visible_releases: int
    stat_limit: int
    batch: str
    rollback_batch: str
    fetch_batch: str
    failure_limit: str
    timeout: int
    fetch_calls: dict[str, list[Any]]
    checkout_calls: dict[str, list[Any]]
    groups: tuple[Group, ...]
    on_failure: str
    on_inconclusive: str
    on_abort: str
    question_timeout: float
    restart: Restart
    checks: tuple[Check, ...]
    depool: Check | None
    repool: Check | None
    dependencies: tuple[str, ...]
    max_removed: str
    require_signed: bool
    freeze: tuple[Window, ...]
    supply: Delivery
    blobs: dict[str, tuple[str, ...]]
    submodules: bool
    submodule_urls: tuple[tuple[str, str], ...]
    signing_key: str
    release_keys: tuple[str, ...]
    trebuchet: dict[str, Any]
    tag_scheme: str = "release"
    staging: StagePlan | None = None
    revision_files: str = "beside"
    shared: SharedPaths = SharedPaths()
    untracked: str = "warn"
    owner: Ownership = Ownership()
    exclude: LeftOut = LeftOut()
    written: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def area(self) -> Path:
        """Where everything of the repo lies that is not live, beside ``location``.

        Not Trebuchet's ``shadow_location`` (``.<basename>``), which may still be there.
        """
        return paths.area(self.location)

    @property
    def packed_as(self) -> str:
        """The name under which payloads of it are packed: with submodules the same commits have other ones."""
        return f"{self.name}+submodules" if self.submodules else self.name

    @property
    def shape(self) -> str:
        """What the repo's trees hold beside the files that git has; a tree of another shape is rebuilt."""
        parts = [
            *sorted(self.blobs),
            "submodules" if self.submodules else "",
            self.shared.shape,
            self.owner.shape,
            self.exclude.shape,
        ]
        return "+".join(filter(None, parts))

    @property
    def left_out(self) -> LeftOut:
        """What of a release its trees do not have: what they share, and what is excluded."""
        return LeftOut((*self.shared.paths, *self.exclude.paths))

    @property
    def shared_place(self) -> Path:
        """Where what trees share is."""
        return Path(self.shared.place) if self.shared.place else self.area / "shared"


def repo_names(pillar: dict[str, Any]) -> list[str]:
    """The names of all repos in the pillar, sorted."""
    section = pillar.get("repo_config")
    return sorted(map(str, section)) if isinstance(section, dict) else []


def load_all(pillar: dict[str, Any], site: str = "") -> tuple[list[Repo], dict[str, str]]:
    """Every repo of the pillar that can be read; and of the others, by their names, why they cannot."""
    found, unreadable = [], {}
    for name in repo_names(pillar):
        try:
            found.append(load(pillar, name, site))
        except DeployError as error:
            unreadable[name] = str(error)
    return found, unreadable


def load(pillar: dict[str, Any], name: str, site: str = "") -> Repo:
    """Read one repo's configuration.

    Args:
        pillar: plain data; only ``deployment_config`` and ``repo_config`` are looked at.
        name: the repo.
        site: the grain ``site``, which chooses the deployment server.

    Raises:
        BadName: the name is not legal.
        UnknownRepo: it is not in the pillar; the message names those that are close.
        ConfigError: a key or a value is wrong.
    """
    check_repo(name)
    repos = {str(key): section for key, section in _section(pillar, "repo_config").items()}
    if name not in repos:
        close = difflib.get_close_matches(name, repos, n=3)
        hint = f"did you mean {' or '.join(close)}" if close else "add it to the pillar under repo_config"
        raise UnknownRepo(f"there is no repo {name} in the pillar", repo=name, next=hint)
    deployment = _read(_section(pillar, "deployment_config"), DEPLOYMENT_KEYS, "deployment_config", "")
    keys = _read(_mapping(repos[name], f"repo_config:{name}", name), REPO_KEYS, f"repo_config:{name}", name)
    _refuse_half_set(keys, repos[name], name)
    transport, _ = transports.split(keys["transport"])
    _refuse_unfit({**keys, "transport": transport}, name)
    location = Path(keys["location"] or f"{deployment['parent_dir']}/{name}")
    paths.refuse_reserved(name, location)
    paths.refuse_nesting(name, location, repos, deployment["parent_dir"])
    server = deployment["servers"].get(site) or next(iter(deployment["servers"].values()), "")
    url = keys["url"] or (f"{SCHEMES[keys['type']]}://{server}/{name}" if server else keys["upstream"] or "")
    return Repo(
        name=name,
        location=location,
        source=keys["source"] or _staging(deployment["parent_dir"], name) or keys["upstream"] or "",
        url=url,
        rsync_url=keys["rsync_url"] or "",
        targets=keys["targets"] or _by_grain(name, keys["grain"]),
        targets_type=keys["targets_type"] if keys["targets"] else "compound",
        transport=transport,
        layout=keys["layout"],
        slots=keys["slots"],
        keep_releases=keys["keep_releases"],
        visible_releases=keys["visible_releases"],
        stat_limit=keys["stat_limit"],
        batch=keys["batch"],
        rollback_batch=keys["rollback_batch"],
        fetch_batch=keys["fetch_batch"],
        failure_limit=keys["failure_limit"],
        timeout=keys["timeout"],
        fetch_calls=keys["fetch_module_calls"],
        checkout_calls=keys["checkout_module_calls"],
        groups=keys["groups"],
        on_failure=keys["on_failure"],
        on_inconclusive=keys["on_inconclusive"] or "",
        on_abort=keys["on_abort"],
        question_timeout=keys["question_timeout"],
        restart=_restart(name, keys),
        checks=keys["checks"],
        depool=keys["depool"],
        repool=keys["repool"],
        dependencies=tuple(keys["dependencies"]),
        max_removed=keys["max_removed"],
        require_signed=keys["require_signed"],
        freeze=(*deployment["freeze"], *keys["freeze"]),
        supply=delivery.supply(deployment, keys, site),
        blobs={**({pointers.FAT: ()} if keys["gitfat_enabled"] else {}), **keys["blobs"]},
        submodules=keys["checkout_submodules"],
        submodule_urls=keys["submodule_urls"],
        signing_key=deployment["signing_key"] or "",
        release_keys=deployment["release_keys"],
        trebuchet={
            **_as_written(repos[name], keys),
            "location": str(location),
            "shadow_location": str(location.with_name(f".{location.name}")),
            "url": url,
        },
        written={
            "site": site,
            "deployment_config": copy.deepcopy(_section(pillar, "deployment_config")),
            "repo_config": {name: copy.deepcopy(repos[name])},
        },
        tag_scheme=keys["tag_scheme"],
        staging=keys["stage"],
        revision_files=keys["revision_files"],
        shared=_shared(name, keys["shared"], location),
        untracked=keys["untracked"],
        exclude=keys["exclude"],
        owner=of_trebuchet(keys["owner"], keys["deployment_repo_group"] or ""),
    )


def _refuse_unfit(keys: dict[str, Any], name: str) -> None:
    """What the layout cannot take must not be the transport of the repo, nor of a group; nor may it show what it cannot."""
    transports.refuse_unseen(keys["visible_releases"], keys["layout"], name)
    transports.refuse_unfit(keys["transport"], keys["layout"], name)
    for number, group in enumerate(keys["groups"]):
        if group.transport:
            transports.refuse_unfit(group.transport, keys["layout"], name, "groups", number, "transport")


def _restart(name: str, keys: dict[str, Any]) -> Restart:
    """What restarts the repo's processes; the checks must fit it, and their groups must be there."""
    restart = Restart(
        services=keys["service_name"] or (),
        signals=keys["signal"] or (),
        command=keys["restart_command"] or (),
        ports=keys["service_port"] or (),
        timeout=keys["service_timeout"],
    )
    try:
        config_checks.refuse_strangers(keys["checks"], {group.name for group in keys["groups"]})
        if restart:
            config_checks.refuse_in_the_gap(keys["checks"])
    except Wrong as error:
        path = ":".join(["repo_config", name, "checks", *error.path])
        raise ConfigError(str(error), repo=name, path=path) from None
    return restart


def _shared(name: str, found: SharedPaths, location: Path) -> SharedPaths:
    try:
        refuse_place(found, str(location), str(paths.area(location)))
    except Wrong as error:
        path = ":".join(["repo_config", name, "shared", *error.path])
        raise ConfigError(str(error), repo=name, path=path) from None
    return found


def _as_written(section: Any, keys: dict[str, Any]) -> dict[str, Any]:
    """Every key as plain data: checked, or where it was made into something else, as it was written."""
    said = section if isinstance(section, dict) else {}
    written = {}
    for key, (default, _) in REPO_KEYS.items():
        plain = keys[key] is None or isinstance(keys[key], (str, int, float, list, dict))
        raw = default if said.get(key) is None else said[key]
        written[key] = keys[key] if plain else copy.deepcopy(raw)
    return written


def _section(pillar: dict[str, Any], name: str) -> dict[str, Any]:
    return _mapping(pillar.get(name) or {}, name, "")


def _mapping(value: Any, path: str, repo: str) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ConfigError("must be a table", repo=repo, path=path)
    return value


def _read(section: dict[str, Any], keys: dict[str, Key], path: str, repo: str) -> dict[str, Any]:
    refuse_unknown(section, keys, path, repo)
    values = {}
    for key, (default, check) in keys.items():
        value = default if section.get(key) is None else section[key]
        try:
            values[key] = None if value is None else check(value)
        except ValueError as error:
            below = error.path if isinstance(error, Wrong) else ()
            said = "" if below else f"; it is {public(repr(value))[:80]}"
            raise ConfigError(
                f"{error}{said}",
                repo=repo,
                path=":".join([path, key, *below]),
                next="correct it in the pillar; docs/configuration.md has all keys",
            ) from None
    return values


def _refuse_half_set(keys: dict[str, Any], section: dict[str, Any] | None, name: str) -> None:
    if section and section.get("targets_type") is not None and keys["targets"] is None:
        raise ConfigError(
            "says how to read `targets`, and that is not set",
            repo=name,
            path=f"repo_config:{name}:targets_type",
            next="set both or neither",
        )


def _staging(parent_dir: str, name: str) -> str:
    """Trebuchet's staging repository, when this host is the deployment server."""
    staging = Path(parent_dir, name)
    return str(staging) if (staging / ".git").exists() else ""  # a file where its git directory is elsewhere


def _by_grain(name: str, grain: str | None) -> str:
    values = [name] if grain in (None, name) else [name, grain]
    return " or ".join(f"G@deployment_target:{value}" for value in values)


def unknown_in_pillar(error: UnknownRepo, minion: str, whose: str, known: Sequence[str]) -> UnknownRepo:
    """The same, with the minion id whose pillar was compiled, and what top.sls does not give it.

    Args:
        whose: what that id is: ``this minion``, or ``this master``.
        known: the repos in that pillar.
    """
    shown = shlex.join(["salt-run", "pillar.show_pillar", minion])
    if known:
        more = f" and {len(known) - 5} more" if len(known) > 5 else ""
        has = f"it has {', '.join(known[:5])}{more}"
        lead = f"{error.next}; else add" if error.next.startswith("did you mean") else "add"
        act = f"{lead} repo_config:{error.repo} to an sls that top.sls gives {minion}"
    else:
        has = "it has no repo_config at all: no entry in top.sls that matches this id names an sls with one"
        act = f"let an entry of top.sls that matches {minion} name the sls with repo_config"
    cause = f"{error.cause} of {minion}, the id of {whose}; {has}"
    return UnknownRepo(cause, repo=error.repo, next=f"{act}; {shown} shows what it has")
