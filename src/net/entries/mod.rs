//! Entries of streams, followed: connections that read them, and cursors that tell how far (contract section 15). A lone
//! server has one connection for all streams; in a cluster each slot has one, at the node that owns it.
//!
//! [`Entries::next`] never blocks and [`Entries::wait`] is the only sleep. Nothing is read before all that came is given
//! and written: then what was written is acknowledged, and more is asked for, in one write.

mod answers;
mod cursor;
mod look;
mod placement;
mod reader;
mod refusals;
mod requests;

use std::collections::VecDeque;
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};

use self::cursor::{Cursor, Phase};
use self::reader::{Asked, Link, Reader};
use super::cluster::key_slot::slot_of;
use super::error::{Lost, Unopened};
use super::stream::heard::Queued;
use super::stream::recovery::Recovery;
use super::stream::{Given, Heard, Loss};
use crate::reply::{Deliveries, Entry, EntryId, Found, Frame, Ticket};

/// Where reading begins, or ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    /// The last entry that is there at the beginning, which is looked up once.
    Latest,
    /// This one, or where it would be.
    Id(EntryId),
}

/// When an entry is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acknowledge {
    /// Once it is written, or with a handler.
    Written,
    /// Once its handler has ended well.
    Handled,
    Never,
}

/// The group that is read as.
#[derive(Clone, Debug)]
pub struct Group {
    pub name: Vec<u8>,
    /// The consumer's name.
    pub consumer: Vec<u8>,
    /// Whether it is made where it is missing.
    pub create: bool,
    /// When entries are acknowledged.
    pub acknowledge: Acknowledge,
    /// After how long entries are taken over that other consumers have left.
    pub claim_idle: Option<Duration>,
    /// How many entries may be with handlers; none where there are no handlers.
    pub window: Option<u64>,
}

#[derive(Clone, Debug)]
pub struct Reading {
    /// The streams, each once.
    pub streams: Vec<Vec<u8>>,
    /// Behind which entry it begins; with a group, where that is made.
    pub from: Edge,
    /// With which entry it ends, if it does.
    pub until: Option<Edge>,
    /// Read as a consumer of this group.
    pub group: Option<Group>,
    /// How often a lost connection is tried again; none: any number.
    pub retries: Option<u32>,
}

enum Step {
    Queued,
    Push(usize),
    Entry { reader: usize, stream: usize, id: EntryId, found: Found, deliveries: Deliveries },
}

/// Streams that are read, wherever they are.
pub struct Entries {
    reading: Reading,
    cursors: Vec<Cursor>,
    readers: Vec<Reader>,
    last_link: u64,
    is_cluster: bool,
    recovery: Recovery,
    announced: VecDeque<(Arc<str>, Queued)>,
    /// What was given of that last.
    given: Option<Queued>,
    /// The server that was heard last.
    current: Arc<str>,
    turn: usize,
    /// The reader that was asked for new entries last.
    asked_last: usize,
    /// How many entries are wanted yet; none: any number.
    left: Option<u64>,
    /// Whether any server ever answered.
    has_begun: bool,
    /// Nothing more is asked for.
    is_closing: bool,
    /// Whether XINFO, and XPENDING for counts, are allowed as far as is known.
    may_look: bool,
    may_count: bool,
}

impl Entries {
    pub fn is_connected(&self) -> bool {
        self.readers.iter().any(|reader| reader.link.is_some())
    }

    /// What has come; none if nothing waits. Does not block.
    pub fn next(&mut self) -> Result<Option<Given<'_>>, Unopened> {
        let heard = match self.advance()? {
            None => return Ok(None),
            Some(Step::Queued) => match self.given.as_ref().and_then(Queued::heard) {
                Some(heard) => heard,
                None => return Ok(None),
            },
            Some(Step::Push(at)) => match &self.readers[at].link {
                Some(link) => Heard::Push(link.session.current()),
                None => return Ok(None),
            },
            Some(Step::Entry { reader, stream, id, found, deliveries }) => {
                let Some(link) = &self.readers[reader].link else { return Ok(None) };
                let bytes = link.session.current().bytes();
                Heard::Entry(Entry {
                    ticket: Ticket { stream, id },
                    stream: &self.cursors[stream].name,
                    id: &bytes[found.id],
                    fields: found.fields.map(|fields| Frame::new(&bytes[fields], false)),
                    deliveries,
                })
            }
        };
        Ok(Some(Given { heard, place: &self.current, node: None }))
    }

    /// Receives until there is something to be given.
    fn advance(&mut self) -> Result<Option<Step>, Unopened> {
        let mut silent = 0;
        loop {
            self.given = None;
            if let Some((name, queued)) = self.announced.pop_front() {
                self.current = name;
                self.given = Some(queued);
                return Ok(Some(Step::Queued));
            }
            if silent >= self.readers.len() {
                return Ok(None);
            }
            let at = self.turn % self.readers.len();
            let Some(link) = &mut self.readers[at].link else {
                self.turn = at + 1;
                silent += 1;
                continue;
            };
            if link.block.is_some() {
                silent = 0;
                match self.read_on(at)? {
                    Some(step) => return Ok(Some(step)),
                    None => continue,
                }
            }
            match link.receive() {
                Ok(false) => {
                    self.turn = at + 1;
                    silent += 1;
                    continue;
                }
                Ok(true) if link.session.current().is_push() => {
                    self.note_current(at);
                    return Ok(Some(Step::Push(at)));
                }
                Ok(true) => self.take_answer(at)?,
                // It would be the same again.
                Err(lost @ Lost::Undecodable(_)) => return Err(Unopened::Unreachable(lost.describe(&link.name))),
                Err(lost) => self.lose(at, lost.into())?,
            }
            silent = 0;
        }
    }

    fn note_current(&mut self, at: usize) {
        if let Some(link) = &self.readers[at].link
            && !Arc::ptr_eq(&link.name, &self.current)
        {
            self.current = Arc::clone(&link.name);
        }
    }

    /// Drops the connection that was heard last, which sends what cannot be understood.
    pub fn distrust(&mut self, reason: &str) -> Result<(), Unopened> {
        let is_it = |reader: &Reader| reader.link.as_ref().is_some_and(|link| Arc::ptr_eq(&link.name, &self.current));
        match self.readers.iter().position(is_it) {
            Some(at) => self.lose(at, Loss::now(reason)),
            None => Ok(()),
        }
    }

    /// All that was given is written, or with handlers; so many more are wanted, none: any number.
    pub fn note_written(&mut self, left: Option<u64>) {
        self.left = left;
        self.cursors.iter_mut().for_each(Cursor::note_written);
    }

    /// Handlers are done with these, and whether well.
    pub fn note_handled(&mut self, done: &[(Ticket, bool)]) {
        let acknowledges = self.acknowledges(Acknowledge::Handled);
        for (ticket, is_well) in done {
            let Some(cursor) = self.cursors.get_mut(ticket.stream) else { continue };
            cursor.in_flight = cursor.in_flight.saturating_sub(1);
            if *is_well && acknowledges {
                cursor.ready.push(ticket.id);
            }
        }
    }

    fn acknowledges(&self, when: Acknowledge) -> bool {
        self.reading.group.as_ref().is_some_and(|group| group.acknowledge == when)
    }

    /// Asks for nothing more.
    pub fn close(&mut self) {
        self.is_closing = true;
    }

    /// Acknowledges what was written and handled, until then. How many entries are not known to be acknowledged.
    pub fn finish(&mut self, until: Instant) -> usize {
        self.close();
        let left = |entries: &Self| entries.cursors.iter().map(Cursor::unacknowledged).sum();
        // What comes meanwhile is neither written nor acknowledged: it stays pending.
        while self.discard().is_ok() && left(self) > 0 && Instant::now() < until {
            if self.wait(&[], Some(until)).is_err() {
                break;
            }
        }
        left(self)
    }

    fn discard(&mut self) -> Result<(), Unopened> {
        while self.advance()?.is_some() {}
        Ok(())
    }

    /// Sleeps until something comes, one of the other descriptors is ready, or the deadline passes. Before that, where
    /// everything is given, what was written is acknowledged and more is asked for. Ends the run when no further retry
    /// is allowed.
    pub fn wait(&mut self, others: &[PollFd<'_>], deadline: Option<Instant>) -> Result<Option<usize>, Unopened> {
        if !self.announced.is_empty() {
            return Ok(None);
        }
        self.search_when_due()?;
        self.ask_for_more();
        if !self.announced.is_empty() {
            return Ok(None);
        }
        let rests = self.readers.iter().filter_map(|reader| reader.rests_until).collect::<Vec<_>>();
        let links = self.readers.iter_mut().filter_map(|reader| reader.link.as_mut());
        let times: Vec<_> = links.map(Link::prepare).collect();
        let until = times.into_iter().flatten().chain(self.recovery.due()).chain(rests).chain(deadline).min();
        let linked: Vec<usize> = (0..self.readers.len()).filter(|at| self.readers[*at].link.is_some()).collect();
        let links = self.readers.iter_mut().filter_map(|reader| reader.link.as_mut());
        let interests: Vec<PollFlags> = links.map(|link| link.session.interest()).collect();
        let links = self.readers.iter().filter_map(|reader| reader.link.as_ref());
        let sockets = links.map(|link| link.session.as_fd()).zip(interests);
        let (other, events) = self.recovery.sleep(sockets, others, until)?;
        for (at, events) in linked.into_iter().zip(events) {
            self.conclude(at, events)?;
        }
        if let Some(found) = self.recovery.discovery.receive()? {
            self.settle(found)?;
        }
        self.follow_switch()?;
        Ok(other)
    }

    /// Draws the conclusions from a sleep that found these events at a connection.
    fn conclude(&mut self, at: usize, events: PollFlags) -> Result<(), Unopened> {
        let Some(link) = &mut self.readers[at].link else { return Ok(()) };
        link.session.note_woken(events);
        match link.overdue().filter(|_| !events.intersects(!PollFlags::OUT)) {
            Some(lost) => self.lose(at, lost.into()),
            None => Ok(()),
        }
    }

    /// Groups streams that are read over one connection.
    fn make_readers(cursors: &[Cursor], is_cluster: bool) -> Vec<Reader> {
        let mut readers: Vec<Reader> = Vec::new();
        for (place, cursor) in cursors.iter().enumerate() {
            let slot = is_cluster.then(|| slot_of(&cursor.name));
            let at = readers.iter().position(|reader| reader.slot == slot).unwrap_or_else(|| {
                readers.push(Reader::new(slot));
                readers.len() - 1
            });
            readers[at].streams.push(place);
        }
        readers
    }
}

/// Whether pending entries of a stream are read.
fn reads_pending(cursor: &Cursor) -> bool {
    matches!(cursor.phase, Phase::Pending(_))
}

/// The streams that were asked for entries.
fn streams_of(asked: &Asked) -> &[usize] {
    match asked {
        Asked::Asking => &[],
        Asked::New(streams) => streams,
        Asked::Acknowledge(stream)
        | Asked::Look(stream)
        | Asked::Group(stream)
        | Asked::Make(stream)
        | Asked::Counts(stream)
        | Asked::Pending(stream, _)
        | Asked::Candidates(stream)
        | Asked::Claim(stream) => std::slice::from_ref(stream),
    }
}
