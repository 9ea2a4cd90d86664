"""The plan of a deploy: everything that was decided before any host was asked. It stands in the journal."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from saltdeploy.lib.errors import BadArguments
from saltdeploy.lib.forcing import Force, covers, named
from saltdeploy.lib.spelling import argument
from saltdeploy.master.rollout.model import Gate, PlannedStep, Rules
from saltdeploy.master.waves import Wave
from saltdeploy.protocol.orders import ROLLBACK, Order
from saltdeploy.protocol.release import Release

SYNC, RESTART = "sync", "restart"
#: Where they say nothing they are not written: an older version does not know them.
_YOUNG_RULES = ("on_inconclusive", "steps")


@dataclass(frozen=True)
class Request:
    """What an operator asks for.

    Attributes:
        action: :data:`SYNC`, :data:`RESTART`, or a stage: ``fetch``, ``checkout``, ``rollback``.
        repo: the repo, or of several the one that leads: its groups, limits and policies are those of the deploy.
        tag: the tag; "" for a restart, and for a rollback to the release before.
        force: the guards that are gone past, by name; True: all that can be.
        limit: a target expression, or the name of a group: only those of the targets.
        reason: what the operator says about it.
        interactive: ask at the barrier, as Trebuchet did.
        unattended: nobody is there to answer: each question gets its default at once.
        plan: the hash of a plan that must still be true.
        wait: seconds to wait for the lock.
        overrides: what counts for this deploy in place of the pillar's keys; see :mod:`saltdeploy.master.planning.overrides`.
        also: more repos that are deployed as one with it, each with its tag.
        transport: instead of the repo's own; "" for that.
        commit: in place of a tag, the id of a commit, in full or short.
        branch: in place of a tag, a branch: the commit that it names now.
    """

    action: str
    repo: str
    tag: str = ""
    force: Force = False
    limit: str = ""
    reason: str = ""
    interactive: bool = False
    unattended: bool = False
    plan: str = ""
    wait: float = 0.0
    transport: str = ""
    overrides: tuple[tuple[str, object], ...] = ()
    also: tuple[tuple[str, str], ...] = ()
    commit: str = ""
    branch: str = ""

    def __post_init__(self) -> None:
        """A deploy cannot ask and be left alone; and it is of one tag, one commit or one branch.

        Raises:
            BadArguments: it should do both; or the release is named twice, or is one of several repos.
        """
        self._refuse_two_names()
        if self.interactive and self.unattended:
            raise BadArguments(
                "interactive asks somebody, unattended nobody: give one of them",
                repo=self.repo,
                next=f"{self.command} unattended=True",
            )

    def _refuse_two_names(self) -> None:
        named = [
            argument(key, getattr(self, key)) for key in ("tag", "commit", "branch") if getattr(self, key)
        ]
        command = f"salt-run deploy.{self.action} {argument('repo', self.repo)}"
        if len(named) > 1:
            raise BadArguments(
                f"the release is named {len(named)} times, by {' and '.join(named)}: give one of them",
                repo=self.repo,
                next=f"{command} {named[0]}",
            )
        if self.revision and self.also:
            raise BadArguments(
                f"{self.revision} can be deployed of one repo at a time, and this deploy is of several",
                repo=self.repo,
                next=f"{command} {named[0]}, then the others by their tags",
            )

    @property
    def revision(self) -> str:
        """What is deployed that may have no tag yet: ``commit abc1234``, ``branch main``; "" for a tag."""
        return f"commit {self.commit}" if self.commit else f"branch {self.branch}" if self.branch else ""

    @property
    def release_argument(self) -> str:
        """How the release is named on a command line; "" where it is not."""
        for key in ("commit", "branch"):
            if getattr(self, key):
                return argument(key, getattr(self, key))
        return argument("to" if self.action == ROLLBACK else "tag", self.tag) if self.tag else ""

    @property
    def command(self) -> str:
        """What asks for the same, without any other argument."""
        name = f"salt-run deploy.{self.action}"
        if self.also:
            return f"{name} {argument('repo', dict(self.parts))}"
        return f"{name} {argument('repo', self.repo)} {self.release_argument}".rstrip()

    @property
    def again(self) -> str:
        """What asks for the same with all that was said for this deploy, but for what is forced and a plan's hash."""
        said = {
            key: getattr(self, key) for key in ("limit", "transport", "reason", "unattended", "interactive")
        }
        return " ".join(
            [self.command, *(argument(*each) for each in (*said.items(), *self.overrides) if each[1])]
        )

    def forcing(self, guard: str) -> str:
        """The same command, past one guard more."""
        forced = self.force if isinstance(self.force, tuple) else ()
        return f"{self.again} {argument('force', ','.join([*forced, guard]))}"

    def forces(self, guard: str) -> bool:
        """Whether the operator goes past this guard."""
        return covers(self.force, guard)

    @property
    def once(self) -> dict[str, Any]:
        """What was said for this deploy alone, as its events and the history tell it."""
        revision = {key: getattr(self, key) for key in ("commit", "branch") if getattr(self, key)}
        return {**revision, **dict(self.overrides), **({"force": named(self.force)} if self.force else {})}

    @property
    def parts(self) -> tuple[tuple[str, str], ...]:
        """Every repo with its tag."""
        return ((self.repo, self.tag), *self.also)


@dataclass(frozen=True)
class Part:
    """What is to be done with one repo.

    Attributes:
        order: the fetch order, with all payloads that were packed; its epoch is that of the first process, and its
            transport that of the hosts that no way names.
        hosts: the repo's targets, as far as the deploy is for them.
        previous: the tag that was pinned before.
        partial: whether a limit leaves out others of its targets.
        baselines: what metric checks measured before anything had changed; None where there was no number.
        ways: how the release travels to whom.
        swarm: whether payloads are to travel by swarm.
    """

    order: Order
    hosts: tuple[str, ...]
    previous: str = ""
    partial: bool = False
    baselines: dict[str, float | None] = field(default_factory=dict)
    ways: tuple[TransportChoice, ...] = ()
    swarm: bool = False

    @property
    def transports(self) -> dict[str, str]:
        """Host to transport, of those that take another one than the order's."""
        return with_another_transport(self.ways, self.order.transport)

    @property
    def release(self) -> Release:
        """What is deployed."""
        return self.order.release

    @property
    def repo(self) -> str:
        """Of which repo."""
        return self.order.release.repo

    def to_wire(self) -> dict[str, Any]:
        """The part as plain data."""
        ways = [way.to_wire() for way in self.ways]
        return {**self.__dict__, "order": self.order.to_wire(), "hosts": list(self.hosts), "ways": ways}

    @classmethod
    def from_wire(cls, data: dict[str, Any]) -> Part:
        """Rebuild a part."""
        fields = {
            "order": Order.from_wire(data["order"]),
            "hosts": tuple(data["hosts"]),
            "ways": tuple(TransportChoice.from_wire(way) for way in data.get("ways", ())),
        }
        return cls(**{**data, **fields})


@dataclass(frozen=True)
class TransportChoice:
    """Hosts that take one transport; how that is chosen stands in ``transport_choice.py``.

    Attributes:
        why: one line, where it was chosen for them; "" where somebody had named it.
    """

    transport: str
    hosts: tuple[str, ...]
    why: str = ""

    def to_wire(self) -> dict[str, Any]:
        """The way as plain data."""
        return {"transport": self.transport, "hosts": list(self.hosts), "why": self.why}

    @classmethod
    def from_wire(cls, data: dict[str, Any]) -> TransportChoice:
        """Rebuild a way."""
        return cls(data["transport"], tuple(data["hosts"]), data["why"])


def with_another_transport(of: Iterable[TransportChoice], transport: str) -> dict[str, str]:
    """Host to transport, of those that take another one than this."""
    return {host: way.transport for way in of if way.transport != transport for host in way.hosts}


@dataclass(frozen=True)
class Plan:
    """See the module.

    Attributes:
        action, user, reason: who does what, and why.
        parts: one for each repo; the first one leads.
        waves, rules: see :mod:`saltdeploy.master.rollout.machine`.
        left_out: targets that a limit leaves out, or an operator.
        suspended: of those, the ones that an operator has suspended, each as a sentence.
        timeout: seconds that a host may take for one stage.
        question_timeout: seconds that a question waits for an answer; 0: nobody is asked, the default counts at once.
    """

    action: str
    user: str
    reason: str
    parts: tuple[Part, ...]
    waves: tuple[Wave, ...]
    rules: Rules
    left_out: tuple[str, ...] = ()
    timeout: float = 600.0
    question_timeout: float = 3600.0
    suspended: tuple[str, ...] = ()

    @property
    def unattended(self) -> bool:
        """Whether nobody is asked; a pillar cannot say so."""
        return self.question_timeout == 0

    @property
    def lead(self) -> Part:
        """The repo whose name the deploy has."""
        return self.parts[0]

    @property
    def deploy(self) -> str:
        """The deploy's id."""
        return self.lead.order.deploy

    @property
    def hosts(self) -> tuple[str, ...]:
        """All targets, in the order in which they switch."""
        return tuple(host for wave in self.waves for host in wave.hosts)

    def to_wire(self) -> dict[str, Any]:
        """The plan as plain data."""
        said = {key: value for key, value in self.rules.__dict__.items() if value or key not in _YOUNG_RULES}
        rules = {**said, "gates": [gate.__dict__ for gate in self.rules.gates]}
        if self.rules.steps:
            rules["steps"] = [step.to_wire() for step in self.rules.steps]
        wire = {
            **self.__dict__,
            "parts": [part.to_wire() for part in self.parts],
            "waves": [wave.to_wire() for wave in self.waves],
            "rules": rules,
            "left_out": list(self.left_out),
        }
        if self.suspended:
            return {**wire, "suspended": list(self.suspended)}
        return {key: value for key, value in wire.items() if key != "suspended"}

    @classmethod
    def from_wire(cls, data: dict[str, Any]) -> Plan:
        """Rebuild a plan.

        Raises:
            DeployError, KeyError, TypeError: it was written by another version.
        """
        rules = {
            **data["rules"],
            "gates": frozenset(Gate(**gate) for gate in data["rules"]["gates"]),
            "steps": tuple(PlannedStep.from_wire(step) for step in data["rules"].get("steps", ())),
        }
        fields = {
            "parts": tuple(Part.from_wire(part) for part in data["parts"]),
            "waves": tuple(Wave.from_wire(wave) for wave in data["waves"]),
            "rules": Rules(**rules),
            "left_out": tuple(data["left_out"]),
            "suspended": tuple(data.get("suspended", ())),
        }
        return cls(**{**data, **fields})
