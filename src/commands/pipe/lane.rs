//! One node's part of a pipeline over a cluster: its session and the commands in flight there. Flights count lines;
//! here a "line" is a command's number in the input.

use std::time::{Duration, Instant};

use super::UNSENT_BYTES;
use super::flight::Flight;
use crate::connection_state::Settings;
use crate::reply::{ErrorReply, Frame, OwnedFrame};
use crate::request::Request;
use crate::server::{Address, Lost, Session};

/// Stands for the number of an ASKING, whose reply nobody waits for.
pub const ASKING: u64 = u64::MAX;

/// A node that could not be reached is not tried again for this long, or for as long as it took to find that out.
const PAUSE: Duration = Duration::from_millis(100);
/// A replica can be done without: so many times as long.
const READER_PAUSES: u32 = 10;

/// What came of a try in vain.
struct Unreached {
    /// When to try again.
    until: Instant,
    why: String,
}

/// A node, its session while there is one, and what it has to answer.
pub struct Lane {
    address: Address,
    session: Option<Session>,
    flight: Flight,
    /// Whether it was opened for reads at a replica.
    is_reader: bool,
    unreached: Option<Unreached>,
}

impl Lane {
    /// A lane to a node that nobody has connected to.
    pub fn new(address: Address, is_reader: bool, window: Option<u32>) -> Self {
        Self { address, session: None, flight: Flight::new(window), is_reader, unreached: None }
    }

    /// Whether it is the lane of this node.
    pub fn leads_to(&self, address: &Address, is_reader: bool) -> bool {
        self.address == *address && self.is_reader == is_reader
    }

    /// Where the node is.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Whether there is a session.
    pub fn is_open(&self) -> bool {
        self.session.is_some()
    }

    /// Takes a session that was just opened, and gives it the state of the others; or remembers that there is none.
    pub fn connect(&mut self, settings: &Settings, open: impl FnOnce() -> Result<Session, Lost>) -> Result<(), Lost> {
        if self.session.is_some() {
            return Ok(());
        }
        let begin = Instant::now();
        if let Some(Unreached { until, why }) = &self.unreached
            && begin < *until
        {
            return Err(Lost::Unreached(why.clone()));
        }
        self.unreached = None;
        let mut session = open().inspect_err(|lost| {
            if let Lost::Unreached(why) = lost {
                let pause = begin.elapsed().max(PAUSE) * if self.is_reader { READER_PAUSES } else { 1 };
                self.unreached = Some(Unreached { until: Instant::now() + pause, why: why.clone() });
            }
        })?;
        if self.is_reader {
            session.call(&Request::new(["READONLY"]))?;
        }
        for request in settings.iter() {
            if let Some(error) = ErrorReply::of(session.call(request)?.frame()) {
                let (place, command) = (&self.address, request.shown(100));
                return Err(Lost::Refused(format!("{place}: {command}: {error}")));
            }
        }
        self.session = Some(session);
        Ok(())
    }

    /// Why the node could not be reached.
    pub fn unreached(&self) -> Option<&str> {
        self.unreached.as_ref().map(|unreached| unreached.why.as_str())
    }

    /// The session, if it is open.
    pub fn session_mut(&mut self) -> Option<&mut Session> {
        self.session.as_mut()
    }

    /// Closes a session that is of no use any more.
    pub fn close(&mut self) {
        self.session = None;
    }

    /// Whether one more command may be given to it.
    pub fn has_room(&mut self) -> bool {
        self.flight.unsent() < UNSENT_BYTES && self.flight.has_room()
    }

    /// Packs the command of this number.
    pub fn push(&mut self, request: &Request, number: u64) {
        self.flight.push_as(request, 0, number);
    }

    /// Passes on what the kernel takes now.
    pub fn send(&mut self) -> Result<(), Lost> {
        let Some(session) = &mut self.session else { return Ok(()) };
        while self.flight.unsent() > 0 {
            match session.write(self.flight.next_to_send())? {
                0 => break,
                count => self.flight.note_sent(count),
            }
        }
        session.send()
    }

    /// The next value that has come.
    pub fn receive(&mut self) -> Result<Option<Frame<'_>>, Lost> {
        self.session.as_mut().map_or(Ok(None), Session::receive)
    }

    /// The value that came last was a push.
    pub fn tell(&self) {
        if let Some(session) = &self.session {
            session.tell();
        }
    }

    /// The value that came last, to be kept.
    pub fn take_current(&mut self) -> Result<OwnedFrame, Lost> {
        self.session.as_mut().map_or(Err(Lost::Closed), Session::take_current)
    }

    /// The oldest command was answered: its number; none if there was none.
    pub fn answer(&mut self) -> Option<u64> {
        self.flight.answer().then(|| self.flight.last_line())
    }

    /// The command that was answered last.
    pub fn last_answered(&self) -> Request {
        self.flight.last_answered().0
    }

    /// The oldest unanswered command.
    pub fn next_answered(&self) -> Option<Request> {
        self.flight.next_answered().map(|(request, _)| request)
    }

    /// A round of replies was read.
    pub fn note_received(&mut self) {
        if let Some(session) = &self.session {
            self.flight.note_received(session.received());
        }
    }

    /// Takes back a command of which no byte was sent, the newest first.
    pub fn pop_unsent(&mut self) -> Option<Request> {
        self.flight.pop_unsent()
    }

    /// The numbers of the commands in flight.
    pub fn numbers(&self) -> impl Iterator<Item = u64> {
        self.flight.lines().filter(|number| *number != ASKING)
    }

    /// When the read limit passes; none while nothing is waited for.
    pub fn silence_ends(&self) -> Option<Instant> {
        self.session.as_ref().filter(|_| !self.flight.is_empty())?.silence_ends()
    }

    /// Starts afresh with the next session: nothing is in flight.
    pub fn reset(&mut self, window: Option<u32>) {
        self.session = None;
        self.flight = Flight::new(window);
    }
}
