"""The script of a deploy: everything that was decided before any host was asked. It stands in the journal."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from saltdeploy.master.instructions import Gate, Rules
from saltdeploy.master.waves import Wave
from saltdeploy.orders import Order


@dataclass(frozen=True)
class Wish:
    """What an operator asks for.

    Attributes:
        action: ``sync``, ``fetch``, ``checkout`` or ``rollback``.
        tag: the tag; "" only for a rollback to the release before.
        force: deploy though a guard speaks against it.
        limit: a target expression, or the name of a group: only those of the targets.
        reason: what the operator says about it.
        interactive: ask at the barrier, as Trebuchet did.
        plan: the hash of a plan that must still be true.
        wait: seconds to wait for the lock.
    """

    action: str
    repo: str
    tag: str = ""
    force: bool = False
    limit: str = ""
    reason: str = ""
    interactive: bool = False
    plan: str = ""
    wait: float = 0.0


@dataclass(frozen=True)
class Script:
    """See the module.

    Attributes:
        action, user, reason: who does what, and why.
        order: the fetch order, with the payloads that were packed; its epoch is that of the first process.
        waves, rules: see :mod:`saltdeploy.master.rollout`.
        previous: the tag that was pinned before.
        left_out: targets that a limit leaves out.
        timeout: seconds that a host may take for one stage.
        question_timeout: seconds that a question waits for an answer.
        baselines: what metric checks measured before anything had changed; None where there was no number.
    """

    action: str
    user: str
    reason: str
    order: Order
    waves: tuple[Wave, ...]
    rules: Rules
    previous: str = ""
    left_out: tuple[str, ...] = ()
    timeout: float = 600.0
    question_timeout: float = 3600.0
    baselines: dict[str, float | None] = field(default_factory=dict)

    @property
    def hosts(self) -> tuple[str, ...]:
        """All targets, in the order in which they switch."""
        return tuple(host for wave in self.waves for host in wave.hosts)

    def to_wire(self) -> dict[str, Any]:
        """The script as plain data."""
        rules = {**self.rules.__dict__, "gates": [gate.__dict__ for gate in self.rules.gates]}
        return {
            **self.__dict__,
            "order": self.order.to_wire(),
            "waves": [wave.to_wire() for wave in self.waves],
            "rules": rules,
            "left_out": list(self.left_out),
        }

    @classmethod
    def from_wire(cls, data: dict[str, Any]) -> Script:
        """Rebuild a script.

        Raises:
            DeployError, KeyError, TypeError: it was written by another version.
        """
        rules = {**data["rules"], "gates": frozenset(Gate(**gate) for gate in data["rules"]["gates"])}
        parts = {
            "order": Order.from_wire(data["order"]),
            "waves": tuple(Wave.from_wire(wave) for wave in data["waves"]),
            "rules": Rules(**rules),
            "left_out": tuple(data["left_out"]),
        }
        return cls(**{**data, **parts})
