//! Errors whose text is not UTF-8, as a server makes them of a command's own bytes: answers like any other, shown as
//! `\xNN`, in every mode (contract section 2).

use crate::cluster_nodes::Cluster;
use crate::peer::{Answer, peer, send};
use crate::pty::open;
use crate::server::Server;

/// A command name that no server knows, as it is typed.
const UNKNOWN: &str = "\"\\xff\"";
/// What the server says to it.
const TOLD: &str = "ERR unknown command '\\xff', with args beginning with: ";

/// The error as JSON.
fn json_error() -> String {
    format!("{{\"error\":{{\"code\":\"ERR\",\"message\":\"{}\"}}}}", TOLD[4..].replace('\\', "\\\\"))
}

#[test]
fn one_command_alone() {
    let server = Server::start();
    let exec = |format: &str| server.rcli([format, "exec", "--quoted-input", UNKNOWN]).status(1);
    exec("--json").prints(json_error() + "\n").run();
    exec("--raw").reports(format!("rcli: {TOLD}\n")).run();
    exec("--human").prints(format!("(error) {TOLD}\n")).run();
}

#[test]
fn lines_on_stdin_and_pipelines_go_on() {
    let server = Server::start();
    let input = format!("PING\n{UNKNOWN}\nPING\n");
    for verb in [&[][..], &["pipe"], &["pipe", "--window", "1"]] {
        for protocol in ["-2", "-3"] {
            let run = |format: &str| {
                let told = format!("rcli: stdin:2: {UNKNOWN}: {TOLD}\n");
                server.rcli([protocol, format]).args(verb).stdin(&input).status(1).reports(told)
            };
            run("--json").prints(format!("\"PONG\"\n{}\n\"PONG\"\n", json_error())).run();
            run("--human").prints(format!("PONG\n(error) {TOLD}\nPONG\n")).run();
            let blank = if verb.is_empty() { "\n" } else { "" };
            run("--raw").prints(format!("PONG\n{TOLD}\n{blank}PONG\n")).run();
        }
    }
    let run = server
        .rcli(["pipe", "--window", "1", "--on-error", "stop"])
        .stdin(&input)
        .status(1)
        .any_stdout()
        .any_stderr()
        .run();
    assert!(run.err().contains("stopped after an error: 2 commands answered"), "{}", run.err());
}

#[test]
fn an_envelope_holds_it() {
    let server = Server::start();
    let run = server.rcli(["pipe", "--envelope"]).stdin(format!("{UNKNOWN}\nPING\n")).status(1);
    let run = run.any_stdout().any_stderr().run();
    let body = json_error();
    let first = format!("{{\"index\":1,\"line\":1,\"command\":[{{\"base64\":\"/w==\"}}],{}", &body[1..]);
    assert_eq!(run.out().lines().next(), Some(first.as_str()));
    assert!(run.out().contains("\"reply\":\"PONG\""), "{}", run.out());
}

#[test]
fn a_block_with_such_a_command_was_not_run() {
    let server = Server::start();
    let input = format!("INCR n\n{UNKNOWN}\n");
    let refused = format!("stdin:2: {UNKNOWN}: {TOLD}\nrcli: stdin:2: EXEC: nothing was run: EXECABORT ");
    for verb in [&["txn"][..], &["txn", "--watch", "n"], &["pipe", "--atomic"]] {
        let run = server.rcli(["--json"]).args(verb).stdin(&input).status(1).any_stdout().reports_among(&[&refused]);
        let run = run.run();
        assert!(!run.err().contains("outcome unknown"), "{}", run.err());
    }
    let program = format!("echo MULTI; echo INCR n; echo '{UNKNOWN}'");
    let run = server.rcli(["--json", "txn", "--", "sh", "-c", &program]).status(1).any_stdout();
    run.reports_among(&[&format!("sh:3: {UNKNOWN}: {TOLD}\n"), "nothing was run: EXECABORT"]).run();
    let run = server.rcli(["--json"]).stdin(format!("MULTI\nINCR n\n{UNKNOWN}\nINCR n\nEXEC\n")).status(1);
    run.prints(format!("\"OK\"\n\"QUEUED\"\n{}\n\"QUEUED\"\n[1,2]\n", json_error())).any_stderr().run();
    assert_eq!(server.ask("GET n"), "2");
}

/// A command that runs, and whose answer holds such an error.
const FAILS: &str = r#"EVAL "return {1, redis.error_reply('BAD \xff')}" 1 k"#;
const FAILED: &str = r#"[1,{"error":{"code":"BAD","message":"\\xff"}}]"#;

#[test]
fn nested_in_the_answer_of_a_script_and_of_a_block() {
    let server = Server::start();
    server
        .rcli(["--json", "pipe"])
        .stdin(format!("{FAILS}\n"))
        .status(1)
        .prints(format!("{FAILED}\n"))
        .any_stderr()
        .run();
    let told = "stdin:1: EVAL \"return {1, redis.error_reply('BAD \\xff')}\" 1 k: BAD \\xff\n";
    for (verb, replies) in
        [(&["txn"][..], format!("[{FAILED},1]\n")), (&["pipe", "--atomic"], format!("{FAILED}\n1\n"))]
    {
        server.call(&[b"DEL", b"n"]);
        let run = server.rcli(["--json"]).args(verb).stdin(format!("{FAILS}\nINCR n\n"));
        run.status(1).prints(replies).reports(format!("rcli: {told}")).run();
    }
}

#[test]
fn a_program_reads_it_and_goes_on() {
    let server = Server::start();
    let program = format!("echo '{UNKNOWN}'; read -r e; printf '%s\\n' \"$e\" >&2; echo MULTI; echo INCR n");
    let run = server.rcli(["--json", "txn", "--watch", "n", "--", "sh", "-c", &program]).status(1).prints("[1]\n");
    run.reports_among(&[&json_error(), &format!("rcli: sh:1: {UNKNOWN}: {TOLD}\n")]).run();
    let run = server.rcli(["--raw", "txn", "--", "sh", "-c", &program]).status(1).prints("2\n");
    run.reports_among(&[&format!("\n{}\n", TOLD.trim_end())]).run();
}

#[test]
fn in_a_cluster() {
    let cluster = Cluster::start();
    let input = format!("SET a 1\n{FAILS}\nGET a\n");
    for verb in [&["pipe"][..], &["pipe", "--window", "1"], &[]] {
        let run = cluster.rcli(["--json"]).args(verb).stdin(&input).status(1).any_stderr();
        run.prints(format!("\"OK\"\n{FAILED}\n\"1\"\n")).run();
    }
    let run = cluster.rcli(["--json", "txn", "--watch", "k"]).stdin(format!("{FAILS}\nINCR {{k}}n\n")).status(1);
    run.prints(format!("[{FAILED},1]\n")).any_stderr().run();
}

#[test]
fn at_the_prompt() {
    let server = Server::start();
    let (terminal, prompt) = open(&server, &[]);
    terminal.run(&prompt, UNKNOWN, &[format!("(error) {TOLD}").trim_end()]);
    terminal.line("MULTI");
    terminal.shows("(TX 0)>");
    terminal.line(FAILS);
    terminal.shows("(TX 1)>");
    terminal.line("EXEC");
    terminal.shows("(error) BAD \\xff");
    terminal.run(&prompt, "PING", &["PONG"]);
}

#[test]
fn of_every_kind_that_a_server_may_send() {
    let replies: [(&[u8], &str); 4] = [
        (b"-ERR \xff\xfe.\r\n", r#"{"error":{"code":"ERR","message":"\\xff\\xfe."}}"#),
        (b"!7\r\nERR \xff\r\n\r\n", r#"{"error":{"code":"ERR","message":"\\xff\r\n"}}"#),
        (b"-\xc3(\r\n", r#"{"error":{"code":"","message":"\\xc3("}}"#),
        (
            b"%1\r\n+a\r\n~1\r\n-ERR \xe2\x82\xac \xe2\x82\r\n",
            r#"{"a":[{"error":{"code":"ERR","message":"€ \\xe2\\x82"}}]}"#,
        ),
    ];
    for (bytes, line) in replies {
        let peer = peer().answers([send(bytes), send("+next\r\n")]).start();
        let run = peer.rcli(["--json", "pipe"]).stdin("X\nY\n").status(1).any_stderr();
        run.prints(format!("{line}\n\"next\"\n")).run();
    }
    let peer = peer().answers([send(b">2\r\n+note\r\n-ERR \xff\r\n+done\r\n")]).start();
    let shown = "{\"push\":[\"note\",{\"error\":{\"code\":\"ERR\",\"message\":\"\\\\xff\"}}]}\n\"done\"\n";
    peer.rcli(["--json", "--show-pushes", "X"]).prints(shown).run();
}

#[test]
fn in_the_handshake_it_is_told_as_it_is() {
    let refused = send(b"-NOPERM no \xff\r\n");
    let peer = peer().hello(refused.clone()).auth(refused.clone()).select(refused.clone()).start();
    for args in [&["--json", "PING"][..], &["-2", "-a", "x", "--no-auth-warning", "PING"], &["-2", "-n", "3", "PING"]] {
        peer.rcli(args).status(3).complains(&["NOPERM no \\xff"]).run();
    }
    assert_eq!(peer.ordinary(), [""; 0]);
}

#[test]
fn a_stream_that_is_refused_tells_it() {
    let peer = peer().answers(vec![send(b"-NOPERM no \xff\r\n"); 4]).start();
    for verb in [&["sub", "c"][..], &["psub", "c"], &["ssub", "c"], &["monitor"]] {
        peer.rcli(verb).status(3).complains(&["NOPERM no \\xff"]).run();
    }
}

#[test]
fn a_stream_whose_server_sends_one_tells_it_and_connects_again() {
    let subscribed = ">3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n";
    let message = ">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nm\r\n";
    let failing = Answer::Send([subscribed.as_bytes(), b"-ERR \xff\r\n"].concat());
    let peer = peer().answers([failing, send(format!("{subscribed}{message}"))]).start();
    let run = peer.rcli(["sub", "c", "--count", "1", "-m"]).any_stdout().reports_among(&["ERR \\xff"]).run();
    assert!(run.out().contains("\"data\":\"m\""), "{}", run.out());
}
