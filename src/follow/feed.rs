//! What can be followed: a subscription or MONITOR, and the entries of streams.

use std::time::Instant;

use rustix::event::PollFd;

use crate::exit::Exit;
use crate::net::{Entries, Given, Unopened};
use crate::reply::Ticket;

/// What is followed: what it gives, and the sleep until there is more.
pub trait Feed {
    /// What has come; none if nothing waits. Does not block.
    fn next(&mut self) -> Result<Option<Given<'_>>, Unopened>;

    /// Sleeps until something comes, one of the other descriptors is ready, or the deadline passes. Gives the place of the
    /// other one that is ready, if one is.
    fn wait(&mut self, others: &[PollFd<'_>], deadline: Option<Instant>) -> Result<Option<usize>, Unopened>;

    fn is_connected(&self) -> bool;

    /// Gives up the connection that was heard last, which sends what cannot be understood.
    fn distrust(&mut self, reason: &str) -> Result<(), Unopened>;

    /// Does what cannot wait for a pause, while messages come without one. Does not block.
    fn attend(&mut self) -> Result<(), Unopened> {
        Ok(())
    }

    /// Whether all was given that is wanted.
    fn has_ended(&self) -> bool {
        false
    }

    /// The status of what could not be done meanwhile.
    fn exit(&self) -> Exit {
        Exit::Done
    }

    /// All that it gave is written, or with handlers; so many more are wanted, none: any number.
    fn note_written(&mut self, _left: Option<u64>) {}

    /// Handlers are done with these entries, and whether well.
    fn note_handled(&mut self, _done: &[(Ticket, bool)]) {}

    /// Asks for nothing more; what was asked for may still come.
    fn close(&mut self) {}

    /// Acknowledges what was written and handled, until then. How many entries are not known to be acknowledged.
    fn finish(&mut self, _until: Instant) -> usize {
        0
    }
}

impl Feed for Entries {
    #[inline]
    fn next(&mut self) -> Result<Option<Given<'_>>, Unopened> {
        self.next()
    }

    fn wait(&mut self, others: &[PollFd<'_>], deadline: Option<Instant>) -> Result<Option<usize>, Unopened> {
        self.wait(others, deadline)
    }

    fn is_connected(&self) -> bool {
        self.is_connected()
    }

    fn distrust(&mut self, reason: &str) -> Result<(), Unopened> {
        self.distrust(reason)
    }

    fn note_written(&mut self, left: Option<u64>) {
        self.note_written(left);
    }

    fn note_handled(&mut self, done: &[(Ticket, bool)]) {
        self.note_handled(done);
    }

    fn close(&mut self) {
        self.close();
    }

    fn finish(&mut self, until: Instant) -> usize {
        self.finish(until)
    }
}
