"""Each kind of check against something real: programs, a web server, ports, functions, numbers."""

from __future__ import annotations

import http.server
import json
import socket
import stat
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from saltdeploy import checklist, checks
from saltdeploy.checks import FAIL, INCONCLUSIVE, PASS, Place, Response, Verdict
from saltdeploy.policy import Check

from tests.serving import free_port, get


class Web:
    """A real web server: path to what it answers, as (status, headers, body) or as a function that gives them."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.port = port
        self.answers: dict[str, Any] = {}
        self.hosts: list[str] = []

    def answer(self, path: str) -> tuple[int, dict[str, str], str]:
        found = self.answers.get(path.split("?")[0], (404, {}, "nothing here"))
        return found(path) if callable(found) else found  # type: ignore[no-any-return]


@pytest.fixture
def web() -> Iterator[Web]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers, body = site.answer(self.path)
            site.hosts.append(self.headers["Host"])
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        site = Web(server.server_address[1])
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield site
        server.shutdown()


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "test.answer": lambda value=None: value,
    "test.hang": lambda: time.sleep(600),
    "test.raise": lambda: int("x"),
    "test.add": lambda one, two: one + two == 3,
}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A host with a release that has a script."""
    tree = tmp_path / "slots" / "1"
    scripts = tree / "scap" / "scripts"
    scripts.mkdir(parents=True)
    (tree / "VERSION").write_text("v1")
    executable(scripts / "say", '#!/bin/sh\necho "said $1 in $(cat VERSION)"\nexit "${2:-0}"\n')
    (scripts / "plain").write_text("echo no\n")
    (scripts / "away").symlink_to("/bin/true")
    (scripts / "folder").mkdir()
    return Place(
        call=lambda name, arguments, keywords: FUNCTIONS[name](*arguments, **keywords),
        get=get,
        directory=tree,
        environment={"SCAP_FINAL_PATH": "/srv/demo"},
    )


def executable(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def check(kind: str, **keys: Any) -> Check:
    (found,) = checklist.checks({"x": {"type": kind, "after": "restart", **keys}})
    return found


def verdict(place: Place, kind: str, **keys: Any) -> Verdict:
    return checks.run(check(kind, **keys), place)


def script(text: str) -> list[str]:
    return ["/bin/sh", "-c", text]


# -- programs -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("exit 0", Verdict(PASS, "Check 'x' completed")),
        ("echo fine", Verdict(PASS, "Check 'x' completed, output: fine")),
        ("echo out; exit 2", Verdict(FAIL, "Check 'x' failed: out (exit code 2)")),
        ("exit 7", Verdict(FAIL, "Check 'x' failed: exit code 7")),
        ("kill -9 $$", Verdict(FAIL, "Check 'x' failed: killed by signal 9")),
        ("sleep 600", Verdict(FAIL, "Check 'x' exceeded 1s timeout")),
        ("echo begun; sleep 600", Verdict(FAIL, "Check 'x' exceeded 1s timeout: begun")),
    ],
)
def test_a_command_is_judged_by_its_exit_code_in_scaps_words(place: Place, text: str, found: Verdict) -> None:
    assert verdict(place, "command", command=script(text), timeout=1) == found


def test_a_command_runs_in_the_release_with_scaps_variables(place: Place) -> None:
    found = verdict(place, "command", command=script("cat VERSION; echo; echo $SCAP_FINAL_PATH"))
    assert found.text.split()[-2:] == ["v1", "/srv/demo"]


def test_a_program_of_the_release_is_named_from_its_root(place: Place) -> None:
    assert verdict(place, "command", command="scap/scripts/say hello").text.endswith("said hello in v1")


def test_no_shell_reads_a_command(place: Place) -> None:
    assert verdict(place, "command", command="echo $HOME ; false").text.endswith("$HOME ; false")


def test_a_program_that_is_not_there_is_a_failure(place: Place) -> None:
    found = verdict(place, "command", command="/nonexistent/program")
    assert found == Verdict(
        FAIL, "Check 'x' failed: /nonexistent/program cannot be run: No such file or directory"
    )


def test_much_output_is_cut_to_its_end(place: Place) -> None:
    found = verdict(
        place, "command", command=script("yes 0123456789 | head -c 1000000; echo; echo cause; exit 1")
    )
    assert "cause (exit code 1)" in found.text
    assert len(found.text) < 2200


def test_a_script_comes_from_the_release(place: Place) -> None:
    assert verdict(place, "script", command="say hello").text.endswith("output: said hello in v1")
    assert verdict(place, "script", command="say hello 4") == Verdict(
        FAIL, "Check 'x' failed: said hello in v1 (exit code 4)"
    )


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("away", "not below scap/scripts"),
        ("../../VERSION", "not below scap/scripts"),
        ("/bin/true", "not below scap/scripts"),
        ("none", "has no scap/scripts/none"),
        ("folder", "has no scap/scripts/folder"),
        ("plain", "cannot be run: Permission denied"),
    ],
)
def test_a_script_that_is_not_the_releases_own_does_not_run(place: Place, name: str, why: str) -> None:
    found = verdict(place, "script", command=name)
    assert found.word == FAIL and why in found.text


def test_a_directory_of_scripts_that_leads_out_of_the_release_is_not_followed(
    place: Place, tmp_path: Path
) -> None:
    assert place.directory is not None
    (place.directory / "scap").rename(tmp_path / "elsewhere")
    (place.directory / "scap").symlink_to(tmp_path / "elsewhere")
    assert "not below" in verdict(place, "script", command="say hello").text


@pytest.mark.parametrize(
    ("line", "word", "said"),
    [
        ("/bin/sh -c 'echo DISK OK; exit 0'", PASS, "DISK OK"),
        ("/bin/sh -c 'echo DISK WARNING; exit 1'", FAIL, "DISK WARNING (exit code 1)"),
        ("/bin/sh -c 'echo DISK CRITICAL; exit 2'", FAIL, "DISK CRITICAL (exit code 2)"),
        ("/bin/sh -c 'echo DISK UNKNOWN; exit 3'", INCONCLUSIVE, "DISK UNKNOWN (exit code 3)"),
        ("/usr/lib/check_disk -w $ARG1$", FAIL, "only nrpe itself fills in"),
        ("/bin/sh -c 'open", FAIL, "cannot be split"),
    ],
)
def test_what_monitoring_calls_a_name_is_run(
    place: Place, tmp_path: Path, line: str, word: str, said: str
) -> None:
    (tmp_path / "a.cfg").write_text("# command[check_disk]=/bin/false\nallowed_hosts=127.0.0.1\n")
    (tmp_path / "b.cfg").write_text(f"command[check_disk_all]=/bin/false\n  command[check_disk] = {line}\n")
    found = verdict(place, "nrpe", command="check_disk", nrpe_dir=str(tmp_path))
    assert found.word == word and said in found.text


def test_a_name_that_monitoring_does_not_know_is_a_failure(place: Place, tmp_path: Path) -> None:
    found = verdict(place, "nrpe", command="check_none", nrpe_dir=str(tmp_path / "none"))
    assert found.word == FAIL and "no command[check_none]" in found.text


# -- the network ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ({}, ""),
        ({"status": 200, "body": "^version v1$", "headers": {"x-version": "^v[0-9]+$"}}, ""),
        ({"status": [204, 200]}, ""),
        ({"status": 204}, "status 200, not 204: version v1"),
        ({"status": [301, 302]}, "not 301 or 302"),
        ({"body": "version v2"}, "the body does not match 'version v2': version v1"),
        ({"headers": {"X-Version": "v2"}}, "the header X-Version is 'v1'"),
        ({"headers": {"X-Missing": "."}}, "the header X-Missing is None"),
    ],
)
def test_an_answer_of_a_web_server_is_held_against_what_is_expected(
    place: Place, web: Web, keys: dict[str, Any], why: str
) -> None:
    web.answers["/"] = (200, {"X-Version": "v1"}, "version v1")
    found = verdict(place, "http", url=f"{web.url}/", **keys)
    assert (found.word, why in found.text) == (FAIL if why else PASS, True)


def test_a_web_server_is_asked_for_a_host(place: Place, web: Web) -> None:
    web.answers["/"] = (200, {}, "")
    assert verdict(place, "http", url=f"{web.url}/", host="www.example.org").ok
    assert web.hosts == ["www.example.org"]


def test_an_error_page_may_be_what_is_expected(place: Place, web: Web) -> None:
    assert verdict(place, "http", url=f"{web.url}/gone", status=404, body="nothing here").ok


def test_a_web_server_that_is_not_there_is_a_failure(place: Place) -> None:
    found = verdict(place, "http", url=f"http://127.0.0.1:{free_port()}/")
    assert found.word == FAIL and "no answer" in found.text and "refused" in found.text


def test_a_port_is_open_or_not(place: Place) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        open_port, closed = server.getsockname()[1], free_port()
        assert verdict(place, "port", port=open_port).ok
        found = verdict(place, "port", port=[open_port, closed])
    assert found.word == FAIL and f"127.0.0.1 port {closed}" in found.text


# -- functions of Salt ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "word"),
    [
        (True, PASS),
        (None, PASS),
        ("", PASS),
        (0, PASS),
        ({}, PASS),
        ({"status": 0}, PASS),
        ({"status": True}, PASS),
        ({"status": 200}, PASS),
        ({"status": "running"}, PASS),
        ({"retcode": 0, "stdout": ""}, PASS),
        ({"result": None}, PASS),
        ({"web": {"result": True}, "db": {"result": None}}, PASS),
        (False, FAIL),
        ({"status": 10}, FAIL),
        ({"status": False}, FAIL),
        ({"status": -1}, FAIL),
        ({"status": 503}, FAIL),
        ({"retcode": 1}, FAIL),
        ({"result": False, "comment": "no"}, FAIL),
        ({"web": {"result": True}, "db": {"result": False}}, FAIL),
    ],
)
def test_a_function_fails_by_what_it_answers(place: Place, answer: Any, word: str) -> None:
    assert verdict(place, "salt", function="test.answer", kwargs={"value": answer}).word == word


def test_a_function_gets_its_arguments(place: Place) -> None:
    assert verdict(place, "salt", function="test.add", args=[1], kwargs={"two": 2}).ok
    assert not verdict(place, "salt", function="test.add", args=[1], kwargs={"two": 3}).ok


def test_a_function_that_raises_or_is_not_there_or_hangs_is_a_failure(place: Place) -> None:
    assert (
        "test.raise failed: ValueError: invalid literal" in verdict(place, "salt", function="test.raise").text
    )
    assert "test.none failed: KeyError" in verdict(place, "salt", function="test.none").text
    assert verdict(place, "salt", function="test.hang", timeout=1) == Verdict(
        FAIL, "Check 'x' exceeded 1s timeout"
    )


# -- numbers --------------------------------------------------------------------------------------------


def prometheus(result: Any, kind: str = "vector") -> tuple[int, dict[str, str], str]:
    body = {"status": "success", "data": {"resultType": kind, "result": result}}
    return 200, {}, json.dumps(body)


def series(*values: str) -> list[dict[str, Any]]:
    return [{"metric": {"n": str(n)}, "value": [1_700_000_000, value]} for n, value in enumerate(values)]


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        (prometheus(series("0.25")), 0.25),
        (prometheus([1_700_000_000, "7"], "scalar"), 7),
        (prometheus(series("1e3")), 1000),
        (prometheus([]), None),
        (prometheus(series("1", "2")), None),
        (prometheus(series("NaN")), None),
        (prometheus(series("+Inf")), None),
        (prometheus("x"), None),
        (prometheus([7]), None),
        ((400, {}, '{"status": "error", "error": "parse error"}'), None),
        ((200, {}, "<html>"), None),
        ((200, {}, "[]"), None),
        ((200, {}, '{"status": "success"}'), None),
    ],
)
def test_prometheus_gives_one_number_or_none(
    place: Place, web: Web, answer: Any, value: float | None
) -> None:
    web.answers["/api/v1/query"] = answer
    metric = check("metric", query="sum(errors)", prometheus=f"{web.url}/", max=1)
    assert checks.measure(metric, place) == value
    if value is None:
        assert checks.run(metric, place).word == INCONCLUSIVE


def test_prometheus_gets_the_query_as_it_is(place: Place, web: Web) -> None:
    seen: list[str] = []
    web.answers["/api/v1/query"] = lambda path: seen.append(path) or prometheus(series("1"))
    query = 'sum(rate(errors{job="a b",code=~"5.."}[5m])) / 2 + 1'
    checks.measure(check("metric", query=query, prometheus=web.url, max=1), place)
    assert get_query(seen[0]) == query


def get_query(path: str) -> str:
    from urllib.parse import parse_qs, urlsplit

    return parse_qs(urlsplit(path).query)["query"][0]


@pytest.mark.parametrize(
    ("body", "path", "value"),
    [
        ('{"data": {"errors": [3, 4]}}', "data.errors.1", 4),
        ('{"load": "0.5"}', "load", 0.5),
        ('{"up": true}', "up", None),
        ('{"a": null}', "a", None),
        ('{"a": {}}', "a", None),
        ('{"a": [1]}', "a.7", None),
        ('{"a": [1]}', "a.-1", None),
        ('{"a": 1}', "a.b.c", None),
        ('{"a": "many"}', "a", None),
        ('{"a": NaN}', "a", None),
        ("not json", "a", None),
    ],
)
def test_a_number_stands_anywhere_in_json(
    place: Place, web: Web, body: str, path: str, value: float | None
) -> None:
    web.answers["/stats"] = (200, {}, body)
    assert checks.measure(check("metric", url=f"{web.url}/stats", path=path, max=1), place) == value


def test_a_server_that_is_not_there_gives_no_number(place: Place) -> None:
    metric = check("metric", url=f"http://127.0.0.1:{free_port()}/", path="a", max=1)
    assert checks.measure(metric, place) is None
    found = checks.run(metric, place)
    assert found.word == INCONCLUSIVE and "no answer" in found.text


@pytest.mark.parametrize(
    ("limits", "value", "baseline", "word"),
    [
        ({"max": 5}, 5, None, PASS),
        ({"max": 5}, 5.1, None, FAIL),
        ({"min": 2}, 2, None, PASS),
        ({"min": 2}, 1, None, FAIL),
        ({"min": 2, "max": 5}, 3, None, PASS),
        ({"max_ratio": 1.5}, 15, 10, PASS),
        ({"max_ratio": 1.5}, 16, 10, FAIL),
        ({"max_ratio": 1.5}, 0, 0, PASS),
        ({"max_ratio": 1.5}, 1, 0, FAIL),
        ({"max_ratio": 1.5}, 1, -1, INCONCLUSIVE),
        ({"max_increase": 5}, 15, 10, PASS),
        ({"max_increase": 5}, 16, 10, FAIL),
        ({"max_increase": 0}, -3, -2, PASS),
        ({"max_ratio": 1.5}, 1, None, INCONCLUSIVE),
        ({"max_increase": 5}, 1, None, INCONCLUSIVE),
        ({"max_increase": 5}, 1, float("nan"), INCONCLUSIVE),
        ({"max": 5}, None, 1, INCONCLUSIVE),
        ({"max": 5}, float("nan"), 1, INCONCLUSIVE),
        ({"max": 5}, float("inf"), 1, INCONCLUSIVE),
        ({"max": 5, "max_ratio": 2}, 6, None, FAIL),
        ({"max": 5, "max_ratio": 2}, 3, None, INCONCLUSIVE),
        ({"max": 0.0}, 0, None, PASS),
    ],
)
def test_a_number_is_held_against_its_limits_and_the_baseline(
    limits: dict[str, float], value: float | None, baseline: float | None, word: str
) -> None:
    metric = check("metric", query="q", prometheus="http://prometheus:9090", **limits)
    assert checks.judge(metric, value, baseline).word == word


# -- whatever happens -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["http", "metric"])
def test_a_client_that_breaks_is_a_verdict(place: Place, kind: str) -> None:
    def broken(*_: object) -> Response:
        raise RuntimeError("no network")

    keys: dict[str, Any] = {"path": "a", "max": 1} if kind == "metric" else {}
    here = Place(call=place.call, get=broken, directory=place.directory)
    found = checks.run(check(kind, url="http://x/", **keys), here)
    assert not found.ok and "no network" in found.text


@pytest.mark.parametrize(
    ("kind", "keys", "typed"),
    [
        ("command", {"command": ["bin/lint", "a b"]}, "cd {tree} && bin/lint 'a b'"),
        ("script", {"command": "say hello"}, "cd {tree} && ./scap/scripts/say hello"),
        ("http", {"url": "http://x/?a=1&b", "host": "w"}, "curl -iL -H 'Host: w' -- 'http://x/?a=1&b'"),
        ("port", {"port": 80}, "nc -vz 127.0.0.1 80"),
        ("salt", {"function": "a.b", "args": ["c d", 3], "kwargs": {"e": True}}, "salt-call a.b 'c d' 3 e=true"),
        ("metric", {"url": "http://x/", "path": "a", "max": 1}, "curl -sL -- http://x/"),
        ("nrpe", {"command": "none", "nrpe_dir": "/none"}, "grep -rF -- 'command[none]' /none"),
    ],
)  # fmt: skip
def test_a_person_can_look_at_what_the_check_looked_at(
    place: Place, kind: str, keys: dict[str, Any], typed: str
) -> None:
    assert checks.by_hand(check(kind, **keys), place) == typed.format(tree=place.directory)
