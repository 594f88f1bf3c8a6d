//! What cannot be parsed is not shown with the password in it: lines, arguments and URLs. Contract section 1.

use crate::rcli::{Rcli, rcli};
use crate::server::Server;

/// Lines that no mode can parse, the command that each begins like, and the secret in all of them.
const BAD_LINES: [(&str, &str); 12] = [
    ("AUTH bob s3cr\"et", "AUTH"),
    ("auth \"s3cr", "AUTH"),
    ("'auth s3cr", "AUTH"),
    ("[\"CONFIG\",\"SET\",\"requirepass\",\"s3cr", "CONFIG"),
    ("[\"AUTH\", s3cr]", "AUTH"),
    ("[\"AUTH\", {\"base64\": \"s3cr?\"}]", "AUTH"),
    ("[\"AUTH\", {\"s3cr\": 1}]", "AUTH"),
    ("ACL SETUSER z on \">s3cr", "ACL"),
    ("CONFIG SET \"requirepass\"x s3cr", "CONFIG"),
    ("HELLO 3 AUTH u 's3cr", "HELLO"),
    ("MIGRATE h 1 k 0 9 AUTH \"s3cr", "MIGRATE"),
    ("SENTINEL SET m auth-pass \"s3cr", "SENTINEL"),
];

/// Runs what must fail with status 2, in one line that names all of these and hides the secret.
fn assert_hidden(run: Rcli, parts: &[&str]) {
    let run = run.status(2).any_stdout().complains(parts).run();
    let said = format!("{}{}", run.out(), run.err());
    assert!(!said.contains("s3cr") && !said.contains("PW"), "{said}");
}

#[test]
fn a_bad_line_with_a_secret_is_told_by_its_name_and_place() {
    let server = Server::start();
    for (line, name) in BAD_LINES {
        let text = format!("PING\n{line}\n");
        let shown = format!("{name} (arguments not shown)");
        assert_hidden(server.rcli([""; 0]).stdin(&text), &["stdin:2: ", &shown]);
        assert_hidden(server.rcli(["pipe"]).stdin(&text), &["stdin:2: ", &shown]);
        assert_hidden(server.rcli(["pipe", "--check", "f"]).file("f", &text), &["f:2: ", &shown]);
        assert_hidden(server.rcli(["pipe", "--atomic", "f"]).file("f", &text), &["f:2: ", &shown]);
        assert_hidden(server.rcli(["txn", "f"]).file("f", &text), &["f:2: ", &shown]);
        assert_hidden(server.rcli(["txn", "--", "cat", "f"]).file("f", &text), &["cat:2: ", &shown]);
    }
}

#[test]
fn other_bad_lines_keep_their_caret() {
    rcli(["pipe", "--check"])
        .stdin("SET k \"v\"x\n")
        .reports(
            "rcli: stdin:1: a closing quote must be followed by a space or the end of the line\n  SET k \"v\"x\n           ^\n",
        )
        .status(2)
        .run();
}

#[test]
fn bad_resp_with_a_secret_is_told_by_its_name_and_place() {
    let server = Server::start();
    for packed in [
        "*2\r\n$4\r\nAUTH\r\n$s3cr\r\n",
        "*2\r\n$4\r\nAUTH\r\ns3cr\r\n",
        "*2\r\n$4\r\nAUTH\r\n$2\r\ns3cr\r\n",
        "*4\r\n$6\r\nCONFIG\r\n$3\r\nSET\r\n$11\r\nrequirepass\r\n$s3cr\r\n",
    ] {
        let name = if packed.contains("AUTH") { "AUTH" } else { "CONFIG" };
        assert_hidden(server.rcli(["pipe"]).stdin(packed), &["stdin:1: bad RESP: ", &format!("{name} (arguments")]);
    }
}

#[test]
fn a_bad_quoted_argument_of_a_command_with_a_secret_is_not_shown() {
    for words in
        [&["AUTH", "\"s3cr\"et"][..], &["auth", "'s3cr"], &["ACL", "SETUSER", "z", "\">s3cr"], &["\"AUTH s3cr"]]
    {
        assert_hidden(rcli(["exec", "--quoted-input"]).args(words), &["--quoted-input: ", "(arguments not shown)"]);
    }
    rcli(["exec", "--quoted-input", "ECHO", "\"a\"b"]).reports_among(&["  \"a\"b\n     ^"]).status(2).run();
}

#[test]
fn a_bad_line_at_the_prompt_hides_its_secret_and_is_not_kept() {
    let server = Server::start();
    let (terminal, prompt) = crate::pty::open(&server, &[]);
    for line in
        ["AUTH bob s3cr\"e\"t", "[\"CONFIG\",\"SET\",\"requirepass\",\"s3cr", "CONFIG SET \"requirepass\"x s3cr"]
    {
        terminal.line(line);
        terminal.wait("the complaint", |rows| {
            rows.len() > 1
                && rows[rows.len() - 2].starts_with("rcli: ")
                && rows[rows.len() - 2].ends_with("(arguments not shown)")
                && rows.last() == Some(&prompt)
        });
    }
    let home = terminal.leave();
    let history = std::fs::read_to_string(home.path().join(".local/state/rcli/history")).unwrap();
    assert_eq!(history, "#V2\n");
}
