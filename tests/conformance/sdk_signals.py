#!/usr/bin/env python3
"""The OpenTelemetry SDK sends traces, metrics and logs together to a fresh server, and the run shows its telemetry.

    BASE_URL=http://127.0.0.1:8080 AUTH="Bearer rl_..." [OTLP_GRPC=127.0.0.1:4317] python3 tests/conformance/sdk_signals.py

Needs opentelemetry-sdk and the exporters opentelemetry-exporter-otlp-proto-http and -grpc; those of the conformance harness
(target/conformance/.venv) will do. The key needs runs:read, runs:write and system:read. Exit code 0 or 1; the last line is
`sdk-signals: N passed, N failed, N skipped`.
"""

import json
import logging
import os
import sys
import time
import urllib.request
import uuid

from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpLogs
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter as HttpMetrics
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpans
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

BASE = os.environ["BASE_URL"].rstrip("/")
AUTH = os.environ.get("AUTH", "")
GRPC = os.environ.get("OTLP_GRPC", "")
HEADERS = {"authorization": AUTH} if AUTH else {}
passed = failed = skipped = 0


def check(name, is_right, detail=""):
    global passed, failed
    passed, failed = passed + bool(is_right), failed + (not is_right)
    print("ok  " if is_right else "FAIL", name, "" if is_right else detail)


def query(text, **variables):
    body = json.dumps({"query": text, "variables": variables}).encode()
    request = urllib.request.Request(BASE + "/graphql", body, {"content-type": "application/json", **HEADERS})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def exporters(transport):
    if transport == "http":
        at = lambda path: {"endpoint": BASE + path, "headers": HEADERS}
        return HttpSpans(**at("/v1/traces")), HttpMetrics(**at("/v1/metrics")), HttpLogs(**at("/v1/logs"))
    from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

    options = {"endpoint": GRPC, "insecure": True, "headers": HEADERS}
    return OTLPSpanExporter(**options), OTLPMetricExporter(**options), OTLPLogExporter(**options)


def send(transport):
    """One model call, a counter and a histogram beside it, and a warning within it."""
    service, instance = f"sdk-{transport}-{uuid.uuid4().hex[:8]}", uuid.uuid4().hex
    resource = Resource.create({"service.name": service, "service.instance.id": instance})
    spans, metrics, logs = exporters(transport)
    tracing = TracerProvider(resource=resource)
    tracing.add_span_processor(SimpleSpanProcessor(spans))
    metering = MeterProvider([PeriodicExportingMetricReader(metrics, export_interval_millis=600_000)], resource=resource)
    logging_provider = LoggerProvider(resource=resource)
    logging_provider.add_log_record_processor(SimpleLogRecordProcessor(logs))
    logger = logging.getLogger(service)
    logger.propagate = False
    logger.addHandler(LoggingHandler(logger_provider=logging_provider))
    meter = metering.get_meter("sdk-signals")
    with tracing.get_tracer("sdk-signals").start_as_current_span("chat gpt-4o") as span:
        span.set_attributes({"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o", "gen_ai.usage.input_tokens": 3})
        meter.create_counter("calls", "{call}").add(1, {"gen_ai.request.model": "gpt-4o"})
        meter.create_histogram("gen_ai.client.operation.duration", "s").record(0.25)
        logger.info("nothing to see")
        logger.warning("the answer is slow")
    trace_id = f"{span.get_span_context().trace_id:032x}"
    metering.force_flush()
    for provider in (tracing, metering, logging_provider):
        provider.shutdown()
    return trace_id


RUN = """query($id: ID!) { llmRun(runId: $id) { serviceName system {
  telemetry { status reason availableData series { name kind totalPoints points { value histogram { count sum } } } }
  events { events { summary severity sourceComponent correlationId } } } } }"""


def shows(transport):
    trace_id = send(transport)
    found = None
    for _ in range(120):
        found = query(RUN, id=trace_id)
        if (found.get("data") or {}).get("llmRun"):
            break
        time.sleep(0.5)
    run = (found.get("data") or {}).get("llmRun")
    check(f"{transport}: the run is there", run, found)
    if not run:
        return
    telemetry = run["system"]["telemetry"]
    check(f"{transport}: telemetry is collected", telemetry["status"] == "COLLECTED" and telemetry["reason"] is None, telemetry)
    names = telemetry["availableData"]
    check(f"{transport}: both metrics", names == ["calls", "gen_ai.client.operation.duration"], names)
    values = {series["name"]: series["points"][0] for series in telemetry["series"] if series["points"]}
    check(f"{transport}: the counter", values.get("calls", {}).get("value") == 1, values)
    histogram = (values.get("gen_ai.client.operation.duration") or {}).get("histogram") or {}
    check(f"{transport}: the histogram", (histogram.get("count"), histogram.get("sum")) == (1, 0.25), values)
    events = run["system"]["events"]["events"]
    expected = [{"summary": "the answer is slow", "severity": "WARN", "sourceComponent": "otlp", "correlationId": trace_id}]
    check(f"{transport}: the warning and nothing else", events == expected, events)


shows("http")
if GRPC:
    shows("grpc")
else:
    skipped += 1
print(f"sdk-signals: {passed} passed, {failed} failed, {skipped} skipped")
sys.exit(failed > 0)
