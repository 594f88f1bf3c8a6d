//! What helps the hands in the REPL: completion, hints, colours, help. Contract section 10.

use crate::peer::{peer, send};
use crate::pty::{Terminal, open_at};
use crate::server::{DEADLINE, Server};
use std::time::{Duration, Instant};

const CTRL_C: &str = "\x03";
const CTRL_U: &str = "\x15";

/// Types this, then Tab, and waits until the line is that.
fn completes(terminal: &Terminal, prompt: &str, typed: &str, line: &str) {
    terminal.keys(typed);
    terminal.keys("\t");
    let expected = format!("{prompt} {line}");
    terminal.wait(&format!("{expected:?}"), |rows| rows.last().is_some_and(|row| row.starts_with(&expected)));
    terminal.keys(CTRL_U);
    terminal.wait("an empty line", |rows| rows.last().is_some_and(|row| row == prompt));
}

#[test]
fn tab_completes_names_in_the_case_that_is_typed() {
    let server = Server::start();
    let (terminal, prompt) = open_at(&server, &[], 120);
    completes(&terminal, &prompt, "HGETA", "HGETALL key");
    completes(&terminal, &prompt, "hgeta", "hgetall key");
    completes(&terminal, &prompt, "CLIENT NO-E", "CLIENT NO-EVICT <ON | OFF>");
    completes(&terminal, &prompt, "config gE", "config GET parameter");
    completes(&terminal, &prompt, "hist", "history");
    completes(&terminal, &prompt, "help zadd", "help zadd");
    completes(&terminal, &prompt, "help @sor", "help @sorted-set");
    completes(&terminal, &prompt, ":set output j", ":set output json");
}

#[test]
fn tab_offers_options_in_their_order() {
    let server = Server::start();
    let (terminal, _) = open_at(&server, &[], 120);
    terminal.keys("SET k v \t");
    terminal.wait("the options", |rows| {
        rows.iter().any(|row| row.split_whitespace().eq(["NX", "XX", "GET", "EX", "PX", "EXAT", "PXAT", "KEEPTTL"]))
    });
    terminal.keys("NX G\t");
    terminal.shows("SET k v NX GET");
}

#[test]
fn tab_completes_keys_of_the_commands_type() {
    let server = Server::start();
    server.ask("SET thing:string v");
    server.ask("RPUSH thing:list v");
    server.call(&[b"SET", b"sp ace\n", b"v"]);
    server.call(&[b"SET", b"glob*[x]", b"v"]);
    server.call(&[b"SET", b"globber", b"v"]);
    let (terminal, prompt) = open_at(&server, &[], 120);
    completes(&terminal, &prompt, "LPOP th", "LPOP thing:list");
    completes(&terminal, &prompt, "GET th", "GET thing:string");
    completes(&terminal, &prompt, "GET sp", "GET \"sp ace\\n\"");
    completes(&terminal, &prompt, "GET \"sp", "GET \"sp ace\\n\"");
    completes(&terminal, &prompt, "GET glob*", "GET glob*[x]");
    terminal.keys("DEL thing:\t");
    let has = |rows: &[String], words: [&str; 2]| rows.iter().any(|row| row.split_whitespace().eq(words));
    terminal.wait("both keys with what they are", |rows| {
        has(rows, ["thing:list", "list"]) && has(rows, ["thing:string", "string"])
    });
}

#[test]
fn tab_completes_keys_of_the_database_that_is_selected() {
    let server = Server::start();
    server.ask("SET key:zero v");
    let (terminal, prompt) = open_at(&server, &[], 120);
    completes(&terminal, &prompt, "GET ke", "GET key:zero");
    terminal.line("SELECT 3");
    terminal.line("SET key:three v");
    let inside = format!("{}[3]>", prompt.trim_end_matches('>'));
    terminal.ends_with(&["OK", &inside]);
    completes(&terminal, &inside, "GET ke", "GET key:three");
}

#[test]
fn tab_completes_channels_and_parameters() {
    let server = Server::start();
    let (terminal, prompt) = open_at(&server, &[], 120);
    let mut listener = server.client();
    listener.call(&[b"SUBSCRIBE", b"news:world"]).unwrap();
    completes(&terminal, &prompt, "PUBLISH ne", "PUBLISH news:world message");
    completes(&terminal, &prompt, "CONFIG GET maxmemory-p", "CONFIG GET maxmemory-policy");
    completes(&terminal, &prompt, "CONFIG SET maxmemory-p", "CONFIG SET maxmemory-policy value");
}

#[test]
fn completion_disturbs_neither_watch_nor_block() {
    let server = Server::start();
    server.ask("SET key:one v");
    let (terminal, prompt) = open_at(&server, &[], 120);
    terminal.line("WATCH key:one");
    terminal.ends_with(&["OK", &prompt]);
    completes(&terminal, &prompt, "GET ke", "GET key:one");
    terminal.line("MULTI");
    let inside = format!("{}(TX 0)>", prompt.trim_end_matches('>'));
    terminal.ends_with(&["OK", &inside]);
    completes(&terminal, &inside, "GET ke", "GET key:one");
    terminal.line("SET key:one w");
    terminal.line("EXEC");
    terminal.ends_with(&["1) SET key:one w", "   OK", &prompt]);
}

#[test]
fn completion_over_many_keys_gives_the_prompt_back() {
    let server = Server::start();
    server.ask("DEBUG POPULATE 100000 crowd 8");
    let (terminal, _) = open_at(&server, &[], 120);
    terminal.keys("GET crowd:");
    terminal.wait_pressing("\t", |rows| rows.iter().any(|row| row.ends_with("more; type on)")));
    terminal.keys(CTRL_U);
    terminal.keys("GET none:\tx");
    terminal.shows("GET none:x");
}

#[test]
fn what_is_one_of_very_many_keys_is_there_at_the_next_tab() {
    let server = Server::start();
    server.ask("DEBUG POPULATE 300000 crowd 8");
    server.ask("RPUSH needle v");
    let (terminal, prompt) = open_at(&server, &[], 120);
    terminal.keys("LRANGE needl");
    let line = format!("{prompt} LRANGE needle ");
    terminal.wait_pressing("\t", |rows| rows.last().is_some_and(|row| row.starts_with(&line)));
}

#[test]
fn a_server_that_says_nothing_does_not_keep_the_prompt() {
    let silent = peer().start();
    let terminal = silent.rcli([""; 0]).on_terminal(120);
    terminal.wait("the prompt", |rows| rows.last().is_some_and(|row| row.ends_with('>')));
    let begin = Instant::now();
    for _ in 0..5 {
        terminal.keys("GET k\t");
        terminal.keys(CTRL_U);
    }
    terminal.keys("SET alive");
    terminal.shows("SET alive value");
    // Without the limit of a tenth of a second each Tab waits for the two that a server has to answer in.
    assert!(begin.elapsed() < Duration::from_secs(9), "{:?}", begin.elapsed());
}

#[test]
fn a_server_that_is_gone_does_not_keep_the_prompt() {
    let mut server = Server::start();
    let (terminal, prompt) = open_at(&server, &[], 120);
    server.kill_nine();
    terminal.keys("GET k\t");
    terminal.shows("GET k");
    terminal.keys(CTRL_U);
    completes(&terminal, &prompt, "HGETA", "HGETALL key");
}

#[test]
fn without_command_docs_the_table_is_the_built_in_one() {
    let old = peer().otherwise(send("-ERR unknown command\r\n")).start();
    let terminal = old.rcli([""; 0]).on_terminal(120);
    terminal.wait("the prompt", |rows| rows.last().is_some_and(|row| row.ends_with('>')));
    terminal.keys("SET k ");
    terminal.shows("SET k value [NX | XX]");
    terminal.keys(CTRL_U);
    terminal.line("help GET");
    terminal.shows("GET key");
}

#[test]
fn hints_advance_as_one_types() {
    let server = Server::start();
    let (terminal, _) = open_at(&server, &[], 160);
    for (typed, shown) in [
        ("ZADD", "ZADD key [NX | XX] [GT | LT] [CH] [INCR] score member [score member ...]"),
        (" k", "ZADD k [NX | XX]"),
        (" NX", "ZADD k NX [GT | LT] [CH] [INCR] score member"),
        (" 1", "ZADD k NX 1 member"),
        (" m", "ZADD k NX 1 m [score member ...]"),
    ] {
        terminal.keys(typed);
        terminal.shows(shown);
    }
    // Enter runs what was typed, and takes the hint away.
    terminal.keys("\r");
    terminal.wait("the answer", |rows| rows.len() > 2 && rows[1].ends_with("> ZADD k NX 1 m"));
}

#[test]
fn a_hint_is_cut_at_40_columns() {
    let server = Server::start();
    let (terminal, prompt) = open_at(&server, &[], 40);
    terminal.keys("SET");
    terminal.wait("a hint in one row", |rows| {
        let last = rows.last().map(String::as_str).unwrap_or_default();
        last.starts_with(&format!("{prompt} SET key")) && last.ends_with("...") && last.chars().count() < 40
    });
    terminal.keys(CTRL_C);
    terminal.line("help SET");
    terminal.shows("complexity: O(1)");
    assert!(terminal.rows().iter().all(|row| row.chars().count() <= 40));
}

#[test]
fn colours_tell_what_is_what_and_keep_secrets_plain() {
    let server = Server::start();
    let (terminal, prompt) = open_at(&server, &[], 120);
    let typed = |text: &str, painted: &str| {
        terminal.keys(text);
        let shown = String::from(text);
        terminal.shows(&shown);
        let begin = Instant::now();
        while !String::from_utf8_lossy(&terminal.bytes()).contains(painted) {
            assert!(begin.elapsed() < DEADLINE, "no {painted:?}");
            crate::server::pause();
        }
        terminal.keys(CTRL_U);
        terminal.wait("an empty line", |rows| rows.last() == Some(&prompt));
    };
    typed("SET k 12 \"a b\"", "\x1b[1;38;5;32mSET\x1b[0m k \x1b[35m12\x1b[0m \x1b[38;5;28m\"a b\"\x1b[0m");
    typed("NOSUCH x", "\x1b[38;5;167mNOSUCH\x1b[0m x");
    typed("ECHO \"a b", "\x1b[1;38;5;32mECHO\x1b[0m \x1b[38;5;167m\"a b\x1b[0m");
    typed("AUTH 4711", " AUTH 4711");
    assert!(!String::from_utf8_lossy(&terminal.bytes()).contains("m4711"), "a secret in colour");
}

#[test]
fn help_explains_commands_and_groups() {
    let server = Server::start();
    let (terminal, prompt) = open_at(&server, &[], 120);
    terminal.line("help config get");
    for part in ["  CONFIG GET parameter", "  summary: ", "  since: 2.0.0", "  complexity: O(N)", "  group: @server"] {
        terminal.shows(part);
    }
    terminal.line("clear");
    terminal.wait("an empty screen", |rows| rows == [prompt.clone()]);
    terminal.line("help @hash");
    terminal.shows("HGETALL");
    terminal.line("help nosuch");
    terminal.shows("no command is called 'nosuch'");
    terminal.line("help");
    terminal.shows("help @GROUP");
    terminal.shows("Ctrl-X Ctrl-E");
    terminal.line("help jobs");
    terminal.shows("what runs above the prompt");
    terminal.line("? TTL");
    terminal.shows("TTL key");
}

#[test]
fn help_fits_a_narrow_screen() {
    let server = Server::start();
    let terminal = server.rcli([""; 0]).on_terminal(40);
    let prompt = format!("{}>", server.address());
    terminal.wait("the prompt", |rows| rows.last() == Some(&prompt));
    terminal.line("help connect");
    terminal.ends_with(&[
        "connect HOST PORT",
        "  another server; a URL or the name of",
        "  a profile will do as well",
        &prompt,
    ]);
    terminal.leave();
}

#[test]
fn an_unknown_command_names_the_nearest_one() {
    let server = Server::start();
    let (terminal, prompt) = open_at(&server, &[], 120);
    terminal.line("HGETAL k");
    terminal.ends_with(&["rcli: did you mean HGETALL?", &prompt]);
    terminal.line("config gte x");
    terminal.ends_with(&["rcli: did you mean CONFIG GET?", &prompt]);
    terminal.line("jbos");
    terminal.ends_with(&["rcli: did you mean jobs?", &prompt]);
    terminal.line("XYZZYQ");
    terminal.ends_with(&["(error) ERR unknown command 'XYZZYQ', with args beginning with:", &prompt]);
    terminal.line("help hgetal");
    terminal.ends_with(&["no command is called 'hgetal'; did you mean HGETALL?", &prompt]);
    terminal.leave();
}

#[test]
fn a_command_that_a_server_has_under_another_name_is_not_offered_as_it_was_typed() {
    let server = Server::with_args(["--rename-command", "COMMAND", "", "--rename-command", "TYPE", "KIND"]);
    let (terminal, prompt) = open_at(&server, &[], 120);
    terminal.line("type k");
    terminal.ends_with(&["(error) ERR unknown command 'type', with args beginning with: 'k'", &prompt]);
    terminal.leave();
}

/// Types a command that the built-in table has and the server has not, until it is painted as an unknown one.
fn is_unknown_at_last(terminal: &Terminal, prompt: &str) {
    let begin = Instant::now();
    while !String::from_utf8_lossy(&terminal.bytes()).contains("\x1b[38;5;167mHGETALL") {
        assert!(begin.elapsed() < DEADLINE, "the server's table is not known");
        terminal.keys("HGETALL h");
        terminal.shows("HGETALL h");
        terminal.keys(CTRL_U);
        terminal.wait("an empty line", |rows| rows.last().is_some_and(|row| row == prompt));
    }
}

#[test]
fn the_commands_of_a_server_are_known_once_it_tells_them() {
    let without = ["--rename-command", "HGETALL", ""];
    let server = Server::with_args(without.iter().copied().chain(["--requirepass", "sesame"]));
    let (terminal, prompt) = open_at(&server, &[], 120);
    completes(&terminal, &prompt, "HGETA", "HGETALL key");
    terminal.run(&prompt, "AUTH sesame", &["OK"]);
    is_unknown_at_last(&terminal, &prompt);
    terminal.leave();
    // Nobody is there when something is typed first.
    let mut server = Server::with_args(without);
    server.kill_nine();
    let terminal = server.rcli([""; 0]).on_terminal(120);
    let nobody = format!("{} (not connected)>", server.address());
    terminal.ends_with(&[&nobody]);
    completes(&terminal, &nobody, "HGETA", "HGETALL key");
    server.restart();
    terminal.line("PING");
    let prompt = format!("{}>", server.address());
    terminal.ends_with(&["PONG", &prompt]);
    is_unknown_at_last(&terminal, &prompt);
    terminal.leave();
}

#[test]
fn a_line_is_edited_in_the_editor_of_the_environment() {
    let server = Server::start();
    let terminal = server.rcli([""; 0]).env("EDITOR", "sed -i s/one/two/").on_terminal(120);
    let prompt = format!("{}>", server.address());
    terminal.wait("the prompt", |rows| rows.last() == Some(&prompt));
    terminal.keys("ECHO one");
    terminal.press("\x18\x05");
    terminal
        .wait("the edited line", |rows| rows.last().is_some_and(|row| row.starts_with(&format!("{prompt} ECHO two"))));
    terminal.keys("\r");
    terminal.ends_with(&["\"two\"", &prompt]);
    terminal.leave();
}

#[test]
fn an_editor_that_is_not_there_is_named_and_the_line_stays() {
    let server = Server::start();
    let terminal = server.rcli([""; 0]).env("VISUAL", "").env("EDITOR", "nosuch -w").on_terminal(160);
    let prompt = format!("{}>", server.address());
    terminal.wait("the prompt", |rows| rows.last() == Some(&prompt));
    terminal.keys("ECHO one");
    terminal.press("\x18\x05");
    let why = "rcli: the editor nosuch -w (named by $EDITOR) is not there; set $VISUAL or $EDITOR; the line stays as it \
               was";
    terminal.wait("the line that stayed", |rows| {
        rows.len() > 1
            && rows[rows.len() - 2] == why
            && rows[rows.len() - 1].starts_with(&format!("{prompt} ECHO one"))
            && !rows.join(" ").contains(".redis")
    });
    terminal.keys("\r");
    terminal.ends_with(&["\"one\"", &prompt]);
    terminal.leave();
}

#[test]
fn tab_offers_nothing_on_an_empty_line_and_no_list_pages() {
    let server = Server::start();
    let keys: Vec<String> = (0..400).map(|number| format!("key:{number:03} v")).collect();
    server.ask(&format!("MSET {} other v", keys.join(" ")));
    let (terminal, prompt) = open_at(&server, &[], 120);
    terminal.keys("\t\t");
    terminal.run(&prompt, "PING", &["PONG"]);
    terminal.keys("GET \t");
    terminal.shows("more; type on)");
    let rows = terminal.rows();
    assert!(rows.iter().any(|row| row.contains("key:000")) && !rows.join(" ").contains("key:200"), "{rows:?}");
    assert!(!rows.join(" ").contains("possibilities"), "{rows:?}");
    // What all begin with is inserted, also where only some of them are shown.
    terminal.keys("k\t");
    terminal
        .wait("their beginning", |rows| rows.last().is_some_and(|row| row.starts_with(&format!("{prompt} GET key:"))));
    terminal.keys("39\t");
    terminal.wait("the rest", |rows| rows.join(" ").contains("key:399"));
    terminal.keys("\x03");
    terminal.leave();
}
