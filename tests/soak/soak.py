#!/usr/bin/env python3
"""Torments rcli and the servers it talks to, and accounts for every command and message.

    tests/soak/soak.py --rcli target/release/rcli --seconds 60
    tests/soak/soak.py --rcli target/release/rcli --seconds 3600 --only pipe,sub

Each scenario runs in a thread of its own, on servers of its own, until the time is over, and then settles the account:
what rcli said happened, beside what the servers say. A line of JSON a scenario; status 1 where an account does not
balance. What the contract lets be lost (messages between `disconnected` and `reconnected`) or be run twice (commands
that a resume line named as unanswered) is counted and is no fault.
"""

import argparse
import collections
import json
import os
import pty
import random
import re
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback

from servers import Client, Cluster, Gone, Proxy, Server, find_server

SCENARIOS = {}


def scenario(function):
    SCENARIOS[function.__name__] = function
    return function


class Run:
    """What a scenario works with, and its account."""

    def __init__(self, name, options, directory):
        self.name, self.rcli, self.binary = name, options.rcli, options.server
        self.rng = random.Random(f"{options.seed}{name}")
        self.ends = time.time() + options.seconds
        self.directory = os.path.join(directory, name)
        os.makedirs(self.directory)
        self.counts, self.faults = collections.Counter(), []

    def goes_on(self):
        return time.time() < self.ends

    def fault(self, words):
        self.counts["faults"] += 1
        if len(self.faults) < 10:
            self.faults.append(words)

    def start(self, *words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE):
        words = [self.rcli] + [str(word) for word in words]
        env = {"PATH": os.environ["PATH"], "HOME": self.directory}
        return subprocess.Popen(words, stdin=stdin, stdout=stdout, stderr=subprocess.PIPE, env=env)

    def harass(self, *deeds, pauses=(0.05, 0.6)):
        """Does one of the deeds again and again, in a thread of its own, until the time is over: what was begun then is
        finished in peace. Call what is given to wait for that, or to end it before."""
        is_over = threading.Event()

        def work():
            while not is_over.wait(self.rng.uniform(*pauses)) and self.goes_on():
                deed = self.rng.choice(deeds)
                try:
                    if deed() is not False:
                        self.counts[deed.__name__] += 1
                except (OSError, Gone):
                    self.counts[deed.__name__ + " in vain"] += 1

        thread = threading.Thread(target=work, daemon=True)
        thread.start()

        def end():
            is_over.set()
            thread.join()

        return end


class Tormented:
    """A server behind a proxy, and what can be done to them."""

    def __init__(self, run):
        self.rng = run.rng
        self.server = Server(run.binary, run.directory)
        self.proxy = Proxy(self.server.port, run.rng)

    def cut(self):
        self.proxy.cut()

    def kill(self):
        self.server.restart()

    def pause(self):
        self.server.pause(self.rng.uniform(0.05, 1.0))

    def told(self, questions):
        """What the server itself answers, asked again until it is there."""
        while True:
            try:
                client = self.server.client()
                answers = client.ask_all(questions)
                client.close()
                return answers
            except (OSError, Gone):
                time.sleep(0.1)

    def end(self):
        self.proxy.end()
        self.server.end()


def resume_from(run, errors):
    """What a run that was cut says of how to go on: commands answered, and the lines of those that may have run."""
    skip = re.search(rb"resume with --skip (\d+)", errors)
    lines = re.search(rb"sent and unanswered \(\S+?:(\d+)(?: to \S+?:(\d+))?\)", errors)
    if not skip:
        return None
    first, last = (int(lines.group(1)), int(lines.group(2) or lines.group(1))) if lines else (1, 0)
    return int(skip.group(1)), first, last


def run_pipe(run, options, prefix, total, window):
    """Runs INCRs of as many keys, going on where a cut run says; gives the numbers of those that
    may have run twice, and of those that were refused."""
    path = os.path.join(run.directory, f"{prefix}.txt")
    with open(path, "w") as file:
        file.writelines(f"INCR {prefix}:{number}\n" for number in range(1, total + 1))
    skip, doubtful, refused = 0, set(), set()
    while True:
        words = ["pipe", "--json", "--window", window, "--skip", skip, path]
        process = run.start(*options, *words)
        out, errors = process.communicate()
        answers = out.count(b"\n")
        # A server that has just started says LOADING: it ran nothing.
        refused.update(skip + at for at, line in enumerate(out.splitlines(), 1) if b'"error"' in line)
        run.counts["runs"] += 1
        if process.returncode == 0:
            if skip + answers != total:
                run.fault(f"{prefix}: {answers} answers after --skip {skip}, {total} commands")
            return doubtful, refused
        if process.returncode != 3:
            # In a cluster some answers are errors for a while: those ran nothing.
            run.counts["runs with error replies"] += 1
            if process.returncode == 1 and skip + answers == total:
                return doubtful, refused
            run.fault(f"{prefix}: status {process.returncode}: {errors[-300:]!r}")
            return doubtful, refused
        if b"cannot connect" in errors or b"not connect" in errors:
            time.sleep(0.05)
        resumed = resume_from(run, errors)
        if resumed is None:
            if answers:
                run.fault(f"{prefix}: {answers} answers and no line that says how to go on: {errors[-300:]!r}")
                return doubtful, refused
            continue
        if resumed[0] != skip + answers:
            run.fault(f"{prefix}: says --skip {resumed[0]} after {skip} skipped and {answers} written")
        skip = resumed[0]
        doubtful.update(range(resumed[1], resumed[2] + 1))


def settle_pipe(run, client_of, prefix, total, doubts):
    """Each command ran once; those that a resume line named may have run twice."""
    doubtful, refused = doubts
    run.counts["told as unanswered"] += len(doubtful)
    for number in range(1, total + 1):
        value = client_of(f"{prefix}:{number}")
        run.counts["commands"] += 1
        if value == b"1":
            continue
        if value is None and number in refused:
            run.counts["commands refused"] += 1
        elif value is not None and number in doubtful:
            run.counts["commands run again, as was said"] += 1
        else:
            run.fault(f"{prefix}:{number} is {value}")


@scenario
def pipe(run):
    """Pipelines through cut and chopped connections, of a server that is killed and paused."""
    tormented = Tormented(run)
    proxy = tormented.proxy

    end = run.harass(tormented.cut, tormented.cut, tormented.cut, tormented.kill, tormented.pause)
    rounds = 0
    while run.goes_on():
        rounds += 1
        total, window = run.rng.randint(2000, 20000), run.rng.choice((1, 10, 1000, 100000))
        if window == 1:
            total //= 20
        prefix = f"p{rounds}"
        doubts = run_pipe(run, ["-p", proxy.port], prefix, total, window)
        values = tormented.told([("GET", f"{prefix}:{number}") for number in range(1, total + 1)])
        settle_pipe(run, lambda key: values[int(key.rsplit(":")[-1]) - 1], prefix, total, doubts)
    end()
    tormented.end()


@scenario
def txn(run):
    """Programs that count up a watched key side by side, over connections that are cut."""
    tormented = Tormented(run)
    server, proxy = tormented.server, tormented.proxy
    program = 'echo "GET seq"; read -r n; echo MULTI; echo "SET seq $((n + 1))"; echo "RPUSH log $((n + 1))"'
    outcomes = collections.Counter()
    lock = threading.Lock()

    def work():
        while run.goes_on():
            process = run.start("-p", proxy.port, "txn", "--retries", 1000, "--watch", "seq", "--", "sh", "-c", program)
            _, errors = process.communicate()
            kind = {0: "done", 3: "lost", 4: "aborted"}.get(process.returncode, "odd")
            if kind == "lost" and b"outcome unknown" in errors:
                kind = "unknown"
            # A program whose connection went away ends as it likes.
            if kind == "odd" and process.returncode == 1:
                kind = "lost"
            with lock:
                outcomes[kind] += 1
                if kind == "odd":
                    run.fault(f"status {process.returncode}: {errors[-300:]!r}")

    end = run.harass(tormented.cut, pauses=(0.1, 1.0))
    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    end()
    client = server.client()
    value = int(client.ask("GET", "seq") or 0)
    log = [int(entry) for entry in client.ask("LRANGE", "log", 0, -1)]
    run.counts.update(outcomes)
    if not outcomes["done"] <= value <= outcomes["done"] + outcomes["unknown"]:
        run.fault(f"seq is {value} after {dict(outcomes)}")
    if log != list(range(1, value + 1)):
        run.fault(f"the log holds {len(log)} entries that are not 1 to {value}")
    tormented.end()


def write_blocks(run, prefix, total):
    """Lines of INCRs, each of its own key, in several databases, in blocks and outside of them; by line the database and
    the key."""
    lines, keys, database = [], {}, 0

    def incr():
        lines.append(f"INCR {prefix}:{len(lines)}")
        keys[len(lines)] = (database, f"{prefix}:{len(lines) - 1}")

    while len(lines) < total:
        chance = run.rng.random()
        if chance < 0.05:
            database = run.rng.randrange(4)
            lines.append(f"SELECT {database}")
        elif chance < 0.1:
            if run.rng.random() < 0.3:
                lines.append(f"WATCH {prefix}:watched")
            lines.append("MULTI")
            for _ in range(run.rng.randint(1, 12)):
                if run.rng.random() < 0.05:
                    database = run.rng.randrange(4)
                    lines.append(f"SELECT {database}")
                incr()
            lines.append("EXEC")
        else:
            incr()
    return lines, keys


@scenario
def blocks(run):
    """Pipelines with blocks, SELECT and WATCH, gone on with as is said: each command ran once, in its database."""
    tormented = Tormented(run)
    proxy = tormented.proxy
    path = os.path.join(run.directory, "blocks.txt")
    end = run.harass(tormented.cut, tormented.kill, pauses=(0.4, 1.6))
    rounds = 0
    while run.goes_on():
        rounds += 1
        window = run.rng.choice((1, 50, 1000))
        total = run.rng.randint(300, 6000) // (10 if window == 1 else 1)
        lines, keys = write_blocks(run, f"b{rounds}", total)
        with open(path, "w") as file:
            file.writelines(line + "\n" for line in lines)
        skip, not_run, doubtful, status = 0, [], set(), 3
        while status == 3:
            words = ["-p", proxy.port, "--wait", 10, "--json", "pipe", "--window", window, "--skip", skip, path]
            process = run.start(*words, *not_run)
            out, errors = process.communicate()
            status, answers = process.returncode, out.count(b"\n")
            run.counts["runs"] += 1
            resumed = resume_from(run, errors)
            if status == 0 and skip + answers != len(lines):
                run.fault(f"{answers} answers after --skip {skip}, {len(lines)} lines")
            if status == 3 and resumed is None and answers:
                run.fault(f"{answers} answers and no line that says how to go on: {errors[-300:]!r}")
                break
            if status == 3 and resumed is not None:
                skip = resumed[0]
                doubtful.update(range(resumed[1], resumed[2] + 1))
                execs = re.search(rb"--not-run ([\d,]+)", errors)
                not_run = ["--not-run", execs.group(1).decode()] if execs else []
                block = re.search(rb"MULTI of \S+?:(\d+): the block to \S+?:(\d+) may have run", errors)
                if block:
                    doubtful.update(range(int(block.group(1)), int(block.group(2)) + 1))
        if status not in (0, 3):
            run.fault(f"status {status}: {errors[-300:]!r}")
            continue
        values = {}
        for database in range(4):
            mine = [number for number, (place, _) in keys.items() if place == database]
            asked = [("SELECT", database)] + [("GET", keys[number][1]) for number in mine]
            values.update(zip(mine, tormented.told(asked)[1:]))
        for number, value in values.items():
            run.counts["commands"] += 1
            if value is not None and value != b"1" and number in doubtful:
                run.counts["commands run again, as was said"] += 1
            elif value != b"1":
                run.fault(f"line {number}, {lines[number - 1]} in database {keys[number][0]}, is {value}")
    end()
    tormented.end()


@scenario
def atomic(run):
    """Blocks as a whole, from `txn` and `pipe --atomic`, of a server that is killed: all or nothing, as was said."""
    tormented = Tormented(run)
    proxy = tormented.proxy
    path = os.path.join(run.directory, "atomic.txt")
    end = run.harass(tormented.cut, tormented.kill, pauses=(0.02, 0.4))
    rounds = 0
    while run.goes_on():
        rounds += 1
        total = run.rng.choice((1, 10, 1000, 20000))
        with open(path, "w") as file:
            file.writelines(f"RPUSH a{rounds} {number}\n" for number in range(total))
        verb = run.rng.choice((["txn"], ["pipe", "--atomic"]))
        process = run.start("-p", proxy.port, "--wait", 10, "--json", *verb, path)
        _, errors = process.communicate()
        is_unknown = b"outcome unknown" in errors or b"may have run" in errors
        [length] = tormented.told([("LLEN", f"a{rounds}")])
        run.counts[f"status {process.returncode}{', outcome unknown' if is_unknown else ''}"] += 1
        wanted = {0: (total,), 3: (0, total) if is_unknown else (0,)}.get(process.returncode, ())
        if length not in wanted:
            run.fault(f"{verb}: {length} of {total}, status {process.returncode}: {errors[-300:]!r}")
    end()
    tormented.end()


def watch_lines(process, take):
    """Gives each JSON line to `take`, in a thread."""

    def work():
        for line in process.stdout:
            take(json.loads(line))

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


class Order:
    """Messages with numbers: each once, in order; what is missing lies between a loss and what followed it."""

    def __init__(self, run, moves=False):
        self.run, self.last, self.may_miss = run, {}, set()
        # Where slots move, what the old owner said last may come after what the new one says.
        self.moves, self.seen = moves, set()
        self.ready = threading.Event()

    def event(self, kind):
        if kind in ("disconnected", "reconnected", "moved", "left", "joined"):
            self.run.counts[kind] += 1
            self.may_miss = set(self.last)

    def number(self, name, number):
        last = self.last.get(name)
        self.last[name] = number
        self.run.counts["messages"] += 1
        if last is None:
            return
        if self.moves and (name, number) in self.seen:
            self.run.fault(f"{name}: {number} twice")
        self.seen.add((name, number))
        if number <= last and self.moves:
            self.last[name] = last
            self.run.counts["came late from the old owner"] += 1
        elif number <= last:
            self.run.fault(f"{name}: {number} after {last}")
        elif number > last + 1:
            self.run.counts["messages lost in gaps"] += number - last - 1
            if name not in self.may_miss and not self.moves:
                self.run.fault(f"{name}: {last + 1} to {number - 1} are missing without a word")
        self.may_miss.discard(name)


def follow(run, words, kinds, disturb, say, pauses):
    """Runs a stream, says numbered things until the time is over, and looks at what came."""
    order = Order(run)

    def take(line):
        kind = line.get("type")
        if kind in ("subscribe", "psubscribe", "ssubscribe"):
            order.ready.set()
        elif kind in kinds or "command" in line:
            order.ready.set()
            name, number = kinds[kind](line) if kind in kinds else kinds["line"](line)
            if name is not None:
                order.number(name, number)
        else:
            order.event(kind)

    process = run.start(*words, "--events")
    errors = []
    threading.Thread(target=lambda: errors.extend(process.stderr), daemon=True).start()
    thread = watch_lines(process, take)
    if "monitor" not in words:
        order.ready.wait(20)
    end = run.harass(*disturb, pauses=pauses)
    number = 0
    while run.goes_on():
        number += 1
        try:
            say(number)
        except (OSError, Gone):
            run.counts["said in vain"] += 1
        if number % 50 == 0:
            time.sleep(0.01)
        if process.poll() is not None:
            run.fault(f"ended with {process.returncode}: {errors[-2:]}")
            break
    end()
    time.sleep(1)
    run.counts["said"] = number
    process.send_signal(signal.SIGINT)
    process.wait(20)
    thread.join(10)
    if process.returncode != 130:
        run.fault(f"status {process.returncode}: {errors[-2:]}")
    for line in errors:
        if b"panicked" in line:
            run.fault(line.decode(errors="replace"))


@scenario
def sub(run):
    """A subscription over connections that are cut, of a server that is killed and paused."""
    tormented = Tormented(run)
    server, proxy = tormented.server, tormented.proxy
    publisher = [None]

    def say(number):
        try:
            publisher[0] = publisher[0] or server.client()
            publisher[0].ask("PUBLISH", f"c{number % 3}", number // 3)
        except (OSError, Gone):
            publisher[0] = None
            raise

    words = ["-p", proxy.port, "sub", "c0", "c1", "c2"]
    kinds = {"message": lambda line: (line["channel"], int(line["data"]))}
    follow(run, words, kinds, [tormented.cut, tormented.cut, tormented.kill, tormented.pause], say, (0.3, 2.0))
    tormented.end()


@scenario
def monitor(run):
    """MONITOR over connections that are cut."""
    tormented = Tormented(run)
    server, proxy = tormented.server, tormented.proxy
    asker = server.client()

    def say(number):
        asker.ask("SET", "m", number)

    def of_line(line):
        args = line["args"]
        return ("m", int(args[2])) if args[:2] == ["SET", "m"] else (None, 0)

    follow(run, ["-p", proxy.port, "monitor"], {"line": of_line}, [tormented.cut], say, (0.3, 2.0))
    tormented.end()


@scenario
def tail(run):
    """Streams over connections that are cut: no entry left out, none twice, without a group."""
    tormented = Tormented(run)
    server, proxy = tormented.server, tormented.proxy
    adder = [None]
    added, got = {}, collections.defaultdict(list)
    process = run.start("-p", proxy.port, "tail", "--from", "0", "s0", "s1")
    errors = []
    threading.Thread(target=lambda: errors.extend(process.stderr), daemon=True).start()
    thread = watch_lines(process, lambda line: got[line["stream"]].append((line["id"], line["fields"]["n"])))

    end = run.harass(tormented.cut, tormented.cut, tormented.cut, tormented.kill, pauses=(0.2, 1.5))
    number = 0
    while run.goes_on():
        number += 1
        try:
            adder[0] = adder[0] or server.client()
            adder[0].ask("XADD", f"s{number % 2}", "*", "n", number)
        except (OSError, Gone):
            adder[0] = None
    end()
    asker = server.client()
    for stream in ("s0", "s1"):
        added[stream] = [(entry.decode(), fields[1].decode()) for entry, fields in asker.ask("XRANGE", stream, "-", "+")]
    deadline = time.time() + 20
    while time.time() < deadline and any(len(got[stream]) < len(added[stream]) for stream in added):
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    process.wait(20)
    thread.join(10)
    for stream, entries in added.items():
        run.counts["entries"] += len(entries)
        if got[stream] != entries:
            run.fault(f"{stream}: {len(entries)} entries, {len(got[stream])} lines: {errors[-2:]}")
    tormented.end()


@scenario
def group(run):
    """Consumers of a group that are killed at any moment: every entry is written at least once and acknowledged."""
    tormented = Tormented(run)
    server, proxy = tormented.server, tormented.proxy
    client = server.client()
    client.ask("XGROUP", "CREATE", "s", "g", "0", "MKSTREAM")
    written, is_over = collections.Counter(), threading.Event()

    def consume(name):
        while not is_over.is_set():
            process = run.start("-p", proxy.port, "tail", "--group", "g", "--consumer", name, "s")
            thread = watch_lines(process, lambda line: written.update([line["id"]]))
            is_over.wait(run.rng.uniform(0.05, 1.0))
            if is_over.is_set():
                break
            process.kill()
            process.wait()
            thread.join(5)
            run.counts["consumers killed"] += 1
        pending = time.time() + 20
        while time.time() < pending and client_pending() > 0:
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        process.wait(20)
        thread.join(5)

    def client_pending():
        asker = server.client()
        groups = asker.ask("XINFO", "GROUPS", "s")[0]
        asker.close()
        facts = dict(zip(groups[::2], groups[1::2]))
        return facts[b"pending"] + (facts.get(b"lag") or 0)

    end = run.harass(tormented.cut, pauses=(0.2, 1.5))
    threads = [threading.Thread(target=consume, args=(f"consumer{index}",)) for index in range(2)]
    for thread in threads:
        thread.start()
    number = 0
    while run.goes_on():
        number += 1
        client.ask("XADD", "s", "*", "n", number)
        if number % 20 == 0:
            time.sleep(0.01)
    end()
    is_over.set()
    for thread in threads:
        thread.join()
    ids = [entry.decode() for entry, _ in client.ask("XRANGE", "s", "-", "+")]
    run.counts["entries"] = len(ids)
    run.counts["delivered again"] = sum(written.values()) - len(written)
    missing = [entry for entry in ids if entry not in written]
    if missing:
        run.fault(f"{len(missing)} entries were never written: {missing[:3]}")
    if left := client_pending():
        run.fault(f"{left} entries are not acknowledged")
    tormented.end()


@scenario
def cluster(run):
    """Pipelines and shard subscriptions in a cluster whose slots move and whose primaries change."""
    nodes = Cluster(run.binary, run.directory)

    def move():
        slot = run.rng.randrange(16384)
        ports = sorted({port for _, _, port in nodes.owners()})
        return nodes.move(slot, run.rng.choice(ports))

    def fail_over():
        return nodes.fail_over(run.rng)

    order = Order(run, moves=True)

    def take(line):
        if line["type"] == "smessage":
            order.number(line["channel"], int(line["data"]))
        elif line["type"] != "ssubscribe":
            order.event(line["type"])

    names = [f"ch{number}" for number in range(6)]
    listener = run.start("-p", nodes.servers[1].port, "-c", "ssub", *names, "--events")
    errors = []
    threading.Thread(target=lambda: errors.extend(listener.stderr), daemon=True).start()
    thread = watch_lines(listener, take)
    end = run.harass(move, move, move, move, move, move, fail_over, pauses=(0.05, 0.3))
    rounds = 0
    port = nodes.servers[0].port
    while run.goes_on():
        rounds += 1
        prefix, total = f"c{rounds}", run.rng.randint(500, 5000)
        doubts = run_pipe(run, ["-p", port, "-c"], prefix, total, run.rng.choice((10, 1000, 100000)))
        said = "".join(f'["SPUBLISH","{name}","{rounds}"]\n' for name in names)
        publisher = run.start("-p", port, "-c", "pipe", "-q", stdin=subprocess.PIPE)
        publisher.communicate(said.encode())
        path = os.path.join(run.directory, "get.txt")
        with open(path, "w") as file:
            file.writelines(f"GET {prefix}:{number}\n" for number in range(1, total + 1))
        process = run.start("-p", port, "-c", "pipe", "--json", path)
        out, complaints = process.communicate()
        values = [json.loads(line) for line in out.splitlines()]
        if process.returncode != 0:
            run.counts["looks that failed"] += 1
            continue
        # Replicas confirm nothing here, and no replica knows of a slot on its way: a failover may take back what was
        # answered.
        taken_back = {number for number, value in enumerate(values, 1) if value is None and number not in doubts[1]}
        run.counts["commands taken back by a failover"] += len(taken_back)
        values = [b"1" if number in taken_back else value and value.encode() for number, value in enumerate(values, 1)]
        settle_pipe(run, lambda key: values[int(key.rsplit(":")[-1]) - 1], prefix, total, doubts)
    end()
    time.sleep(2)
    listener.send_signal(signal.SIGINT)
    listener.wait(20)
    thread.join(10)
    if listener.returncode != 130:
        run.fault(f"ssub: status {listener.returncode}: {errors[-2:]}")
    nodes.end()


@scenario
def repl(run):
    """A prompt whose server is killed and paused: each answered command ran, none ran twice."""
    server = Server(run.binary, run.directory)
    env = {"PATH": os.environ["PATH"], "HOME": run.directory, "TERM": "xterm", "RCLI_HISTFILE": "/dev/null"}
    child, terminal = pty.fork()
    if child == 0:
        os.execvpe(run.rcli, [run.rcli, "-p", str(server.port), "--color", "never"], env)
    screen = bytearray()

    def read(seconds, until):
        deadline = time.time() + seconds
        while time.time() < deadline:
            ready, _, _ = select.select([terminal], [], [], 0.05)
            if ready:
                try:
                    screen.extend(os.read(terminal, 65536))
                except OSError:
                    return False
            if until(bytes(screen)):
                return True
        return False

    def kill():
        server.restart()

    def pause():
        server.pause(run.rng.uniform(0.05, 0.5))

    prompts = re.compile(rb"(?:\(not connected\))?> ")
    read(20, lambda text: prompts.search(text))
    end = run.harass(kill, pause, pauses=(0.5, 2.0))
    answered = sent = 0
    while run.goes_on():
        screen.clear()
        sent += 1
        mark = f"m{sent}"
        os.write(terminal, f"INCR n\rECHO {mark}\r".encode())
        lost = f"ECHO {mark} had no answer".encode()
        seen = lambda text: re.search(rb'"%s"\r' % mark.encode(), text) or lost in text or text.count(b"rcli: ") >= 2
        if not read(30, seen):
            run.fault(f"no answer within 30 s: {bytes(screen[-300:])!r}")
            break
        answered += len(re.findall(rb"\(integer\) \d+", bytes(screen)))
        # What is typed while a connection is lost may be asked again by hand only.
        read(0.05, lambda text: False)
    end()
    screen.clear()
    os.write(terminal, b"\x03\rexit\r")
    read(5, lambda text: False)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    value = int(server.client().ask("GET", "n") or 0)
    run.counts.update({"sent": sent, "answered": answered, "value": value})
    if not answered <= value <= sent:
        run.fault(f"{answered} answered, {sent} sent, the key is {value}")
    if b"panicked" in screen:
        run.fault("it panicked")
    server.end()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rcli", required=True)
    parser.add_argument("--server", default=None)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--only", default=",".join(SCENARIOS))
    parser.add_argument("--seed", default=str(random.randrange(10**9)))
    options = parser.parse_args()
    options.rcli = os.path.abspath(options.rcli)
    options.server = options.server or find_server()
    chosen = options.only.split(",")
    if unknown := set(chosen) - set(SCENARIOS):
        parser.error(f"no scenario {', '.join(sorted(unknown))}: there are {', '.join(SCENARIOS)}")
    directory = tempfile.mkdtemp(prefix="rcli-soak-")
    runs = []

    def work(name):
        run = Run(name, options, directory)
        runs.append(run)
        try:
            SCENARIOS[name](run)
        except BaseException:  # A scenario that breaks is a fault, not the end of the others.
            run.fault(traceback.format_exc())

    threads = [threading.Thread(target=work, args=(name,)) for name in chosen]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for run in runs:
        line = {"scenario": run.name, "faults": run.faults, "counts": dict(sorted(run.counts.items()))}
        print(json.dumps(line))
    is_bad = any(run.faults for run in runs)
    if is_bad:
        print(f"soak: seed {options.seed}; what the servers said lies in {directory}", file=sys.stderr)
    else:
        subprocess.run(["rm", "-rf", directory], check=True)
    os._exit(1 if is_bad else 0)


if __name__ == "__main__":
    main()
