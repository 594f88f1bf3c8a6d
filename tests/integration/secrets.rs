//! What cannot be parsed is not shown with the password in it: lines, arguments and URLs. Contract section 1.

use crate::rcli::{Rcli, rcli};
use crate::server::Server;

/// Lines that no mode can parse, the command that each begins like, and the secret in all of them.
const BAD_LINES: [(&str, &str); 14] = [
    ("exec AUTH \"s3cr", "AUTH"),
    ("2 AUTH \"s3cr", "AUTH"),
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
    assert!(!said.contains("s3cr") && !said.contains("hunter2"), "{said}");
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

/// URLs that cannot be read, with `hunter2` for (a part of) the password.
const BAD_URLS: [&str; 29] = [
    "redis:/u:hunter2@h",
    "redis:u:hunter2@h",
    "redis:///u:hunter2@h",
    "redis://u:12/hunter2@h/0",
    "redis://u:12?hunter2@h/0",
    "redis://u:12#hunter2@h/0",
    "redis://u:p/hunter2@h",
    "redis://u:p?hunter2=1@h",
    "redis://u:hunter2@h:bad/0",
    "redis://u:p@hunter2@h:bad/0",
    "redis://u:hunter2@h/hunter2",
    "redis://u:hunter2@h?db=hunter2",
    "redis://u:hunter2@h?protocol=hunter2",
    "redis://u:hunter2@",
    "redis://u:hunter2@[::1",
    "rediss://u:hunter2@h#hunter2",
    "redis+sentinel://u:12/hunter2@h:1,h2:2/0",
    "redis+sentinel://u:hunter2/@h:1/0",
    "redis+sentinel://u:hunter2@h:1/m/hunter2",
    "unix:///s?pass=a&hunter2",
    "unix:///s?pass=a#hunter2",
    "unix:///s?password=a&hunter2",
    "unix://u:hunter2/@/s",
    "unix://u:hunter2@h/s",
    "u:hunter2@h",
    ":hunter2@h",
    "redis://hunter2%40h/0",
    "redis://u:hunter2%40h:6379",
    "redis+sentinel://u:hunter2%40h:1/m",
];

#[test]
fn nothing_is_shown_of_a_url_that_cannot_be_read() {
    for url in BAD_URLS {
        assert_hidden(rcli(["-u", url, "PING"]), &["-u: "]);
        assert_hidden(rcli(["PING"]).env("RCLI_URL", url), &["RCLI_URL: "]);
        assert_hidden(rcli(["PING"]).env("REDIS_URL", url), &["REDIS_URL: "]);
        let config = format!("[profile.p]\nurl = \"{url}\"\n");
        assert_hidden(
            rcli(["--profile", "p", "PING"]).file(".config/rcli/config.toml", &config),
            &["config.toml:2: profile 'p': url: "],
        );
        assert_hidden(
            rcli(["profiles"]).file(".config/rcli/config.toml", &config),
            &["config.toml:2: profile 'p': url: "],
        );
    }
}

#[test]
fn a_password_that_cuts_a_url_in_pieces_is_told_how_to_be_written() {
    for sign in ["/", "#", "?"] {
        for host in ["redis://u:hunter2", "rediss://:hunter2", "redis+sentinel://u:1"] {
            let url = format!("{host}{sign}hunter2@h:1/0");
            assert_hidden(rcli(["-u", &url, "PING"]), &["%2F for /, %23 for #, %3F for ?, %40 for @"]);
        }
    }
}

#[test]
fn a_url_in_the_wrong_place_is_not_shown() {
    let server = Server::start();
    let url = "redis://u:hunter2@h";
    for args in [
        &["-h", url, "PING"][..],
        &["-h", "u:hunter2@h", "PING"],
        &["-s", url, "PING"],
        &["-p", url, "PING"],
        &["-n", url, "PING"],
        &["--sentinel", url, "--master", "m", "PING"],
        &["--sentinel", "u:hunter2%40h:1", "--master", "m", "PING"],
        &["-c", "ssub", "--node", url, "c"],
        &["--profile", url, "PING"],
        &["--askpass=hunter2", "PING"],
        &[url],
        &["exec", url],
        &["sub", "c", "--handler", "curl -u u:hunter2 h"],
        &["sub", "c", "--handler", "d=curl -u u:hunter2 h"],
    ] {
        assert_hidden(rcli(args), &[]);
    }
    for variable in ["VALKEYCLI_HOST", "VALKEYCLI_PORT", "RCLI_PROFILE"] {
        assert_hidden(rcli(["PING"]).env(variable, url), &["go with -u"]);
    }
    for key in ["host", "socket", "sentinel", "port"] {
        let config = format!("[profile.p]\n{key} = \"{url}\"\n");
        for args in [&["profiles"][..], &["--profile", "p", "PING"]] {
            assert_hidden(rcli(args).file(".config/rcli/config.toml", &config), &["config.toml:2: "]);
        }
    }
    let line = format!("{url}\n");
    assert_hidden(server.rcli([""; 0]).stdin(&line), &["stdin:1: a URL is no command"]);
    assert_hidden(server.rcli(["pipe"]).stdin(&line), &["stdin:1: a URL is no command"]);
    assert_hidden(server.rcli(["txn"]).stdin(&line), &["stdin:1: a URL is no command"]);
    assert_hidden(server.rcli(["pipe", "--check"]).stdin(format!("{url}\"x\n")), &["a URL (not shown)"]);
    let (terminal, prompt) = crate::pty::open(&server, &[]);
    for (index, line) in
        [url, "connect redis:/u:hunter2@h", "connect redis:u:hunter2@h 1", "connect redis://u:1/hunter2@h"]
            .iter()
            .enumerate()
    {
        terminal.line(line);
        terminal.wait("the complaint", |rows| {
            rows.iter().filter(|row| row.starts_with("rcli: ")).count() == index + 1 && rows.last() == Some(&prompt)
        });
    }
    assert!(
        terminal.rows().iter().all(|row| !row.starts_with("rcli: ") || !row.contains("hunter2")),
        "{:?}",
        terminal.rows()
    );
    let history = std::fs::read_to_string(terminal.leave().path().join(".local/state/rcli/history")).unwrap();
    assert_eq!(history, "#V2\n");
}

#[test]
fn what_a_server_quotes_of_a_secret_is_not_repeated_in_a_message() {
    let server = Server::start();
    let line = "ACL SETUSER bob <hunter2";
    let said = "ERR Error in ACL SETUSER modifier (not shown): The password";
    let run = |args: &[&str]| server.rcli(args).stdin(format!("{line}\n")).any_stdout().status(1).any_stderr().run();
    for args in [&["exec", "ACL", "SETUSER", "bob", "<hunter2"][..], &["pipe", "-q"], &["--json"], &["txn"]] {
        let err = run(args).err();
        assert!(err.contains(said) && !err.contains("hunter2"), "{args:?}: {err}");
    }
    // What is no command here, with one behind it.
    for line in ["2 AUTH hunter2\n", "exec AUTH hunter2\n"] {
        for args in [["pipe", "-q"], ["--json", "--raw"]] {
            let err = server.rcli(args).stdin(line).any_stdout().status(1).any_stderr().run().err();
            assert!(err.contains("(arguments not shown)") && !err.contains("hunter2"), "{args:?}: {err}");
        }
    }
}
