"""What each kind of argument may be, and what is refused; the cases are data."""

from __future__ import annotations

import datetime
from functools import partial
from typing import Any

import pytest
from saltdeploy.lib.readers import (
    Given,
    Lost,
    NotValid,
    Reader,
    choice,
    code,
    count,
    flag,
    name,
    number,
    several,
    wires,
)

JID = "20261123101112000000"
LONG = "x" * 10_240
DAY = datetime.date(2026, 11, 23)
deploy_id, careful = partial(code, digits=20), partial(flag, careful=True)


def case(reader: Reader, value: object, *more: Any) -> Any:
    shown = getattr(reader, "__name__", None) or reader.func.__name__  # type: ignore[attr-defined]
    return pytest.param(reader, value, *more, id=f"{shown} {value!r:.30}")


MEANT = [
    *(case(name, text, text) for text in ("v1", "1.10", "yes", "null", "", "ü☃", LONG)),
    case(deploy_id, JID, JID),
    case(deploy_id, int(JID), JID),
    case(deploy_id, f"{JID}_123", f"{JID}_123"),
    *(case(flag, value, True) for value in (True, 1, "1", "true", "TRUE", "Yes", "on")),
    *(case(flag, value, False) for value in (False, 0, "0", "false", "False", "NO", "off")),
    *(case(number, value, 60.0) for value in (60, 60.0, "60", " 60 ", "6e1")),
    *(case(number, value, 0.0) for value in (0, "0")),
    case(count, "2", 2),
    *(case(choice, value, "yes") for value in (True, "yes")),
    case(choice, False, "no"),
    case(choice, "retry", "retry"),
    *(case(wires, value, value) for value in (None, {"stage": "fetch"}, [{}])),
    case(several, "a", (("a", ""),)),
    case(several, "a, b", (("a", ""), ("b", ""))),
    case(several, ["a", "1.10"], (("a", ""), ("1.10", ""))),
    case(several, {"a": "1.10", "b": None}, (("a", "1.10"), ("b", ""))),
    case(
        several,
        "{a: 1.10, 007: yes, b: null, c: }",
        (("a", "1.10"), ("007", "yes"), ("b", "null"), ("c", "")),
    ),
    case(several, "{a: v1, a: v2}", (("a", "v1"), ("a", "v2"))),
    case(several, "[a, 0x10, 'b']", (("a", ""), ("0x10", ""), ("b", ""))),
]

REFUSED = [
    case(name, 1.1, Lost, "1.1"),
    case(name, 2026, Lost, "2026"),  # 0x7ea is the same number
    case(name, True, Lost, "yes"),
    case(name, None, Lost, "null"),
    case(name, DAY, Lost, "2026-11-23"),
    case(name, ["web1", "web2"], Lost, "web1,web2"),
    case(name, {"a": 1.1}, Lost, "a"),
    case(deploy_id, 20261123, Lost, "20261123"),
    case(deploy_id, True, Lost, "yes"),
    *(
        case(flag, value, NotValid, False)
        for value in ("maybe", "", "y", "2", 2, 1.0, None, [True], {}, DAY, LONG)
    ),
    case(careful, "ture", NotValid, True),
    case(number, "abc", NotValid, 0),
    case(number, "60s", NotValid, 60),
    case(number, "", NotValid, 0),
    *(case(number, value, NotValid, 1) for value in (-1, "1e99")),
    *(case(number, value, NotValid, 0) for value in (None, [], "nan", "inf", True, LONG)),
    *(case(number, value, NotValid, 1e9) for value in ("9" * 10_240, 10**400)),
    case(count, "1.5", NotValid, 1),
    case(choice, 1.1, Lost, "1.1"),
    *(case(wires, value, NotValid, None) for value in ("v1", 1, True, "")),
    case(several, 1.1, Lost, "1.1"),
    case(several, None, Lost, "null"),
    case(several, {"r": 1.1}, Lost, {"r": "1.1"}),
    case(several, {2026: "v1"}, Lost, {"2026": "v1"}),
    case(several, ["r", True], Lost, ["r", "yes"]),
    case(several, "{a: [v1]}", NotValid, "a,v1"),
    case(several, "[" * 10_240, NotValid, "..."),
    case(several, "{a: v1", NotValid, "a,v1"),
]


@pytest.mark.parametrize(("reader", "value", "meant"), MEANT)
def test_what_is_meant(reader: Reader, value: object, meant: object) -> None:
    found = reader(Given(value))
    assert (found, type(found)) == (meant, type(meant))


@pytest.mark.parametrize(("reader", "value", "kind", "guess"), REFUSED)
def test_what_is_refused_and_what_it_may_have_been(
    reader: Reader, value: object, kind: type[NotValid], guess: object
) -> None:
    with pytest.raises(NotValid) as caught:
        reader(Given(value))
    assert (type(caught.value), caught.value.guess) == (kind, guess)
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize(
    ("reader", "value", "typed", "meant"),
    [
        (name, 1.1, "1.10", "1.10"),
        (name, None, "null", "null"),
        (name, "1.10", '"1.10"', "1.10"),  # quoted twice: what arrived is what was meant
        (several, {"r": 1.1}, "{r: 1.10}", (("r", "1.10"),)),
        (several, [16], "[0x10]", (("0x10", ""),)),
        (several, 7, "007", (("007", ""),)),
        (choice, True, "Yes", "yes"),
        (flag, True, "yes", True),
    ],
)
def test_F01_a_name_is_what_was_typed_where_that_is_known(
    reader: Reader, value: object, typed: str, meant: object
) -> None:
    assert reader(Given(value, typed)) == meant
