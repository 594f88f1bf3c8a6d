//! The settings of the prompt: `[repl]` of `config.toml`, and `:set`. Contract section 10.

use crate::pty::Terminal;
use crate::server::Server;

const CONFIG: &str = ".config/rcli/config.toml";
const ESCAPE: &str = "\x1b";

/// A session with this text in `config.toml`, and its prompt.
fn open(server: &Server, config: &str, args: &[&str]) -> (Terminal, String) {
    let terminal = server.rcli(args).file(CONFIG, config).on_terminal(120);
    let prompt = format!("{}>", server.address());
    terminal.wait("the prompt", |rows| rows.last() == Some(&prompt));
    (terminal, prompt)
}

#[test]
fn a_setting_is_shown_and_changed_by_its_name() {
    let server = Server::start();
    let (terminal, prompt) = open(&server, "", &[]);
    let all = ["edit_mode emacs", "hints on", "output human", "pager on", "pretty off", "timing off"];
    terminal.run(&prompt, ":set", &all);
    terminal.run(&prompt, ":set hints off", &[]);
    terminal.run(&prompt, ":set hints", &["hints off"]);
    terminal.run(&prompt, ":set hints on", &[]);
    terminal.run(&prompt, ":set nohints", &[]);
    terminal.run(&prompt, ":set hints", &["hints off"]);
    terminal.run(&prompt, ":set hints dim", &["rcli: :set: hints is on|off, not 'dim'"]);
    let unknown = "rcli: :set: there is no setting 'colour': there are edit_mode, hints, output, pager, pretty, timing";
    terminal.run(&prompt, ":set colour", &[unknown]);
    terminal.run(&prompt, ":set colour on", &[unknown]);
    terminal.leave();
}

#[test]
fn hints_can_be_switched_off() {
    let server = Server::start();
    let (terminal, prompt) = open(&server, "[repl]\nhints = false\n", &[]);
    terminal.keys("GET ");
    terminal.ends_with(&[&format!("{prompt} GET")]);
    terminal.keys("\x03");
    terminal.run(&prompt, ":set hints on", &[]);
    terminal.keys("GET ");
    terminal.ends_with(&[&format!("{prompt} GET key")]);
    terminal.keys("\x03");
    terminal.leave();
}

#[test]
fn keys_may_be_those_of_vi() {
    let server = Server::start();
    let (terminal, prompt) = open(&server, "[repl]\nedit_mode = \"vi\"\nhints = false\n", &[]);
    terminal.keys("ECHO one two");
    terminal.keys(ESCAPE);
    // Back a word, and away with the rest of the line.
    terminal.keys("bD");
    terminal.ends_with(&[&format!("{prompt} ECHO one")]);
    terminal.keys("\r");
    terminal.ends_with(&["\"one\"", &prompt]);
    terminal.run(&prompt, ":set edit_mode emacs", &[]);
    terminal.run(&prompt, "PING", &["PONG"]);
    terminal.leave();
}

#[test]
fn replies_look_as_is_set_unless_an_option_says_otherwise() {
    let server = Server::start();
    server.ask("SET n 1");
    let (terminal, prompt) = open(&server, "[repl]\noutput = \"json\"\n", &[]);
    terminal.run(&prompt, "GET n", &["\"1\""]);
    terminal.run(&prompt, "EXISTS n", &["1"]);
    terminal.leave();
    let (terminal, prompt) = open(&server, "[repl]\noutput = \"json\"\n", &["--human"]);
    terminal.run(&prompt, "EXISTS n", &["(integer) 1"]);
    terminal.leave();
}

#[test]
fn each_command_may_show_how_long_it_took() {
    let server = Server::start();
    let (terminal, prompt) = open(&server, "[repl]\ntiming = true\n", &[]);
    terminal.line("PING");
    terminal.wait("its time", |rows| {
        let [.., answer, time, last] = rows else { return false };
        answer == "PONG" && time.starts_with('(') && time.ends_with("ms)") && *last == prompt
    });
    // What a shell command writes is not torn apart.
    terminal.line("PING | (cat; sleep 0.2; echo done)");
    terminal.wait("its time at the end", |rows| {
        let [.., answer, done, time, last] = rows else { return false };
        answer == "PONG" && done == "done" && time.starts_with('(') && time.ends_with("ms)") && *last == prompt
    });
    terminal.leave();
}

#[test]
fn an_alias_stands_for_the_beginning_of_a_line() {
    let server = Server::start();
    let (terminal, prompt) = open(&server, "[repl.aliases]\nsay = \"ECHO\"\nhi = 'ECHO \"hi there\"'\n", &[]);
    terminal.run(&prompt, "say hello", &["\"hello\""]);
    terminal.run(&prompt, "hi", &["\"hi there\""]);
    terminal.run(&prompt, "ECHO hi", &["\"hi\""]);
    terminal.leave();
}

#[test]
fn what_is_wrong_in_the_settings_is_told_and_the_rest_holds() {
    let server = Server::start();
    let config =
        "[repl]\nhints = \"dim\"\ncolour = true\nedit_mode = 3\ntiming = true\n\n[repl.aliases]\n\"a b\" = \"PING\"\n";
    let (terminal, prompt) = open(&server, config, &[]);
    let rows = terminal.rows().join("\n");
    for said in [
        "config.toml:2: [repl]: hints is on|off, not 'dim'",
        "config.toml:3: [repl]: there is no setting 'colour'",
        "config.toml:4: [repl]: edit_mode is emacs|vi, in quotes",
        "config.toml:8: [repl]: the alias 'a b': one word stands for a text, as in ll = \"ls -l\"",
    ] {
        assert!(rows.replace('\n', "").contains(said), "{said}\n{rows}");
    }
    terminal.run(&prompt, ":set timing", &["timing on"]);
    terminal.leave();
    let (terminal, _) = open(&server, "[repl]\naliases = 3\nedit_mode = true\n", &[]);
    let rows = terminal.rows().concat();
    for said in [
        "config.toml:2: [repl]: aliases is a table: [repl.aliases]",
        "config.toml:3: [repl]: edit_mode is emacs|vi, not 'true'",
    ] {
        assert!(rows.contains(said), "{said}\n{rows}");
    }
    terminal.leave();
    // A file that is no TOML keeps nobody from the prompt either.
    let (terminal, prompt) = open(&server, "[repl\n", &[]);
    terminal.shows("config.toml:1:");
    terminal.run(&prompt, "PING", &["PONG"]);
    terminal.leave();
}
