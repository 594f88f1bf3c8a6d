//! The one sleep: until a server can be read or written, other input is there, a deadline passes, or a signal comes.
//! One session or many: a cluster waits for all of its nodes at once. Where no server is waited for, there are none.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::time::Instant;

use rustix::event::{self, PollFd, PollFlags, Timespec};

use super::error::{Lost, Unopened};
use super::session::Session;
use crate::signal;

/// What a wait woke up for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ready {
    /// A server sent something, took something, or closed.
    pub session: bool,
    /// The other descriptor can be read.
    pub input: bool,
    /// The deadline has passed.
    pub expired: bool,
}

pub(super) fn is_over(deadline: Option<Instant>) -> bool {
    deadline.is_some_and(|deadline| deadline <= Instant::now())
}

/// Sleeps until one of the servers sends or can take more, `input` can be read, `deadline` passes, or a signal comes.
/// Read limits are the caller's to ask for with [`Session::silence_ends`].
pub fn wait_for_any<'s>(
    sessions: impl IntoIterator<Item = &'s mut Session>,
    input: Option<BorrowedFd<'_>>,
    deadline: Option<Instant>,
) -> Result<Ready, Lost> {
    let input = input.map(|input| PollFd::from_borrowed_fd(input, PollFlags::IN));
    let (ready, others) = wait_among(sessions, input.as_slice(), deadline)?;
    Ok(Ready { input: others.contains(&true), ..ready })
}

/// The same with any number of other descriptors; which of them are ready, in their order.
pub fn wait_among<'s>(
    sessions: impl IntoIterator<Item = &'s mut Session>,
    others: &[PollFd<'_>],
    deadline: Option<Instant>,
) -> Result<(Ready, Vec<bool>), Lost> {
    let mut sessions: Vec<&mut Session> = sessions.into_iter().collect();
    let interests: Vec<PollFlags> = sessions.iter_mut().map(|session| session.interest()).collect();
    let mut fds = others.to_vec();
    fds.extend(signal::wake().map(|wake| PollFd::from_borrowed_fd(wake, PollFlags::IN)));
    let first_session = fds.len();
    let sockets = sessions.iter().zip(interests);
    fds.extend(sockets.map(|(session, interest)| PollFd::from_borrowed_fd(session.as_fd(), interest)));
    sleep(&mut fds, deadline).map_err(Lost::Broken)?;
    let seen: Vec<PollFlags> = fds.iter().map(PollFd::revents).collect();
    drop(fds);
    let is_ready = |events: &PollFlags| !events.is_empty();
    let (seen_first, seen_sessions) = seen.split_at(first_session);
    let (seen_others, seen_wake) = seen_first.split_at(others.len());
    if let (true, Some(signal)) = (seen_wake.iter().any(is_ready), signal::received()) {
        return Err(Lost::Interrupted(signal));
    }
    for (session, events) in sessions.iter_mut().zip(seen_sessions) {
        session.note_woken(*events);
    }
    let session = seen_sessions.iter().any(is_ready);
    Ok((Ready { session, input: false, expired: is_over(deadline) }, seen_others.iter().map(is_ready).collect()))
}

/// Sleeps until the descriptor can be read; a signal is an error.
pub fn wait_readable(fd: BorrowedFd<'_>) -> Result<(), Unopened> {
    wait(&[PollFd::from_borrowed_fd(fd, PollFlags::IN)], None)
}

/// Sleeps until the deadline; a signal is an error.
pub fn sleep_until(deadline: Instant) -> Result<(), Unopened> {
    wait(&[], Some(deadline))
}

/// Sleeps until a descriptor is ready or the deadline passes; a signal is an error.
pub(super) fn wait(fds: &[PollFd<'_>], deadline: Option<Instant>) -> Result<(), Unopened> {
    match wait_among([], fds, deadline) {
        Ok(_) => Ok(()),
        Err(Lost::Interrupted(signal)) => Err(Unopened::Interrupted(signal)),
        Err(lost) => Err(format!("cannot wait: {}", lost.reason()).into()),
    }
}

/// Sleeps until a descriptor is ready or the deadline passes. A signal does not end it, but where [`signal::wake`] is
/// among them.
pub fn sleep(fds: &mut [PollFd<'_>], deadline: Option<Instant>) -> io::Result<()> {
    loop {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let timeout = left.and_then(|left| Timespec::try_from(left).ok());
        match event::poll(fds, timeout.as_ref()) {
            Ok(_) => return Ok(()),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
