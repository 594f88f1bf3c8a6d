//! Reads the slot map and connects to nodes in a thread of its own: a node that does not answer keeps nobody from
//! hearing the others.

use std::io::{self, PipeReader};
use std::mem;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::thread;

use super::super::cluster::Cluster;
use super::super::session::{Lost, Session};
use super::super::slots::Announced;
use super::super::target::Address;
use super::want::{Want, What};
use crate::exit::{Failure, Outcome};
use crate::report::describe_io;
use crate::signal;

/// Nodes that are wanted for themselves.
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

/// What to look for.
#[derive(Debug, Default)]
pub struct Errand {
    /// The slots whose owners are wanted.
    pub slots: Vec<u16>,
    /// Which nodes are wanted whatever they own.
    pub follow: Follow,
    /// A node that is not to say itself who belongs to the cluster: whether it does is in question.
    pub doubted: Option<Address>,
    /// The nodes that need no further connection.
    pub have: Vec<Address>,
    /// The node that should know the map best.
    pub first: Option<Address>,
    /// What nodes said of slots that are not theirs: the slot, the node that has it, and who said so.
    pub moves: Vec<(u16, Announced, Address)>,
}

/// What was found.
pub struct Found {
    /// Each node that was tried.
    pub nodes: Vec<(Address, Result<Session, Lost>)>,
    /// The nodes that are to be followed, or who belongs to the cluster, where one of these was asked; none if nobody
    /// could tell.
    pub members: Vec<Address>,
    /// Whether a signal cut the search short: what was not found says nothing.
    pub is_cut_short: bool,
}

enum State {
    Home(Box<Cluster>),
    Away(Receiver<(Box<Cluster>, Found)>, PipeReader),
    /// The thread has ended without a word.
    Lost,
}

/// Who looks for nodes.
pub struct Scout {
    state: State,
}

impl Scout {
    pub fn new(cluster: Cluster) -> Self {
        Self { state: State::Home(Box::new(cluster)) }
    }

    /// Whether it can be sent.
    pub fn is_home(&self) -> bool {
        matches!(self.state, State::Home(_))
    }

    /// What is readable when it is back.
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        match &self.state {
            State::Away(_, pipe) => Some(pipe.as_fd()),
            _ => None,
        }
    }

    /// The cluster as it was found last; none while the scout is away.
    pub fn cluster(&self) -> Option<&Cluster> {
        match &self.state {
            State::Home(cluster) => Some(cluster),
            _ => None,
        }
    }

    /// Sends it.
    pub fn send(&mut self, errand: Errand) -> Outcome<()> {
        let (back, written) = io::pipe().map_err(|error| {
            Failure::failed(format!("cannot look for the cluster's nodes: {}", describe_io(&error)))
        })?;
        let (sender, receiver) = channel();
        let State::Home(mut cluster) = mem::replace(&mut self.state, State::Lost) else { return Ok(()) };
        thread::spawn(move || {
            let found = explore(&mut cluster, &errand);
            // Nobody waits for it when the run has ended.
            let _ = sender.send((cluster, found));
            drop(written);
        });
        self.state = State::Away(receiver, back);
        Ok(())
    }

    /// What it found; none if it is not back yet.
    pub fn receive(&mut self) -> Outcome<Option<Found>> {
        let State::Away(receiver, _) = &self.state else { return Ok(None) };
        match receiver.try_recv() {
            Ok((cluster, found)) => {
                self.state = State::Home(cluster);
                Ok(Some(found))
            }
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => Err(Failure::failed("the search for the cluster's nodes has ended")),
        }
    }

    /// Looks now, and waits for it.
    pub fn look(&mut self, errand: &Errand) -> Option<Found> {
        let State::Home(cluster) = &mut self.state else { return None };
        Some(explore(cluster, errand))
    }
}

fn explore(cluster: &mut Cluster, errand: &Errand) -> Found {
    if errand.doubted.is_some() {
        let members = cluster.members(errand.doubted.as_ref());
        return Found { nodes: Vec::new(), members, is_cut_short: false };
    }
    // A map that cannot be had is the old one.
    let _ = cluster.refresh(errand.first.as_ref());
    for (slot, node, asked) in &errand.moves {
        cluster.note_moved(*slot, node, asked);
    }
    let members = errand.follow.nodes(cluster);
    let mut homes: Vec<Address> = members.clone();
    for slot in &errand.slots {
        if let Some(shard) = cluster.map().owner(*slot)
            && !homes.contains(&shard.primary)
        {
            homes.push(shard.primary.clone());
        }
    }
    homes.retain(|home| !errand.have.contains(home));
    // The cluster keeps its own sessions for its own questions: MONITOR would show every introduction of a new one.
    let nodes: Vec<_> = homes.into_iter().map(|home| (home.clone(), cluster.open_session(&home))).collect();
    let was_interrupted = |(_, opened): &(Address, _)| matches!(opened, Err(Lost::Interrupted(_)));
    let is_cut_short = nodes.iter().any(was_interrupted) || nodes.is_empty() && signal::received().is_some();
    Found { nodes, members, is_cut_short }
}

/// The slots of the channels that nobody was asked for.
pub fn slots_of(wants: &[Want]) -> Vec<u16> {
    wants
        .iter()
        .filter_map(|want| match (&want.what, &want.state) {
            (What::Shard(_, slot), super::want::State::Homeless) => Some(*slot),
            _ => None,
        })
        .collect()
}
