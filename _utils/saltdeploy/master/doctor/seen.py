"""What is known of a set-up when it is judged, and what is found wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from saltdeploy.config import Repo
from saltdeploy.lib.errors import DeployError
from saltdeploy.master.context import Master
from saltdeploy.protocol.result import Result


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        cause: what.
        next: commands that mend it, ready to paste; "" where no command can.
        host: where; "" for the master.
        repo: whose; "" where it is about more than one.
        by_hand: what a person has to do before those commands; "" where they are enough.
    """

    cause: str
    next: str
    host: str = ""
    repo: str = ""
    by_hand: str = ""


@dataclass(frozen=True)
class MasterSettings:
    """The master's own configuration, and what Salt makes of it.

    Attributes:
        id: the master's own minion id, for which the runner compiles the pillar.
        user: as whom this command runs.
        config: the master's configuration file.
        include: the directory of further configuration files.
        pillar_root: the first directory of the pillar's files.
        root: the master's directory for deploys.
        file_servers: ``fileserver_backend``.
        ext_pillars: the names in ``ext_pillar``.
        given: ``ext_pillar``, whole.
        loads: kinds of doors of ours that Salt finds for a master: ``fileserver``, ``pillar``, ``output``.
        has_git_python: whether GitPython is there for this master.
        has_bus: whether the socket of its event bus is there.
        pillar_cache: whether the master keeps pillars.
        waiting: minions whose key nobody has accepted.
        denied: minions that came with another key than the one that is accepted.
    """

    id: str
    user: str
    config: Path
    include: Path
    pillar_root: Path
    root: Path
    file_servers: tuple[str, ...]
    ext_pillars: tuple[str, ...]
    loads: frozenset[str]
    given: tuple[Any, ...] = ()
    has_git_python: bool = True
    has_bus: bool = True
    pillar_cache: bool = False
    waiting: tuple[str, ...] = ()
    denied: tuple[str, ...] = ()


@dataclass(frozen=True)
class Answers:
    """What a host said, about one repo.

    Attributes:
        ping: what ``test.ping`` gave; None where nothing came.
        served: what ``cp.hash_file`` gave of a payload that lies ready; False where none could be laid ready.
        doctor: what ``deploy.doctor`` gave.
        result: the same, read; None where it is no answer of ours.
        forged: why the answer does not count; "" where it does.
        asked, heard: seconds since the epoch, by the master's clock.
    """

    host: str
    repo: str
    ping: Any = None
    served: Any = None
    doctor: Any = None
    result: Result | None = None
    forged: str = ""
    asked: float = 0.0
    heard: float = 0.0

    @property
    def facts(self) -> Mapping[str, Any]:
        """What the host says of itself."""
        return self.result.facts if self.result is not None else {}


@dataclass(frozen=True)
class Seen:
    """Everything.

    Attributes:
        wanted: the repo that it is about; "" for all of them.
        pillar: as compiled for the master's own minion id; None where it does not render.
        pillar_error: why it does not.
        site: the grain ``site`` of the master.
        repos: those that can be read; ``broken``: of the others, why not.
        master: None where it does not run, or its bus is silent: ``bus_error`` says why then.
        targets: repo to its targets.
        answers: of every target of every repo.
    """

    settings: MasterSettings
    wanted: str = ""
    pillar: dict[str, Any] | None = None
    pillar_error: DeployError | None = None
    site: str = ""
    repos: tuple[Repo, ...] = ()
    broken: Mapping[str, DeployError] = field(default_factory=dict)
    master: Master | None = None
    bus_error: DeployError | None = None
    targets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    answers: tuple[Answers, ...] = ()

    @property
    def alive(self) -> tuple[Answers, ...]:
        """Of hosts whose own words can be read."""
        return tuple(each for each in self.answers if each.result is not None)
