#!/usr/bin/env python3
"""Takes the room away from under the server while it is being written to, many times over, gives it back, and then counts.

    tests/kill/disk.py --server target/debug/runledger --rounds 200

Each round one of these, at random, once or twice in a row: the file system fills (a small one of its own, where this may
mount one, as root may), or a limit of file size comes down on all files, so that writes give I/O errors.
With --database-url of PostgreSQL it is every connection of the server that is terminated, or a small tablespace that fills
(where a file system may be mounted, and the role may make one).

What must hold: every span and run that was acknowledged is there, none twice, nothing that was not sent, no gaps, no sequence
twice; `verify database --full` says VALID; while there is no room writes are refused and /readyz says so in words, and when
there is room it recovers without any write. Between some rounds the server is killed, so that nothing lives in memory only.
Exit code 0 or 1; the last line is `disk: N passed, N failed`."""

import argparse
import http.client
import itertools
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time

from kill9 import Client, Refused, Sent, Server, judge, make_writes, read_back, report, resend

READY_SECONDS = 30


class Small:
    """A folder whose room can be taken: a file system of its own where one may be mounted, else a plain folder."""

    def __init__(self, folder, megabytes):
        self.path, self.megabytes = os.path.join(folder, "small"), megabytes
        os.mkdir(self.path)
        self.is_mounted = self.mount(f"size={megabytes}m")

    def mount(self, options):
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", self.path]
        return subprocess.run(command, capture_output=True).returncode == 0

    def fill(self):
        """Makes it as small as what is in it."""
        while True:
            found = os.statvfs(self.path)
            used = (found.f_blocks - found.f_bfree) * found.f_frsize
            # The server may have written since: then it is refused.
            if self.mount(f"remount,size={used}"):
                return

    def empty(self):
        self.mount(f"remount,size={self.megabytes}m")

    def tablespace(self, url):
        """Makes a database of PostgreSQL whose files lie here; gives its URL, or none where that may not be."""
        place = os.path.join(self.path, "tablespace")
        os.mkdir(place)
        try:
            shutil.chown(place, "postgres")
        except (LookupError, PermissionError):
            return None
        for folder in (os.path.dirname(self.path), self.path):
            os.chmod(folder, 0o755)
        if any(psql(url, sql).returncode for sql in (f"CREATE TABLESPACE small LOCATION '{place}'", "CREATE DATABASE small TABLESPACE small TEMPLATE template0")):
            return None
        return url.rpartition("/")[0] + "/small"

    def close(self):
        if self.is_mounted:
            subprocess.run(["umount", "-l", self.path], check=False)


def psql(url, sql):
    return subprocess.run(["psql", url, "-qAtc", sql], capture_output=True, text=True)


class File:
    """Room taken away by a full file system."""

    name = "full disk"

    def __init__(self, small, server):
        self.small, self.server = small, server

    def take(self):
        self.small.fill()

    def give(self):
        self.small.empty()


class Limit(File):
    """Room taken away by the limit of file size of the process."""

    name = "file size limit"

    def take(self):
        # Writes at places beyond it fail, those inside a file too. Pipes have no limit, so the server can still log.
        resource.prlimit(self.server.process.pid, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))

    def give(self):
        resource.prlimit(self.server.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


class Terminate:
    """Connections taken away, by PostgreSQL's administrator."""

    name = "terminated connections"

    def __init__(self, url):
        self.url = url

    def take(self):
        sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'runledger'"
        done = psql(self.url, sql)
        if done.returncode:
            raise SystemExit(f"psql: {done.stderr}")

    def give(self):
        pass


class Log:
    """The server's log through a pipe, which no limit of file size stops."""

    def __init__(self, folder):
        pipe, self.path = os.path.join(folder, "server.log"), os.path.join(folder, "log.txt")
        os.mkfifo(pipe)
        # Both ends stay open while servers come and go.
        self.ends = os.open(pipe, os.O_RDWR)
        with open(self.path, "wb") as file:
            self.drain = subprocess.Popen(["cat", pipe], stdout=file)

    def close(self):
        self.drain.kill()
        self.drain.wait()
        os.close(self.ends)


class Load:
    """Writers that go on whatever is answered, until they are told to stop."""

    def __init__(self, server, sent, writes, connections):
        self.server, self.sent, self.writes = server, sent, writes
        self.lock, self.is_over, self.refused = threading.Lock(), False, 0
        self.threads = [threading.Thread(target=self.write) for _ in range(connections)]
        for thread in self.threads:
            thread.start()

    def write(self):
        client = Client(self.server.port)
        while not self.is_over:
            with self.lock:
                write = next(self.writes)
            self.sent.begin(write)
            try:
                write.send(client)
                self.sent.finish(write, True)
            except Refused as refusal:
                self.sent.finish(write, False)
                self.refused += 1
                if not any(word in str(refusal) for word in ("HTTP 503", "UNAVAILABLE", "send it again")):
                    self.sent.refusals.append(str(refusal))
                time.sleep(0.02)
            except (OSError, http.client.HTTPException, json.JSONDecodeError) as broken:
                self.sent.finish(write, False)
                self.sent.refusals.append(f"no answer: {broken!r}")
                return

    def stop(self):
        self.is_over = True
        for thread in self.threads:
            thread.join()


def readiness(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.request("GET", "/readyz")
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def until(check, seconds):
    """Asks until the answer is true; gives the last answer."""
    deadline = time.monotonic() + seconds
    while not (found := check()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return found


def play_round(args, rng, server, sent, writes, faults, broken):
    """Load; then once or twice: the room goes, writes are refused, the room comes back, the server is ready by itself."""
    load = Load(server, sent, writes, args.connections)
    for _ in range(rng.choice([1, 1, 2])):
        fault = rng.choice(faults)
        time.sleep(rng.uniform(0.05, args.write_seconds))
        before = load.refused
        fault.take()
        if not isinstance(fault, Terminate):
            if not until(lambda: load.refused > before, READY_SECONDS):
                broken["refused"].append(f"{fault.name}: nothing is refused")
            status, body = until(lambda: (said := readiness(server))[0] == 503 and said, 5) or readiness(server)
            if status != 503 or not any(word in body for word in ("no room", "I/O errors", "read-only", "cannot be opened")):
                broken["said"].append(f"{fault.name}: {status} {body}")
            time.sleep(rng.uniform(0.0, args.write_seconds))
        if rng.random() < 0.5:
            # Nobody writes any more: it must find out for itself.
            load.stop()
        fault.give()
        if not until(lambda: readiness(server)[0] == 200, READY_SECONDS):
            broken["recovered"].append(f"{fault.name}: {readiness(server)}")
        if load.is_over:
            load = Load(server, sent, writes, args.connections)
    time.sleep(rng.uniform(0.0, args.write_seconds))
    load.stop()


def play(args, folder):
    rng, sent, serial, started = random.Random(args.seed), Sent(), itertools.count(1), time.monotonic()
    small = Small(folder, args.megabytes)
    is_postgres = args.database_url is not None
    base = args.database_url
    in_tablespace = small.tablespace(base) if is_postgres and small.is_mounted else None
    args.database_url = in_tablespace or base or f"sqlite://{small.path}/disk.db"
    # Ignored signals stay ignored in a child: beyond its limit a write fails then, instead of ending the process.
    server, log = Server(args, folder), Log(folder)
    faults = [Terminate(args.database_url) if is_postgres else Limit(small, server)]
    if in_tablespace or (small.is_mounted and not is_postgres):
        faults.append(File(small, server))
    else:
        print("not checked: no file system can be mounted here, or no tablespace made on it, so none is filled")
    broken = {"refused": [], "said": [], "recovered": []}
    try:
        server.start(restore_signals=False)
        for round_number in range(args.rounds):
            trace_ids = [f"{rng.getrandbits(128):032x}" for _ in range(4)]
            again, sent.unanswered = sent.unanswered, []
            writes = itertools.chain(again, make_writes(rng, round_number, trace_ids, serial))
            play_round(args, rng, server, sent, writes, faults, broken)
            if rng.random() < 0.5:
                server.kill()
                server.start(restore_signals=False)
        client = Client(server.port)
        try:
            resend(client, sent)
        except Refused as refusal:
            sent.refusals.append(f"sent again at the end: {refusal}")
        time.sleep(args.settle_wait)
        steps, runs = read_back(client, sent)
        server.kill()
        results = judge(sent, steps, runs)
        verified = server.command("verify", "database", "--full")
        results.append(("verify database --full says VALID", [] if verified.returncode == 0 else [verified.stdout[:600] + verified.stderr[-300:]]))
        results.append(("writes are refused while there is no room", broken["refused"]))
        results.append(("/readyz says the state while it lasts", broken["said"]))
        results.append(("/readyz recovers by itself", broken["recovered"]))
        results.append(("every refusal says to come again", sent.refusals))
        acknowledged = sum(len(spans) for spans in sent.acknowledged_spans.values())
        results.append(("writes were acknowledged at all", [] if acknowledged else ["none"]))
    finally:
        if server.process and server.process.poll() is None:
            server.kill()
        if in_tablespace:
            for sql in ("DROP DATABASE small WITH (FORCE)", "DROP TABLESPACE small"):
                psql(base, sql)
        small.close()
        log.close()
    failed = report(results)
    print(f"{args.rounds} rounds in {time.monotonic() - started:.0f} s: {acknowledged} spans and {len(sent.acknowledged_runs)} runs acknowledged")
    print(f"disk: {len(results) - failed} passed, {failed} failed")
    return 1 if failed else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--server", default="target/debug/runledger")
    parser.add_argument("--database-url", help="of PostgreSQL; else SQLite in a small file system")
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--connections", type=int, default=6)
    parser.add_argument("--megabytes", type=int, default=1024, help="of the small file system, at most")
    parser.add_argument("--write-seconds", type=float, default=0.5, help="the longest time between two events")
    parser.add_argument("--settle", default="1s")
    parser.add_argument("--settle-wait", type=float, default=3.0)
    parser.add_argument("--start-seconds", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    args = parser.parse_args()
    print(f"seed {args.seed}")
    folder = tempfile.mkdtemp(prefix="runledger-disk-")
    try:
        code = play(args, folder)
    except BaseException:
        print(f"kept: {folder}", file=sys.stderr)
        raise
    if code:
        print(f"kept: {folder}/log.txt")
    else:
        shutil.rmtree(folder, ignore_errors=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
