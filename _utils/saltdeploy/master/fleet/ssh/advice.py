"""Advice about a host without a minion: what an error tells to type at a minion, as it reaches such a host.

Whoever raises an error about a host, the host itself included, does not know how the master reaches it. So commands for its minion
are exchanged here, where answers of hosts come in.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection
from dataclasses import dataclass

from saltdeploy.lib.errors import DeployError
from saltdeploy.lib.spelling import argument
from saltdeploy.protocol.result import Result

_AGAIN = "run the same command again"
#: What is said to a minion and has another meaning here, or none: each connection brings the package and the pillar along.
_INSTEAD = {
    "saltutil.sync_all": f"{_AGAIN}, which brings this master's package along",
    "saltutil.refresh_pillar": f"{_AGAIN}, with which it gets its pillar anew",
    "saltutil.refresh_grains": "see the grains of its entry in the roster (minion_opts)",
    "grains.append": "put that grain into its entry in the roster (minion_opts)",
    "cp.list_master": "see docs/ssh-hosts.md for the ways by which payloads come",
}
#: Functions of the module ``deploy``, and the one of the runner that asks or does the same.
_RUNNERS = {
    "status": "status",
    "verify": "verify",
    "gc": "gc",
    "untracked": "plan",
    "doctor": "doctor",
    "sync_all": "report",
    "fetch": "fetch",
    "checkout": "checkout",
    "rollback": "rollback",
}
_WORD = r"(?:'[^']*'|\"[^\"]*\"|[^\s;,&()'\"])+"
_PROSE = r"(?:tells|shows|says|and|then|or|on|must)\b"


@dataclass(frozen=True)
class SshAdvice:
    """Puts right what errors tell to do about hosts without a minion.

    Attributes:
        hosts: their ids.
    """

    hosts: Collection[str] = ()

    def mend(self, error: DeployError | None, host: str, repo: str = "") -> None:
        """Exchange what an error about a host tells to do, where that host has no minion."""
        if error is not None and host in self.hosts:
            error.next = reaching(error.next, host, error.repo or repo)

    def mend_result(self, result: Result) -> Result:
        """The answer, with its error put right."""
        self.mend(result.error, result.host, result.repo)
        return result

    def of(self, advice: str, host: str, repo: str = "") -> str:
        """Advice about a host; as it is, where that is a minion."""
        return reaching(advice, host, repo) if host in self.hosts else advice


def reaching(advice: str, host: str, repo: str = "") -> str:
    """Advice with each command for a minion exchanged.

    Args:
        advice: behind ``Next:``; commands may stand in a sentence.
        host: its id; ``*`` in its place is exchanged as well.
        repo: the repo that it is about; "" where that is not known.

    >>> reaching("salt 'app1' deploy.status wiki", "app1")
    'salt-run deploy.status repo=wiki'
    """
    name = "|".join(re.escape(each) for each in (f"'{host}'", f'"{host}"', host, "'*'"))
    command = re.compile(rf"\bsalt (?:{name}) (?P<function>\w+\.\w+)(?P<words>(?: (?!{_PROSE}){_WORD})*)")
    exchanged = command.sub(lambda found: _exchanged(found["function"], found["words"], host, repo), advice)
    return _once(exchanged.replace(f" && {_AGAIN}", f"; then {_AGAIN}"))


def _exchanged(function: str, words: str, host: str, repo: str) -> str:
    if function in _INSTEAD:
        return _INSTEAD[function]
    module, _, verb = function.partition(".")
    if module == "deploy" and verb in _RUNNERS:
        return _runner(_RUNNERS[verb], words, repo)
    if function == "test.ping":
        return " ".join(filter(None, ("salt-run deploy.doctor", argument("repo", repo) if repo else "")))
    if module == "service":
        return _at_its_shell(host, f"systemctl {verb} {words.strip()}")
    if module == "pkg":
        missing = re.findall(r"[\w.+-]+", words.replace("pkgs=", ""))
        return f"ssh {host}, and install there what is missing: {', '.join(missing)}"
    if module == "cmd":
        return _at_its_shell(host, " ".join(shlex.split(words)))
    return f"ssh {host}, and see there what `{function}{words}` would tell"


def _runner(function: str, words: str, repo: str) -> str:
    given = words.split()
    if given and "=" not in given[0]:
        given[0] = f"repo={given[0]}"
    elif not any(word.startswith("repo=") for word in given) and repo and function != "gc":
        given.insert(0, argument("repo", repo))
    if function in ("plan", "report"):  # which take what they need from the repo
        given = given[:1]
    return " ".join(["salt-run", f"deploy.{function}", *given])


def _at_its_shell(host: str, command: str) -> str:
    return f"ssh {host} {shlex.quote(command)}"


def _once(advice: str) -> str:
    """What says to do the same again, once: it was a step of its own behind what is exchanged."""
    parts = advice.split("; ")
    again = [place for place, part in enumerate(parts) if _AGAIN in part or part == "then deploy again"]
    return "; ".join(part for place, part in enumerate(parts) if place not in again[1:])
