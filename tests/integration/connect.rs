//! Where the server is, and how it is spoken to: contract section 1.

use crate::peer::{Answer, peer, send};
use crate::rcli::rcli;
use crate::server::{Server, free_port, wait_for};
use socket2::{Domain, SockAddr, Socket, Type};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::{Duration, Instant};

#[test]
fn host_and_port_options_say_where_the_server_is() {
    let server = Server::start();
    let port = server.port().to_string();
    rcli(["-h", "127.0.0.1", "-p", &port, "PING"]).prints("PONG\n").run();
    rcli(["--host", "localhost", "--port", &port, "PING"]).prints("PONG\n").run();
    rcli([format!("-p{port}").as_str(), "PING"]).prints("PONG\n").run();
}

#[test]
fn a_unix_socket_is_a_place_too() {
    let server = Server::start();
    let socket = server.socket().display().to_string();
    rcli(["-s", &socket, "PING"]).prints("PONG\n").run();
    rcli(["--socket", &socket, "-n", "2", "SET", "k", "v"]).prints("OK\n").run();
    rcli(["-u", &format!("unix://{socket}"), "PING"]).prints("PONG\n").run();
    rcli(["-u", &format!("unix://{socket}?db=2"), "GET", "k"]).prints("v\n").run();
}

#[test]
fn a_url_of_a_unix_socket_takes_a_user_as_redis_pys_do() {
    let server = Server::start();
    let socket = server.socket().display().to_string();
    server.rcli(["ACL", "SETUSER", "a/b", "on", ">p@ss w", "allcommands", "allkeys"]).prints("OK\n").run();
    server.rcli(["ACL", "SETUSER", "none", "on", "nopass", "allcommands"]).prints("OK\n").run();
    server.rcli(["CONFIG", "SET", "requirepass", "word"]).prints("OK\n").run();
    for (url, user) in [
        (format!("unix://a%2Fb:p@ss w@{socket}"), "a/b"),
        (format!("redis+unix://a%2Fb:p%40ss%20w@{socket}?db=1"), "a/b"),
        (format!("unix://:word@{}", socket.replace('.', "%2E")), "default"),
        (format!("unix://none:@{socket}"), "none"),
        (format!("unix://{socket}?username=a/b&password=p@ss+w"), "a/b"),
        (format!("unix://a:b@{socket}?user=a/b&pass=p@ss+w"), "a/b"),
        (format!("unix://{socket}?password=word"), "default"),
    ] {
        rcli(["--no-auth-warning", "-u", &url, "ACL", "WHOAMI"]).prints(format!("{user}\n")).run();
        rcli(["ACL", "WHOAMI"]).env("REDIS_URL", &url).prints(format!("{user}\n")).run();
    }
    rcli(["-u", &format!("unix://:word@{socket}?nosuch=1"), "PING"]).status(2).complains(&["key 'nosuch'"]).run();
}

#[test]
fn urls_name_host_port_and_database() {
    let server = Server::start();
    let address = server.address();
    rcli(["-u", &format!("redis://{address}"), "PING"]).prints("PONG\n").run();
    rcli(["--url", &format!("valkey://{address}/3"), "SET", "k", "v"]).prints("OK\n").run();
    rcli(["-u", &format!("redis://{address}/3"), "GET", "k"]).prints("v\n").run();
    rcli(["-u", &format!("redis://{address}/0"), "GET", "k"]).prints("\n").run();
    rcli(["-u", &format!("redis://{address}/"), "GET", "k"]).prints("\n").run();
}

#[test]
fn an_unknown_url_key_is_an_error_that_names_it() {
    let server = Server::start();
    for key in ["nosuch=1", "protcol=3", "timeout", "db=1&nosuch=2"] {
        let name = key.split('&').next_back().unwrap().split('=').next().unwrap();
        rcli(["-u", &format!("redis://{}/?{key}", server.address()), "PING"]).status(2).complains(&[name]).run();
    }
}

#[test]
fn an_unknown_url_key_of_the_environment_is_a_warning() {
    let server = Server::start();
    for variable in ["RCLI_URL", "REDIS_URL"] {
        let url = format!("redis://{}/3?ssl_cert_reqs=none&db=2&timeout=1", server.address());
        let run = rcli(["CLIENT", "INFO"]).env(variable, url).prints_among(&[" db=2 "]);
        run.complains(&["warning", variable, "'ssl_cert_reqs', 'timeout'"]).run();
        rcli(["PING"]).env(variable, "redis://127.0.0.1/notadb?x=1").status(2).complains(&[variable]).run();
    }
    // What is set aside is not warned of.
    server.rcli(["PING"]).env("RCLI_URL", "redis://127.0.0.1:1?x=1").prints("PONG\n").run();
}

#[test]
fn the_zone_of_an_address_is_kept() {
    let port = free_port();
    for (host, shown) in [("fe80::1%25lo", "fe80::1%lo"), ("fe80::1%lo", "fe80::1%lo"), ("::1", "::1")] {
        for url in [format!("redis://[{host}]:{port}/2"), format!("redis://u:p@[{host}]:{port}")] {
            rcli(["--no-auth-warning", "-u", &url, "PING"])
                .status(3)
                .complains(&[&format!("[{shown}]:{port}: ")])
                .run();
        }
        let url = format!("redis+sentinel://[{host}]:{port}/mymaster");
        rcli(["-t", "0.2", "-u", &url, "PING"]).status(3).complains(&[&format!("[{shown}]:{port}: ")]).run();
    }
}

#[test]
fn a_url_that_cannot_be_understood_is_bad_usage() {
    for url in [
        "http://127.0.0.1",
        "redis//x",
        "127.0.0.1:6379",
        "redis://h:notaport",
        "redis://h:1/notadb",
        "redis://h:1/-1",
        "",
    ] {
        rcli(["-u", url, "PING"]).status(2).complains(&[]).run();
    }
}

#[test]
fn the_url_comes_from_rcli_url_then_redis_url() {
    let server = Server::start();
    let dead = format!("redis://127.0.0.1:{}", free_port());
    rcli(["PING"]).env("RCLI_URL", server.url()).prints("PONG\n").run();
    rcli(["PING"]).env("REDIS_URL", server.url()).prints("PONG\n").run();
    rcli(["PING"]).env("RCLI_URL", server.url()).env("REDIS_URL", &dead).prints("PONG\n").run();
    rcli(["-u", &server.url(), "PING"]).env("RCLI_URL", &dead).env("REDIS_URL", &dead).prints("PONG\n").run();
}

#[test]
fn an_option_wins_over_the_environment() {
    let server = Server::start();
    let dead = format!("redis://127.0.0.1:{}/1", free_port());
    let socket = server.socket().display().to_string();
    server.rcli(["PING"]).env("RCLI_URL", &dead).prints("PONG\n").run();
    rcli(["-s", &socket, "PING"]).env("RCLI_URL", &dead).prints("PONG\n").run();
    rcli(["-n", "2", "SET", "k", "v"]).env("RCLI_URL", format!("{}/1", server.url())).prints("OK\n").run();
    rcli(["-u", &format!("{}/2", server.url()), "GET", "k"]).prints("v\n").run();
}

#[test]
fn a_url_in_the_environment_that_is_wrong_is_named() {
    rcli(["PING"]).env("RCLI_URL", "gopher://x").status(2).complains(&["RCLI_URL"]).run();
}

#[test]
fn n_selects_the_database() {
    let server = Server::start();
    server.rcli(["-n", "5", "SET", "k", "five"]).prints("OK\n").run();
    server.rcli(["--db", "5", "--json", "GET", "k"]).prints("\"five\"\n").run();
    server.rcli(["GET", "k"]).prints("\n").run();
    server.rcli(["pipe", "-n", "5"]).stdin("GET k\n").prints("five\n").run();
}

#[test]
fn a_refused_select_ends_the_run_before_any_command() {
    let server = Server::start();
    for args in [&["-n", "99", "SET", "k", "v"][..], &["-n", "99", "--json", "pipe"], &["-n", "99"]] {
        server.rcli(args).stdin("SET k v\n").status(3).complains(&["99", "DB index is out of range"]).run();
    }
    assert_eq!(server.ask("DBSIZE"), "0");
    for format in ["--raw", "--json"] {
        let peer = peer().select(send("-ERR DB index is out of range\r\n")).otherwise(send("+OK\r\n")).start();
        peer.rcli([format, "-n", "7", "GET", "k"]).status(3).complains(&["out of range"]).run();
        assert_eq!(peer.ordinary(), [""; 0]);
    }
}

/// Runs `--json GET k` against a server that refuses HELLO this way: the answer must come over RESP2.
fn assert_falls_back(refusal: &str) {
    let peer = peer().hello(send(refusal)).answers([send("*2\r\n$1\r\na\r\n:1\r\n")]).start();
    peer.rcli(["--json", "-n", "3", "GET", "k"]).prints("[\"a\",1]\n").run();
    let commands = peer.commands();
    assert!(commands[0].starts_with("HELLO 3"), "{commands:?}");
    let select = commands.iter().position(|command| command == "SELECT 3").expect("the database is still selected");
    let get = commands.iter().position(|command| command == "GET k").expect("the command is sent");
    assert!(select < get, "{commands:?}");
}

#[test]
fn a_server_without_hello_is_spoken_to_in_resp2() {
    assert_falls_back("-ERR unknown command 'HELLO'\r\n");
    assert_falls_back("-ERR unknown command `HELLO`, with args beginning with: `3`, \r\n");
    assert_falls_back("-ERR unknown command 'HELLO', with args beginning with: '3' \r\n");
    assert_falls_back("-NOPROTO unsupported protocol version\r\n");
    assert_falls_back("-NOPROTO sorry, this protocol version is not supported.\r\n");
}

#[test]
fn falling_back_still_authenticates_before_the_command() {
    for refusal in
        ["-ERR unknown command 'HELLO'\r\n", "-ERR unknown command `HELLO`, with args beginning with: `3`, \r\n"]
    {
        let peer = peer().hello(send(refusal)).otherwise(send("+OK\r\n")).start();
        peer.rcli(["--json", "GET", "k"]).env("REDISCLI_AUTH", "pw").prints("\"OK\"\n").run();
        let commands = peer.commands();
        let auth =
            commands.iter().position(|command| command.starts_with("AUTH ") && command.ends_with("pw")).expect("AUTH");
        let get = commands.iter().position(|command| command == "GET k").expect("GET");
        assert!(auth < get, "{commands:?}");
    }
}

#[test]
fn the_protocol_is_3_by_default_and_2_for_raw_or_when_asked() {
    for (args, version) in [
        (&["--json", "X"][..], 3),
        (&["--human", "X"], 3),
        (&["--raw", "X"], 2),
        (&["X"], 2),
        (&["-3", "--raw", "X"], 3),
        (&["-2", "--json", "X"], 2),
        (&["-2", "--human", "X"], 2),
    ] {
        let peer = peer().otherwise(send("+OK\r\n")).start();
        peer.rcli(args).any_stdout().run();
        let hello = peer.commands().iter().any(|command| command.starts_with("HELLO 3"));
        assert_eq!(hello, version == 3, "{args:?}: {:?}", peer.commands());
    }
}

#[test]
fn a_server_that_does_not_accept_is_left_after_the_connect_timeout() {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SockAddr::from(SocketAddr::from(([127, 0, 0, 1], 0)))).unwrap();
    socket.listen(0).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    // The backlog is filled, so further connection attempts stay unanswered.
    let mut held = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
        held.push(stream);
    }
    let (port, place) = (address.port().to_string(), address.to_string());
    let begin = Instant::now();
    let patient = rcli(["-p", &port, "PING"]).status(3).complains(&[&place, "took too long"]).start();
    rcli(["-p", &port, "-t", "0.3", "PING"]).status(3).complains(&[&place]).run();
    assert!((Duration::from_millis(250)..Duration::from_secs(4)).contains(&begin.elapsed()), "{:?}", begin.elapsed());
    // Where nothing is said: 5 s.
    patient.finish();
    assert!(begin.elapsed() > Duration::from_millis(4900), "{:?}", begin.elapsed());
}

#[test]
fn a_server_that_accepts_and_says_nothing_is_left_after_5_s() {
    let peer = peer().hello(Answer::Silence).start();
    let begin = Instant::now();
    peer.rcli(["--json", "PING"]).status(3).complains(&["no answer within 5 s"]).run();
    assert!(begin.elapsed() > Duration::from_millis(4900), "{:?}", begin.elapsed());
}

/// A unix socket that has no room for a further connection, and those that it has.
fn full_backlog(path: &Path) -> (Socket, Vec<Socket>) {
    let listener = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
    listener.bind(&SockAddr::unix(path).unwrap()).unwrap();
    listener.listen(0).unwrap();
    let mut held = Vec::new();
    loop {
        let client = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        client.set_nonblocking(true).unwrap();
        if client.connect(&SockAddr::unix(path).unwrap()).is_err() {
            return (listener, held);
        }
        held.push(client);
    }
}

#[test]
fn a_unix_socket_whose_server_accepts_nobody_is_left_after_the_connect_timeout() {
    let home = tempfile::TempDir::new().unwrap();
    let path = home.path().join("socket");
    let _full = full_backlog(&path);
    let path = path.display().to_string();
    rcli(["-s", &path, "-t", "0.3", "PING"]).status(3).complains(&[&path]).run();
}

#[test]
#[cfg(target_os = "linux")]
fn a_unix_socket_whose_server_is_slow_to_accept_is_waited_for_asleep() {
    let home = tempfile::TempDir::new().unwrap();
    let path = home.path().join("socket");
    let (listener, held) = full_backlog(&path);
    let run = rcli(["-s", &path.display().to_string(), "-t", "50", "PING"]).prints("PONG\n").start();
    // How often it went to sleep.
    let sleeps = || -> u32 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", run.pid())).unwrap();
        let found = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        found.unwrap().trim().parse().unwrap()
    };
    let before = sleeps();
    wait_for("a program that looks again and again", || sleeps() > before + 40);
    let listener = UnixListener::from(OwnedFd::from(listener));
    drop(held.iter().map(|_| listener.accept().unwrap()).collect::<Vec<_>>());
    let (mut client, _) = listener.accept().unwrap();
    // The first is the sign of life that -t asks for.
    for _ in 0..2 {
        assert!(client.read(&mut [0; 1000]).unwrap() > 0);
        client.write_all(b"+PONG\r\n").unwrap();
    }
    run.finish();
}

#[test]
fn a_server_that_never_answers_the_handshake_is_left_after_the_connect_timeout() {
    let peer = peer().hello(Answer::Silence).start();
    let begin = Instant::now();
    peer.rcli(["--connect-timeout", "0.3", "--json", "PING"])
        .status(3)
        .complains(&[&format!("127.0.0.1:{}", peer.port())])
        .run();
    assert!(begin.elapsed() < Duration::from_secs(4), "{:?}", begin.elapsed());
}

#[test]
fn the_connect_timeout_does_not_limit_the_commands() {
    let server = Server::start();
    let run = server.rcli(["-t", "0.3", "BLPOP", "queue", "0.9"]).prints("\n").start();
    run.finish();
}

#[test]
fn a_host_that_does_not_exist_is_one_line_and_status_3() {
    rcli(["-h", "no-such-host.invalid", "PING"]).status(3).complains(&["no-such-host.invalid"]).run();
}

#[test]
fn a_socket_that_does_not_exist_is_named() {
    rcli(["-s", "/no/such/socket", "PING"]).status(3).complains(&["/no/such/socket"]).run();
    rcli(["-u", "unix:///no/such/socket", "PING"]).status(3).complains(&["/no/such/socket"]).run();
}

#[test]
fn keepalive_and_nodelay_make_a_small_command_fast() {
    // Two hundred round trips with Nagle's delay of 40 ms would take eight seconds.
    let server = Server::start();
    let begin = Instant::now();
    server.rcli(["pipe", "--window", "1", "-q"]).stdin("PING\n".repeat(200)).run();
    assert!(begin.elapsed() < Duration::from_secs(4), "{:?}", begin.elapsed());
}
