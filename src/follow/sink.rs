//! Where what a stream gives goes: the output, the handlers, and the words for people; what it is to have is decided by the
//! loop (`mod.rs`).

use std::io;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::event::{PollFd, PollFlags};

use super::handler::{Handlers, Takes, variables_of};
use super::view::{End, View, Watched, asked, watched};
use super::words::describe;
use crate::exit::{Exit, Failure, Outcome};
use crate::net::{Given, Heard, poll, ready_at};
use crate::render::Record;
use crate::reply::{ArgPlaces, Entry, Event, Message, MessageKind, MonitorLine, Ticket, describe_no_room};
use crate::report::{notice, report};
use crate::signal::{self, Signal};
use crate::text::{counted, describe_io};

/// A pause for the handlers that is not worth a word.
const SHORT_PAUSE: Duration = Duration::from_millis(200);
/// How often a second signal is looked for, while handlers are waited for.
const GLANCE: Duration = Duration::from_millis(50);

/// Where what was received goes: the output, the handlers, and the words for people.
pub(super) struct Sink {
    pub(super) view: View,
    /// The status of what a server refused while the stream ran.
    pub(super) refused: Exit,
    /// Whether an entry was given that could not be passed on.
    pub(super) is_short: bool,
    /// Of the line of MONITOR that was taken last.
    pub(super) places: ArgPlaces,
}

/// What became of something that was received.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// It is written or handled, or not wanted.
    Done,
    End(End),
    /// It is not what such a stream gives.
    Nonsense,
}

impl Sink {
    /// Shows or handles what has come.
    pub(super) fn take(&mut self, given: &Given<'_>) -> Outcome<Taken> {
        match &given.heard {
            Heard::Message(message) => return self.take_message(message, given.node),
            Heard::Line(text) => return self.take_line(text, given.node),
            Heard::Push(push) if self.view.pushes => self.write(&Record::Push(*push))?,
            Heard::Push(_) => {}
            Heard::Nonsense => return Ok(Taken::Nonsense),
            Heard::Entry(entry) => return self.take_entry(entry),
            Heard::Refused(words) => return Err(Failure::error_reply(*words)),
            Heard::End => return Ok(Taken::End(End::Done)),
            Heard::Event(event) => {
                if let Event::Refused { .. } = event {
                    self.refused = Exit::ErrorReply;
                }
                if let Some(told) = describe(event, given.place) {
                    told.report();
                }
                return self.take_event(event, given.place);
            }
        }
        Ok(Taken::Done)
    }

    fn take_message(&mut self, message: &Message<'_>, node: Option<&str>) -> Outcome<Taken> {
        let is_published = message.kind.is_published();
        if !is_published && !self.view.confirmations && message.kind != MessageKind::Pong {
            return Ok(Taken::Done);
        }
        let record = Record::Message { message, time: self.now(), node };
        match self.view.handlers.as_ref().and_then(|handlers| handlers.find(message)) {
            Some(index) => {
                let no_room = || describe_no_room(message.frame.bytes());
                self.hand_over(index, &record, &variables_of(message), None, no_room)?;
            }
            None => self.write(&record)?,
        }
        self.count(is_published)
    }

    fn take_entry(&mut self, entry: &Entry<'_>) -> Outcome<Taken> {
        let taken = self.pass_on(entry);
        self.is_short |= taken.is_err();
        taken
    }

    fn pass_on(&mut self, entry: &Entry<'_>) -> Outcome<Taken> {
        let record = Record::Entry { entry, time: self.now() };
        match self.view.handlers.as_ref().and_then(|handlers| handlers.find_for(&Takes::Entries)) {
            Some(index) => {
                let variables = [("RCLI_STREAM", entry.stream), ("RCLI_ID", entry.id)];
                let no_room = || "memory has no room for an entry".to_owned();
                self.hand_over(index, &record, &variables, Some(entry.ticket), no_room)?;
            }
            None => self.write(&record)?,
        }
        self.count(true)
    }

    /// Has a handler take a record. `no_room` says what memory has no room for.
    fn hand_over(
        &self,
        handler: usize,
        record: &Record<'_>,
        variables: &[(&'static str, &[u8])],
        ticket: Option<Ticket>,
        no_room: impl FnOnce() -> String,
    ) -> Outcome<()> {
        if let Some(handlers) = &self.view.handlers {
            handlers.push(handler, record, variables, ticket).map_err(|error| match error.kind() {
                io::ErrorKind::OutOfMemory => Failure::failed(no_room()),
                _ => Failure::failed(describe_io(&error)),
            })?;
        }
        Ok(())
    }

    /// Counts what `is_counted`; the view ends with the last one, and before the next one is read there is to be room.
    fn count(&mut self, is_counted: bool) -> Outcome<Taken> {
        if is_counted && self.view.limits.count() { Ok(Taken::End(End::Done)) } else { self.await_room() }
    }

    fn take_line(&mut self, text: &[u8], node: Option<&str>) -> Outcome<Taken> {
        let Some(line) = MonitorLine::parse(text, &mut self.places) else { return Ok(Taken::Nonsense) };
        if !self.view.filter.lets(&line) {
            return Ok(Taken::Done);
        }
        let record = Record::Monitored { text, line: &line, node };
        self.view.renderer.write(&record).map_err(Failure::output)?;
        self.count(true)
    }

    fn take_event(&mut self, event: &Event, place: &str) -> Outcome<Taken> {
        let record = Record::Event { event, time: self.now(), server: place };
        if self.view.events {
            self.write(&record)?;
        }
        let handler = self.view.handlers.as_ref().and_then(|handlers| handlers.find_for(&Takes::Events));
        let Some(handler) = handler else { return Ok(Taken::Done) };
        let no_room = || "memory has no room for an event".to_owned();
        self.hand_over(handler, &record, &[("RCLI_EVENT", event.name().as_bytes())], None, no_room)?;
        self.await_room()
    }

    fn write(&mut self, record: &Record<'_>) -> Outcome<()> {
        self.view.renderer.write(record).map_err(Failure::output)
    }

    pub(super) fn flush(&mut self) -> Outcome<()> {
        self.view.renderer.flush().map_err(Failure::output)
    }

    /// The time since 1970, if lines are to tell it.
    fn now(&self) -> Option<Duration> {
        self.view.time.then(|| SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
    }

    /// What a ready descriptor means.
    pub(super) fn heed(&mut self, what: Watched) -> Option<End> {
        match what {
            Watched::Signal => asked(),
            Watched::Output => Some(End::Unread),
            Watched::Handlers => {
                self.view.handlers.iter().for_each(Handlers::note);
                self.handlers_have_stopped()
            }
        }
    }

    /// With a full backlog nothing is read, until there is room: the server holds what comes meanwhile.
    fn await_room(&mut self) -> Outcome<Taken> {
        if !self.view.handlers.as_ref().is_some_and(Handlers::is_full) {
            return Ok(Taken::Done);
        }
        self.flush()?;
        let deadline = self.view.limits.timeout_ends();
        let mut end = self.sleep_while(Some(Instant::now() + SHORT_PAUSE), Handlers::is_behind)?;
        if end == Some(End::Expired) {
            notice(
                "the handlers are behind: reading pauses until they catch up; a server drops a reader that is too slow",
            );
            end = self.sleep_while(deadline, Handlers::is_behind)?;
        }
        self.view.limits.stay();
        Ok(end.or_else(|| self.handlers_have_stopped()).map_or(Taken::Done, Taken::End))
    }

    /// Sleeps, not reading, while the handlers are in this state, until the deadline or the view's end.
    fn sleep_while(&mut self, deadline: Option<Instant>, state: impl Fn(&Handlers) -> bool) -> Outcome<Option<End>> {
        while self.view.handlers.as_ref().is_some_and(&state) {
            let (mut fds, whats) = watched(&self.view);
            poll::sleep(&mut fds, deadline).map_err(|error| cannot_wait(&error))?;
            match ready_at(&fds).map(|index| whats[index]) {
                Some(Watched::Handlers) => self.view.handlers.iter().for_each(Handlers::note),
                Some(what) => {
                    if let Some(end) = self.heed(what) {
                        return Ok(Some(end));
                    }
                }
                // Nothing tells that a handler has begun.
                None => return Ok(self.view.handlers.as_ref().is_some_and(&state).then_some(End::Expired)),
            }
        }
        Ok(None)
    }

    fn handlers_have_stopped(&self) -> Option<End> {
        let handlers = self.view.handlers.as_ref()?;
        handlers.has_stopped().then_some(End::HandlerFailed)
    }

    /// Lets the handlers do what was received; after a signal only what they have begun.
    pub(super) fn finish_handlers(&mut self, end: Outcome<End>) -> Outcome<End> {
        let end = match end {
            Ok(End::Signal(signal)) => Ok(End::Signal(signal)),
            end => match self.sleep_while(None, |handlers| !handlers.is_idle())? {
                Some(End::Signal(signal)) => Ok(End::Signal(signal)),
                _ => end.map(|end| self.handlers_have_stopped().unwrap_or(end)),
            },
        };
        if let (Ok(End::Signal(signal)), Some(handlers)) = (&end, &self.view.handlers) {
            handlers.close();
            // With the terminal gone nobody could end them.
            if *signal != Signal::HangUp {
                await_running(handlers)?;
            }
            let left = handlers.abandon(*signal);
            if left > 0 {
                report(&format!("ended with {} received and not handled", counted(left as u64, "message")));
            }
        }
        end
    }
}

/// Waits for the handlers that run, until a second signal.
fn await_running(handlers: &Handlers) -> Outcome<()> {
    let mut told_at = Some(Instant::now() + SHORT_PAUSE);
    while !handlers.is_idle() && !signal::insisted() {
        let mut fds = [PollFd::from_borrowed_fd(handlers.fd(), PollFlags::IN)];
        poll::sleep(&mut fds, Some(Instant::now() + GLANCE)).map_err(|error| cannot_wait(&error))?;
        handlers.note();
        if told_at.take_if(|at| *at <= Instant::now()).is_some() {
            let running = handlers.running();
            notice(&format!("waiting for {running} handlers to finish; a second signal ends them"));
        }
    }
    Ok(())
}

fn cannot_wait(error: &io::Error) -> Failure {
    Failure::failed(format!("cannot wait: {}", describe_io(error)))
}
