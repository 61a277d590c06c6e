#!/usr/bin/env python3
"""Kills the server with SIGKILL while it is being written to, many times over, and then counts.

    tests/kill/kill9.py --server target/debug/runledger --database-url sqlite:///tmp/k/k.db --rounds 50

What must hold at the end: every span and run that was acknowledged is there, none twice; nothing is there that was not
sent; step_index has no gap in any trace; no sequence is given twice; `verify database --full` says VALID. A request without an answer may or may not have
been committed; it is sent again in the next round, as an exporter would, and must still be there once.
Exit code 0 or 1; the last line is `kill9: N passed, N failed`."""

import argparse
import http.client
import itertools
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter

STEPS = """query Steps($trace: String!, $after: String) { trace(by: { traceId: $trace }) { sequence
  steps(first: 200, after: $after) { nodes { spanId stepIndex sequence } pageInfo { hasNextPage endCursor } } } }"""
RUNS = """query Runs($after: String) { llmRuns(first: 200, after: $after) {
  nodes { runId sequence } pageInfo { hasNextPage endCursor } } }"""
RECORD = """mutation Record($input: RecordLlmRunInput!) { recordLlmRun(input: $input) { run { runId } } }"""


class Refused(Exception):
    """The server answered, and the answer was not the one that was asked for."""


class Client:
    """One connection, kept alive. Any failure of it ends the round for the writer that holds it."""

    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def post(self, path, body):
        self.connection.request("POST", path, json.dumps(body), {"content-type": "application/json", "accept": "application/json"})
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise Refused(f"{path}: HTTP {answer.status} {text[:300]!r}")
        return json.loads(text)

    def graphql(self, query, variables):
        answer = self.post("/graphql", {"query": query, "variables": variables})
        if answer.get("errors"):
            raise Refused(f"graphql: {json.dumps(answer['errors'])[:300]}")
        return answer["data"]


class Sent:
    """What was sent and what was acknowledged. Shared by all writers."""

    def __init__(self):
        self.lock = threading.Lock()
        self.spans = {}  # trace id -> span ids that were sent
        self.acknowledged_spans = {}  # trace id -> span ids that were acknowledged
        self.runs, self.acknowledged_runs = set(), set()
        self.unanswered = []  # writes to send again
        self.refusals = []

    def begin(self, write):
        with self.lock:
            if write.kind == "run":
                self.runs.add(write.run_id)
            else:
                for span in write.span_ids:
                    self.spans.setdefault(write.trace_id, set()).add(span)

    def finish(self, write, is_acknowledged):
        with self.lock:
            if not is_acknowledged:
                self.unanswered.append(write)
            elif write.kind == "run":
                self.acknowledged_runs.add(write.run_id)
            else:
                self.acknowledged_spans.setdefault(write.trace_id, set()).update(write.span_ids)


class Write:
    """One request: spans of one trace by OTLP, or a run by mutation."""

    def __init__(self, kind, trace_id=None, span_ids=(), body=None, run_id=None):
        self.kind, self.trace_id, self.span_ids, self.body, self.run_id = kind, trace_id, list(span_ids), body, run_id

    def send(self, client):
        if self.kind == "run":
            client.graphql(RECORD, {"input": self.body})
            return
        answer = client.post("/v1/traces", self.body)
        rejected = int((answer.get("partialSuccess") or {}).get("rejectedSpans") or 0)
        if rejected:
            raise Refused(f"{rejected} spans were rejected: {answer}")


def attribute(key, value):
    return {"key": key, "value": {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}}


def otlp(trace_id, span_ids, root_id):
    """An OTLP/JSON request. The span `root_id` has no parent, so that the trace can be sealed."""
    now = time.time_ns()
    spans = []
    for span_id in span_ids:
        span = {
            "traceId": trace_id, "spanId": span_id, "name": "chat probe", "kind": 3,
            "startTimeUnixNano": str(now - 2_000_000), "endTimeUnixNano": str(now),
            "attributes": [
                attribute("gen_ai.operation.name", "chat"), attribute("gen_ai.system", "openai"),
                attribute("gen_ai.request.model", "gpt-4o"), attribute("gen_ai.usage.input_tokens", 7),
                attribute("gen_ai.usage.output_tokens", 3), attribute("probe.text", "x" * 600),
            ],
        }
        if span_id != root_id:
            span["parentSpanId"] = root_id
        spans.append(span)
    scope = {"scope": {"name": "kill9"}, "spans": spans}
    return {"resourceSpans": [{"resource": {"attributes": [attribute("service.name", "kill9")]}, "scopeSpans": [scope]}]}


def make_writes(rng, round_number, trace_ids, serial):
    """An endless mix: spans of a few shared traces, so that connections meet in one trace, and now and then a run."""
    roots = {trace: f"{next(serial):016x}" for trace in trace_ids}
    waiting_roots = list(roots.items())
    while True:
        if rng.random() < 0.1:
            run_id = f"run-{round_number}-{next(serial)}"
            now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            body = {"runId": run_id, "provider": "openai", "model": "gpt-4o", "inputTokens": 1, "outputTokens": 1,
                    "executionStatus": "SUCCEEDED", "startedAt": now, "completedAt": now, "idempotencyKey": run_id}
            yield Write("run", run_id=run_id, body=body)
            continue
        trace_id = rng.choice(trace_ids)
        span_ids = [f"{next(serial):016x}" for _ in range(rng.choice([1, 2, 5, 20]))]
        if waiting_roots and rng.random() < 0.2:
            trace_id, root = waiting_roots.pop()
            span_ids.append(root)
        yield Write("spans", trace_id, span_ids, otlp(trace_id, span_ids, roots[trace_id]))


def write_until_killed(port, writes, lock, sent):
    client = Client(port)
    while True:
        with lock:
            write = next(writes)
        sent.begin(write)
        try:
            write.send(client)
        except Refused as refusal:
            sent.refusals.append(str(refusal))
            sent.finish(write, False)
            return
        except (OSError, http.client.HTTPException, json.JSONDecodeError):
            sent.finish(write, False)
            return
        sent.finish(write, True)


class Server:
    """The process under test, with auth off, on a free loopback port."""

    def __init__(self, args, folder, settings=()):
        self.args, self.folder, self.port, self.process = args, folder, None, None
        self.settings = {
            "RUNLEDGER_OTLP_GRPC_LISTEN": "", "RUNLEDGER_AUTH": "off", "RUNLEDGER_DATABASE_URL": args.database_url,
            "RUNLEDGER_DATA_DIR": folder, "RUNLEDGER_TRACE_SETTLE": args.settle, **dict(settings),
        }

    def command(self, *words):
        """Another command of the binary, with the server's settings."""
        return subprocess.run([self.args.server, *words], env={**os.environ, **self.settings}, capture_output=True, text=True)

    def start(self, **process):
        """Starts it, as a process with these properties, and waits until it is ready."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        settings = {**self.settings, "RUNLEDGER_LISTEN": f"127.0.0.1:{self.port}"}
        log = open(os.path.join(self.folder, "server.log"), "ab")
        self.process = subprocess.Popen([self.args.server, "serve"], env={**os.environ, **settings}, stdout=log, stderr=log, stdin=subprocess.DEVNULL, **process)
        log.close()
        deadline = time.monotonic() + self.args.start_seconds
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise SystemExit(f"the server ended with code {self.process.returncode}; see {self.folder}/server.log")
            try:
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
                connection.request("GET", "/readyz")
                if connection.getresponse().status == 200:
                    return
            except OSError:
                pass
            time.sleep(0.01)
        raise SystemExit(f"the server was not ready within {self.args.start_seconds} s; see {self.folder}/server.log")

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        """Asks it to end; gives its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait()


def play_round(args, rng, server, sent, round_number, trace_ids, serial):
    """Starts the server, writes from several connections, kills it at a random moment."""
    server.start()
    again, sent.unanswered = sent.unanswered, []
    writes = itertools.chain(again, make_writes(rng, round_number, trace_ids, serial))
    lock = threading.Lock()
    writers = [threading.Thread(target=write_until_killed, args=(server.port, writes, lock, sent)) for _ in range(args.connections)]
    for writer in writers:
        writer.start()
    time.sleep(rng.uniform(0.02, args.write_seconds))
    server.kill()
    for writer in writers:
        writer.join()


def resend(client, sent):
    """What had no answer in the last round goes out once more, now to a server that lives."""
    again, sent.unanswered = sent.unanswered, []
    for write in again:
        write.send(client)
        sent.finish(write, True)


def pages(client, query, variables, at):
    after = None
    while True:
        page = at(client.graphql(query, {**variables, "after": after}))
        if page is None:
            return
        yield from page["nodes"]
        if not page["pageInfo"]["hasNextPage"]:
            return
        after = page["pageInfo"]["endCursor"]


def read_back(client, sent):
    """Everything there is, as GraphQL serves it: steps by trace, and runs."""
    steps = {}
    for trace_id in sent.spans:
        found = pages(client, STEPS, {"trace": trace_id}, lambda data: (data["trace"] or {}).get("steps"))
        steps[trace_id] = [(step["spanId"], int(step["stepIndex"]), int(step["sequence"])) for step in found]
    runs = [(run["runId"], int(run["sequence"])) for run in pages(client, RUNS, {}, lambda data: data["llmRuns"])]
    return steps, runs


def judge(sent, steps, runs):
    """The promises, each as (claim, what breaks it)."""
    lost, doubled, strange, gaps = [], [], [], []
    for trace_id, found in steps.items():
        span_ids = Counter(span for span, _, _ in found)
        lost += [f"{trace_id}/{span}" for span in sent.acknowledged_spans.get(trace_id, set()) - span_ids.keys()]
        doubled += [f"{trace_id}/{span}" for span, count in span_ids.items() if count > 1]
        strange += [f"{trace_id}/{span}" for span in span_ids.keys() - sent.spans[trace_id]]
        indices = sorted(index for _, index, _ in found)
        if indices and (indices[0] not in (0, 1) or indices != list(range(indices[0], indices[0] + len(indices)))):
            gaps.append(trace_id)
    run_ids = Counter(run for run, _ in runs)
    sequences = Counter([seq for found in steps.values() for _, _, seq in found] + [seq for _, seq in runs])
    return [
        ("every acknowledged span is there", lost),
        ("no span is there twice", doubled),
        ("no span is there that was not sent", strange),
        ("step_index has no gap in any trace", gaps),
        ("every acknowledged run is there", sorted(sent.acknowledged_runs - run_ids.keys())),
        ("no run is listed twice", [run for run, count in run_ids.items() if count > 1]),
        ("no sequence is given twice", [seq for seq, count in sequences.items() if count > 1]),
    ]


def report(results):
    """Prints each claim with what breaks it; gives how many are broken."""
    for claim, broken in results:
        print(f"{'FAIL' if broken else 'ok  '} {claim}" + (f" -- {len(broken)}, e.g. {broken[0]}" if broken else ""))
    return sum(bool(broken) for _, broken in results)


def self_test():
    """The judge must see each kind of damage; a check that cannot fail proves nothing."""
    sent = Sent()
    sent.spans, sent.acknowledged_spans = {"t": {"a", "b", "c"}}, {"t": {"a", "b"}}
    sent.runs, sent.acknowledged_runs = {"r", "s"}, {"r"}
    good = {"t": [("a", 0, 1), ("b", 1, 2)]}
    cases = [
        (good, [("r", 3)], None),
        ({"t": [("a", 0, 1)]}, [("r", 3)], 0),
        ({"t": [("a", 0, 1), ("b", 1, 2), ("b", 2, 4)]}, [("r", 3)], 1),
        ({"t": [("a", 0, 1), ("b", 1, 2), ("z", 2, 4)]}, [("r", 3)], 2),
        ({"t": [("a", 0, 1), ("b", 2, 2)]}, [("r", 3)], 3),
        ({"t": [("a", 1, 1), ("b", 1, 2)]}, [("r", 3)], 3),
        (good, [("s", 3)], 4),
        (good, [("r", 3), ("r", 4)], 5),
        (good, [("r", 2)], 6),
    ]
    wrong = 0
    for number, (steps, runs, broken) in enumerate(cases):
        seen = [index for index, (_, found) in enumerate(judge(sent, steps, runs)) if found]
        if seen != ([] if broken is None else [broken]):
            wrong += 1
            print(f"FAIL case {number}: seen {seen}, wanted {broken}")
    print(f"kill9-self-test: {len(cases) - wrong} passed, {wrong} failed")
    return 1 if wrong else 0


def play(args, folder):
    rng, sent, serial, started = random.Random(args.seed), Sent(), itertools.count(1), time.monotonic()
    trace_ids, server = [], Server(args, folder)
    for round_number in range(args.rounds):
        # Two traces of the last round stay in use: their late spans meet what was written before the kill.
        trace_ids = trace_ids[-2:] + [f"{rng.getrandbits(128):032x}" for _ in range(4)]
        play_round(args, rng, server, sent, round_number, trace_ids, serial)
    server.start()
    client = Client(server.port)
    resend(client, sent)
    time.sleep(args.settle_wait)  # the last traces are sealed into runs
    steps, runs = read_back(client, sent)
    server.kill()
    results = judge(sent, steps, runs)
    acknowledged = sum(len(spans) for spans in sent.acknowledged_spans.values())
    verified = server.command("verify", "database", "--full")
    results.append(("verify database --full says VALID", [] if verified.returncode == 0 else [verified.stdout[:600] + verified.stderr[-300:]]))
    results.append(("writes were acknowledged at all", [] if acknowledged and sent.acknowledged_runs else ["none"]))
    results.append(("a server that lives refuses no write", sent.refusals))
    failed = report(results)
    read = sum(len(found) for found in steps.values())
    print(f"{args.rounds} kills in {time.monotonic() - started:.0f} s: {acknowledged} spans acknowledged, {read} found; "
          f"{len(sent.acknowledged_runs)} runs acknowledged by mutation, {len(runs)} found")
    print(f"kill9: {len(results) - failed} passed, {failed} failed")
    return 1 if failed else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", default="target/debug/runledger", help="the binary under test")
    parser.add_argument("--database-url", help="sqlite://... or postgres://...; default: SQLite in a temporary folder")
    parser.add_argument("--rounds", type=int, default=50, help="how many kills (default 50)")
    parser.add_argument("--connections", type=int, default=4, help="writers at once (default 4)")
    parser.add_argument("--write-seconds", type=float, default=0.6, help="longest life of a server (default 0.6)")
    parser.add_argument("--start-seconds", type=float, default=30, help="how long a start may take (default 30)")
    parser.add_argument("--settle", default="1s", help="RUNLEDGER_TRACE_SETTLE of the server (default 1s)")
    parser.add_argument("--settle-wait", type=float, default=3, help="seconds to wait for the last seals (default 3)")
    parser.add_argument("--seed", type=int, default=None, help="repeats the same moments; printed on failure")
    parser.add_argument("--self-test", action="store_true", help="only show that the checks can fail")
    args = parser.parse_args()
    if args.self_test:
        return self_test()
    args.seed = random.SystemRandom().getrandbits(32) if args.seed is None else args.seed
    folder = tempfile.mkdtemp(prefix="runledger-kill9-")
    args.database_url = args.database_url or f"sqlite://{folder}/runledger.db"
    code = play(args, folder)
    if code:
        print(f"seed {args.seed}; database {args.database_url}; server log {folder}/server.log", file=sys.stderr)
    else:
        shutil.rmtree(folder)
    return code


if __name__ == "__main__":
    sys.exit(main())
