"""Real servers to torment, the least client that can ask them, and a proxy that cuts, chops and stalls."""

import os
import random
import shutil
import signal
import socket
import subprocess
import threading
import time


class Gone(Exception):
    """The server hung up, or gave an error reply."""


class Client:
    """One connection in RESP2. It is the referee: what it says is so."""

    def __init__(self, port, timeout=20.0):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        self.file = self.socket.makefile("rb")

    def send(self, *args):
        words = [arg if isinstance(arg, bytes) else str(arg).encode() for arg in args]
        parts = [b"*%d\r\n" % len(words)] + [b"$%d\r\n%s\r\n" % (len(word), word) for word in words]
        self.socket.sendall(b"".join(parts))

    def read(self):
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise Gone("hung up")
        kind, text = line[:1], line[1:-2]
        if kind == b"-":
            raise Gone(text.decode(errors="replace"))
        if kind == b"$":
            return None if text == b"-1" else self.file.read(int(text) + 2)[:-2]
        if kind == b"*":
            return None if text == b"-1" else [self.read() for _ in range(int(text))]
        return int(text) if kind == b":" else text.decode()

    def ask(self, *args):
        self.send(*args)
        return self.read()

    def ask_all(self, commands):
        """Many in one write; the replies in order."""
        for command in commands:
            self.send(*command)
        return [self.read() for _ in commands]

    def close(self):
        self.file.close()
        self.socket.close()


def free_port():
    """A port that nobody has, and whose cluster bus nobody has."""
    while True:
        port = random.randint(11000, 29000)
        try:
            for number in (port, port + 10000):
                with socket.socket() as probe:
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    probe.bind(("127.0.0.1", number))
            return port
        except OSError:
            continue


class Server:
    """A server that writes every command to disk before it answers, so that kill -9 loses nothing answered."""

    def __init__(self, binary, directory, *options):
        self.binary, self.port = binary, free_port()
        self.directory = os.path.join(directory, str(self.port))
        os.makedirs(self.directory)
        self.options = list(options)
        self.process = None
        self.start()

    def start(self):
        words = [self.binary, "--port", self.port, "--dir", self.directory, "--save", "", "--appendonly", "yes"]
        words += ["--appendfsync", "always", "--daemonize", "no", "--bind", "127.0.0.1"] + self.options
        log = open(os.path.join(self.directory, "log"), "ab")
        self.process = subprocess.Popen([str(word) for word in words], stdout=log, stderr=log)
        self.await_ready()

    def await_ready(self):
        deadline = time.time() + 30
        while True:
            try:
                client = Client(self.port)
                answer = client.ask("PING")
                client.close()
                if answer == "PONG":
                    return
            except (OSError, Gone):
                pass
            if time.time() > deadline:
                raise SystemExit(f"soak: the server on {self.port} does not answer; see {self.directory}/log")
            time.sleep(0.05)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def restart(self):
        self.kill()
        self.start()

    def pause(self, seconds):
        self.process.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        self.process.send_signal(signal.SIGCONT)

    def client(self):
        return Client(self.port)

    def end(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.kill()


class Proxy:
    """Stands before a server: passes bytes on in pieces of any size, and cuts connections when it is told to."""

    def __init__(self, port, rng):
        self.target, self.rng = port, rng
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.pairs, self.lock = [], threading.Lock()
        self.cuts, self.is_open = 0, True
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while self.is_open:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self.target), 5)
                far.settimeout(None)
            except OSError:
                near.close()
                continue
            for end in (near, far):
                # A piece that waits for the acknowledgement of the last one would make each round trip take 40 ms.
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.lock:
                self.pairs.append((near, far))
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self.carry, args=(source, sink), daemon=True).start()

    def carry(self, source, sink):
        try:
            while data := source.recv(self.rng.choice((1, 7, 100, 4096, 65536))):
                sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def cut(self):
        """Ends all connections at once, with whatever is in them."""
        with self.lock:
            pairs, self.pairs = self.pairs, []
        self.cuts += bool(pairs)
        for pair in pairs:
            for end in pair:
                try:
                    # Wakes whoever carries for it.
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def end(self):
        self.is_open = False
        self.listener.close()
        self.cut()


class Cluster:
    """Three primaries, each with a replica, whose slots can be moved and whose primaries change."""

    def __init__(self, binary, directory):
        options = ["--cluster-enabled", "yes", "--cluster-node-timeout", "2000", "--repl-diskless-sync-delay", "0"]
        self.servers = [Server(binary, directory, *options) for _ in range(6)]
        first = self.servers[0].client()
        ends = [(0, 5460), (5461, 10922), (10923, 16383)]
        self.ids = {}
        for server in self.servers:
            client = server.client()
            self.ids[server.port] = client.ask("CLUSTER", "MYID").decode()
            client.close()
        for server in self.servers[1:]:
            first.ask("CLUSTER", "MEET", "127.0.0.1", server.port)
        for server, (begin, end) in zip(self.servers, ends):
            client = server.client()
            client.ask("CLUSTER", "ADDSLOTSRANGE", begin, end)
            client.close()
        self.await_ready(0)
        for replica, primary in zip(self.servers[3:], self.servers[:3]):
            client = replica.client()
            deadline = time.time() + 20
            while True:
                try:
                    client.ask("CLUSTER", "REPLICATE", self.ids[primary.port])
                    break
                except Gone:
                    if time.time() > deadline:
                        raise
                    time.sleep(0.1)
            client.close()
        self.await_ready(3)

    def await_ready(self, replicas):
        deadline = time.time() + 40
        for server in self.servers:
            client = server.client()
            while True:
                info = client.ask("CLUSTER", "INFO").decode()
                nodes = client.ask("CLUSTER", "NODES").decode()
                if "cluster_state:ok" in info and nodes.count("slave") >= replicas and nodes.count("connected") >= 6:
                    break
                if time.time() > deadline:
                    raise SystemExit(f"soak: the cluster does not come up: {info}")
                time.sleep(0.1)
            client.close()

    def owners(self):
        """Slot ranges with the primary's port, as the first node that answers sees them."""
        for server in self.servers:
            try:
                client = server.client()
                ranges = [(begin, end, node[1]) for begin, end, node, *_ in client.ask("CLUSTER", "SLOTS")]
                client.close()
                return ranges
            except (OSError, Gone):
                continue
        return []

    def move(self, slot, to):
        """Moves one slot with its keys, as a resharding tool does."""
        source = next((port for begin, end, port in self.owners() if begin <= slot <= end), None)
        if source in (None, to):
            return False
        giver, taker = Client(source), Client(to)
        try:
            taker.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", self.ids[source])
            giver.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", self.ids[to])
            while keys := giver.ask("CLUSTER", "GETKEYSINSLOT", slot, 100):
                giver.ask("MIGRATE", "127.0.0.1", to, "", 0, 5000, "KEYS", *keys)
            for client in (taker, giver):
                client.ask("CLUSTER", "SETSLOT", slot, "NODE", self.ids[to])
        finally:
            giver.close()
            taker.close()
        return True

    def fail_over(self, rng):
        """A replica takes over from its primary; whether one did."""
        replicas = []
        client = self.servers[0].client()
        for line in client.ask("CLUSTER", "NODES").decode().splitlines():
            words = line.split()
            if "slave" in words[2] and "fail" not in words[2]:
                replicas.append(int(words[1].split("@")[0].rsplit(":", 1)[1]))
        client.close()
        if not replicas:
            return False
        chosen = Client(rng.choice(replicas))
        try:
            chosen.ask("CLUSTER", "FAILOVER")
            return True
        except Gone:
            return False
        finally:
            chosen.close()

    def end(self):
        for server in self.servers:
            server.end()


def find_server():
    """The server's program."""
    named = os.environ.get("RCLI_TEST_SERVER")
    found = named or shutil.which("redis-server") or shutil.which("valkey-server")
    if not found:
        raise SystemExit("soak: no redis-server or valkey-server: install one, or name it in RCLI_TEST_SERVER")
    return found
