//! Brings readers and connections together: opens them, drops and replaces those that are lost, follows slots to other
//! nodes and the primary that sentinels name (contract sections 8, 11 and 15).

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use super::super::cluster::Cluster;
use super::super::cluster::slot_map::Announced;
use super::super::endpoint::{Address, Endpoint};
use super::super::error::Unopened;
use super::super::session::Session;
use super::super::stream::Loss;
use super::super::stream::discovery::{Found, Search};
use super::super::stream::recovery::Recovery;
use super::super::stream::retries::LONGEST_PAUSE;
use super::cursor::Cursor;
use super::reader::{Down, Link, Reader};
use super::{Entries, Queued, Reading};
use crate::reply::Event;

impl Entries {
    /// Reads streams of a server, or of the cluster that it belongs to. That there is no server, or that it refuses us,
    /// ends the run (status 3); only what was read once is tried again.
    pub fn open(endpoint: &Endpoint, reading: Reading) -> Result<Self, Unopened> {
        let (recovery, session) = if let Some(cluster) = Cluster::open_if_any(endpoint, false)? {
            (Recovery::of_cluster(cluster, reading.retries, LONGEST_PAUSE), None)
        } else {
            let session = Session::open(endpoint)?;
            (Recovery::of_server(endpoint, reading.retries), Some(session))
        };
        let is_cluster = session.is_none();
        let cursors: Vec<Cursor> = reading.streams.iter().map(|name| Cursor::new(name, &reading)).collect();
        let mut entries = Self {
            readers: Self::make_readers(&cursors, is_cluster),
            cursors,
            last_link: 0,
            is_cluster,
            recovery,
            reading,
            announced: VecDeque::new(),
            given: None,
            current: Arc::from(endpoint.address.to_string()),
            turn: 0,
            asked_last: 0,
            left: None,
            has_begun: false,
            is_closing: false,
            may_look: true,
            may_count: true,
        };
        if let Some(session) = session {
            entries.connect(0, session.endpoint.address.clone(), session);
        } else {
            let search = entries.search();
            let found = entries.recovery.discovery.search(&search);
            entries.settle(found)?;
        }
        Ok(entries)
    }

    fn connect(&mut self, at: usize, address: Address, session: Session) {
        self.last_link += 1;
        self.readers[at].link = Some(Link::new(self.last_link, address, session));
    }

    /// Takes a connection from its reader; what was asked over it is asked again elsewhere, where that is harmless.
    fn disconnect(&mut self, at: usize) -> Option<Link> {
        let reader = &mut self.readers[at];
        let link = reader.link.take()?;
        (reader.taken, reader.refusals, reader.rests_until) = (0, 0, None);
        let is_grouped = self.reading.group.is_some();
        reader.streams.iter().for_each(|stream| self.cursors[*stream].note_loss(is_grouped));
        Some(link)
    }

    /// A connection is lost, and another one is searched for. A lone server that never answered ends the run.
    pub(super) fn lose(&mut self, at: usize, loss: Loss) -> Result<(), Unopened> {
        let Some(link) = self.disconnect(at) else { return Ok(()) };
        if !self.has_begun && !self.is_cluster {
            return Err(loss.into_end(&link.name));
        }
        let was_good = link.was_good();
        self.recovery.note_loss(link.address, &loss.reason, was_good);
        self.readers[at].is_asking = false;
        self.note_down(at, loss.since.unwrap_or_else(Instant::now), link.name);
        Ok(())
    }

    /// A reader has no connection with this server; that is told once for all that were with it.
    fn note_down(&mut self, at: usize, since: Instant, name: Arc<str>) {
        if self.readers[at].down.is_some() {
            return;
        }
        let is_news = !self.is_down(&name);
        self.readers[at].down = Some(Down { since, name: Arc::clone(&name) });
        if is_news {
            let event = Event::Disconnected {
                channel: None,
                reason: self.recovery.reason.clone(),
                retrying: self.recovery.retries.may_go_on(),
            };
            self.announced.push_back((name, Queued::Event(event)));
        }
    }

    fn is_down(&self, name: &Arc<str>) -> bool {
        self.readers.iter().filter_map(|reader| reader.down.as_ref()).any(|down| down.name == *name)
    }

    /// A reader was answered: if its connection was lost, it is there again.
    pub(super) fn note_well(&mut self, at: usize) {
        self.has_begun = true;
        self.readers[at].refusals = 0;
        if let Some(down) = self.readers[at].down.take()
            && !self.is_down(&down.name)
        {
            let event = Event::Resumed { gap: down.since.elapsed() };
            self.announced.push_back((Arc::clone(&self.current), Queued::Event(event)));
        }
        if self.recovery.retries.count > 0
            && self.readers.iter().all(|reader| reader.link.is_some() && reader.down.is_none())
        {
            self.recovery.retries.restart();
        }
    }

    /// The slot of a reader is another node's, or on its way there: nothing of what was asked has run.
    pub(super) fn hop(&mut self, at: usize, to: (u16, Announced), is_asking: bool) {
        let Some(link) = self.disconnect(at) else { return };
        self.readers[at].is_asking = is_asking;
        self.recovery.moves.push((to.0, to.1, link.address));
        self.recovery.search_after_pause();
    }

    fn missing(&self) -> Vec<usize> {
        (0..self.readers.len()).filter(|at| self.readers[*at].link.is_none()).collect()
    }

    fn search(&mut self) -> Search {
        Search {
            lost: self.recovery.lost.clone(),
            slots: self.missing().into_iter().filter_map(|at| self.readers[at].slot).collect(),
            one_each: true,
            moves: std::mem::take(&mut self.recovery.moves),
            ..Search::default()
        }
    }

    /// Begins a search for what is missing when it is time for that. Ends the run when no further retry is allowed.
    pub(super) fn search_when_due(&mut self) -> Result<(), Unopened> {
        if self.recovery.due().is_none() {
            return Ok(());
        }
        let is_short = !self.missing().is_empty();
        match self.recovery.take_due(is_short) {
            Some(true) if is_short => {
                let search = self.search();
                self.recovery.discovery.begin(search)
            }
            Some(_) => Ok(()),
            None => Err(self.give_up()),
        }
    }

    /// Gives what was found to the readers that have no connection.
    pub(super) fn settle(&mut self, mut found: Found) -> Result<(), Unopened> {
        let mut failed: Vec<Address> = Vec::new();
        let mut sessions = found.take_sessions(|address, why| {
            self.recovery.reason = why.into_message().unwrap_or_default();
            failed.push(address);
        })?;
        for at in self.missing() {
            let node = self.readers[at].slot.map(|slot| self.recovery.discovery.owner(slot).cloned());
            let is_it = |address: &Address| node.as_ref().is_none_or(|node| node.as_ref() == Some(address));
            if let Some(found) = sessions.iter().position(|(address, _)| is_it(address)) {
                let (address, session) = sessions.remove(found);
                self.connect(at, address, session);
                continue;
            }
            let is_unserved = node.as_ref().is_some_and(Option::is_none);
            if is_unserved {
                self.recovery.reason = format!("no node serves the slot of {}", self.describe(&self.readers[at]));
            }
            // Where the slot has moved on meanwhile nothing has failed.
            if !found.is_cut_short && (is_unserved || failed.iter().any(is_it)) {
                let name = node.flatten().map_or_else(|| Arc::clone(&self.current), |node| Arc::from(node.to_string()));
                self.recovery.retries.note_loss(false);
                self.note_down(at, Instant::now(), name);
            }
        }
        if !self.missing().is_empty() {
            self.recovery.search_after_pause();
        }
        Ok(())
    }

    /// Leaves a server that is the primary no more for the one that is.
    pub(super) fn follow_switch(&mut self) -> Result<(), Unopened> {
        let Some(switched) = self.recovery.switched() else { return Ok(()) };
        let address = switched.session.endpoint.address.clone();
        if let Some(link) = &self.readers[0].link {
            if link.address == address || !self.has_begun {
                return Ok(());
            }
            self.lose(0, switched.loss())?;
        }
        if self.recovery.retries.may_go_on() {
            self.connect(0, address, switched.session);
        }
        Ok(())
    }

    /// The streams of a reader, for messages.
    fn describe(&self, reader: &Reader) -> String {
        let names = reader.streams.iter().map(|stream| String::from_utf8_lossy(&self.cursors[*stream].name));
        names.collect::<Vec<_>>().join(", ")
    }

    /// The end of a run whose retries are used up.
    fn give_up(&self) -> Unopened {
        let describe =
            |reader: &Reader| reader.down.as_ref().map_or_else(|| self.describe(reader), |down| down.name.to_string());
        let missing = self.readers.iter().filter(|reader| reader.link.is_none());
        self.recovery.retries.give_up(missing.map(describe), &self.recovery.reason)
    }
}
