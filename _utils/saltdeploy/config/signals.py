"""The section ``deployment_config:signals``: what other systems hear of deploys; docs/signals.md has all keys."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from saltdeploy.config import values
from saltdeploy.config.values import Wrong
from saltdeploy.lib.errors import ConfigError

_PATH = "deployment_config:signals"
_KINDS_OF_SIGNALS = ("started", "asked", "answered", "aborted", "going back", "finished")
_AN_HOUR, _A_WEEK = 3600.0, 604_800.0

Check = Callable[[Any], Any]


@dataclass(frozen=True)
class SignalSink:
    """One entry of the section, with defaults filled in and secrets read from their files.

    Attributes:
        name: its key.
        kind: what it is.
        repos: whose signals it gets; empty for all.
        on: kinds of signals that it gets.
        late: seconds after which a signal is left out.
        options: those of its kind.
    """

    name: str
    kind: str
    repos: tuple[str, ...]
    on: tuple[str, ...]
    late: float
    options: dict[str, Any] = field(repr=False)


def signals(pillar: dict[str, Any]) -> list[SignalSink]:
    """The section's entries by their names; none where the pillar has no section.

    It is read here and by no deploy: a mistake in it stops nobody.

    Raises:
        ConfigError: a key or a value is wrong; no text shows a secret.
    """
    deployment = pillar.get("deployment_config")
    section = deployment.get("signals") if isinstance(deployment, dict) else None
    if not section:
        return []
    if not isinstance(section, dict):
        raise ConfigError("must be a table of sinks by their names", path=_PATH, next="docs/signals.md")
    return [_entry(str(name), entry) for name, entry in sorted(section.items(), key=lambda one: str(one[0]))]


def _entry(name: str, entry: Any) -> SignalSink:
    path = f"{_PATH}:{name}"
    try:
        values.name(name)
        if not isinstance(entry, dict):
            raise Wrong("must be a table")
        kind = entry.get("kind", name)
        if kind not in KINDS:
            raise Wrong(f"must be one of {', '.join(KINDS)}", "kind")
        known = {**_OF_ALL, **KINDS[kind]}
        values.refuse_unknown(entry, known, path)
        found = {key: _checked(key, entry.get(key), *known[key]) for key in known}
    except Wrong as error:
        where = ":".join((path, *error.path))
        raise ConfigError(
            str(error), path=where, next="correct it in the pillar; docs/signals.md has all keys"
        ) from None
    for secret in ("token", "secret"):
        if f"{secret}_file" in found:
            file = found.pop(f"{secret}_file")
            found[secret] = values.secret_in(file, f"{path}:{secret}_file") if file else ""
    late = found.pop("late")
    del found["kind"]
    return SignalSink(
        name,
        kind,
        found.pop("repos"),
        found.pop("on"),
        _LATE.get(kind, _A_WEEK) if late is None else late,
        found,
    )


def _checked(key: str, value: Any, default: Any, check: Check) -> Any:
    if value is None:
        if default is _NEEDED:
            raise Wrong("is needed", key)
        return default
    try:
        return check(value)
    except Wrong as error:
        raise error.below(key) from None


def _texts(value: Any) -> tuple[str, ...]:
    listed = value if isinstance(value, list) else [value]
    return tuple(values.text(each) for each in listed)


def _some_of(*names: str) -> Check:
    def check(value: Any) -> tuple[str, ...]:
        return tuple(values.one_of(*names)(each) for each in (value if isinstance(value, list) else [value]))

    return check


def _url(value: Any) -> str:
    if not values.text(value).startswith(("http://", "https://")):
        raise Wrong("must be a URL of http or https")
    if "@" in str(value).partition("://")[2].partition("/")[0]:
        raise Wrong("must hold no user and no password: put the secret into a file, and name that")
    return str(value)


def _table_of_texts(value: Any) -> dict[str, str]:
    return {values.text(key): values.text(each) for key, each in values.table_of_any(value).items()}


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list) else [value]


def _function(value: Any) -> str:
    module, dot, name = values.text(value).partition(".")
    if not (dot and module.isidentifier() and name.replace(".", "_").isidentifier()):
        raise Wrong("must be the name of an execution function: slack_notify.post_message")
    return str(value)


_NEEDED: Any = object()
_port = values.whole(1, 65_535)
_text: Check = values.text

#: Of all kinds: key -> (default, check).
_OF_ALL: dict[str, tuple[Any, Check]] = {
    "kind": ("", values.text),
    "repos": ((), _texts),
    "on": (_KINDS_OF_SIGNALS, _some_of(*_KINDS_OF_SIGNALS)),
    "late": (None, values.seconds(0.0)),
}
_HTTP: dict[str, tuple[Any, Check]] = {"url": (_NEEDED, _url), "proxy": ("", _url)}
_TOKEN: dict[str, tuple[Any, Check]] = {"token_file": ("", values.absolute)}
_WORDED: dict[str, tuple[Any, Check]] = {
    "wording": ("scap", values.one_of("scap", "trebuchet")),
    "place": ("", _text),
}
_FORGE: dict[str, tuple[Any, Check]] = {
    **_HTTP,
    "token_file": (_NEEDED, values.absolute),
    "environment": ("production", _text),
    "projects": (_NEEDED, _table_of_texts),
}
_TIMEOUT: dict[str, tuple[Any, Check]] = {"timeout": (30.0, values.seconds(0.1))}

#: Kind -> its keys beside those of all kinds.
KINDS: dict[str, dict[str, tuple[Any, Check]]] = {
    "webhook": {**_HTTP, "secret_file": ("", values.absolute)},
    "cdevents": {**_HTTP, **_TOKEN, "source": ("", _text), "environment": ("production", _text)},
    "grafana": {**_HTTP, **_TOKEN, "tags": ((), _texts)},
    "github": {**_FORGE, "url": ("https://api.github.com", _url)},
    "gitlab": {**_FORGE, "url": ("https://gitlab.com/api/v4", _url)},
    "irc": {
        **_WORDED,
        "host": (_NEEDED, _text),
        "port": (9200, _port),
        "timeout": (5.0, values.seconds(0.1)),
    },
    "statsd": {"host": (_NEEDED, _text), "port": (8125, _port), "prefix": ("deploy", _text)},
    "opentelemetry": {
        "url": ("http://localhost:4318/v1/traces", _url),
        "headers": ({}, _table_of_texts),
        "service": ("saltdeploy", _text),
        "environment": ("", _text),
    },
    "prometheus": {
        "address": ("127.0.0.1", _text),
        "port": (0, values.whole(0, 65_535)),
        "textfile": ("", values.absolute),
    },
    "command": {**_TIMEOUT, "command": (_NEEDED, values.command)},
    "salt": {
        **_WORDED,
        **_TIMEOUT,
        "function": (_NEEDED, _function),
        "args": ([], _list),
        "kwargs": ({}, values.table_of_any),
    },
}
#: What people are told at once, or not at all; and what counts everything.
_LATE = {"irc": _AN_HOUR, "salt": _AN_HOUR, "command": _AN_HOUR, "statsd": _AN_HOUR, "prometheus": math.inf}
