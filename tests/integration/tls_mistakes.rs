//! What people get wrong with TLS is said in words, with the option that helps (contract section 1).

use crate::certificates::Certificates;
use crate::peer::{close, peer};
use crate::pty::open;
use crate::rcli::{Rcli, rcli};
use crate::sentinels::{Sentinel, Setup};
use crate::server::{DEADLINE, Server, wait_for};
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

fn text(path: &Path) -> &str {
    path.to_str().expect("a path of plain letters")
}

/// One run of each mode that talks to this server, with these options.
fn every_mode(port: u16, options: &[&str]) -> Vec<Rcli> {
    let run = |args: &[&str]| rcli(["-h", "localhost", "-p", &port.to_string()]).args(options).args(args);
    vec![
        run(&["PING"]),
        run(&["--json", "PING"]),
        run(&["-x", "SET", "k"]).stdin("v".repeat(20_000_000)),
        run(&["-2", "--json", "PING"]),
        run(&["-n", "1", "PING"]),
        run(&[]).stdin("PING\nPING\n"),
        run(&["--json"]).stdin("PING\n"),
        run(&["pipe"]).stdin("PING\nPING\n"),
        run(&["pipe"]).stdin("SET k v\n".repeat(100_000)),
        run(&["pipe", "--json"]).stdin("PING\n"),
        run(&["pipe", "--atomic"]).stdin("PING\n"),
        run(&["txn"]).stdin("PING\n"),
        run(&["txn", "--watch", "k"]).stdin("PING\n"),
        run(&["sub", "news"]),
        run(&["-2", "psub", "n*"]),
        run(&["ssub", "news"]),
        run(&["monitor"]),
        run(&["-c", "GET", "k"]),
        run(&["-c", "pipe"]).stdin("GET k\n"),
        run(&["-c", "ssub", "news"]),
        run(&["-c", "--all-nodes", "PING"]),
    ]
}

#[test]
fn plain_words_to_a_tls_port_are_called_that_in_every_mode() {
    let certificates = Certificates::make();
    for clients in [false, true] {
        let server = Server::with_tls(&certificates, clients);
        for run in every_mode(server.port(), &[]) {
            let run = run.status(3).complains(&["localhost", "the port speaks TLS", "--tls", "rediss://"]).run();
            assert_eq!(run.err().matches("cannot connect to").count(), 1, "{}", run.err());
        }
    }
}

#[test]
fn the_prompt_tells_what_a_port_speaks() {
    let certificates = Certificates::make();
    let (secured, plain) = (Server::with_tls(&certificates, false), Server::start());
    secured.rcli::<&str>([]).on_terminal(160).shows("the port speaks TLS");
    plain.rcli(["--insecure"]).on_terminal(160).shows("the port does not speak TLS");
    let (terminal, _) = open(&plain, &[]);
    terminal.line(&format!("connect 127.0.0.1 {}", secured.port()));
    terminal.shows("the port speaks TLS");
}

#[test]
fn a_server_that_answers_plain_words_with_an_alert_or_by_closing_speaks_tls() {
    let certificates = Certificates::make();
    let server = Server::with_tls(&certificates, false);
    // A proxy before it, with manners of its own at what is no TLS.
    for farewell in [&b"\x15\x03\x01\x00\x02\x02\x46"[..], b""] {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let behind = server.port();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut first = [0; 1024];
                let count = stream.read(&mut first).unwrap();
                if first[0] != 0x16 {
                    let _ = stream.write_all(farewell);
                    continue;
                }
                let mut server = TcpStream::connect(("127.0.0.1", behind)).unwrap();
                server.write_all(&first[..count]).unwrap();
                let mut answer = [0; 4096];
                let count = server.read(&mut answer).unwrap();
                let _ = stream.write_all(&answer[..count]);
            }
        });
        for format in ["--raw", "--json"] {
            rcli(["-p", &port.to_string(), format, "PING"])
                .status(3)
                .complains(&["the port speaks TLS", "--tls"])
                .run();
        }
    }
}

#[test]
fn a_plain_server_that_ends_the_conversation_is_not_taken_for_one_with_tls() {
    let peer = peer().hello(close("")).otherwise(close("")).start();
    for format in ["--raw", "--json"] {
        let run = peer.rcli([format, "PING"]).status(3).any_stderr().run();
        assert!(!run.err().contains("TLS"), "{}", run.err());
    }
}

#[test]
fn tls_to_a_plain_server_is_called_that_in_every_mode_and_soon() {
    let server = Server::start();
    let begin = Instant::now();
    let runs: Vec<_> = every_mode(server.port(), &["--insecure", "-t", "20"])
        .into_iter()
        .map(|run| run.status(3).complains(&["the port does not speak TLS", "--tls", "redis://"]).start())
        .collect();
    for run in runs {
        run.finish();
    }
    assert!(begin.elapsed() < Duration::from_secs(15), "the limit on connecting was waited for");
}

#[test]
fn a_plain_server_that_answers_tls_with_an_error_or_by_closing_is_called_that() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let mut stream = stream.unwrap();
            let mut first = [0; 1024];
            let _ = stream.read(&mut first).unwrap();
            if first[0] == b'*' {
                let _ = stream.write_all(b"-NOAUTH Authentication required.\r\n");
            } else if number == 0 {
                let _ = stream.write_all(b"-ERR Protocol error: unbalanced quotes in request\r\n");
            }
        }
    });
    for _ in 0..2 {
        rcli(["-p", &port, "--insecure", "PING"]).status(3).complains(&["the port does not speak TLS"]).run();
    }
}

/// Passes on what a client and the server behind say to each other.
fn forward(mut client: TcpStream, behind: u16) -> JoinHandle<u64> {
    let mut server = TcpStream::connect(("127.0.0.1", behind)).unwrap();
    let (mut questions, mut answers) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    std::thread::spawn(move || std::io::copy(&mut questions, &mut server));
    std::thread::spawn(move || std::io::copy(&mut answers, &mut client).unwrap_or(0))
}

#[test]
fn a_server_that_is_slow_or_silent_is_not_taken_for_one_without_tls() {
    // Nobody answers, neither in TLS nor plainly.
    let peer = peer().start();
    rcli(["-p", &peer.port().to_string(), "--insecure", "-t", "0.5", "PING"]).status(3).complains(&["too long"]).run();
    // A server that is too busy to answer either of two connections, and then does.
    let certificates = Certificates::make();
    let server = Server::with_tls(&certificates, false);
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let behind = server.port();
    std::thread::spawn(move || {
        let client = listener.accept().unwrap().0;
        let _doubt = listener.accept().unwrap();
        forward(client, behind).join().unwrap();
    });
    rcli(["-p", &port, "--insecure", "-t", "30", "PING"]).prints("PONG\n").run();
}

/// The next connection, within the time that anything may take.
fn accept(listener: &TcpListener) -> TcpStream {
    listener.set_nonblocking(true).unwrap();
    let mut accepted = None;
    wait_for("a connection", || {
        accepted = listener.accept().ok();
        accepted.is_some()
    });
    let (stream, _) = accepted.unwrap();
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream
}

#[test]
fn a_silent_port_is_asked_once_whether_it_speaks_tls_and_not_for_long() {
    // Without a limit it is waited for for ever, but not with the question; a short one is shared.
    for limit in ["0", "5"] {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port().to_string();
        let run = rcli(["-p", &port, "--insecure", "-t", limit, "PING"]).status(3).complains(&["ended the handshake"]);
        let run = run.start();
        let mut client = accept(&listener);
        accept(&listener).read_to_end(&mut Vec::new()).unwrap();
        // It is listened to still. The alert says that the handshake has failed.
        client.write_all(&[0x15, 3, 3, 0, 2, 2, 40]).unwrap();
        run.finish();
        // Of who hangs up at plain words it is not asked for long either.
        let run =
            rcli(["-p", &port, "-2", "-t", limit, "PING"]).status(3).complains(&["closed the connection"]).start();
        let mut client = accept(&listener);
        assert!(client.read(&mut [0; 1000]).unwrap() > 0);
        drop(client);
        accept(&listener).read_to_end(&mut Vec::new()).unwrap();
        run.finish();
    }
}

#[test]
fn a_server_with_tls_that_answers_is_not_asked_whether_it_has_it() {
    let certificates = Certificates::make();
    let server = Server::with_tls(&certificates, false);
    // One of three runs is not to be disturbed by a busy machine.
    let is_one = |_| {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port().to_string();
        let run = rcli(["-p", &port, "--insecure", "PING"]).prints("PONG\n").start();
        let client = accept(&listener);
        forward(client, server.port());
        run.finish();
        listener.set_nonblocking(true).unwrap();
        listener.accept().is_err()
    };
    assert!((0..3).any(is_one));
}

#[test]
fn sentinels_that_speak_the_other_way_are_called_that() {
    let certificates = Certificates::make();
    let primary = Server::start();
    let sentinel = Sentinel::start(&primary, Setup::default());
    let options = ["--sentinel", &sentinel.address(), "--master", "mymaster"];
    let plainly = ["does not speak TLS", &sentinel.address()];
    rcli(options).args(["--insecure", "PING"]).status(3).complains(&plainly).run();
    let primary = Server::with_tls(&certificates, false);
    let sentinel = Sentinel::start(&primary, Setup { tls: Some(&certificates), ..Setup::default() });
    let options = ["--sentinel", &sentinel.address(), "--master", "mymaster"];
    rcli(options).args(["PING"]).status(3).complains(&["the port speaks TLS", &sentinel.address()]).run();
}

#[test]
fn a_server_that_wants_a_certificate_is_called_that_in_every_mode() {
    let certificates = Certificates::make();
    for protocol in ["TLSv1.2", "TLSv1.3"] {
        let server = Server::with_tls_and_args(&certificates, true, ["--tls-protocols", protocol]);
        for run in every_mode(server.port(), &["--cacert", text(&certificates.ca)]) {
            run.status(3).complains(&["localhost", "wants a certificate of its clients", "--cert", "--key"]).run();
        }
    }
}

#[test]
fn a_certificate_that_the_server_does_not_take_is_called_that_in_every_mode() {
    let certificates = Certificates::make();
    let [stranger, stranger_key] = certificates.openssl_req("stranger", "-subj /CN=stranger");
    let server = Server::with_tls(&certificates, true);
    let options = ["--cacert", text(&certificates.ca), "--cert", text(&stranger), "--key", text(&stranger_key)];
    for run in every_mode(server.port(), &options) {
        run.status(3).complains(&["localhost", "does not take the certificate of --cert (unknown CA)"]).run();
    }
}

#[test]
fn a_server_of_another_time_is_called_that() {
    let certificates = Certificates::make();
    let ciphers = ["--tls-protocols", "TLSv1.2", "--tls-ciphers", "ECDHE-ECDSA-AES128-SHA"];
    let server = Server::with_tls_and_args(&certificates, false, ciphers);
    rcli(["-h", "localhost", "-p", &server.port().to_string(), "--cacert", text(&certificates.ca), "PING"])
        .status(3)
        .complains(&["shares no cipher"])
        .run();
}

#[test]
fn files_that_do_not_do_are_bad_usage_in_words() {
    let certificates = Certificates::make();
    certificates.openssl(
        "openssl genpkey -algorithm ed448 -out odd.key
         openssl pkey -in client.key -aes256 -passout pass:secret -out encrypted.key
         openssl genrsa -aes256 -passout pass:secret -traditional -out older.key 2048
         openssl x509 -in ca.pem -outform DER -out ca.der
         head -n 3 ca.pem > cut.pem
         sed '2s/./?/' ca.pem > bad.pem
         printf -- '-----BEGIN CERTIFICATE-----\\nAAAA\\n-----END CERTIFICATE-----\\n' > empty.pem
         printf -- '-----BEGIN CERTIFI' > begin.pem",
    );
    let file = |name: &str| certificates.path(name).display().to_string();
    let own = |cert: &str, key: &str| vec!["--cert".to_owned(), file(cert), "--key".to_owned(), file(key)];
    let authority = |name: &str| vec!["--cacert".to_owned(), file(name)];
    let cases = [
        (authority("nope.pem"), "nope.pem: No such file or directory"),
        (authority("client.key"), "client.key: holds no certificate in PEM form"),
        (authority("ca.der"), "ca.der: holds no certificate in PEM form"),
        (authority("cut.pem"), "cut.pem: no END line"),
        (authority("bad.pem"), "bad.pem: what stands between BEGIN and END is no base64"),
        (authority("empty.pem"), "empty.pem: holds a certificate that cannot be read"),
        (authority("begin.pem"), "begin.pem: a BEGIN line is cut short"),
        (own("client.pem", "client.pem"), "client.pem: holds no private key in PEM form"),
        (own("client.key", "client.key"), "client.key: holds no certificate in PEM form"),
        (own("client.pem", "server.key"), "is not that of the certificate in"),
        (own("client.pem", "odd.key"), "odd.key: a private key that rcli cannot use"),
        (own("client.pem", "encrypted.key"), "encrypted.key: the key is encrypted"),
        (own("client.pem", "older.key"), "older.key: the key is encrypted"),
        (vec!["--sni".to_owned(), "a b".to_owned()], "--sni a b"),
    ];
    for (options, told) in cases {
        let run = rcli(["-p", "1"]).args(&options).args(["PING"]).status(2).complains(&[told]).run();
        for debug in ["(os error", "Err(", "Other(", "{ "] {
            assert!(!run.err().contains(debug), "{}", run.err());
        }
    }
}
