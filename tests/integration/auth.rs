//! Credentials: every source of them, which one wins, what a refusal does, and that no password is ever shown (section 1).

use crate::peer::{peer, send};
use crate::rcli::{Rcli, rcli};
use crate::server::{Server, free_port};

const SECRET: &str = "s3cr3t-pa55";

/// A server with the password `SECRET`, and a key `k` in it.
fn guarded() -> Server {
    let server = Server::with_password(SECRET);
    server.ask("SET k v");
    server
}

#[test]
fn a_password_comes_from_the_option() {
    let server = guarded();
    for option in ["-a", "--pass"] {
        for format in ["--raw", "--json"] {
            server.rcli(["--no-auth-warning", option, SECRET, format, "EXISTS", "k"]).prints("1\n").run();
        }
    }
}

#[test]
fn a_password_on_the_command_line_warns_unless_told_not_to() {
    let server = guarded();
    let url = format!("redis://:{SECRET}@{}", server.address());
    let port = server.port().to_string();
    for typed in [&["-a", SECRET, "-p", &port][..], &["-u", &url]] {
        let run = rcli(typed).args(["GET", "k"]).prints("v\n").complains(&["warning", typed[0]]).run();
        assert!(!run.err().contains(SECRET), "{}", run.err());
        rcli(["--no-auth-warning"]).args(typed).args(["GET", "k"]).prints("v\n").run();
    }
    // What nobody else can see: another source, or no password at all.
    rcli(["GET", "k"]).env("RCLI_URL", &url).prints("v\n").run();
    rcli(["-u", &format!("redis://{}", server.address()), "GET", "k"]).env("REDISCLI_AUTH", SECRET).prints("v\n").run();
}

#[test]
fn a_password_comes_from_a_file_without_its_line_end() {
    let server = guarded();
    for content in [SECRET.to_owned(), format!("{SECRET}\n"), format!("{SECRET}\r\n")] {
        server.rcli(["--pass-file", "pw", "GET", "k"]).file("pw", content).prints("v\n").run();
    }
}

#[test]
fn a_password_file_that_does_not_exist_is_named() {
    let server = guarded();
    server.rcli(["--pass-file", "no-such-file", "GET", "k"]).status_among(&[2, 3]).complains(&["no-such-file"]).run();
}

#[test]
fn a_password_comes_from_the_environment_under_both_names() {
    let server = guarded();
    for name in ["REDISCLI_AUTH", "VALKEYCLI_AUTH"] {
        server.rcli(["GET", "k"]).env(name, SECRET).prints("v\n").run();
        server.rcli(["--json", "GET", "k"]).env(name, SECRET).prints("\"v\"\n").run();
    }
}

#[test]
fn a_password_comes_from_the_url() {
    let server = guarded();
    let url = format!("redis://:{SECRET}@{}", server.address());
    rcli(["--no-auth-warning", "-u", &url, "GET", "k"]).prints("v\n").run();
    rcli(["GET", "k"]).env("RCLI_URL", &url).prints("v\n").run();
    rcli(["--no-auth-warning", "--json", "GET", "k"])
        .env("REDIS_URL", format!("redis://default:{SECRET}@{}/0", server.address()))
        .prints("\"v\"\n")
        .run();
}

#[test]
fn percent_signs_in_a_url_stand_for_bytes_of_the_password() {
    let server = Server::with_password("p@ss/w:rd?#%é");
    let url = format!("redis://:p%40ss%2Fw%3Ard%3F%23%25%C3%A9@{}", server.address());
    for format in ["--raw", "--json"] {
        rcli([format, "STRLEN", "k"]).env("RCLI_URL", &url).prints("0\n").run();
    }
}

#[test]
fn a_user_name_goes_with_the_password() {
    let server = Server::start();
    server.ask("ACL SETUSER alice on >wonder ~* +@all");
    for format in ["--raw", "--human"] {
        let run =
            server.rcli(["--user", "alice", format, "ACL", "WHOAMI"]).env("REDISCLI_AUTH", "wonder").any_stdout().run();
        assert_eq!(run.out().replace('"', ""), "alice\n");
    }
    rcli(["ACL", "WHOAMI"])
        .env("RCLI_URL", format!("redis://alice:wonder@{}", server.address()))
        .prints("alice\n")
        .run();
    server.rcli(["--user", "alice", "--pass", "wonder", "--no-auth-warning", "ACL", "WHOAMI"]).prints("alice\n").run();
    server
        .rcli(["--user", "alice", "--pass-file", "pw", "ACL", "WHOAMI"])
        .file("pw", "wonder\n")
        .prints("alice\n")
        .run();
}

#[test]
fn an_option_wins_over_the_environment() {
    let server = guarded();
    let url = format!("redis://:{SECRET}@{}", server.address());
    server.rcli(["-a", SECRET, "--no-auth-warning", "GET", "k"]).env("REDISCLI_AUTH", "wrong").prints("v\n").run();
    server.rcli(["--pass-file", "pw", "GET", "k"]).file("pw", SECRET).env("REDISCLI_AUTH", "wrong").prints("v\n").run();
    rcli(["--no-auth-warning", "-u", &url, "GET", "k"])
        .env("REDISCLI_AUTH", "wrong")
        .env("VALKEYCLI_AUTH", "wrong")
        .prints("v\n")
        .run();
}

#[test]
fn without_a_password_no_auth_is_sent() {
    let peer = peer().otherwise(send("+OK\r\n")).start();
    peer.rcli(["GET", "k"]).prints("OK\n").run();
    assert!(!peer.commands().iter().any(|command| command.contains("AUTH")), "{:?}", peer.commands());
}

#[test]
fn a_password_without_a_user_is_sent_as_old_servers_take_it() {
    let peer = peer().otherwise(send("+OK\r\n")).start();
    peer.rcli(["GET", "k"]).env("REDISCLI_AUTH", "pw").prints("OK\n").run();
    assert_eq!(peer.commands()[0], "AUTH pw");
}

#[test]
fn a_refused_auth_ends_the_run_before_any_command() {
    for format in ["--raw", "--json"] {
        let refusal = send("-WRONGPASS invalid username-password pair or user is disabled.\r\n");
        let peer = peer().hello(refusal.clone()).auth(refusal).otherwise(send("+OK\r\n")).start();
        for args in [&["SET", "k", "v"][..], &["pipe"], &[]] {
            peer.rcli([format])
                .args(args)
                .stdin("SET k v\n")
                .env("REDISCLI_AUTH", SECRET)
                .status(3)
                .complains(&[&format!("127.0.0.1:{}", peer.port()), "user is disabled; check the user"])
                .run();
        }
        assert_eq!(peer.ordinary(), [""; 0]);
    }
}

#[test]
fn a_real_server_refuses_a_wrong_password_before_any_command() {
    let server = guarded();
    for version in ["-2", "-3"] {
        for args in [&["SET", "k", "changed"][..], &["pipe", "--json"], &[]] {
            server
                .rcli([version])
                .args(args)
                .stdin("SET k changed\n")
                .env("REDISCLI_AUTH", "not-the-one")
                .status(3)
                .complains(&[&server.address(), "WRONGPASS"])
                .run();
        }
    }
    assert_eq!(server.ask("GET k"), "v");
}

#[test]
fn a_password_for_a_server_that_wants_none_is_refused_too() {
    // redis-server 6 and later answer AUTH without a configured password with an error.
    let server = Server::start();
    server.rcli(["SET", "k", "v"]).env("REDISCLI_AUTH", SECRET).status(3).complains(&["ERR AUTH"]).run();
    assert_eq!(server.ask("EXISTS k"), "0");
}

#[test]
fn a_missing_password_is_said_in_the_servers_words() {
    let server = guarded();
    for args in [&["GET", "k"][..], &["-2", "--human", "GET", "k"], &["--json", "GET", "k"]] {
        let run = server.rcli(args).status_among(&[1, 3]).any_stdout().any_stderr().run();
        assert!(format!("{}{}", run.out(), run.err()).contains("NOAUTH"), "{args:?}: {}{}", run.out(), run.err());
        assert!(run.err().contains("required; AUTH, --askpass, --pass-file, -a or REDISCLI_AUTH"), "{}", run.err());
    }
    for args in [&["ls"][..], &["ls", "--in", "k"], &["stat"], &["run", "-"], &["tail", "s"], &["rdb", "-"]] {
        let run = server.rcli(args).stdin("return 1").status(1).any_stdout();
        run.complains(&["NOAUTH Authentication required; AUTH, --askpass"]).run();
    }
    for args in [&["sub", "c"][..], &["monitor"]] {
        server.rcli(args).status(3).complains(&["NOAUTH Authentication required; AUTH, --askpass"]).run();
    }
    let advice = ["stdin:1: GET k: NOAUTH Authentication required; AUTH, --askpass"];
    server.rcli(["pipe"]).stdin("GET k\n").status(1).any_stdout().complains(&advice).run();
}

#[test]
fn a_user_without_a_password_is_told_what_gives_one() {
    let server = guarded();
    let advice = "a user needs a password: --askpass, --pass-file, -a or REDISCLI_AUTH gives it";
    server.rcli(["--user", "default", "PING"]).status(2).complains(&[advice]).run();
    // To redis-cli that is a password, and it is not shown.
    let url = format!("redis://{SECRET}@127.0.0.1");
    let run = server.rcli(["-u", &url, "PING"]).status(2);
    let run = run.complains(&[advice, "; a URL has one alone as redis://:PASSWORD@HOST"]).run();
    assert!(!run.err().contains(SECRET), "{}", run.err());
}

#[test]
fn askpass_without_a_terminal_is_one_line() {
    let server = guarded();
    server
        .rcli(["--askpass", "GET", "k"])
        .stdin(format!("{SECRET}\n"))
        .through_sh("exec setsid -w \"$0\" \"$@\"")
        .status_among(&[2, 3])
        .complains(&["terminal"])
        .run();
}

/// Runs something that fails, and looks for the secret in all it says.
fn assert_hidden(run: Rcli) {
    let run = run.status_among(&[1, 2, 3]).any_stdout().any_stderr().run();
    let said = format!("{}{}", run.out(), run.err());
    assert!(!said.is_empty(), "a failure says something");
    assert!(!said.contains(SECRET) && !said.contains("s3cr3t"), "the password is shown: {said}");
}

#[test]
fn a_password_never_appears_in_a_message() {
    let dead = free_port();
    let server = Server::with_password("another");
    let live = server.port();
    for place in [format!("127.0.0.1:{dead}"), format!("127.0.0.1:{live}")] {
        let url = format!("redis://user:{SECRET}@{place}/1");
        assert_hidden(rcli(["-u", &url, "PING"]));
        assert_hidden(rcli(["-u", &url, "pipe"]).stdin("PING\n"));
        assert_hidden(rcli(["-u", &url, "--json"]).stdin("PING\n"));
        assert_hidden(rcli(["PING"]).env("RCLI_URL", &url));
        assert_hidden(rcli(["PING"]).env("REDIS_URL", &url));
    }
    for port in [dead, live] {
        let port = port.to_string();
        assert_hidden(rcli(["-p", &port, "-a", SECRET, "PING"]));
        assert_hidden(rcli(["-p", &port, "--pass-file", "pw", "PING"]).file("pw", SECRET));
        assert_hidden(rcli(["-p", &port, "PING"]).env("REDISCLI_AUTH", SECRET));
    }
}

#[test]
fn a_password_in_a_url_that_is_wrong_is_not_shown_either() {
    for url in [
        format!("redis://user:{SECRET}@host:notaport/"),
        format!("redis://user:{SECRET}@127.0.0.1:1/?nosuch=1"),
        format!("gopher://user:{SECRET}@host/"),
        format!("redis://user:{SECRET}@127.0.0.1:1/notadb"),
        format!("redis://user:{SECRET}@"),
        format!("redis://user:{SECRET}@[::1"),
        format!("user:{SECRET}@host"),
    ] {
        assert_hidden(rcli(["-u", &url, "PING"]));
        assert_hidden(rcli(["PING"]).env("RCLI_URL", &url));
    }
}

#[test]
fn a_password_given_to_a_wrong_command_line_is_not_shown() {
    assert_hidden(rcli(["-a", SECRET, "--no-such-option"]));
    assert_hidden(rcli(["-a", SECRET, "-p", "notaport", "PING"]));
}
