//! Brings assignments and connections together: what is nowhere is asked for where it can be heard, what is lost is
//! taken away and searched for, and nodes that joined or left a cluster are told.

use crate::net::cluster::key_slot::slot_of;
use crate::net::endpoint::Address;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::error::Unopened;
use super::super::session::Session;
use super::assignment::{Assignment, AssignmentId, Home};
use super::connection::{Connection, Loss};
use super::discovery::{Follow, Found, Search};
use super::source::Subject;
use super::{Elsewhere, Everywhere, Stream};
use crate::reply::Event;

/// How often nodes that joined or left are looked for.
const LOOK: Duration = Duration::from_secs(2);
/// How often it is asked whether a node is still of the cluster that any node would do for: one that is not hears
/// nothing from it, and does not say so.
const DOUBT: Duration = Duration::from_secs(5);

impl Stream {
    /// Makes assignments for something that is to be heard; nobody is asked for it yet.
    pub(super) fn add(&mut self, subject: Subject) {
        let is_cluster = self.elsewhere == Elsewhere::Followed;
        let is_everywhere = match &subject {
            Subject::Monitor => true,
            Subject::Presence => false,
            Subject::Subscription(subscription) => subscription.is_of_keys(),
        };
        if is_cluster && is_everywhere {
            if self.follow == Follow::Nobody {
                self.follow = Follow::Primaries;
            }
            for node in self.nodes.clone() {
                self.insert(Assignment::new(subject.clone(), Home::Node(node)));
            }
            self.everywhere.push(Everywhere { subject, is_told: false, confirmation: None, is_late: false });
            return;
        }
        let home = match subject.shard_channel() {
            Some(channel) if is_cluster => Home::Slot(slot_of(channel)),
            _ => Home::Anywhere,
        };
        let is_presence = subject == Subject::Presence;
        let id = self.insert(Assignment::new(subject, home));
        if is_presence {
            self.presence = Some(id);
        }
    }

    fn insert(&mut self, assignment: Assignment) -> AssignmentId {
        let id = self.next_id();
        self.subjects.entry(assignment.subject.clone()).or_default().push(id);
        self.assignments.insert(id, assignment);
        id
    }

    /// It is not to be heard there any more.
    pub(super) fn forget(&mut self, id: AssignmentId) -> Option<Assignment> {
        let assignment = self.assignments.remove(&id)?;
        if let Some(ids) = self.subjects.get_mut(&assignment.subject) {
            ids.retain(|other| *other != id);
            if ids.is_empty() {
                self.subjects.remove(&assignment.subject);
            }
        }
        Some(assignment)
    }

    fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// Asks a connection for something.
    pub(super) fn assign(&mut self, id: AssignmentId, at: usize) {
        let connection = &mut self.connections[at];
        if let Some(assignment) = self.assignments.get_mut(&id) {
            connection.assign(id, &assignment.subject);
            connection.is_returning |= assignment.silent_since.is_some();
            assignment.connection = Some(connection.id);
        }
    }

    /// Takes something from its connection, which does not have it any more since then.
    pub(super) fn withdraw(&mut self, id: AssignmentId, since: Instant) {
        if let Some(assignment) = self.assignments.get_mut(&id) {
            assignment.withdraw(since);
        }
    }

    /// Takes in a connection; its place among the others.
    pub(super) fn connect(&mut self, address: Address, session: Session) -> usize {
        let id = self.next_id();
        self.connections.push(Connection::new(id, address, session));
        self.connections.len() - 1
    }

    /// What a connection was asked for.
    fn assigned_to(&self, connection: u64) -> Vec<AssignmentId> {
        let here = self.assignments.iter().filter(|(_, assignment)| assignment.connection == Some(connection));
        here.map(|(id, _)| *id).collect()
    }

    /// Whether something that is to be heard is nowhere.
    pub(super) fn is_short(&self) -> bool {
        self.assignments.values().any(|assignment| assignment.connection.is_none())
    }

    /// A connection is lost, and what it had is searched for. A lone server that was never fully heard ends the run.
    pub(super) fn lose(&mut self, at: usize, loss: Loss) -> Result<(), Unopened> {
        let connection = self.disconnect(at);
        let loss = connection.complete(loss);
        let assigned = self.assigned_to(connection.id);
        let now = Instant::now();
        let (mut was_heard, mut is_news) = (true, false);
        for id in assigned {
            self.withdraw(id, loss.since.unwrap_or(now));
            if let Some(assignment) = self.assignments.get_mut(&id) {
                assignment.ended = None;
                was_heard &= assignment.may_miss();
                is_news |= !std::mem::replace(&mut assignment.is_told, true);
            }
        }
        if !was_heard && self.elsewhere != Elsewhere::Followed {
            return Err(loss.into_end(&connection.name));
        }
        let reason = loss.reason;
        let was_good = connection.was_good();
        self.recovery.note_loss(connection.address, &reason, was_good);
        if is_news {
            let event = Event::Disconnected { channel: None, reason, retrying: self.recovery.retries.may_go_on() };
            self.announce(&connection.name, event);
        }
        self.tell_confirmed();
        Ok(())
    }

    /// Begins a search for what is missing, or for who joined or left, when it is time for that. Ends the run when no
    /// further retry is allowed.
    pub(super) fn search_when_due(&mut self) -> Result<(), Unopened> {
        if self.recovery.due().is_none() {
            return Ok(());
        }
        match self.recovery.take_due(self.is_short()) {
            Some(true) => {
                self.is_sought = self.is_placing;
                let search = self.search();
                self.recovery.discovery.begin(search)
            }
            Some(false) => Ok(()),
            None => Err(self.give_up()),
        }
    }

    pub(super) fn search(&mut self) -> Search {
        let missing = || self.assignments.values().filter(|assignment| assignment.connection.is_none());
        let slots = missing().filter_map(|missing| if let Home::Slot(slot) = missing.home { Some(slot) } else { None });
        let is_doubtful = self.follow == Follow::Nobody && !self.is_short();
        Search {
            anywhere: missing().any(|missing| missing.home == Home::Anywhere),
            lost: self.recovery.lost.clone(),
            slots: slots.collect(),
            one_each: false,
            follow: self.follow,
            doubted: if is_doubtful { self.node_of_anywhere() } else { None },
            have: self.connections.iter().map(|connection| connection.address.clone()).collect(),
            first: self.first.take(),
            moves: std::mem::take(&mut self.recovery.moves),
        }
    }

    /// The node that has what any node would do for; none where a lone server has it.
    fn node_of_anywhere(&self) -> Option<Address> {
        let is_it = |assignment: &&Assignment| assignment.home == Home::Anywhere;
        let id = self.assignments.values().find(is_it)?.connection?;
        let connection = self.connections.iter().find(|connection| connection.id == id)?;
        (self.elsewhere == Elsewhere::Followed).then(|| connection.address.clone())
    }

    /// Asks what was found for what is missing.
    pub(super) fn settle(&mut self, mut found: Found) -> Result<(), Unopened> {
        if found.is_cut_short {
            // The signal ends the run, or the next search goes on.
            self.recovery.search_after_pause();
            return Ok(());
        }
        let mut refusal = None;
        let sessions = found.take_sessions(|_, why| {
            let is_told = matches!(&why, Unopened::Refused { code, .. } if code != "LOADING");
            if let Ok(message) = why.into_message() {
                refusal = is_told.then(|| message.clone()).or(refusal.take());
                self.recovery.reason = message;
            }
        })?;
        // What was heard once is tried again; where nothing ever was, nobody wants us.
        let is_start = sessions.is_empty() && self.assignments.values().all(|assignment| assignment.from.is_none());
        if let (true, Some(words)) = (is_start, refusal) {
            return Err(Unopened::Unreachable(words));
        }
        if self.follow != Follow::Nobody {
            self.follow_nodes(&found.followed);
        }
        self.place(sessions);
        self.tell_confirmed();
        if self.is_placing && !self.is_sought {
            // That was not yet looked for.
            self.recovery.due = Some(Instant::now());
            return Ok(());
        }
        self.is_placing = false;
        self.tell_missing();
        self.has_left = true;
        self.close_unused();
        let departed = found.departed.and_then(|node| self.position_of(&node));
        if let Some(at) = departed {
            return self.lose(at, Loss::now("this node is not of the cluster any more"));
        }
        let pause = if self.is_short() { Some(self.recovery.retries.pause()) } else { self.next_look() };
        self.recovery.due = pause.map(|pause| Instant::now() + pause);
        Ok(())
    }

    /// How soon to look for changes where nothing is missing; none where nothing can change unheard.
    fn next_look(&self) -> Option<Duration> {
        match self.follow {
            Follow::Nobody => self.node_of_anywhere().map(|_| DOUBT),
            Follow::Primaries | Follow::Everybody => Some(LOOK),
        }
    }

    /// The node that has what is heard there, as far as is known; none if any will do.
    fn node_of<'a>(&'a self, home: &'a Home) -> Option<&'a Address> {
        match home {
            Home::Anywhere => None,
            Home::Node(node) => Some(node),
            Home::Slot(slot) => self.recovery.discovery.owner(*slot),
        }
    }

    fn position_of(&self, node: &Address) -> Option<usize> {
        self.connections.iter().position(|connection| connection.address == *node)
    }

    /// Asks connections, and sessions that were found, for what is missing.
    pub(super) fn place(&mut self, mut sessions: Vec<(Address, Session)>) {
        let missing = self.assignments.iter().filter(|(_, assignment)| assignment.connection.is_none());
        for id in missing.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.place_one(id, &mut sessions);
        }
        self.ping_again();
    }

    /// Asks a connection, or a session that was found, for something; whether there is one that can be asked.
    pub(super) fn place_one(&mut self, id: AssignmentId, sessions: &mut Vec<(Address, Session)>) -> bool {
        let Some(assignment) = self.assignments.get(&id) else { return true };
        let node = self.node_of(&assignment.home);
        if node.is_none() && assignment.home != Home::Anywhere {
            self.recovery.reason = format!("no node serves the slot of {}", assignment.describe());
            return false;
        }
        let is_it = |address: &Address| node.is_none_or(|node| node == address);
        // What changes is counted by the server: all that any node would do for stays together.
        let usual = if node.is_none() { self.presence() } else { None };
        let open = usual.or_else(|| self.connections.iter().position(|connection| is_it(&connection.address)));
        let found = sessions.iter().position(|(address, _)| is_it(address));
        let at = match (open, found) {
            (Some(at), _) => at,
            (None, Some(found)) => {
                let (address, session) = sessions.remove(found);
                self.connect(address, session)
            }
            (None, None) => return false,
        };
        self.assign(id, at);
        true
    }

    /// Takes note of the nodes that joined or left, where they are followed.
    fn follow_nodes(&mut self, nodes: &[Address]) {
        if nodes.is_empty() {
            return;
        }
        let now = Instant::now();
        // Those that are followed from now on have not joined.
        let is_first = self.nodes.is_empty();
        // Whoever takes over from a primary that was lost has what was not heard since.
        let mut silent_since = None;
        let mut owed = Vec::new();
        for node in self.nodes.clone().into_iter().filter(|node| !nodes.contains(node)) {
            if let Some(at) = self.position_of(&node) {
                let connection = self.disconnect(at);
                for id in self.assigned_to(connection.id) {
                    self.withdraw(id, now);
                }
            }
            let home = Home::Node(node.clone());
            let here = self.assignments.iter().filter(|(_, assignment)| assignment.home == home);
            let here: Vec<AssignmentId> = here.map(|(id, _)| *id).collect();
            let left: Vec<Assignment> = here.into_iter().filter_map(|id| self.forget(id)).collect();
            owed.extend(left.iter().filter(|left| left.wanted > 0).map(|left| (left.subject.clone(), left.wanted)));
            let silent = left.iter().filter(|left| left.is_told).filter_map(|left| left.silent_since).min();
            silent_since = silent_since.or(silent);
            self.announce(&Arc::from(node.to_string()), Event::Left);
        }
        for node in nodes.iter().filter(|node| !self.nodes.contains(node)).cloned().collect::<Vec<_>>() {
            let silent_since = if self.follow == Follow::Primaries { silent_since.take() } else { None };
            let everywhere = self.everywhere.iter().map(|everywhere| (everywhere.subject.clone(), everywhere.is_late));
            for (subject, is_late) in everywhere.collect::<Vec<_>>() {
                let assignment = Assignment::new(subject, Home::Node(node.clone()));
                self.insert(Assignment { silent_since, is_told: silent_since.is_some(), is_late, ..assignment });
            }
            if !is_first {
                self.announce(&Arc::from(node.to_string()), Event::Joined);
            }
        }
        self.nodes = nodes.to_vec();
        // What it was to confirm once more another one does.
        for (subject, wanted) in owed {
            let other = self.subjects.get(&subject).and_then(|ids| ids.first()).copied();
            for id in other.into_iter().cycle().take(wanted as usize) {
                self.repeat(id, None);
            }
        }
    }

    /// Says what could not be had from the start.
    fn tell_missing(&mut self) {
        let now = Instant::now();
        let is_untold = |missing: &Assignment| missing.connection.is_none() && missing.silent_since.is_none();
        let mut told: Vec<Arc<str>> = Vec::new();
        for missing in self.assignments.values().filter(|assignment| is_untold(assignment)) {
            let node = self.node_of(&missing.home);
            let name = node.map_or_else(|| Arc::clone(&self.current), |node| Arc::from(node.to_string()));
            if !told.contains(&name) {
                told.push(name);
            }
        }
        for missing in self.assignments.values_mut().filter(|assignment| is_untold(assignment)) {
            missing.silent_since = Some(now);
            missing.is_told = true;
        }
        let retrying = self.recovery.retries.may_go_on();
        for name in told {
            self.recovery.retries.note_loss(false);
            self.announce(&name, Event::Disconnected { channel: None, reason: self.recovery.reason.clone(), retrying });
        }
    }

    /// Leaves a server that is the primary no more for the one that is.
    pub(super) fn follow_switch(&mut self) -> Result<(), Unopened> {
        let Some(switched) = self.recovery.switched() else { return Ok(()) };
        let address = switched.session.endpoint.address.clone();
        if let Some(connection) = self.connections.first() {
            let is_heard = self.assignments.values().all(Assignment::may_miss);
            if connection.address == address || !is_heard {
                return Ok(());
            }
            self.lose(0, switched.loss())?;
        }
        if self.recovery.retries.may_go_on() {
            self.place(vec![(address, switched.session)]);
        }
        Ok(())
    }

    /// The end of a run whose retries are used up.
    fn give_up(&self) -> Unopened {
        let missing = self.assignments.values().filter(|assignment| assignment.connection.is_none());
        self.recovery.retries.give_up(missing.map(Assignment::describe), &self.recovery.reason)
    }
}
