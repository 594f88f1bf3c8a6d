//! How a server is reached: `--wait`, `-4` and `-6`, `--map` (contract section 1).

use crate::cluster_nodes::Cluster;
use crate::peer::{peer, send};
use crate::rcli::rcli;
use crate::server::{DEADLINE, Server, free_port, wait_for};

#[test]
fn waits_until_somebody_listens() {
    let mut server = Server::start();
    server.kill_nine();
    for args in [&["PING"][..], &["pipe"], &["txn"]] {
        let mut run = server.rcli(["--wait", "60"]).args(args).stdin("PING\n").prints("PONG\n").start();
        assert!(run.is_running());
        server.restart();
        run.finish();
        server.kill_nine();
    }
}

#[test]
fn ends_with_the_usual_failure_when_nobody_came() {
    let port = free_port().to_string();
    rcli(["-p", &port, "--wait", "0.2", "PING"]).status(3).complains(&["cannot connect to 127.0.0.1", "refused"]).run();
    rcli(["-s", "no/such/socket", "--wait", "0.1", "PING"]).status(3).complains(&["no/such/socket"]).run();
    rcli(["-h", "no-such-host.invalid", "--wait", "0.1", "PING"]).status(3).complains(&["no-such-host.invalid"]).run();
}

#[test]
fn a_server_that_loads_is_waited_for_and_then_asked_all_the_same() {
    let loading = || send("-LOADING Redis is loading the dataset in memory\r\n");
    let peer = peer().answers([loading(), loading(), send("+PONG\r\n"), send("$1\r\nv\r\n")]).start();
    peer.rcli(["-2", "--wait", "60", "GET", "k"]).prints("v\n").run();
    assert_eq!(peer.ordinary(), ["PING", "PING", "PING", "GET k"]);
    let never = crate::peer::peer().otherwise(loading()).start();
    never.rcli(["-2", "--wait", "0.05", "GET", "k"]).status(1).complains(&["LOADING"]).run();
}

#[test]
fn who_is_refused_does_not_wait() {
    let server = Server::with_password("secret");
    let begun = std::time::Instant::now();
    rcli(["-u", &server.url(), "--wait", "3600", "-a", "wrong", "--no-auth-warning", "PING"])
        .status(3)
        .complains(&["WRONGPASS"])
        .run();
    assert!(begun.elapsed() < DEADLINE);
}

#[test]
fn a_cluster_that_is_down_is_waited_for() {
    let cluster = Cluster::start();
    for node in &cluster.nodes {
        node.ask("CLUSTER DELSLOTS 0");
    }
    let first = &cluster.nodes[0];
    first.wait_until("CLUSTER INFO", |info| info.contains("cluster_state:fail"));
    // A command has a while of its own for what a cluster does not serve.
    cluster.rcli(["-t", "0.1", "SET", "foo", "1"]).status(1).any_stderr().run();
    let received = |info: &str| {
        let count = info.lines().find_map(|line| line.strip_prefix("total_connections_received:"));
        count.map_or(0, |count| count.trim().parse::<u64>().unwrap())
    };
    let before = received(&first.ask("INFO stats"));
    let run = cluster.rcli(["--wait", "60", "SET", "foo", "1"]).prints("OK\n").start();
    // Each try is a connection, and so is each question here.
    let mut questions = 0;
    wait_for("three tries", || {
        questions += 1;
        received(&first.ask("INFO stats")) > before + questions + 3
    });
    first.ask("CLUSTER ADDSLOTS 0");
    run.finish();
}

#[test]
fn only_addresses_of_one_family_are_tried() {
    let server = Server::start();
    let port = server.port().to_string();
    rcli(["-h", "localhost", "-p", &port, "-4", "PING"]).prints("PONG\n").run();
    for (option, host, family) in [("-6", "127.0.0.1", "IPv6"), ("-4", "::1", "IPv4")] {
        rcli(["-h", host, "-p", &port, option, "PING"]).status(3).complains(&[host, family, option]).run();
    }
    rcli(["-h", "127.0.0.1", "-p", &port, "-6", "-4", "PING"]).prints("PONG\n").run();
}

#[test]
fn an_announced_address_is_reached_where_the_map_says() {
    let cluster = Cluster::start();
    let nowhere = free_port();
    let node = &cluster.nodes[2];
    node.ask(&format!("CONFIG SET cluster-announce-port {nowhere}"));
    cluster.nodes[0].wait_until("CLUSTER SLOTS", |slots| slots.contains(&nowhere.to_string()));
    let announced = format!("127.0.0.1:{nowhere}");
    let map = format!("{announced}={}", node.address());
    let replies = cluster.rcli(["--map", &map, "--all-nodes", "--json", "DBSIZE"]).any_stdout().run().out();
    assert!(replies.contains(&format!("\"{announced}\":0")), "{replies}");
    // The last one counts, and words behind a subcommand are words of the whole line.
    let lines: String = (0..20).map(|number| format!("SET key:{number} x\n")).collect();
    cluster.rcli(["--map", &format!("{announced}=127.0.0.1:1"), "pipe", "-q", "--map", &map]).stdin(&lines).run();
    cluster
        .rcli(["-t", "0.2", "--map", &format!("{announced}=127.0.0.1:1"), "--all-nodes", "DBSIZE"])
        .status(3)
        .complains(&[&announced])
        .run();
}

#[test]
fn a_profile_has_them_too_and_what_cannot_be_read_is_said() {
    let server = Server::start();
    let config = format!(
        "[profile.there]\nhost = 'elsewhere'\nport = 1\nwait = 5\nipv4 = true\nmap = ['elsewhere:1={}', 'b:1=c:2']\n",
        server.address()
    );
    rcli(["--profile", "there", "PING"]).file(".config/rcli/config.toml", config).prints("PONG\n").run();
    for map in ["a:1", "a:1=b", "a=b:1", "a:1=b:x", "=", "a:0=b:1"] {
        rcli(["--map", map, "PING"]).status(2).complains(&["--map", map, "HOST:PORT=HOST:PORT"]).run();
    }
    rcli(["--wait", "soon", "PING"]).status(2).complains(&["--wait", "seconds"]).run();
}
