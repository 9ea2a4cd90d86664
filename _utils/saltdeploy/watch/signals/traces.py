"""OpenTelemetry: a trace for each deploy, a span for each stage, and one for each host in it, by the project's own SDK.

Attributes: the semantic conventions' ``deployment.*``, ``vcs.*`` and ``host.name``; what is ours begins with ``saltdeploy.``.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from saltdeploy.lib.errors import DeployError
from saltdeploy.lib.text import public
from saltdeploy.watch.signals.signal import FINISHED, Notification
from saltdeploy.watch.stage import HostProgress, Stage
from saltdeploy.watch.text import count

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

_SECONDS = 5.0  # that the collector may take
_NANO = 1_000_000_000


class Traces:
    """Sends traces by OTLP over http.

    Args:
        url: of the collector: ``http://localhost:4318/v1/traces``.
        headers: that it wants.
        service: the name under which traces appear.
        environment: ``deployment.environment.name``; "" for none.
    """

    def __init__(self, url: str, headers: Mapping[str, str], service: str, environment: str) -> None:
        try:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
            from opentelemetry.sdk.resources import Resource
        except ImportError as error:
            raise DeployError(
                "the SDK of OpenTelemetry is not installed",
                next="salt-pip install 'saltext-deploy[opentelemetry]'",
            ) from error
        # a collector that is away is named by whoever brings signals, once; the SDK names it with each attempt
        logging.getLogger("opentelemetry.exporter.otlp").setLevel(logging.CRITICAL)
        about = {"service.name": service}
        if environment:
            about["deployment.environment.name"] = environment
        self._resource = Resource.create(about)
        self._exporter = OTLPSpanExporter(endpoint=url, headers=dict(headers), timeout=int(_SECONDS))
        self._place = public(url)

    def tell(self, signal: Notification) -> None:
        """See :class:`saltdeploy.watch.signals.sink.Sink`."""
        if signal.kind != FINISHED:
            return
        from opentelemetry.sdk.trace.export import SpanExportResult

        spans = self._spans(signal)
        try:
            result = self._exporter.export(spans)
        except Exception as error:  # the exporter lets through what the http library raises
            raise self._away(type(error).__name__) from None
        if result is not SpanExportResult.SUCCESS:
            raise self._away("it does not take the trace")

    def _away(self, cause: str) -> DeployError:
        return DeployError(
            f"the collector {self._place} is not told: {cause}", next="see that it listens there"
        )

    def _spans(self, signal: Notification) -> Sequence[ReadableSpan]:
        from opentelemetry.sdk.trace import TracerProvider

        kept = _kept()
        provider = TracerProvider(
            resource=self._resource, id_generator=_ids(signal.id), shutdown_on_exit=False
        )
        provider.add_span_processor(kept)
        _Trace(provider.get_tracer("saltdeploy"), signal).record()
        found: Sequence[ReadableSpan] = kept.spans
        return found


class _Trace:
    """The spans of one deploy."""

    def __init__(self, tracer: Any, signal: Notification) -> None:
        self._tracer, self._signal = tracer, signal

    def record(self) -> None:
        signal = self._signal
        root = self._begin(f"{signal.action} {signal.repo}", signal.began, None, self._about())
        for stage in signal.stages:
            self._stage(stage, root)
        self._end(root, signal.time, "" if signal.converged else f"{signal.outcome}: {signal.reason}")

    def _about(self) -> dict[str, Any]:
        signal = self._signal
        return {
            "deployment.id": signal.deploy,
            "deployment.name": signal.repo,
            "deployment.status": "succeeded" if signal.converged else "failed",
            "vcs.ref.head.name": signal.tag,
            "vcs.ref.head.revision": signal.commit,
            "enduser.id": signal.user,
            "saltdeploy.outcome": signal.outcome,
            "saltdeploy.hosts.ok": signal.ok,
            "saltdeploy.hosts.total": signal.total,
        }

    def _stage(self, stage: Stage, root: Any) -> None:
        end = stage.ended or self._signal.time
        about = {
            "saltdeploy.stage": stage.name,
            "saltdeploy.group": stage.group,
            "saltdeploy.bytes": count(stage.received),
            "saltdeploy.hosts.ok": stage.ok,
            "saltdeploy.hosts.failed": stage.failed,
        }
        span = self._begin(f"{stage.group} {stage.name}".strip(), stage.begun, root, about)
        for host in stage.hosts.values():
            self._host(host, stage.name, span, host.ended or end)
        self._end(span, end, f"{stage.failed} failed" if stage.failed else "")

    def _host(self, host: HostProgress, stage: str, parent: Any, end: float) -> None:
        about: dict[str, Any] = {"host.name": host.name, "saltdeploy.stage": stage}
        span = self._begin(f"{stage} {host.name}", host.since, parent, about)
        self._end(span, end, "" if host.status == 0 else f"status {host.status}")

    def _begin(self, name: str, at: float, parent: Any, about: dict[str, Any]) -> Any:
        from opentelemetry.context import Context
        from opentelemetry.trace import set_span_in_context

        context = set_span_in_context(parent, Context()) if parent is not None else Context()
        return self._tracer.start_span(name, context=context, start_time=int(at * _NANO), attributes=about)

    def _end(self, span: Any, at: float, wrong: str) -> None:
        from opentelemetry.trace import Status, StatusCode

        span.set_status(Status(StatusCode.ERROR, wrong) if wrong else Status(StatusCode.OK))
        span.end(int(at * _NANO))


def _kept() -> Any:
    from opentelemetry.sdk.trace import SpanProcessor

    class Kept(SpanProcessor):
        """Keeps what has ended."""

        def __init__(self) -> None:
            self.spans: list[ReadableSpan] = []

        def on_end(self, span: ReadableSpan) -> None:
            self.spans.append(span)

    return Kept()


def _ids(seed: str) -> Any:
    """Ids that follow from the signal: a trace that is told twice is the same trace."""
    from opentelemetry.sdk.trace.id_generator import IdGenerator

    class Derived(IdGenerator):
        """See :func:`_ids`."""

        def __init__(self) -> None:
            self._count = 0

        def generate_trace_id(self) -> int:
            return _number(seed, 16)

        def generate_span_id(self) -> int:
            self._count += 1
            return _number(f"{seed}/{self._count}", 8)

    return Derived()


def _number(text: str, size: int) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:size], "big") or 1
