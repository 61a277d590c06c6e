#!/usr/bin/env python3
"""Every abuse at once by the key of one tenant, while another tenant goes on working.

    tests/kill/abuse.py --server target/debug/runledger --database-url sqlite:///tmp/a/a.db --seconds 60

For so long, tenant `loud` holds idle connections, sends bodies and gRPC calls that do not end, the dearest queries that
pass the guard, gzip bombs, text that is dear to redact, and floods of spans, also without credentials at all. Tenant
`quiet` asks a trivial query ten times and writes a run once a second.
What must hold: each probe is answered with 200 within --deadline seconds and none is refused; the server's memory stays
below --memory-mib; every write that was acknowledged to either tenant is there once; `verify database --full` says VALID;
the server is ready afterwards without a restart.
Exit code 0 or 1; the last line is `abuse: N passed, N failed`."""

import argparse
import gzip
import http.client
import json
import multiprocessing
import os
import random
import shutil
import socket
import sys
import tempfile
import time
from collections import Counter

from kill9 import RECORD, RUNS, Client, Server, otlp, pages, report

VIEWER = "query Probe { viewer { tenant { id } } }"
COUNT = "query Count($trace: String!) { trace(by: { traceId: $trace }) { totalSteps } }"
DEAR = [
    "{ llmRuns(first: 200) { nodes { runId trace { steps(first: 50) { nodes { spanId skillName attributes } } } } } }",
    "{ llmRuns(first: 50) { nodes { runId replay(windowSeconds: 600) { events { source timestamp } } governance { events(first: 50) { nodes { eventType } } } } } }",
    "{ " + " ".join(f"a{n}: llmRuns(first: 200) {{ totalCount {{ value }} filtersApplied }}" for n in range(20)) + " }",
    "{ ledger { log(stream: EVIDENCE) { entries(first: 200) { nodes { leaf receipt } } } } }",
]


class Keyed(Client):
    """A client that shows a key."""

    def __init__(self, port, key, timeout=30):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
        self.key = key

    def raw(self, path, body, headers):
        self.connection.request("POST", path, body, {"authorization": f"Bearer {self.key}", **headers})
        answer = self.connection.getresponse()
        return answer.status, answer.read()

    def post(self, path, body):
        status, text = self.raw(path, json.dumps(body), {"content-type": "application/json", "accept": "application/json"})
        if status != 200:
            raise http.client.HTTPException(f"{path}: HTTP {status} {text[:200]!r}")
        return json.loads(text)


def until(end, step, *, pause=0.0):
    """Repeats a step; what it meets is part of the abuse and ends only its own try."""
    seen = Counter()
    while time.time() < end:
        try:
            seen[str(step())] += 1
        except (OSError, http.client.HTTPException, json.JSONDecodeError) as error:
            seen[type(error).__name__] += 1
            time.sleep(0.02)
        if pause:
            time.sleep(pause)
    return dict(seen)


def idle_connections(case):
    """Connections that send nothing, at both ports, more than the usual limit of files."""
    held, limit = [], 1500
    def step():
        try:
            held.append(socket.create_connection(("127.0.0.1", random.choice([case.port, case.grpc_port])), timeout=2))
        finally:
            while len(held) > limit:
                held.pop(0).close()
        return "opened"
    return until(case.end, step, pause=0.01)


def unfinished_bodies(case):
    """Requests whose body comes a byte at a time, and HTTP/2 connections that stop after their preface."""
    held = []
    head = (f"POST /v1/traces HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {case.key}\r\n"
            "content-type: application/x-protobuf\r\ncontent-length: 15000000\r\n\r\n").encode()
    def step():
        if len(held) < 200:
            target, words = random.choice([(case.port, head + b"\n" * 200_000), (case.grpc_port, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0")])
            connection = socket.create_connection(("127.0.0.1", target), timeout=2)
            held.append(connection)
            connection.sendall(words)
        for connection in list(held):
            try:
                connection.send(b"\n")
            except OSError:
                held.remove(connection)
        return "sent"
    return until(case.end, step, pause=0.05)


def dear_queries(case):
    client = Keyed(case.port, case.key)
    def step():
        try:
            status, _ = client.raw("/graphql", json.dumps({"query": random.choice(DEAR)}), {"content-type": "application/json"})
            return status
        except (OSError, http.client.HTTPException):
            client.connection.close()
            raise
    return until(case.end, step)


def bombs(case):
    """Empty messages by the million, members by the thousand, and zeros."""
    empty_spans = b"\x0a\x00" * 4_000_000
    bodies = [gzip.compress(empty_spans), gzip.compress(b"") * 20_000, gzip.compress(b"\0" * 15_000_000),
              gzip.compress(b'{"resourceSpans":[' + b"{}," * 2_000_000 + b"{}]}")]
    client = Keyed(case.port, case.key)
    def step():
        body = random.choice(bodies)
        kind = "application/json" if body is bodies[3] else "application/x-protobuf"
        try:
            return client.raw("/v1/traces", body, {"content-type": kind, "content-encoding": "gzip"})[0]
        except (OSError, http.client.HTTPException):
            client.connection.close()
            raise
    return until(case.end, step)


def hot_text(case):
    """Text that a careless redaction cannot finish, by mutation and by OTLP."""
    texts = ["0 1 " * 200_000, "a@" * 300_000, "://a:" * 120_000, "password=" * 60_000, '{"a":' * 100_000, "-----BEGIN PRIVATE KEY" * 30_000]
    client = Keyed(case.port, case.key)
    def step():
        text = random.choice(texts)
        if random.random() < 0.5:
            body = otlp(f"{random.getrandbits(128):032x}", [f"{random.getrandbits(63):016x}"], "")
            body["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["attributes"].append({"key": "gen_ai.tool.description", "value": {"stringValue": text}})
            path = "/v1/traces"
        else:
            event = {"component": "WORKER", "eventType": "ERROR", "severity": "INFO", "summary": "s", "details": {"text": text},
                     "occurredAt": "2026-01-01T00:00:00Z"}
            body = {"query": "mutation M($input: RecordSystemRecordsInput!) { recordSystemRecords(input: $input) { results { error { message } } } }",
                    "variables": {"input": {"records": [event]}}}
            path = "/graphql"
        try:
            return client.raw(path, json.dumps(body), {"content-type": "application/json"})[0]
        except (OSError, http.client.HTTPException):
            client.connection.close()
            raise
    return until(case.end, step)


def without_credentials(case):
    client = Keyed(case.port, "rl_0_0")
    def step():
        try:
            return client.raw("/graphql", json.dumps({"query": VIEWER}), {"content-type": "application/json"})[0]
        except (OSError, http.client.HTTPException):
            client.connection.close()
            raise
    return until(case.end, step)


def flood(case):
    """Spans as fast as they are taken; gives what was acknowledged, by trace."""
    client, acknowledged = Keyed(case.port, case.key), {}
    def step():
        trace = f"{random.getrandbits(128):032x}"
        spans = [f"{random.getrandbits(63) | 1:016x}" for _ in range(200)]
        try:
            answer = client.post("/v1/traces", otlp(trace, spans, spans[0]))
        except (OSError, http.client.HTTPException):
            client.connection.close()
            raise
        acknowledged[trace] = len(spans) - int((answer.get("partialSuccess") or {}).get("rejectedSpans") or 0)
        return "taken"
    return {**until(case.end, step), "acknowledged": acknowledged}


def probe(case):
    """The other tenant: a trivial query on a fresh connection ten times a second, and a write each second."""
    waits, troubles, runs, number = [], [], [], 0
    while time.time() < case.end:
        began, number = time.time(), number + 1
        try:
            Keyed(case.port, case.key, case.deadline).graphql(VIEWER, {})
            waits.append(time.time() - began)
        except Exception as error:  # noqa: BLE001: whatever it is, the tenant was not served
            troubles.append(f"query {number} after {time.time() - began:.1f} s: {error!r}")
        if number % 10 == 1:
            write(case, number, troubles, runs)
        time.sleep(max(0, began + 0.1 - time.time()))
    return {"waits": waits, "troubles": troubles, "runs": runs}


def write(case, number, troubles, runs):
    run_id, now = f"quiet-{case.serial}-{number}", time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    body = {"runId": run_id, "provider": "openai", "model": "gpt-4o", "inputTokens": 1, "outputTokens": 1,
            "executionStatus": "SUCCEEDED", "startedAt": now, "completedAt": now, "idempotencyKey": run_id}
    try:
        Keyed(case.port, case.key, case.deadline).graphql(RECORD, {"input": body})
        runs.append(run_id)
    except Exception as error:  # noqa: BLE001
        troubles.append(f"write {number}: {error!r}")


class Case:
    """What a process of the abuse needs."""

    def __init__(self, server, key, end, deadline, serial=0):
        self.port, self.grpc_port, self.key, self.end, self.deadline, self.serial = server.port, server.grpc_port, key, end, deadline, serial


def run(work, case, results):
    # Who abuses has a machine of their own; here they may not take the server's and the probe's processor time.
    os.nice(0 if work is probe else 10)
    try:
        results.put((work.__name__, work(case)))
    except Exception as error:  # noqa: BLE001: a driver that breaks must not look like a server that holds
        results.put((work.__name__, {"broken": repr(error)}))


def at_once(works):
    results, processes = multiprocessing.Queue(), []
    for work, case in works:
        processes.append(multiprocessing.Process(target=run, args=(work, case, results), daemon=True))
        processes[-1].start()
    answers = [results.get(timeout=600) for _ in works]
    for process in processes:
        process.join()
    return answers


def memory_mib(server):
    with open(f"/proc/{server.process.pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024


def quantile(waits, share):
    return sorted(waits)[min(len(waits) - 1, int(len(waits) * share))] * 1000 if waits else float("nan")


def make_key(server, tenant, scopes):
    made = server.command("keys", "create", "--tenant", tenant, "--name", "abuse", "--scopes", scopes)
    key = next((word for word in made.stdout.split() if word.startswith("rl_")), None)
    return key or sys.exit(f"no key: {made.stdout} {made.stderr}")


def play(args, folder):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        grpc_port = free.getsockname()[1]
    server = Server(args, folder, {"RUNLEDGER_AUTH": "required", "RUNLEDGER_OTLP_GRPC_LISTEN": f"127.0.0.1:{grpc_port}"})
    server.grpc_port = grpc_port
    all_scopes = "runs:read,runs:write,payloads:read,system:read,system:write,audit:read,audit:write,ledger:verify"
    server.start()
    loud, quiet = make_key(server, "loud", all_scopes), make_key(server, "quiet", "runs:read,runs:write")
    deadline = args.deadline
    before = at_once([(probe, Case(server, quiet, time.time() + 15, deadline, 0))])[0][1]
    # Something to read for the dear queries.
    at_once([(flood, Case(server, loud, time.time() + 5, deadline))])
    end = time.time() + args.seconds
    crowd = [idle_connections, unfinished_bodies, bombs, hot_text, without_credentials, flood, flood] + [dear_queries] * 8
    answers = at_once([(probe, Case(server, quiet, end, deadline, 1))] + [(work, Case(server, loud, end, deadline)) for work in crowd])
    memory = memory_mib(server)
    for name, answer in answers:
        print(f"     {name}: " + json.dumps({key: value for key, value in answer.items() if key not in ("acknowledged", "waits", "runs")})[:300])
    during = next(answer for name, answer in answers if name == "probe")
    print(f"     quiet tenant: p50 {quantile(before['waits'], 0.5):.1f}, p99 {quantile(before['waits'], 0.99):.1f} ms before; "
          f"during p50 {quantile(during['waits'], 0.5):.1f}, p99 {quantile(during['waits'], 0.99):.1f} ms; peak memory {memory:.0f} MiB")
    ready = True
    try:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
        connection.request("GET", "/readyz")
        ready = connection.getresponse().status == 200
    except OSError:
        ready = False
    acknowledged = {trace: count for _, answer in answers for trace, count in answer.get("acknowledged", {}).items()}
    reader, lost = Keyed(server.port, loud), []
    sample = random.sample(sorted(acknowledged), min(len(acknowledged), args.sample))
    for trace in sample:
        found = reader.graphql(COUNT, {"trace": trace})["trace"]
        if not found or int(found["totalSteps"]) != acknowledged[trace]:
            lost.append(f"{trace}: {found} of {acknowledged[trace]}")
    runs = Counter(run["runId"] for run in pages(Keyed(server.port, quiet), RUNS, {}, lambda data: data["llmRuns"]))
    wanted = before["runs"] + during["runs"]
    status = server.stop()
    verified = server.command("verify", "database", "--full")
    results = [
        ("the other tenant is answered each second", during["troubles"]),
        (f"memory stays below {args.memory_mib} MiB", [] if memory < args.memory_mib else [f"{memory:.0f} MiB"]),
        ("the server is ready afterwards", [] if ready else ["it is not"]),
        ("what was acknowledged to the loud tenant is there", lost),
        ("what was acknowledged to the quiet tenant is there once", [run for run in wanted if runs[run] != 1]),
        ("the server ends when it is asked to", [] if status == 0 else [f"status {status}"]),
        ("verify database --full says VALID", [] if verified.returncode == 0 else [verified.stdout[:600] + verified.stderr[-300:]]),
        ("each kind of abuse was at work", [f"{name}: {answer}" for name, answer in answers if "broken" in answer] + ([] if acknowledged else ["no span taken"])),
    ]
    failed = report(results)
    print(f"     {len(acknowledged)} requests of the loud tenant acknowledged, {len(sample)} looked at; {len(wanted)} runs of the quiet one")
    print(f"abuse: {len(results) - failed} passed, {failed} failed")
    return 1 if failed else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", default="target/debug/runledger", help="the binary under test")
    parser.add_argument("--database-url", help="sqlite://... or postgres://...; default: SQLite in a temporary folder")
    parser.add_argument("--seconds", type=float, default=60, help="how long (default 60)")
    parser.add_argument("--deadline", type=float, default=5, help="seconds that a probe may take (default 5)")
    parser.add_argument("--memory-mib", type=float, default=1024, help="most memory of the server (default 1024)")
    parser.add_argument("--sample", type=int, default=500, help="traces that are read back (default 500)")
    parser.add_argument("--start-seconds", type=float, default=30, help="how long a start may take (default 30)")
    parser.add_argument("--settle", default="1s", help="RUNLEDGER_TRACE_SETTLE of the server (default 1s)")
    args = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="runledger-abuse-")
    args.database_url = args.database_url or f"sqlite://{folder}/runledger.db"
    code = play(args, folder)
    if code:
        print(f"database {args.database_url}; server log {folder}/server.log", file=sys.stderr)
    else:
        shutil.rmtree(folder)
    return code


if __name__ == "__main__":
    sys.exit(main())
