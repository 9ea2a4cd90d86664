"""Every kind of sink by its name: what makes one of its settings."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from saltdeploy.watch.signals.hooks import Execute
from saltdeploy.watch.signals.sink import Sink, SinkSettings

Options = dict[str, Any]


def make(settings: SinkSettings, execute: Execute) -> Sink:
    """The sink of these settings; its libraries are loaded here.

    Args:
        settings: any but those of kind ``prometheus``, which is no sink alone.
        execute: calls an execution function on the master.

    Raises:
        DeployError: a library is missing.
    """
    return _MAKE[settings.kind](dict(settings.options), execute)


def _post(options: Options) -> Any:
    from saltdeploy.watch.signals.http_post import Post

    return Post([str(options.get("token", "")), str(options.get("secret", ""))], options["proxy"])


def _place(options: Options) -> str:
    return options["place"] or socket.gethostname().partition(".")[0]


def _webhook(options: Options, execute: Execute) -> Sink:
    from saltdeploy.watch.signals.webhook import Webhook

    return Webhook(options["url"], options["secret"], _post(options))


def _cdevents(options: Options, execute: Execute) -> Sink:
    from saltdeploy.watch.signals.cdevents import CDEvents

    source = options["source"] or f"/saltdeploy/{socket.gethostname()}"
    return CDEvents(options["url"], source, options["environment"], options["token"], _post(options))


def _grafana(options: Options, execute: Execute) -> Sink:
    from saltdeploy.watch.signals.grafana import Grafana

    return Grafana(options["url"], options["token"], options["tags"], _post(options))


def _forge(options: Options, made: Callable[..., Sink]) -> Sink:
    return made(options["url"], options["token"], options["environment"], options["projects"], _post(options))


def _github(options: Options, execute: Execute) -> Sink:
    from saltdeploy.watch.signals.forges import GitHub

    return _forge(options, GitHub)


def _gitlab(options: Options, execute: Execute) -> Sink:
    from saltdeploy.watch.signals.forges import GitLab

    return _forge(options, GitLab)


def _irc(options: Options, execute: Execute) -> Sink:
    from saltdeploy.watch.signals.irc import Irc

    return Irc(options["host"], options["port"], options["wording"], _place(options), options["timeout"])


def _statsd(options: Options, execute: Execute) -> Sink:
    from saltdeploy.watch.signals.statsd import Statsd

    return Statsd(options["host"], options["port"], options["prefix"])


def _opentelemetry(options: Options, execute: Execute) -> Sink:
    from saltdeploy.watch.signals.traces import Traces

    return Traces(options["url"], options["headers"], options["service"], options["environment"])


def _command(options: Options, execute: Execute) -> Sink:
    from saltdeploy.watch.signals.hooks import Command

    return Command(options["command"], options["timeout"])


def _salt(options: Options, execute: Execute) -> Sink:
    from saltdeploy.watch.signals.hooks import Function

    return Function(
        options["function"],
        options["args"],
        options["kwargs"],
        options["wording"],
        _place(options),
        options["timeout"],
        execute,
    )


_MAKE: dict[str, Callable[[Options, Execute], Sink]] = {
    "webhook": _webhook,
    "cdevents": _cdevents,
    "grafana": _grafana,
    "github": _github,
    "gitlab": _gitlab,
    "irc": _irc,
    "statsd": _statsd,
    "opentelemetry": _opentelemetry,
    "command": _command,
    "salt": _salt,
}
