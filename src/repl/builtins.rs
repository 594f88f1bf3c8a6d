//! What rcli does itself: arriving at a server, help, views, and the words of `local`.

use std::fmt::Write as _;
use std::mem;

use super::helper::columns;
use super::local::Local;
use super::views::Wanted;
use super::{Flow, Repl, help, history};
use crate::cli::Verb;
use crate::config::ReplSettings;
use crate::config::{Config, Elsewhere};
use crate::exit::{Exit, Failure, Outcome};
use crate::net::{Server, Unopened};
use crate::report::report;
use crate::shell::Shell;
use crate::shell::connection::Link;
use crate::signal::{self, Signal};
use crate::text::{self, Escape, counted, printable};

impl Repl<'_> {
    /// Connects, and says to whom. A server that is not there may come; one that refuses us will not change its mind.
    pub(super) fn arrive(&mut self, is_first: bool) -> Outcome<()> {
        match self.shell.link().ready() {
            Ok(_) => {}
            // The options that name another server are the shell's, not the prompt's.
            Err(Unopened::NobodyListens(message)) if !is_first => {
                report(&message);
                return Ok(());
            }
            Err(absent @ (Unopened::Unreachable(_) | Unopened::NobodyListens(_))) => {
                report(&Failure::from(absent).into_message());
                return Ok(());
            }
            Err(Unopened::Interrupted(Signal::Interrupt)) => {
                signal::forget_ctrl_c();
                return Ok(());
            }
            Err(unopened) => return Err(unopened.into()),
        }
        let place = self.shell.link().name();
        let told = self.shell.link().server().map(Server::learn_version).transpose();
        let server = match told {
            Ok(version) => version.flatten(),
            Err(refused @ Unopened::Refused { .. }) => {
                self.shell.link().lose();
                return Err(refused.into());
            }
            Err(unopened) => {
                self.shell.link().lose();
                signal::forget_ctrl_c();
                report(&Failure::from(unopened).into_message());
                return Ok(());
            }
        };
        let server = server
            .map_or_else(|| "server".to_owned(), |server| format!("{} {}", capitalized(&server.name), server.version));
        let server = text::line(&server);
        let cluster = if self.shell.link().is_cluster() { "cluster of " } else { "" };
        self.write(&format!("{cluster}{server} at {place}; Ctrl-D or exit leaves\n"))
    }

    pub(super) fn start_job(&mut self, wanted: Wanted, config: Config, verb: Verb) -> Outcome<()> {
        let above = self.editor.above()?;
        let Self { jobs, renderer, run, .. } = self;
        // Said before anything of it comes.
        let say = |line: String| renderer.write_now(&line).map_err(Failure::output);
        if wanted.subscriptions.is_empty() {
            jobs.start(wanted.title, config, verb, *run, (above, say))
        } else {
            jobs.subscribe(wanted, config, (above, say))
        }
    }

    pub(super) fn run_local(&mut self, local: Local) -> Outcome<Flow> {
        match local {
            Local::Leave => return Ok(Flow::Leave),
            Local::Help(topic) => {
                let text = self.editor.helper().map(|helper| help::help(&topic, &helper.lookup.table(), columns()));
                let unknown = |why: String| help::wrap(&why, "", columns());
                let text = text.map(|text| text.unwrap_or_else(unknown)).unwrap_or_default();
                self.paged(text.len(), |repl| repl.write(&text))?;
            }
            Local::Clear => self.write("\x1b[H\x1b[2J\x1b[3J")?,
            Local::Connect(place) => return self.connect(&place),
            Local::Set(name, value) => self.set(name.as_deref(), value.as_deref())?,
            Local::History(count) => {
                let mut text = String::new();
                for (number, command) in self.editor.remembered(count.unwrap_or(history::KEPT)) {
                    let _ = writeln!(text, "{number:>5}  {}", printable(&command, Escape::Lines));
                }
                self.paged(text.len(), |repl| repl.write(&text))?;
            }
            Local::Peek(peek) => return self.peek(&peek),
            Local::Source(path) => return self.source(&path),
            Local::Jobs => {
                for job in self.jobs.describe(&self.shell.link().endpoint().address) {
                    self.write(&format!("{job}\n"))?;
                }
            }
            Local::Stop(number) if self.jobs.stop(number) => self.write(&format!("[{number}] ended\n"))?,
            Local::Stop(number) => report(&format!("no view has the number {number}; jobs shows what there is")),
            Local::Misused(usage) => report(&format!("usage: {usage}")),
        }
        Ok(Flow::On)
    }

    fn connect(&mut self, place: &Elsewhere) -> Outcome<Flow> {
        if let Some(count) = self.shell.queued() {
            report(&format!("a block of {} is open: EXEC or DISCARD it first", counted(count as u64, "command")));
            return Ok(Flow::Stop);
        }
        let is_tls = self.shell.link().endpoint().tls.is_some();
        let pushes = self.shell.link().endpoint().pushes.clone();
        match self.context.elsewhere(place, is_tls, pushes) {
            Ok((endpoint, label)) => {
                let left = mem::replace(&mut self.shell, Shell::new(Link::lasting(endpoint)));
                let arrived = self.arrive(false);
                if arrived.is_ok() && self.shell.link().is_open() {
                    self.label = label;
                    self.jobs.arrive();
                    return Ok(Flow::On);
                }
                // Nothing has happened to the connection there was.
                self.shell = left;
                arrived.map_or_else(stay, |()| Ok(Flow::Stop))
            }
            Err(failure) => stay(failure),
        }
    }

    /// Changes a setting, or shows what there is.
    fn set(&mut self, name: Option<&str>, value: Option<&str>) -> Outcome<()> {
        if let (Some(name), Some(value)) = (name, value) {
            match self.settings.set(name, value) {
                Ok(()) => self.heed_settings(),
                Err(wrong) => report(&format!(":set: {wrong}")),
            }
            return Ok(());
        }
        let shown = ReplSettings::NAMES.iter().filter(|(known, _)| name.is_none_or(|name| name == *known));
        let lines: Vec<String> = shown
            .map(|(name, _)| match *name {
                "output" => format!("output {}\n", self.style.format.name()),
                name => format!("{name} {}\n", self.settings.shown(name)),
            })
            .collect();
        match name {
            Some(name) if lines.is_empty() => report(&format!(":set: {}", ReplSettings::describe_unknown(name))),
            _ => self.write(&lines.concat())?,
        }
        Ok(())
    }

    /// Does what the settings say.
    pub(super) fn heed_settings(&mut self) {
        self.editor.set_keys(self.settings.is_vi);
        if let Some(helper) = self.editor.helper() {
            helper.hides_hints = self.settings.hides_hints;
            helper.known.aliases.clone_from(&self.settings.aliases);
        }
        if let Some(format) = self.settings.output {
            self.style.format = format;
            self.view_format = format;
            self.renderer.set_style(self.style.clone());
        }
    }
}

/// What would end a run that begins does not end one that goes on, but for a signal.
pub(super) fn stay(failure: Failure) -> Outcome<Flow> {
    if matches!(failure.exit(), Exit::Signal(_)) {
        return Err(failure);
    }
    failure.report();
    Ok(Flow::Stop)
}

fn capitalized(name: &str) -> String {
    let mut chars = name.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}
