//! What rcli does itself: arriving at a server, help, views, and the words of `local`.

use std::fmt::Write as _;
use std::mem;

use super::screen::columns;
use super::views::Wanted;
use super::{Flow, Repl, help, history};
use crate::cli::Verb;
use crate::command::request::Request;
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

    /// Does what a line asks of rcli itself; none if it is for the server.
    pub(super) fn run_local(&mut self, request: &Request) -> Option<Outcome<Flow>> {
        let name = String::from_utf8_lossy(request.arg(0)).to_ascii_lowercase();
        let words: Vec<String> = request.args().skip(1).map(|arg| String::from_utf8_lossy(arg).into_owned()).collect();
        let shown: Vec<&str> = words.iter().map(String::as_str).collect();
        let misused = |usage: &str| {
            report(&format!("usage: {usage}"));
            Ok(())
        };
        let done = match (name.as_str(), shown.as_slice()) {
            // Whatever follows is ignored, as redis-cli does it.
            ("exit" | "quit", _) => return Some(Ok(Flow::Leave)),
            ("help" | "?", _) => self.help(&words),
            ("clear", []) => self.write("\x1b[H\x1b[2J\x1b[3J"),
            ("connect", place) => match elsewhere(place) {
                Some(place) => return Some(self.connect(&place)),
                None => misused("connect HOST PORT, connect URL, or connect PROFILE"),
            },
            (":set", []) => self.set(None, None),
            // redis-cli's word.
            (":set", ["nohints"]) => self.set(Some("hints"), Some("off")),
            (":set", [name]) => self.set(Some(name), None),
            (":set", [name, value @ ..]) => self.set(Some(name), Some(&value.join(" "))),
            ("history", []) => self.show_history(history::KEPT),
            ("history", [count]) => match count.parse() {
                Ok(count) => self.show_history(count),
                Err(_) => misused("history [COUNT]"),
            },
            ("peek", [_]) => return Some(self.peek(request.arg(1))),
            ("peek", _) => misused("peek KEY"),
            ("source", [path]) => return Some(self.source(path)),
            ("source", _) => misused("source FILE"),
            ("jobs", []) => {
                let jobs = self.jobs.list(&self.shell.link().endpoint().address);
                jobs.iter().try_for_each(|(number, shown)| self.write(&format!("[{number}] {shown}\n")))
            }
            ("stop", [number]) if let Ok(number) = number.trim_start_matches('%').parse() => self.stop(number),
            ("stop", _) => misused("stop N, with a number that jobs shows"),
            _ => return None,
        };
        Some(done.map(|()| Flow::On))
    }

    fn help(&mut self, topic: &[String]) -> Outcome<()> {
        let text = self.editor.helper().map(|helper| help::help(topic, &helper.lookup.table(), columns()));
        let unknown = |why: String| help::wrap(&why, "", columns());
        let text = text.map(|text| text.unwrap_or_else(unknown)).unwrap_or_default();
        self.paged(text.len(), |repl| repl.write(&text))
    }

    fn show_history(&mut self, count: usize) -> Outcome<()> {
        let mut text = String::new();
        for (number, command) in self.editor.remembered(count) {
            let _ = writeln!(text, "{number:>5}  {}", printable(&command, Escape::Lines));
        }
        self.paged(text.len(), |repl| repl.write(&text))
    }

    fn stop(&mut self, number: usize) -> Outcome<()> {
        if self.jobs.stop(number) {
            return self.write(&format!("[{number}] ended\n"));
        }
        report(&format!("no view has the number {number}; jobs shows what there is"));
        Ok(())
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

/// The server that `connect` names.
fn elsewhere(words: &[&str]) -> Option<Elsewhere> {
    Some(match words {
        [url] if url.contains("://") => Elsewhere::Url((*url).to_owned()),
        [host, port] => Elsewhere::Tcp((*host).to_owned(), port.parse().ok()?),
        // As the prompt shows it.
        [place] if let Some((host, Ok(port))) = place.rsplit_once(':').map(|(host, port)| (host, port.parse())) => {
            Elsewhere::Tcp(host.trim_start_matches('[').trim_end_matches(']').to_owned(), port)
        }
        // What may be a URL with a password in it is not shown.
        [name] if !name.contains([':', '@', '/', '%']) => Elsewhere::Profile((*name).to_owned()),
        _ => return None,
    })
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
