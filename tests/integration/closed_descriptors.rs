//! Standard descriptors that a script has closed: what would be lost without a word is an error (contract section 1).

use std::process::{Command, Stdio};

use crate::server::Server;

/// Runs a line in a shell, where `$RCLI` is the binary; its status, and what it wrote on both outputs.
fn shell(server: &Server, line: &str) -> (Option<i32>, String) {
    let output = Command::new("sh")
        .args(["-c", line])
        .env("RCLI", env!("CARGO_BIN_EXE_rcli"))
        .env("RCLI_URL", server.url())
        .stdin(Stdio::null())
        .output()
        .expect("a shell");
    let written = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&written).into_owned())
}

#[test]
fn output_that_goes_nowhere_is_an_error() {
    let server = Server::start();
    server.call(&[b"SET", b"k", b"v"]);
    for line in [
        "$RCLI GET k >&-",
        "$RCLI --json GET k >&-",
        "echo GET k | $RCLI >&-",
        "echo GET k | $RCLI pipe >&-",
        "$RCLI ls >&-",
        "$RCLI stat >&-",
        "$RCLI sub c >&-",
        "$RCLI rdb - >&-",
        "$RCLI --help >&-",
        "$RCLI --version >&-",
        "$RCLI completions bash >&-",
        "$RCLI GET k <&- >&-",
    ] {
        assert_eq!(
            shell(&server, line),
            (Some(3), "rcli: cannot write the output: it is closed\n".to_owned()),
            "{line}"
        );
    }
    for name in ["/dev/stdout", "/dev/fd/1"] {
        let said = format!("rcli: cannot write {name}: it is closed\n");
        assert_eq!(shell(&server, &format!("$RCLI rdb {name} >&-")), (Some(3), said), "{name}");
    }
    // Nothing was to be written, or somebody wanted it to go nowhere.
    for line in [
        "echo SET k v | $RCLI pipe --quiet >&-",
        "$RCLI GET k >/dev/null",
        "$RCLI GET k 1<>/dev/null",
        "exec 3<>/dev/null; $RCLI GET k >&3",
    ] {
        assert_eq!(shell(&server, line), (Some(0), String::new()), "{line}");
    }
}

#[test]
fn input_that_cannot_come_is_an_error_where_it_is_read() {
    let server = Server::start();
    for line in [
        "$RCLI <&-",
        "$RCLI -x SET k <&-",
        "$RCLI pipe <&-",
        "$RCLI txn <&-",
        "$RCLI run - <&-",
        "$RCLI sub --control <&-",
    ] {
        assert_eq!(shell(&server, line), (Some(2), "rcli: cannot read stdin: it is closed\n".to_owned()), "{line}");
    }
    for name in ["/dev/stdin", "/dev/fd/0"] {
        for words in ["pipe {}", "txn {}", "run {}", "--pass-file {} GET k"] {
            let line = format!("$RCLI {} <&-", words.replace("{}", name));
            assert_eq!(shell(&server, &line), (Some(2), format!("rcli: {name}: it is closed\n")), "{line}");
        }
    }
    assert_eq!(server.ask("EXISTS k"), "0");
    assert_eq!(shell(&server, "$RCLI SET k v <&-"), (Some(0), "OK\n".to_owned()));
}

#[test]
fn the_status_tells_where_no_message_can() {
    let server = Server::start();
    assert_eq!(shell(&server, "$RCLI SET k v 2>&-"), (Some(0), "OK\n".to_owned()));
    assert_eq!(shell(&server, "$RCLI INCR k 2>&-"), (Some(1), String::new()));
    assert_eq!(shell(&server, "$RCLI GET k <&- >&- 2>&-"), (Some(3), String::new()));
}

#[test]
#[cfg(target_os = "linux")]
fn no_connection_takes_the_place_of_a_closed_descriptor() {
    let server = Server::start();
    let mut run = Command::new("sh")
        .args(["-c", "exec \"$RCLI\" BLPOP k 0 <&- 2>&-"])
        .env("RCLI", env!("CARGO_BIN_EXE_rcli"))
        .env("RCLI_URL", server.url())
        .stdout(Stdio::null())
        .spawn()
        .expect("a shell");
    server.wait_until("INFO clients", |info| info.contains("blocked_clients:1"));
    let opened = [0, 1, 2].map(|descriptor| std::fs::read_link(format!("/proc/{}/fd/{descriptor}", run.id())).ok());
    server.call(&[b"LPUSH", b"k", b"v"]);
    run.wait().expect("its end");
    assert_eq!(opened, [(); 3].map(|()| Some("/dev/null".into())));
}
