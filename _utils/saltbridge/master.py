"""A :class:`saltdeploy.master.context.Master` made of the master's configuration."""

from __future__ import annotations

import contextlib
import difflib
import functools
import json
import re
import shlex
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import salt.cache
import salt.loader
import salt.runner
import salt.utils.event
import salt.utils.http
import salt.utils.jid
import salt.utils.minions
from saltdeploy import checks
from saltdeploy.config.targets import SSH_HOSTS as SETTING
from saltdeploy.lib import errors
from saltdeploy.lib.spelling import argument
from saltdeploy.master.cache import Store
from saltdeploy.master.context import Bus, Listener, Master
from saltdeploy.protocol import events, holdings, release, result

from saltbridge import ahead

if TYPE_CHECKING:
    from saltbridge.ssh_hosts import SshRoster

Opts = dict[str, Any]
_NODEGROUP = re.compile(r"\bN@([^\s()]+)")

#: Seconds until a bus on which nobody hears himself is said to be silent; where no master runs, one try takes two of them.
_HELLO = 8.0


@contextlib.contextmanager
def open_master(
    opts: Opts,
    user: str = "",
    watchers: tuple[Listener, ...] = (),
    aborted: Callable[[], str] = lambda: "",
    role: str = "",
) -> Iterator[Master]:
    """The world of the master's side, with its bus open.

    Raises:
        DeployError: the master's event bus does not answer.
    """
    with ahead.client(opts) as client:
        with salt.utils.event.get_event("master", opts=opts, listen=True) as listener:
            bus = SaltBus(opts, client, listener)
            bus.say_hello()
            with _with_ssh_hosts(opts, bus) as (joined, roster):
                yield Master(
                    root=root(opts),
                    bus=joined,
                    store=store(opts),
                    targets=functools.partial(targets, opts, roster=roster),
                    accepted=lambda: accepted(opts, roster),
                    secret=_secrets(opts),
                    user=user,
                    role=role,
                    place=checks.CheckContext(
                        call=functools.partial(_call, opts), get=functools.partial(get, opts)
                    ),
                    aborted=aborted,
                    watchers=watchers,
                    interface=str(opts.get("interface") or "0.0.0.0"),
                    over_ssh=frozenset(roster.hosts if roster else ()),
                    twice=tuple(roster.both) if roster else (),
                    lacking=roster.lacking if roster else lambda repo: [],
                )


@contextlib.contextmanager
def _with_ssh_hosts(opts: Opts, bus: SaltBus) -> Iterator[tuple[Bus, SshRoster | None]]:
    """The bus on which hosts without a minion are as well, where the master's configuration wants them."""
    roster = ssh_roster(opts)
    if roster is None:
        yield bus, None
        return
    with roster.joined(bus, root(opts), _secrets(opts)) as joined:
        yield joined, roster


def ssh_roster(opts: Opts) -> SshRoster | None:
    """The hosts without a minion; None where the master's configuration wants none.

    Raises:
        ConfigError: it does, and the roster cannot be read.
    """
    if SETTING not in opts:
        return None
    from saltbridge import ssh_hosts

    return ssh_hosts.SshRoster(opts)


class SaltBus:
    """Salt's publisher and event bus, as :class:`saltdeploy.master.fleet.minions.Bus` wants them."""

    def __init__(self, opts: Opts, client: Any, listener: Any) -> None:
        self._opts = opts
        self._client = client
        self._listener = listener

    def new_jid(self) -> str:
        """A job id that was never used."""
        return str(salt.utils.jid.gen_jid(self._opts))

    def publish(self, hosts: list[str], function: str, arguments: list[Any], jid: str) -> None:
        """Send a job to a list of minions, without waiting for anything."""
        self._client.run_job(list(hosts), function, arguments, tgt_type="list", jid=jid, listen=False)

    def next(self, wait: float) -> tuple[str, dict[str, Any]] | None:
        """The next message on the event bus; None when ``wait`` seconds pass without one."""
        found = self._listener.get_event(wait=wait or 1, tag="", full=True, no_block=not wait)
        return (found["tag"], found["data"]) if found else None

    def fire(self, tag: str, data: dict[str, Any]) -> None:
        """Put an event on the bus."""
        self._listener.fire_event(data, tag)

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def elapsed(self) -> float:
        """Seconds since some moment, by a clock that nobody sets."""
        return time.monotonic()

    def say_hello(self) -> None:
        """Hear ourselves before anybody is asked: a subscription that is not up yet would miss the answers."""
        hello = events.hello(self.new_jid(), "", self.now())
        tag = events.tag_of(hello)
        end = self.elapsed() + _HELLO
        while self.elapsed() < end:
            self.fire(tag, hello)
            heard = self.next(0.25)
            while heard:
                if heard[0] == tag:
                    return
                heard = self.next(0.25)
        raise errors.DeployError(
            "the master's event bus does not answer",
            host=self._opts["id"],
            next="see that salt-master runs on this host",
        )


def targets(opts: Opts, expression: str, kind: str, roster: SshRoster | None = None) -> list[str]:
    """The accepted minions that match, and the hosts without a minion that do, sorted.

    Args:
        roster: of hosts without a minion; None: it is read now, if there is one.

    Raises:
        NoTargets: it names a nodegroup that there is not, which Salt takes for one without minions.
        BadName: the id of one that matches cannot stand in a path or a command.
    """
    _refuse_unknown_nodegroups(opts, expression, kind)
    found = salt.utils.minions.CkMinions(opts).check_minions(expression, kind)["minions"]
    for host in found:
        try:
            release.check_host(host)
        except errors.BadName as error:
            raise errors.BadName(
                f"{error.cause}: the minion with this id takes it, and ids stand in paths, event tags and commands",
                next=f"give that minion another id (id: in its configuration), then salt-key -y -d {shlex.quote(host)}",
            ) from None
    roster = roster or ssh_roster(opts)
    return sorted({*found, *(roster.matching(expression, kind) if roster else ())})


def accepted(opts: Opts, roster: SshRoster | None = None) -> list[str]:
    """The accepted minions and the hosts without one, sorted; without minions whose id nothing of ours can hold, since they take
    part in no deploy."""
    roster = roster or ssh_roster(opts)
    known = salt.utils.minions.CkMinions(opts).check_minions("*", "glob")["minions"]
    known = [*known, *(roster.hosts if roster else ())]
    return sorted(filter(None, (holdings.legal(host, release.check_host) for host in known)))


def _refuse_unknown_nodegroups(opts: Opts, expression: str, kind: str) -> None:
    known = sorted(map(str, opts.get("nodegroups") or {}))
    named = [expression] if kind == "nodegroup" else []
    named += _NODEGROUP.findall(expression) if kind == "compound" else []
    for name in named:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}? Else name" if near else "name"
            raise errors.NoTargets(
                f"the master's configuration has no nodegroup {name!r}; it has {', '.join(known) or 'none'}",
                next=f"{hint} it below nodegroups: in the master's configuration, then systemctl restart salt-master",
            )


def root(opts: Opts) -> Path:
    """The master's directory for deploys."""
    place = Path(opts["cachedir"], "deploy")
    place.mkdir(parents=True, exist_ok=True)
    return place


def store(opts: Opts) -> Store:
    """Salt's cache. Not from its factory: with ``memcache_expire_seconds`` that gives one which repeats to a process
    what it read before, and a deploy would never see that another master has taken over."""
    return salt.cache.Cache(opts)


def pillar(opts: Opts) -> dict[str, Any]:
    """The pillar as plain data, compiled for the master's own minion id.

    Raises:
        ConfigError: it does not render.
    """
    compiled = ahead.pillar(opts, grains(opts)).compile_pillar()
    if compiled.get("_errors"):
        raise errors.ConfigError(
            "the pillar does not render: " + "; ".join(map(str, compiled["_errors"]))[:1000],
            host=opts["id"],
            next="salt-run pillar.show_pillar",
        )
    wanted = {key: compiled.get(key) for key in ("deployment_config", "repo_config")}
    written = json.dumps(wanted, default=str)
    if '"sdb://' in written:
        from saltbridge import secrets_of_salt

        secrets_of_salt.opened(opts)
    plain: dict[str, Any] = json.loads(written)
    return plain


def grains(opts: Opts) -> dict[str, Any]:
    """The grains of the master's host; a runner has none of its own."""
    if not _grains:
        _grains.update(salt.loader.grains(opts))
    return _grains


_grains: dict[str, Any] = {}


def site(opts: Opts) -> str:
    """The grain ``site`` of the master's host."""
    return str(grains(opts).get("site", ""))


def get(opts: Opts, url: str, headers: Mapping[str, str], timeout: float) -> checks.Response:
    """Ask a web server."""
    found = salt.utils.http.query(
        url,
        opts=opts,
        header_dict=dict(headers),
        status=True,
        headers=True,
        text=True,
        raise_error=False,
        connect_timeout=timeout,
        request_timeout=timeout,
    )
    if "status" not in found:
        return checks.Response(0, {}, str(found.get("error", "no answer")))
    said = {str(key): str(value) for key, value in dict(found.get("headers", {})).items()}
    return checks.Response(int(found["status"]), said, str(found.get("text") or found.get("body") or ""))


def _call(opts: Opts, function: str, arguments: list[Any], keywords: dict[str, Any]) -> Any:
    """On the master a check of kind ``salt`` calls a runner."""
    return _run(opts, function, arguments, keywords)


def execute(opts: Opts, function: str, arguments: list[Any], keywords: dict[str, Any]) -> Any:
    """Call an execution function on the master, by its name.

    Raises:
        DeployError: it raised.
    """
    told = _run(opts, "salt.cmd", [function, *arguments], keywords, full=True)
    if told.get("success") is False:
        last = str(told.get("return")).strip().rpartition("\n")[2]
        raise errors.DeployError(
            f"{function} raised: {last}", next=f"{_typed(function, arguments, keywords)} shows all"
        )
    return told.get("return")


def _typed(function: str, arguments: list[Any], keywords: dict[str, Any]) -> str:
    """The command by which a person calls an execution function on the master."""
    words = [
        shlex.quote(each if isinstance(each, str) else json.dumps(each, default=str)) for each in arguments
    ]
    return " ".join(
        ["salt-run", "salt.cmd", function, *words, *(argument(*each) for each in keywords.items())]
    )


def _run(
    opts: Opts, function: str, arguments: list[Any], keywords: dict[str, Any], *, full: bool = False
) -> Any:
    """Call a runner in this process; ``full`` also tells whether it raised."""
    runner = salt.runner.RunnerClient(opts)
    return runner.cmd(function, arguments, kwarg=keywords, print_event=False, full_return=full)


def _secrets(opts: Opts) -> Callable[[str], str]:
    """Host to its secret; answers are not signed where the master has no ext_pillar ``deploy_pins``."""
    if not any("deploy_pins" in entry for entry in opts.get("ext_pillar", [])):
        return lambda host: ""
    from saltdeploy.master.records.secret import master_secret

    return functools.partial(result.secret_for, master_secret=master_secret(root(opts)))
