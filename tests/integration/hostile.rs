//! Nothing from outside drives the terminal: a server, a file or an argument full of control characters at every place
//! where rcli shows something of theirs, on a real terminal. Contract section 2.

use crate::peer::{Peer, Script, peer, send};
use crate::pty::Terminal;
use crate::rcli::rcli;

/// A window title, a bell, a sequence that nobody else sends, C1, DEL, bidirectional controls, a backspace.
const EVIL: &str = "E\x1b]0;x\x07\x1b[31337m\u{9b}2J\x7f\u{202e}\u{61c}\x08V";

/// The same as a shell command's argument would be typed.
const QUOTED: &str = r#""E\x1b]0;x\x07\x1b[31337m\xc2\x9b2J\x7f\xe2\x80\xae\xd8\x9c\x08V""#;

fn bulk(text: &str) -> String {
    format!("${}\r\n{text}\r\n", text.len())
}

fn array(items: &[String]) -> String {
    format!("*{}\r\n{}", items.len(), items.concat())
}

/// All that came out holds only what a line editor and colours need.
fn assert_tame(bytes: &[u8], what: &str) {
    let text = String::from_utf8_lossy(bytes);
    let mut rest = text.as_ref();
    while let Some(at) = rest.find(|c: char| c.is_control() || "\u{202e}\u{61c}".contains(c)) {
        let around: String = rest[at..].chars().take(40).collect();
        let mut chars = rest[at..].chars();
        match chars.next() {
            Some('\n' | '\r' | '\t') => {}
            Some('\x1b') => {
                let sequence: String = chars.by_ref().take_while(|c| !c.is_ascii_alphabetic()).collect();
                assert!(sequence.starts_with('[') && !sequence.contains("31337"), "{what}: {around:?} in {text:?}");
            }
            _ => panic!("{what}: {around:?} in {text:?}"),
        }
        rest = chars.as_str();
    }
    assert!(!text.contains('\u{fffd}'), "{what}: bytes that are no text in {text:?}");
}

/// Runs to the end on a terminal; what is said of the hostile text must have come out, and tame.
fn shows(terminal: Terminal, part: &str) {
    let mut terminal = terminal;
    terminal.status();
    let bytes = terminal.bytes();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    assert!(text.contains(part), "{part:?} is missing in {text:?}");
    assert_tame(&bytes, part);
    assert!(!text.replace("\r\n", "").contains('\r'), "a line is overwritten in {text:?}");
}

/// A server that is called so, answers everything so, and documents a command of its own so.
fn hostile() -> Script {
    let evil = bulk(EVIL);
    let name = format!("evil{EVIL}");
    let greeting =
        format!("%4\r\n{}{evil}{}{evil}{}:3\r\n{}:1\r\n", bulk("server"), bulk("version"), bulk("proto"), bulk("id"));
    let entry = |name: &str| {
        array(&[bulk(name), ":-1\r\n".into(), "*0\r\n".into(), ":0\r\n".into(), ":0\r\n".into(), ":0\r\n".into()])
    };
    let argument = format!("%2\r\n{}{evil}{}{}", bulk("name"), bulk("type"), bulk("string"));
    let docs = format!(
        "%5\r\n{}{evil}{}{evil}{}{evil}{}{evil}{}{}",
        bulk("summary"),
        bulk("since"),
        bulk("group"),
        bulk("complexity"),
        bulk("arguments"),
        array(&[argument])
    );
    let table = array(&[entry("evilone"), entry("get"), entry(&name)]);
    let described = format!("%2\r\n{}{docs}{}{docs}", bulk("evilone"), bulk(&name));
    let found = array(&[bulk(&format!("k1{EVIL}")), bulk(&format!("k2{EVIL}"))]);
    peer()
        .hello(send(greeting))
        .always("COMMAND", send(table))
        .always("COMMAND DOCS", send(described))
        .always("SCAN", send(array(&[bulk("0"), found.clone()])))
        .always("PUBSUB", send(found))
        .always("CLIENT LIST", send(bulk(&format!("id=1 name={EVIL}\n"))))
        .otherwise(send(format!("-ERR {EVIL}\r\n")))
}

/// A REPL on the peer with these arguments, and its prompt.
fn repl(peer: &Peer, args: &[&str]) -> (Terminal, String) {
    let prompt = format!("127.0.0.1:{}>", peer.port());
    let terminal = peer.rcli(args).on_terminal(200);
    terminal.wait("the first prompt", |rows| rows.last() == Some(&prompt));
    (terminal, prompt)
}

/// Types a line and waits until it has been run.
fn run_line(terminal: &Terminal, line: &str) {
    terminal.line(line);
    terminal.wait("a prompt below the line", |rows| {
        let typed = rows.iter().position(|row| row.contains(&format!("> {line}")));
        typed.is_some_and(|typed| typed + 1 < rows.len()) && rows.last().is_some_and(|row| row.ends_with('>'))
    });
}

#[test]
fn the_greeting_tab_hints_and_help_are_tame() {
    let peer = hostile().start();
    for color in ["always", "never"] {
        let (terminal, _) = repl(&peer, &["--color", color]);
        terminal.shows("E\\x1b]0;x\\a");
        // The server's table takes a moment to come.
        terminal.keys("EVIL");
        terminal.wait_pressing("\t", |rows| rows.iter().any(|row| row.contains("EVILONE")));
        terminal.keys("\x15evilone ");
        terminal.wait("the hint", |rows| rows.last().is_some_and(|row| row.contains("E\\x1b]0")));
        terminal.keys("\x15GET k");
        terminal.wait_pressing("\t", |rows| rows.iter().filter(|row| row.contains("\"k1E\\x1b")).count() > 0);
        terminal.keys("\x15");
        for topic in ["evilone", QUOTED, "@E", &format!("@{QUOTED}"), ""] {
            run_line(&terminal, format!("help {topic}").trim_end());
        }
        run_line(&terminal, "CLIENT LIST");
        terminal.shows("id=1 name=E\\x1b]0");
        assert_tame(&terminal.bytes(), color);
    }
}

#[test]
fn replies_errors_and_pushes_in_the_repl_are_tame() {
    let evil = bulk(EVIL);
    let replies = [
        format!("-ERR {EVIL}\r\n"),
        format!("!{}\r\nERR \r\n{EVIL}\r\n", EVIL.len() + 6),
        format!("+{EVIL}\r\n"),
        format!("={}\r\ntxt:{EVIL}\r\n", EVIL.len() + 4),
        format!("%1\r\n+{EVIL}\r\n{evil}"),
        format!("~1\r\n{evil}"),
        format!(">2\r\n{evil}{evil}+OK\r\n"),
        format!("({EVIL}\r\n"),
        format!(",{EVIL}\r\n"),
        format!("?{EVIL}\r\n"),
    ];
    let twice = replies.iter().flat_map(|reply| [send(reply), send(reply)]);
    for format in ["--human", "--json", "--raw"] {
        let peer = hostile().answers(twice.clone()).start();
        let (terminal, _) = repl(&peer, &["-3", "--show-pushes", format]);
        for number in 0..replies.len() {
            // As a value, and as a report of many lines.
            run_line(&terminal, &format!("ECHO {number}"));
            run_line(&terminal, &format!("INFO {number}"));
        }
        assert_tame(&terminal.bytes(), format);
    }
}

#[test]
fn one_command_is_tame_in_every_format() {
    let evil = bulk(EVIL);
    for reply in
        [evil.clone(), array(&[evil.clone(), evil.clone()]), format!("+{EVIL}\r\n"), format!("-ERR {EVIL}\r\n")]
    {
        for (format, shown) in [
            ("--human", "E\\x1b]0"),
            ("--raw", "E\\x1b]0"),
            ("--json", "E\\u001b]0;x\\u0007\\u001b[31337m\\u009b2J\\u007f\\u202e\\u061c"),
        ] {
            let peer = peer().otherwise(send(&reply)).start();
            shows(peer.rcli(["-3", format, "exec", "X"]).on_terminal(400), shown);
        }
    }
    let peer = peer().otherwise(send(format!(">2\r\n{evil}{evil}+OK\r\n"))).start();
    for format in ["--human", "--raw", "--json"] {
        shows(peer.rcli(["-3", "--show-pushes", format, "exec", "X"]).on_terminal(400), "E\\u001b]0");
    }
}

#[test]
fn raw_on_a_terminal_keeps_lines_and_elsewhere_everything() {
    let text = "a\tb\nc\r\nd\re\u{9b}\n";
    let binary = [b"$5\r\na\xff\x1b\x9bz\r\n".as_slice()].concat();
    let peer = peer().answers([send(bulk(text)), send(bulk(text)), send(&binary), send(&binary)]).start();
    let mut terminal = peer.rcli(["--raw", "GET", "k"]).on_terminal(80);
    terminal.status();
    assert_eq!(String::from_utf8(terminal.bytes()).unwrap(), "a\tb\r\nc\r\r\nd\\re\\xc2\\x9b\r\n\r\n");
    peer.rcli(["--raw", "GET", "k"]).prints(format!("{text}\n")).run();
    let mut terminal = peer.rcli(["--raw", "GET", "k"]).on_terminal(80);
    terminal.status();
    assert_eq!(String::from_utf8(terminal.bytes()).unwrap(), "a\\xff\\x1b\\x9bz\r\n");
    peer.rcli(["--raw", "GET", "k"]).prints(b"a\xff\x1b\x9bz\n").run();
}

#[test]
fn json_elsewhere_is_as_it_was() {
    let peer = peer().otherwise(send(bulk("\u{9b}\x7f\u{202e}"))).start();
    peer.rcli(["--json", "GET", "k"]).prints("\"\u{9b}\x7f\u{202e}\"\n").run();
}

#[test]
fn pipelines_and_transactions_are_tame() {
    let evil = bulk(EVIL);
    let line = format!("[\"ECHO\",{}]\n", serde_json::to_string(EVIL).unwrap());
    for args in [&["pipe", "--envelope"][..], &["--json", "pipe"], &["--raw", "pipe"], &["--human", "pipe"]] {
        let peer = peer().otherwise(send(&evil)).start();
        let shown = if args.iter().any(|arg| ["--raw", "--human"].contains(arg)) { "E\\x1b]0" } else { "E\\u001b]0" };
        shows(peer.rcli(args).args(["--progress", "never", "cmds"]).file("cmds", &line).on_terminal(400), shown);
        let peer = self::peer().otherwise(send(format!("-ERR {EVIL}\r\n"))).start();
        shows(peer.rcli(args).args(["--progress", "never", "cmds"]).file("cmds", &line).on_terminal(400), "E\\x1b]0");
    }
    for (format, shown) in [("--json", "E\\u001b]0"), ("--raw", "E\\x1b]0"), ("--human", "E\\x1b]0")] {
        let peer = self::peer().exec(send(array(std::slice::from_ref(&evil)))).start();
        shows(peer.rcli([format, "txn", "block"]).file("block", &line).on_terminal(400), shown);
        let peer = self::peer().exec(send(format!("-EXECABORT {EVIL}\r\n"))).start();
        shows(peer.rcli([format, "txn", "block"]).file("block", &line).on_terminal(400), "E\\x1b]0");
    }
}

#[test]
fn streams_are_tame() {
    let evil = bulk(EVIL);
    let subscribed = format!(">3\r\n{}{evil}:1\r\n", bulk("subscribe"));
    let message = format!(">3\r\n{}{evil}{evil}", bulk("message"));
    let other = format!(">2\r\n{}{evil}", bulk("tracking-redir"));
    for (format, shown) in [("--json", "E\\u001b]0"), ("--raw", "E\\x1b]0"), ("--human", "E\\x1b]0")] {
        let peer = peer().always("SUBSCRIBE", send(format!("{subscribed}{other}{message}"))).start();
        let run = peer.rcli(["-3", format, "--show-pushes", "sub", EVIL, "--count", "1"]);
        shows(run.on_terminal(400), shown);
    }
    let monitored = format!("+OK\r\n+1.000000 [0 unix:/{EVIL}] \"GET\" \"{EVIL}\"\r\n");
    for (format, shown) in [("--json", "E\\u001b]0"), ("--raw", "E\\x1b]0"), ("--human", "E\\x1b]0")] {
        let peer = peer().always("MONITOR", send(&monitored)).start();
        shows(peer.rcli([format, "monitor", "--count", "1"]).on_terminal(400), shown);
    }
    let refused = peer().otherwise(send(format!("-ERR {EVIL}\r\n"))).start();
    shows(refused.rcli(["monitor"]).on_terminal(400), "E\\x1b]0");
    shows(refused.rcli(["sub", "x"]).on_terminal(400), "E\\x1b]0");
}

#[test]
fn what_handlers_and_programs_read_is_as_it_came() {
    let text = "\u{9b}\x7f\u{202e}";
    let confirmed = format!(">3\r\n{}{}:1\r\n", bulk("subscribe"), bulk("c"));
    let message = format!(">3\r\n{}{}{}", bulk("message"), bulk("c"), bulk(text));
    let peer = peer().always("SUBSCRIBE", send(format!("{confirmed}{message}"))).start();
    let mut terminal = peer.rcli(["-3", "sub", "c", "--count", "1", "--handler", "c=cat > got"]).on_terminal(80);
    assert_eq!(terminal.status(), 0);
    let got = std::fs::read_to_string(terminal.home().join("got")).unwrap();
    assert!(got.contains(text), "{got:?}");
    let peer = self::peer().answers([send(bulk(text))]).exec(send("*0\r\n")).start();
    let program = ["-3", "--raw", "txn", "--", "sh", "-c", "echo GET k; read -r got; printf %s \"$got\" > got"];
    let mut terminal = peer.rcli(program).on_terminal(80);
    assert_eq!(terminal.status(), 0);
    assert_eq!(std::fs::read_to_string(terminal.home().join("got")).unwrap(), text);
}

#[test]
fn events_and_addresses_that_servers_name_are_tame() {
    let moved = peer().otherwise(send(format!("-MOVED 7 {EVIL}:6379\r\n"))).start();
    for format in ["--human", "--json"] {
        shows(moved.rcli([format, "-c", "GET", "k"]).on_terminal(400), "E\\x1b]0");
    }
    let place = |host: &str, port: &str| send(array(&[bulk(host), bulk(port)]));
    let sentinel = peer().always("SENTINEL", place(EVIL, "1")).start();
    let args = ["--sentinel", &format!("127.0.0.1:{}", sentinel.port()), "--master", EVIL];
    shows(rcli(args).args(["PING"]).on_terminal(400), "E\\x1b]0");
    let terminal = rcli(args).on_terminal(400);
    terminal.wait("the prompt", |rows| rows.last().is_some_and(|row| row.ends_with('>')));
    terminal.line("FLUSHALL");
    terminal.shows("(y/N)");
    assert_tame(&terminal.bytes(), "a question");
    // A stream whose primary is gone, and then named elsewhere.
    let primary = peer()
        .always("ROLE", send(array(&[bulk("master"), ":0\r\n".into(), "*0\r\n".into()])))
        .always("SUBSCRIBE", send(format!(">3\r\n{}{}:1\r\n", bulk("subscribe"), bulk("c"))))
        .start();
    let port = primary.port().to_string();
    let sentinel = peer().always("SENTINEL", place("127.0.0.1", &port)).start();
    let terminal = rcli(["--sentinel", &format!("127.0.0.1:{}", sentinel.port()), "--master", "m", "--json"])
        .args(["sub", "c", "--events", "--max-retries", "1"])
        .on_terminal(400);
    terminal.shows("\"subscribe\"");
    sentinel.set("SENTINEL", place(EVIL, "1"));
    primary.hang_up();
    shows(terminal, "E\\x1b]0");
}

#[test]
fn numbers_that_no_server_has_are_added_up_to_the_largest() {
    let most = u64::MAX;
    let info = bulk(&format!("db0:keys={most},expires=0\r\ndb1:keys={most},expires=0\r\n"));
    let peer = peer().always("INFO", send(info)).otherwise(send("-ERR no\r\n")).start();
    let (terminal, _) = repl(&peer, &[]);
    terminal.line("FLUSHALL");
    terminal.shows(&format!("{most} keys"));
}

#[test]
fn views_above_the_prompt_and_their_list_are_tame() {
    let evil = bulk(EVIL);
    let subscribed = format!(">3\r\n{}{evil}:1\r\n", bulk("subscribe"));
    let message = format!(">3\r\n{}{evil}{evil}", bulk("message"));
    for format in ["human", "json", "raw"] {
        let script = peer().always("SUBSCRIBE", send(format!("{subscribed}{message}")));
        let peer = script.always("PING", send("+PONG\r\n")).start();
        let (terminal, _) = repl(&peer, &[]);
        terminal.line(&format!(":set output {format}"));
        terminal.line(&format!("SUBSCRIBE {QUOTED} &"));
        terminal.shows("[1] SUBSCRIBE");
        terminal.line("jobs");
        terminal.wait("the list", |rows| rows.iter().filter(|row| row.contains("[1] SUBSCRIBE")).count() > 1);
        let shown = if format == "json" { "E\\u001b" } else { "E\\x1b" };
        terminal.wait("the message", |rows| rows.iter().any(|row| row.contains(shown) && !row.contains("SUBSCRIBE")));
        peer.set("SUBSCRIBE", send(format!("-ERR {EVIL}\r\n")));
        terminal.line("SUBSCRIBE other &");
        terminal.line("sub other --count 1 &");
        for number in ["[1]", "[2]"] {
            terminal.wait("the refusal", |rows| {
                rows.iter().any(|row| row.starts_with(&format!("rcli: {number}")) && row.contains("ERR E\\x1b"))
            });
        }
        peer.hang_up();
        terminal.shows("connection lost");
        run_line(&terminal, "stop 1");
        assert_tame(&terminal.bytes(), format);
    }
}

#[test]
fn files_arguments_and_the_environment_are_tame() {
    let listed = "[profile.a]\nuser = \"u\\u001b]0;x\\u0007\\u001b[31337m\u{9b}\u{202e}\"\npass = \"p\"\n";
    for format in ["--human", "--raw", "--json"] {
        let run =
            rcli([format, "profiles"]).file(".config/rcli/config.toml", listed).mode(".config/rcli/config.toml", 0o600);
        shows(run.on_terminal(400), if format == "--json" { "u\\u001b]0" } else { "u\\x1b]0" });
    }
    let bad = "[profile.a]\n\"k\\u001b[31337m\" = 1\n";
    shows(rcli(["profiles"]).file(".config/rcli/config.toml", bad).on_terminal(400), "k\\x1b[31337m");
    shows(rcli(["--profile", EVIL, "PING"]).on_terminal(400), "no profile");
    shows(rcli(["pipe", EVIL]).on_terminal(400), "E\\x1b]0");
    shows(rcli(["--no-such", EVIL, &format!("--{EVIL}")]).on_terminal(400), "rcli:");
    shows(rcli(["-p", EVIL]).on_terminal(400), "rcli:");
    shows(rcli(["PING"]).env("RCLI_FORMAT", EVIL).on_terminal(400), "E\\x1b]0");
    shows(rcli(["-s", EVIL, "PING"]).on_terminal(400), "E\\x1b]0");
    shows(rcli(["-h", EVIL, "PING"]).on_terminal(400), "rcli:");
    shows(rcli(["pipe", "--check", "cmds"]).file("cmds", format!("SET \"{EVIL}\n")).on_terminal(400), "E\\x1b]0");
    shows(rcli(["sub", "x", "--handler", &format!("{EVIL}=cat")]).on_terminal(400), "rcli:");
}

#[test]
fn a_place_with_a_hostile_name_is_tame() {
    let server = crate::server::Server::start();
    let directory = tempfile::TempDir::new().unwrap();
    let path = directory.path().join(EVIL);
    std::os::unix::fs::symlink(server.socket(), &path).unwrap();
    let terminal = rcli(["-s", path.to_str().unwrap()]).on_terminal(400);
    terminal.wait("the prompt", |rows| rows.last().is_some_and(|row| row.contains("E\\x1b]0") && row.ends_with('>')));
    run_line(&terminal, "PING");
    assert_tame(&terminal.bytes(), "the prompt");
}

#[test]
fn what_is_pasted_or_stands_in_the_history_is_tame() {
    let peer = hostile().start();
    let history = format!("#V2\nECHO old{EVIL}\n");
    for color in ["always", "never"] {
        let prompt = format!("127.0.0.1:{}>", peer.port());
        let terminal = peer.rcli(["--color", color]).env("RCLI_HISTFILE", "h").file("h", &history).on_terminal(200);
        terminal.wait("the first prompt", |rows| rows.last() == Some(&prompt));
        terminal.keys("\x1b[A");
        terminal.wait("the old line", |rows| rows.last().is_some_and(|row| row.contains("ECHO oldE")));
        terminal.keys("\x15");
        run_line(&terminal, "history");
        terminal.shows("oldE\\x1b]0");
        // A terminal passes on no escape sequence in a paste; rustyline drops what begins like one.
        terminal.paste("ECHO a\u{9b}2J\x07b\u{202e}\u{61c}");
        terminal.wait("the paste", |rows| rows.last().is_some_and(|row| row.contains("ECHO a2Jb")));
        terminal.keys("x");
        terminal.wait("the key", |rows| rows.last().is_some_and(|row| row.contains("ECHO a2Jbx")));
        terminal.keys("\r");
        terminal.wait("the prompt", |rows| rows.last() == Some(&prompt));
        terminal.paste("ECHO a\u{9b}2J\x07b\nECHO c\n");
        terminal.keys("\r");
        terminal.shows("ECHO a\\xc2\\x9b2J\\ab");
        terminal.wait("the prompt", |rows| rows.last() == Some(&prompt));
        assert_tame(&terminal.bytes(), color);
    }
}
