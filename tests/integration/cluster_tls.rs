//! A cluster whose nodes speak TLS: certificates and names are checked at each of them, and every command finds its
//! way (contract sections 1 and 11).

use crate::certificates::Certificates;
use crate::cluster_nodes::Cluster;
use crate::rcli::{Rcli, rcli};
use crate::server::Server;

/// Keys, and shard channels, of the first, second and third primary.
const KEYS: [&str; 3] = ["bar", "c", "foo"];

/// The options that make a run trust the nodes, and show a certificate to them.
fn trusted(run: Rcli, certificates: &Certificates) -> Rcli {
    run.args(["--cacert".as_ref(), certificates.ca.as_os_str()]).args([
        "--cert".as_ref(),
        certificates.client.as_os_str(),
        "--key".as_ref(),
        certificates.client_key.as_os_str(),
    ])
}

/// A run with `-c` and TLS at this name of a node.
fn at(host: &str, node: &Server, certificates: &Certificates) -> Rcli {
    trusted(rcli(["-c", "-h", host, "-p", &node.port().to_string(), "--tls"]), certificates)
}

/// The arguments that make a node show this certificate.
fn showing(certificates: &Certificates, file: &str, names: &[&str]) -> Vec<String> {
    let [certificate, key] = certificates.sign(file, names).map(|path| path.display().to_string());
    vec!["--tls-cert-file".to_owned(), certificate, "--tls-key-file".to_owned(), key]
}

fn start(certificates: &Certificates, args: &[String], further: &[&str]) -> Cluster {
    let args: Vec<&str> = args.iter().map(String::as_str).chain(further.iter().copied()).collect();
    Cluster::with_tls(certificates, &args)
}

#[test]
fn everything_goes_over_tls_with_credentials_to_every_node() {
    let certificates = Certificates::make();
    let args = showing(&certificates, "node", &["127.0.0.1"]);
    let cluster = start(&certificates, &args, &[]);
    cluster.add_user("app", "~* &* +@all");
    let app = || at("127.0.0.1", &cluster.nodes[0], &certificates).args(["--user", "app"]).env("REDISCLI_AUTH", "p");
    for key in KEYS {
        app().args(["SET", key, "1"]).prints("OK\n").run();
    }
    let incrs = "INCR bar\nINCR c\nINCR foo\n";
    app().stdin(incrs).prints("2\n2\n2\n").run();
    app().args(["pipe"]).stdin(incrs).prints("3\n3\n3\n").run();
    app().args(["--json", "txn", "--watch", "foo"]).stdin("INCR foo\n").prints("[4]\n").run();
    let run = app().args(["--json", "--all-nodes", "ACL", "WHOAMI"]).any_stdout().run();
    assert_eq!(run.out().matches(":\"app\"").count(), 3, "{}", run.out());

    let mut shards = app().args(["ssub", "--count", "3"]).args(KEYS).any_stdout().start();
    let mut monitor = app().args(["monitor", "--only", "ECHO", "--count", "3"]).any_stdout().start();
    let mut news = app().args(["sub", "news", "--count", "1"]).any_stdout().start();
    shards.wait_for_lines(3);
    news.wait_for_lines(1);
    for (node, key) in cluster.nodes.iter().zip(KEYS) {
        assert_eq!(node.ask(&format!("SPUBLISH {key} x")), "1");
        node.wait_until("CLIENT LIST", |clients| clients.contains("cmd=monitor"));
        node.ask("ECHO x");
    }
    cluster.nodes[2].ask("PUBLISH news x");
    shards.finish();
    news.finish();
    monitor.wait_for_lines(3);
    monitor.finish();

    let mut run = app().args(["pipe"]).interactive().any_stdout().start();
    run.send("INCR foo\n".repeat(100));
    cluster.migrate("foo", 0);
    run.send("INCR foo\n".repeat(100));
    run.wait_for_lines(200);
    let out = run.finish().out();
    assert_eq!(out, (5..205).map(|count| format!("{count}\n")).collect::<String>());
}

#[test]
fn a_url_with_two_s_and_a_password_leads_to_all_nodes() {
    let certificates = Certificates::make();
    let args = showing(&certificates, "node", &["localhost", "127.0.0.1"]);
    let cluster = start(&certificates, &args, &[]);
    cluster.add_user("app", "~* &* +@all");
    let run = |host: &str, credentials: &str| {
        let url = format!("rediss://{credentials}{host}:{}", cluster.nodes[1].port());
        trusted(rcli(["-c", "--no-auth-warning", "-u", &url]), &certificates)
    };
    for host in ["127.0.0.1", "localhost"] {
        run(host, "app:p@").args(["pipe"]).stdin("SET foo 1\nSET bar 1\n").prints("OK\nOK\n").run();
    }
    run("127.0.0.1", "app:wrong@").args(["GET", "foo"]).status(3).complains(&["WRONGPASS"]).run();
}

#[test]
fn each_node_is_checked_by_the_name_it_announces() {
    let certificates = Certificates::make();
    let hostname = ["--cluster-announce-hostname", "localhost", "--cluster-preferred-endpoint-type", "hostname"];
    // The certificate of the harness is for `localhost` only.
    let cluster = start(&certificates, &[], &hostname);
    let node = &cluster.nodes[0];
    cluster.nodes[0].wait_until("CLUSTER SLOTS", |slots| slots.matches("localhost").count() == 3);
    let sets = "SET foo 1\nSET bar 1\nSET c 1\n";
    at("localhost", node, &certificates).args(["pipe"]).stdin(sets).prints("OK\nOK\nOK\n").run();
    let told = ["cannot connect to 127.0.0.1", "its certificate names localhost", "--sni"];
    at("127.0.0.1", node, &certificates).args(["GET", "foo"]).status(3).complains(&told).run();
    at("127.0.0.1", node, &certificates).args(["--sni", "localhost", "GET", "foo"]).prints("1\n").run();
}

#[test]
fn a_node_without_a_certificate_for_its_address_is_reached_by_the_name_of_the_first() {
    let certificates = Certificates::make();
    let cluster = start(&certificates, &[], &[]);
    let sets = "SET foo 1\nSET bar 1\nSET c 1\n";
    at("localhost", &cluster.nodes[0], &certificates).args(["pipe"]).stdin(sets).prints("OK\nOK\nOK\n").run();
}

#[test]
fn what_is_not_trusted_ends_the_run_at_once() {
    let certificates = Certificates::make();
    let args = showing(&certificates, "node", &["127.0.0.1"]);
    let cluster = start(&certificates, &args, &[]);
    let port = cluster.nodes[0].port().to_string();
    let tls = || rcli(["-c", "-p", &port, "--tls", "-t", "30"]);
    tls()
        .args(["--cacert".as_ref(), certificates.stranger.as_os_str()])
        .args(["GET", "foo"])
        .status(3)
        .complains(&["certificate", "--cacert"])
        .run();
    tls()
        .args(["--cacert".as_ref(), certificates.ca.as_os_str()])
        .args(["GET", "foo"])
        .status(3)
        .complains(&["--cert and --key"])
        .run();
    rcli(["-c", "-p", &port, "GET", "foo"]).status(3).complains(&[&port]).run();

    // One node has another's certificate. Patience would be 120 s.
    let [certificate, key] = certificates.sign("other", &["elsewhere.example"]).map(|path| path.display().to_string());
    cluster.nodes[2].ask(&format!("CONFIG SET tls-cert-file {certificate} tls-key-file {key}"));
    let third = cluster.nodes[2].address();
    let run = || at("127.0.0.1", &cluster.nodes[0], &certificates).args(["-t", "30"]);
    run().args(["GET", "bar"]).prints("\n").run();
    run().args(["GET", "foo"]).status(3).complains(&[&third, "elsewhere.example"]).run();
    run()
        .args(["pipe"])
        .stdin("GET foo\n")
        .status(3)
        .complains(&[&third, "elsewhere.example", "0 commands answered"])
        .run();
    run().args(["--all-nodes", "PING"]).status(3).complains(&[&third, "elsewhere.example"]).run();
    // A stream hears the others, and says what it misses.
    let run = run().args(["ssub", "--events", "foo", "bar"]).any_stdout().status(130);
    let mut run = run.reports_among(&[&third, "elsewhere.example"]).start();
    run.wait_for_lines(2);
    run.signal(rustix::process::Signal::INT);
    assert!(run.finish().out().contains("\"channel\":\"bar\",\"data\":1"));
}
