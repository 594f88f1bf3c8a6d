//! One connection that listens: what came over it, and what to wait for. What a loss means is its holder's business.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use rustix::event::PollFlags;

use super::super::session::{Lost, Session};
use super::Heard;
use super::pulse::{Pulse, Verdict};
use super::source::{Source, Subscription, is_pong};
use crate::reply::{ErrorReply, Frame, Kind, Message, MessageKind, OwnedFrame};

/// A connection that held for this long, or brought a message, was a good one: pauses and tries begin anew.
const STEADY: Duration = Duration::from_secs(1);

/// What came over the connection.
pub enum Got {
    /// Something for whoever listens: [`Ear::heard`] has it.
    Heard(Form),
    /// The command at this place among those of the source is confirmed; MONITOR's has no message.
    Confirmed(usize, Option<OwnedFrame>),
    /// The command at this place is refused.
    Refused(usize, ErrorReply),
}

/// What a frame is to whoever listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Message(MessageKind),
    Line,
    Push,
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
    pub fn describe_refusal(&self, index: usize, error: &ErrorReply) -> String {
        self.source.describe_refusal(index, error)
    }

    /// What has come; none if nothing waits. Does not block.
    pub fn receive(&mut self) -> Result<Option<Got>, Loss> {
        loop {
            let received = self.session.advance();
            self.pulse.hear(self.session.received());
            if !received? {
                return self.unsendable.take().map_or(Ok(None), Err);
            }
            if let Some(got) = self.read()? {
                return Ok(Some(got));
            }
        }
    }

    /// What was received last, which is of this form.
    pub fn heard(&self, form: Form) -> Heard<'_> {
        let frame = self.session.current();
        match form {
            Form::Message(_) => Message::of(frame).map_or(Heard::Nonsense, Heard::Message),
            Form::Line => std::str::from_utf8(frame.head().text).map_or(Heard::Nonsense, Heard::Line),
            Form::Push => Heard::Push(frame),
        }
    }

    /// What the frame that was received last means; none if it is for this side only.
    fn read(&mut self) -> Result<Option<Got>, Loss> {
        let frame = self.session.current();
        if let Some(error) = ErrorReply::of(frame) {
            if !self.is_ready() {
                self.answered += 1;
                return Ok(Some(Got::Refused(self.answered - 1, error)));
            }
            return if self.pulse.settle() { Ok(None) } else { Err(Loss::now(error.to_string())) };
        }
        let kind = MessageKind::of(frame);
        match (&self.source, kind) {
            (Source::Subscriptions(_), Some(kind)) => {
                // That of a published message is found out by who reads it.
                if !kind.is_published() && Message::of(frame).is_none() {
                    return Err(Loss::now(format!("the server sent what belongs to no stream ({})", kind.name())));
                }
                if matches!(kind, MessageKind::Subscribe | MessageKind::PSubscribe | MessageKind::SSubscribe) {
                    self.answered += 1;
                    return Ok(Some(Got::Confirmed(self.answered - 1, Some(frame.to_owned()))));
                }
                self.has_delivered |= kind.is_published();
                Ok(Some(Got::Heard(Form::Message(kind))))
            }
            (_, None) if frame.kind() == Kind::Push => Ok(Some(Got::Heard(Form::Push))),
            (Source::Monitor, None) if is_line(frame) => {
                self.has_delivered = true;
                Ok(Some(Got::Heard(Form::Line)))
            }
            (Source::Monitor, None) if frame.is_ok() && !self.is_ready() => {
                self.answered += 1;
                Ok(Some(Got::Confirmed(0, None)))
            }
            (Source::Monitor, None) if frame.is_ok() && self.pulse.settle() => Ok(None),
            (Source::Subscriptions(_), None) if is_pong(frame) && self.pulse.settle() => Ok(None),
            _ => Err(Loss::now(format!("the server sent what belongs to no stream ({})", name_of(frame.kind())))),
        }
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

/// Whether this may be a line of MONITOR: it begins with the time.
fn is_line(frame: Frame<'_>) -> bool {
    matches!(frame.bytes(), [b'+', b'0'..=b'9', ..])
}

/// What came, for a message to a person.
fn name_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Simple => "a simple string",
        Kind::Bulk => "a string",
        Kind::Integer => "a number",
        Kind::Nil => "nil",
        Kind::Array | Kind::Push => "an array of the wrong form",
        _ => "a value of another type",
    }
}
