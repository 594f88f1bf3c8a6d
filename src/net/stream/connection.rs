//! One connection of a stream: what it was asked for, what came over it, and what to wait for. What a loss means is the
//! engine's business.

use std::collections::HashSet;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::PollFlags;

use super::super::endpoint::Address;
use super::super::error::{Lost, Unopened};
use super::super::session::Session;
use super::Heard;
use super::assignment::AssignmentId;
use super::heartbeat::{Heartbeat, Verdict};
use super::source::{Subject, Topic};
use super::unanswered::{Answered, Departed, Pending, Unanswered};
use crate::command::request::Request;
use crate::reply::{ErrorReply, Frame, Kind, Message, MessageKind, OwnedFrame};

/// A connection that held for this long, or brought a message, was a good one: pauses and tries begin anew.
const STEADY: Duration = Duration::from_secs(1);

/// What came over the connection.
pub enum Received {
    /// Something for whoever listens: [`Connection::heard`] has it.
    Heard(Form),
    /// What was asked for is confirmed; MONITOR's confirmation is no message.
    Confirmed(AssignmentId, Option<OwnedFrame>),
    /// What was asked for is refused.
    Refused(AssignmentId, ErrorReply),
    /// Something is left, as was asked for; a message of this kind tells of it.
    Left(MessageKind),
    /// The answer to somebody's PING.
    Pong(OwnedFrame),
    /// A command that changes nothing is refused.
    Denied(Unanswered, ErrorReply),
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

    /// The end of a run that nothing was heard in yet.
    pub fn into_end(self, server: &str) -> Unopened {
        let Self { reason, is_refusal, .. } = self;
        Unopened::Unreachable(if is_refusal { reason } else { format!("{server}: connection lost: {reason}") })
    }
}

impl From<Lost> for Loss {
    fn from(lost: Lost) -> Self {
        Self { is_refusal: matches!(lost, Lost::Refused { .. }), ..Self::now(lost.reason()) }
    }
}

/// A connection that listens.
pub struct Connection {
    /// Names it in assignments; no later connection has the same.
    pub id: u64,
    /// The node's address, as the cluster or whoever opened it knows it.
    pub address: Address,
    /// The same, for messages.
    pub name: Arc<str>,
    pub session: Session,
    opened: Instant,
    /// When it was asked last.
    asked: Instant,
    heartbeat: Heartbeat,
    /// The commands that are not answered yet; once the connection is gone nobody will answer them.
    pub unanswered: Pending,
    /// Whether it was asked for MONITOR, which has a language of its own.
    is_monitor: bool,
    /// Whether a message came.
    has_delivered: bool,
    /// Whether all that it was asked for at first was answered.
    pub has_begun: bool,
    /// Whether something that was lost is asked for here.
    pub is_returning: bool,
    /// Why nothing can be sent any more: told once all that the server said before is read.
    unsendable: Option<Loss>,
}

impl Connection {
    /// A connection that was not asked for anything yet.
    pub fn new(id: u64, address: Address, session: Session) -> Self {
        let now = Instant::now();
        Self {
            id,
            name: Arc::from(address.to_string()),
            address,
            session,
            opened: now,
            asked: now,
            heartbeat: Heartbeat::new(),
            unanswered: Pending::default(),
            is_monitor: false,
            has_delivered: false,
            has_begun: false,
            is_returning: false,
            unsendable: None,
        }
    }

    /// Asks for something to be heard here.
    pub fn assign(&mut self, id: AssignmentId, subject: &Subject) {
        subject.request().pack(self.session.outgoing());
        self.is_monitor |= *subject == Subject::Monitor;
        self.unanswered.push(Unanswered::Assignment(id));
        self.asked = Instant::now();
    }

    /// Asks once more for what was asked for here: the server confirms it once more.
    pub fn repeat(&mut self, id: AssignmentId, subject: &Subject) {
        subject.request().pack(self.session.outgoing());
        self.unanswered.push(Unanswered::Repeat(id));
    }

    /// Leaves a channel or pattern, whether or not it is there.
    pub fn leave(&mut self, topic: Topic, name: &[u8]) {
        topic.request_to_leave(name).pack(self.session.outgoing());
        if topic == Topic::ShardChannel {
            self.unanswered.push(Unanswered::ShardDeparture { name: name.to_vec(), is_answered: false });
            self.end_departure();
        } else {
            self.unanswered.push(Unanswered::Departure(topic, name.to_vec()));
        }
    }

    /// Leaves all of that kind, which are these.
    pub fn leave_all(&mut self, topic: Topic, names: HashSet<Vec<u8>>) {
        Request::new([topic.leaving()]).pack(self.session.outgoing());
        self.unanswered.push(Unanswered::DepartureOfAll { topic, names, is_answered: false });
        self.end_departure();
    }

    /// What is asked for next is answered behind what tells of a departure, however often that is.
    fn end_departure(&mut self) {
        Request::new(["PING"]).pack(self.session.outgoing());
        self.unanswered.push(Unanswered::Heartbeat);
    }

    /// Asks for an answer that is told.
    pub fn ping(&mut self, text: Vec<u8>) {
        let words: &[&[u8]] = if text.is_empty() { &[b"PING"] } else { &[b"PING", &text] };
        Request::new(words).pack(self.session.outgoing());
        self.unanswered.push(Unanswered::Ping(text));
    }

    /// Whether all that it was asked for is answered.
    pub fn is_ready(&self) -> bool {
        !self.unanswered.has_assignment()
    }

    /// Whether it was of use: then tries to replace it begin anew.
    pub fn was_good(&self) -> bool {
        self.has_delivered || self.opened.elapsed() >= STEADY
    }

    /// A loss in full: one that was found after a time without reading may be that reader's fault.
    pub fn complete(&self, loss: Loss) -> Loss {
        let Some(stalled) = self.heartbeat.stalled() else { return loss };
        let seconds = stalled.elapsed().as_secs();
        let reason = format!("{}, after nothing was read from it for {seconds} s", loss.reason);
        Loss { reason, since: loss.since.or(Some(stalled)), ..loss }
    }

    /// What has come; none if nothing waits. Does not block.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "called for every message, from one place; what it gives is large")]
    pub fn receive(&mut self) -> Result<Option<Received>, Loss> {
        loop {
            let received = self.session.advance();
            self.heartbeat.hear(self.session.received());
            match received {
                Ok(true) => {}
                Ok(false) => return self.unsendable.take().map_or(Ok(None), Err),
                Err(lost) => return Err(lost.into()),
            }
            if let Some(form) = self.usual_form() {
                self.has_delivered = true;
                return Ok(Some(Received::Heard(form)));
            }
            if let Some(received) = self.read()? {
                return Ok(Some(received));
            }
        }
    }

    /// What was received last, which is of this form.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "called for every message, mostly from one place; what it gives is large")]
    pub fn heard(&self, form: Form) -> Heard<'_> {
        let frame = self.session.current();
        match form {
            Form::Message(_) => Message::of(frame).map_or(Heard::Nonsense, Heard::Message),
            Form::Line => frame.simple().map_or(Heard::Nonsense, Heard::Line),
            Form::Push => Heard::Push(frame),
        }
    }

    /// What most of what comes is to whoever listens; none where the frame that was received last is anything else.
    #[inline]
    fn usual_form(&self) -> Option<Form> {
        let frame = self.session.current();
        if self.is_monitor {
            return is_line(frame).then_some(Form::Line);
        }
        let kind = MessageKind::of(frame).filter(|kind| *kind == MessageKind::Message);
        kind.map(Form::Message)
    }

    /// What the frame that was received last means; none if it is for this side only.
    #[inline(never)]
    fn read(&mut self) -> Result<Option<Received>, Loss> {
        let frame = self.session.current();
        if let Some(error) = ErrorReply::of(frame) {
            return match self.unanswered.answer_error(&error) {
                Answered::Command(Unanswered::Assignment(id)) => Ok(Some(Received::Refused(id, error))),
                Answered::Command(Unanswered::Heartbeat) | Answered::Nothing => Ok(None),
                Answered::Command(command) => Ok(Some(Received::Denied(command, error))),
                Answered::Unasked => Err(Loss::now(error.reason().to_owned())),
            };
        }
        match MessageKind::of(frame) {
            Some(kind) if !self.is_monitor && kind != MessageKind::Pong => self.read_message(kind),
            None if frame.kind() == Kind::Push => Ok(Some(Received::Heard(Form::Push))),
            _ if self.is_answer(frame) => match self.unanswered.answer() {
                Some(Unanswered::Assignment(id)) => Ok(Some(Received::Confirmed(id, None))),
                Some(Unanswered::Heartbeat) => Ok(None),
                Some(Unanswered::Ping(text)) => Ok(Some(Received::Pong(Message::pong(&text)))),
                _ => Err(nonsense(name_of(frame.kind()))),
            },
            _ => Err(nonsense(name_of(frame.kind()))),
        }
    }

    /// Whether a frame answers MONITOR or a PING: the one of somebody else with its text.
    fn is_answer(&self, frame: Frame<'_>) -> bool {
        if self.is_monitor {
            return frame.is_ok();
        }
        let text = self.unanswered.next_ping();
        is_pong(frame) || text.is_some_and(|text| is_text(frame, text))
    }

    /// A message, or the confirmation of a subscription.
    fn read_message(&mut self, kind: MessageKind) -> Result<Option<Received>, Loss> {
        // Whether a published message is whole is found out by who reads it.
        if kind.is_published() {
            self.has_delivered = true;
            return Ok(Some(Received::Heard(Form::Message(kind))));
        }
        let frame = self.session.current();
        let Some(message) = Message::of(frame) else { return Err(nonsense(kind.name())) };
        if kind.is_departure() {
            return Ok(match self.unanswered.answer_departure(kind, message.channel) {
                Departed::Asked => Some(Received::Left(kind)),
                Departed::Told => None,
                Departed::Unasked => Some(Received::Heard(Form::Message(kind))),
            });
        }
        if let Some(Unanswered::Assignment(id)) = self.unanswered.answer_subscription() {
            return Ok(Some(Received::Confirmed(id, Some(frame.to_owned()))));
        }
        Ok(Some(Received::Heard(Form::Message(kind))))
    }

    /// Sends what is to be sent before a sleep. When that begins, and when it has to end.
    pub fn prepare(&mut self) -> (Instant, Instant) {
        let slept = self.heartbeat.attend();
        if let Err(lost) = self.session.send() {
            self.unsendable = Some(lost.into());
            return (slept, slept);
        }
        let due = self.heartbeat.due();
        (slept, self.confirm_due().map_or(due, |confirm| confirm.min(due)))
    }

    /// When a confirmation that is missing counts as refused.
    fn confirm_due(&self) -> Option<Instant> {
        let limit = self.session.endpoint.read_timeout.filter(|_| !self.is_ready())?;
        Some(self.asked + limit)
    }

    /// Draws the conclusions from a sleep that began at `slept` and found these events.
    pub fn conclude(&mut self, slept: Instant, events: PollFlags) -> Result<(), Loss> {
        self.session.note_woken(events);
        let is_readable = events.intersects(!PollFlags::OUT);
        if !is_readable && self.confirm_due().is_some_and(|due| due <= Instant::now()) {
            return Err(Loss::now("no confirmation within --read-timeout"));
        }
        match self.heartbeat.check(slept, is_readable) {
            Verdict::Well => {}
            Verdict::Ask => {
                // Any live server answers, in whatever words. MONITOR shows a PING, the asker's own too, but no command
                // of administration.
                let name = if self.is_monitor { "REPLCONF" } else { "PING" };
                Request::new([name]).pack(self.session.outgoing());
                self.unanswered.push(Unanswered::Heartbeat);
            }
            Verdict::Dead => {
                let heard = self.heartbeat.heard;
                return Err(Loss { since: Some(heard), ..Lost::Dead(heard.elapsed()).into() });
            }
        }
        Ok(())
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.session.as_fd()
    }
}

/// Whether this may be a line of MONITOR: it begins with the time.
fn is_line(frame: Frame<'_>) -> bool {
    matches!(frame.bytes(), [b'+', b'0'..=b'9', ..])
}

/// Whether this is how a server answers PING with this text where it does not say that this is an answer.
fn is_text(frame: Frame<'_>, text: &[u8]) -> bool {
    let head = frame.head();
    head.kind == Kind::Bulk && head.text == text
}

/// Whether this is how a server answers PING on a subscribed connection: `PONG`, or in RESP2 an array of it.
fn is_pong(frame: Frame<'_>) -> bool {
    let mut walk = frame.walk();
    match walk.next().map(|head| (head.kind, head.text)) {
        Some((Kind::Simple, text)) => text == b"PONG",
        Some((Kind::Array, _)) => walk.next().is_some_and(|word| word.kind == Kind::Bulk && word.text == b"pong"),
        _ => false,
    }
}

fn nonsense(what: &str) -> Loss {
    Loss::now(format!("the server sent what belongs to no stream ({what})"))
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
