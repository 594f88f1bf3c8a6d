//! Profiles and the sandbox at the prompt: what stands there in place of an address, and `connect PROFILE`. Contract
//! sections 10 and 12.

use crate::rcli::{Rcli, rcli};
use crate::server::{Server, free_port};

const CONFIG: &str = ".config/rcli/config.toml";
const CTRL_U: &str = "\x15";

/// A run with this text in `config.toml`, which nobody else can read.
fn with(config: &str, args: &[&str]) -> Rcli {
    rcli(args.iter().copied()).file(CONFIG, config).mode(CONFIG, 0o600)
}

#[test]
fn the_prompt_shows_the_name_of_the_profile_in_its_colour() {
    let mut server = Server::start();
    let config = format!("[profile.prod]\nport = {}\ncolor = \"red\"\n", server.port());
    let terminal = with(&config, &["--profile", "prod"]).on_terminal(160);
    terminal.ends_with(&["prod>"]);
    let bytes = String::from_utf8_lossy(&terminal.bytes()).into_owned();
    assert!(bytes.contains("\x1b[1;31mprod\x1b[0m"), "{bytes:?}");
    terminal.line("SELECT 2");
    terminal.ends_with(&["OK", "prod[2]>"]);
    terminal.line("MULTI");
    terminal.ends_with(&["OK", "prod[2](TX 0)>"]);
    terminal.line("DISCARD");
    server.kill_nine();
    terminal.line("PING");
    terminal.wait("no connection", |rows| rows.last().is_some_and(|row| row == "prod (not connected)>"));
    server.restart();
    terminal.run(
        "prod (not connected)>",
        "profiles",
        &[&format!("prod  password not set  port={}  color=red", server.port())],
    );
    terminal.line("PING");
    terminal.ends_with(&["PONG", "prod[2]>"]);
    terminal.leave();
}

#[test]
fn the_prompt_shows_the_address_where_another_server_than_the_profiles_is_meant() {
    let (server, other) = (Server::start(), Server::start());
    let config = format!("[profile.prod]\nport = {}\n[profile.quiet]\ncolor = \"never\"\n", server.port());
    for (args, address) in [
        (vec!["--profile".to_owned(), "prod".to_owned(), "-p".to_owned(), other.port().to_string()], other.address()),
        (
            vec!["--profile".to_owned(), "quiet".to_owned(), "-p".to_owned(), server.port().to_string()],
            server.address(),
        ),
    ] {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let terminal = with(&config, &args).on_terminal(160);
        terminal.wait("the address", |rows| rows.last().is_some_and(|row| *row == format!("{address}>")));
        terminal.leave();
    }
}

#[test]
fn connect_takes_the_name_of_a_profile_whatever_the_environment_says() {
    let (here, prod) = (Server::start(), Server::with_password("pw"));
    let config = format!(
        "[profile.prod]\nport = {}\npass = \"pw\"\ndb = 1\n[profile.dead]\nport = {}\n[profile.tent]\nsandbox = \"server\"\n",
        prod.port(),
        free_port()
    );
    let terminal = with(&config, &[]).env("RCLI_URL", here.url()).env("REDISCLI_AUTH", "wrong").on_terminal(160);
    terminal.wait("the prompt", |rows| rows.last().is_some_and(|row| row.ends_with('>')));
    terminal.keys("connect pr\t");
    terminal.shows("connect prod");
    terminal.keys("\r");
    terminal.wait("the profile", |rows| rows.last().is_some_and(|row| row == "prod[1]>"));
    terminal.run("prod[1]>", "PING", &["PONG"]);
    for (name, reason) in [
        ("dead", "Connection refused"),
        ("nosuch", "no profile 'nosuch'"),
        ("tent", "rcli --profile tent starts its sandbox"),
    ] {
        terminal.line(&format!("connect {name}"));
        terminal.shows(reason);
        terminal.wait("the prompt there was", |rows| rows.last().is_some_and(|row| row == "prod[1]>"));
    }
    terminal.keys(CTRL_U);
    terminal.line("clear");
    terminal.line(&format!("connect 127.0.0.1 {}", free_port()));
    terminal.wait("the prompt there was", |rows| rows.last().is_some_and(|row| row == "prod[1]>"));
    terminal.leave();
}

#[test]
fn a_colour_that_no_prompt_can_have_is_named() {
    let server = Server::start();
    let config = format!("[profile.prod]\nport = {}\ncolor = \"mauve\"\n", server.port());
    let reason = "'color' is red, green, yellow, blue, magenta, cyan, white for the prompt, or auto, always or never";
    with(&config, &["--profile", "prod", "PING"]).complains(&[":3: profile 'prod': ", reason]).status(2).run();
}

#[test]
fn the_prompt_of_a_sandbox_is_its_name() {
    let terminal = rcli(["--sandbox"]).on_terminal(120);
    terminal.wait("the prompt", |rows| rows.last().is_some_and(|row| row == "sandbox>"));
    terminal.run("sandbox>", "PING", &["PONG"]);
    terminal.leave();
}

#[test]
fn what_read_only_refuses_is_not_asked_about() {
    let server = Server::start();
    let (terminal, prompt) = crate::pty::open(&server, &["--read-only"]);
    let refused = "rcli: FLUSHALL is not run under --read-only: it may change something";
    terminal.run(&prompt, "FLUSHALL", &[refused]);
    terminal.leave();
}
