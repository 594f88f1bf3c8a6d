//! A conversation with one server: requests out, redis values in, in order. Knows how it was opened; prints nothing.
//!
//! The socket never blocks: [`Session::receive`] says when nothing waits, [`Session::wait`] is the one place that
//! sleeps, and a signal, a deadline or another descriptor wakes it. So output is flushed exactly when nothing waits.

use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use redis::{ServerError, Value};
use rustix::event::{PollFd, PollFlags};

use super::decoder::Decoder;
use super::target::{Credentials, Protocol, Target};
use super::transport::Transport;
use crate::exit::{Exit, Failure, Outcome, describe_io};
use crate::interrupt::{self, Signal};
use crate::request::Request;

/// Why a conversation ended.
#[derive(Debug)]
pub enum Lost {
    /// The server closed the connection.
    Closed,
    /// The connection broke.
    Broken(io::Error),
    /// The server sent what is no RESP; nothing after it can be read either.
    Undecodable(String),
    /// No answer within the read limit.
    Silent(Duration),
    /// A signal came while an answer was waited for.
    Interrupted(Signal),
}

impl Lost {
    /// The reason in words, to stand after `connection lost: ` or the like.
    pub fn reason(&self) -> String {
        match self {
            Self::Closed => "the server closed the connection".to_owned(),
            Self::Broken(error) => describe_io(error),
            Self::Undecodable(why) => format!("the answer could not be decoded ({why})"),
            Self::Silent(limit) => format!("no answer within {} s (--read-timeout)", limit.as_secs_f64()),
            Self::Interrupted(_) => "interrupted".to_owned(),
        }
    }

    /// Whether the connection came to its end, as a server's does that was told to stop.
    pub fn is_end(&self) -> bool {
        matches!(self, Self::Closed | Self::Broken(_))
    }

    /// The end of a run that cannot go on: `place` says where, an address or FILE:LINE.
    pub fn into_failure(self, place: &str) -> Failure {
        match self {
            Self::Interrupted(signal) => Failure::quiet(Exit::Signal(signal)),
            Self::Undecodable(_) | Self::Silent(_) => Failure::failed(format!("{place}: {}", self.reason())),
            Self::Closed | Self::Broken(_) => Failure::failed(format!("{place}: connection lost: {}", self.reason())),
        }
    }
}

/// What [`Session::wait`] woke up for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ready {
    /// The server sent something, took something, or closed.
    pub session: bool,
    /// The other descriptor can be read.
    pub input: bool,
    /// The deadline has passed.
    pub expired: bool,
}

/// Bytes that came from the server and were not decoded yet.
struct Incoming {
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// All that was ever received, in bytes.
    total: u64,
}

/// One reply to one command fits; the buffer of a busy connection grows.
const RECEIVE_BUFFER: usize = 16 * 1024;
const LARGEST_RECEIVE_BUFFER: usize = 64 * 1024;

impl Incoming {
    /// Makes room for more than the rest of an unended line, and reads once.
    fn fill(&mut self, transport: &mut Transport) -> io::Result<usize> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.end == self.buffer.len() {
            self.buffer.resize(self.end * 2, 0);
        }
        let count = transport.read(&mut self.buffer[self.end..])?;
        self.end += count;
        self.total += count as u64;
        if self.end == self.buffer.len() && self.end < LARGEST_RECEIVE_BUFFER {
            self.buffer.resize(LARGEST_RECEIVE_BUFFER, 0);
        }
        Ok(count)
    }
}

/// An open connection to a server that knows us.
pub struct Session {
    target: Target,
    transport: Transport,
    decoder: Decoder,
    incoming: Incoming,
    /// Packed commands; those before `sent` are with the kernel.
    outgoing: Vec<u8>,
    sent: usize,
    /// Whether the kernel did not take all of the last write.
    is_blocked: bool,
    /// When the server was last heard of, or last asked.
    active: Instant,
    pushes: Vec<Value>,
    server: Option<ServerVersion>,
    /// Whether MULTI is known to be allowed.
    pub(super) may_multi: bool,
}

/// What the server calls itself in HELLO.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerVersion {
    /// `redis` or `valkey`.
    pub name: String,
    /// Such as `7.0.15`.
    pub version: String,
}

impl Session {
    /// Connects and introduces itself: HELLO or AUTH, then SELECT. What is refused ends the run with status 3,
    /// before any other command is sent (contract section 1).
    pub fn open(target: &Target) -> Outcome<Self> {
        let deadline = Instant::now() + target.connect_timeout;
        let place = &target.address;
        let transport = Transport::connect(target, deadline)
            .map_err(|reason| Failure::failed(format!("cannot connect to {place}: {reason}")))?;
        let mut session = Self {
            target: target.clone(),
            transport,
            decoder: Decoder::default(),
            incoming: Incoming { buffer: vec![0; RECEIVE_BUFFER], start: 0, end: 0, total: 0 },
            outgoing: Vec::new(),
            sent: 0,
            is_blocked: false,
            active: Instant::now(),
            pushes: Vec::new(),
            server: None,
            may_multi: false,
        };
        session.introduce(deadline)?;
        Ok(session)
    }

    fn introduce(&mut self, deadline: Instant) -> Outcome<()> {
        let select = (self.target.db != 0).then(|| Request::new(["SELECT".to_owned(), self.target.db.to_string()]));
        if self.target.protocol == Protocol::Resp3 {
            hello(&self.target).pack(&mut self.outgoing);
            if let Some(select) = &select {
                select.pack(&mut self.outgoing);
            }
            let greeting = self.answer_before(deadline)?;
            let selected = select.as_ref().map(|_| self.answer_before(deadline)).transpose()?;
            match greeting {
                Value::ServerError(error) if has_no_hello(&error) => {}
                // Without credentials the server's own NOAUTH is the answer to what is asked of it.
                Value::ServerError(error) if error.code() == "NOAUTH" && self.target.credentials.is_none() => {}
                Value::ServerError(error) => return Err(self.refused("refused the connection", &error)),
                greeting => {
                    self.server = server_version(&greeting);
                    return self.check_select(selected);
                }
            }
        }
        if let Some(credentials) = &self.target.credentials {
            auth(credentials).pack(&mut self.outgoing);
            if let Value::ServerError(error) = self.answer_before(deadline)? {
                return Err(self.refused("refused the credentials", &error));
            }
        }
        let mut selected = None;
        if let Some(select) = &select {
            select.pack(&mut self.outgoing);
            selected = Some(self.answer_before(deadline)?);
        }
        self.check_select(selected)
    }

    fn check_select(&self, selected: Option<Value>) -> Outcome<()> {
        match selected {
            Some(Value::ServerError(error)) => {
                Err(self.refused(&format!("refused database {}", self.target.db), &error))
            }
            _ => Ok(()),
        }
    }

    fn refused(&self, what: &str, error: &ServerError) -> Failure {
        let hint = match error.code() {
            "WRONGPASS" | "NOAUTH" => "; check the user and the password",
            _ => "",
        };
        Failure::refused(format!("{} {what}: {}{hint}", self.target.address, error_text(error)))
    }

    fn answer_before(&mut self, deadline: Instant) -> Outcome<Value> {
        let place = self.target.address.to_string();
        let lost = |lost: Lost| match lost {
            Lost::Interrupted(signal) => Failure::quiet(Exit::Signal(signal)),
            lost => Failure::failed(format!("cannot connect to {place}: {}", lost.reason())),
        };
        loop {
            self.send().map_err(lost)?;
            match self.receive().map_err(lost)? {
                Some(Value::Push { .. }) => {}
                Some(value) => return Ok(value),
                None => {
                    if self.wait(None, Some(deadline)).map_err(lost)?.expired {
                        let seconds = self.target.connect_timeout.as_secs_f64();
                        return Err(Failure::failed(format!(
                            "cannot connect to {place}: no answer within {seconds} s"
                        )));
                    }
                }
            }
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
        self.is_blocked = false;
        loop {
            match self.transport.write(bytes) {
                Ok(0) => return Err(Lost::Closed),
                Ok(count) => {
                    self.active = Instant::now();
                    self.is_blocked = count < bytes.len();
                    return Ok(count);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.is_blocked = true;
                    return Ok(0);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Lost::Broken(error)),
            }
        }
    }

    /// The next value from the server, pushes included; none if it has not wholly arrived. Does not block.
    pub fn receive(&mut self) -> Result<Option<Value>, Lost> {
        loop {
            let incoming = &mut self.incoming;
            if incoming.start < incoming.end {
                let waiting = &incoming.buffer[incoming.start..incoming.end];
                let (used, value) = self.decoder.decode(waiting).map_err(Lost::Undecodable)?;
                incoming.start += used;
                if value.is_some() {
                    return Ok(value);
                }
            }
            match incoming.fill(&mut self.transport) {
                Ok(0) => return Err(Lost::Closed),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Lost::Broken(error)),
            }
        }
    }

    /// Sleeps until the server sends or can take more, `input` can be read, `deadline` passes, or a signal comes.
    /// The read limit is the caller's to ask for with [`Self::silence_ends`].
    pub fn wait(&mut self, input: Option<BorrowedFd<'_>>, deadline: Option<Instant>) -> Result<Ready, Lost> {
        let mut session_flags = PollFlags::IN;
        if self.is_blocked || self.transport.holds_unsent() {
            session_flags |= PollFlags::OUT;
        }
        let mut fds = vec![PollFd::from_borrowed_fd(self.transport.as_fd(), session_flags)];
        let wake_at = interrupt::wake().map(|wake| {
            fds.push(PollFd::from_borrowed_fd(wake, PollFlags::IN));
            fds.len() - 1
        });
        let input_at = input.map(|input| {
            fds.push(PollFd::from_borrowed_fd(input, PollFlags::IN));
            fds.len() - 1
        });
        interrupt::sleep(&mut fds, deadline).map_err(Lost::Broken)?;
        let is_ready = |at: Option<usize>| at.is_some_and(|at| !fds[at].revents().is_empty());
        if let (true, Some(signal)) = (is_ready(wake_at), interrupt::received()) {
            return Err(Lost::Interrupted(signal));
        }
        let session = is_ready(Some(0));
        let input = is_ready(input_at);
        if session {
            self.active = Instant::now();
        }
        let expired = deadline.is_some_and(|deadline| deadline <= Instant::now());
        Ok(Ready { session, input, expired })
    }

    /// Sleeps until `input` can be read; false if the server sent something instead.
    pub fn wait_for_input(&mut self, input: &impl AsFd) -> Result<bool, Lost> {
        let ready = self.wait(Some(input.as_fd()), None)?;
        Ok(ready.input)
    }

    /// When the read limit passes, if the server stays silent.
    pub fn silence_ends(&self) -> Option<Instant> {
        self.target.read_timeout.map(|limit| self.active + limit)
    }

    /// The failure of a server that stayed silent beyond the read limit.
    pub fn silent(&self) -> Lost {
        Lost::Silent(self.target.read_timeout.unwrap_or_default())
    }

    /// Sends a command and waits for its reply. Pushes that come before it are set aside.
    pub fn call(&mut self, request: &Request) -> Result<Value, Lost> {
        request.pack(&mut self.outgoing);
        self.answer()
    }

    /// Waits for one reply to what was packed and sent.
    pub fn answer(&mut self) -> Result<Value, Lost> {
        // An idle time before the question is no silence.
        self.active = Instant::now();
        // What a server said before it closed is still to be read: a failed write is told after that.
        let mut unsendable = None;
        loop {
            if unsendable.is_none() {
                unsendable = self.send().err();
            }
            match self.receive() {
                Ok(Some(push @ Value::Push { .. })) => self.pushes.push(push),
                Ok(Some(value)) => return Ok(value),
                Ok(None) => {
                    if self.wait(None, self.silence_ends())?.expired {
                        return Err(self.silent());
                    }
                }
                Err(lost) => return Err(unsendable.unwrap_or(lost)),
            }
        }
    }

    /// Takes in what came while nothing was asked; an error when the connection has ended meanwhile.
    pub fn look_after(&mut self) -> Result<(), Lost> {
        while let Some(value) = self.receive()? {
            if matches!(value, Value::Push { .. }) {
                self.pushes.push(value);
            }
        }
        Ok(())
    }

    /// Says HELLO once more where it was refused before AUTH, so that the version of RESP is the one asked for.
    pub fn greet_again(&mut self) -> Result<(), Lost> {
        if self.server.is_none() && self.target.protocol == Protocol::Resp3 {
            let greeting = self.call(&Request::new(["HELLO", "3"]))?;
            self.server = server_version(&greeting);
        }
        Ok(())
    }

    /// What the server calls itself; none where HELLO was not sent or not answered.
    pub fn server(&self) -> Option<&ServerVersion> {
        self.server.as_ref()
    }

    /// The pushes set aside since the last time.
    pub fn take_pushes(&mut self) -> Vec<Value> {
        std::mem::take(&mut self.pushes)
    }
}

fn hello(target: &Target) -> Request {
    let mut hello = Request::new(["HELLO", "3"]);
    if let Some(credentials) = &target.credentials {
        hello.push(b"AUTH");
        hello.push(credentials.user.as_deref().unwrap_or("default").as_bytes());
        hello.push(&credentials.password);
    }
    hello
}

fn auth(credentials: &Credentials) -> Request {
    let mut auth = Request::new(["AUTH"]);
    if let Some(user) = &credentials.user {
        auth.push(user.as_bytes());
    }
    auth.push(&credentials.password);
    auth
}

/// Whether this is how a server without RESP3 refuses HELLO: `ERR unknown command` in any of its spellings, or NOPROTO.
fn has_no_hello(error: &ServerError) -> bool {
    error.code() == "NOPROTO"
        || error.code() == "ERR"
            && error.details().is_some_and(|text| text.to_ascii_lowercase().contains("unknown command"))
}

fn server_version(greeting: &Value) -> Option<ServerVersion> {
    let Value::Map(fields) = greeting else { return None };
    let field = |name: &str| {
        fields.iter().find_map(|(key, value)| match (text_of(key), text_of(value)) {
            (Some(key), Some(value)) if key == name => Some(value.to_owned()),
            _ => None,
        })
    };
    Some(ServerVersion { name: field("server")?, version: field("version")? })
}

/// The text of a string reply.
fn text_of(value: &Value) -> Option<&str> {
    match value {
        Value::BulkString(bytes) => std::str::from_utf8(bytes).ok(),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => Some(text),
        Value::Okay => Some("OK"),
        _ => None,
    }
}

/// The server's own words: `CODE message`.
pub fn error_text(error: &ServerError) -> String {
    match error.details() {
        Some(details) => format!("{} {details}", error.code()),
        None => error.code().to_owned(),
    }
}

/// A server error made on this side, where rcli answers in the server's stead.
pub fn server_error(text: &str) -> Value {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    redis::parse_redis_value(format!("-{line}\r\n").as_bytes()).unwrap_or(Value::Nil)
}
