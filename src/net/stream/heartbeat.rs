//! The heartbeat of a connection: when the server was last heard, when to ask it for a sign of life, and when to take it
//! for dead (contract section 8: within 30 s).

use std::time::{Duration, Instant};

/// After this much silence the server is asked for a sign of life.
const QUIET: Duration = Duration::from_secs(10);
/// How long it may take to give one.
const ANSWER_LIMIT: Duration = Duration::from_secs(15);
/// Not reading for this long is worth telling: the server may have dropped us for it.
const STALL: Duration = Duration::from_secs(1);
/// A sleep of this length with nothing to read says that nothing was on its way.
const CALM: Duration = Duration::from_millis(100);

/// What a wait found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// There is nothing to do.
    Well,
    /// The server is to be asked for a sign of life.
    Ask,
    Dead,
}

/// The signs of life of one connection.
#[derive(Debug)]
pub struct Heartbeat {
    /// The total of received bytes when the server was last heard.
    received: u64,
    /// When that was.
    pub heard: Instant,
    /// When it was asked; none if it has been heard since.
    asked: Option<Instant>,
    /// When this end last read or slept.
    attended: Instant,
    /// Since when this end had not read, if what was read last came after a long pause.
    stalled: Option<Instant>,
}

impl Heartbeat {
    /// That of a connection that was just opened.
    pub fn new() -> Self {
        let now = Instant::now();
        Self { received: 0, heard: now, asked: None, attended: now, stalled: None }
    }

    /// Takes note of the total of bytes received.
    #[inline]
    pub fn hear(&mut self, received: u64) {
        if received != self.received {
            self.received = received;
            self.heard = self.attend();
            self.asked = None;
        }
    }

    /// This end turns to the connection, now. Tells when that is.
    pub fn attend(&mut self) -> Instant {
        let now = Instant::now();
        if now.duration_since(self.attended) >= STALL {
            self.stalled.get_or_insert(self.attended);
        }
        self.attended = now;
        now
    }

    /// When to look after the server, should it stay silent.
    pub fn due(&self) -> Instant {
        self.asked.map_or(self.heard + QUIET, |asked| asked + ANSWER_LIMIT)
    }

    /// After a sleep that began at `slept`: what is to be done, if the server still has not been heard.
    pub fn check(&mut self, slept: Instant, is_readable: bool) -> Verdict {
        let now = Instant::now();
        self.attended = now;
        if now.duration_since(slept) >= CALM {
            self.stalled = None;
        }
        if is_readable || now < self.due() {
            return Verdict::Well;
        }
        if self.asked.is_some() {
            return Verdict::Dead;
        }
        self.asked = Some(now);
        Verdict::Ask
    }

    /// Since when this end had not read before it found the connection closed; none if it had.
    pub fn stalled(&self) -> Option<Instant> {
        let now = Instant::now();
        self.stalled.or((now.duration_since(self.attended) >= STALL).then_some(self.attended))
    }
}
