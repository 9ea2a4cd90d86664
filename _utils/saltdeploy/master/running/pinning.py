"""Pins what a deploy has led to, and notes what each host was last seen to hold."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Mapping

from saltdeploy.lib.errors import DamagedFile
from saltdeploy.master.context import Master
from saltdeploy.master.locking.lease import Lease
from saltdeploy.master.plan_model import Part
from saltdeploy.master.records import checks
from saltdeploy.master.records.pin import Pin, pin_order
from saltdeploy.master.records.pins import Pins
from saltdeploy.master.records.recorder import Recorder
from saltdeploy.master.rollout.model import Outcome
from saltdeploy.protocol import events
from saltdeploy.protocol.orders import Order
from saltdeploy.protocol.result import Result

_PAYLOADS_KEPT = 86_400.0  # seconds
log = logging.getLogger(__name__)


def settle(
    recorder: Recorder,
    orders: Mapping[str, Order],
    seen: Mapping[str, Result],
    leases: Mapping[str, Lease],
    outcome: Outcome,
    master: Master,
) -> None:
    """Write down what the fleet should be running after a deploy, and what each host was last seen to hold.

    Where that cannot be written the journal is lost too: a deploy whose end it does not tell can be resumed.

    Args:
        orders: repo to its fetch order, with all that was packed.
        seen: host to what it answered last.
    """
    pins = Pins(master.root)
    try:
        for part in recorder.plan.parts:
            _note(pins, part.repo, seen, master)
            if outcome.accepted:
                _pin(pins, part, orders[part.repo], leases[part.repo].epoch, recorder, master)
            pins.raise_epoch(part.repo, leases[part.repo].epoch)
        _collect(pins, master)
    except OSError as error:
        recorder.lose(error)


def _note(pins: Pins, repo: str, seen: Mapping[str, Result], master: Master) -> None:
    answers = [
        each
        for answer in seen.values()
        for each in answer.parts
        if each.repo == repo and (each.holdings.held or answer.ok)
    ]
    pins.note(repo, answers, master.bus.now())


def _pin(pins: Pins, part: Part, fetched: Order, epoch: int, recorder: Recorder, master: Master) -> None:
    release = part.release
    pins.put(Pin(pin_order(fetched, epoch), part.hosts, partial=part.partial, transports=part.transports))
    log.info("%s: %s is pinned, epoch %d", part.repo, release.tag, epoch)
    recorder.record(events.pinned, about=part.repo, tag=release.tag, commit=release.commit)
    checks.Baselines(master.store).forget(release)


def _collect(pins: Pins, master: Master) -> None:
    """Delete payloads that no pin names any more."""
    payloads, older_than = master.payloads, master.bus.now() - _PAYLOADS_KEPT
    with contextlib.suppress(DamagedFile, PermissionError):  # another repo's pins: any payload may be theirs
        payloads.collect(pins.payload_names(), older_than)
    payloads.exports.collect(older_than)
