//! The one sleep of every conversation: until a server can be read or written, other input is there, a deadline
//! passes, or a signal comes. One session or many: a cluster waits for all of its nodes at once.

use std::os::fd::{AsFd as _, BorrowedFd};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags};

use super::session::{Lost, Session};
use crate::interrupt;

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

/// Sleeps until one of the servers sends or can take more, `input` can be read, `deadline` passes, or a signal comes.
/// Read limits are the caller's to ask for with [`Session::silence_ends`].
pub fn wait_for_any<'s>(
    sessions: impl IntoIterator<Item = &'s mut Session>,
    input: Option<BorrowedFd<'_>>,
    deadline: Option<Instant>,
) -> Result<Ready, Lost> {
    let mut sessions: Vec<&mut Session> = sessions.into_iter().collect();
    let interests: Vec<PollFlags> = sessions.iter_mut().map(|session| session.interest()).collect();
    let mut fds: Vec<PollFd<'_>> = sessions
        .iter()
        .zip(interests)
        .map(|(session, interest)| PollFd::from_borrowed_fd(session.as_fd(), interest))
        .collect();
    let wake_at = fds.len();
    let wake = interrupt::wake();
    let input_at = wake_at + usize::from(wake.is_some());
    fds.extend(wake.into_iter().chain(input).map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
    interrupt::sleep(&mut fds, deadline).map_err(Lost::Broken)?;
    let seen: Vec<PollFlags> = fds.iter().map(PollFd::revents).collect();
    drop(fds);
    let is_ready = |at: usize| seen.get(at).is_some_and(|events| !events.is_empty());
    if wake.is_some()
        && is_ready(wake_at)
        && let Some(signal) = interrupt::received()
    {
        return Err(Lost::Interrupted(signal));
    }
    for (session, events) in sessions.iter_mut().zip(&seen) {
        session.note_woken(*events);
    }
    Ok(Ready {
        session: (0..wake_at).any(is_ready),
        input: input.is_some() && is_ready(input_at),
        expired: deadline.is_some_and(|deadline| deadline <= Instant::now()),
    })
}
