"""What hosts have taken over is a line for each of them."""

from __future__ import annotations

from saltdeploy.lib.errors import Unsupported
from saltdeploy.protocol.result import Result
from saltdeploy.watch.console.results import render


def test_each_host_has_a_line_and_they_are_counted() -> None:
    error = Unsupported("the pillar shares nothing", repo="wiki", next="add it")
    hosts = {
        "web2": Result("web2", "wiki", facts={"moved": "images", "not_found": "a\x1b.php"}).to_wire(),
        "web10": Result("web10", "wiki", status=160, error=error).to_wire(),
        "web1": None,
    }
    text = render({"view": "adopted", "repo": "wiki", "wait": 5, "hosts": hosts})
    assert text is not None
    assert text.splitlines() == [
        "UNREACHABLE web1: no answer",
        "ok          web2: moved images; not found a?.php",
        "FAILED    web10: wiki: the pillar shares nothing (unsupported, status 160)",
        "Next: add it",
        "",
        "wiki: 1/3 hosts have taken over what they share",
    ]
