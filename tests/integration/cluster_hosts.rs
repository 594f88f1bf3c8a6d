//! Nodes of a cluster that are at other addresses than those that they announce, or at none, and IPv6 (contract
//! section 11).

use crate::cluster_nodes::Cluster;
use crate::rcli::{Rcli, rcli};
use crate::running::Running;
use socket2::{Domain, SockAddr, Socket, Type};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// An address at which connecting takes for ever: a listener that accepts nobody, its backlog full.
struct Abyss {
    address: SocketAddr,
    _held: (Socket, Vec<TcpStream>),
}

impl Abyss {
    fn open(port: u16) -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let address = SocketAddr::from(([127, 0, 0, 2], port));
        // The port is kept for the server at the other address.
        socket.set_reuse_address(true).unwrap();
        socket.bind(&SockAddr::from(address)).unwrap();
        socket.listen(0).unwrap();
        let mut held = Vec::new();
        while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
            held.push(stream);
        }
        Self { address, _held: (socket, held) }
    }
}

/// Waits for lines that hold these, in any order.
fn wait_for_all(run: &mut Running, parts: &[String]) {
    let mut missing = parts.to_vec();
    while !missing.is_empty() {
        let line = run.next_line();
        missing.retain(|part| !line.contains(part));
    }
}

#[test]
fn a_node_that_cannot_be_reached_is_named_within_the_limit() {
    let cluster = Cluster::with_args(3, &["--cluster-require-full-coverage", "no"]);
    let third = &cluster.nodes[2];
    let abyss = Abyss::open(third.port());
    third.ask("CONFIG SET cluster-announce-ip 127.0.0.2");
    let address = abyss.address.to_string();
    cluster.nodes[0].wait_until("CLUSTER SLOTS", |slots| slots.contains("127.0.0.2"));
    let hasty = |args: &[&str]| cluster.rcli(["-t", "0.75"]).args(args);
    // What is not there is looked for at the host of the first node, where it is.
    hasty(&["SET", "foo", "1"]).prints("OK\n").run();
    let mut run = hasty(&["ssub", "foo", "bar"]).any_stdout().status(130).start();
    wait_for_all(&mut run, &[format!("\"node\":\"{address}\""), cluster.nodes[0].address()]);
    run.signal(rustix::process::Signal::INT);
    run.finish();

    third.hang();
    let told = [address.as_str(), "connecting took too long"];
    let runs = [
        hasty(&["GET", "foo"]).complains(&told),
        hasty(&["--all-nodes", "PING"]).complains(&told),
        hasty(&["txn"]).stdin("INCR foo\n").complains(&told),
        hasty(&[]).stdin("INCR bar\nINCR foo\n").prints("1\n").complains(&told),
        hasty(&["ssub", "foo", "--max-retries", "1"]).reports_among(&told),
        hasty(&["pipe"]).stdin("INCR {bar}pipe\nINCR foo\n").prints("1\n").complains(&told),
    ];
    for run in runs.map(|run| run.status(3).start()) {
        run.finish();
    }

    // Meanwhile the other nodes work, and Ctrl-C does not wait.
    let run = cluster.rcli(["-t", "60", "pipe"]).interactive().status(130).prints("2\n");
    let mut run = run.complains(&["interrupted: 1 commands answered, 0 sent and unanswered"]).start();
    run.send("INCR bar\nINCR foo\n");
    cluster.nodes[0].wait_until("GET bar", |count| count == "2");
    run.signal(rustix::process::Signal::INT);
    run.finish_with_open_stdin();
}

#[test]
fn nodes_over_ipv6_are_reached_and_named_with_brackets() {
    let cluster = Cluster::over_ipv6();
    let address = |node: usize| format!("[::1]:{}", cluster.nodes[node].port());
    let run =
        |args: &[&str]| -> Rcli { rcli(["-c", "-h", "::1", "-p", &cluster.nodes[0].port().to_string()]).args(args) };
    run(&["SET", "foo", "1"]).prints("OK\n").run();
    run(&["pipe"]).stdin("INCR foo\nINCR bar\nINCR c\n").prints("2\n1\n1\n").run();
    let sizes: Vec<String> = (0..3).map(|node| format!("\"{}\":1", address(node))).collect();
    run(&["--json", "--all-nodes", "DBSIZE"]).prints(format!("{{{}}}\n", sizes.join(","))).run();
    rcli(["-c", "-u", &format!("redis://{}", address(1)), "GET", "foo"]).prints("2\n").run();
    cluster.migrate("foo", 0);
    rcli(["-c", "-h", "::1", "-p", &cluster.nodes[1].port().to_string(), "GET", "foo"]).prints("2\n").run();

    let nodes: Vec<String> = (0..2).map(|node| format!("\"node\":\"{}\"", address(node))).collect();
    let mut shards = run(&["ssub", "foo", "c"]).any_stdout().status(130).start();
    wait_for_all(&mut shards, &nodes);
    shards.signal(rustix::process::Signal::INT);
    shards.finish();
    let mut one = run(&["ssub", "foo", "--node", &address(0)]).any_stdout().status(130).start();
    wait_for_all(&mut one, &nodes[..1]);
    one.signal(rustix::process::Signal::INT);
    one.finish();
    let mut monitor = run(&["monitor", "--only", "ECHO", "--count", "1"]).any_stdout().start();
    cluster.nodes[2].wait_until("CLIENT LIST", |clients| clients.contains("cmd=monitor"));
    rcli(["-h", "::1", "-p", &cluster.nodes[2].port().to_string(), "ECHO", "hello"]).prints("hello\n").run();
    wait_for_all(&mut monitor, &[format!("\"node\":\"{}\"", address(2)), "\"client_address\":\"[::1]\"".to_owned()]);
    monitor.finish();
}
