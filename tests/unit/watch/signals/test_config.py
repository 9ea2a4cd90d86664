"""The section ``deployment_config:signals``: what is accepted, what is refused, and that no text shows a secret."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from saltdeploy.config.signals import KINDS, signals
from saltdeploy.lib.errors import ConfigError
from saltdeploy.watch.signals import kinds, office
from saltdeploy.watch.signals.signal import KINDS as MOMENTS
from saltdeploy.watch.signals.sink import SinkSettings

HOOK = {"url": "https://hooks.example.org/d"}


def read(**section: Any) -> Any:
    return signals({"deployment_config": {"signals": section}})


def test_without_the_section_nobody_is_told() -> None:
    assert signals({}) == [] == signals({"deployment_config": {}})


def test_a_sinks_kind_is_its_name_unless_it_says_another() -> None:
    one, other = read(irc={"host": "irc1"}, second={"kind": "irc", "host": "irc2"})
    assert (one.kind, other.kind, other.options["host"]) == ("irc", "irc", "irc2")


def test_what_people_read_is_news_for_an_hour_and_what_is_counted_for_ever() -> None:
    late = {one.kind: one.late for one in read(irc={"host": "a"}, webhook=HOOK, prometheus={})}
    assert late == {"irc": 3600.0, "webhook": 604_800.0, "prometheus": math.inf}


def test_a_secret_comes_from_its_file_and_stands_in_no_text(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("t0p-secret\n")
    (sink,) = read(grafana={"url": "https://grafana.example.org", "token_file": str(file)})
    assert sink.options["token"] == "t0p-secret"
    assert "t0p" not in repr(sink) and "t0p" not in repr(SinkSettings(**vars(sink)))


@pytest.mark.parametrize(
    ("section", "path"),
    [
        ([], ""),
        ({"web hook": HOOK}, ":web hook"),
        ({"pager": {}}, ":pager:kind"),
        ({"webhook": "https://example.org"}, ":webhook"),
        ({"webhook": {}}, ":webhook:url"),
        ({"webhook": {"url": "ftp://example.org"}}, ":webhook:url"),
        ({"webhook": {"url": "https://me:pw@example.org"}}, ":webhook:url"),
        ({"webhook": {**HOOK, "secret_file": "/nowhere/at/all"}}, ":webhook:secret_file"),
        ({"webhook": {**HOOK, "urls": "x"}}, ":webhook:urls"),
        ({"webhook": {**HOOK, "on": ["ended"]}}, ":webhook:on"),
        ({"irc": {"host": "a", "port": 0}}, ":irc:port"),
        ({"irc": {"host": "a", "wording": "perl"}}, ":irc:wording"),
        ({"salt": {"function": "no"}}, ":salt:function"),
        ({"command": {"command": []}}, ":command:command"),
        ({"github": {"projects": {}, "token_file": "relative"}}, ":github:token_file"),
    ],
)
def test_what_is_wrong_is_named_by_its_place_in_the_pillar(section: Any, path: str) -> None:
    if section == []:
        section = ["irc"]
    with pytest.raises(ConfigError) as refused:
        signals({"deployment_config": {"signals": section}})
    assert refused.value.path == f"deployment_config:signals{path}"
    assert "pw" not in str(refused.value)


def test_every_kind_of_the_pillar_can_be_made_and_every_moment_chosen() -> None:
    assert {*kinds._MAKE, office.PROMETHEUS} == set(KINDS)
    assert read(webhook={**HOOK, "on": list(MOMENTS)})[0].on == tuple(MOMENTS)
