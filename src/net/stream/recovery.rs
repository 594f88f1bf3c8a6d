//! How what is missing is brought back, for those who hear a stream and those who read entries: searches, when they are
//! due, and the word of sentinels that another server is the primary (contract sections 8, 11, 12 and 15). What is
//! missing, and what becomes of what is found, is theirs.

use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};

use super::super::cluster::Cluster;
use super::super::cluster::slot_map::Announced;
use super::super::endpoint::{Address, Endpoint};
use super::super::error::Unopened;
use super::super::poll;
use super::discovery::{Discovery, Finder};
use super::ready_at;
use super::retries::{LONGEST_PAUSE, Retries};
use super::switch::{Switched, Switches};
use crate::text::describe_io;

/// Who looks for what is missing, and when.
pub struct Recovery {
    pub discovery: Discovery,
    pub retries: Retries,
    /// When to search, and why something is missing.
    pub due: Option<Instant>,
    pub reason: String,
    /// For the next search: the node that was lost last, and what nodes said of slots.
    pub lost: Option<Address>,
    pub moves: Vec<(u16, Announced, Address)>,
    /// Who tells that another server is the primary now.
    switches: Option<Switches>,
}

impl Recovery {
    /// Of a server, or of the primary that its sentinels name: tried so many times in a row, none: any number.
    pub fn of_server(endpoint: &Endpoint, retries: Option<u32>) -> Self {
        // What has begun is tried again by its own rules.
        let endpoint = &Endpoint { wait: Duration::ZERO, ..endpoint.clone() };
        let switches = match &endpoint.address {
            Address::Sentinel(sentinels) => Switches::watch(sentinels, endpoint).ok(),
            _ => None,
        };
        Self { switches, ..Self::new(Finder::Server(Box::new(endpoint.clone())), Retries::new(retries, LONGEST_PAUSE)) }
    }

    /// Of the nodes of a cluster; pauses between two searches are this long at most.
    pub fn of_cluster(cluster: Cluster, retries: Option<u32>, longest: Duration) -> Self {
        Self::new(Finder::Cluster(Box::new(cluster)), Retries::new(retries, longest))
    }

    fn new(finder: Finder, retries: Retries) -> Self {
        let discovery = Discovery::Idle(finder);
        Self { discovery, retries, due: None, reason: String::new(), lost: None, moves: Vec::new(), switches: None }
    }

    /// A connection with this server is lost; `was_good` if all was well with it.
    pub fn note_loss(&mut self, server: Address, reason: &str, was_good: bool) {
        self.retries.note_loss(was_good);
        self.search_after_pause();
        reason.clone_into(&mut self.reason);
        self.lost = Some(server);
    }

    /// The next search comes after a pause.
    pub fn search_after_pause(&mut self) {
        self.due = Some(Instant::now() + self.retries.pause());
    }

    /// When to search, while that is not being done.
    pub fn due(&self) -> Option<Instant> {
        self.due.filter(|_| self.discovery.is_idle())
    }

    /// Whether a search is to begin now: that counts as a retry if something is missing. None where something is and no
    /// further retry is allowed.
    pub fn take_due(&mut self, is_short: bool) -> Option<bool> {
        if is_short && !self.retries.may_go_on() {
            return None;
        }
        let now = Instant::now();
        let is_due = self.due.take_if(|due| *due <= now).is_some();
        if is_due && is_short {
            self.retries.note_search(now);
        }
        Some(is_due)
    }

    /// Another server that is the primary now, if one was found.
    pub fn switched(&self) -> Option<Switched> {
        self.switches.as_ref().and_then(Switches::next)
    }

    /// The one sleep, until something is found too: which of the others is ready, and what happened to the sockets.
    pub fn sleep<'s>(
        &self,
        sockets: impl Iterator<Item = (BorrowedFd<'s>, PollFlags)>,
        others: &[PollFd<'_>],
        until: Option<Instant>,
    ) -> Result<(Option<usize>, Vec<PollFlags>), Unopened> {
        let mut fds = others.to_vec();
        fds.extend(sockets.map(|(socket, interest)| PollFd::from_borrowed_fd(socket, interest)));
        let last = fds.len();
        let found = self.discovery.fd().into_iter().chain(self.switches.as_ref().map(Switches::fd));
        fds.extend(found.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
        poll::sleep(&mut fds, until).map_err(|error| format!("cannot wait: {}", describe_io(&error)))?;
        let events = fds[others.len()..last].iter().map(PollFd::revents).collect();
        Ok((ready_at(&fds[..others.len()]), events))
    }
}
