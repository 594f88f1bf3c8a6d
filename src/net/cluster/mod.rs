//! Sessions behind a slot map, with the face of one session: a command goes to the node that owns its slot, and
//! follows MOVED and ASK from there. Pipelines have sessions of their own and only ask for routes (contract section 11).
//!
//! A command is sent again only when a node said that it did not run. One that was sent to a connection that broke is
//! lost, and said to be.

mod any_node;
pub mod everywhere;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
pub mod holdings;
pub mod key_slot;
mod opening;
mod own_connections;
mod pool;
pub mod redirects;
pub mod router;
pub mod slot_map;
mod state;
mod topology;

use crate::command::request::Request;
use std::os::fd::BorrowedFd;
use std::time::Instant;

pub(super) use self::own_connections::Asker;

use self::everywhere::Note;
use self::redirects::{Redirect, asking};
use self::router::{Route, Router, Unroutable, route_of_keys};
use self::slot_map::{Announced, Places, SlotMap};
use super::endpoint::{Address, Endpoint};
use super::error::{Lost, Unopened};
use super::handshake::hello::ServerVersion;
use super::poll::{is_over, wait_for_any};
use super::retry::Retry;
use super::session::Session;
use super::transaction::Watch;
use crate::command::restrictions::{Effect, effect_of};
use crate::net::Settings;
use crate::reply::{ErrorReply, OwnedFrame};

/// A node that was connected to.
pub(super) struct Node {
    pub(super) address: Address,
    pub(super) session: Option<Session>,
    /// Whether READONLY was sent, so that a replica answers reads.
    reads: bool,
    /// The database of the session.
    db: u32,
    /// The number of the last of the settings that it has.
    told: u64,
}

/// A cluster, and the sessions with its nodes.
pub struct Cluster {
    /// The node that stands for the cluster, and how every node is to be introduced to. At first that is the one that
    /// was named, then another one whenever it is gone.
    endpoint: Endpoint,
    seed: Address,
    /// Whether it is one primary with its replicas, which sentinels name: all slots are theirs.
    is_of_sentinels: bool,
    router: Router,
    map: SlotMap,
    places: Places,
    pub(super) nodes: Vec<Node>,
    pub(super) watch: Option<Watch>,
    /// What else was set on the connections: every one gets it that is used.
    settings: Settings,
    /// What a node refused of that, in words.
    refused: Vec<String>,
    /// What there is to say of commands beside their replies.
    notes: Vec<Note>,
    /// Nodes that were found elsewhere than they are announced.
    detours: Vec<(Address, Address)>,
    /// The node that was asked last.
    pub(super) last: Address,
    /// Which replica is next to take a read.
    turn: usize,
    refreshed: Option<Instant>,
    /// Whether the node that was needed last could not be reached.
    is_cut_off: bool,
    asker: Asker,
}

impl Cluster {
    /// What the node that was named calls itself, or whichever answers in its stead.
    pub fn learn_version(&mut self) -> Result<Option<ServerVersion>, Unopened> {
        let open = self.nodes.iter_mut().find_map(|node| node.session.as_mut());
        open.map_or(Ok(None), Session::learn_version)
    }

    /// Notices that the node that watches keys has closed its connection, or the one that stands for the cluster.
    pub fn look_after(&mut self) -> Result<(), Lost> {
        let home = self.endpoint.address.clone();
        if self.open_session(&home).is_some_and(|session| session.look_after().is_err()) {
            if self.watch.as_ref().is_none_or(|watch| watch.node != home) {
                self.drop_session(&home);
            }
            self.leave_home(&home);
        }
        let Some(watch) = &self.watch else { return Ok(()) };
        let node = watch.node.clone();
        let looked = self.watching_session()?.look_after();
        if looked.is_err() {
            self.last = node;
        }
        looked
    }

    /// Forgets a WATCH that was lost with its connection.
    pub fn forget_watch(&mut self) {
        if let Some(watch) = self.watch.take() {
            self.drop_session(&watch.node);
        }
    }

    /// Whether there is a connection with any node, or can be as far as is known.
    pub fn is_connected(&self) -> bool {
        !self.is_cut_off || self.nodes.iter().any(|node| node.session.is_some())
    }

    /// The node that was asked last, for messages.
    pub fn place(&self) -> &Address {
        &self.last
    }

    /// The node that stands for the cluster, how nodes are introduced to, and the limits.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Whether it is one primary with its replicas, which sentinels name.
    pub fn is_of_sentinels(&self) -> bool {
        self.is_of_sentinels
    }

    /// Whose commands the questions to the cluster are, for MONITOR.
    pub(super) fn asker(&self) -> Asker {
        self.asker.clone()
    }

    /// The slot map as it is known.
    pub fn map(&self) -> &SlotMap {
        &self.map
    }

    /// Takes note that a slot is another node's, as `asked` said; where that is.
    pub fn note_moved(&mut self, slot: u16, node: &Announced, asked: &Address) -> Address {
        let owner = self.places.reach(node, asked);
        self.map.move_slot(slot, owner.clone());
        owner
    }

    /// Where a node is reached that `asked` named.
    pub fn reach(&self, node: &Announced, asked: &Address) -> Address {
        self.places.reach(node, asked)
    }

    /// The route of a command; what only the server can tell is asked of it. The inner error is the command's reply.
    #[inline]
    pub fn route(&mut self, request: &Request) -> Result<Result<Route, ErrorReply>, Lost> {
        if self.is_of_sentinels {
            return Ok(Ok(Route::Slot { slot: 0, is_read: self.router.is_read(request) }));
        }
        match self.router.route(request) {
            Ok(route) => Ok(Ok(route)),
            Err(why) => self.route_otherwise(request, why),
        }
    }

    /// The slot of a command whose keys are told without a server; none where it has none, or several.
    pub fn slot_of(&mut self, request: &Request) -> Option<u16> {
        match self.router.route(request) {
            Ok(Route::Slot { slot, .. }) => Some(slot),
            _ => None,
        }
    }

    /// Whether a command of this name and so many words is an ordinary one with one key, and so a slot.
    #[inline]
    pub fn has_one_key(&mut self, name: &[u8], words: usize) -> bool {
        self.router.has_one_key(name, words)
    }

    /// The slot of an ordinary command with one key, by its words; none of any other.
    #[inline]
    pub fn slot_of_words<'w>(&mut self, words: impl Iterator<Item = &'w [u8]>) -> Option<u16> {
        self.router.slot_of_words(words)
    }

    fn route_otherwise(&mut self, request: &Request, why: Unroutable) -> Result<Result<Route, ErrorReply>, Lost> {
        let route = match why {
            Unroutable::CrossSlot(text) => Err(text),
            Unroutable::AskServer => {
                let mut question = redis::cmd("COMMAND");
                question.arg("GETKEYS");
                request.args().for_each(|arg| {
                    question.arg(arg);
                });
                let keys: Result<Vec<Vec<u8>>, _> = redis::from_redis_value(self.ask_keyless(&question)?);
                keys.map_or(Ok(Route::Keyless), |keys| route_of_keys(keys.iter().map(Vec::as_slice), false))
            }
        };
        Ok(route.map_err(|text| ErrorReply::new(text.as_bytes())))
    }

    /// The node for a read of this slot: a replica, each in its turn, where reads go to replicas.
    pub fn reader(&mut self, slot: u16) -> Option<Address> {
        let replicas = &self.map.owner(slot)?.replicas;
        if !self.endpoint.read_from_replicas || replicas.is_empty() {
            return None;
        }
        self.turn = self.turn.wrapping_add(1);
        Some(replicas[self.turn % replicas.len()].clone())
    }

    /// Sends a command to the node it belongs to and waits for its reply.
    pub fn call(&mut self, request: &Request) -> Result<OwnedFrame, Lost> {
        if request.is(0, "UNWATCH") {
            return self.unwatch(request);
        }
        if matches!(effect_of(request), Effect::Sets(_)) {
            return self.set_state(request);
        }
        match self.route(request)? {
            Err(refusal) => Ok(refusal.to_frame()),
            Ok(_) if request.is(0, "WATCH") && request.len() > 1 => {
                let keys: Vec<&[u8]> = request.args().skip(1).collect();
                Ok(self.watch(&keys)?.map_or_else(|error| error.to_frame(), |()| OwnedFrame::simple("OK")))
            }
            Ok(Route::Keyless | Route::Refused) => self.call_by_policy(request),
            // What is read under a WATCH has to be what the watch guards.
            Ok(Route::Slot { slot, is_read }) => self.call_slot(slot, is_read && self.watch.is_none(), request),
        }
    }

    fn call_slot(&mut self, slot: u16, is_read: bool, request: &Request) -> Result<OwnedFrame, Lost> {
        self.at_slot(slot, is_read, |session, is_asked| {
            if is_asked {
                asking().pack(session.outgoing());
            }
            request.pack(session.outgoing());
            if is_asked {
                session.answer()?;
            }
            let answer = session.answer()?;
            Ok((Redirect::of(answer.frame()), answer))
        })
    }

    /// Tries something at the node that owns a slot, and again where and when the cluster says that it did not run: a try
    /// gives where it should go, or when, and what to answer when there is no further try.
    pub(super) fn at_slot<T, E: From<Lost>>(
        &mut self,
        slot: u16,
        is_read: bool,
        mut attempt: impl FnMut(&mut Session, bool) -> Result<(Option<Redirect>, T), E>,
    ) -> Result<T, E> {
        let mut retry = Retry::new(&self.endpoint);
        // Where to go for once, with ASKING.
        let mut asked: Option<Address> = None;
        let mut is_read = is_read;
        loop {
            let reader = if is_read { self.reader(slot) } else { None };
            let (is_asked, is_reader) = (asked.is_some(), asked.is_none() && reader.is_some());
            let node = asked.take().or(reader).or_else(|| match self.map.owner(slot) {
                Some(shard) => Some(shard.primary.clone()),
                None => self.refreshed.is_none().then(|| self.seed.clone()),
            });
            let Some(node) = node else {
                if retry.pause()? {
                    self.refresh(None)?;
                    continue;
                }
                let why = format!("{}: slot {slot} is not served by any node", self.last);
                return Err(Lost::Unreached(why).into());
            };
            self.last = node.clone();
            let session = match self.session(&node, is_reader) {
                Ok(session) => session,
                // Nothing was sent: the slot may be another's by now.
                Err(lost @ Lost::Unreached(_)) => {
                    is_read = false;
                    if retry.pause()? {
                        self.refresh(None)?;
                        continue;
                    }
                    return Err(lost.into());
                }
                Err(lost) => {
                    self.drop_session(&node);
                    return Err(lost.into());
                }
            };
            let (redirect, answer) = match attempt(session, is_asked) {
                Ok((None, answer)) => return Ok(answer),
                Ok((Some(redirect), answer)) => (redirect, answer),
                Err(error) => {
                    self.drop_session(&node);
                    return Err(error);
                }
            };
            // A replica that sends us away has its own view: its primary is asked.
            is_read = false;
            match redirect {
                Redirect::Moved(slot, owner) if retry.follow()? => {
                    if self.refreshed.is_none() {
                        self.refresh(Some(&node))?;
                    }
                    self.note_moved(slot, &owner, &node);
                }
                Redirect::Ask(_, other) if retry.follow()? => asked = Some(self.places.reach(&other, &node)),
                Redirect::TryAgain | Redirect::Down if retry.pause()? => {
                    if redirect == Redirect::Down {
                        self.refresh_beside(&node)?;
                    }
                }
                _ => return Ok(answer),
            }
        }
    }

    /// Sleeps until `input` can be read or the deadline passes, and takes in what any node says meanwhile. An error when
    /// the connection has ended that holds the WATCH; others are opened again when they are needed.
    pub fn attend(&mut self, input: Option<BorrowedFd<'_>>, deadline: Option<Instant>) -> Result<(), Lost> {
        let mut ended = vec![false; self.nodes.len()];
        // What came with the last reply is there already.
        let mut has_input = false;
        loop {
            let mut is_all = true;
            for (node, ended) in self.nodes.iter_mut().zip(&mut ended).filter(|(_, ended)| !**ended) {
                match node.session.as_mut().map_or(Ok(true), Session::take_in) {
                    Ok(was_all) => is_all &= was_all,
                    Err(lost) if self.watch.as_ref().is_some_and(|watch| watch.node == node.address) => {
                        return Err(lost);
                    }
                    Err(_) => *ended = true,
                }
            }
            if has_input || is_over(deadline) {
                return Ok(());
            }
            let open = self.nodes.iter_mut().zip(&ended).filter(|(_, ended)| !**ended);
            let sessions = open.filter_map(|(node, _)| node.session.as_mut());
            has_input = wait_for_any(sessions, input, if is_all { deadline } else { Some(Instant::now()) })?.input;
        }
    }
}
