"""A fleet, a line for each host: the verdict first, and those first that are not well."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from saltdeploy.lib.errors import Corrupt
from saltdeploy.protocol.holdings import Holdings
from saltdeploy.protocol.result import Result
from saltdeploy.watch.console import results

from tests.unit.watch import hostile, views

COMMIT = "a1b2c3d" + "0" * 33
REPORTS = sorted(name for name in views.VIEWS if name.startswith("report-"))


@pytest.mark.parametrize("name", REPORTS)
def test_each_host_of_a_report_has_one_line(name: str) -> None:
    report = views.VIEWS[name]
    lines = str(results.render({**report, "view": "status"})).splitlines()
    for host, told in report["hosts"].items():
        line, *_ = [
            each for each in lines if each.partition(": ")[0].endswith(f" {host}") and each[:1].strip()
        ]
        assert line.split()[0] == ("ok" if told["state"] == "pinned" else told["state"].upper())


def test_several_repos_follow_each_other() -> None:
    both = {"view": "statuses", "repos": [views.VIEWS["report-pinned"], views.VIEWS["report-odd"]]}
    text = str(results.render(both))
    assert text.count("hosts run what is pinned") == 2


def answer(host: str, **facts: Any) -> dict[str, Any]:
    wrong = facts.get("wrong", 0)
    error = (
        Corrupt(f"{wrong} files differ", next="salt-run deploy.sync repo=mediawiki tag=v1") if wrong else None
    )
    held = Holdings(COMMIT, "", (COMMIT,), {COMMIT: "v1"})
    return Result(host, "mediawiki", status=error.status if error else 0, error=error, holdings=held, facts=facts).to_wire()  # fmt: skip


def test_who_does_not_hold_what_it_should_comes_first() -> None:
    view = {
        "view": "verified",
        "repo": "mediawiki",
        "part": "3/7",
        "wait": 600,
        "hosts": {
            "web1": answer("web1", files=12, wrong=0),
            "web2": answer("web2", files=12, wrong=1, changed=["index.php"]),
            "web3": None,
        },
    }
    assert results.render(view) == "\n".join(
        [
            "DIFFERS   web2: mediawiki: v1 (a1b2c3d) is live, and 1 files differ: changed index.php",
            "Next: salt-run deploy.sync repo=mediawiki tag=v1",
            "UNREACHABLE web3: mediawiki: no answer in 600 s",
            "ok        web1: mediawiki: v1 (a1b2c3d) is live, and so are its 12 files",
            "",
            "mediawiki: 1/3 hosts hold what they should (part 3/7 read)",
        ]
    )


@given(
    st.dictionaries(
        st.sampled_from(["hosts", "repos", "part", "wait", "repo", "full", "pinned"]), hostile.JSON
    ),
    st.sampled_from(["status", "statuses", "verified"]),
)
def test_a_view_of_any_form_is_shown(found: dict[str, Any], name: str) -> None:
    assert "\x1b" not in str(results.render({**found, "view": name}))
