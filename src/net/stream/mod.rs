//! What a stream hears: connections, and what each of them is asked for (contract sections 8, 9 and 11). A lone server
//! has all of it; in a cluster each thing is heard where it can be. When a connection is lost, a slot moves, a node joins
//! or leaves, or sentinels name another primary, assignments change, and the rest follows. Prints nothing.
//!
//! [`Stream::next`] never blocks and [`Stream::wait`] is the only sleep: so output is flushed exactly when nothing
//! waits, and no message is lost to a time limit. No message comes twice: a thing is asked for elsewhere only when the
//! node that had it has said that it is not there any more, or its connection is gone.

mod answers;
mod assignment;
mod change;
mod connection;
pub(super) mod discovery;
pub(super) mod heard;
pub(super) mod heartbeat;
mod opening;
mod placement;
pub(super) mod recovery;
pub(super) mod retries;
pub(super) mod source;
pub(super) mod switch;
mod unanswered;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};

pub use self::change::Change;
pub use self::heard::{Given, Heard};
pub use self::source::{Source, Subscription, Topic};

use self::assignment::{Assignment, AssignmentId};
use self::change::Leaving;
pub(super) use self::connection::Loss;
use self::connection::{Connection, Form, Received};
use self::discovery::Follow;
use self::heard::Queued;
use self::recovery::Recovery;
use self::source::Subject;
use super::cluster::Asker;
use super::endpoint::Address;
use super::error::Unopened;
use crate::reply::{MessageKind, OwnedFrame};

/// The longest pause between two searches for a node that is back, which is found within this; and for who took over
/// from one, however long that took.
const LONGEST_PAUSE_OF_NODES: Duration = Duration::from_secs(1);
const LONGEST_SILENCE: Duration = Duration::from_millis(250);
/// After so many messages of one connection it is another's turn.
const TURN: u32 = 64;

/// What becomes of something that another server has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Elsewhere {
    /// It ends the run, unless it was heard here before.
    Refused,
    /// The rest is listened to.
    PassedOver,
    /// It is heard there: the whole cluster is listened to.
    Followed,
}

/// What every node is asked for that is followed.
struct Everywhere {
    subject: Subject,
    /// Whether its confirmation was told, which all of them gave.
    is_told: bool,
    /// The last of the confirmations, until all have come, or nobody is left who owes one.
    confirmation: Option<OwnedFrame>,
    /// Whether it was asked for while others were heard already.
    is_late: bool,
}

/// A source that is listened to, wherever it is.
pub struct Stream {
    assignments: BTreeMap<AssignmentId, Assignment>,
    /// The assignments of each thing that is to be heard: several where it is heard at several nodes.
    subjects: HashMap<Subject, Vec<AssignmentId>>,
    connections: Vec<Connection>,
    last_id: u64,
    elsewhere: Elsewhere,
    everywhere: Vec<Everywhere>,
    follow: Follow,
    /// The nodes that are followed.
    nodes: Vec<Address>,
    recovery: Recovery,
    /// The node whose map is the best one for the next search.
    first: Option<Address>,
    /// Whose questions are not for showing.
    asker: Option<Asker>,
    /// Whether what is heard is to tell the node that said it.
    tells_node: bool,
    /// The same where it is of a shard channel.
    tells_shard: bool,
    /// What changes needs a connection, whatever is subscribed: this asks for one.
    presence: Option<AssignmentId>,
    /// Whether something that was added is nowhere yet, and whether that is looked for.
    is_placing: bool,
    is_sought: bool,
    /// What several connections are to leave.
    leaving: Vec<Leaving>,
    /// Whether something was left: its connection may be of no use any more.
    has_left: bool,
    /// PINGs that are to be sent to the next connection.
    pings: Vec<Vec<u8>>,
    /// What [`Self::next`] gives before anything else, and the servers that it is about.
    announced: VecDeque<(Arc<str>, Queued)>,
    /// What it gave of that last.
    given: Option<Queued>,
    /// The server that was heard last.
    current: Arc<str>,
    /// Whose turn it is, and for how long it has been.
    turn: usize,
    streak: u32,
}

impl Stream {
    pub fn is_connected(&self) -> bool {
        !self.connections.is_empty()
    }

    /// What has come, and where; none if nothing waits. Does not block.
    pub fn next(&mut self) -> Result<Option<Given<'_>>, Unopened> {
        let heard = match self.advance() {
            Ok(Some((at, form))) => self.connections[at].heard(form),
            Ok(None) => match self.given.as_ref().and_then(Queued::heard) {
                Some(heard) => heard,
                None => return Ok(None),
            },
            Err(error) => return Err(error),
        };
        let place = &*self.current;
        let is_sharded = || matches!(&heard, Heard::Message(message) if message.kind.is_sharded());
        let tells_node = self.tells_node || self.tells_shard && is_sharded();
        Ok(Some(Given { heard, place, node: tells_node.then_some(place) }))
    }

    /// Receives until there is something to be told: the connection that received it last and its form, or it stands
    /// in `given`. Neither if nothing waits.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "called for every message, from one place; what it gives is large")]
    fn advance(&mut self) -> Result<Option<(usize, Form)>, Unopened> {
        let mut silent = 0;
        loop {
            if self.given.is_some() || !self.announced.is_empty() {
                self.given = None;
                if self.take_announced() {
                    return Ok(None);
                }
            }
            if silent >= self.connections.len() {
                return Ok(None);
            }
            let at = self.turn % self.connections.len();
            match self.connections[at].receive() {
                Ok(Some(Received::Heard(form))) => {
                    if self.hear(at, form) {
                        return Ok(Some((at, form)));
                    }
                }
                Ok(None) => {
                    self.pass_on();
                    silent += 1;
                    continue;
                }
                Ok(Some(received)) => {
                    if let Some(form) = self.take(at, received)? {
                        return Ok(Some((at, form)));
                    }
                    if self.given.is_some() {
                        return Ok(None);
                    }
                }
                Err(loss) => self.lose(at, loss)?,
            }
            silent = 0;
        }
    }

    /// Has what was announced first stand in `given`; false if nothing was.
    #[inline(never)]
    fn take_announced(&mut self) -> bool {
        let Some((name, queued)) = self.announced.pop_front() else { return false };
        self.current = name;
        self.given = Some(queued);
        true
    }

    /// Takes an answer of a connection: its form if it is to be told, or what is to be told of it stands in `given`.
    #[inline(never)]
    fn take(&mut self, at: usize, received: Received) -> Result<Option<Form>, Unopened> {
        match received {
            Received::Heard(form) => return Ok(Some(form)),
            Received::Confirmed(id, message) => {
                self.note_current(at);
                self.given = self.confirm(at, id, message).map(Queued::Message);
            }
            Received::Refused(id, error) => self.refuse(at, id, &error)?,
            Received::Left(kind) => {
                self.note_current(at);
                let form = Form::Message(kind);
                if let Heard::Message(message) = self.connections[at].heard(form) {
                    let channel = message.channel.map(<[u8]>::to_vec);
                    return Ok(self.note_left(kind, channel.as_deref()).then_some(form));
                }
            }
            Received::Pong(message) => {
                self.note_current(at);
                self.given = Some(Queued::Message(message));
            }
            Received::Denied(command, error) => self.deny(at, &command, &error),
        }
        Ok(None)
    }

    /// It is the next connection's turn.
    fn pass_on(&mut self) {
        self.turn = (self.turn + 1) % self.connections.len().max(1);
        self.streak = 0;
    }

    fn note_current(&mut self, at: usize) {
        let name = &self.connections[at].name;
        if !Arc::ptr_eq(name, &self.current) {
            self.current = Arc::clone(name);
        }
    }

    /// A server said something unasked; false if it is for this side only.
    fn hear(&mut self, at: usize, form: Form) -> bool {
        self.note_current(at);
        match form {
            // Nobody has unsubscribed.
            Form::Message(MessageKind::SUnsubscribe) => {
                if let Heard::Message(message) = self.connections[at].heard(form) {
                    let (channel, message) = (message.channel.unwrap_or_default().to_vec(), message.frame.to_owned());
                    if self.end_subscription(at, &channel, message) {
                        return false;
                    }
                }
            }
            Form::Line if self.asker.is_some() => {
                if let Heard::Line(line) = self.connections[at].heard(form)
                    && self.is_own(line)
                {
                    return false;
                }
            }
            _ => {}
        }
        self.streak += 1;
        if self.streak >= TURN {
            self.pass_on();
        }
        true
    }

    /// Whether rcli asked this itself. Its line is `TIME [DB CLIENT] …`.
    fn is_own(&self, line: &[u8]) -> bool {
        let end = memchr::memchr_iter(b']', line).find(|end| line[*end..].starts_with(b"] "));
        let client = end.and_then(|end| line[..end].rsplit(|byte| *byte == b' ').next());
        client.is_some_and(|client| self.asker.as_ref().is_some_and(|asker| asker.is(client)))
    }

    /// Drops the connection that was heard last, which sends what cannot be understood, and begins anew.
    pub fn distrust(&mut self, reason: &str) -> Result<(), Unopened> {
        match self.connections.iter().position(|connection| Arc::ptr_eq(&connection.name, &self.current)) {
            Some(at) => self.lose(at, Loss::now(reason)),
            None => Ok(()),
        }
    }

    /// Sleeps until something comes, one of the other descriptors is ready, or the deadline passes; meanwhile searches
    /// for what is missing when it is time for that. Ends the run when no further retry is allowed. Gives the place of the
    /// other descriptor that is ready, if one is; else something may have come.
    pub fn wait(&mut self, others: &[PollFd<'_>], deadline: Option<Instant>) -> Result<Option<usize>, Unopened> {
        if !self.announced.is_empty() {
            return Ok(None);
        }
        self.close_unused();
        self.search_when_due()?;
        let times: Vec<_> = self.connections.iter_mut().map(Connection::prepare).collect();
        let until = times.iter().map(|(_, due)| *due).chain(self.recovery.due()).chain(deadline).min();
        let interests: Vec<PollFlags> =
            self.connections.iter_mut().map(|connection| connection.session.interest()).collect();
        let sockets = self.connections.iter().map(AsFd::as_fd).zip(interests);
        let (other, events) = self.recovery.sleep(sockets, others, until)?;
        for (at, ((slept, _), events)) in times.into_iter().zip(events).enumerate().rev() {
            if let Err(loss) = self.connections[at].conclude(slept, events) {
                self.lose(at, loss)?;
            }
        }
        if let Some(found) = self.recovery.discovery.receive()? {
            self.settle(found)?;
        }
        self.follow_switch()?;
        Ok(other)
    }
}

/// The place of the first descriptor that is ready.
pub fn ready_at(fds: &[PollFd<'_>]) -> Option<usize> {
    fds.iter().position(|fd| !fd.revents().is_empty())
}
