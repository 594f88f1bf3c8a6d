//! Text in: one command a line, redis-cli's quoting, and what a bad line looks like (contract section 3).

use crate::rcli::rcli;
use crate::resp::Reply;
use crate::server::Server;
use crate::side_by_side::redis_cli;

/// Feeds the text to `pipe --json` on a fresh server.
fn assert_replies(input: impl AsRef<[u8]>, replies: &str) {
    Server::start().rcli(["pipe", "--json"]).stdin(input).prints(replies).run();
}

/// Checks the text of a file without a server; its three lines of complaint come back.
fn complaint(input: impl AsRef<[u8]>) -> [String; 3] {
    let run =
        rcli(["pipe", "--check", "bad.txt"]).file("bad.txt", input).status(2).reports_among(&["rcli: bad.txt:"]).run();
    let err = run.err();
    let lines: Vec<String> = err.lines().map(str::to_owned).collect();
    lines.try_into().unwrap_or_else(|_| panic!("expected message, line and caret:\n{err}"))
}

/// The column, from 0, that a caret line points at in the line shown above it.
fn caret(lines: &[String; 3]) -> usize {
    assert_eq!(lines[2].trim(), "^", "{lines:?}");
    assert!(lines[1].starts_with("  "), "the line is indented by two spaces: {lines:?}");
    lines[2].find('^').unwrap() - 2
}

#[test]
fn lines_end_in_lf_or_crlf() {
    assert_replies("SET a 1\r\nGET a\nSET b 2\r\nGET b\r\n", "\"OK\"\n\"1\"\n\"OK\"\n\"2\"\n");
}

#[test]
fn the_last_line_needs_no_newline() {
    assert_replies("SET a 1\nGET a", "\"OK\"\n\"1\"\n");
    assert_replies("SET a 1\r\nGET a\r", "\"OK\"\n\"1\"\n");
}

#[test]
fn empty_lines_and_lines_that_begin_with_a_hash_are_skipped() {
    assert_replies("\n# SET a 1\n\r\n   \nECHO x\n#\n\nECHO \"# y\"\nECHO #z\n", "\"x\"\n\"# y\"\n\"#z\"\n");
}

#[test]
fn words_are_separated_by_any_blanks() {
    assert_replies("  ECHO   a  \n\tECHO\tb\t\n", "\"a\"\n\"b\"\n");
}

#[test]
fn double_quotes_know_redis_clis_escapes() {
    assert_replies(r#"ECHO "a\n\r\t\b\a\\\"\x41\x00z""#, "\"a\\n\\r\\t\\b\\u0007\\\\\\\"A\\u0000z\"\n");
    let server = Server::start();
    server.rcli(["pipe"]).stdin(r#"SET k "\xff\xFE\n\r\t\b\a\\\"""#).prints("OK\n").run();
    assert_eq!(server.call(&[b"GET", b"k"]), Reply::Bulk(b"\xff\xfe\n\r\t\x08\x07\\\"".to_vec()));
}

#[test]
fn single_quotes_know_only_the_escaped_quote() {
    assert_replies(r#"ECHO 'it\'s \n \x41 "q"'"#, "\"it's \\\\n \\\\x41 \\\"q\\\"\"\n");
}

#[test]
fn a_quoted_argument_may_be_empty() {
    let server = Server::start();
    server.rcli(["pipe"]).stdin("SET a \"\"\nSET b ''\n").prints("OK\nOK\n").run();
    assert_eq!(server.call(&[b"GET", b"a"]), Reply::Bulk(Vec::new()));
    assert_eq!(server.call(&[b"GET", b"b"]), Reply::Bulk(Vec::new()));
}

#[test]
fn good_lines_are_split_as_redis_cli_splits_them() {
    let server = Server::start();
    let lines = [
        "ECHO plain",
        "ECHO a\"b c\"",
        "ECHO a'b c'",
        r#"ECHO "\xzz""#,
        r#"ECHO "\q\x4""#,
        r"ECHO a\nb",
        r#"ECHO "tab	in""#,
        r#"ECHO "it's""#,
        r#"ECHO 'say "x"'"#,
        r"ECHO \",
        r"ECHO 'a\\b'",
        r#"ECHO "\x4a\x4A""#,
        "ECHO é",
        "echo {a:b}",
        "ECHO a\u{b}b",
        "ECHO a\u{c}b",
        r#""ECHO" x"#,
    ];
    let input = lines.join("\n") + "\n";
    let expected = redis_cli(&server, &[], input.as_bytes());
    server.rcli([""; 0]).stdin(&input).prints(&expected).run();
    server.rcli(["pipe"]).stdin(&input).prints(&expected).run();
}

#[test]
fn nul_bytes_and_invalid_utf8_are_data() {
    let server = Server::start();
    server.rcli(["pipe"]).stdin(b"SET \"k\0\" \"a\0b\xff\"\nSET raw x\xff\xfey\n").prints("OK\nOK\n").run();
    assert_eq!(server.call(&[b"GET", b"k\0"]), Reply::Bulk(b"a\0b\xff".to_vec()));
    assert_eq!(server.call(&[b"GET", b"raw"]), Reply::Bulk(b"x\xff\xfey".to_vec()));
}

#[test]
fn a_bad_line_is_named_after_the_lines_before_it_were_run_and_answered() {
    let server = Server::start();
    let run = server
        .rcli(["pipe", "cmds.txt"])
        .file("cmds.txt", "SET a 1\n# note\nINCR a\nSET b \"x\nSET c 3\n")
        .status(2)
        .prints("OK\n2\n")
        .reports_among(&["rcli: cmds.txt:4: ", "\n  SET b \"x\n", "^"])
        .run();
    assert_eq!(run.err().lines().count(), 3, "{}", run.err());
    assert_eq!(server.ask("EXISTS b c"), "0");
}

#[test]
fn standard_input_is_named_stdin() {
    let server = Server::start();
    server.rcli(["pipe"]).stdin("PING\nPING 'x\n").status(2).prints("PONG\n").reports_among(&["rcli: stdin:2: "]).run();
}

#[test]
fn the_caret_of_an_open_quote_stands_in_the_open_argument() {
    for quote in ['"', '\''] {
        let line = format!("SET key {quote}never closed");
        let lines = complaint(format!("PING\n{line}\n"));
        assert!(lines[0].starts_with("rcli: bad.txt:2: "), "{lines:?}");
        assert_eq!(lines[1], format!("  {line}"));
        assert!((8..=line.len()).contains(&caret(&lines)), "{lines:?}");
    }
}

#[test]
fn a_quote_must_be_followed_by_a_space_or_the_end_of_the_line() {
    for line in ["SET key \"a\"b", "SET key 'a'b", "SET key \"a\"\"b\""] {
        let lines = complaint(format!("{line}\n"));
        assert!(lines[0].starts_with("rcli: bad.txt:1: "), "{lines:?}");
        assert!((8..=11).contains(&caret(&lines)), "{lines:?}");
    }
}

#[test]
fn a_backslash_does_not_close_a_quote() {
    let lines = complaint("SET key \"a\\\"\n");
    assert!(caret(&lines) >= 8, "{lines:?}");
}

#[test]
fn control_characters_of_a_bad_line_are_escaped_on_stderr() {
    let lines = complaint(b"SET \x1b[2J\x07\x9b \"open\n");
    let shown = lines.join("\n");
    assert!(!shown.contains('\u{1b}') && !shown.contains('\u{7}'), "{shown:?}");
    assert!(shown.contains("SET "), "{shown:?}");
    assert!(caret(&lines) < lines[1].len(), "the caret is under the line: {lines:?}");
}

#[test]
fn a_caret_stands_under_its_place_behind_wide_characters() {
    let lines = complaint("SET 日本 \"x\"y\n");
    assert_eq!(caret(&lines), "SET 日本 \"x\"".chars().count() + 2, "{lines:?}");
}

#[test]
fn a_long_bad_line_is_cut_to_a_window_around_the_caret() {
    let line = format!("SET {} \"open {}", "k".repeat(100_000), "v".repeat(100_000));
    let lines = complaint(format!("{line}\n"));
    assert!(lines.iter().all(|line| line.chars().count() < 250), "{} characters", lines[1].chars().count());
    assert!(caret(&lines) <= lines[1].chars().count(), "{lines:?}");
}

#[test]
fn the_name_of_the_file_is_shown_as_it_was_given() {
    let run = rcli(["pipe", "--check", "./bad.txt"]).file("bad.txt", "GET 'x\n").status(2).any_stderr().run();
    assert!(run.err().starts_with("rcli: ./bad.txt:1: "), "{}", run.err());
}

#[test]
fn several_files_are_read_in_order_each_with_its_own_line_numbers() {
    let server = Server::start();
    server
        .rcli(["pipe", "one.txt", "two.txt"])
        .file("one.txt", "SET a 1\nINCR a")
        .file("two.txt", "INCR a\nGET 'a\n")
        .status(2)
        .prints("OK\n2\n3\n")
        .reports_among(&["rcli: two.txt:2: "])
        .run();
}
