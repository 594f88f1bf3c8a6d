//! Subcommands at the prompt: read by the same definition as in the shell, run by the same code, on what the session
//! has; in the foreground until they end or Ctrl-C comes, or above the prompt (contract section 10).

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::Arc;

use super::redirect::home;
use super::views::{KINDS, Wanted, open_lines};
use super::{Flow, Repl, builtins::stay, screen};
use crate::cli::{Cli, Verb, prompt};
use crate::color::Part;
use crate::command::request::Request;
use crate::command::table::Table;
use crate::config::Config;
use crate::context::{Context, OpenLines};
use crate::exit::{Exit, Failure, Outcome};
use crate::net::Subscription;
use crate::report::report;
use crate::signal::{self, Signal};

/// Whether a line is a subcommand: its first word is one as it stands there, small and without quotes. `exec` alone is
/// EXEC.
pub fn is_verb_line(line: &str, request: &Request, table: &Table) -> bool {
    let name = line.split_ascii_whitespace().next().unwrap_or_default();
    is_verb_name(name.as_bytes(), table) && (name != "exec" || request.len() > 1)
}

/// Whether a word is a subcommand here. What the server calls so is the server's, but for `monitor` and `exec`.
pub fn is_verb_name(name: &[u8], table: &Table) -> bool {
    prompt::is_verb(name) && (matches!(name, b"monitor" | b"exec") || table.find(&[name]).is_none())
}

/// Whether a line asks for the background: a quoted `&` is a word like any other.
pub fn ends_in_background(line: &str, request: &Request) -> bool {
    request.len() > 1 && request.is(request.len() - 1, "&") && line.trim_end().ends_with('&')
}

/// What a verb subscribes to that has no options; nothing where it has some.
fn plain_subscriptions(words: &[OsString]) -> Vec<Subscription> {
    let Some((verb, names)) = words.split_first() else { return Vec::new() };
    let topic = KINDS.iter().find(|(_, name, _)| verb == name).and_then(|(.., topic)| *topic);
    match topic.filter(|_| !names.iter().any(|name| name.as_bytes().starts_with(b"-"))) {
        Some(topic) => Subscription::collect(&[(topic, &names.to_vec())]),
        None => Vec::new(),
    }
}

/// The words, with the home directory for the `~/` that the name of a file begins with, as a shell has it.
fn with_home(words: &[OsString]) -> Vec<OsString> {
    let syntax = words.first().and_then(|name| prompt::syntax(name.as_bytes()));
    let is_file = |at: usize| {
        let before: Vec<&[u8]> = words[1..at].iter().map(|word| word.as_bytes()).collect();
        syntax.and_then(|syntax| syntax.expected(&before)).is_some_and(|value| value.is_file)
    };
    let expanded = |(at, word): (usize, &OsString)| {
        let begins_at_home = at > 0 && word.as_bytes().starts_with(b"~/");
        if begins_at_home && is_file(at) { home(Path::new(word)).into_os_string() } else { word.clone() }
    };
    words.iter().enumerate().map(expanded).collect()
}

impl Repl<'_> {
    /// Runs a subcommand as it was typed.
    pub(super) fn run_verb_line(&mut self, line: &str, request: &Request) -> Outcome<Flow> {
        let in_background = ends_in_background(line, request);
        let count = request.len() - usize::from(in_background);
        let words: Vec<OsString> = request.args().take(count).map(|word| OsStr::from_bytes(word).to_owned()).collect();
        let words = with_home(&words);
        let title = Request::new(request.args().take(count)).shown(super::SHOWN);
        let subscriptions = plain_subscriptions(&words);
        self.run_verb(&words, Wanted { title, subscriptions, in_background })
    }

    /// Runs a subcommand that these words ask for.
    pub(super) fn run_verb(&mut self, words: &[OsString], wanted: Wanted) -> Outcome<Flow> {
        let read = Cli::read_at_prompt(words).and_then(|cli| Ok((self.decide(&cli)?, cli.verb)));
        let (config, verb) = match read {
            Ok((config, Some(verb))) => (config, verb),
            Ok(_) => return Ok(Flow::On),
            // Help was printed already.
            Err(failure) if failure.exit() == Exit::Done => return Ok(Flow::On),
            Err(failure) => {
                failure.report();
                return Ok(Flow::On);
            }
        };
        if let Some(reason) = verb.refuse_at_prompt() {
            report(reason);
            return Ok(Flow::On);
        }
        if let Verb::Exec(args) = &verb
            && !config.is_sure
            && !self.is_agreed(
                &Request::new(args.command.iter().map(|word| word.as_bytes())),
                config.connection.endpoint.db,
            )?
        {
            return Ok(Flow::Stop);
        }
        if !wanted.in_background {
            return self.run_in_foreground(config, &verb);
        }
        if !verb.may_run_above() {
            report(&format!("{} cannot run above the prompt: leave out the &", words[0].display()));
            return Ok(Flow::On);
        }
        self.start_job(wanted, config, verb).map_or_else(stay, |()| Ok(Flow::On))
    }

    /// What a verb is given here.
    fn decide(&mut self, cli: &Cli) -> Outcome<Config> {
        // The prompt may be older than the loss of its server.
        self.shell.link().look_after();
        self.report_notices();
        let Self { context, shell, style, view_format, .. } = self;
        context.config.at_prompt(cli, shell.link().endpoint(), style, *view_format)
    }

    fn run_in_foreground(&mut self, config: Config, verb: &Verb) -> Outcome<Flow> {
        let sink = self.elsewhere().map_err(Failure::output)?;
        let mut lines = sink.clone().map(|sink| -> OpenLines { Box::new(move || Box::new(Arc::clone(&sink))) });
        if lines.is_none() && verb.is_stream() {
            let hint = "(Ctrl-C leaves; with a final & it runs above the prompt)";
            self.write(&format!("{}\n", self.style.colors.paint(Part::Hint, hint)))?;
            lines = Some(open_lines(&config.style, screen::print));
        }
        self.flush()?;
        let ended = (self.run)(&Context::at_prompt(config, lines, sink), Some(verb));
        let (exit, message) = match ended {
            Ok(exit) => (exit, None),
            Err(failure) => (failure.exit(), Some(failure)),
        };
        match exit {
            Exit::Signal(Signal::Interrupt) => {
                signal::forget_ctrl_c();
                // The terminal has echoed ^C.
                self.write("\n")?;
                self.flush()?;
                message.map(Failure::report);
                Ok(Flow::Stop)
            }
            Exit::Signal(signal) => Err(Failure::quiet(Exit::Signal(signal))),
            _ => message.map_or(Ok(Flow::On), stay),
        }
    }
}
