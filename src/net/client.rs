//! One server or a cluster, with one face: what `exec`, lines and blocks talk to.

use crate::command::request::Request;
use std::os::fd::BorrowedFd;
use std::time::Instant;

use rustix::event::PollFd;

use super::cluster::Cluster;
use super::cluster::everywhere::Note;
use super::cluster::router::{Route, Router};
use super::endpoint::Endpoint;
use super::error::{Lost, LostBlock, Unopened};
use super::handshake::hello::ServerVersion;
use super::poll::{Ready, is_over, wait_among};
use super::reader::Reader;
use super::session::Session;
use super::transaction::Transacted;
use crate::command::restrictions::refuse_in_cluster;
use crate::reply::{ErrorReply, Frame, OwnedFrame};

/// A conversation with a server, or with all the nodes of a cluster.
pub enum Server {
    /// One server, and where reads go instead, where they do.
    One(Box<Session>, Option<Box<Reader>>),
    Cluster(Box<Cluster>),
}

impl Server {
    /// Connects: to the server at the endpoint, or to the cluster that it belongs to. One that belongs to none is talked
    /// to all the same, as by redis-cli.
    pub fn open(endpoint: &Endpoint) -> Result<Self, Unopened> {
        Self::open_with(endpoint, false)
    }

    /// The same for one command only: where all its keys are in one slot, a node that hangs up when it is asked for the
    /// slot map can be done with.
    pub fn open_for(endpoint: &Endpoint, request: &Request) -> Result<Self, Unopened> {
        let is_routed = || matches!(Router::default().route(request), Ok(Route::Slot { .. }));
        Self::open_with(endpoint, endpoint.cluster.is_some() && is_routed())
    }

    fn open_with(endpoint: &Endpoint, may_lack_map: bool) -> Result<Self, Unopened> {
        if let Some(cluster) = Cluster::open_if_any(endpoint, may_lack_map)? {
            return Ok(Self::Cluster(Box::new(cluster)));
        }
        let session = Session::open(&Endpoint { cluster: None, ..endpoint.clone() })?;
        Ok(Self::One(Box::new(session), Reader::new(endpoint).map(Box::new)))
    }

    /// What the server, or the node of the cluster that was named, calls itself.
    pub fn learn_version(&mut self) -> Result<Option<ServerVersion>, Unopened> {
        match self {
            Self::One(session, _) => session.learn_version(),
            Self::Cluster(cluster) => cluster.learn_version(),
        }
    }

    /// Takes in what came while nothing was asked; an error when the connection has ended meanwhile. That of a node
    /// of a cluster is opened again when it is needed.
    pub fn look_after(&mut self) -> Result<(), Lost> {
        match self {
            Self::One(session, _) => session.look_after(),
            Self::Cluster(cluster) => cluster.look_after(),
        }
    }

    /// Whether there are many nodes behind it.
    pub fn is_cluster(&self) -> bool {
        matches!(self, Self::Cluster(_))
    }

    /// Where the last command went, for messages.
    pub fn place(&self) -> String {
        match self {
            Self::One(session, _) => session.endpoint.address.to_string(),
            Self::Cluster(cluster) => cluster.place().to_string(),
        }
    }

    /// Why a command cannot be run here; none if it can.
    pub fn refuse(&self, request: &Request) -> Option<String> {
        match self {
            Self::One(..) => None,
            Self::Cluster(_) => refuse_in_cluster(request),
        }
    }

    /// Sends a command and waits for its reply.
    pub fn call(&mut self, request: &Request) -> Result<OwnedFrame, Lost> {
        match self {
            Self::One(session, None) => session.call(request),
            Self::One(session, Some(reader)) => {
                if let Some(answer) = reader.call(request)? {
                    return Ok(answer);
                }
                let answer = session.call(request)?;
                reader.learn(request, answer.frame());
                Ok(answer)
            }
            Self::Cluster(cluster) => cluster.call(request),
        }
    }

    /// Runs a command without keys on every primary, and be that one server: a map of replies by address.
    pub fn call_all(&mut self, request: &Request) -> Result<OwnedFrame, Lost> {
        match self {
            Self::One(..) => self.call(request).map(|reply| OwnedFrame::map(&[(self.place(), reply)])),
            Self::Cluster(cluster) => cluster.call_all(request),
        }
    }

    /// What there is to say, beside their replies, of the commands that were called.
    pub fn take_notes(&mut self) -> Vec<Note> {
        match self {
            Self::One(..) => Vec::new(),
            Self::Cluster(cluster) => cluster.take_notes(),
        }
    }

    /// Asks what rcli itself wants to know: the answer as the redis crate reads it.
    pub fn ask(&mut self, question: &redis::Cmd) -> Result<redis::Value, Lost> {
        match self {
            Self::One(session, _) => session.ask(question),
            Self::Cluster(cluster) => cluster.ask_keyless(question),
        }
    }

    /// WATCHes the keys, if there are any.
    pub fn watch(&mut self, keys: &[&[u8]]) -> Result<Result<(), ErrorReply>, Lost> {
        match self {
            Self::One(session, reader) => {
                let watched = session.watch(None, keys);
                if let Some(reader) = reader {
                    reader.watches = !keys.is_empty();
                }
                watched
            }
            Self::Cluster(cluster) => cluster.watch(keys),
        }
    }

    /// Sends commands that set the state of the connection, and waits for their replies; to every primary of a cluster,
    /// where an error of one is the reply.
    pub fn set_state(&mut self, requests: &[Request]) -> Result<Vec<OwnedFrame>, Lost> {
        match self {
            Self::One(session, reader) => {
                let answers = session.call_all(requests)?;
                if let Some(reader) = reader {
                    requests.iter().zip(&answers).for_each(|(request, answer)| reader.learn(request, answer.frame()));
                }
                Ok(answers)
            }
            Self::Cluster(cluster) => {
                requests.iter().map(|request| cluster.call_all(request).map(|replies| error_among(&replies))).collect()
            }
        }
    }

    /// Sends a command; its reply, if that is there already, else [`Self::try_answer`] has it later. A cluster is
    /// waited for: the command may have to be sent around.
    pub fn begin(&mut self, request: &Request) -> Result<Option<OwnedFrame>, Lost> {
        match self {
            Self::One(session, _) => {
                session.begin(request);
                Ok(None)
            }
            Self::Cluster(cluster) => cluster.call(request).map(Some),
        }
    }

    /// The reply to the command that was begun, if it has wholly arrived.
    pub fn try_answer(&mut self) -> Result<Option<OwnedFrame>, Lost> {
        match self {
            Self::One(session, _) => session.try_answer(),
            Self::Cluster(_) => Ok(None),
        }
    }

    /// Sleeps until the server, where one is waited for, or one of these descriptors is ready; which of them are.
    pub fn wait_among(&mut self, others: &[PollFd<'_>], deadline: Option<Instant>) -> Result<(Ready, Vec<bool>), Lost> {
        match self {
            Self::One(session, _) => wait_among([session.as_mut()], others, deadline),
            Self::Cluster(_) => wait_among([], others, deadline),
        }
    }

    /// When the read limit passes, if the server that is waited for stays silent.
    pub fn silence_ends(&self) -> Option<Instant> {
        match self {
            Self::One(session, _) => session.silence_ends(),
            Self::Cluster(_) => None,
        }
    }

    /// The failure of a server that stayed silent beyond the read limit.
    pub fn silent(&self) -> Lost {
        match self {
            Self::One(session, _) => session.silent(),
            Self::Cluster(_) => Lost::Closed,
        }
    }

    /// Whether a block can be sent; the error names the first command that cannot stand in it, by its place, and says
    /// why.
    pub fn check_block(&mut self, block: &[&Request]) -> Result<Result<(), (usize, String)>, Lost> {
        match self {
            Self::One(..) => Ok(Ok(())),
            Self::Cluster(cluster) => Ok(cluster.check_block(block.iter().copied())?.map(drop)),
        }
    }

    /// Why a command cannot join a block that can be sent; none if it can.
    pub fn check_joins(&mut self, block: &[Request], request: &Request) -> Result<Option<String>, Lost> {
        match self {
            Self::One(..) => Ok(None),
            Self::Cluster(cluster) => cluster.check_joins(block, request),
        }
    }

    /// Runs a block and reads every reply: see [`Session::transact`].
    pub fn transact(&mut self, block: &[&Request]) -> Result<Transacted, LostBlock> {
        match self {
            Self::One(session, reader) => {
                if let Some(reader) = reader {
                    reader.watches = false;
                }
                session.transact(None, block.iter().copied())
            }
            Self::Cluster(cluster) => cluster.transact(block),
        }
    }

    /// Sleeps until `input` can be read or the deadline passes, and takes in what comes meanwhile, while nothing is
    /// asked. An error when the connection has ended; that of a node of a cluster is missed when it is needed.
    pub fn attend(&mut self, input: Option<BorrowedFd<'_>>, deadline: Option<Instant>) -> Result<(), Lost> {
        match self {
            Self::One(session, _) => {
                // What came with the last reply is there already.
                let mut has_input = false;
                loop {
                    let is_all = session.take_in()?;
                    if has_input || is_over(deadline) {
                        return Ok(());
                    }
                    has_input = session.wait(input, if is_all { deadline } else { Some(Instant::now()) })?.input;
                }
            }
            Self::Cluster(cluster) => cluster.attend(input, deadline),
        }
    }
}

/// The first error in the replies of several nodes; OK if there is none.
fn error_among(replies: &OwnedFrame) -> OwnedFrame {
    let error = replies.frame().children().find(|reply| reply.is_error());
    error.map_or_else(|| OwnedFrame::simple("OK"), Frame::to_owned)
}
