"""A person at a terminal of the master: commands as they are printed go through the real runner, as Salt loads it, and on a
host through the real module. Only Salt's bus between the two is simulated; the stages at its other end are real."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import multiprocessing
import subprocess
import threading
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import salt.config
import salt.loader
import salt.minion
import salt.utils.args
from saltdeploy.master import deploy
from saltdeploy.master.plan_model import SYNC, Request
from saltdeploy.minion import stages
from saltdeploy.watch.console import results

from tests.functional.test_doors import configuration
from tests.support.repositories import Source, snapshot
from tests.unit.protocol.whole_deploys import REPO, Fleet, Minion

View = dict[str, Any]
HOSTS = ("web1", "web2")
#: What people do at a shell as it is printed, and which harms nothing here.
_OF_THE_SHELL = ("mv", "git", "ls", "namei", "install", "chattr", "ps", "kill", "curl")


class Console:
    """A master, its terminal, and hosts that take the repo ``demo/site``.

    Attributes:
        fleet: the hosts, and what lies on all disks.
        away: hosts that answer nothing now.
        patch: what is otherwise about the machine; whoever made this undoes it.
        matched: hosts that the repo's targets match.
        instead: functions of Salt's own that mean something here, which no minion of ours has; each takes the host.
    """

    def __init__(self, checkout: Path, place: Path, source: Source, **keys: Any) -> None:
        self.away: set[str] = set()
        self._user = "root"
        self.patch = pytest.MonkeyPatch()
        self.matched = list(HOSTS)
        self.instead: dict[str, Callable[[str], object]] = {}
        self.place = place
        self.source = source
        self.fleet = Fleet(place, source, HOSTS, **keys)
        self.fleet._jids = None  # type: ignore[assignment]
        self._checkout = checkout
        settings = {"module_dirs": [str(checkout)], "pillar_dirs": [str(checkout / "_pillar")]}
        file = configuration(checkout, place, **settings, cachedir=str(place / "master"))
        self.opts = {**salt.config.master_config(str(file)), "__cli": "salt-run", "quiet": True}
        self.runners = salt.loader.runner(self.opts)
        self._globals = self.runners["deploy.locks"].__globals__
        self._modules: dict[str, Any] = {}

    # -- what is typed ------------------------------------------------------------------------------------

    def run(self, function: str, *arguments: Any, **named: Any) -> View:
        """What ``salt-run deploy.<function>`` answers, from a terminal at which nobody sits."""
        return self._call(self.runners[f"deploy.{function}"], arguments, named)

    def deploy(self, tag: str, **named: Any) -> View:
        return self.run("sync", repo=REPO, tag=tag, **named)

    def has(self, *tags: str) -> None:
        for tag in tags:
            view = self.deploy(tag)
            assert view.get("outcome") == "CONVERGED", view

    def type(self, words: list[str]) -> View:
        """Do what a person types."""
        program, *rest = words
        if program in _OF_THE_SHELL:
            done = subprocess.run(words, capture_output=True, text=True)
            return {"retcode": done.returncode, "said": done.stdout + done.stderr}
        if program == "salt-run":
            if rest[0] == "-d":
                return {"retcode": 0 if any(name.startswith(f"{rest[1]}.") for name in self.runners) else 1}
            positional, named = self._read(rest[1:])
            assert rest[0] in self.runners, rest
            return self._call(self.runners[rest[0]], positional, named)
        assert program == "salt", words
        target, function, *rest = rest[1:] if rest[0] == "-L" else rest
        positional, named = self._read(rest)
        answers = [self.on(host, function, *positional, **named) for host in self._matching(target)]
        return {"retcode": max((each["retcode"] for each in answers), default=1), "answers": answers}

    @staticmethod
    def _matching(target: str) -> list[str]:
        return [host for host in HOSTS if any(fnmatch(host, each) for each in target.split(","))]

    @contextlib.contextmanager
    def as_user(self, name: str, **opts: Any) -> Iterator[None]:
        """Somebody who comes by salt-api, as Salt says."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(self, "runners", salt.loader.runner({**self.opts, "__cli": "salt-master", **opts}))
            patch.setattr(self, "_globals", self.runners["deploy.locks"].__globals__)
            patch.setattr(self, "_user", name)
            patch.setattr(
                multiprocessing.current_process(), "_name", "ProcessFunc(AsyncClientMixin, fun=x jid=1)"
            )
            yield

    def on(self, host: str, function: str, *arguments: Any, **named: Any) -> View:
        """What ``salt <host> <function>`` answers."""
        if host in self.away:
            return {"retcode": 1, "said": f"{host}: Minion did not return. [No response]"}
        if function in self.instead:
            return {"retcode": 0, "answer": self.instead[function](host)}
        named = {key: value for key, value in named.items() if not key.startswith("__")}
        door = self._door(host)
        assert function in door, f"there is no {function} on {host}"
        answer = door[function](*arguments, **named)
        failed = isinstance(answer, dict) and answer.get("status")
        return {"retcode": 1 if failed else 0, "answer": answer}

    def shown(self, view: View) -> str:
        """What a person reads of an answer."""
        return results.render(view) or ""

    def next_of(self, view: View) -> str:
        """What a person is told to do next."""
        lines = [line for line in self.shown(view).splitlines() if "Next: " in line]
        assert lines, f"nothing is said of what to do next:\n{self.shown(view)}"
        return lines[-1].partition("Next: ")[2]

    def configure(self, **keys: Any) -> None:
        """Change what the pillar says of the repo, of the master and of hosts; None takes a key out."""
        known = {**self.fleet._keys, **keys}
        self.fleet._keys = {key: value for key, value in known.items() if value is not None}
        self.fleet.pillar["repo_config"][REPO] = {**self.fleet._keys, "location": "/srv/site"}
        for host, minion in self.fleet.minions.items():
            minion.repo = self.fleet.config(minion.location)
            self._modules.pop(host, None)

    # -- what is true ---------------------------------------------------------------------------------------

    def live(self) -> dict[str, str]:
        """Host to the release whose every byte is live there; "" for nothing, "?" for none that we know."""
        return {name: self._release_at(minion.location) for name, minion in self.fleet.minions.items()}

    def everywhere(self, tag: str) -> dict[str, str]:
        return dict.fromkeys(self.fleet.minions, tag)

    def _release_at(self, place: Path) -> str:
        if not place.exists():
            return ""
        found = snapshot(place)
        numbers = range(len(self.source.trees))
        return next((f"v{n}" for n in numbers if found == self.source.checked_out(n)), "?")

    def loses(self, host: str, at: str) -> None:
        """A host is away from the moment at which it is asked for this."""
        publish = self._publish

        def lose(hosts: list[str], function: str, arguments: list[Any], jid: str) -> None:
            if function == at:
                self.away.add(host)
            publish(hosts, function, arguments, jid)

        self.patch.setattr(self, "_publish", lose)

    def deploy_watched(self, tag: str, watcher: Any) -> None:
        """A deploy by the package itself, whose watcher may end it as a signal would."""
        wish = Request(SYNC, REPO, tag)
        with pytest.MonkeyPatch.context() as patch, self._open(self.opts, "root", (watcher,)) as master:
            self._instead_of_salt(patch)
            deploy.run(wish, self.fleet.pillar, "", self._new_jid(), master)

    @staticmethod
    def saying(minion: Minion, **facts: Any) -> Callable[..., dict[str, Any]]:
        """What a host does, with these facts in its answers about itself."""

        def do(function: str, arguments: list[Any], jid: str) -> dict[str, Any]:
            told = stages.with_facts(minion._answer(function, arguments), **facts)
            return dataclasses.replace(told, job=jid).to_wire(minion._fleet.master.secret(minion.name))

        return do

    def minions_sign_otherwise(self) -> Callable[[], None]:
        """Let hosts have secrets that the master does not know, until what is returned is called."""

        def do(minion: Minion, function: str, arguments: list[Any], jid: str) -> dict[str, Any]:
            return dataclasses.replace(minion._answer(function, arguments), job=jid).to_wire("another secret")

        self.patch.setattr(Minion, "do", do)
        return self.patch.undo

    # -- how it is done -------------------------------------------------------------------------------------

    def _call(self, door: Any, arguments: Any, named: dict[str, Any]) -> View:
        idle = threading.Event()
        # beside another thread nothing forks, see `_in_background`: the hosts live in this process
        beside = threading.Thread(target=idle.wait, daemon=True)
        beside.start()
        try:
            with pytest.MonkeyPatch.context() as patch:
                self._instead_of_salt(patch)
                view: View = door(*arguments, **{k: v for k, v in named.items() if not k.startswith("__")})
        finally:
            idle.set()
            beside.join()
        return json.loads(json.dumps(view))  # type: ignore[no-any-return]

    def _instead_of_salt(self, patch: pytest.MonkeyPatch) -> None:
        patch.setattr(self.fleet, "new_jid", self._new_jid)
        patch.setattr(self.fleet, "publish", self._publish)
        patch.setitem(self._globals, "open_master", self._open)
        patch.setitem(self._globals, "__user__", self._user)
        patch.setitem(self._globals, "pillar", lambda opts: self.fleet.pillar)
        patch.setitem(self._globals, "site", lambda opts: "")
        patch.setitem(self._globals, "matching", lambda opts, *wanted: self._match(*wanted))
        patch.setitem(self._globals, "store", lambda opts: self.fleet.master.store)

    @staticmethod
    def _new_jid() -> str:
        return str(salt.utils.jid.gen_jid({}))

    @contextlib.contextmanager
    def _open(
        self, opts: Any, user: str = "", watchers: Any = (), aborted: Any = lambda: "", role: str = ""
    ) -> Iterator[Any]:
        about = {"user": user, "role": role, "watchers": tuple(watchers), "aborted": aborted}
        yield dataclasses.replace(self.fleet.master, **about, targets=self._match)

    def _match(self, expression: str, kind: str) -> list[str]:
        return [host for host in self.matched if expression != "nobody"]

    def _publish(self, hosts: list[str], function: str, arguments: list[Any], jid: str) -> None:
        Fleet.publish(self.fleet, [host for host in hosts if host not in self.away], function, arguments, jid)

    def _read(self, words: list[str]) -> tuple[list[Any], dict[str, Any]]:
        positional, named = salt.utils.args.parse_input(words, condition=False)
        return positional, named

    def _door(self, host: str) -> Any:
        if host not in self._modules:
            minion = self.fleet.minions[host]
            place = self.place / host
            repo = {**self.fleet.pillar["repo_config"][REPO], "location": str(minion.location)}
            tops = self.place / f"pillar-{host}"
            tops.mkdir(exist_ok=True)
            (tops / "top.sls").write_text("base: {'*': [all]}\n")
            (tops / "all.sls").write_text(json.dumps({"repo_config": {REPO: repo}}))
            settings = {"module_dirs": [str(self._checkout)], "pillar_roots": {"base": [str(tops)]}}
            own = {"id": host, "cachedir": str(place / "cache")}
            file = configuration(self._checkout, place, **{**settings, **own})
            self._modules[host] = salt.minion.SMinion(salt.config.minion_config(str(file))).functions
        return self._modules[host]
