"""A call is read as a whole: what was typed counts if it is known, and what is refused comes back as a command."""

from __future__ import annotations

import inspect
import shlex
from typing import Any

import pytest
import salt.utils.args
from saltdeploy.lib import arguments
from saltdeploy.lib.errors import BadArguments
from saltdeploy.lib.spelling import argument

FUNCTION = "deploy.sync"


def sync(repo: Any, tag: Any = "", force: Any = False, wait: Any = 0, order: Any = None) -> None:
    """What is called."""


CALL = arguments.Call(f"salt-run {FUNCTION}", inspect.signature(sync), arguments.SEVERAL_REPOS)


def arrived(words: list[str]) -> tuple[list[Any], dict[str, Any]]:
    """What Salt makes of what was typed."""
    positional, named = salt.utils.args.parse_input(words, condition=False)
    return positional, named


def read(words: list[str], opts: dict[str, Any]) -> dict[str, Any]:
    known = arguments.typed(opts, FUNCTION, salt.utils.args.parse_input)
    return dict(CALL.read(*arrived(words), known).arguments)


@pytest.mark.parametrize(
    "tag", ["1.10", "yes", "null", "None", "0x10", "007", "2026", "1e5", "2026-11-23", "1_000"]
)
@pytest.mark.parametrize("words", ["repo=r tag={}", "r {}"])
def test_F01_a_command_knows_what_was_typed(tag: str, words: str) -> None:
    typed = words.format(tag).split()
    assert read(typed, {"fun": FUNCTION, "arg": typed}) == {"repo": (("r", ""),), "tag": tag}


@pytest.mark.parametrize(
    "opts",
    [
        {},
        {"fun": "state.orchestrate", "arg": ["repo=r", "tag=1.10"]},
        {"fun": FUNCTION, "arg": ["repo=r", "tag=2.20"]},
        {"fun": FUNCTION, "arg": ["repo=r", "to=1.10"]},
        {"fun": FUNCTION, "arg": ["repo=r", "tag=1"]},
        {"fun": FUNCTION, "arg": ["repo=r", 'tag="1.10"']},
        {"fun": FUNCTION},
    ],
)
def test_F01_what_was_typed_for_something_else_does_not_count(opts: dict[str, Any]) -> None:
    with pytest.raises(BadArguments, match="what was typed is lost") as caught:
        read(["repo=r", "tag=1.10"], opts)
    assert caught.value.next == """salt-run deploy.sync repo=r tag='"1.1"'"""
    assert caught.value.repo == "r"


@pytest.mark.parametrize("value", [1, 1.0, True])
def test_F01_what_is_equal_to_what_was_typed_is_not_the_same(value: object) -> None:
    known = arguments.typed(
        {"fun": FUNCTION, "arg": ["r", "tag=1e0"]}, FUNCTION, lambda words, condition: ([], {"tag": 1})
    )
    if type(value) is int:
        assert CALL.read(["r"], {"tag": value}, known).arguments["tag"] == "1e0"
    else:
        with pytest.raises(BadArguments):
            CALL.read(["r"], {"tag": value}, known)


def test_everything_that_is_wrong_is_said_at_once_and_mended_in_one_command() -> None:
    with pytest.raises(BadArguments) as caught:
        CALL.read([{"r": 1.1, "s": None}], {"tag": "it's", "force": "maybe", "wait": "60s", "order": 1}, {})
    error = caught.value
    assert [part.split(" ")[0] for part in error.cause.split("; ")] == [
        "repo",
        "force",
        "wait",
        "order",
        "Salt",
    ]
    positional, named = arrived(shlex.split(error.next)[2:])
    assert (positional, named) == (
        [],
        {"repo": {"r": "1.1", "s": ""}, "tag": "it's", "force": False, "wait": 60},
    )


def test_what_was_typed_well_is_repeated_so_that_it_means_the_same() -> None:
    words = ["repo={r: 1.10}", "tag=1.20", "force=maybe"]
    with pytest.raises(BadArguments) as caught:
        read(words, {"fun": FUNCTION, "arg": words})
    assert shlex.split(caught.value.next)[2:] == ["repo={r: 1.10}", 'tag="1.20"', "force=False"]


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("max_removed", ("max_removed",)),
        ("max_removed,freeze", ("freeze", "max_removed")),
        ("[max_removed, freeze]", ("freeze", "max_removed")),
        ("True", True),
        ("no", False),
    ],
)
def test_F49_a_guard_is_forced_by_its_name(word: str, meant: object) -> None:
    assert read(["repo=r", f"force={word}"], {})["force"] == meant


@pytest.mark.parametrize(
    ("word", "mended"),
    [
        ("max_remove", "max_removed"),
        ("frieze", "freeze"),
        ("bad-release,frieze", "freeze,bad_release"),
        ("max_removed,frost", "max_removed"),
        ("moved_tag", "False"),
        ("[]", "False"),
    ],
)
def test_F49_what_is_no_guard_or_cannot_be_forced_is_refused_with_those_that_can(
    word: str, mended: str
) -> None:
    with pytest.raises(
        BadArguments, match=r"guards: freeze, lock, targets, transport, bad_release"
    ) as caught:
        read(["repo=r", f"force={word}"], {})
    assert caught.value.next == f"salt-run deploy.sync repo=r force={mended}"


def test_none_is_nothing_only_where_nothing_may_be_given() -> None:
    assert CALL.read(["r"], {"order": None}, {}).arguments["order"] is None
    with pytest.raises(BadArguments, match="tag arrived as the empty value None"):
        CALL.read(["r"], {"tag": None}, {})


@pytest.mark.parametrize(
    "text",
    "1.10 yes null None ~ 0x10 007 2026 1_000 'a' \"a\" a\"b it's a:b - [a] {a {a} # a#b ! | !a &a *a --- ... 1:30 = == "
    "2026-11-23 é a\\b %a @a `a ? a: true << .inf 1e5 1.0e+5 y release/2026-11-23/1 $(a) a;b -x".split()
    + ["", " ", " 1", "a b", "a: b", "- a", "a #b", '{"a": 1}', "a\tb", "x" * 10_240],
)
def test_a_printed_argument_arrives_as_it_was(text: str) -> None:
    assert arrived(shlex.split(argument("tag", text))) == ([], {"tag": text})


def test_plain_names_are_printed_plainly() -> None:
    assert argument("tag", "release/2026-11-23/1") == "tag=release/2026-11-23/1"
