"""scap's language for filters: what it means, and where it says that something is wrong."""

from __future__ import annotations

import fnmatch
import logging
import re
import shlex
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from saltdeploy.lib.errors import BadArguments
from saltdeploy.watch.log_filter import LEVELS, OPERATORS, LogFilter

RECORD: dict[str, str | int | float] = {
    "levelno": logging.WARNING,
    "levelname": "WARNING",
    "host": "web1.example.org",
    "name": "target.web1.example.org",
    "msg": "some important message",
    "created": 1795428672.5,
    "deploy": "20261123101112000000",
    "status": 143,
}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", True),
        ("levelno >= WARNING host == web*", True),
        ("levelno >= WARNING host == db*", False),
        ("levelno > WARNING", False),
        ("levelno == WARNING", True),
        ("levelno = 30", True),
        ("levelno < 31", True),
        ("levelno <= INFO", False),
        ("levelname == WARN*", True),
        ("host = web1", False),
        ("host ~ web1", True),
        ("host == web[0-9].*", True),
        ('msg ~ "some important (message|msg)"', True),
        ("msg ~ 'unimportant'", False),
        ("msg == some\\ important\\ message", True),
        ("no_such == *", False),
        ("no_such ~ .", False),
        ("status == 143", True),
        ("status > 142 status < 144", True),
        ("status == 14*", True),
        ("status >= many", False),
        ("created > 1795428672", True),
        ("deploy == 20261123101112000000", True),
        ("deploy >= 20261123", True),
        ("host > web0", True),
        ("status ~ ^14", True),
    ],
)
def test_a_record_is_shown_when_all_criteria_hold(text: str, shown: bool) -> None:
    assert LogFilter.read(text).matches(RECORD) is shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [("", False), ("host == web*", False), ("levelno >= DEBUG", True), ("levelno == 10", True)],
)
def test_debug_is_shown_to_who_asks_for_a_level(text: str, shown: bool) -> None:
    assert LogFilter.read(text).matches({**RECORD, "levelno": logging.DEBUG}) is shown


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("levelno", "character 8: an operator is missing behind 'levelno': levelno--><--"),
        ("levelno >=", "character 11: a value is missing behind 'levelno >=': levelno >=--><--"),
        ("levelno => WARNING", "character 9: '=>' is no operator (= == ~ > >= < <=): levelno -->=><-- WARNING"),
        ("levelno >= LOUD host == a", "character 12: 'LOUD' is no level (CRITICAL ERROR WARNING INFO DEBUG) and no number"),
        ("levelno >= LOUD host == a", "levelno >= -->LOUD<-- host == a"),
        ("levelno >= warning", "'warning' is no level"),
        ("host==web1", "the name of an attribute is expected, not 'host==web1': -->host==web1<--"),
        ("host == a == b", "character 11: the name of an attribute is expected, not an operator"),
        ("msg ~ (", "character 7: '(' is no regular expression: "),
        ("msg ~ 'a b", "character 7: this quotation mark has no second one: msg ~ -->'a b<--"),
        ("msg == a\\", "character 9: nothing stands behind the backslash"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_pointed_at(text: str, place: str) -> None:
    with pytest.raises(BadArguments) as caught:
        LogFilter.read(text)
    assert caught.value.cause.startswith("filter at character ")
    assert place in caught.value.cause
    assert caught.value.next.startswith("salt-run deploy.log ")


@given(st.text(max_size=80) | st.text("ab '\"\\=~><*\n\t", max_size=30))
def test_any_text_is_a_filter_or_is_refused_with_a_place_in_it(text: str) -> None:
    try:
        LogFilter.read(text)
    except BadArguments as error:
        place = re.match(r"filter at character (\d+): .", error.cause, re.DOTALL)
        assert place and 1 <= int(place[1]) <= len(text) + 1


VALUES = st.text(max_size=12)
TRIPLES = st.lists(
    st.tuples(st.sampled_from(["host", "msg", "name"]), st.sampled_from(["=", "=="]), VALUES), max_size=4
)


@given(TRIPLES, st.data())
def test_values_are_quoted_as_for_a_shell(triples: list[tuple[str, str, str]], data: Any) -> None:
    written = [shlex.join(triple) for triple in triples]
    text = data.draw(st.sampled_from([" ", "\t", "\n  "])).join(written)
    criteria = LogFilter.read(text).criteria
    assert [(each.attribute, each.operator, each.value) for each in criteria[: len(triples)]] == triples


@given(st.text("ab'\"\\ =", max_size=20))
def test_words_are_those_of_a_shell(text: str) -> None:
    """Whatever a shell reads as one triple is read as that."""
    try:
        words = shlex.split(text)
    except ValueError:
        words = []
    if len(words) == 3 and words[0].isidentifier() and words[1] in OPERATORS:
        first = LogFilter.read(text).criteria[0]
        assert [first.attribute, first.operator, first.value] == words


@given(st.text(max_size=12), st.text("ab*?[]!-", max_size=8))
def test_equal_means_a_glob_for_the_whole_text(found: str, glob: str) -> None:
    text = shlex.join(["msg", "==", glob])
    assert LogFilter.read(text).matches({"levelno": 20, "msg": found}) is fnmatch.fnmatchcase(found, glob)


@given(st.sampled_from(LEVELS), st.integers(0, 60), st.sampled_from([">", ">=", "<", "<=", "=="]))
def test_levels_are_compared_as_numbers(level: str, found: int, how: str) -> None:
    wanted = getattr(logging, level)
    means = {
        ">": found > wanted,
        ">=": found >= wanted,
        "<": found < wanted,
        "<=": found <= wanted,
        "==": found == wanted,
    }
    assert LogFilter.read(f"levelno {how} {level}").matches({"levelno": found}) is means[how]


@given(TRIPLES, TRIPLES)
def test_more_criteria_never_show_more(
    some: list[tuple[str, str, str]], more: list[tuple[str, str, str]]
) -> None:
    few, many = (LogFilter.read(" ".join(map(shlex.join, each))) for each in (some, some + more))
    if many.matches(RECORD):
        assert few.matches(RECORD)
