//! Human and raw output beyond what redis-cli prints, and how the format is chosen (contract sections 1 and 2).

use crate::peer::{peer, send};
use crate::rcli::rcli;
use crate::server::Server;

/// What one reply looks like in human format, on RESP3.
fn human(reply: impl AsRef<[u8]>) -> String {
    let peer = peer().answers([send(reply)]).start();
    peer.rcli(["--human", "X"]).status_among(&[0, 1]).any_stdout().run().out()
}

/// The same for a named command, whose reply may be one that prints as text.
fn human_of(command: &[&str], reply: impl AsRef<[u8]>) -> String {
    let peer = peer().answers([send(reply)]).start();
    peer.rcli(["--human"]).args(command).status_among(&[0, 1]).any_stdout().run().out()
}

#[test]
fn human_shows_printable_utf8_as_it_is() {
    assert_eq!(human("$7\r\nhé😀\r\n"), "\"hé😀\"\n");
    assert_eq!(human("*1\r\n$6\r\n日本\r\n"), "1) \"日本\"\n");
}

#[test]
fn human_escapes_control_characters_and_invalid_bytes() {
    assert_eq!(human(b"$4\r\n\x1b[2J\r\n"), "\"\\x1b[2J\"\n");
    assert_eq!(human(b"$3\r\na\xffb\r\n"), "\"a\\xffb\"\n");
    assert_eq!(human(b"$3\r\n\n\r\t\r\n"), "\"\\n\\r\\t\"\n");
    assert_eq!(human(b"$2\r\n\xc2\x9b\r\n"), "\"\\xc2\\x9b\"\n");
}

#[test]
fn no_reply_can_drive_the_terminal() {
    let esc = "\u{1b}]0;x\u{7}\u{9b}31m";
    let length = esc.len();
    let replies = [
        format!("+{esc}\r\n"),
        format!("-ERR {esc}\r\n"),
        format!("${length}\r\n{esc}\r\n"),
        format!("*1\r\n+{esc}\r\n"),
        format!("%1\r\n+{esc}\r\n${length}\r\n{esc}\r\n"),
        format!("={}\r\ntxt:{esc}\r\n", length + 4),
        format!("!{}\r\nERR {esc}\r\n", length + 4),
        format!("~1\r\n-ERR {esc}\r\n"),
    ];
    for reply in &replies {
        let shown = human(reply);
        assert!(!shown.contains(['\u{1b}', '\u{7}', '\u{9b}']), "{reply:?} came out as {shown:?}");
    }
    for command in [&["INFO"][..], &["CLIENT", "LIST"], &["LATENCY", "DOCTOR"], &["CLUSTER", "NODES"], &["LOLWUT"]] {
        let shown = human_of(command, &replies[2]);
        assert!(!shown.contains(['\u{1b}', '\u{7}', '\u{9b}']), "{command:?} came out as {shown:?}");
    }
}

#[test]
fn an_empty_report_is_nothing_in_human() {
    assert_eq!(human_of(&["LATENCY", "DOCTOR"], "=4\r\ntxt:\r\n"), "");
    assert_eq!(human_of(&["INFO", "nosuch"], "$0\r\n\r\n"), "");
    assert_eq!(human_of(&["GET", "k"], "$0\r\n\r\n"), "\"\"\n");
}

#[test]
fn a_message_on_stderr_cannot_drive_the_terminal() {
    let peer = peer().answers([send("-ERR \u{1b}[2J\u{9b}x\r\n")]).start();
    let run = peer.rcli(["exec", "X"]).status(1).any_stderr().run();
    assert!(!run.err().contains(['\u{1b}', '\u{9b}']), "{:?}", run.err());
}

#[test]
fn human_shows_the_types_of_resp3() {
    assert_eq!(human("#t\r\n"), "(true)\n");
    assert_eq!(human(",1.5\r\n"), "(double) 1.5\n");
    assert_eq!(human("_\r\n"), "(nil)\n");
    assert_eq!(human(":7\r\n"), "(integer) 7\n");
    assert_eq!(human("%1\r\n$1\r\nk\r\n$1\r\nv\r\n"), "1# \"k\" => \"v\"\n");
    assert_eq!(human("~1\r\n$1\r\nm\r\n"), "1~ \"m\"\n");
    assert_eq!(human("*0\r\n"), "(empty array)\n");
    assert_eq!(human("-ERR no\r\n"), "(error) ERR no\n");
}

#[test]
fn human_shows_what_redis_cli_cannot() {
    assert!(human("(12345678901234567890123\r\n").contains("12345678901234567890123"));
    assert_eq!(human("|1\r\n+ttl\r\n:3600\r\n$1\r\nv\r\n"), "\"v\"\n");
    assert_eq!(human(">1\r\n+note\r\n$1\r\nv\r\n"), "\"v\"\n");
}

#[test]
fn raw_writes_bytes_as_they_are_one_element_a_line() {
    let peer = peer().otherwise(send(b"*3\r\n$3\r\n\xff\x1b\x00\r\n:5\r\n*2\r\n+a\r\n$-1\r\n")).start();
    peer.rcli(["--raw", "X"]).prints(b"\xff\x1b\x00\n5\na\n\n").run();
    peer.rcli(["--raw", "-d", "|", "X"]).prints(b"\xff\x1b\x00|5|a|\n").run();
}

#[test]
fn raw_with_an_empty_end_is_exactly_the_reply() {
    let server = Server::start();
    server.ask("SET k value");
    server.rcli(["-D", "", "GET", "k"]).prints("value").run();
    server.rcli(["pipe", "-D", ""]).stdin("GET k\nGET k\n").prints("valuevalue").run();
    server.rcli(["pipe", "-D", ";"]).stdin("GET k\nGET k\n").prints("value;value;").run();
}

#[test]
fn the_format_comes_from_the_option_then_the_environment_then_raw() {
    let server = Server::start();
    server.ask("SET k v");
    server.rcli(["GET", "k"]).prints("v\n").run();
    server.rcli(["GET", "k"]).env("RCLI_FORMAT", "json").prints("\"v\"\n").run();
    server.rcli(["INCR", "n"]).env("RCLI_FORMAT", "human").prints("(integer) 1\n").run();
    server.rcli(["GET", "k"]).env("RCLI_FORMAT", "raw").prints("v\n").run();
    server.rcli(["--raw", "GET", "k"]).env("RCLI_FORMAT", "json").prints("v\n").run();
    server.rcli(["--json", "GET", "k"]).env("RCLI_FORMAT", "raw").prints("\"v\"\n").run();
    server.rcli(["--no-raw", "GET", "k"]).env("RCLI_FORMAT", "raw").prints("\"v\"\n").run();
    server.rcli(["pipe"]).env("RCLI_FORMAT", "json").stdin("GET k\n").prints("\"v\"\n").run();
}

#[test]
fn an_unknown_format_in_the_environment_is_named() {
    rcli(["-p", "1", "GET", "k"]).env("RCLI_FORMAT", "yaml").status(2).complains(&["RCLI_FORMAT", "yaml"]).run();
}

#[test]
fn there_is_no_colour_away_from_a_terminal() {
    let server = Server::start();
    server.ask("SET s v");
    for args in [
        &["--human", "INCR", "s"][..],
        &["--human", "--color", "auto", "GET", "none"],
        &["--human", "--color", "never", "INCR", "s"],
    ] {
        let out = server.rcli(args).status_among(&[0, 1]).any_stdout().run().out();
        assert!(!out.contains('\u{1b}'), "{args:?}: {out:?}");
    }
}

#[test]
fn color_always_colours_human_replies_and_never_json_lines_of_a_script() {
    let server = Server::start();
    server.ask("SET s v");
    let out = server
        .rcli(["--human", "--color", "always"])
        .stdin("GET s\nGET none\nINCR s\nDBSIZE\n")
        .status(1)
        .any_stdout()
        .any_stderr()
        .run()
        .out();
    assert!(out.contains("\u{1b}["), "{out:?}");
    let out = server.rcli(["--raw", "--color", "always", "GET", "s"]).any_stdout().run().out();
    assert_eq!(out, "v\n", "raw is the bytes as they are");
}

#[test]
fn a_redis_server_8_or_valkey_style_greeting_with_more_keys_is_understood() {
    let greeting = "%8\r\n+server\r\n+valkey\r\n+version\r\n+9.1.2\r\n+proto\r\n:3\r\n+id\r\n:7\r\n+mode\r\n+standalone\r\n\
        +role\r\n+master\r\n+modules\r\n*0\r\n+availability_zone\r\n$0\r\n\r\n";
    let peer = peer().hello(send(greeting)).answers([send("+PONG\r\n")]).start();
    peer.rcli(["--json", "PING"]).prints("\"PONG\"\n").run();
}

#[test]
fn a_value_of_a_map_has_its_own_line_by_what_is_shown_of_it() {
    let reply = b"%3\r\n+bytes\r\n=9\r\ntxt:a\nb\n\xff\r\n+text\r\n=7\r\ntxt:a\nb\r\n+last\r\n:1\r\n";
    assert_eq!(human(reply), "1# bytes => \"a\\nb\\n\\xff\"\n2# text => \n   a\nb\n3# last => (integer) 1\n");
}
