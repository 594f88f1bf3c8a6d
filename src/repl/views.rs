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
use super::subscriber::{self, Subscribed};
use super::verbs::ends_in_background;
use crate::cli::Verb;
use crate::color::Colors;
use crate::command::request::Request;
use crate::config::Config;
use crate::context::{Context, OpenLines};
use crate::exit::{Exit, Failure, Outcome};
use crate::follow::{ChangeSender, Changes};
use crate::net::{Address, Change, Subscription, Topic};
use crate::render::{Format, Style};
use crate::report::{self, Voice};
use crate::signal::{self, Stop};
use crate::text::describe_io;

/// The commands that open a view, the verbs that show the same, and what these subscribe to.
pub const KINDS: [(&str, &str, Option<Topic>); 4] = [
    ("SUBSCRIBE", "sub", Some(Topic::Channel)),
    ("PSUBSCRIBE", "psub", Some(Topic::Pattern)),
    ("SSUBSCRIBE", "ssub", Some(Topic::ShardChannel)),
    ("MONITOR", "monitor", None),
];

/// A verb that somebody asked for.
#[derive(Debug)]
pub struct Wanted {
    /// The line, to be shown.
    pub title: String,
    /// What it subscribes to, and has no options of its own for.
    pub subscriptions: Vec<Subscription>,
    /// Whether it runs above the prompt.
    pub in_background: bool,
}

impl Wanted {
    /// The words of the verb that shows what a command of the server asks for, and how; none if it is no such command.
    /// `line` is the command as it was typed: a quoted `&` is a channel's name.
    pub fn of(request: &Request, line: &str) -> Option<Result<(Vec<OsString>, Self), String>> {
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
struct Lines<P: FnMut(String) -> io::Result<()>> {
    waiting: Vec<u8>,
    /// The colours, where lines are JSON.
    colors: Colors,
    print: P,
}

/// So many bytes are passed on at once.
const MANY: usize = 32 * 1024;

/// What stands for standard output: whole lines, with the colours of JSON.
pub fn open_lines(
    style: &Style,
    print: impl Fn(String) -> io::Result<()> + Clone + Send + Sync + 'static,
) -> OpenLines {
    let colors = if style.format == Format::Json { style.colors } else { Colors(false) };
    Box::new(move || Box::new(Lines { waiting: Vec::new(), colors, print: print.clone() }))
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
    /// Where it was started: the server, and which of the connections of this prompt, in their order.
    address: Address,
    arrival: usize,
    /// What can be added to it and taken away; none where that is nothing.
    subscriber: Option<Subscriber>,
    stop: Arc<Stop>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// The prompt's side of what was subscribed in the background.
struct Subscriber {
    changes: ChangeSender,
    subscribed: Subscribed,
}

/// The views above the prompt.
#[derive(Default)]
pub struct Jobs {
    list: Vec<Job>,
    last: usize,
    /// How often the session went to another server.
    arrivals: usize,
}

/// What the thread of a view does.
type Work = Box<dyn FnOnce(&Context) -> Outcome<Exit> + Send>;

impl Jobs {
    /// The session is at another server from here on.
    pub fn arrive(&mut self) {
        self.arrivals += 1;
    }

    /// Starts a verb in a thread of its own; what is sent to `above` is written above the line being typed. `say` gets
    /// the line that tells its number, before it begins.
    pub fn start(
        &mut self,
        title: String,
        config: Config,
        verb: Verb,
        run: RunVerb,
        (above, say): (SyncSender<String>, impl FnOnce(String) -> Outcome<()>),
    ) -> Outcome<()> {
        say(told(self.last + 1, &title))?;
        self.start_work((title.clone(), title), config, Box::new(move |context| run(context, Some(&verb))), above)
    }

    /// Subscribes to more; the first time by a thread with a connection of its own.
    pub fn subscribe(
        &mut self,
        wanted: Wanted,
        config: Config,
        (above, say): (SyncSender<String>, impl FnOnce(String) -> Outcome<()>),
    ) -> Outcome<()> {
        let Wanted { title, subscriptions, .. } = wanted;
        let mut say = Some(say);
        if let Some((job, subscriber)) = self.subscriber(&config.connection.endpoint.address)
            && subscriber.subscribed.await_more(subscriptions.len())
        {
            say.take().map_or(Ok(()), |say| say(told(job.number, &title)))?;
            if subscriber.changes.send(Change::Subscribe(subscriptions.clone())).is_ok() {
                return Ok(());
            }
        }
        say.take().map_or(Ok(()), |say| say(told(self.last + 1, &title)))?;
        let (changes, received) = Changes::sent().map_err(|error| cannot_start(&error))?;
        let subscribed = Subscribed::default();
        subscribed.await_more(subscriptions.len());
        let seen = subscribed.clone();
        let work = move |context: &Context| subscriber::run(context, subscriptions, received, &seen);
        self.start_work((title, "subscriptions".to_owned()), config, Box::new(work), above)?;
        if let Some(job) = self.list.last_mut() {
            job.subscriber = Some(Subscriber { changes, subscribed });
        }
        Ok(())
    }

    fn start_work(
        &mut self,
        (title, name): (String, String),
        config: Config,
        work: Work,
        above: SyncSender<String>,
    ) -> Outcome<()> {
        let stop = Arc::new(Stop::new().map_err(|error| cannot_start(&error))?);
        self.last += 1;
        let number = self.last;
        let is_over = Arc::new(AtomicBool::new(false));
        let address = config.connection.endpoint.address.clone();
        let (over, heeded, said) = (Arc::clone(&is_over), Arc::clone(&stop), above.clone());
        let print = Box::new(move |line| {
            // A terminal that is gone ends the main thread.
            let _ = said.send(line);
        });
        let voice = Arc::new(Voice { name: format!("[{number}] {name}"), print });
        let work = move || {
            signal::heed(Some(heeded));
            report::speak_as(Some(voice));
            let shown = Arc::clone(&over);
            let lines = open_lines(&config.style, move |text| {
                // What a stopped view still had to say is nobody's business any more.
                if shown.load(Ordering::Relaxed) { Ok(()) } else { above.send(text).map_err(io::Error::other) }
            });
            let ended = work(&Context::at_prompt(config, Some(lines), None));
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
        let thread =
            thread::Builder::new().name("view".to_owned()).spawn(work).map_err(|error| cannot_start(&error))?;
        let (arrival, thread) = (self.arrivals, Some(thread));
        self.list.push(Job { number, title, address, arrival, subscriber: None, stop, is_over, thread });
        Ok(())
    }

    /// What was subscribed in the background where the session is.
    fn subscriber(&mut self, here: &Address) -> Option<(&Job, &Subscriber)> {
        self.forget_ended();
        let is_here = |job: &&Job| job.arrival == self.arrivals || job.address == *here;
        self.list.iter().filter(is_here).find_map(|job| Some((job, job.subscriber.as_ref()?)))
    }

    /// The views by their numbers, with what they show, and where they are, where that is not here.
    pub fn list(&mut self, here: &Address) -> Vec<(usize, String)> {
        self.forget_ended();
        let view = |job: &Job| {
            let is_here = job.arrival == self.arrivals || job.address == *here;
            let place = if is_here { String::new() } else { format!(" at {}", job.address) };
            let subscribed = job.subscriber.as_ref().and_then(|subscriber| subscriber.subscribed.describe());
            (job.number, format!("{}{place}", subscribed.as_ref().unwrap_or(&job.title)))
        };
        self.list.iter().map(view).collect()
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

    /// Does what UNSUBSCRIBE and its kind ask for; the server confirms it. An error says that nobody is subscribed, or
    /// to which of the names; none if the command is another one.
    pub fn unsubscribe(&mut self, request: &Request, here: &Address) -> Option<Result<(), String>> {
        let Some(Ok(Change::Unsubscribe(topic, names))) = Change::of(request) else { return None };
        let nothing = || Some(Err("nothing is subscribed in the background; jobs shows what runs".to_owned()));
        let Some((_, subscriber)) = self.subscriber(here) else { return nothing() };
        let unknown = subscriber.subscribed.without(topic, &names);
        if subscriber.changes.send(Change::Unsubscribe(topic, names)).is_err() {
            return nothing();
        }
        if unknown.is_empty() {
            return Some(Ok(()));
        }
        Some(Err(format!("not subscribed to {}; jobs shows what is", Request::new(unknown).shown(super::SHOWN))))
    }
}

/// The line that tells a view's number.
fn told(number: usize, title: &str) -> String {
    format!("[{number}] {title}\n")
}

fn cannot_start(error: &io::Error) -> Failure {
    Failure::failed(format!("cannot start a view: {}", describe_io(error)))
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
