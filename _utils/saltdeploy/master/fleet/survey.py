"""Asks hosts something once, beside any deploy: what they hold, or what a function of theirs answers."""

from __future__ import annotations

import logging
from typing import Any

from saltdeploy.config import Repo
from saltdeploy.lib.errors import DeployError, Forged
from saltdeploy.master.context import Master
from saltdeploy.master.fleet.attention import PATIENCE, QUESTIONS, Attention, job_and_host
from saltdeploy.master.fleet.authenticity import Authenticator
from saltdeploy.master.fleet.no_answers import what_helps
from saltdeploy.master.fleet.ssh.advice import SshAdvice
from saltdeploy.master.records.pins import Pins
from saltdeploy.protocol.holdings import Holdings
from saltdeploy.protocol.result import Result

log = logging.getLogger(__name__)

_TURN = 0.5  # seconds that are listened before it is looked who has answered
_ANSWER_WITHIN = 5.0  # seconds
_NOTHING = Holdings()


def survey(master: Master, hosts: list[str], repo: str, timeout: float) -> dict[str, Result]:
    """Ask every host what it holds of a repo; the silent as often as a stage does.

    Args:
        timeout: seconds until the silent are asked again, and seconds for all that is asked again.

    Returns:
        Host to its own answer; hosts that gave none are left out.
    """
    waits = [timeout] + [timeout / QUESTIONS] * QUESTIONS
    return _gathered(master, hosts, ("deploy.status", [repo]), waits)


def gather(
    master: Master,
    hosts: list[str],
    function: str,
    arguments: list[Any],
    timeout: float,
    odd: dict[str, DeployError] | None = None,
) -> dict[str, Result]:
    """Call a function once on every host that answers as a stage does.

    Args:
        odd: takes up hosts that answered with what is no answer of ours, and why not. Nobody waits long for these: another
            answer may still come, since whoever likes can put this under a host's name.

    Returns:
        Host to its own answer; hosts that gave none within ``timeout`` seconds of listening are left out.
    """
    return _gathered(master, hosts, (function, arguments), [timeout], odd)


def _gathered(
    master: Master,
    hosts: list[str],
    call: tuple[str, list[Any]],
    waits: list[float],
    odd: dict[str, DeployError] | None = None,
) -> dict[str, Result]:
    """Call a function on those that are silent, once for each of the waits. An answer to any of the calls counts."""
    not_after: dict[str, float] = {}
    attention, authenticator = Attention(master.bus), Authenticator.of(master)
    advice = SshAdvice(master.over_ssh)
    found: dict[str, Result] = {}
    silent, jobs = set(hosts), set[str]()
    end = 0.0
    for wait in waits:
        if not silent:
            break
        jobs.add(jid := master.bus.new_jid())
        master.bus.publish([host for host in hosts if host in silent], *call, jid)
        end += wait
        while silent and (left := end - attention.seconds) > 0:
            for tag, data in attention.messages(min(_TURN, left)):
                job, host = job_and_host(tag) or ("", "")
                if job not in jobs or host not in silent:
                    continue
                try:
                    found[host] = advice.mend_result(authenticator.read(data.get("return"), host, job))
                except DeployError as error:
                    log.warning("%s: ignored an answer to %s: %s", host, call[0], error.cause)
                    if odd is not None and not isinstance(error, Forged):
                        odd[host] = DeployError(error.cause, host=host, next=what_helps(error, host))
                        advice.mend(odd[host], host)
                        not_after.setdefault(host, attention.seconds + PATIENCE)
                silent -= found.keys()
            silent -= {host for host, moment in not_after.items() if attention.seconds >= moment}
    for host in found.keys() & (odd or {}):
        del (odd or {})[host]
    return {host: found[host] for host in hosts if host in found}


def asked(repo: Repo, hosts: list[str], master: Master) -> tuple[dict[str, Holdings], set[str]]:
    """What each host holds, as it says now or was last seen to; and who gave no answer."""
    pins = Pins(master.root)
    answers = survey(master, hosts, repo.name, _ANSWER_WITHIN)
    fine = {host: answer for host, answer in answers.items() if answer.ok}
    pins.note(repo.name, list(fine.values()), master.bus.now())
    seen = pins.holdings(repo.name)
    return {host: seen.get(host, _NOTHING) for host in hosts}, set(hosts) - set(fine)


def known(repo: Repo, hosts: list[str], master: Master) -> dict[str, Holdings]:
    """What each host was last seen to hold; those that were never seen are asked."""
    seen = Pins(master.root).holdings(repo.name)
    strangers = [host for host in hosts if host not in seen]
    fresh = asked(repo, strangers, master)[0] if strangers else {}
    return {host: fresh.get(host) or seen[host] for host in hosts}
