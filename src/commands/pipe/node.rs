//! One server of a pipeline: its session while there is one, and the commands in flight there.

use std::time::{Duration, Instant};

use super::in_flight::InFlight;
use super::window::Window;
use crate::command::request::Request;
use crate::net::{Address, Lost, Session, Settings};
use crate::reply::ErrorReply;

/// A node that could not be reached is not tried again for this long, or for as long as it took to find that out.
const PAUSE: Duration = Duration::from_millis(100);
/// A replica can be done without: so many times as long.
const READER_PAUSES: u32 = 10;

/// The last attempt to connect, which failed.
struct Unreached {
    /// When to try again.
    until: Instant,
    why: String,
}

/// A server, its session, and what it has to answer.
pub struct Node {
    /// Where it is.
    pub address: Address,
    /// None while there is none.
    pub session: Option<Session>,
    /// What was given to it and is not answered.
    pub in_flight: InFlight,
    /// Whether it was opened for reads at a replica.
    is_reader: bool,
    unreached: Option<Unreached>,
    /// Why the session takes nothing more: that is told after the last words of the server.
    pub unsendable: Option<Lost>,
}

impl Node {
    /// The only server.
    pub fn lone(address: Address, session: Session, window: Option<u32>) -> Self {
        Self { session: Some(session), ..Self::new(address, false, window) }
    }

    /// A node of a cluster that nobody has connected to.
    pub fn new(address: Address, is_reader: bool, window: Option<u32>) -> Self {
        let in_flight = InFlight::new(Window::new(window));
        Self { address, session: None, in_flight, is_reader, unreached: None, unsendable: None }
    }

    /// Whether it is the node of this address, opened for this use.
    pub fn is(&self, address: &Address, is_reader: bool) -> bool {
        self.address == *address && self.is_reader == is_reader
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
        let opened = open().and_then(|session| self.prepare(session, settings));
        let session = opened.inspect_err(|lost| {
            if let Lost::Unreached(why) = lost {
                let pause = begin.elapsed().max(PAUSE) * if self.is_reader { READER_PAUSES } else { 1 };
                self.unreached = Some(Unreached { until: Instant::now() + pause, why: why.clone() });
            }
        })?;
        self.session = Some(session);
        Ok(())
    }

    /// Gives a session that was just opened the state of the others.
    fn prepare(&self, mut session: Session, settings: &Settings) -> Result<Session, Lost> {
        let mut call =
            |request: &Request| session.call(request).map_err(|lost| lost.while_preparing(&self.address.to_string()));
        if self.is_reader && !matches!(self.address, Address::Sentinel(_)) {
            call(&Request::new(["READONLY"]))?;
        }
        for request in settings.iter() {
            if let Some(error) = ErrorReply::of(call(request)?.frame()) {
                let (place, command) = (&self.address, request.shown(100));
                return Err(Lost::refused(format!("{place}: {command}: {error}")));
            }
        }
        Ok(session)
    }

    /// Why the node could not be reached.
    pub fn unreached(&self) -> Option<&str> {
        self.unreached.as_ref().map(|unreached| unreached.why.as_str())
    }

    /// Passes on what the kernel takes now.
    pub fn send(&mut self) {
        let Some(session) = self.session.as_mut().filter(|_| self.unsendable.is_none()) else { return };
        while self.in_flight.unsent() > 0 {
            match session.write(self.in_flight.next_to_send()) {
                Ok(0) => break,
                Ok(count) => self.in_flight.note_sent(count),
                Err(lost) => return self.unsendable = Some(lost),
            }
        }
        self.unsendable = session.send().err();
    }

    /// When the read limit passes; none while nothing is waited for.
    pub fn silence_ends(&self) -> Option<Instant> {
        self.session.as_ref().filter(|_| !self.in_flight.is_empty())?.silence_ends()
    }

    /// Starts afresh with the next session: nothing is in flight.
    pub fn reset(&mut self, window: Option<u32>) {
        self.close();
        self.in_flight = InFlight::new(Window::new(window));
    }

    /// Closes a session that is of no use any more.
    pub fn close(&mut self) {
        (self.session, self.unsendable) = (None, None);
    }
}
