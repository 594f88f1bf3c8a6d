//! A session given over to listening: what it listens to is remembered, and asked for again after a loss
//! (contract sections 8 and 9). Prints nothing; whoever follows it decides what to say.
//!
//! [`Stream::next`] never blocks and [`Stream::wait`] is the only sleep: so output is flushed exactly when nothing
//! waits, and no message is lost to a time limit.

mod pulse;
mod source;

use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use redis::Value;
use rustix::event::{PollFd, PollFlags};

pub use self::source::{Source, Subscription, Topic};

use self::pulse::{Pulse, Verdict};
use self::source::{is_final, is_final_code, is_pong};
use super::open::Unopened;
use super::session::{Session, error_text};
use super::target::Target;
use crate::exit::{Failure, Outcome, describe_io};
use crate::interrupt;
use crate::message::{Kind, Message};

/// The first pause before a new connection is tried; doubled each time.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// A connection that held for this long, or brought a message, was a good one: pauses and tries begin anew.
const STEADY: Duration = Duration::from_secs(1);

/// What a stream gives.
#[derive(Debug)]
pub enum Heard {
    /// A message, or the confirmation of a subscription.
    Message(Message),
    /// A line of MONITOR.
    Line(String),
    /// A push of another kind.
    Push(Value),
    /// The connection is lost.
    Disconnected {
        /// Why.
        reason: String,
        /// Whether it will be tried again.
        retrying: bool,
    },
    /// Everything is subscribed again. What was published in the gap is lost.
    Reconnected {
        /// The time in which nothing was heard.
        gap: Duration,
    },
}

/// What [`Stream::wait`] woke up for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    /// Something may have come.
    Stream,
    /// The descriptor at this place among the others is ready.
    Other(usize),
}

/// A connection that listens.
struct Up {
    session: Session,
    opened: Instant,
    pulse: Pulse,
    /// How many of the source's commands are confirmed.
    confirmed: usize,
    /// Whether a message came.
    has_delivered: bool,
}

enum Link {
    Up(Box<Up>),
    /// Not connected; when to try again.
    Down(Instant),
}

/// A source that is listened to, over as many connections as it takes.
pub struct Stream {
    target: Target,
    source: Source,
    /// How often in a row to try a new connection; none: for ever.
    retries: Option<u32>,
    link: Link,
    /// How often in a row it was tried.
    tries: u32,
    /// Whether everything was confirmed once.
    was_ready: bool,
    /// Since when nothing is heard; none when all is well.
    lost_at: Option<Instant>,
    /// Why there is no connection.
    reason: String,
    /// What [`Self::next`] gives before anything else.
    announced: Option<Heard>,
}

impl Stream {
    /// Connects and asks for the source. That there is no server, or that it refuses us, ends the run (status 3); only
    /// what was heard once is tried again, `retries` times in a row.
    pub fn open(target: &Target, source: Source, retries: Option<u32>) -> Outcome<Self> {
        let session = Session::open(target)?;
        let mut stream = Self {
            target: target.clone(),
            source,
            retries,
            link: Link::Down(Instant::now()),
            tries: 0,
            was_ready: false,
            lost_at: None,
            reason: String::new(),
            announced: None,
        };
        stream.ask(session);
        Ok(stream)
    }

    /// Asks a fresh connection for the source.
    fn ask(&mut self, mut session: Session) {
        self.source.pack(session.outgoing());
        let up = Up { session, opened: Instant::now(), pulse: Pulse::new(), confirmed: 0, has_delivered: false };
        self.link = Link::Up(Box::new(up));
    }

    /// The server's address, for messages to people.
    pub fn place(&self) -> String {
        self.target.address.to_string()
    }

    /// What has come; none if nothing waits. Does not block.
    pub fn next(&mut self) -> Outcome<Option<Heard>> {
        if self.announced.is_some() {
            return Ok(self.announced.take());
        }
        loop {
            let Link::Up(up) = &mut self.link else { return Ok(None) };
            let received = up.session.receive();
            up.pulse.hear(up.session.received());
            match received {
                Ok(Some(value)) => {
                    if let Some(heard) = self.read(value)? {
                        return Ok(Some(heard));
                    }
                }
                Ok(None) => return Ok(None),
                Err(lost) => {
                    self.lose(&lost.reason(), None)?;
                    return Ok(self.announced.take());
                }
            }
        }
    }

    /// What a value means; none if it is nobody's business.
    fn read(&mut self, value: Value) -> Outcome<Option<Heard>> {
        let Link::Up(up) = &mut self.link else { return Ok(None) };
        let value = match (&self.source, value) {
            (_, Value::ServerError(error)) => return self.read_error(&error),
            (_, push @ Value::Push { .. }) if !is_known_push(&push) => return Ok(Some(Heard::Push(push))),
            (Source::Monitor, Value::SimpleString(line)) if line.starts_with(|c: char| c.is_ascii_digit()) => {
                up.has_delivered = true;
                return Ok(Some(Heard::Line(line)));
            }
            (Source::Monitor, Value::Okay) if up.confirmed == 0 => {
                self.confirm();
                return Ok(None);
            }
            (Source::Monitor, Value::Okay) if up.pulse.settle() => return Ok(None),
            (Source::Monitor, value) => value,
            (Source::Subscriptions(_), value) => match Message::decode(value) {
                Ok(message) => {
                    up.has_delivered |= message.kind.is_published();
                    if matches!(message.kind, Kind::Subscribe | Kind::PSubscribe | Kind::SSubscribe) {
                        self.confirm();
                    }
                    return Ok(Some(Heard::Message(message)));
                }
                Err(value) if is_pong(&value) && up.pulse.settle() => return Ok(None),
                Err(value) => value,
            },
        };
        self.lose(&format!("the server sent what belongs to no stream ({})", name_of(&value)), None)?;
        Ok(self.announced.take())
    }

    /// An error: the refusal of a subscription that is not confirmed, or an answer to the question for a sign of life.
    fn read_error(&mut self, error: &redis::ServerError) -> Outcome<Option<Heard>> {
        let Link::Up(up) = &mut self.link else { return Ok(None) };
        if up.confirmed < self.source.len() {
            let refusal = self.source.describe_refusal(up.confirmed, error);
            if !self.was_ready || is_final(error) {
                return Err(Failure::failed(format!("{}: {refusal}", self.place())));
            }
            self.lose(&refusal, None)?;
        } else if !up.pulse.settle() {
            self.lose(&error_text(error), None)?;
        }
        Ok(self.announced.take())
    }

    /// One more of the source's commands is confirmed.
    fn confirm(&mut self) {
        let Link::Up(up) = &mut self.link else { return };
        up.confirmed += 1;
        if up.confirmed == self.source.len() {
            self.was_ready = true;
            if let Some(lost_at) = self.lost_at.take() {
                self.announced = Some(Heard::Reconnected { gap: lost_at.elapsed() });
            }
        }
    }

    /// Drops a connection that sends what cannot be understood, and begins anew.
    pub fn distrust(&mut self, reason: &str) -> Outcome<()> {
        self.lose(reason, None)
    }

    /// The connection is lost, since now if it is not known better.
    fn lose(&mut self, reason: &str, since: Option<Instant>) -> Outcome<()> {
        let now = Instant::now();
        let Link::Up(up) = &self.link else { return Ok(()) };
        let mut reason = reason.to_owned();
        let stalled = up.pulse.stalled();
        if let Some(stalled) = stalled {
            let seconds = now.duration_since(stalled).as_secs();
            reason = format!("{reason}, after nothing was read from it for {seconds} s");
        }
        if !self.was_ready {
            return Err(Failure::failed(format!("{}: connection lost: {reason}", self.place())));
        }
        if up.has_delivered || now.duration_since(up.opened) >= STEADY {
            self.tries = 0;
        }
        self.link = Link::Down(now + pause(self.tries));
        self.reason.clone_from(&reason);
        if self.lost_at.is_none() {
            self.lost_at = Some(since.or(stalled).unwrap_or(now));
            self.announced = Some(Heard::Disconnected { reason, retrying: self.may_retry() });
        }
        Ok(())
    }

    fn may_retry(&self) -> bool {
        self.retries.is_none_or(|retries| self.tries < retries)
    }

    /// Sleeps until something comes, one of the other descriptors is ready, or the deadline passes; tries a new
    /// connection when it is time for that. Ends the run when no further try is allowed.
    pub fn wait(&mut self, others: &[PollFd<'_>], deadline: Option<Instant>) -> Outcome<Woken> {
        if self.announced.is_some() {
            return Ok(Woken::Stream);
        }
        match &self.link {
            Link::Up(_) => self.wait_up(others, deadline),
            Link::Down(due) => {
                let due = *due;
                if !self.may_retry() {
                    return Err(self.give_up());
                }
                let mut fds = others.to_vec();
                sleep(&mut fds, sooner(deadline, due))?;
                if let Some(index) = ready_at(&fds) {
                    return Ok(Woken::Other(index));
                }
                if Instant::now() >= due {
                    self.reopen(deadline)?;
                }
                Ok(Woken::Stream)
            }
        }
    }

    fn wait_up(&mut self, others: &[PollFd<'_>], deadline: Option<Instant>) -> Outcome<Woken> {
        let Link::Up(up) = &mut self.link else { return Ok(Woken::Stream) };
        if let Err(lost) = up.session.send() {
            self.lose(&lost.reason(), None)?;
            return Ok(Woken::Stream);
        }
        let slept = up.pulse.attend();
        let interest = up.session.interest();
        let mut fds = vec![PollFd::from_borrowed_fd(up.session.as_fd(), interest)];
        fds.extend_from_slice(others);
        let confirm_due = self.target.read_timeout.filter(|_| up.confirmed < self.source.len());
        let confirm_due = confirm_due.map(|limit| up.opened + limit);
        let due = confirm_due.map_or(up.pulse.due(), |due| due.min(up.pulse.due()));
        sleep(&mut fds, sooner(deadline, due))?;
        let is_readable = fds[0].revents().intersects(!PollFlags::OUT);
        let other = ready_at(&fds[1..]);
        if !is_readable && confirm_due.is_some_and(|due| due <= Instant::now()) {
            self.lose("no confirmation within --read-timeout", None)?;
            return Ok(Woken::Stream);
        }
        match up.pulse.check(slept, is_readable) {
            Verdict::Well => {}
            Verdict::Ask => self.source.pack_probe(up.session.outgoing()),
            Verdict::Dead => {
                let heard = up.pulse.heard();
                let silence = heard.elapsed().as_secs();
                self.lose(&format!("the server has given no sign of life for {silence} s"), Some(heard))?;
            }
        }
        Ok(other.map_or(Woken::Stream, Woken::Other))
    }

    /// Tries a new connection, until the deadline at most.
    fn reopen(&mut self, deadline: Option<Instant>) -> Outcome<()> {
        self.tries += 1;
        let mut target = self.target.clone();
        if let Some(deadline) = deadline {
            let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
            target.connect_timeout = target.connect_timeout.min(left);
        }
        match Session::try_open(&target) {
            Ok(session) => {
                self.ask(session);
                return Ok(());
            }
            Err(Unopened::Refused { code, message }) if is_final_code(&code) => {
                return Err(Failure::failed(format!("{}; not tried again: {message}", self.lost_words())));
            }
            Err(Unopened::Refused { message, .. } | Unopened::Unreachable(message)) => self.reason = message,
            Err(interrupted) => return Err(interrupted.into_failure()),
        }
        self.link = Link::Down(Instant::now() + pause(self.tries));
        Ok(())
    }

    fn lost_words(&self) -> String {
        format!("{}: connection lost", self.place())
    }

    /// The end of a run whose tries are used up.
    fn give_up(&self) -> Failure {
        let words = self.lost_words();
        Failure::failed(match self.tries {
            0 => format!("{words}: {}", self.reason),
            1 => format!("{words}, and not regained with 1 try: {}", self.reason),
            tries => format!("{words}, and not regained with {tries} tries: {}", self.reason),
        })
    }
}

/// The pause after so many tries.
fn pause(tries: u32) -> Duration {
    FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(tries.min(16))).min(LONGEST_PAUSE)
}

fn sooner(deadline: Option<Instant>, due: Instant) -> Instant {
    deadline.map_or(due, |deadline| deadline.min(due))
}

fn sleep(fds: &mut [PollFd<'_>], deadline: Instant) -> Outcome<()> {
    interrupt::sleep(fds, Some(deadline))
        .map_err(|error| Failure::failed(format!("cannot wait: {}", describe_io(&error))))
}

/// The place of the first descriptor that is ready.
pub fn ready_at(fds: &[PollFd<'_>]) -> Option<usize> {
    fds.iter().position(|fd| !fd.revents().is_empty())
}

fn is_known_push(value: &Value) -> bool {
    matches!(value, Value::Push { kind, .. } if Kind::of_push(kind).is_some())
}

/// What kind of value came, for a message to a person.
fn name_of(value: &Value) -> &'static str {
    match value {
        Value::Okay | Value::SimpleString(_) => "a simple string",
        Value::BulkString(_) => "a string",
        Value::Int(_) => "a number",
        Value::Nil => "nil",
        Value::Array(_) | Value::Push { .. } => "an array of the wrong form",
        _ => "a value of another type",
    }
}
