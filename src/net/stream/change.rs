//! Changes of what a stream listens to, while it does (contract section 8): SUBSCRIBE and UNSUBSCRIBE of each kind, and
//! PING, each of which the server confirms in its own words.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::sync::Arc;
use std::time::Instant;

use super::assignment::{Assignment, AssignmentId, Home};
use super::connection::Connection;
use super::discovery::Follow;
use super::heard::Queued;
use super::source::{Subject, Subscription, Topic};
use super::unanswered::Unanswered;
use super::{Elsewhere, Stream};
use crate::command::request::Request;
use crate::net::cluster::key_slot::slot_of;
use crate::net::cluster::redirects::Redirect;
use crate::reply::{ErrorReply, Event, Message, MessageKind, OwnedFrame};

/// So many commands of one connection may be unanswered before no further change is taken.
const UNANSWERED: usize = 1000;
/// So often something is confirmed that was asked for while it was nowhere.
const MOST_WANTED: u32 = 1000;

/// What is to change, as a command says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// SUBSCRIBE and its kind: these too. What is subscribed already is confirmed once more.
    Subscribe(Vec<Subscription>),
    /// UNSUBSCRIBE and its kind: no more of these names; without names all of the kind.
    Unsubscribe(Topic, Vec<Vec<u8>>),
    /// PING, with its text, which may be empty.
    Ping(Vec<u8>),
}

impl Change {
    /// The change that a command asks for; none if it is no such command, an error in words if it has too few or too
    /// many arguments.
    pub fn of(request: &Request) -> Option<Result<Self, String>> {
        let wrong = |name: &str| Some(Err(format!("wrong number of arguments for {name}")));
        if request.is(0, "PING") {
            return if request.len() > 2 { wrong("PING") } else { Some(Ok(Self::Ping(request.arg(1).to_vec()))) };
        }
        let names = || request.args().skip(1);
        for topic in [Topic::Channel, Topic::Pattern, Topic::ShardChannel] {
            if request.is(0, topic.command()) {
                let subscriptions = Subscription::collect(&[(topic, &names().map(OsStr::from_bytes).collect())]);
                return if subscriptions.is_empty() {
                    wrong(topic.command())
                } else {
                    Some(Ok(Self::Subscribe(subscriptions)))
                };
            }
            if request.is(0, topic.leaving()) {
                return Some(Ok(Self::Unsubscribe(topic, names().map(<[u8]>::to_vec).collect())));
            }
        }
        None
    }
}

/// What was left at several connections, and how many of them have not confirmed it yet: it is told once.
pub(super) struct Leaving {
    kind: MessageKind,
    name: Vec<u8>,
    missing: usize,
}

impl Stream {
    /// Changes what is listened to, if the stream was opened for that ([`super::Source::Changing`]); each change is
    /// confirmed by messages. Does not block. To be called only while [`Self::may_change`].
    pub fn change(&mut self, change: Change) {
        match change {
            Change::Subscribe(subscriptions) => {
                for subscription in subscriptions {
                    self.subscribe(&Subject::Subscription(subscription));
                }
            }
            Change::Unsubscribe(topic, names) if names.is_empty() => self.unsubscribe_all(topic),
            Change::Unsubscribe(topic, names) => {
                for name in names {
                    self.unsubscribe(Subscription { topic, name });
                }
            }
            Change::Ping(text) => match self.presence() {
                Some(at) => self.connections[at].ping(text),
                None => self.pings.push(text),
            },
        }
    }

    /// Whether a change can be made now: not while there is no connection that has again what was lost, while the nodes
    /// of what was added last are looked for or have not confirmed it, and while much is unanswered.
    pub fn may_change(&self) -> bool {
        let is_free = |connection: &Connection| connection.unanswered.len() < UNANSWERED;
        !self.is_placing
            && self.everywhere.iter().all(|everywhere| everywhere.is_told)
            && self.presence().is_some_and(|at| self.connections[at].has_begun)
            && self.connections.iter().all(is_free)
    }

    /// Whether this change can be made now, while [`Self::may_change`]. In a cluster something is left once it is known
    /// where it is, unless it was said that it is nowhere, and what has homes is asked for again once it is left: else two
    /// nodes would tell of it in any order, or one would refuse what is to be confirmed.
    pub fn may_make(&self, change: &Change) -> bool {
        if self.elsewhere != Elsewhere::Followed {
            return true;
        }
        match change {
            Change::Subscribe(subscriptions) => subscriptions.iter().filter(|it| it.has_homes()).all(|subscription| {
                !self.connections.iter().any(|connection| connection.unanswered.leaves(subscription))
            }),
            Change::Unsubscribe(topic, names) if names.is_empty() => self
                .assignments
                .iter()
                .all(|(id, assignment)| !assignment.subject.is_of(*topic) || self.is_placed(*id, assignment)),
            Change::Unsubscribe(topic, names) => names.iter().all(|name| {
                let subject = Subject::Subscription(Subscription { topic: *topic, name: name.clone() });
                let mut ids = self.subjects.get(&subject).into_iter().flatten();
                ids.all(|id| self.assignments.get(id).is_none_or(|assignment| self.is_placed(*id, assignment)))
            }),
            Change::Ping(_) => true,
        }
    }

    /// Whether it is known where something is heard, or said that it is not. What any node would do for is asked for,
    /// and left, on one connection.
    fn is_placed(&self, id: AssignmentId, assignment: &Assignment) -> bool {
        let connection = assignment.connection.and_then(|connection| self.position_of_id(connection));
        match (&assignment.home, connection) {
            (Home::Anywhere, _) | (Home::Node(_), None) => true,
            (_, Some(at)) => !self.connections[at].unanswered.asks_for(id),
            (Home::Slot(_), None) => assignment.is_told,
        }
    }

    /// Whether all that was asked for is confirmed or refused.
    pub fn is_settled(&self) -> bool {
        !self.is_placing
            && self.pings.is_empty()
            && self.announced.is_empty()
            && self.everywhere.iter().all(|everywhere| everywhere.is_told)
            && self.connections.iter().all(|connection| connection.unanswered.is_settled())
            && self
                .assignments
                .values()
                .all(|own| own.from.is_some() && own.wanted == 0 || matches!(own.home, Home::Node(_)))
    }

    /// The place of the connection that what has no other home is asked for at.
    pub(super) fn presence(&self) -> Option<usize> {
        let presence = self.assignments.get(&self.presence?)?;
        self.position_of_id(presence.connection?)
    }

    fn position_of_id(&self, id: u64) -> Option<usize> {
        self.connections.iter().position(|connection| connection.id == id)
    }

    fn subscribe(&mut self, subject: &Subject) {
        let known = self.subjects.get(subject).and_then(|ids| ids.first()).copied();
        if let Some(id) = known {
            return self.repeat(id, None);
        }
        if self.everywhere.iter().any(|everywhere| everywhere.subject == *subject) {
            return;
        }
        let was_short = self.is_placing;
        let last = self.last_id;
        self.add(subject.clone());
        if let Some(everywhere) = self.everywhere.iter_mut().find(|everywhere| everywhere.subject == *subject) {
            everywhere.is_late = true;
        }
        let added: Vec<AssignmentId> = self.assignments.range(last + 1..).map(|(id, _)| *id).collect();
        let mut is_missing = added.is_empty();
        for id in added {
            if let Some(assignment) = self.assignments.get_mut(&id) {
                assignment.is_late = true;
            }
            is_missing |= !self.place_one(id, &mut Vec::new());
        }
        if is_missing {
            if !was_short {
                self.recovery.retries.restart();
            }
            (self.is_placing, self.is_sought) = (true, false);
            self.recovery.due = Some(Instant::now());
        }
    }

    /// Asks once more for what there is, where it is: not at the connection that has just said that it is elsewhere.
    pub(super) fn repeat(&mut self, id: AssignmentId, refused: Option<u64>) {
        let Some(assignment) = self.assignments.get(&id) else { return };
        let connection = assignment.connection.filter(|connection| Some(*connection) != refused);
        match connection.and_then(|connection| self.position_of_id(connection)) {
            Some(at) => self.connections[at].repeat(id, &assignment.subject),
            None => self.note_wanted(id),
        }
    }

    /// Its next confirmation is to be told, whatever it confirms, and as often as it is asked for until then.
    pub(super) fn note_wanted(&mut self, id: AssignmentId) {
        if let Some(assignment) = self.assignments.get_mut(&id) {
            assignment.wanted = (assignment.wanted + 1).min(MOST_WANTED);
        }
    }

    fn unsubscribe(&mut self, subscription: Subscription) {
        let Subscription { topic, name } = &subscription;
        let subject = Subject::Subscription(subscription.clone());
        let gone = self.remove(&subject);
        let mut places: Vec<usize> =
            gone.iter().filter_map(|gone| gone.connection).filter_map(|id| self.position_of_id(id)).collect();
        if gone.is_empty() {
            places.extend(self.position_for(&subscription));
        }
        for at in &places {
            self.connections[*at].leave(*topic, name);
        }
        match places.len() {
            0 => self.tell_left(topic.departure(), Some(name)),
            1 => {}
            missing => self.leaving.push(Leaving { kind: topic.departure(), name: subscription.name, missing }),
        }
    }

    /// Where a server is asked to leave what nobody has subscribed to; none if nobody can be asked.
    fn position_for(&self, subscription: &Subscription) -> Option<usize> {
        if self.elsewhere == Elsewhere::Followed && subscription.topic == Topic::ShardChannel {
            let owner = self.recovery.discovery.owner(slot_of(&subscription.name))?;
            return self.connections.iter().position(|connection| connection.address == *owner);
        }
        self.presence()
    }

    fn unsubscribe_all(&mut self, topic: Topic) {
        let kind = topic.departure();
        let subjects = self.assignments.values().map(|assignment| &assignment.subject);
        let subjects: Vec<Subject> = subjects.filter(|subject| subject.is_of(topic)).cloned().collect();
        let gone: Vec<Assignment> = subjects.iter().flat_map(|subject| self.remove(subject)).collect();
        let mut names: Vec<(usize, HashSet<Vec<u8>>)> = Vec::new();
        let mut places: HashMap<Vec<u8>, usize> = HashMap::new();
        for assignment in gone {
            let Subject::Subscription(Subscription { name, .. }) = assignment.subject else { continue };
            let Some(at) = assignment.connection.and_then(|id| self.position_of_id(id)) else {
                // One that some nodes have is told when they have left it.
                places.entry(name).or_default();
                continue;
            };
            *places.entry(name.clone()).or_default() += 1;
            match names.iter_mut().find(|(place, _)| *place == at) {
                Some((_, names)) => drop(names.insert(name)),
                None => names.push((at, HashSet::from([name]))),
            }
        }
        if places.is_empty() {
            names.extend(self.presence().map(|at| (at, HashSet::new())));
        }
        if names.is_empty() && places.is_empty() {
            self.tell_left(kind, None);
        }
        for (at, names) in names {
            self.connections[at].leave_all(topic, names);
        }
        for (name, missing) in places {
            match missing {
                0 => self.tell_left(kind, Some(&name)),
                1 => {}
                _ => self.leaving.push(Leaving { kind, name, missing }),
            }
        }
    }

    /// Takes away what is not to be heard any more. Where nothing is left that every node is asked for, none is followed.
    fn remove(&mut self, subject: &Subject) -> Vec<Assignment> {
        let ids = self.subjects.get(subject).cloned().unwrap_or_default();
        let gone = ids.into_iter().filter_map(|id| self.forget(id)).collect();
        self.everywhere.retain(|everywhere| everywhere.subject != *subject);
        if self.follow == Follow::Primaries && self.everywhere.is_empty() {
            self.follow = Follow::Nobody;
            self.nodes.clear();
        }
        gone
    }

    /// A server says that something was left, as it was asked to. Whether that is to be told: once all say so.
    pub(super) fn note_left(&mut self, kind: MessageKind, name: Option<&[u8]>) -> bool {
        self.has_left = true;
        let is_it = |leaving: &Leaving| leaving.kind == kind && Some(&*leaving.name) == name;
        let Some(at) = self.leaving.iter().position(is_it) else { return true };
        self.leaving[at].missing -= 1;
        let is_last = self.leaving[at].missing == 0;
        if is_last {
            self.leaving.remove(at);
        }
        is_last
    }

    /// Tells that nobody has this any more, in the words of a server that has nothing of ours.
    fn tell_left(&mut self, kind: MessageKind, name: Option<&[u8]>) {
        self.tell(Message::departure(kind, name));
    }

    pub(super) fn tell(&mut self, message: OwnedFrame) {
        self.announced.push_back((Arc::clone(&self.current), Queued::Message(message)));
    }

    /// A command that changes nothing was refused; or a shard channel has left its node before it was left there.
    pub(super) fn deny(&mut self, at: usize, command: &Unanswered, error: &ErrorReply) {
        let name = Arc::clone(&self.connections[at].name);
        let is_elsewhere = self.elsewhere == Elsewhere::Followed && Redirect::of_error(error).is_some();
        let (channel, request) = match command {
            Unanswered::ShardDeparture { name, .. } if is_elsewhere => {
                return self.leave_nowhere(MessageKind::SUnsubscribe, name);
            }
            Unanswered::Repeat(id) if is_elsewhere => return self.repeat(*id, Some(self.connections[at].id)),
            Unanswered::Departure(topic, channel) => (Some(channel.clone()), topic.request_to_leave(channel)),
            Unanswered::ShardDeparture { name, .. } => (Some(name.clone()), Topic::ShardChannel.request_to_leave(name)),
            Unanswered::DepartureOfAll { topic, .. } => (None, Request::new([topic.leaving()])),
            Unanswered::Ping(text) if text.is_empty() => (None, Request::new(["PING"])),
            Unanswered::Ping(text) => (None, Request::new([&b"PING"[..], text])),
            Unanswered::Repeat(id) => {
                let Some(assignment) = self.assignments.get(id) else { return };
                (Some(assignment.subject.name().into_bytes()), assignment.subject.request())
            }
            Unanswered::Assignment(_) | Unanswered::Heartbeat => return,
        };
        let reason = format!("{} was refused: {}", request.shown(200), error.reason());
        self.announce(&name, Event::Refused { channel, reason });
    }

    /// What was asked for while others were heard is refused: it is forgotten, wherever it is.
    pub(super) fn refuse_late(&mut self, at: usize, subject: &Subject, reason: String) {
        let name = Arc::clone(&self.connections[at].name);
        let Subject::Subscription(subscription) = subject else { return };
        self.remove(subject);
        self.announce(&name, Event::Refused { channel: Some(subscription.name.clone()), reason });
        self.note_ready(at);
    }

    fn leave_nowhere(&mut self, kind: MessageKind, name: &[u8]) {
        if self.note_left(kind, Some(name)) {
            self.tell_left(kind, Some(name));
        }
    }

    /// Takes a connection away. What it was to leave it has left with that; what it was to answer another one will.
    pub(super) fn disconnect(&mut self, at: usize) -> Connection {
        let mut connection = self.connections.remove(at);
        for command in connection.unanswered.take() {
            match command {
                Unanswered::Departure(topic, name) => self.leave_nowhere(topic.departure(), &name),
                Unanswered::ShardDeparture { name, is_answered: false } => {
                    self.leave_nowhere(MessageKind::SUnsubscribe, &name);
                }
                Unanswered::DepartureOfAll { topic, names, is_answered: false } if names.is_empty() => {
                    self.tell_left(topic.departure(), None);
                }
                Unanswered::DepartureOfAll { topic, names, .. } => {
                    for name in &names {
                        self.leave_nowhere(topic.departure(), name);
                    }
                }
                Unanswered::Ping(text) => self.pings.push(text),
                Unanswered::Repeat(id) => self.note_wanted(id),
                Unanswered::ShardDeparture { .. } | Unanswered::Assignment(_) | Unanswered::Heartbeat => {}
            }
        }
        connection
    }

    /// Sends the PINGs that no connection has answered.
    pub(super) fn ping_again(&mut self) {
        let Some(at) = self.presence().filter(|_| !self.pings.is_empty()) else { return };
        for text in std::mem::take(&mut self.pings) {
            self.connections[at].ping(text);
        }
    }

    /// Closes connections whose last channel was left. A search counts on those that there were when it began.
    pub(super) fn close_unused(&mut self) {
        if !self.has_left || self.is_placing || !self.recovery.discovery.is_idle() {
            return;
        }
        self.has_left = false;
        let is_used = |connection: &Connection| {
            !connection.unanswered.is_settled()
                || self.assignments.values().any(|assignment| assignment.connection == Some(connection.id))
        };
        self.connections.retain(is_used);
    }
}
