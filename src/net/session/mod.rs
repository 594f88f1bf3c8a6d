//! A conversation with one server: requests out, frames in, in order. Knows how it was opened; prints nothing.
//!
//! The socket never blocks: [`Session::receive`] says when nothing waits, [`Session::wait`] is the one place that
//! sleeps, and a signal, a deadline or another descriptor wakes it. So output is flushed exactly when nothing waits.

pub(super) mod ending;
mod incoming;
mod raw;

use std::io::{self, Write as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use redis::{Cmd, Value};
use rustix::event::PollFlags;

use self::incoming::Incoming;
use super::endpoint::Endpoint;
use super::error::Lost;
use super::handshake::hello::ServerVersion;
use super::poll::{Ready, wait_for_any};
use super::transport::Transport;
use crate::command::request::Request;
use crate::command::restrictions::{Effect, Setting, effect_of};
use crate::reply::{Frame, Framer, OwnedFrame, describe_no_room, value_of};
use crate::signal;

/// How many frames are taken in before it is another's turn.
const FRAMES_A_ROUND: usize = 1024;

/// An open connection to a server that knows us.
pub struct Session {
    pub(super) endpoint: Endpoint,
    transport: Transport,
    framer: Framer,
    /// Whether the frame that was given out last holds an error.
    has_error: bool,
    incoming: Incoming,
    /// Packed commands; those before `sent` are with the kernel.
    outgoing: Vec<u8>,
    sent: usize,
    /// Whether the kernel did not take all of the last write: until it can, another would take nothing.
    is_blocked: bool,
    /// When the server was last heard of, or last asked.
    active: Instant,
    /// Whether nothing was received yet: the first value may be no answer.
    is_new: bool,
    /// Whether the server has ended the connection, and why it has turned it away, if it has.
    has_ended: bool,
    refusal: Option<String>,
    pub(super) server: Option<ServerVersion>,
    /// Whether the database is still to be selected, for want of an AUTH.
    pub(super) owes_select: bool,
    /// Whether MULTI is known to be allowed.
    pub(super) may_multi: bool,
}

impl Session {
    /// A session over a connected transport that the server was not introduced to.
    pub(super) fn over(endpoint: &Endpoint, transport: Transport) -> Self {
        // A server that was asked nothing says nothing yet; what a TLS handshake brought along has to be looked for.
        let is_drained = transport.tells_when_drained();
        Self {
            endpoint: endpoint.clone(),
            transport,
            framer: Framer::default(),
            has_error: false,
            incoming: Incoming::new(is_drained),
            outgoing: Vec::new(),
            sent: 0,
            is_blocked: false,
            active: Instant::now(),
            is_new: true,
            has_ended: false,
            refusal: None,
            server: None,
            owes_select: false,
            may_multi: false,
        }
    }

    /// The buffer that commands are packed into; [`Self::send`] passes it on.
    pub fn outgoing(&mut self) -> &mut Vec<u8> {
        &mut self.outgoing
    }

    /// How many packed bytes the kernel has not taken yet.
    pub fn unsent(&self) -> usize {
        self.outgoing.len() - self.sent
    }

    /// Whether the kernel has taken all that was packed: then the server may have got the last command.
    pub(super) fn has_sent_all(&self) -> bool {
        self.unsent() == 0 && !self.transport.holds_unsent()
    }

    /// How many bytes were ever received.
    pub fn received(&self) -> u64 {
        self.incoming.total
    }

    /// Passes on what the kernel takes now of the packed commands. Does not block.
    pub fn send(&mut self) -> Result<(), Lost> {
        while self.sent < self.outgoing.len() {
            let outgoing = std::mem::take(&mut self.outgoing);
            let written = self.write(&outgoing[self.sent..]);
            self.outgoing = outgoing;
            match written? {
                0 => return Ok(()),
                count => self.sent += count,
            }
        }
        self.outgoing.clear();
        self.sent = 0;
        match self.transport.flush() {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(Lost::Broken(error)),
            _ => Ok(()),
        }
    }

    /// Passes packed commands on to the kernel: how many bytes it took now. Does not block.
    pub fn write(&mut self, bytes: &[u8]) -> Result<usize, Lost> {
        while !self.is_blocked {
            match self.transport.write(bytes) {
                Ok(0) => return Err(Lost::Closed),
                Ok(count) => {
                    self.active = Instant::now();
                    self.is_blocked = count < bytes.len();
                    return Ok(count);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.is_blocked = true;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    // What it said before it went away is read first, without a sleep.
                    self.incoming.is_drained = false;
                    return Err(Lost::Broken(error));
                }
            }
        }
        Ok(0)
    }

    /// The next frame from the server, pushes included; none if it has not wholly arrived. Does not block.
    pub fn receive(&mut self) -> Result<Option<Frame<'_>>, Lost> {
        Ok(if self.advance()? { Some(self.current()) } else { None })
    }

    /// The frame that was received last, until the next one is asked for.
    pub fn current(&self) -> Frame<'_> {
        let Incoming { buffer, start, given, .. } = &self.incoming;
        Frame::new(&buffer[*start..start + given], self.has_error)
    }

    /// The same as a copy, to be kept; a large one is taken out of the buffer instead.
    pub fn take_current(&mut self) -> Result<OwnedFrame, Lost> {
        let has_error = self.has_error;
        match self.incoming.take_given() {
            Some(bytes) => Ok(OwnedFrame::new(bytes, has_error)),
            None => self.current().try_to_owned().map_err(|why| self.ended(Lost::Undecodable(why))),
        }
    }

    /// Receives until a frame is there; false if nothing more waits.
    pub(super) fn advance(&mut self) -> Result<bool, Lost> {
        self.incoming.start += std::mem::take(&mut self.incoming.given);
        loop {
            let incoming = &mut self.incoming;
            if incoming.start < incoming.end {
                match self.framer.find_end(&incoming.buffer[incoming.start..incoming.end]) {
                    Ok(None) => {}
                    Ok(Some(found)) => {
                        incoming.given = found.length;
                        self.has_error = found.has_error();
                        if !found.can_be_told() {
                            let why = describe_no_room(self.current().bytes());
                            return Err(self.ended(Lost::Undecodable(why)));
                        }
                        if self.is_new {
                            self.check_greeting()?;
                        }
                        return Ok(true);
                    }
                    Err(bad) => return Err(self.ended(Lost::Undecodable(bad))),
                }
            }
            match incoming.fill(&mut self.transport, self.framer.least()) {
                Ok(0) => return Err(self.ended(Lost::Closed)),
                // What never stops coming is no silence, though there is no sleep in which it would be heard.
                Ok(_) if self.endpoint.read_timeout.is_some() => self.active = Instant::now(),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::OutOfMemory => {
                    let why = self.framer.describe_no_room(incoming.waiting());
                    incoming.give_up();
                    return Err(self.ended(Lost::Undecodable(why)));
                }
                Err(error) => return Err(self.ended(Lost::Broken(error))),
            }
        }
    }

    /// What to poll the session's descriptor for, which then tells when to [`Self::receive`] again.
    pub(super) fn interest(&mut self) -> PollFlags {
        self.incoming.is_drained = false;
        if self.is_blocked || self.transport.holds_unsent() { PollFlags::IN | PollFlags::OUT } else { PollFlags::IN }
    }

    /// The address of this end, as MONITOR names it where nothing between here and the server changes it.
    pub(super) fn own_address(&self) -> Option<String> {
        let own = socket2::SockRef::from(&self.transport.as_fd()).local_addr().ok()?;
        own.as_socket().map(|own| own.to_string())
    }

    /// Takes note of what a sleep found: a socket with nothing to read is not read before the next one, and one that
    /// takes nothing is not written to.
    pub(super) fn note_woken(&mut self, events: PollFlags) {
        if !events.is_empty() {
            self.active = Instant::now();
        }
        self.is_blocked &= (events - PollFlags::IN).is_empty();
        self.incoming.is_drained = self.transport.tells_when_drained() && (events - PollFlags::OUT).is_empty();
    }

    /// Sleeps until the server sends or can take more, `input` can be read, `deadline` passes, or a signal comes.
    /// The read limit is the caller's to ask for with [`Self::silence_ends`].
    pub fn wait(&mut self, input: Option<BorrowedFd<'_>>, deadline: Option<Instant>) -> Result<Ready, Lost> {
        wait_for_any([self], input, deadline)
    }

    /// When the read limit passes, if the server stays silent.
    pub fn silence_ends(&self) -> Option<Instant> {
        self.endpoint.read_timeout.map(|limit| self.active + limit)
    }

    /// Sets one more read limit: the shorter one counts.
    pub fn limit_silence(&mut self, limit: Duration) {
        self.endpoint.read_timeout = Some(self.endpoint.read_timeout.map_or(limit, |other| other.min(limit)));
    }

    /// The failure of a server that stayed silent beyond the read limit.
    pub fn silent(&self) -> Lost {
        Lost::Silent(self.endpoint.read_timeout.unwrap_or_default())
    }

    /// Sends a command and waits for its reply.
    pub fn call(&mut self, request: &Request) -> Result<OwnedFrame, Lost> {
        self.begin(request);
        self.answer()
    }

    /// Sends several commands in one write and waits for their replies.
    pub fn call_all(&mut self, requests: &[Request]) -> Result<Vec<OwnedFrame>, Lost> {
        for request in requests {
            self.begin(request);
        }
        requests.iter().map(|_| self.answer()).collect()
    }

    /// Asks what rcli itself wants to know: the answer as the redis crate reads it.
    pub fn ask(&mut self, question: &Cmd) -> Result<Value, Lost> {
        self.put(question);
        self.answer_as_value()
    }

    /// Packs a question of rcli's own; the next thing that is waited for sends it.
    pub fn put(&mut self, question: &Cmd) {
        question.write_packed_command(&mut self.outgoing);
    }

    /// Waits for the answer to a question of rcli's own.
    pub fn answer_as_value(&mut self) -> Result<Value, Lost> {
        value_of(self.answer()?.frame()).map_err(Lost::Undecodable)
    }

    /// Packs a command that was typed; the next thing that is waited for sends it.
    pub fn begin(&mut self, request: &Request) {
        // As somebody else we may have other rights.
        self.may_multi &= !matches!(effect_of(request), Effect::Sets(Setting::User) | Effect::Hello | Effect::Reset);
        request.pack(&mut self.outgoing);
    }

    /// Waits for one reply to what was packed and sent.
    pub fn answer(&mut self) -> Result<OwnedFrame, Lost> {
        // An idle time before the question is no silence.
        self.active = Instant::now();
        loop {
            if let Some(frame) = self.try_answer()? {
                return Ok(frame);
            }
            if self.wait(None, self.silence_ends())?.expired {
                return Err(self.silent());
            }
        }
    }

    /// Sends what was packed; the next reply, if it has wholly arrived. Pushes before it are told. Does not block.
    pub fn try_answer(&mut self) -> Result<Option<OwnedFrame>, Lost> {
        // What a server said before it closed is still to be read: a failed write is told after that.
        let unsendable = self.send().err();
        loop {
            match self.advance() {
                Ok(true) if self.current().is_push() => {
                    self.tell();
                    if let Some(signal) = signal::received() {
                        return Err(Lost::Interrupted(signal));
                    }
                }
                Ok(true) => return self.take_current().map(Some),
                Ok(false) => return Ok(None),
                Err(lost @ Lost::Refused { .. }) => return Err(lost),
                Err(lost) => return Err(unsendable.unwrap_or(lost)),
            }
        }
    }

    /// Takes in what came while nothing was asked; an error when the connection has ended meanwhile.
    pub fn look_after(&mut self) -> Result<(), Lost> {
        self.take_in().map(drop)
    }

    /// The same, and whether that was all: a server that never pauses keeps nobody from something else.
    pub(super) fn take_in(&mut self) -> Result<bool, Lost> {
        self.incoming.is_drained = false;
        for _ in 0..FRAMES_A_ROUND {
            if !self.advance()? {
                return Ok(true);
            }
            if self.current().is_push() {
                self.tell();
            }
        }
        Ok(false)
    }

    /// Tells of the push that was received last, where that is asked for.
    pub fn tell(&self) {
        if let Some(pushes) = &self.endpoint.pushes {
            pushes.tell(self.current());
        }
    }
}

impl AsFd for Session {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.transport.as_fd()
    }
}
