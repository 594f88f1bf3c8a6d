//! A stream that is followed, and where its changes come from meanwhile: lines of commands, or another thread (contract
//! sections 8 and 10).

use std::io::{self, PipeReader, PipeWriter, Read as _, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::sync::mpsc::{Receiver, SendError, Sender, channel};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags};

use super::Feed;
use crate::command::request::Request;
use crate::exit::{Exit, Failure};
use crate::input::{BadInput, Next, Source};
use crate::net::{Change, Given, Stream, Unopened};
use crate::signal;

/// What changes a running stream.
pub struct Changes {
    from: From,
    /// Whether the stream goes on when nothing more can come.
    keeps: bool,
    is_over: bool,
    /// The status of what could not be understood.
    exit: Exit,
}

enum From {
    Lines { source: Source, request: Request },
    Sent { changes: Receiver<Change>, wake: PipeReader },
}

/// Sends changes to a stream that another thread follows, which wakes for them.
#[derive(Debug)]
pub struct ChangeSender {
    changes: Sender<Change>,
    wake: PipeWriter,
}

impl ChangeSender {
    /// Sends one; an error if nobody follows the stream any more.
    pub fn send(&self, change: Change) -> Result<(), SendError<Change>> {
        self.changes.send(change)?;
        // A follower that has just ended needs no wake.
        let _ = (&self.wake).write_all(&[0]);
        Ok(())
    }
}

impl Changes {
    /// Lines of commands. `keeps`: the stream goes on at their end; else it ends when they are carried out.
    pub fn lines(source: Source, keeps: bool) -> Self {
        let from = From::Lines { source, request: Request::default() };
        Self { from, keeps, is_over: false, exit: Exit::Done }
    }

    /// What another thread sends. The stream goes on when the sender is dropped.
    pub fn sent() -> io::Result<(ChangeSender, Self)> {
        let (reader, writer) = io::pipe()?;
        let (sender, receiver) = channel();
        let from = From::Sent { changes: receiver, wake: reader };
        Ok((
            ChangeSender { changes: sender, wake: writer },
            Self { from, keeps: true, is_over: false, exit: Exit::Done },
        ))
    }

    /// What is readable when more can be read; none when nothing more can come.
    fn fd(&self) -> Option<BorrowedFd<'_>> {
        match &self.from {
            _ if self.is_over => None,
            From::Lines { source, .. } => Some(source.as_fd()),
            From::Sent { wake, .. } => Some(wake.as_fd()),
        }
    }

    /// Reads what made [`Self::fd`] readable.
    fn fill(&mut self) {
        match &mut self.from {
            From::Lines { source, .. } => {
                if let Err(failure) = source.fill() {
                    self.end(failure);
                }
            }
            From::Sent { wake, .. } => {
                // A change can be taken before its byte: those that wait are looked at in any case.
                self.is_over |= !wake.read(&mut [0; 512]).is_ok_and(|count| count > 0);
            }
        }
    }

    /// The next change; none while none has come. What is none is named on stderr and passed over.
    fn next(&mut self) -> Option<Change> {
        loop {
            let (source, request) = match &mut self.from {
                From::Sent { changes, .. } => return changes.try_recv().ok(),
                From::Lines { .. } if self.is_over => return None,
                From::Lines { source, request } => (source, request),
            };
            match source.next(request) {
                Ok(Next::Pending) => return None,
                Ok(Next::End) => {
                    self.is_over = true;
                    return None;
                }
                Ok(Next::Command) => match change_of(request, source.name()) {
                    Ok(change) => return Some(change),
                    Err(failure) => self.exit = self.exit.or(failure.report()),
                },
                Err(bad) => self.pass_over(bad),
            }
        }
    }

    fn pass_over(&mut self, bad: BadInput) {
        // Behind RESP that is cut short nobody knows where the next command begins.
        self.is_over |= !bad.recoverable;
        self.exit = self.exit.or(Failure::from(bad).report());
    }

    fn end(&mut self, failure: Failure) {
        self.is_over = true;
        self.exit = self.exit.or(failure.report());
    }
}

/// A stream that is followed.
pub struct Listening {
    stream: Stream,
    /// What changes it; none where nothing does.
    changes: Option<Changes>,
    /// The next change, which cannot be made yet.
    next: Option<Change>,
    has_ended: bool,
}

impl Listening {
    /// One that changes was opened for that ([`crate::net::Source::Changing`]).
    pub fn new(stream: Stream, changes: Option<Changes>) -> Self {
        Self { stream, changes, next: None, has_ended: false }
    }

    /// Makes the changes that have come, as far as they can be made now.
    fn carry_out(&mut self) {
        let Some(changes) = &mut self.changes else { return };
        while self.stream.may_change()
            && let Some(change) = self.next.take().or_else(|| changes.next())
        {
            if !self.stream.may_make(&change) {
                self.next = Some(change);
                break;
            }
            self.stream.change(change);
        }
        self.has_ended = self.next.is_none() && changes.is_over && !changes.keeps && self.stream.is_settled();
    }
}

impl Feed for Listening {
    #[inline]
    fn next(&mut self) -> Result<Option<Given<'_>>, Unopened> {
        self.stream.next()
    }

    fn wait(&mut self, others: &[PollFd<'_>], deadline: Option<Instant>) -> Result<Option<usize>, Unopened> {
        // After a signal what is on its way is read, and nothing else is begun.
        if self.changes.is_none() || signal::received().is_some() {
            return self.stream.wait(others, deadline);
        }
        self.carry_out();
        if self.has_ended {
            return Ok(None);
        }
        let mut fds = others.to_vec();
        if self.next.is_none() && self.stream.may_change() {
            let changes = self.changes.as_ref().and_then(Changes::fd);
            fds.extend(changes.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
        }
        match self.stream.wait(&fds, deadline)? {
            Some(at) if at == others.len() => self.changes.iter_mut().for_each(Changes::fill),
            ready => return Ok(ready),
        }
        Ok(None)
    }

    fn is_connected(&self) -> bool {
        self.stream.is_connected()
    }

    fn distrust(&mut self, reason: &str) -> Result<(), Unopened> {
        self.stream.distrust(reason)
    }

    fn attend(&mut self) -> Result<(), Unopened> {
        if self.changes.is_some() { self.wait(&[], Some(Instant::now())).map(drop) } else { Ok(()) }
    }

    fn has_ended(&self) -> bool {
        self.has_ended
    }

    fn exit(&self) -> Exit {
        self.changes.as_ref().map_or(Exit::Done, |changes| changes.exit)
    }
}

fn change_of(request: &Request, source: &str) -> Result<Change, Failure> {
    let bad = |reason: String| Failure::usage(format!("{source}:{}: {reason}", request.line));
    match Change::of(request) {
        Some(change) => change.map_err(bad),
        None => Err(bad(format!(
            "{} changes no subscription: SUBSCRIBE, PSUBSCRIBE, SSUBSCRIBE, UNSUBSCRIBE, PUNSUBSCRIBE, SUNSUBSCRIBE do, \
             and PING",
            request.shown(100)
        ))),
    }
}
