//! What a person meets first: help, version, and mistakes on the command line (contract section 1).

use crate::rcli::rcli;
use crate::server::Server;

#[test]
fn version_is_printed_with_the_programs_name() {
    for args in [&["--version"][..], &["-v"], &["pipe", "-v"], &["-p", "1", "exec", "--version"]] {
        rcli(args.iter().copied()).prints(format!("rcli {}\n", env!("CARGO_PKG_VERSION"))).run();
    }
}

#[test]
fn help_and_version_that_cannot_be_written_are_no_success() {
    for args in [&["--help"][..], &["-v"], &["pipe", "--help"], &["completions", "bash"]] {
        let full = std::fs::File::create("/dev/full").unwrap();
        rcli(args.iter().copied()).stdout_to(full).status(3).complains(&["cannot write the output: No space"]).run();
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        rcli(args.iter().copied()).stdout_to(writer).run();
    }
}

#[test]
fn help_begins_with_examples() {
    for option in ["--help", "-?"] {
        let help = rcli([option]).any_stdout().run().out();
        let examples = help.to_lowercase().find("example").unwrap_or_else(|| panic!("{option}: no examples:\n{help}"));
        let options = help.find("--host").unwrap_or_else(|| panic!("{option}: no options:\n{help}"));
        assert!(examples < options, "{option}: the examples come after the options:\n{help}");
    }
}

#[test]
fn the_help_of_every_subcommand_begins_with_examples() {
    for subcommand in ["exec", "pipe"] {
        let help = rcli([subcommand, "--help"]).any_stdout().run().out();
        let first = help.find("rcli").unwrap_or_else(|| panic!("{subcommand}: {help}"));
        let options = help.find("Options").unwrap_or(help.len());
        assert!(first < options && help.to_lowercase().contains("example"), "{subcommand}:\n{help}");
    }
}

#[test]
fn what_is_no_number_of_seconds_is_said_in_words() {
    for (seconds, words) in [("nan", "0 or more"), ("-1", "0 or more"), ("soon", "0 or more"), ("1e10", "more than")] {
        rcli([&format!("-t{seconds}"), "PING"]).status(2).complains(&["--connect-timeout", words]).run();
    }
}

#[test]
fn h_is_the_host_and_not_help() {
    let server = Server::start();
    server.rcli(["-h", "127.0.0.1", "PING"]).prints("PONG\n").run();
}

#[test]
fn a_port_that_stands_with_the_host_is_told_where_it_goes() {
    for (host, advice) in [
        ("localhost:6379", "-h localhost:6379: a port goes with -p: -h localhost -p 6379"),
        ("[::1]:6379", "-h [::1]:6379: a port goes with -p: -h [::1] -p 6379"),
    ] {
        rcli(["-h", host, "PING"]).status(2).complains(&[advice]).run();
    }
    rcli(["-h", "::1", "-p", "1", "PING"]).status(3).complains(&["cannot connect to [::1]:1"]).run();
}

#[test]
fn h_as_the_last_word_is_help() {
    let help = |args: &[&str]| rcli(args.iter().copied()).any_stdout().run().out();
    let whole = help(&["-?"]);
    for args in [&["-h"][..], &["-p", "7000", "-h"], &["--json", "-h"], &["-?"]] {
        assert_eq!(help(args), whole, "{args:?}");
    }
    for verb in ["exec", "pipe", "sub", "monitor", "txn", "completions"] {
        let own = help(&[verb, "-?"]);
        assert_ne!(own, whole);
        assert_eq!(help(&[verb, "-h"]), own, "{verb}");
        assert_eq!(help(&["-p", "7000", verb, "-n", "1", "-h"]), own, "{verb}");
    }
}

#[test]
fn h_as_the_last_word_of_a_command_is_its_own() {
    let server = Server::start();
    server.ask("SET -h value");
    server.rcli(["GET", "-h"]).prints("value\n").run();
    server.rcli(["exec", "GET", "-h"]).prints("value\n").run();
    assert_bad_usage(&["-a", "-h"], &["--pass"]);
    assert_bad_usage(&["--nosuch", "-h"], &["--nosuch"]);
}

#[test]
fn a_wrong_option_is_told_with_the_right_one_and_where_help_is() {
    for (args, message) in [
        (&["--hots"][..], "unexpected argument '--hots' found; a similar argument exists: '--host'; see rcli --help"),
        (
            &["--json", "pipe", "--windw", "3"],
            "unexpected argument '--windw' found; a similar argument exists: '--window'; see rcli pipe --help",
        ),
        (
            &["pipe", "--on-error", "halt"],
            "invalid value 'halt' for '--on-error <WHAT>' [possible values: continue, stop]; see rcli pipe --help",
        ),
        (&["sub"], "the following required arguments were not provided: <CHANNEL>...; see rcli sub --help"),
        (
            &["exec", "-p", "x"],
            "invalid value 'x' for '--port <PORT>': a whole number is expected; see rcli exec --help",
        ),
        (&["-p", "x", "exec"], "invalid value 'x' for '--port <PORT>': a whole number is expected; see rcli --help"),
    ] {
        rcli(args.iter().copied()).status(2).reports(format!("rcli: {message}\n")).run();
    }
}

#[test]
fn help_tells_of_commands_and_their_groups_without_a_server() {
    let help = |topic: &[&str]| rcli(["-p", "1", "help"]).args(topic).any_stdout().run().out();
    assert!(help(&["config", "get"]).starts_with("  CONFIG GET parameter"));
    assert!(help(&["@hash"]).contains("\nHGETALL "));
    for word in ["HELP", "?"] {
        rcli([word, "SET"]).prints(help(&["set"])).run();
    }
    assert_eq!(help(&["pipe"]), rcli(["pipe", "--help"]).any_stdout().run().out());
    rcli(["help", "hgetal"]).status(2).complains(&["no command is called 'hgetal'; did you mean HGETALL?"]).run();
    rcli(["help", "@x"]).status(2).complains(&["no group is called '@x'; there are @bitmap"]).run();
}

#[test]
fn the_help_names_no_hidden_subcommand() {
    let help = rcli(["--help"]).any_stdout().run().out();
    let named = help.lines().any(|line| line.trim_start().starts_with("generate"));
    assert!(!named, "`generate` is for the project itself:\n{help}");
}

/// Runs a wrong command line: status 2, nothing on stdout, `rcli: …` on stderr with these parts.
fn assert_bad_usage(args: &[&str], parts: &[&str]) {
    rcli(args.iter().copied()).status(2).complains(parts).run();
}

#[test]
fn an_unknown_option_is_one_line_and_status_2() {
    assert_bad_usage(&["--no-such-option", "PING"], &["--no-such-option"]);
    assert_bad_usage(&["pipe", "--no-such-option"], &["--no-such-option"]);
}

#[test]
fn an_option_value_that_is_wrong_is_one_line_and_status_2() {
    assert_bad_usage(&["-p", "notaport", "PING"], &["notaport"]);
    assert_bad_usage(&["-p", "65536", "PING"], &["'65536' for '--port <PORT>': a number from 0 to 65535 is expected"]);
    assert_bad_usage(&["-n", "-1", "PING"], &["'-1' for '--db <N>': 0 or more is expected"]);
    assert_bad_usage(&["-r", "-2", "PING"], &["'-2' for '-r <N>': -1 or more is expected"]);
    assert_bad_usage(&["sub", "c", "--count", "99999999999999999999"], &["the number is too large"]);
    assert_bad_usage(&["-n", "two", "PING"], &["two"]);
    assert_bad_usage(&["-t", "soon", "PING"], &["soon"]);
    assert_bad_usage(&["--read-timeout=-3", "PING"], &["-3"]);
    assert_bad_usage(&["--encoding", "latin1", "PING"], &["latin1"]);
    assert_bad_usage(&["--color", "sometimes", "PING"], &["sometimes"]);
    assert_bad_usage(&["pipe", "--on-error", "panic"], &["panic"]);
    assert_bad_usage(&["pipe", "--window", "0"], &["0"]);
    assert_bad_usage(&["pipe", "--skip", "few"], &["few"]);
    assert_bad_usage(&["exec", "-r", "often", "PING"], &["often"]);
    assert_bad_usage(&["exec", "-i", "nan", "PING"], &["nan"]);
    // Below 0: what is wrong with it, and no "unexpected argument".
    let seconds = "invalid value '-1' for '--connect-timeout <SECS>': a number of seconds is expected, 0 or more";
    assert_bad_usage(&["-t", "-1", "PING"], &[seconds]);
    assert_bad_usage(&["-p", "-1", "PING"], &["invalid value '-1' for '--port"]);
    assert_bad_usage(&["-r", "2", "-i", "-0.5", "PING"], &["invalid value '-0.5' for '-i"]);
    assert_bad_usage(
        &["sub", "c", "--count", "-1"],
        &["invalid value '-1' for '--count <N>': a whole number is expected"],
    );
    assert_bad_usage(&["tail", "s", "--from", "-1"], &["--from -1: an id is expected"]);
}

#[test]
fn a_password_or_delimiter_may_begin_as_options_do() {
    let server = Server::with_password("-secret");
    server.rcli(["--no-auth-warning", "-a", "-secret", "PING"]).prints("PONG\n").run();
    server.rcli(["--no-auth-warning", "-D", "---", "--pass", "-secret", "PING"]).prints("PONG---").run();
    // An option that there is, is no password: one was forgotten.
    assert_bad_usage(&["-a", "-n", "1", "PING"], &["a value is required for '--pass <PASSWORD>'"]);
    assert_bad_usage(&["--pass", "--no-auth-warning", "PING"], &["a value is required for '--pass <PASSWORD>'"]);
}

#[test]
fn an_option_without_its_value_is_bad_usage() {
    assert_bad_usage(&["-p"], &["port"]);
}

#[test]
fn a_value_that_is_huge_or_not_finite_does_not_panic() {
    for value in ["inf", "NaN", "1e300", "-0.1", "99999999999999999999"] {
        rcli(["-t", value, "-p", "1", "PING"]).status_among(&[2, 3]).complains(&[]).run();
        rcli(["--read-timeout", value, "-p", "1", "PING"]).status_among(&[2, 3]).complains(&[]).run();
    }
}

#[test]
fn what_needs_no_server_asks_for_none() {
    for args in
        [&["pipe", "--check"][..], &["pipe", "--check", "-u", "no-url"], &["profiles"], &["completions", "bash"]]
    {
        rcli(args.iter().copied())
            .env("RCLI_URL", "no-url")
            .env("VALKEYCLI_PORT", "nonsense")
            .stdin("PING\n")
            .any_stdout()
            .any_stderr()
            .run();
    }
    rcli(["pipe"]).env("RCLI_URL", "no-url").stdin("PING\n").status(2).complains(&["RCLI_URL"]).run();
}
