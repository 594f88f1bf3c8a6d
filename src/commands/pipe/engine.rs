//! The nodes of a pipeline, all of them at work at once. A lone server is one node without a router. In a cluster the
//! commands go to the nodes that own their slots, and those of a slot stay in order whatever becomes of the slot
//! meanwhile (contract section 11). The input and what is said at the end are the driver's.

mod ending;
mod only;
mod plain;
mod receive;
mod redirects;
mod state;
mod traffic;

use std::collections::BTreeMap;
use std::io;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use self::traffic::Traffic;
use super::files::Origin;
use super::held_slot::HeldSlot;
use super::in_flight::{Answered, Command};
use super::keyless::{describe_keyless, refuse_beside_replica};
use super::node::Node;
use super::output::Output;
use super::reorder::{Entry, NONE, Reorder};
use crate::command::request::Request;
use crate::command::restrictions::{refuse_in_cluster_pipeline, refuse_in_pipeline};
use crate::exit::{Failure, Outcome};
use crate::net::{Address, Cluster, Endpoint, Lost, PushQueue, Ready, Route, SLOTS, Session, Settings, wait_for_any};
use crate::reply::OwnedFrame;

pub use self::ending::Unanswered;

/// What became of a command that was to be routed.
pub enum Routed {
    /// It is in flight, or held until its slot has come to rest.
    Taken,
    /// Its node has enough to do: later.
    NoRoom,
    /// Its keys are in several slots: this is the answer in its place.
    CrossSlot(OwnedFrame),
    /// It cannot run in a pipeline over a cluster.
    Bad(String),
}

/// Why a pipeline cannot go on.
#[derive(Debug)]
pub enum Halt {
    /// A server is lost.
    Lost(Loss),
    /// The output cannot be written.
    Output(Failure),
}

/// The loss of a server.
#[derive(Debug)]
pub struct Loss {
    /// Why.
    pub lost: Lost,
    /// The address of the node, where there are several.
    pub node: Option<String>,
    /// The command whose answer could not be decoded.
    pub command: Option<Box<Command>>,
    /// Whether everything was answered by then.
    pub is_late: bool,
}

impl From<Lost> for Loss {
    fn from(lost: Lost) -> Self {
        Self { lost, node: None, command: None, is_late: false }
    }
}

impl From<Lost> for Halt {
    fn from(lost: Lost) -> Self {
        Self::Lost(lost.into())
    }
}

impl From<io::Error> for Halt {
    fn from(error: io::Error) -> Self {
        Self::Output(Failure::output(error))
    }
}

/// The nodes, the slots, and the commands in the order of the input.
pub struct Engine {
    /// None where there is only one server.
    cluster: Option<Cluster>,
    reads_from_replicas: bool,
    /// Whether sentinels name the primary: one that answers as a replica is left.
    follows_primary: bool,
    nodes: Vec<Node>,
    /// The only node, where there is one server or one node serves all slots: nothing is kept in `reorder` of what is
    /// given to it. In a cluster that ends with the first sign of another node.
    only: Option<usize>,
    /// By slot of a cluster: the node that owns it; [`NONE`] until it is looked up.
    owners: Vec<u16>,
    /// None while all slots rest.
    traffic: Option<Traffic>,
    held: BTreeMap<u16, HeldSlot>,
    reorder: Reorder,
    window: Option<u32>,
    /// The node that had no room for the command that is next.
    blocked: Option<usize>,
    /// What the commands so far have set on every connection.
    settings: Settings,
    /// The command that is setting it just now.
    setting: Option<(u64, Origin)>,
    /// Whether nothing more is sent: what does not run now never will.
    is_ending: bool,
    /// The pushes that came while something else was waited for.
    pushes: PushQueue,
}

impl Engine {
    /// Connects to the server, or to the cluster: to its nodes only when they have something to do.
    pub fn open(endpoint: &Endpoint, window: Option<u32>) -> Outcome<Self> {
        let pushes = PushQueue::default();
        let endpoint = Endpoint { pushes: endpoint.pushes.as_ref().map(|_| pushes.listener()), ..endpoint.clone() };
        let (reads_from_replicas, follows_primary) = (endpoint.read_from_replicas, endpoint.address.follows_primary());
        let cluster = match endpoint.of_replica() {
            Some(_) => Some(Cluster::open(&endpoint, false)?),
            None => Cluster::open_if_any(&endpoint, false)?,
        };
        let (mut owners, mut nodes) = (Vec::new(), Vec::new());
        if cluster.is_some() {
            owners = vec![NONE; SLOTS.into()];
        } else {
            let session = Session::open(&endpoint)?;
            nodes.push(Node::lone(endpoint.address, session, window));
        }
        Ok(Self {
            only: cluster.is_none().then_some(0),
            cluster,
            reads_from_replicas,
            follows_primary,
            nodes,
            owners,
            traffic: None,
            held: BTreeMap::new(),
            reorder: Reorder::new(window),
            window,
            blocked: None,
            settings: Settings::default(),
            setting: None,
            is_ending: false,
            pushes,
        })
    }

    /// Whether the commands are routed to the nodes of a cluster.
    pub fn is_cluster(&self) -> bool {
        self.cluster.is_some()
    }

    /// Why a command has no place in the pipeline; none if it has.
    pub fn refusal(&self) -> fn(&Request) -> Option<String> {
        match &self.cluster {
            None => refuse_in_pipeline,
            Some(cluster) if cluster.is_of_sentinels() => refuse_beside_replica,
            Some(_) => refuse_in_cluster_pipeline,
        }
    }

    /// Whether the next command can be routed.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "called for every command; the call costs as much as what it does")]
    pub fn has_room(&mut self) -> bool {
        if let Some(at) = self.only {
            return self.nodes[at].in_flight.has_room();
        }
        if let Some(at) = self.blocked {
            if self.nodes[at].is_open() && !self.nodes[at].in_flight.has_room() {
                return false;
            }
            self.blocked = None;
        }
        self.reorder.has_room()
    }

    /// Gives a command to the node it belongs to.
    pub fn route(&mut self, request: &Request, file: u32) -> Result<Routed, Lost> {
        if self.only.is_none() && self.is_idle() {
            self.find_only()?;
        }
        let Some(cluster) = &mut self.cluster else { return Ok(Routed::Taken) };
        if let Some(at) = self.only {
            if cluster.slot_of(request).is_some() {
                return Ok(self.enqueue(at, NONE, true, request, file));
            }
            self.leave_only();
        }
        let Some(cluster) = &mut self.cluster else { return Ok(Routed::Taken) };
        match cluster.route(request)? {
            Ok(Route::Slot { slot, is_read }) => self.route_to(slot, is_read, request, file),
            Ok(Route::Keyless) => Ok(Routed::Bad(describe_keyless(request))),
            // Any node says what is wrong with it.
            Ok(Route::Refused) => match self.any_node()? {
                Some(at) => Ok(self.enqueue(at, NONE, false, request, file)),
                None => Err(no_node()),
            },
            Err(error) => Ok(Routed::CrossSlot(error.to_frame())),
        }
    }

    fn route_to(&mut self, slot: u16, is_read: bool, request: &Request, file: u32) -> Result<Routed, Lost> {
        let known = self.traffic.as_ref().map(|traffic| *traffic.slot(slot));
        let is_held = known.is_some_and(|slot| slot.is_held);
        if is_read
            && self.reads_from_replicas
            && !is_held
            && let Some(at) = self.reader(slot)?
        {
            return Ok(self.enqueue(at, slot, false, request, file));
        }
        let owner = if is_held { None } else { self.owner(slot)? };
        let is_elsewhere = |at| known.is_some_and(|slot| slot.in_flight > 0 && usize::from(slot.latest) != at);
        match owner {
            Some(at) if !is_elsewhere(at) => Ok(self.enqueue(at, slot, true, request, file)),
            // Older ones are on their way elsewhere, or nobody is there to take it.
            _ => {
                let number = self.reorder.push(Entry::new(slot, NONE, true, request.packed_size()));
                self.hold(slot, Command { number, file, request: request.clone() });
                Ok(Routed::Taken)
            }
        }
    }

    /// Gives the next command to a node, if that has room.
    #[inline]
    fn enqueue(&mut self, at: usize, slot: u16, is_ordered: bool, request: &Request, file: u32) -> Routed {
        if !self.nodes[at].in_flight.has_room() {
            self.blocked = Some(at);
            return Routed::NoRoom;
        }
        let node = short(at);
        let number = match self.only {
            Some(_) => self.next_number(),
            None => self.reorder.push(Entry::new(slot, node, is_ordered, request.packed_size())),
        };
        self.nodes[at].in_flight.push(request, number, file);
        if let (true, Some(traffic)) = (is_ordered, &mut self.traffic) {
            traffic.slot_mut(slot).note_given(node);
        }
        Routed::Taken
    }

    /// Gives a node a command that was held or sent elsewhere before.
    fn dispatch(&mut self, at: usize, command: &Command) {
        let Command { number, file, request } = command;
        self.nodes[at].in_flight.push(request, *number, *file);
        self.unsettle();
        let (Some(entry), Some(traffic)) = (self.reorder.get_mut(*number), &mut self.traffic) else { return };
        (entry.node, entry.is_ordered, entry.is_asked) = (short(at), true, false);
        traffic.slot_mut(entry.slot).note_given(entry.node);
    }

    /// Gives a command that no node is asked for its place and its answer.
    pub fn answer_here(
        &mut self,
        request: &Request,
        file: u32,
        answer: &OwnedFrame,
        output: &mut Output,
    ) -> io::Result<()> {
        let number = self.reorder.push(Entry::new(NONE, NONE, false, request.packed_size()));
        let command = Command { number, file, request: request.clone() };
        self.reorder.answer(number, answer.frame(), Answered::Known(&command), output)
    }

    /// The node that owns a slot; none while there is no such node, or it cannot be reached.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "called for every command; the call costs as much as what it does")]
    fn owner(&mut self, slot: u16) -> Result<Option<usize>, Lost> {
        let known = usize::from(self.owners[usize::from(slot)]);
        if self.nodes.get(known).is_some_and(Node::is_open) {
            return Ok(Some(known));
        }
        self.find_owner(slot)
    }

    fn find_owner(&mut self, slot: u16) -> Result<Option<usize>, Lost> {
        let shard = self.cluster.as_ref().and_then(|cluster| cluster.map().owner(slot));
        let Some(primary) = shard.map(|shard| shard.primary.clone()) else { return Ok(None) };
        let owner = self.open_node(&primary, false)?;
        if let (Some(at), Some(cluster)) = (owner, &self.cluster) {
            cluster.map().slots_beside(slot).for_each(|slot| self.owners[slot] = short(at));
        }
        Ok(owner)
    }

    /// The node of a replica that may answer a read of this slot.
    fn reader(&mut self, slot: u16) -> Result<Option<usize>, Lost> {
        match self.cluster.as_mut().and_then(|cluster| cluster.reader(slot)) {
            Some(replica) => self.open_node(&replica, true),
            None => Ok(None),
        }
    }

    fn any_node(&mut self) -> Result<Option<usize>, Lost> {
        if let Some(at) = self.nodes.iter().position(Node::is_open) {
            return Ok(Some(at));
        }
        for primary in self.primaries() {
            if let Some(at) = self.open_node(&primary, false)? {
                return Ok(Some(at));
            }
        }
        Ok(None)
    }

    fn primaries(&self) -> Vec<Address> {
        self.cluster.as_ref().map_or_else(Vec::new, |cluster| cluster.map().primaries().cloned().collect())
    }

    /// An open node; none if it cannot be reached.
    fn open_node(&mut self, address: &Address, is_reader: bool) -> Result<Option<usize>, Lost> {
        let at = self.nodes.iter().position(|node| node.is(address, is_reader)).unwrap_or_else(|| {
            self.nodes.push(Node::new(address.clone(), is_reader, self.window));
            self.nodes.len() - 1
        });
        if !self.nodes[at].is_open() {
            // Connecting may take its time: the other nodes have something to do meanwhile.
            self.send();
        }
        let Some(cluster) = &mut self.cluster else { return Ok(Some(at)) };
        match self.nodes[at].connect(&self.settings, || cluster.lend_session(address)) {
            Ok(()) => Ok(Some(at)),
            Err(Lost::Unreached(_)) => Ok(None),
            Err(lost) => Err(lost),
        }
    }

    /// Passes on what the kernels take now.
    pub fn send(&mut self) {
        self.nodes.iter_mut().for_each(Node::send);
    }

    /// Sleeps until a node can be read or written, `input` can be read, or the deadline passes.
    pub fn wait(&mut self, input: Option<BorrowedFd<'_>>, deadline: Option<Instant>) -> Result<Ready, Lost> {
        let readable: Vec<bool> = (0..self.nodes.len()).map(|at| self.may_read(at)).collect();
        let nodes = self.nodes.iter_mut().zip(readable).filter(|(_, is_readable)| *is_readable);
        wait_for_any(nodes.filter_map(|(node, _)| node.session.as_mut()), input, deadline)
    }

    /// Sets one more limit on the silence while an answer is waited for: the shorter one counts. Zero is none.
    pub fn limit_silence(&mut self, limit: Option<Duration>) {
        let Some(limit) = limit.filter(|limit| !limit.is_zero()) else { return };
        for session in self.nodes.iter_mut().filter_map(|node| node.session.as_mut()) {
            session.limit_silence(limit);
        }
    }

    /// When something has to be done even if nothing comes: a slot to be tried again, or a silence that was too long.
    pub fn next_deadline(&self) -> Option<Instant> {
        let nodes = self.nodes.iter().enumerate().filter(|(at, _)| self.may_read(*at));
        let silence = nodes.filter_map(|(_, node)| node.silence_ends());
        silence.chain(self.held.values().filter_map(HeldSlot::due)).min()
    }

    /// The pushes that came while something else was waited for.
    pub fn take_pushes(&self) -> Vec<OwnedFrame> {
        self.pushes.take()
    }

    /// Whether every command is answered.
    pub fn is_idle(&self) -> bool {
        self.reorder.is_empty() && self.nodes.iter().all(|node| node.in_flight.is_empty())
    }

    /// How many replies were written.
    pub fn answered(&self) -> u64 {
        self.reorder.turn()
    }

    /// The number of the next command, counted from 0: so many were taken.
    pub fn next_number(&self) -> u64 {
        self.only.map_or(self.reorder.next_number(), |at| self.reorder.turn() + self.nodes[at].in_flight.len() as u64)
    }
}

/// A node's place, as slots and entries keep it.
fn short(at: usize) -> u16 {
    u16::try_from(at).unwrap_or(NONE)
}

fn no_node() -> Lost {
    Lost::Unreached("no node of the cluster can be reached".to_owned())
}
