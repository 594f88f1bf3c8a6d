//! Streaming views: what SUBSCRIBE, PSUBSCRIBE, SSUBSCRIBE and MONITOR show, each on a connection of its own, in the
//! foreground until Ctrl-C, or in a thread above the prompt (contract section 10). The loop is `commands::listen`'s.

use std::ffi::OsStr;
use std::io::{self, PipeWriter, Write};
use std::mem;
use std::os::unix::ffi::OsStrExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;
use std::thread;
use std::time::Duration;

use super::highlight::highlight_json;
use crate::color::Colors;
use crate::command::request::Request;
use crate::exit::{Exit, Failure, Outcome};
use crate::follow::{Ending, Limits, View, follow};
use crate::net::{Endpoint, Source, Stream, Subscription, Topic};
use crate::render::{Format, Renderer, Style};
use crate::report::Told;
use crate::signal::Signal;
use crate::text::describe_io;

/// A view that somebody asked for.
#[derive(Debug)]
pub struct Wanted {
    source: Source,
    /// The command, to be shown.
    pub title: String,
    /// Whether it runs above the prompt.
    pub in_background: bool,
}

impl Wanted {
    /// The view that a command asks for; none if it is no such command. `line` is the command as it was typed: a
    /// quoted `&` is a channel's name.
    pub fn of(request: &Request, line: &str) -> Option<Result<Self, String>> {
        const KINDS: [(&str, Option<Topic>); 4] = [
            ("SUBSCRIBE", Some(Topic::Channel)),
            ("PSUBSCRIBE", Some(Topic::Pattern)),
            ("SSUBSCRIBE", Some(Topic::ShardChannel)),
            ("MONITOR", None),
        ];
        let (name, topic) = KINDS.iter().find(|(name, _)| request.is(0, name))?;
        let in_background = request.is(request.len() - 1, "&") && line.trim_end().ends_with('&');
        let count = request.len() - usize::from(in_background);
        let names: Vec<&OsStr> = request.args().take(count).skip(1).map(OsStr::from_bytes).collect();
        let source = match topic {
            Some(topic) if !names.is_empty() => Source::Subscriptions(Subscription::collect(&[(*topic, &names)])),
            None if names.is_empty() => Source::Monitor,
            _ => return Some(Err(format!("wrong number of arguments for {name}"))),
        };
        let title = Request::new(request.args().take(count)).shown(60);
        Some(Ok(Self { source, title, in_background }))
    }

    /// Shows it until Ctrl-C, or until it cannot go on.
    pub fn show(self, endpoint: &Endpoint, style: &Style, out: impl Write) -> Outcome<Exit> {
        let stream = open(endpoint, &self.source)?;
        let mut out = out;
        let lines = Lines::new(style, move |text: String| out.write_all(text.as_bytes()).and_then(|()| out.flush()));
        follow(
            stream,
            View::new(Renderer::new(lines, style.clone()), Limits::none()),
            &Ending::Signals,
            &mut |told: Told| told.report(),
        )
    }
}

fn open(endpoint: &Endpoint, source: &Source) -> Outcome<Stream> {
    Ok(Stream::open(endpoint, source.clone(), None)?)
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

impl<P: FnMut(String) -> io::Result<()>> Lines<P> {
    fn new(style: &Style, print: P) -> Self {
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
    source: Source,
    /// Closed, it ends the view.
    stop: PipeWriter,
    is_over: Arc<AtomicBool>,
}

/// The views above the prompt.
#[derive(Default)]
pub struct Jobs {
    list: Vec<Job>,
    last: usize,
}

/// Between two tries of a view that a Ctrl-C for somebody else interrupted.
const RETRY: Duration = Duration::from_millis(100);

impl Jobs {
    /// Starts a view in a thread of its own; what is sent to `above` is written above the line being typed. Gives its
    /// number.
    pub fn start(
        &mut self,
        wanted: Wanted,
        endpoint: &Endpoint,
        style: &Style,
        above: SyncSender<String>,
    ) -> Outcome<usize> {
        let (stopped, stop) =
            io::pipe().map_err(|error| Failure::failed(format!("cannot start a view: {}", describe_io(&error))))?;
        self.last += 1;
        let number = self.last;
        let is_over = Arc::new(AtomicBool::new(false));
        let (over, endpoint, style) = (Arc::clone(&is_over), endpoint.clone(), style.clone());
        let (title, source) = (wanted.title.clone(), wanted.source.clone());
        thread::spawn(move || {
            let print = |text| {
                // What a stopped view still had to say is nobody's business any more.
                if over.load(Ordering::Relaxed) { Ok(()) } else { above.send(text).map_err(io::Error::other) }
            };
            run(&source, &endpoint, &style, &Ending::Stop(stopped), &format!("[{number}] {title}"), print);
            over.store(true, Ordering::Relaxed);
        });
        self.list.push(Job { number, title: wanted.title, source: wanted.source, stop, is_over });
        Ok(number)
    }

    /// One line a view: its number and its command.
    pub fn describe(&mut self) -> Vec<String> {
        self.list.retain(|job| !job.is_over.load(Ordering::Relaxed));
        self.list.iter().map(|job| format!("[{}] {}", job.number, job.title)).collect()
    }

    /// Ends a view; whether there was one of that number.
    pub fn stop(&mut self, number: usize) -> bool {
        self.describe();
        let before = self.list.len();
        self.list.retain(|job| job.number != number);
        self.list.len() < before
    }

    /// Does what UNSUBSCRIBE and its kind ask for: ends the views of these names, without names all of that kind.
    /// Gives what it ended, in words; none if the command is another one.
    pub fn unsubscribe(&mut self, request: &Request) -> Option<Vec<String>> {
        let kinds =
            [("UNSUBSCRIBE", Topic::Channel), ("PUNSUBSCRIBE", Topic::Pattern), ("SUNSUBSCRIBE", Topic::ShardChannel)];
        let (_, topic) = kinds.into_iter().find(|(name, _)| request.is(0, name))?;
        self.describe();
        let names: Vec<&[u8]> = request.args().skip(1).collect();
        let is_meant = |job: &Job| match &job.source {
            Source::Subscriptions(subscriptions) => subscriptions
                .iter()
                .all(|own| own.topic == topic && (names.is_empty() || names.contains(&own.name.as_slice()))),
            Source::Monitor => false,
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
        // Closing the pipe says it; the byte says it to a reader that is slow to notice.
        let _ = self.stop.write_all(&[0]);
    }
}

/// Follows a source until it is stopped or cannot go on, and says why it could not.
fn run(
    source: &Source,
    endpoint: &Endpoint,
    style: &Style,
    ending: &Ending,
    name: &str,
    print: impl Fn(String) -> io::Result<()> + Copy,
) {
    loop {
        let ended = open(endpoint, source).and_then(|stream| {
            let renderer = Renderer::new(Lines::new(style, print), style.clone());
            follow(stream, View::new(renderer, Limits::none()), ending, &mut |told: Told| {
                let _ = print(told.of(name).line());
            })
        });
        match ended {
            // Ctrl-C is for what runs in the foreground.
            Err(failure) if failure.exit() == Exit::Signal(Signal::Interrupt) => thread::sleep(RETRY),
            Err(failure) => {
                let _ = print(Told::Failure(failure.into_message()).of(name).line());
                return;
            }
            Ok(_) => return,
        }
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
