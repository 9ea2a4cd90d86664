"""Sinks against real receivers: web servers, sockets, programs, Prometheus' own parser, OpenTelemetry's own messages."""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import json
import os
import socket
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from saltdeploy.lib.errors import DeployError
from saltdeploy.master.records.kept_totals import TotalsFile
from saltdeploy.watch.signals.cdevents import CDEvents
from saltdeploy.watch.signals.forges import GitHub, GitLab
from saltdeploy.watch.signals.grafana import Grafana
from saltdeploy.watch.signals.hooks import Command, Function
from saltdeploy.watch.signals.http_post import Post
from saltdeploy.watch.signals.irc import Irc
from saltdeploy.watch.signals.metrics import Exposition, Metrics, Standing
from saltdeploy.watch.signals.sink import Refused
from saltdeploy.watch.signals.statsd import Statsd
from saltdeploy.watch.signals.totals import Totals
from saltdeploy.watch.signals.traces import Traces
from saltdeploy.watch.signals.webhook import Webhook

from tests.support.receiving import Received, Receiver
from tests.support.serving import free_port
from tests.unit.watch.signals.test_notifications import deploy, finished, told
from tests.unit.watch.stories import BEGIN, COMMIT, DEPLOY, REPO, TAG

SECRET = "correct-horse"
POST = Post([SECRET])


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


# -- web servers ----------------------------------------------------------------------------------------


def test_a_webhook_gets_the_whole_signal_signed_with_the_key(receiver: Receiver) -> None:
    Webhook(receiver.url, SECRET, POST).tell(finished())
    (request,) = receiver.received
    assert request.document["outcome"] == "CONVERGED" and request.document["seconds"] == 31.0
    digest = hmac.new(SECRET.encode(), request.body, hashlib.sha256).hexdigest()
    assert request.headers["X-Hub-Signature-256"] == f"sha256={digest}"


@pytest.mark.parametrize(("status", "never"), [(500, False), (401, False), (404, False), (429, False), (302, False),
                                               (400, True), (422, True)])  # fmt: skip
def test_what_may_go_away_is_tried_again_and_what_never_will_is_left_out(
    receiver: Receiver, status: int, never: bool
) -> None:
    receiver.answer = lambda request: (status, f"no, {SECRET}\x1b[2J".encode())
    with pytest.raises(DeployError) as failed:
        Webhook(receiver.url, SECRET, POST).tell(finished())
    assert isinstance(failed.value, Refused) == never
    assert str(status) in failed.value.cause
    assert SECRET not in str(failed.value) and "\x1b" not in str(failed.value)


def test_a_redirect_is_not_followed_so_a_token_goes_nowhere_else(receiver: Receiver) -> None:
    with Receiver() as elsewhere:
        receiver.answer = lambda request: (307, elsewhere.url.encode())
        with pytest.raises(DeployError):
            Grafana(receiver.url, SECRET, (), POST).tell(finished())
        assert elsewhere.received == []


def test_nobody_there_is_said_without_a_traceback() -> None:
    with pytest.raises(DeployError, match="does not take it"):
        Webhook(f"http://127.0.0.1:{free_port()}/hook?token={SECRET}", "", POST).tell(finished())


def test_cdevents_travel_as_cloudevents_in_binary_mode(receiver: Receiver) -> None:
    CDEvents(receiver.url, "/deploy/m1", "production", SECRET, POST).tell(finished())
    (request,) = receiver.received
    context = request.document["context"]
    assert request.headers["Ce-Id"] == context["id"] and request.headers["Ce-Type"] == context["type"]
    assert (
        request.headers["Ce-Specversion"] == "1.0" and request.headers["Content-Type"] == "application/json"
    )


def test_grafana_gets_one_region_from_begin_to_end(receiver: Receiver) -> None:
    for one in told(*deploy()):
        Grafana(f"{receiver.url}/", SECRET, ("prod",), POST).tell(one)
    (request,) = receiver.received
    assert request.path == "/api/annotations"
    assert request.document["time"] == BEGIN * 1000 and request.document["timeEnd"] == (BEGIN + 31) * 1000
    assert request.document["tags"] == ["deploy", REPO, "sync", "CONVERGED", "prod"]
    assert request.headers["Authorization"] == f"Bearer {SECRET}"


@pytest.mark.parametrize(
    ("outcome", "state"), [("CONVERGED", "success"), ("ROLLED BACK", "failure"), ("MIXED", "failure")]
)
def test_github_gets_a_deployment_and_its_last_word(receiver: Receiver, outcome: str, state: str) -> None:
    receiver.answer = lambda request: (201, b'{"id": 7}')
    GitHub(receiver.url, SECRET, "production", {REPO: "wikimedia/mediawiki"}, POST).tell(finished(outcome))
    made, status = receiver.received
    assert made.path == "/repos/wikimedia/mediawiki/deployments" and made.document["ref"] == COMMIT
    assert made.document["required_contexts"] == [] and made.document["auto_merge"] is False
    assert status.path == "/repos/wikimedia/mediawiki/deployments/7/statuses"
    assert status.document["state"] == state and len(status.document["description"]) <= 140


@pytest.mark.parametrize(("outcome", "state"), [("CONVERGED", "success"), ("ROLLED BACK", "failed")])
def test_gitlab_gets_a_deployment_with_its_last_word(receiver: Receiver, outcome: str, state: str) -> None:
    GitLab(receiver.url, SECRET, "production", {REPO: "group/site"}, POST).tell(finished(outcome))
    (request,) = receiver.received
    assert request.path == "/projects/group%2Fsite/deployments" and request.headers["Private-Token"] == SECRET
    assert request.document == {
        "environment": "production",
        "sha": COMMIT,
        "ref": TAG,
        "tag": True,
        "status": state,
    }


@pytest.mark.parametrize("how", [{"outcome": "HELD"}, {"action": "fetch"}])
def test_a_forge_hears_nothing_of_what_changed_no_host(receiver: Receiver, how: dict[str, str]) -> None:
    GitHub(receiver.url, SECRET, "production", {REPO: "a/b"}, POST).tell(finished(**how))
    GitHub(receiver.url, SECRET, "production", {"another": "a/b"}, POST).tell(finished())
    assert receiver.received == []


# -- sockets --------------------------------------------------------------------------------------------


def test_tcpircbot_gets_one_line_that_fits_irc_and_is_no_torn_character() -> None:
    with socket.create_server(("127.0.0.1", 0)) as bot:
        for one in told(*deploy())[:1]:
            Irc("127.0.0.1", bot.getsockname()[1], "scap", "d1", 5.0).tell(one)
        connection, _ = bot.accept()
        with connection:
            said = connection.makefile("rb").read()
    assert said == b"!log alice@d1 Started deploy [mediawiki@a1b2c3d]: bump\n"


def test_a_bot_that_is_away_is_an_error_that_names_it() -> None:
    port = free_port()
    with pytest.raises(DeployError, match=f"tcpircbot 127.0.0.1:{port}"):
        Irc("127.0.0.1", port, "scap", "d1", 5.0).tell(finished())


def test_statsd_gets_datagrams() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        Statsd("127.0.0.1", server.getsockname()[1], "d").tell(finished())
        assert server.recv(4096) == b"d.mediawiki.sync.converged:1|c\nd.mediawiki.sync.seconds:31000|ms"


# -- hooks ----------------------------------------------------------------------------------------------


def test_a_program_gets_the_signal_on_its_input_and_in_its_environment(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    code = f"import os, sys; open({str(kept)!r}, 'w').write(os.environ['DEPLOY_OUTCOME'] + sys.stdin.read())"
    Command((sys.executable, "-c", code), 30.0).tell(finished())
    assert kept.read_text().startswith("CONVERGED{") and json.loads(kept.read_text()[9:])["repo"] == REPO


@pytest.mark.parametrize(
    ("arguments", "how"),
    [
        ((sys.executable, "-c", "print('no disk'); raise SystemExit(3)"), "ended with 3: no disk"),
        (("/nowhere/at/all",), "cannot be run"),
        (("sleep", "60"), "did not end in 0.5 s"),
    ],
)
def test_a_program_that_fails_or_hangs_is_said_and_not_run_again(
    arguments: tuple[str, ...], how: str
) -> None:
    with pytest.raises(Refused, match=how):
        Command(arguments, 0.5 if arguments[0] == "sleep" else 30.0).tell(finished())


def test_a_function_of_salt_gets_its_templates_filled(tmp_path: Path) -> None:
    kept = tmp_path / "kept"

    def execute(name: str, arguments: list[Any], keywords: dict[str, Any]) -> bool:
        kept.write_text(json.dumps([name, arguments, keywords]))
        return True

    Function(
        "slack_notify.post_message", ["#ops"], {"message": "{line} {tag}"}, "scap", "d1", 5.0, execute
    ).tell(told(*deploy())[0])
    said = f"alice@d1 Started deploy [mediawiki@a1b2c3d]: bump {TAG}"
    assert json.loads(kept.read_text()) == ["slack_notify.post_message", ["#ops"], {"message": said}]


def test_a_function_that_raises_hangs_or_says_no_is_named() -> None:
    def call(execute: Any) -> None:
        Function("slack.post", [], {}, "scap", "", 0.5, execute).tell(finished())

    for execute, how in (
        (lambda *_: os.abort(), "failed"),
        (lambda *_: time.sleep(60), "did not end"),
        (lambda *_: False, "answered False"),
        (lambda *_: "'slack.post' is not available.", "is not available"),
    ):
        with pytest.raises(Refused, match=how):
            call(execute)


# -- metrics --------------------------------------------------------------------------------------------


def test_prometheus_own_parser_reads_what_is_counted_and_how_repos_stand(tmp_path: Path) -> None:
    metrics = Metrics(lambda: [Standing(REPO, "v0", COMMIT, True, {"pinned": 3, "behind": 1})])
    for number, outcome in enumerate(("CONVERGED", "ROLLED BACK", "CONVERGED")):
        for one in told(*deploy(outcome)):
            metrics.tell(dataclasses.replace(one, deploy=f"2026112310111{number}000000"))
    port, file = free_port(), tmp_path / "deploy.prom"
    exposition = Exposition(metrics, "127.0.0.1", port, str(file))
    assert (exposition.write(100.0), exposition.write(100.1)) == (True, False)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        read = answer.read().decode()
    for text in (read, file.read_text()):
        families = text_string_to_metric_families(text)
        found = {
            (one.name, *sorted(one.labels.values())): one.value for each in families for one in each.samples
        }
        about = {key: value for key, value in found.items() if not key[0].endswith("_created")}
        assert about["saltdeploy_deploys_total", "CONVERGED", REPO, "sync"] == 2
        assert about["saltdeploy_deploy_seconds_sum", REPO, "sync"] == 93.0
        assert about["saltdeploy_unfinished_deploys", REPO] == 0
        assert about["saltdeploy_pin_info", COMMIT, REPO, "v0"] == 1
        assert about["saltdeploy_locked", REPO] == 1
        assert about["saltdeploy_hosts", "behind", REPO] == 1
        assert len([key for key in about if key[0] == "saltdeploy_last_deploy_info"]) == 1


def _counts(metrics: Metrics) -> dict[tuple[str, ...], float]:
    families = text_string_to_metric_families(generate_latest(metrics.registry).decode())
    samples = [one for family in families for one in family.samples]
    return {
        (one.name, *sorted(one.labels.values())): one.value
        for one in samples
        if one.name.endswith(("_total", "_sum", "_count"))
    }


def test_counts_never_go_down_though_journals_are_deleted_and_the_process_begins_anew(tmp_path: Path) -> None:
    ids = [f"2026112310111{number}000000" for number in range(3)]
    deploys = [dataclasses.replace(finished(), deploy=each) for each in ids]
    kept = TotalsFile(tmp_path, "prometheus")
    first = Metrics(list, kept=kept)
    for one in deploys[:2]:
        first.tell(one)
    first.keep()
    before = _counts(first)
    assert before["saltdeploy_deploys_total", "CONVERGED", REPO, "sync"] == 2

    second = Metrics(list, kept=kept)  # of the first journal nothing is left, and a third one came
    assert _counts(second) == before
    for one in deploys[1:]:
        second.tell(one)
    after = _counts(second)
    assert after["saltdeploy_deploys_total", "CONVERGED", REPO, "sync"] == 3
    assert all(after[key] >= value for key, value in before.items())


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"since": 1, "newest": {}, "counts": [["deploys"]]}'])
def test_counts_that_are_damaged_begin_anew_with_the_journals_that_are_left(
    tmp_path: Path, damage: str
) -> None:
    kept = TotalsFile(tmp_path, "prometheus")
    kept.write(Totals(1.0).to_wire())
    kept.path.write_text(damage)
    metrics = Metrics(list, kept=kept)
    metrics.tell(finished())
    metrics.keep()
    assert Metrics(list, kept=kept).totals.sums == metrics.totals.sums


def test_counts_are_served_though_the_repos_cannot_be_read() -> None:
    def broken() -> list[Standing]:
        raise OSError("no disk")

    metrics = Metrics(broken)
    metrics.tell(finished())
    assert b"saltdeploy_deploys_total{" in generate_latest(metrics.registry)


def test_metrics_whose_port_is_taken_or_whose_file_cannot_be_written_say_so(tmp_path: Path) -> None:
    metrics = Metrics(list)
    with socket.create_server(("127.0.0.1", 0)) as other:
        with pytest.raises(DeployError, match="cannot be served"):
            Exposition(metrics, "127.0.0.1", other.getsockname()[1], "")
    with pytest.raises(DeployError, match="cannot be written"):
        Exposition(metrics, "", 0, str(tmp_path / "missing" / "file")).write(100.0)


# -- traces ---------------------------------------------------------------------------------------------


def test_a_collector_gets_one_trace_with_a_span_for_each_stage_and_host(receiver: Receiver) -> None:
    traces = Traces(f"{receiver.url}/v1/traces", {"X-Key": "k"}, "saltdeploy", "production")
    receiver.answer = lambda request: (200, b"")
    for one in told(*deploy("ROLLED BACK")):
        traces.tell(one)
    (request,) = receiver.received
    assert request.headers["X-Key"] == "k"
    spans = {span.name: span for span in _spans(request)}
    root, fetch, host = spans[f"sync {REPO}"], spans["fetch"], spans["fetch web1"]
    assert (fetch.parent_span_id, host.parent_span_id) == (root.span_id, fetch.span_id)
    assert root.end_time_unix_nano - root.start_time_unix_nano == 31 * 10**9
    about = {each.key: each.value.string_value or each.value.int_value for each in root.attributes}
    assert about["deployment.id"] == DEPLOY and about["deployment.status"] == "failed"
    assert root.status.code == 2


def test_a_trace_that_is_told_twice_is_the_same_trace(receiver: Receiver) -> None:
    traces = Traces(f"{receiver.url}/v1/traces", {}, "saltdeploy", "")
    receiver.answer = lambda request: (200, b"")
    traces.tell(finished())
    traces.tell(finished())
    first, second = (
        [(one.trace_id, one.span_id) for one in _spans(request)] for request in receiver.received
    )
    assert first == second


def test_a_collector_that_refuses_is_named(receiver: Receiver) -> None:
    receiver.answer = lambda request: (400, b"")
    with pytest.raises(DeployError, match="collector"):
        Traces(f"{receiver.url}/v1/traces", {}, "saltdeploy", "").tell(finished())


def _spans(request: Received) -> list[Any]:
    message = ExportTraceServiceRequest()
    message.ParseFromString(request.body)
    return [
        span for resource in message.resource_spans for scope in resource.scope_spans for span in scope.spans
    ]
