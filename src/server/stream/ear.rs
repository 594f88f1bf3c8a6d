//! One connection that listens: what came over it, and what to wait for. What a loss means is its holder's business.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use redis::{ServerError, Value};
use rustix::event::PollFlags;

use super::super::session::{Lost, Session, error_text};
use super::Heard;
use super::pulse::{Pulse, Verdict};
use super::source::{Source, Subscription, is_pong};
use crate::message::{Kind, Message};

/// A connection that held for this long, or brought a message, was a good one: pauses and tries begin anew.
const STEADY: Duration = Duration::from_secs(1);

/// What came over the connection.
pub enum Got {
    /// Something for whoever listens.
    Heard(Heard),
    /// The command at this place among those of the source is confirmed; MONITOR's has no message.
    Confirmed(usize, Option<Message>),
    /// The command at this place is refused.
    Refused(usize, ServerError),
}

/// Why the connection is of no use any more.
pub struct Loss {
    pub reason: String,
    /// Since when, if that is not now.
    pub since: Option<Instant>,
    /// Whether the server turned the connection away: the reason says all there is to say.
    pub is_refusal: bool,
}

impl Loss {
    pub fn now(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), since: None, is_refusal: false }
    }
}

impl From<Lost> for Loss {
    fn from(lost: Lost) -> Self {
        Self { is_refusal: matches!(lost, Lost::Refused(_)), ..Self::now(lost.reason()) }
    }
}

/// A connection that listens.
pub struct Ear {
    session: Session,
    /// All that it was asked for, in that order.
    source: Source,
    opened: Instant,
    /// When it was asked last.
    asked: Instant,
    pulse: Pulse,
    /// How many of the source's commands are answered.
    answered: usize,
    /// Whether a message came.
    has_delivered: bool,
    /// Why nothing can be sent any more: told once all that the server said before is read.
    unsendable: Option<Loss>,
}

impl Ear {
    /// Asks a fresh connection for the source.
    pub fn new(mut session: Session, source: Source) -> Self {
        source.pack(session.outgoing());
        let now = Instant::now();
        let pulse = Pulse::new();
        Self { session, source, opened: now, asked: now, pulse, answered: 0, has_delivered: false, unsendable: None }
    }

    /// Asks for one more channel; its place among the commands of the source.
    pub fn add(&mut self, subscription: Subscription) -> usize {
        if let Source::Subscriptions(subscriptions) = &mut self.source {
            Source::Subscriptions(vec![subscription.clone()]).pack(self.session.outgoing());
            subscriptions.push(subscription);
        }
        self.asked = Instant::now();
        self.source.len() - 1
    }

    /// What was asked for at this place.
    pub fn asked_at(&self, index: usize) -> Option<&Subscription> {
        match &self.source {
            Source::Subscriptions(subscriptions) => subscriptions.get(index),
            Source::Monitor => None,
        }
    }

    /// Whether all that was asked for is answered.
    pub fn is_ready(&self) -> bool {
        self.answered == self.source.len()
    }

    /// Whether it was of use: then tries to replace it begin anew.
    pub fn was_good(&self) -> bool {
        self.has_delivered || self.opened.elapsed() >= STEADY
    }

    /// A loss in full: one that was found after a time without reading may be that reader's fault.
    pub fn complete(&self, loss: Loss) -> Loss {
        let Some(stalled) = self.pulse.stalled() else { return loss };
        let seconds = stalled.elapsed().as_secs();
        let reason = format!("{}, after nothing was read from it for {seconds} s", loss.reason);
        Loss { reason, since: loss.since.or(Some(stalled)), ..loss }
    }

    /// The words for the refusal of the command at this place.
    pub fn describe_refusal(&self, index: usize, error: &ServerError) -> String {
        self.source.describe_refusal(index, error)
    }

    /// What has come; none if nothing waits. Does not block.
    pub fn receive(&mut self) -> Result<Option<Got>, Loss> {
        loop {
            let received = self.session.receive();
            self.pulse.hear(self.session.received());
            let Some(value) = received? else { return self.unsendable.take().map_or(Ok(None), Err) };
            if let Some(got) = self.read(value)? {
                return Ok(Some(got));
            }
        }
    }

    /// What a value means; none if it is nobody's business.
    fn read(&mut self, value: Value) -> Result<Option<Got>, Loss> {
        let value = match (&self.source, value) {
            (_, Value::ServerError(error)) if !self.is_ready() => {
                self.answered += 1;
                return Ok(Some(Got::Refused(self.answered - 1, error)));
            }
            (_, Value::ServerError(_)) if self.pulse.settle() => return Ok(None),
            (_, Value::ServerError(error)) => return Err(Loss::now(error_text(&error))),
            (_, push @ Value::Push { .. }) if !is_known_push(&push) => return Ok(Some(Got::Heard(Heard::Push(push)))),
            (Source::Monitor, Value::SimpleString(line)) if line.starts_with(|c: char| c.is_ascii_digit()) => {
                self.has_delivered = true;
                return Ok(Some(Got::Heard(Heard::Line(line))));
            }
            (Source::Monitor, Value::Okay) if !self.is_ready() => {
                self.answered += 1;
                return Ok(Some(Got::Confirmed(0, None)));
            }
            (Source::Monitor, Value::Okay) if self.pulse.settle() => return Ok(None),
            (Source::Monitor, value) => value,
            (Source::Subscriptions(_), value) => match Message::decode(value) {
                Ok(message) if matches!(message.kind, Kind::Subscribe | Kind::PSubscribe | Kind::SSubscribe) => {
                    self.answered += 1;
                    return Ok(Some(Got::Confirmed(self.answered - 1, Some(message))));
                }
                Ok(message) => {
                    self.has_delivered |= message.kind.is_published();
                    return Ok(Some(Got::Heard(Heard::Message(message))));
                }
                Err(value) if is_pong(&value) && self.pulse.settle() => return Ok(None),
                Err(value) => value,
            },
        };
        Err(Loss::now(format!("the server sent what belongs to no stream ({})", name_of(&value))))
    }

    /// Sends what is to be sent before a sleep. When that begins, and when it has to end.
    pub fn prepare(&mut self) -> (Instant, Instant) {
        let slept = self.pulse.attend();
        if let Err(lost) = self.session.send() {
            self.unsendable = Some(lost.into());
            return (slept, slept);
        }
        let due = self.confirm_due().map_or(self.pulse.due(), |due| due.min(self.pulse.due()));
        (slept, due)
    }

    /// When a confirmation that is missing counts as refused.
    fn confirm_due(&self) -> Option<Instant> {
        let limit = self.session.target.read_timeout.filter(|_| !self.is_ready())?;
        Some(self.asked + limit)
    }

    /// What to poll the descriptor for.
    pub fn interest(&mut self) -> PollFlags {
        self.session.interest()
    }

    /// Draws the conclusions from a sleep that began at `slept` and found these events.
    pub fn conclude(&mut self, slept: Instant, events: PollFlags) -> Result<(), Loss> {
        self.session.note_woken(events);
        let is_readable = events.intersects(!PollFlags::OUT);
        if !is_readable && self.confirm_due().is_some_and(|due| due <= Instant::now()) {
            return Err(Loss::now("no confirmation within --read-timeout"));
        }
        match self.pulse.check(slept, is_readable) {
            Verdict::Well => {}
            Verdict::Ask => self.source.pack_probe(self.session.outgoing()),
            Verdict::Dead => {
                let heard = self.pulse.heard();
                let silence = heard.elapsed().as_secs();
                let reason = format!("the server has given no sign of life for {silence} s");
                return Err(Loss { since: Some(heard), ..Loss::now(reason) });
            }
        }
        Ok(())
    }
}

impl AsFd for Ear {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.session.as_fd()
    }
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
