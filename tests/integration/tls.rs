//! TLS: certificates and host names are checked unless `--insecure` (contract section 1).

use crate::certificates::Certificates;
use crate::rcli::{Rcli, rcli};
use crate::server::{Server, pause};
use std::io::Write;
use std::net::TcpListener;
use std::path::Path;

/// A server with TLS and the certificates that fit it.
fn secured() -> (Server, Certificates) {
    let certificates = Certificates::make();
    (Server::with_tls(&certificates, false), certificates)
}

/// A run against `localhost`, the name in the server's certificate, with `--tls` and this authority.
fn trusting(server: &Server, ca: &Path) -> Rcli {
    rcli(["-h", "localhost", "-p", &server.port().to_string(), "--tls", "--cacert"]).args([ca])
}

#[test]
fn a_server_signed_by_the_given_authority_is_trusted() {
    let (server, certificates) = secured();
    trusting(&server, &certificates.ca).args(["SET", "k", "v"]).prints("OK\n").run();
    trusting(&server, &certificates.ca).args(["--json", "GET", "k"]).prints("\"v\"\n").run();
    trusting(&server, &certificates.ca).stdin("GET k\n").prints("v\n").run();
}

#[test]
fn a_url_with_two_s_means_tls() {
    let (server, certificates) = secured();
    for scheme in ["rediss", "valkeys"] {
        rcli(["-u", &format!("{scheme}://localhost:{}/1", server.port()), "--cacert"])
            .args([&certificates.ca])
            .args(["PING"])
            .prints("PONG\n")
            .run();
    }
}

#[test]
fn a_pipe_of_many_commands_goes_over_tls() {
    let (server, certificates) = secured();
    let value = "v".repeat(3000);
    let input = format!("SET k {value}\nGET k\n").repeat(2000);
    let output = format!("OK\n{value}\n").repeat(2000);
    trusting(&server, &certificates.ca).args(["pipe"]).stdin(input).prints(output).run();
}

#[test]
fn a_slow_producer_is_answered_at_once_over_tls() {
    let (server, certificates) = secured();
    for args in [&["pipe"][..], &[]] {
        server.ask("DEL n");
        let mut run = trusting(&server, &certificates.ca).args(args).interactive().prints("1\n2\n").start();
        for number in 1..=2 {
            run.send_line("INCR n");
            assert_eq!(run.next_line(), number.to_string());
        }
        run.finish();
    }
}

#[test]
fn an_unknown_authority_is_refused_with_status_3() {
    let (server, certificates) = secured();
    let port = server.port().to_string();
    rcli(["-h", "localhost", "-p", &port, "--tls", "PING"]).status(3).complains(&["localhost", "certificate"]).run();
    trusting(&server, &certificates.stranger).args(["PING"]).status(3).complains(&["localhost", "certificate"]).run();
}

#[test]
fn a_certificate_for_another_host_is_refused() {
    let (server, certificates) = secured();
    rcli(["-h", "127.0.0.1", "-p", &server.port().to_string(), "--tls", "--cacert"])
        .args([&certificates.ca])
        .args(["PING"])
        .status(3)
        .complains(&["127.0.0.1", "certificate"])
        .run();
}

#[test]
fn sni_names_the_host_of_the_certificate() {
    let (server, certificates) = secured();
    rcli(["-h", "127.0.0.1", "-p", &server.port().to_string(), "--tls", "--sni", "localhost", "--cacert"])
        .args([&certificates.ca])
        .args(["PING"])
        .prints("PONG\n")
        .run();
}

#[test]
fn insecure_checks_nothing() {
    let (server, _certificates) = secured();
    let port = server.port().to_string();
    rcli(["-h", "127.0.0.1", "-p", &port, "--tls", "--insecure", "PING"]).prints("PONG\n").run();
    rcli(["-u", &format!("rediss://127.0.0.1:{port}"), "--insecure", "PING"]).prints("PONG\n").run();
}

#[test]
fn a_client_shows_its_certificate_to_a_server_that_wants_one() {
    let certificates = Certificates::make();
    let server = Server::with_tls(&certificates, true);
    trusting(&server, &certificates.ca)
        .args([
            "--cert".as_ref(),
            certificates.client.as_os_str(),
            "--key".as_ref(),
            certificates.client_key.as_os_str(),
        ])
        .args(["PING"])
        .prints("PONG\n")
        .run();
    trusting(&server, &certificates.ca).args(["PING"]).status(3).complains(&["localhost"]).run();
}

#[test]
fn a_certificate_without_its_key_is_bad_usage() {
    let (server, certificates) = secured();
    trusting(&server, &certificates.ca)
        .args(["--cert"])
        .args([&certificates.client])
        .args(["PING"])
        .status(2)
        .complains(&["--key"])
        .run();
    trusting(&server, &certificates.ca)
        .args(["--key"])
        .args([&certificates.client_key])
        .args(["PING"])
        .status(2)
        .complains(&["--cert"])
        .run();
}

#[test]
fn files_that_hold_no_certificate_are_named() {
    let (server, certificates) = secured();
    let garbage = certificates.dir().join("garbage.pem");
    std::fs::write(&garbage, "this is no certificate\n").unwrap();
    let missing = certificates.dir().join("missing.pem");
    for file in [&garbage, &missing] {
        let name = file.file_name().unwrap().to_str().unwrap();
        trusting(&server, file).args(["PING"]).status_among(&[2, 3]).complains(&[name]).run();
        trusting(&server, &certificates.ca)
            .args(["--cert".as_ref(), file.as_os_str(), "--key".as_ref(), certificates.client_key.as_os_str()])
            .args(["PING"])
            .status_among(&[2, 3])
            .complains(&[name])
            .run();
        trusting(&server, &certificates.ca)
            .args(["--cert".as_ref(), certificates.client.as_os_str(), "--key".as_ref(), file.as_os_str()])
            .args(["PING"])
            .status_among(&[2, 3])
            .complains(&[name])
            .run();
    }
}

#[test]
fn tls_to_a_plain_server_is_status_3() {
    let server = Server::start();
    for options in [&["--tls", "--insecure"][..], &["--tls"]] {
        server.rcli(options).args(["-t", "2", "PING"]).status(3).complains(&[&server.port().to_string()]).run();
    }
}

#[test]
fn plain_to_a_tls_server_is_status_3() {
    let (server, _certificates) = secured();
    for format in ["--raw", "--json"] {
        server.rcli([format, "PING"]).status(3).complains(&[&server.address()]).run();
    }
}

#[test]
fn a_server_killed_under_tls_is_a_lost_connection() {
    let (mut server, certificates) = secured();
    let mut run = trusting(&server, &certificates.ca)
        .args(["pipe"])
        .interactive()
        .status(3)
        .prints("PONG\n")
        .complains(&["connection lost: 1 commands answered"])
        .start();
    run.send_line("PING");
    assert_eq!(run.next_line(), "PONG");
    server.kill_nine();
    run.send_line("PING");
    run.finish_with_open_stdin();
}

#[test]
fn a_tls_handshake_that_comes_byte_by_byte_is_left_after_the_connect_timeout() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        // A record of 16 KiB, each byte well within the limit.
        let mut bytes = [0x16, 3, 3, 0x40, 0].into_iter().chain(std::iter::repeat(0));
        while stream.write_all(&[bytes.next().unwrap()]).is_ok() {
            pause();
        }
    });
    rcli(["-p", &port, "--tls", "--insecure", "-t", "0.3", "PING"]).status(3).complains(&[&port, "too long"]).run();
}
