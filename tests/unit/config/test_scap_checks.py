"""Which checks a release brings, and where they run."""

from __future__ import annotations

from typing import Any

import pytest
from saltdeploy import config
from saltdeploy.config import scap_checks
from saltdeploy.lib.errors import BadChecks


def repo(**keys: Any) -> config.Repo:
    return config.load({"repo_config": {"demo": {"location": "/srv/demo", **keys}}}, "demo")


RESTARTED = repo(service_name="demo")


def read(text: bytes, to: config.Repo = RESTARTED) -> list[tuple[str, str, str]]:
    """Name, place and what the file says where that is another place, of each check."""
    return [(each.check.name, each.check.point, each.said) for each in scap_checks.read(text, to)]


def refused(text: bytes, to: config.Repo = RESTARTED) -> BadChecks:
    with pytest.raises(BadChecks) as raised:
        scap_checks.read(text, to)
    return raised.value


def test_scaps_file_is_read_as_it_is() -> None:
    found = scap_checks.read(
        b"""
checks:
  endpoints:
    type: nrpe
    stage: promote
    command: check_endpoints_mathoid
  syntax:
    type: command
    after: fetch
    command: php -l index.php
    timeout: 60
    group: canary
    shell: false
  prepare:
    type: script
    before: promote
    command: prepare.sh --fast
""",
        RESTARTED,
    )
    checks = [each.check for each in found]
    assert [(c.name, c.kind, c.before, c.stage, c.group, c.timeout) for c in checks] == [
        ("endpoints", "nrpe", False, "restart", "", 30),
        ("syntax", "command", False, "fetch", "canary", 60),
        ("prepare", "script", True, "checkout", "", 30),
    ]
    assert checks[1].option("command") == ("php", "-l", "index.php")


@pytest.mark.parametrize("text", [b"", b"# nothing\n", b"checks:\n", b"checks: {}\n"])
def test_a_file_without_checks_holds_none(text: bytes) -> None:
    assert scap_checks.read(text, RESTARTED) == ()


# -- places ---------------------------------------------------------------------------------------------

PLACES = [
    ("after: fetch", "after fetch"),
    ("stage: fetch", "after fetch"),
    ("before: promote", "before checkout"),
    ("after: promote", "after checkout"),
    ("stage: promote", "after checkout"),
    ("before: handle_service", "before restart"),
    ("before: restart_service", "before restart"),
    ("stage: handle_service", "after restart"),
    ("after: restart_service", "after restart"),
    ("before: rollback", "before rollback"),
    ("after: rollback", "after rollback"),
    ("after: checkout", "after checkout"),
    ("stage: fetch, after: promote", "after checkout"),
]


@pytest.mark.parametrize("kind", ["command", "script"])
@pytest.mark.parametrize(("said", "place"), PLACES)
def test_F22_what_runs_a_program_stands_where_scap_would_run_it(kind: str, said: str, place: str) -> None:
    text = f"checks: {{x: {{type: {kind}, {said}, command: build}}}}".encode()
    assert read(text) == [("x", place, "")]


ASKING = ["type: nrpe, command: c", "type: port, port: 80", "type: http, url: 'http://127.0.0.1/'"]


@pytest.mark.parametrize("kind", ASKING)
@pytest.mark.parametrize(
    ("said", "place", "moved"),
    [
        ("stage: promote", "after restart", "after promote"),
        ("after: promote", "after restart", "after promote"),
        ("before: handle_service", "after restart", "before handle_service"),
        ("before: restart_service", "after restart", "before restart_service"),
        ("before: promote", "before checkout", ""),
        ("after: restart_service", "after restart", ""),
        ("after: fetch", "after fetch", ""),
    ],
)
@pytest.mark.parametrize("to", [RESTARTED, repo()], ids=["restarted", "not restarted"])
def test_F22_what_asks_processes_moves_behind_the_restart_and_says_so(
    kind: str, said: str, place: str, moved: str, to: config.Repo
) -> None:
    assert read(f"checks: {{x: {{{kind}, {said}}}}}".encode(), to) == [("x", place, moved)]


def test_F22_what_has_moved_runs_before_what_stands_there_by_itself() -> None:
    """A host is put back into service when its endpoints have answered, whatever the order in the file."""
    text = b"""
checks:
  repool: {stage: restart_service, command: pool}
  endpoints: {type: nrpe, stage: promote, command: check_endpoints}
"""
    assert [name for name, _, _ in read(text)] == ["endpoints", "repool"]


def test_F22_every_stage_of_scaps_runs_in_scaps_order() -> None:
    """Those that are none here run behind the stage before them, and say so."""
    stages = ("finalize", "handle_service", "promote", "config_deploy", "fetch")
    text = "checks:\n" + "".join(
        f"  {when}-{stage}: {{command: x, {when}: {stage}}}\n"
        for stage in stages
        for when in ("after", "before")
        if (when, stage) != ("before", "fetch")
    )
    order = ["after fetch", "before checkout", "after checkout", "before restart", "after restart"]
    found = sorted(read(text.encode(), RESTARTED), key=lambda each: order.index(each[1]))
    assert found == [
        ("after-fetch", "after fetch", ""),
        ("before-config_deploy", "after fetch", "before config_deploy"),
        ("after-config_deploy", "after fetch", "after config_deploy"),
        ("before-promote", "before checkout", ""),
        ("after-promote", "after checkout", ""),
        ("before-handle_service", "before restart", ""),
        ("after-handle_service", "after restart", ""),
        ("before-finalize", "after restart", "before finalize"),
        ("after-finalize", "after restart", "after finalize"),
    ]


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("after: final", "final: nothing runs on a target"),
        ("after: config_diff", "config_diff: no check can see"),
    ],
)
def test_F22_a_stage_that_there_is_not_is_refused_by_name(said: str, why: str) -> None:
    error = refused(f"checks: {{x: {{command: build, {said}}}}}".encode())
    assert (why in error.cause, error.path) == (True, f"scap/checks.yaml:checks:x:{said.split(':')[0]}")


@pytest.mark.parametrize(
    ("groups", "group"),
    [([], ""), ([{"name": "canary", "targets": "web1"}], "default")],
    ids=["no groups", "groups"],
)
def test_F22_a_check_for_scaps_default_group_runs_where_the_pillar_has_no_groups(
    groups: list[dict[str, str]], group: str
) -> None:
    text = b"checks: {venv: {command: build, stage: promote, group: default}}"
    (found,) = scap_checks.read(text, repo(groups=groups))
    assert found.check.group == group


def test_F22_the_words_of_the_pillar_mean_what_they_meant() -> None:
    checks = {"x": {"command": "smoke", "after": "promote"}, "y": {"command": "files", "after": "checkout"}}
    assert [check.point for check in repo(checks=checks).hooks.checks] == ["after restart", "after checkout"]


# -- what is not valid -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "path", "why"),
    [
        (b"checks: [", "", "cannot be read"),
        (b"\xff\xfe\x00", "", "cannot be read"),
        (b"{" * 60_000, "", "cannot be read"),
        (b"!!python/object/apply:os.getcwd []", "", "cannot be read"),
        (b"just text", "", "table"),
        (b"chekcs: {}", ":chekcs", "not a key"),
        (b"checks: [x]", ":checks", "table"),
        (b"checks: {x: y}", ":checks:x", "table"),
        (b"checks: {x: {command: 'true', stage: lunch}}", ":checks:x:stage", "must be one of"),
        (b"checks: {x: {command: 'true', stage: [fetch]}}", ":checks:x:stage", "must be one of"),
        (b"checks: {x: {command: 'true'}}", ":checks:x", "one of before and after"),
        (b"checks: {x: {command: 'true', before: promote, after: fetch}}", ":checks:x", "one of before"),
        (b"checks: {x: {command: 'true', stage: promote, shell: true}}", ":checks:x:shell", "no shell"),
        (b"checks: {x: {command: 'true', after: fetch, where: master}}", ":checks:x:where", "only the pillar"),
        (b"checks: {x: {command: 'true', before: fetch}}", ":checks:x:before", "not there before"),
        (b"checks: {x: {type: port, port: 80, after: checkout}}", ":x", "after: restart"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_meant_says_where(text: bytes, path: str, why: str) -> None:
    error = refused(text)
    assert (why in error.cause, error.path) == (True, f"scap/checks.yaml{path}")


def test_a_name_that_the_pillar_has_is_refused() -> None:
    mine = repo(checks={"x": {"command": "true", "after": "fetch"}})
    error = refused(b"checks: {x: {command: a, stage: promote}}", mine)
    assert (error.cause, error.path) == ("the pillar has a check of this name", "scap/checks.yaml:checks:x")


def test_many_references_in_a_file_do_not_blow_up() -> None:
    bomb = b"a0: &a0 x\n" + b"".join(
        b"a%d: &a%d [%s]\n" % (n, n, b",".join([b"*a%d" % (n - 1)] * 9)) for n in range(1, 30)
    )
    refused(bomb + b"checks: {x: {command: *a29, after: fetch}}\n")


# -- what stands there twice ----------------------------------------------------------------------------

THRICE = b"""\
checks:
  depool: {stage: promote, command: one}
  other: {stage: promote, command: other}
  depool: {stage: promote, command: two}

  "depool": {stage: promote, command: three}
"""


@pytest.mark.parametrize(
    ("text", "path", "why"),
    [
        (THRICE, ":checks:depool", "depool stands here more than once: on lines 2, 4 and 6"),
        (b"checks:\n  x:\n    command: a\n    stage: fetch\n    command: b\n", ":checks:x:command", "lines 3 and 5"),
        (b"checks: {}\nchecks: {}\n", ":checks", "lines 1 and 2"),
        (b"checks: {x: {type: salt, args: [{a: 1, a: 2}]}}", ":checks:x:args:a", "lines 1 and 1"),
    ],
    ids=["checks", "keys", "tables", "in a list"],
)  # fmt: skip
def test_F26_what_stands_there_twice_is_refused_with_its_lines(text: bytes, path: str, why: str) -> None:
    error = refused(text)
    assert (why in error.cause, error.path) == (True, f"scap/checks.yaml{path}")


def test_F26_what_a_check_says_otherwise_than_that_which_it_is_made_after_stands_there_once() -> None:
    text = b"""
checks:
  one: &usual {stage: promote, command: build, timeout: 300}
  two: {<<: *usual, command: other}
  three: &more {<<: *usual, stage: fetch}
  four: {<<: *more, timeout: 1}
"""
    assert [place for _, place, _ in read(text)] == ["after checkout"] * 2 + ["after fetch"] * 2


def test_F26_the_same_key_in_two_checks_is_no_matter() -> None:
    text = b"checks:\n  a: {stage: promote, command: x}\n  b: {stage: promote, command: x}\n"
    assert [name for name, _, _ in read(text)] == ["a", "b"]
