//! A manual page: what the definition says of a command, with its examples; the page of rcli also tells what stands in
//! no help: the prompt, files, the environment and exit statuses (contract section 14).

use std::fs;
use std::io;
use std::path::Path;

use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use crate::repl;

const FILES: [(&str, &str); 2] = [
    ("~/.config/rcli/config.toml", "Profiles, and what is set at the prompt; below XDG_CONFIG_HOME where that is set"),
    ("~/.local/state/rcli/history", "What was typed at the prompt; below XDG_STATE_HOME where that is set"),
];

const ENVIRONMENT: [(&str, &str); 16] = [
    ("RCLI_URL, REDIS_URL", "The server; the first that is set counts"),
    ("VALKEYCLI_HOST, VALKEYCLI_PORT", "The same where neither is set"),
    ("REDISCLI_AUTH, VALKEYCLI_AUTH", "The password"),
    ("VALKEYCLI_USER", "The ACL user"),
    ("RCLI_SENTINEL_AUTH", "The password of the sentinels"),
    ("RCLI_PROFILE", "The profile"),
    ("RCLI_FORMAT", "The output format: human, raw, json or csv"),
    ("RCLI_HISTFILE, REDISCLI_HISTFILE, VALKEYCLI_HISTFILE", "Where the history is; /dev/null: none is kept"),
    ("RCLI_SERVER_BIN", "The program that --sandbox starts"),
    ("TMPDIR", "Where --sandbox makes its directory"),
    ("PAGER", "Shows what is taller than the screen [default: less -FRX]"),
    ("VISUAL, EDITOR", "Edits a line of the prompt"),
    ("NO_COLOR, TERM", "No colours where NO_COLOR is set, or TERM is dumb"),
    ("FAKETTY, FAKETTY_WITH_PROMPT", "The formats of a terminal, and redis-cli's prompt, on pipes"),
    (
        "RCLI_TYPE, RCLI_CHANNEL, RCLI_PATTERN, RCLI_STREAM, RCLI_ID, RCLI_EVENT",
        "Set for handlers: what they are run for",
    ),
    ("RCLI_ATTEMPT", "Set for the program of txn: how often it was started, this time included"),
];

const STATUSES: [(&str, &str); 7] = [
    ("0", "Done; also when the reader of stdout went away"),
    ("1", "The server answered at least one error"),
    ("2", "Wrong usage, or input that cannot be parsed or read"),
    ("3", "No connection, a lost one, refused credentials or database, or output that cannot be written"),
    ("4", "A transaction was aborted because a watched key changed, and its retries are used up"),
    ("5", "--timeout or --idle passed before --count was reached"),
    ("130, 143, 129", "SIGINT, SIGTERM, SIGHUP"),
];

/// Writes the pages of a command and of its subcommands, which are built, below a directory.
pub fn write(command: &Command, dir: &Path) -> io::Result<()> {
    for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set()) {
        write(verb, dir)?;
    }
    let name = command.get_display_name().unwrap_or(command.get_name());
    fs::write(dir.join(format!("{name}.1")), page(command)?)
}

fn page(command: &Command) -> io::Result<Vec<u8>> {
    let text = |help: Option<&clap::builder::StyledStr>| help.map(ToString::to_string).unwrap_or_default();
    let is_whole = command.has_subcommands();
    let usage = command.clone().render_usage().to_string();
    let told = format!("{}\n\n{}", text(command.get_about()), text(command.get_after_help()));
    // The list of statuses is a section of its own.
    let told: Vec<&str> = told.lines().filter(|line| !line.starts_with("Exit status:")).collect();
    let described =
        command.clone().override_usage(usage.trim_start_matches("Usage: ").to_owned()).long_about(told.join("\n"));
    let man = Man::new(described).source(concat!("rcli ", env!("CARGO_PKG_VERSION")));
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    let mut own = Roff::new();
    own.control("SH", ["EXAMPLES"]).control("nf", []);
    for line in text(command.get_before_help()).lines().skip(1) {
        own.text([roman(line.trim_start())]);
    }
    own.control("fi", []).to_writer(&mut page)?;
    man.render_options_section(&mut page)?;
    if is_whole {
        man.render_subcommands_section(&mut page)?;
    }
    let mut own = Roff::new();
    if is_whole {
        list(&mut own, "PROMPT", repl::words_and_keys());
        list(&mut own, "FILES", FILES);
        list(&mut own, "ENVIRONMENT", ENVIRONMENT);
        list(&mut own, "EXIT STATUS", STATUSES);
    } else {
        own.control("SH", ["SEE ALSO"]).text([bold("rcli"), roman("(1): files, environment and exit statuses")]);
    }
    own.to_writer(&mut page)?;
    Ok(page)
}

/// A section of words, each with what it means.
fn list<'a>(page: &mut Roff, heading: &str, rows: impl IntoIterator<Item = (&'a str, &'a str)>) {
    page.control("SH", [heading]);
    for (words, text) in rows {
        page.control("TP", []).text([bold(words)]).text([roman(text)]);
    }
}
