//! What runs above the prompt, each view in a thread with a connection of its own, and the views that the server's own
//! commands open: SUBSCRIBE, PSUBSCRIBE, SSUBSCRIBE and MONITOR (contract section 10). The loops are the verbs'.

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::mem;
use std::os::unix::ffi::OsStrExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;
use std::thread::{self, JoinHandle};

use super::RunVerb;
use super::highlight::highlight_json;
use super::verbs::{ends_in_background, open_lines};
use crate::cli::Verb;
use crate::color::Colors;
use crate::command::request::Request;
use crate::config::Config;
use crate::context::Context;
use crate::exit::{Failure, Outcome};
use crate::net::{Address, Subscription, Topic};
use crate::render::{Format, Style};
use crate::report::{self, Voice};
use crate::signal::{self, Stop};
use crate::text::describe_io;

/// A verb that somebody asked for.
#[derive(Debug)]
pub struct Wanted {
    /// The line, to be shown.
    pub title: String,
    /// What UNSUBSCRIBE knows it by.
    pub subscriptions: Vec<Subscription>,
    /// Whether it runs above the prompt.
    pub in_background: bool,
}

impl Wanted {
    /// The words of the verb that shows what a command of the server asks for, and how; none if it is no such command.
    /// `line` is the command as it was typed: a quoted `&` is a channel's name.
    pub fn of(request: &Request, line: &str) -> Option<Result<(Vec<OsString>, Self), String>> {
        const KINDS: [(&str, &str, Option<Topic>); 4] = [
            ("SUBSCRIBE", "sub", Some(Topic::Channel)),
            ("PSUBSCRIBE", "psub", Some(Topic::Pattern)),
            ("SSUBSCRIBE", "ssub", Some(Topic::ShardChannel)),
            ("MONITOR", "monitor", None),
        ];
        let (name, verb, topic) = KINDS.iter().find(|(name, ..)| request.is(0, name))?;
        let in_background = ends_in_background(line, request);
        let count = request.len() - usize::from(in_background);
        let names: Vec<OsString> =
            request.args().take(count).skip(1).map(|name| OsStr::from_bytes(name).to_owned()).collect();
        if names.is_empty() == topic.is_some() {
            return Some(Err(format!("wrong number of arguments for {name}")));
        }
        let subscriptions = topic.map(|topic| Subscription::collect(&[(topic, &names)])).unwrap_or_default();
        // What stands behind is a name, whatever it begins with.
        let behind = topic.map(|_| "--".into()).into_iter().chain(names);
        let words = [(*verb).into()].into_iter().chain(behind).collect();
        let title = Request::new(request.args().take(count)).shown(super::SHOWN);
        Some(Ok((words, Self { title, subscriptions, in_background })))
    }
}

/// A writer that passes on whole lines, with their colours, when it is flushed or has many.
pub struct Lines<P: FnMut(String) -> io::Result<()>> {
    waiting: Vec<u8>,
    /// The colours, where lines are JSON.
    colors: Colors,
    print: P,
}

/// So many bytes are passed on at once.
const MANY: usize = 32 * 1024;

impl<P: FnMut(String) -> io::Result<()>> Lines<P> {
    /// Over whatever prints them.
    pub fn new(style: &Style, print: P) -> Self {
        let colors = if style.format == Format::Json { style.colors } else { Colors(false) };
        Self { waiting: Vec::new(), colors, print }
    }
}

impl<P: FnMut(String) -> io::Result<()>> Write for Lines<P> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.waiting.extend_from_slice(bytes);
        if self.waiting.len() >= MANY && self.waiting.ends_with(b"\n") {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let text = mem::take(&mut self.waiting);
        let text = String::from_utf8_lossy(&text);
        (self.print)(text.split_inclusive('\n').map(|line| highlight_json(line, self.colors)).collect())
    }
}

/// A view above the prompt.
struct Job {
    number: usize,
    title: String,
    subscriptions: Vec<Subscription>,
    /// Where it was started.
    address: Address,
    stop: Arc<Stop>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// The views above the prompt.
#[derive(Default)]
pub struct Jobs {
    list: Vec<Job>,
    last: usize,
}

impl Jobs {
    /// Starts a view in a thread of its own; what is sent to `above` is written above the line being typed. Gives its
    /// number.
    pub fn start(
        &mut self,
        wanted: Wanted,
        (config, verb, run): (Config, Verb, RunVerb),
        above: SyncSender<String>,
    ) -> Outcome<usize> {
        let failed = |error: io::Error| Failure::failed(format!("cannot start a view: {}", describe_io(&error)));
        let stop = Arc::new(Stop::new().map_err(failed)?);
        self.last += 1;
        let number = self.last;
        let is_over = Arc::new(AtomicBool::new(false));
        let address = config.connection.endpoint.address.clone();
        let (over, heeded, said) = (Arc::clone(&is_over), Arc::clone(&stop), above.clone());
        let print = Box::new(move |line| {
            // A terminal that is gone ends the main thread.
            let _ = said.send(line);
        });
        let voice = Arc::new(Voice { name: format!("[{number}] {}", wanted.title), print });
        let work = move || {
            signal::heed(Some(heeded));
            report::speak_as(Some(voice));
            let shown = Arc::clone(&over);
            let lines = open_lines(&config.style.clone(), move |text| {
                // What a stopped view still had to say is nobody's business any more.
                if shown.load(Ordering::Relaxed) { Ok(()) } else { above.send(text).map_err(io::Error::other) }
            });
            let ended = run(&Context::at_prompt(config, Some(lines)), Some(&verb));
            // Whoever stopped it knows that it has ended.
            if over.swap(true, Ordering::Relaxed) {
                return;
            }
            match ended {
                Ok(_) => report::notice("ended"),
                Err(failure) => {
                    failure.report();
                }
            }
        };
        let thread = Some(thread::Builder::new().name("view".to_owned()).spawn(work).map_err(failed)?);
        let Wanted { title, subscriptions, .. } = wanted;
        self.list.push(Job { number, title, subscriptions, address, stop, is_over, thread });
        Ok(number)
    }

    /// One line a view: its number and its line, and where it is, where that is not here.
    pub fn describe(&mut self, here: &Address) -> Vec<String> {
        self.forget_ended();
        let line = |job: &Job| {
            let place = if job.address == *here { String::new() } else { format!(" at {}", job.address) };
            format!("[{}] {}{place}", job.number, job.title)
        };
        self.list.iter().map(line).collect()
    }

    fn forget_ended(&mut self) {
        self.list.retain(|job| !job.is_over.load(Ordering::Relaxed));
    }

    /// Ends a view; whether there was one of that number.
    pub fn stop(&mut self, number: usize) -> bool {
        self.forget_ended();
        let before = self.list.len();
        self.list.retain(|job| job.number != number);
        self.list.len() < before
    }

    /// Ends all of them, and waits for their handlers that run, until a second Ctrl-C.
    pub fn end(&mut self) {
        let threads: Vec<_> = mem::take(&mut self.list).into_iter().filter_map(|mut job| job.thread.take()).collect();
        for thread in threads {
            // One that has panicked has said so.
            let _ = thread.join();
        }
    }

    /// Does what UNSUBSCRIBE and its kind ask for: ends the views of these names, without names all of that kind.
    /// Gives what it ended, in words; none if the command is another one.
    pub fn unsubscribe(&mut self, request: &Request) -> Option<Vec<String>> {
        let kinds =
            [("UNSUBSCRIBE", Topic::Channel), ("PUNSUBSCRIBE", Topic::Pattern), ("SUNSUBSCRIBE", Topic::ShardChannel)];
        let (_, topic) = kinds.into_iter().find(|(name, _)| request.is(0, name))?;
        self.forget_ended();
        let names: Vec<&[u8]> = request.args().skip(1).collect();
        let is_meant = |job: &Job| {
            !job.subscriptions.is_empty()
                && job
                    .subscriptions
                    .iter()
                    .all(|own| own.topic == topic && (names.is_empty() || names.contains(&own.name.as_slice())))
        };
        let (ended, kept) = mem::take(&mut self.list).into_iter().partition(is_meant);
        self.list = kept;
        let ended: Vec<Job> = ended;
        Some(ended.iter().map(|job| format!("[{}] {}", job.number, job.title)).collect())
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        self.stop.ask();
    }
}

#[cfg(test)]
#[expect(clippy::expect_used, reason = "a test ends by panicking")]
mod tests {
    use super::*;

    #[test]
    fn what_never_pauses_is_passed_on_by_whole_lines() {
        let line = [b'x'; 999].into_iter().chain(*b"\n").collect::<Vec<u8>>();
        let mut passed = Vec::new();
        let print = |text| {
            passed.push(text);
            Ok(())
        };
        let mut lines = Lines { waiting: Vec::new(), colors: Colors(false), print };
        for part in line.repeat(1000).chunks(300) {
            lines.write_all(part).expect("no error");
        }
        assert!(lines.waiting.len() < 100_000);
        assert!(passed.iter().map(String::len).sum::<usize>() > 900_000);
        assert!(passed.iter().all(|text| text.len() % 1000 == 0), "a part of a line");
    }
}
