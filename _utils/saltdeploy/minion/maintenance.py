"""Puts this host under maintenance and out of it again; the record says since when, and why."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from saltdeploy.config.maintenance import Maintenance
from saltdeploy.lib import disk, process
from saltdeploy.lib.errors import HookFailed
from saltdeploy.lib.text import utc
from saltdeploy.minion.checks import CheckSite
from saltdeploy.minion.record import Record
from saltdeploy.minion.steps import Step


def begin(wanted: Maintenance | None, record: Record, site: CheckSite, why: str) -> list[Step]:
    """The step that puts the host under maintenance, where the pillar has one for each switch."""
    if wanted is None or not wanted.switch:
        return []
    return [Step("depool", "maintenance on", lambda: turn_on(wanted, record, site, why))]


def end(wanted: Maintenance | None, record: Record, site: CheckSite) -> list[Step]:
    """The step that ends it; what an operator has begun stays until an operator ends it."""
    if wanted is None or not wanted.switch:
        return []
    return [Step("repool", "maintenance off", lambda: _turn_off_ours(wanted, record, site))]


def turn_on(wanted: Maintenance, record: Record, site: CheckSite, why: str, *, by_hand: bool = False) -> str:
    """Put the host under maintenance. One that is stays so, since the same moment.

    Args:
        why: who did so, for people.
        by_hand: an operator did: no switch ends it.

    Raises:
        HookFailed: the command failed.
        OSError: the file cannot be made.
    """
    known = record.maintenance()
    if known.get("by_hand") and not by_hand:  # the operator's word stands, and so does the page
        by_hand, why = True, str(known["why"])
    record.note_maintenance({"since": known.get("since", site.host.clock()), "why": why, "by_hand": by_hand})
    if wanted.file:
        path = Path(wanted.file)
        disk.write_atomically(path, f"{why}\n".encode())
    _run(wanted.on, wanted, site)
    return why


def turn_off(wanted: Maintenance, record: Record, site: CheckSite) -> str:
    """End the maintenance of the host.

    Raises:
        HookFailed: the command failed; the host is still under maintenance as far as is known.
        OSError: the file cannot be removed.
    """
    _run(wanted.off, wanted, site)
    if wanted.file:
        Path(wanted.file).unlink(missing_ok=True)
    record.note_maintenance({})
    return ""


def _turn_off_ours(wanted: Maintenance, record: Record, site: CheckSite) -> str:
    if record.maintenance().get("by_hand"):
        return "an operator has begun it, and ends it"
    return turn_off(wanted, record, site)


def after_a_failure(wanted: Maintenance | None, record: Record, site: CheckSite) -> str:
    """What is to be said when a switch has failed: the maintenance is ended, unless the pillar wants it to stay."""
    known = record.maintenance()
    if wanted is None or not wanted.switch or not known:
        return ""
    if known.get("by_hand") or wanted.keep:
        return "this host is left under maintenance"
    try:
        turn_off(wanted, record, site)
    except (HookFailed, OSError) as error:
        return f"this host is left under maintenance, since ending that failed: {error}"
    return ""


def told(record: Record, wanted: Maintenance | None) -> str:
    """Since when and why the host is under maintenance, for people; "" where it is not."""
    known = record.maintenance()
    if known:
        return f"since {utc(known['since'])}: {known['why']}"
    if wanted and wanted.file and os.path.lexists(wanted.file):
        return f"{wanted.file} is there, and no deploy has made it"
    return ""


def _run(command: tuple[str, ...], wanted: Maintenance, site: CheckSite) -> None:
    if not command:
        return
    typed = shlex.join(command)
    place = site.place()
    by_hand = f"on {site.host.name}: {typed}"
    try:
        ended = process.run(command, wanted.timeout, directory=place.directory, environment=place.environment)
    except process.Overran:
        raise HookFailed(f"{typed} had not ended after {wanted.timeout:g} seconds", next=by_hand) from None
    except OSError as error:
        raise HookFailed(f"{command[0]} cannot be run: {error.strerror}", next=by_hand) from error
    if ended.code:
        raise HookFailed(f"{typed} ended with {ended.code}: {ended.output}", next=by_hand)
