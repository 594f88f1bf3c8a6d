//! Finds connections for what is nowhere: the server again, or the nodes of a cluster by its slot map. In a thread of its
//! own: a server that does not answer keeps nobody from hearing the others.

use std::io::{self, PipeReader};
use std::mem;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::thread;

use super::super::cluster::Cluster;
use super::super::cluster::slot_map::Announced;
use super::super::endpoint::{Address, Endpoint};
use super::super::error::Unopened;
use super::super::session::Session;
use super::source::is_final_code;
use crate::signal;
use crate::text::describe_io;

/// Nodes that are listened to whatever they own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Follow {
    /// None.
    #[default]
    Nobody,
    /// All that own slots.
    Primaries,
    /// All.
    Everybody,
}

impl Follow {
    /// Those of the cluster as it is known; none if nobody can tell.
    pub fn nodes(self, cluster: &mut Cluster) -> Vec<Address> {
        match self {
            Self::Nobody => Vec::new(),
            Self::Primaries => cluster.map().primaries().cloned().collect(),
            Self::Everybody => cluster.members_and_owners(),
        }
    }
}

/// What to look for in a cluster. A lone server is what there is to look for.
#[derive(Debug, Default)]
pub struct Search {
    /// Whether any node is wanted.
    pub anywhere: bool,
    /// The node that was lost last: of those that will do it is the last to be tried.
    pub lost: Option<Address>,
    /// The slots whose owners are wanted.
    pub slots: Vec<u16>,
    /// Whether each of them wants a session of its own, though others have the same owner.
    pub one_each: bool,
    /// Which nodes are wanted whatever they own.
    pub follow: Follow,
    /// A node that may have left the cluster: the others are asked, and nothing else is looked for.
    pub doubted: Option<Address>,
    /// The nodes that need no further connection.
    pub have: Vec<Address>,
    /// The node that has told of a change of the map.
    pub first: Option<Address>,
    /// What nodes said of slots that are not theirs: the slot, the node that has it, and who said so.
    pub moves: Vec<(u16, Announced, Address)>,
}

#[derive(Default)]
pub struct Found {
    /// Each node that was tried.
    pub nodes: Vec<(Address, Result<Session, Unopened>)>,
    /// The nodes that are to be followed; none if nobody could tell.
    pub followed: Vec<Address>,
    /// A node that is not of the cluster any more.
    pub departed: Option<Address>,
    /// Whether a signal cut the search short: what was not found says nothing.
    pub is_cut_short: bool,
}

/// Who can be asked.
pub enum Finder {
    /// This server, or the primary that its sentinels name.
    Server(Box<Endpoint>),
    /// The nodes of this cluster.
    Cluster(Box<Cluster>),
}

/// Who looks for servers, one search at a time.
pub enum Discovery {
    Idle(Finder),
    Searching(Receiver<(Finder, Found)>, PipeReader),
    /// The thread has ended without a word.
    Ended,
}

impl Discovery {
    /// Whether it can begin a search.
    pub fn is_idle(&self) -> bool {
        matches!(self, Self::Idle(_))
    }

    /// What is readable when a search has ended.
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Self::Searching(_, pipe) => Some(pipe.as_fd()),
            _ => None,
        }
    }

    /// The primary that owns a slot as far as is known; none during a search.
    pub fn owner(&self, slot: u16) -> Option<&Address> {
        match self {
            Self::Idle(Finder::Cluster(cluster)) => cluster.map().owner(slot).map(|shard| &shard.primary),
            _ => None,
        }
    }

    pub fn begin(&mut self, search: Search) -> Result<(), Unopened> {
        let failed = |error| Unopened::Unreachable(format!("cannot look for the server: {}", describe_io(&error)));
        let (ended, ending) = io::pipe().map_err(failed)?;
        let (sender, receiver) = channel();
        let Self::Idle(mut finder) = mem::replace(self, Self::Ended) else { return Ok(()) };
        let stop = signal::heeded();
        let find = move || {
            signal::heed(stop);
            let found = finder.find(&search);
            // Nobody waits for it when the run has ended.
            let _ = sender.send((finder, found));
            drop(ending);
        };
        thread::Builder::new().name("search".to_owned()).spawn(find).map_err(failed)?;
        *self = Self::Searching(receiver, ended);
        Ok(())
    }

    /// What was found; none while the search goes on.
    pub fn receive(&mut self) -> Result<Option<Found>, Unopened> {
        let Self::Searching(receiver, _) = self else { return Ok(None) };
        match receiver.try_recv() {
            Ok((finder, found)) => {
                *self = Self::Idle(finder);
                Ok(Some(found))
            }
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => {
                Err(Unopened::Unreachable("the search for the server has ended".to_owned()))
            }
        }
    }

    /// Searches now, and waits for it.
    pub fn search(&mut self, search: &Search) -> Found {
        match self {
            Self::Idle(finder) => finder.find(search),
            _ => Found::default(),
        }
    }
}

impl Found {
    /// Takes the sessions that were opened, and tells `note` of the nodes of which there is none. A refusal that will be the
    /// same however often one asks is an error.
    pub fn take_sessions(
        &mut self,
        mut note: impl FnMut(Address, Unopened),
    ) -> Result<Vec<(Address, Session)>, Unopened> {
        let mut sessions = Vec::new();
        for (address, opened) in mem::take(&mut self.nodes) {
            match opened {
                Ok(session) => sessions.push((address, session)),
                Err(Unopened::Refused { code, message }) if is_final_code(&code) => {
                    return Err(Unopened::Unreachable(format!("{message}; not tried again")));
                }
                // The signal ends the run, or the next search goes on.
                Err(Unopened::Interrupted(_)) => {}
                Err(why) => note(address, why),
            }
        }
        Ok(sessions)
    }
}

impl Finder {
    fn find(&mut self, search: &Search) -> Found {
        let mut found = match self {
            Self::Server(endpoint) => Found { nodes: vec![open_server(endpoint)], ..Found::default() },
            Self::Cluster(cluster) => match &search.doubted {
                Some(node) => Found { departed: is_departed(cluster, node).then(|| node.clone()), ..Found::default() },
                None => find_nodes(cluster, search),
            },
        };
        let was_interrupted = |(_, opened): &(Address, _)| matches!(opened, Err(Unopened::Interrupted(_)));
        found.is_cut_short =
            found.nodes.iter().any(was_interrupted) || found.nodes.is_empty() && signal::received().is_some();
        found
    }
}

fn open_server(endpoint: &Endpoint) -> (Address, Result<Session, Unopened>) {
    let opened = Session::open(endpoint);
    let address = opened.as_ref().map_or(&endpoint.address, |session| &session.endpoint.address);
    (address.clone(), opened)
}

/// Whether the other nodes say that this one is not of the cluster.
fn is_departed(cluster: &mut Cluster, node: &Address) -> bool {
    let members = cluster.members(Some(node));
    !members.is_empty() && !members.contains(node)
}

fn find_nodes(cluster: &mut Cluster, search: &Search) -> Found {
    // A map that cannot be had is the old one. Once an old one names who was the primary, that is where shard channels
    // stay: a replica takes them too.
    let missed = search.slots.first().and_then(|slot| cluster.map().owner(*slot)).map(|shard| shard.primary.clone());
    let _ = match (&search.first, missed) {
        (Some(node), _) => cluster.refresh_changed(node),
        // It does not serve: others may know who does.
        (None, Some(node)) => cluster.refresh_beside(&node),
        (None, None) => cluster.refresh(None),
    };
    for (slot, node, asked) in &search.moves {
        cluster.note_moved(*slot, node, asked);
    }
    let followed = search.follow.nodes(cluster);
    let mut homes: Vec<Address> = followed.clone();
    for slot in &search.slots {
        if let Some(shard) = cluster.map().owner(*slot)
            && (search.one_each || !homes.contains(&shard.primary))
        {
            homes.push(shard.primary.clone());
        }
    }
    homes.retain(|home| !search.have.contains(home));
    // The cluster keeps its own sessions for its own questions: MONITOR would show every introduction of a new one.
    let mut nodes: Vec<(Address, Result<Session, Unopened>)> = Vec::new();
    for home in homes {
        // One that cannot be had now is tried once.
        if !nodes.iter().any(|(node, opened)| *node == home && opened.is_err()) {
            let opened = cluster.open_node(&home);
            nodes.push((home, opened));
        }
    }
    if search.anywhere && search.have.is_empty() && nodes.iter().all(|(_, opened)| opened.is_err()) {
        nodes.extend(open_any(cluster, search.lost.as_ref()));
    }
    Found { nodes, followed, ..Found::default() }
}

/// Opens any node: first the one that stands for the cluster, after a loss the one that comes after the lost one.
fn open_any(cluster: &mut Cluster, lost: Option<&Address>) -> Vec<(Address, Result<Session, Unopened>)> {
    let mut candidates = vec![cluster.endpoint().address.clone()];
    if let Some(lost) = lost {
        cluster.leave(lost);
        candidates = cluster.members(None);
        if candidates.is_empty() {
            candidates = cluster.map().nodes().cloned().collect();
        }
        let next = candidates.iter().position(|node| node == lost).map_or(0, |at| at + 1);
        let next = next % candidates.len().max(1);
        candidates.rotate_left(next);
    }
    let mut tried = Vec::new();
    for node in candidates {
        let opened = cluster.open_node(&node);
        let is_over = matches!(opened, Ok(_) | Err(Unopened::Interrupted(_)));
        tried.push((node, opened));
        if is_over {
            break;
        }
    }
    tried
}
