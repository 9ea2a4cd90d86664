"""How a repo was configured here when this host was asked last, and when each deploy began; and where the repo was live before.

A pillar may change in the middle of a deploy, and without the master there is none. So a host keeps what it needs of it next to its
record: the stages of one deploy, its way back among them, go by what counted at its start, and a host that is alone can go
back, verify and tell. Whoever may read the pillar's passwords may read this file, and nobody else.
"""

from __future__ import annotations

import dataclasses
import logging
import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from saltdeploy.config import Repo, load
from saltdeploy.config.paths import area, on_disk
from saltdeploy.lib import disk, mounts
from saltdeploy.lib.errors import ConfigError, Corrupt, DeployError
from saltdeploy.lib.text import public
from saltdeploy.minion.context import Host, Task
from saltdeploy.protocol.holdings import legal
from saltdeploy.protocol.orders import Order
from saltdeploy.protocol.release import file_name, repo_of

log = logging.getLogger(__name__)

_VERSION = 1
_MOST_DEPLOYS = 3
_MOST_PLACES = 20
_LONGEST_VALUE = 100  # characters
_FILE = "configuration.json"
#: What says where a release lies on the disk, and in which form, and by which ways it comes.
_OF_THE_PLACE = (
    "layout",
    "transport",
    "groups",
    "blobs",
    "gitfat_enabled",
    "checkout_submodules",
    "visible_releases",
)


class Configurations:
    """What this host has kept of one repo's configuration.

    Args:
        cache: a directory that survives restarts of the minion.
        repo: the repo's name.
    """

    def __init__(self, cache: Path, repo: str) -> None:
        self._cache = cache
        self._name = repo
        self._file = cache / file_name(repo) / _FILE

    def note(self, deploy: str, repo: Repo, *, switches: bool) -> None:
        """Keep the configuration of a stage, as the last one and as that which its deploy goes by from now on.

        Args:
            deploy: its id; ``pin`` is none.
            switches: what is live may be another release, or elsewhere, from now on.
        """
        known = self._read()
        deploys = {name: said for name, said in known["deploys"].items() if name != deploy}
        if deploy != "pin":
            deploys[deploy] = repo.pillar.written
        last = self._load(known["last"])
        moved = last is not None and (last.paths.location, last.layout.name) != (
            repo.paths.location,
            repo.layout.name,
        )
        said = known["last"] if moved and not switches else repo.pillar.written
        news = {**known, "last": said, "deploys": dict([*deploys.items()][-_MOST_DEPLOYS:])}
        if news != known:
            self._write(news)

    def note_place(self, repo: Repo) -> None:
        """Keep where the repo has become live, and forget places where nothing is any more."""
        known = self._read()
        there = {place: layout for place, layout in known["places"].items() if _is_there(place)}
        there.pop(str(repo.paths.location), None)
        places = dict([*there.items(), (str(repo.paths.location), repo.layout.name)][-_MOST_PLACES:])
        if places != known["places"]:
            self._write({**known, "places": places})

    def of_start(self, deploy: str) -> Repo | None:
        """The configuration that a deploy goes by here; None where it did not begin."""
        return self._load(self._read()["deploys"].get(deploy))

    def counting(self, order: Order, now: Repo) -> Repo:
        """The configuration by which a stage is done: that of its deploy's start.

        An operator who asks for another attempt may have mended something in the pillar, so that counts; but the release
        stays where it is.

        Args:
            now: what the pillar says.
        """
        return _with_key_of(now, self._counting(order, now))

    def _counting(self, order: Order, now: Repo) -> Repo:
        start = self.of_start(order.deploy)
        if start is None or order.attempt == 1:
            return start or now
        before, after = (
            _table(_table(each.pillar.written.get("repo_config")).get(self._name)) for each in (start, now)
        )
        section = {
            **after,
            **{key: before.get(key) for key in _OF_THE_PLACE},
            "location": str(start.paths.location),
        }
        return self._load({**now.pillar.written, "repo_config": {self._name: section}}) or start

    def last(self) -> Repo | None:
        """The configuration of the last stage; None where there was none."""
        return self._load(self._read()["last"])

    def left(self, repo: Repo) -> list[Path]:
        """The places other than ``location`` where the repo was live, and where something still is."""
        mine = on_disk(repo.paths.location)
        places = [Path(place) for place in self._read()["places"] if _is_there(place)]
        places = [place for place in places if on_disk(place) != mine]
        others = set(map(on_disk, self.others().values())) if places else set()
        return [place for place in places if on_disk(place) not in others]

    def others(self) -> dict[str, Path]:
        """Where other repos of this host are, by their names."""
        found = {}
        for name in kept(self._cache):
            other = self._last_of(name) if name != self._name else None
            if other is not None:
                found[name] = other.paths.location
        return found

    def _last_of(self, name: str) -> Repo | None:
        """What another repo goes by; whatever is wrong with that is its own matter."""
        try:
            return Configurations(self._cache, name).last()
        except (DeployError, OSError) as error:
            log.warning(
                "%s: what was kept of the configuration of %s is not known: %s", self._name, name, error
            )
            return None

    def _load(self, written: Any) -> Repo | None:
        if not isinstance(written, dict):
            return None
        try:
            return load(written, self._name, str(written.get("site", "")))
        except DeployError as error:  # of a version that allowed something else
            log.warning("%s: what was kept of the configuration is of no use: %s", self._name, error)
            return None

    def _read(self) -> dict[str, Any]:
        """What is known; nothing where the file is damaged, or of a version that we do not know."""
        try:
            known = disk.read_json(self._file, {})
        except Corrupt as error:
            log.warning("%s: what was kept of the configuration is lost: %s", self._name, error)
            known = {}
        if not isinstance(known, dict) or known.get("version", _VERSION) != _VERSION:
            known = {}
        tables = {key: _table(known.get(key)) for key in ("deploys", "places")}
        return {"version": _VERSION, "last": None, **known, **tables}

    def _write(self, known: Mapping[str, Any]) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        disk.clear_asides(self._file)
        disk.write_json(self._file, known, mode=0o600)


def _with_key_of(now: Repo, repo: Repo) -> Repo:
    """The configuration with the deploy key of now: no other is kept."""
    if repo.origin.deploy_key == now.origin.deploy_key:
        return repo
    return dataclasses.replace(
        repo, origin=dataclasses.replace(repo.origin, deploy_key=now.origin.deploy_key)
    )


def kept(cache: Path) -> list[str]:
    """The repos of which this host has kept a configuration."""
    found = (legal(file.parent.name, repo_of) for file in cache.glob(f"*/{_FILE}"))
    return sorted(filter(None, found))


def as_begun(task: Task, host: Host) -> Task:
    """The task with the configuration that its deploy began with here, whatever the pillar says now."""
    start = Configurations(host.cache, task.repo.name).counting(task.order, task.repo)
    if not (why := changed(start, task.repo)):
        return task
    log.info("%s: the configuration of the deploy's start counts: %s", task.repo.name, why)
    return dataclasses.replace(task, repo=start, moved=why)


def note(tasks: Sequence[Task], host: Host, *, switches: bool) -> None:
    """Keep what the tasks go by, see :meth:`Configurations.note`."""
    for task in tasks:
        Configurations(host.cache, task.repo.name).note(task.order.deploy, task.repo, switches=switches)


def facts(tasks: Sequence[Task], host: Host) -> dict[str, Any]:
    """Facts: what the pillar says otherwise than at the deploy's start, and which places the repo has left."""
    moved = "; ".join(filter(None, (task.moved for task in tasks)))
    left = "; ".join(filter(None, (left_behind(task.repo, host) for task in tasks)))
    return {**({"pillar": moved} if moved else {}), **({"left_behind": left} if left else {})}


def left_behind(repo: Repo, host: Host) -> str:
    """The places where the repo was live before its ``location`` was moved, with the command that cleans them; "" for none."""
    left = Configurations(host.cache, repo.name).left(repo)
    paths = [str(path) for place in left for path in (place, area(place)) if os.path.lexists(path)]
    if not paths:
        return ""
    places = ", ".join(map(str, left))
    if shared := _left_shared(left, repo):
        return (
            f"{places} is still there from before, and nothing updates it; in {', '.join(map(str, shared))} is what "
            "releases shared there, which is the users' own: look at it before you delete anything"
        )
    mounted = [
        place
        for path in paths
        for place in (f"{path}/mounts", f"{path}/layers")
        if mounts.mounted(Path(place))
    ]
    unmount = f"umount {' '.join(f'{shlex.quote(place)}/*' for place in mounted)}; " if mounted else ""
    clean = f"{unmount}{shlex.join(['rm', '-rf', '--', *paths])}"
    return f"{places} is still there from before, and nothing updates it: {clean}"


def refuse_shared_left(repo: Repo, host: Host) -> None:
    """See to it that what releases share has come along to where they are now: else all that users wrote would be away.

    Raises:
        ConfigError: it is beside a place where the repo was live before, and nothing is here.
    """
    if not repo.paths.shared.paths or os.path.lexists(repo.paths.shared_place):
        return
    for old in _left_shared(Configurations(host.cache, repo.name).left(repo), repo):
        new = str(repo.paths.shared_place)
        move = f"mkdir -p -- {shlex.quote(os.path.dirname(new))} && {shlex.join(['mv', '--', str(old), new])}"
        raise ConfigError(
            f"what releases share is still beside the place where they were before, and there is nothing at {new}",
            repo=repo.name,
            path=f"repo_config:{repo.name}:location",
            next=f"on the host: {move} && {shlex.join(['ln', '-s', '--', new, str(old)])}; then run the same command again",
        )


def _left_shared(left: Sequence[Path], repo: Repo) -> list[Path]:
    """What releases shared at places that the repo has left, where it is not that of today."""
    found = [area(place) / "shared" for place in left]
    return [
        place
        for place in found
        if place.is_dir() and not place.is_symlink() and place != repo.paths.shared_place
    ]


def changed(start: Repo, now: Repo) -> str:
    """What the pillar says otherwise than at a deploy's start, with both values; "" for nothing."""
    before, after = _flat(start.pillar.written), _flat(now.pillar.written)
    keys = [key for key in sorted({*before, *after}) if before.get(key) != after.get(key)]
    return ", ".join(
        f"{key} is {_shown(after.get(key))} now and was {_shown(before.get(key))}" for key in keys
    )


def _flat(written: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of all sections."""
    sections = [_table(written.get("deployment_config")), *_table(written.get("repo_config")).values()]
    return {key: value for section in sections for key, value in _table(section).items()}


def _shown(value: Any) -> str:
    return "not set" if value is None else public(str(value))[:_LONGEST_VALUE]


def _table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _is_there(place: str) -> bool:
    return os.path.lexists(place) or area(Path(place)).exists()
