//! Which certificates are taken: those that openssl makes for people, of servers and of clients (contract section 1).

use crate::certificates::Certificates;
use crate::cluster_nodes::Cluster;
use crate::rcli::{Rcli, rcli};
use crate::sentinels::{Sentinel, Setup};
use crate::server::Server;
use std::path::{Path, PathBuf};

/// A run against this host with these options and PING.
fn ping(host: &str, server: &Server, options: &[&str]) -> Rcli {
    rcli(["-h", host, "-p", &server.port().to_string()]).args(options).args(["PING"])
}

/// A certificate of version 1, as `openssl x509 -req` makes it without extensions.
fn version_1(certificates: &Certificates, file: &str) -> [PathBuf; 2] {
    certificates.openssl(&format!(
        "openssl req -x509 -newkey rsa:2048 -nodes -keyout authority.key -out authority.pem -days 30 -subj /CN=tests
         openssl req -new -newkey rsa:2048 -nodes -keyout {file}.key -subj /CN=localhost -out {file}.csr
         openssl x509 -req -in {file}.csr -CA authority.pem -CAkey authority.key -CAcreateserial -days 30 -out {file}.pem
         openssl x509 -in {file}.pem -noout -text | grep 'Version: 1 '"
    ));
    ["pem", "key"].map(|kind| certificates.path(&format!("{file}.{kind}")))
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path of plain letters")
}

#[test]
fn what_openssl_req_x509_makes_is_trusted_by_itself() {
    let certificates = Certificates::make();
    let own = certificates.openssl_req("own", "-subj /CN=somewhere");
    let certificates = certificates.for_server(own);
    let server = Server::with_tls(&certificates, false);
    let trusting = ["--cacert", text(&certificates.server)];
    // It names no host, so any will do.
    for host in ["localhost", "127.0.0.1"] {
        ping(host, &server, &trusting).prints("PONG\n").run();
        rcli(["-u", &format!("rediss://{host}:{}", server.port()), "--json", "pipe"])
            .args(trusting)
            .stdin("PING\n")
            .prints("\"PONG\"\n")
            .run();
    }
    let way_out = ["authority's (CA:TRUE)", "--cacert"];
    ping("localhost", &server, &["--tls"]).status(3).complains(&way_out).run();
    ping("localhost", &server, &["--cacert", text(&certificates.ca)]).status(3).complains(&way_out).run();
}

#[test]
fn the_name_of_a_certificate_that_is_trusted_by_itself_is_checked_where_it_has_one() {
    let certificates = Certificates::make();
    let own = certificates.openssl_req("own", "-subj /CN=x -addext subjectAltName=DNS:localhost,IP:127.0.0.9");
    let certificates = certificates.for_server(own);
    let server = Server::with_tls(&certificates, false);
    let trusting = ["--cacert", text(&certificates.server)];
    ping("localhost", &server, &trusting).prints("PONG\n").run();
    ping("127.0.0.1", &server, &trusting)
        .status(3)
        .complains(&["names localhost, 127.0.0.9, not 127.0.0.1", "--verify ca", "--sni"])
        .run();
    for further in [["--verify", "ca"], ["--sni", "localhost"]] {
        rcli(["-p", &server.port().to_string()]).args(further).args(trusting).args(["PING"]).prints("PONG\n").run();
    }
}

#[test]
fn dates_are_checked_and_told() {
    let certificates = Certificates::make();
    let past = certificates.sign_for_years("past", &["localhost"], [2001, 2002]);
    let future = certificates.sign_for_years("future", &["localhost"], [2101, 2102]);
    for ([certificate, key], told) in
        [(past, "expired on 2002-01-01 00:00:00 UTC"), (future, "not valid before 2101-01-01 00:00:00 UTC")]
    {
        let args = ["--tls-cert-file", text(&certificate), "--tls-key-file", text(&key)];
        let server = Server::with_tls_and_args(&certificates, false, args);
        for trusted in [&certificates.ca, &certificate] {
            for verify in ["full", "ca"] {
                let options = ["--cacert", text(trusted), "--verify", verify];
                ping("localhost", &server, &options).status(3).complains(&[told, "--verify none"]).run();
            }
        }
        ping("localhost", &server, &["--verify", "none"]).prints("PONG\n").run();
    }
}

#[test]
fn ca_checks_who_signed_it_but_no_name() {
    let certificates = Certificates::make();
    let server = Server::with_tls(&certificates, false);
    let [ca, stranger] = [&certificates.ca, &certificates.stranger].map(|path| text(path));
    ping("127.0.0.1", &server, &["--verify", "ca", "--cacert", ca]).prints("PONG\n").run();
    ping("127.0.0.1", &server, &["--verify", "full", "--cacert", ca]).status(3).complains(&["--verify ca"]).run();
    ping("127.0.0.1", &server, &["--verify", "ca", "--cacert", stranger]).status(3).complains(&["--cacert"]).run();
    // One that names no host is nobody's.
    let [certificate, key] = certificates.sign("nameless", &[]);
    let args = ["--tls-cert-file", text(&certificate), "--tls-key-file", text(&key)];
    let server = Server::with_tls_and_args(&certificates, false, args);
    ping("localhost", &server, &["--cacert", ca]).status(3).complains(&["names no host", "--verify ca"]).run();
    ping("localhost", &server, &["--cacert", ca, "--verify", "ca"]).prints("PONG\n").run();
}

#[test]
fn the_last_of_verify_and_insecure_counts() {
    let certificates = Certificates::make();
    let server = Server::with_tls(&certificates, false);
    for none in [&["--verify", "full", "--insecure"][..], &["--insecure"], &["--verify=none"]] {
        ping("127.0.0.1", &server, none).prints("PONG\n").run();
    }
    ping("127.0.0.1", &server, &["--insecure", "--verify", "full"]).status(3).complains(&["--cacert"]).run();
    let port = server.port();
    let url = format!("rediss://127.0.0.1:{port}/#insecure");
    rcli(["-u", &url, "PING"]).prints("PONG\n").run();
    rcli(["-u", &url, "--verify", "ca", "PING"]).status(3).complains(&["--cacert"]).run();
    ping("127.0.0.1", &server, &["--verify", "some"]).status(2).reports_among(&["full, ca, none"]).run();
    let profile = |settings: &str| {
        let file = format!("[profile.p]\nport = {port}\n{settings}\n");
        rcli(["--profile", "p"]).file(".config/rcli/config.toml", file)
    };
    profile("verify = \"none\"").args(["PING"]).prints("PONG\n").run();
    profile("insecure = true").args(["PING"]).prints("PONG\n").run();
    profile("insecure = true").args(["--verify", "full", "PING"]).status(3).complains(&["--cacert"]).run();
    profile("verify = \"full\"").args(["--insecure", "PING"]).prints("PONG\n").run();
}

#[test]
fn each_tls_option_means_tls() {
    let certificates = Certificates::make();
    let server = Server::with_tls(&certificates, false);
    let ca = ["--cacert", text(&certificates.ca)];
    ping("localhost", &server, &ca).prints("PONG\n").run();
    ping("localhost", &server, &["--cacertdir", text(certificates.dir())]).prints("PONG\n").run();
    ping("localhost", &server, &["--sni", "localhost"]).status(3).complains(&["--cacert"]).run();
    ping("localhost", &server, &["--cert", text(&certificates.client), "--key", text(&certificates.client_key)])
        .status(3)
        .complains(&["--cacert"])
        .run();
    let socket = server.socket();
    rcli(["-s", text(&socket), "--verify", "ca", "PING"]).status(2).complains(&["--verify", "unix socket"]).run();
    rcli(["--sandbox", "--insecure", "PING"]).prints("PONG\n").run();
}

#[test]
fn a_directory_of_authorities_is_read_but_for_what_is_none() {
    let certificates = Certificates::make();
    let server = Server::with_tls(&certificates, false);
    let directory = certificates.path("authorities");
    std::fs::create_dir_all(directory.join("deeper")).unwrap();
    let options = ["--cacertdir", text(&directory)];
    ping("localhost", &server, &options).status(2).complains(&["authorities", "no file"]).run();
    std::fs::write(directory.join("README"), "no certificate").unwrap();
    std::fs::copy(&certificates.stranger, directory.join("stranger.pem")).unwrap();
    ping("localhost", &server, &options).status(3).complains(&["--cacert"]).run();
    std::fs::copy(&certificates.ca, directory.join("ca.pem")).unwrap();
    std::os::unix::fs::symlink("ca.pem", directory.join("0a1b2c3d.0")).unwrap();
    ping("localhost", &server, &options).prints("PONG\n").run();
    ping("localhost", &server, &["--cacertdir", "/no/such"]).status(2).complains(&["/no/such: No such file"]).run();
}

#[test]
fn a_server_of_version_1_is_taken_where_nothing_is_checked() {
    let certificates = Certificates::make();
    let own = version_1(&certificates, "old");
    let authority = certificates.path("authority.pem");
    let certificates = certificates.for_server(own);
    for protocol in ["TLSv1.2", "TLSv1.3"] {
        let server = Server::with_tls_and_args(&certificates, false, ["--tls-protocols", protocol]);
        for format in ["--raw", "--json"] {
            ping("localhost", &server, &["--verify", "none", format, "ECHO"]).prints_among(&["PING"]).run();
        }
        for trusted in [&authority, &certificates.server] {
            for verify in ["full", "ca"] {
                ping("localhost", &server, &["--cacert", text(trusted), "--verify", verify])
                    .status(3)
                    .complains(&["X.509 version 1", "--verify none"])
                    .run();
            }
        }
    }
}

#[test]
fn a_key_that_cannot_be_checked_is_taken_where_nothing_is() {
    let certificates = Certificates::make();
    certificates.openssl(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-521 -nodes -keyout odd.key -out odd.pem -days 30 \
         -subj /CN=localhost",
    );
    let odd = ["odd.pem", "odd.key"].map(|file| certificates.path(file));
    let certificates = certificates.for_server(odd);
    let server = Server::with_tls(&certificates, false);
    ping("localhost", &server, &["--verify", "none"]).prints("PONG\n").run();
    let trusted = ["--cacert", text(&certificates.server)];
    ping("localhost", &server, &trusted).status(3).complains(&["kind of key"]).run();
}

#[test]
fn the_clients_own_certificate_is_sent_as_it_is() {
    let certificates = Certificates::make();
    let [old, old_key] = version_1(&certificates, "old");
    let past = certificates.sign_for_years("past", &["client"], [2001, 2002]);
    let ca = ["--cacert", text(&certificates.ca)];
    let authority = certificates.path("authority.pem");
    for protocol in ["TLSv1.2", "TLSv1.3"] {
        let args = ["--tls-ca-cert-file", text(&authority), "--tls-protocols", protocol];
        let server = Server::with_tls_and_args(&certificates, true, args);
        for format in ["--raw", "--json"] {
            let own = ["--cert", text(&old), "--key", text(&old_key), format, "ECHO"];
            rcli(["-h", "localhost", "-p", &server.port().to_string()])
                .args(ca)
                .args(own)
                .args(["hello"])
                .prints_among(&["hello"])
                .run();
        }
        // The server judges it, and says so.
        let refused = ["--cert", text(&past[0]), "--key", text(&past[1])];
        rcli(["-h", "localhost", "-p", &server.port().to_string()])
            .args(ca)
            .args(refused)
            .args(["PING"])
            .status(3)
            .complains(&["the server does not take the certificate of --cert"])
            .run();
    }
}

#[test]
fn clusters_and_sentinels_are_trusted_alike() {
    let certificates = Certificates::make();
    let own = certificates.openssl_req("own", "-subj /CN=nodes");
    // Nodes and sentinels are each other's clients.
    let mut certificates = certificates.for_server(own);
    certificates.ca = certificates.server.clone();
    let identity = ["--cert", text(&certificates.server), "--key", text(&certificates.server_key)].map(str::to_owned);
    let trusting = ["--cacert".to_owned(), certificates.server.display().to_string()];
    let cluster = Cluster::with_tls(&certificates, &[]);
    let sets = "SET foo 1\nSET bar 1\nSET c 1\n";
    let node = cluster.nodes[0].port();
    rcli(["-c", "-u", &format!("rediss://127.0.0.1:{node}"), "pipe"])
        .args(&trusting)
        .args(&identity)
        .stdin(sets)
        .prints("OK\nOK\nOK\n")
        .run();
    rcli(["-c", "-p", &node.to_string(), "--verify", "none", "pipe"])
        .args(&identity)
        .stdin(sets)
        .prints("OK\nOK\nOK\n")
        .run();

    let primary = Server::with_tls(&certificates, false);
    let sentinel = Sentinel::start(&primary, Setup { tls: Some(&certificates), ..Setup::default() });
    let url = format!("rediss+sentinel://{}/mymaster/0", sentinel.address());
    rcli(["-u", &url]).args(&trusting).args(["SET", "k", "v"]).prints("OK\n").run();
    rcli(["--sentinel", &sentinel.address(), "--master", "mymaster", "--insecure", "GET", "k"]).prints("v\n").run();
    rcli(["--sentinel", &sentinel.address(), "--master", "mymaster", "GET", "k"])
        .status(3)
        .complains(&[&sentinel.address(), "speaks TLS", "--tls"])
        .run();
}
