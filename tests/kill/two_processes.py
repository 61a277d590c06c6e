#!/usr/bin/env python3
"""Two servers on one PostgreSQL log, eight clients that write to both in turn, one of the servers killed every few seconds.

    tests/kill/two_processes.py --database-url postgres://postgres@127.0.0.1:5432/two --seconds 30

The database must be empty. A write without an answer is sent again, to the other server first. What must hold at the end:
one sequence without gaps; each root that a server or `verify database` gave is that of the leaf hashes at its size; every acknowledged record once, at the place that was answered; every receipt leads to a root that the log had at
that size, and the binary finds a sample of them VALID (signatures too).
Exit code 0 or 1; the last line is `two-processes: N passed, N failed`."""

import argparse
import base64
import hashlib
import http.client
import itertools
import json
import os
import random
import re
import shutil
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "interop"))
from kill9 import Client, Refused, Server, otlp, report
from verify import root_of

VERIFY_SECONDS = 5
RECORD = """mutation Record($input: RecordLlmRunInput!) { recordLlmRun(input: $input) { isReplayed receipt
  run { id runId ledgerEntry { sequence } } } }"""
FEED = """query Feed($after: BigInt) { ledger { entries(first: 200, after: $after) { resumeAfter pageInfo { hasNextPage }
  nodes { sequence kind recordId leafHash record {
    ... on TraceStep { traceId spanId stepIndex } ... on LlmRun { runId revision } } } } } }"""
HEAD = "{ ledger { size root anomalies { kind } } }"


class Sent:
    """What was sent and what was acknowledged. Shared by all clients."""

    def __init__(self):
        self.lock = threading.Lock()
        self.spans, self.acknowledged_spans = set(), set()  # (trace id, span id)
        self.runs, self.answers = set(), {}  # run id -> (record id, sequence, receipt)
        self.refusals, self.retries, self.replays = [], 0, 0


class Writes:
    """An endless mix of runs by mutation and spans by OTLP. The traces are shared by all clients, so by both servers."""

    def __init__(self, rng, run_share):
        self.rng, self.run_share, self.serial, self.traces = rng, run_share, itertools.count(1), {}

    def next(self):
        number = next(self.serial)
        return self.make_run(number) if self.rng.random() < self.run_share else self.make_spans()

    def make_run(self, number):
        run_id, now = f"run-{number}", time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        return {"runId": run_id, "provider": "openai", "model": "gpt-4o", "inputTokens": 1, "outputTokens": 1,
                "executionStatus": "SUCCEEDED", "startedAt": now, "completedAt": now, "idempotencyKey": run_id}

    def make_spans(self):
        """Spans of one of six open traces. The root comes last, and the trace makes place for a new one."""
        while len(self.traces) < 6:
            self.traces[f"{self.rng.getrandbits(128):032x}"] = (f"{next(self.serial):016x}", self.rng.randint(10, 200))
        trace_id = self.rng.choice(list(self.traces))
        root, left = self.traces[trace_id]
        span_ids = [f"{next(self.serial):016x}" for _ in range(self.rng.choice([1, 2, 5, 20]))]
        if left > len(span_ids):
            self.traces[trace_id] = (root, left - len(span_ids))
        else:
            del self.traces[trace_id]
            span_ids.append(root)
        return trace_id, span_ids, otlp(trace_id, span_ids, root)


def begin(sent, writes):
    with sent.lock:
        write = writes.next()
        if isinstance(write, dict):
            sent.runs.add(write["runId"])
        else:
            sent.spans.update((write[0], span) for span in write[1])
        return write


def send(sent, client, write):
    """Sends it, and remembers the answer."""
    if isinstance(write, dict):
        payload = client.graphql(RECORD, {"input": write})["recordLlmRun"]
        answer = (payload["run"]["id"], int(payload["run"]["ledgerEntry"]["sequence"]), payload["receipt"])
        with sent.lock:
            sent.answers[write["runId"]] = answer
            sent.replays += payload["isReplayed"]
        return
    trace_id, span_ids, body = write
    answer = client.post("/v1/traces", body)
    if int((answer.get("partialSuccess") or {}).get("rejectedSpans") or 0):
        raise Refused(f"spans were rejected: {answer}")
    with sent.lock:
        sent.acknowledged_spans.update((trace_id, span) for span in span_ids)


def write_in_turn(number, servers, sent, writes, until):
    """One client. What it has begun it brings to its end, so that each write is acknowledged or refused in words."""
    clients, turn, write = {}, number, None
    while write is not None or time.monotonic() < until:
        write = write or begin(sent, writes)
        port = servers[turn % 2].port
        turn += 1
        try:
            if port not in clients:
                clients[port] = Client(port)
            send(sent, clients[port], write)
        except Refused as refusal:
            sent.refusals.append(str(refusal))
        except (OSError, http.client.HTTPException, json.JSONDecodeError):
            clients.pop(port, None)
            with sent.lock:
                sent.retries += 1
            time.sleep(0.01)
            continue
        write = None


def kill_now_and_then(args, rng, servers, until):
    kills = 0
    while time.monotonic() + (pause := rng.uniform(0.5, 1.5) * args.kill_every) < until:
        time.sleep(pause)
        server = rng.choice(servers)
        server.kill()
        kills += 1
        time.sleep(rng.uniform(0, 0.5))
        server.start()
    return kills


def read_feed(client):
    after = None
    while True:
        page = client.graphql(FEED, {"after": after})["ledger"]["entries"]
        yield from page["nodes"]
        if not page["pageInfo"]["hasNextPage"]:
            return
        after = page["resumeAfter"]


def join(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


def roots_at(leaf_hashes, sizes):
    """The roots that the tree of these leaves had at these sizes (RFC 6962), in one pass."""
    found, peaks = {}, []
    for size, one in enumerate(leaf_hashes, 1):
        height = 0
        while peaks and peaks[-1][0] == height:
            one, height = join(peaks.pop()[1], one), height + 1
        peaks.append((height, one))
        if size in sizes:
            root = peaks[-1][1]
            for _, left in reversed(peaks[:-1]):
                root = join(left, root)
            found[size] = root
    return found


def parse_receipt(text):
    """Leaf, index, path, size and root of a C2SP tlog-proof."""
    head, note = text.split("\n\n", 1)
    _, extra, index, *path = head.split("\n")
    _, size, root = note.split("\n")[:3]
    decode = base64.b64decode
    return decode(extra[len("extra "):]), int(index[len("index "):]), [decode(one) for one in path], int(size), decode(root)


def wrong_receipts(answers, leaf_hashes):
    """The receipts that do not fit the log as it stands, with what is wrong about them."""
    receipts = {run_id: parse_receipt(receipt) for run_id, (_, _, receipt) in answers.items()}
    roots = roots_at(leaf_hashes, {size for _, _, _, size, _ in receipts.values()})
    for run_id, (leaf, index, path, size, root) in receipts.items():
        leaf_hash = hashlib.sha256(b"\0" + leaf).digest()
        try:
            if index != answers[run_id][1]:
                yield f"{run_id}: of another place than was answered"
            elif leaf_hashes[index] != leaf_hash:
                yield f"{run_id}: of another leaf than that at {index}"
            elif roots.get(size) != root:
                yield f"{run_id}: under a root that the log did not have at size {size}"
            elif root_of(leaf_hash, index, size, path) != root:
                yield f"{run_id}: does not lead to its root"
        except (AssertionError, IndexError) as error:
            yield f"{run_id}: {error!r}"


def judge(sent, entries):
    """The promises that the feed shows, each as (claim, what breaks it)."""
    sequences = [int(entry["sequence"]) for entry in entries]
    steps = [entry["record"] for entry in entries if entry["kind"] == "TRACE_STEP"]
    runs = [entry["record"] for entry in entries if entry["kind"] == "LLM_RUN"]
    spans = Counter((step["traceId"], step["spanId"]) for step in steps)
    indices = {}
    for step in steps:
        indices.setdefault(step["traceId"], []).append(int(step["stepIndex"]))
    revisions = Counter((run["runId"], run["revision"]) for run in runs)
    run_ids = Counter(run["runId"] for run in runs)
    leaf_hashes = [bytes.fromhex(entry["leafHash"]) for entry in entries]
    places = {entry["recordId"]: int(entry["sequence"]) for entry in entries}
    is_gapless = lambda found: sorted(found) == list(range(min(found), min(found) + len(found))) and min(found) in (0, 1)
    return [
        ("the sequence has no gap", [seq for place, seq in enumerate(sequences) if place != seq]),
        ("every acknowledged span is there", sorted(sent.acknowledged_spans - spans.keys())),
        ("no span is there twice", [span for span, count in spans.items() if count > 1]),
        ("no span or run is there that was not sent", sorted(spans.keys() - sent.spans)
         + sorted(run for run in run_ids if run.startswith("run-") and run not in sent.runs)),
        ("step_index has no gap in any trace", [trace for trace, found in indices.items() if not is_gapless(found)]),
        ("every acknowledged run is there once", [run for run in sent.answers if run_ids[run] != 1]),
        ("no revision of a run is there twice", [run for run, count in revisions.items() if count > 1]),
        ("every record is at the place that was answered", [run for run, (record_id, seq, _) in sent.answers.items() if places.get(record_id) != seq]),
        ("every receipt leads to a root that the log had", list(wrong_receipts(sent.answers, leaf_hashes))),
    ]


def verify_receipts(args, server, answers, rng, vkey):
    """What the binary says of a sample of the receipts; all of them where there are no more."""
    sample = rng.sample(sorted(answers), min(args.receipts, len(answers)))

    def check(run_id):
        path = os.path.join(server.folder, f"{run_id}.tlog-proof")
        with open(path, "w", encoding="utf-8", newline="") as file:
            file.write(answers[run_id][2])
        done = server.command("verify", "receipt", path, "--key", vkey)
        os.remove(path)
        return None if done.returncode == 0 and done.stdout.startswith("VALID") else f"{run_id}: {done.stdout}"

    with ThreadPoolExecutor(2) as pool:
        return len(sample), [wrong for wrong in pool.map(check, sample) if wrong]


def verify_databases(servers):
    """What the binary says of the database once no server runs, from either data folder; with the heads it found."""
    results, heads = [], []
    for server, words in zip(servers, (["--full"], [])):
        done = server.command("verify", "database", *words)
        print("\n".join(line[:200] for line in done.stdout.splitlines()[:12]))
        head = re.search(r"evidence log of demo .*\n *size (\d+), root (\w+)", done.stdout)
        is_right = done.returncode == 0 and head
        results.append((" ".join(["verify database", *words, "says VALID"]),
                        [] if is_right else [f"exit {done.returncode}: {done.stdout[:300]} {done.stderr[-300:]}"]))
        heads += [(int(head[1]), head[2])] if head else []
    return results, heads


def judge_heads(heads, leaf_hashes):
    """The heads that are not those that the log of these leaves had at their size."""
    roots = roots_at(leaf_hashes, {size for size, _ in heads})
    return [head for head in heads if roots.get(head[0], b"").hex() != head[1]]


def verify_answers(args, servers, sent, rng):
    """What the binary says of the key and of the receipts."""
    results = []
    shown = servers[0].command("keys", "ledger", "show").stdout
    vkeys = [line.split()[1] for line in shown.splitlines() if line.startswith("  vkey ")]
    results.append(("one key signs", [] if len(vkeys) == 1 else [shown]))
    count, wrong = verify_receipts(args, servers[1], sent.answers, rng, vkeys[0])
    results.append((f"verify receipt says VALID of {count} of {len(sent.answers)} receipts", wrong))
    return results


def start_both(args, folder):
    """The first start makes the key; the second server gets a copy of it, and has a data folder of its own."""
    folders = [os.path.join(folder, name) for name in ("a", "b")]
    for one in folders:
        os.mkdir(one)
    # The background verification looks at a log that both append to; it must not cry wolf.
    servers = [Server(args, one, {"RUNLEDGER_VERIFY_INTERVAL": f"{VERIFY_SECONDS}s"}) for one in folders]
    servers[0].start()
    shutil.copy(os.path.join(folders[0], "ledger.key"), folders[1])
    servers[1].start()
    return servers


def play(args, folder):
    rng, sent = random.Random(args.seed), Sent()
    servers = start_both(args, folder)
    before = Client(servers[0].port).graphql(HEAD, {})["ledger"]["size"]
    if before != "0":
        raise SystemExit(f"the database holds {before} records; give an empty one")
    writes, started = Writes(random.Random(rng.random()), args.run_share), time.monotonic()
    until = started + args.seconds
    clients = [threading.Thread(target=write_in_turn, args=(number, servers, sent, writes, until)) for number in range(args.clients)]
    for client in clients:
        client.start()
    kills = kill_now_and_then(args, rng, servers, until)
    for client in clients:
        client.join()
    seconds = time.monotonic() - started
    time.sleep(args.settle_wait)  # the last traces are sealed into runs
    # Each head is judged at its own size, for the servers go on: verifications are put on record too.
    seen = [Client(server.port).graphql(HEAD, {})["ledger"] for server in servers]
    heads = [(int(head["size"]), head["root"]) for head in seen]
    codes = [server.stop() for server in servers]
    verified, offline = verify_databases(servers)
    servers[1].start()
    entries = list(read_feed(Client(servers[1].port)))
    codes.append(servers[1].stop())
    leaf_hashes = [bytes.fromhex(entry["leafHash"]) for entry in entries]
    results = judge(sent, entries)
    results.append(("one root a size: of both servers, of verify database, and of the leaf hashes", judge_heads(heads + offline, leaf_hashes)))
    results.append(("the servers' own verification found nothing", [one for head in seen for one in head["anomalies"]]))
    results.append(("both servers stop in good order", [code for code in codes if code]))
    results += verified
    results += verify_answers(args, servers, sent, rng)
    results.append(("a server that lives refuses no write", sent.refusals))
    results.append(("all was tried: kills, runs, spans", [] if kills and sent.answers and sent.acknowledged_spans else ["not all"]))
    failed = report(results)
    print(f"{kills} kills in {seconds:.0f} s: {len(sent.answers)} runs by mutation and {len(sent.acknowledged_spans)} spans acknowledged, "
          f"{sent.retries} writes without an answer sent again, {sent.replays} answers replayed, {len(entries)} entries")
    print(f"two-processes: {len(results) - failed} passed, {failed} failed")
    return 1 if failed else 0


def self_test():
    """The judge must see each kind of damage; a check that cannot fail proves nothing."""
    leaves = [b"zero", b"one", b"two", b"three"]
    hashes = [hashlib.sha256(b"\0" + leaf).digest() for leaf in leaves]
    roots = {3: join(join(hashes[0], hashes[1]), hashes[2]), 4: join(join(hashes[0], hashes[1]), join(hashes[2], hashes[3]))}
    text = lambda data: base64.b64encode(data).decode()

    def receipt(leaf=leaves[2], index=2, path=(join(hashes[0], hashes[1]),), size=3, root=roots[3]):
        head = "\n".join(["c2sp.org/tlog-proof@v1", f"extra {text(leaf)}", f"index {index}", *map(text, path)])
        return f"{head}\n\nlog\n{size}\n{text(root)}\n\n- log c2ln\n"

    def entry(place, kind, **record):
        return {"sequence": str(place), "kind": kind, "recordId": f"id{place}", "leafHash": hashes[place].hex(), "record": record}

    step = lambda place, span, index: entry(place, "TRACE_STEP", traceId="t", spanId=span, stepIndex=index)
    run = lambda place, run_id, revision=1: entry(place, "LLM_RUN", runId=run_id, revision=revision)
    good = [step(0, "a", 0), step(1, "b", 1), run(2, "run-1"), run(3, "t")]
    answer = ("id2", 2, receipt())
    changed = lambda place, one: good[:place] + [one] + good[place + 1:]
    cases = [
        (good, answer, []),
        (good[:2] + [dict(good[2], sequence="3"), dict(good[3], sequence="4")], ("id2", 3, receipt(index=3)), [0, 8]),
        (changed(0, step(0, "c", 0)), answer, [1]),
        (changed(3, step(3, "b", 2)), answer, [2]),
        (changed(3, step(3, "z", 2)), answer, [3]),
        (changed(3, run(3, "run-9")), answer, [3]),
        (changed(1, step(1, "b", 2)), answer, [4]),
        (changed(2, run(2, "u")), answer, [5]),
        (changed(3, run(3, "run-1", 2)), answer, [5]),
        (changed(3, run(3, "run-1")), answer, [5, 6]),
        (good, ("id3", 2, receipt()), [7]),
        (good, ("id2", 2, receipt(leaf=b"other")), [8]),
        (good, ("id2", 2, receipt(root=roots[4])), [8]),
        (good, ("id2", 2, receipt(size=4, root=roots[4])), [8]),
        (good, ("id2", 2, receipt(size=5, root=roots[4])), [8]),
        (good, ("id2", 2, receipt(size=4, root=roots[4], path=(hashes[3], join(hashes[0], hashes[1])))), []),
    ]
    wrong = 0
    for number, (entries, answered, broken) in enumerate(cases):
        sent = Sent()
        sent.spans, sent.acknowledged_spans = {("t", "a"), ("t", "b"), ("t", "c")}, {("t", "a"), ("t", "b")}
        sent.runs, sent.answers = {"run-1"}, {"run-1": answered}
        seen = [index for index, (_, found) in enumerate(judge(sent, entries)) if found]
        if seen != broken:
            wrong += 1
            print(f"FAIL case {number}: seen {seen}, wanted {broken}")
    heads = [(3, roots[3].hex()), (4, roots[4].hex()), (3, roots[4].hex()), (5, roots[4].hex())]
    if judge_heads(heads, hashes) != heads[2:]:
        wrong += 1
        print(f"FAIL heads: seen {judge_heads(heads, hashes)}, wanted {heads[2:]}")
    print(f"two-processes-self-test: {len(cases) + 1 - wrong} passed, {wrong} failed")
    return 1 if wrong else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", default="target/debug/runledger", help="the binary under test")
    parser.add_argument("--database-url", default=os.environ.get("RUNLEDGER_DATABASE_URL"), help="an empty database, postgres://...")
    parser.add_argument("--seconds", type=float, default=30, help="how long the clients write (default 30)")
    parser.add_argument("--clients", type=int, default=8, help="clients at once (default 8)")
    parser.add_argument("--kill-every", type=float, default=3, help="seconds between kills, about (default 3)")
    parser.add_argument("--run-share", type=float, default=0.5, help="share of writes that are mutations with a receipt (default 0.5)")
    parser.add_argument("--receipts", type=int, default=1000, help="receipts that the binary verifies (default 1000)")
    parser.add_argument("--start-seconds", type=float, default=30, help="how long a start may take (default 30)")
    parser.add_argument("--settle", default="1s", help="RUNLEDGER_TRACE_SETTLE of the servers (default 1s)")
    parser.add_argument("--settle-wait", type=float, default=3, help="seconds to wait for the last seals (default 3)")
    parser.add_argument("--seed", type=int, default=None, help="repeats the same choices; printed on failure")
    parser.add_argument("--self-test", action="store_true", help="only show that the checks can fail")
    args = parser.parse_args()
    if args.self_test:
        return self_test()
    if not (args.database_url or "").startswith("postgres"):
        parser.error("--database-url postgres://... is needed: two servers share only PostgreSQL")
    args.seed = random.SystemRandom().getrandbits(32) if args.seed is None else args.seed
    folder = tempfile.mkdtemp(prefix="runledger-two-processes-")
    code = play(args, folder)
    if code:
        print(f"seed {args.seed}; database {args.database_url}; server logs {folder}/*/server.log", file=sys.stderr)
    else:
        shutil.rmtree(folder)
    return code


if __name__ == "__main__":
    sys.exit(main())
