//! The walk over one server or several at once: opens them, sleeps for all of them, and goes on after a loss. Which
//! nodes of a cluster have what is `rounds`' business.

use std::time::Instant;

use rustix::event::{PollFd, PollFlags};

use super::looks::Looks;
use super::node::Node;
use super::output::Output;
use super::scan::Scan;
use crate::command::request::Request;
use crate::exit::{Exit, Failure, Outcome};
use crate::net::{Address, Cluster, Endpoint, Lost, Redirect, Retry, Session, slot_of, wait_among};
use crate::reply::{ErrorReply, text_of};

/// Why a walk does not simply go on.
#[derive(Debug)]
pub enum Halt {
    /// As many were given as were asked for.
    Enough,
    Failure(Failure),
    /// The server refuses to scan.
    Refused(ErrorReply),
    Lost(Lost),
    /// The server cannot answer just now: why.
    Later(String),
    /// What is walked is elsewhere.
    Redirected(Redirect),
}

impl From<Failure> for Halt {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl From<Lost> for Halt {
    fn from(lost: Lost) -> Self {
        Self::Lost(lost)
    }
}

/// Who is walked.
pub enum Servers {
    /// One server, and the connection there is with it already.
    One(Box<Endpoint>, Option<Box<Session>>),
    Cluster(Box<Cluster>),
}

/// A walk over servers.
pub struct Walk {
    /// Who can be walked.
    pub servers: Servers,
    pub scan: Scan,
    /// What is asked about each key.
    pub looks: Looks,
    /// Those that are walked now.
    pub nodes: Vec<Node>,
    /// The one of them that something was done at last.
    at: usize,
}

impl Servers {
    /// How long is tried for what cannot be had at once.
    pub fn retry(&self) -> Retry {
        Retry::new(match self {
            Self::One(endpoint, _) => endpoint,
            Self::Cluster(cluster) => cluster.endpoint(),
        })
    }

    fn open(&mut self, node: &Node) -> Result<Session, Lost> {
        match (self, &node.reader) {
            (Self::One(endpoint, first), _) => match first.take() {
                Some(session) => Ok(*session),
                None => Ok(Session::open(endpoint)?),
            },
            (Self::Cluster(cluster), None) => cluster.lend_session(&node.address),
            (Self::Cluster(cluster), Some(reader)) => {
                let mut session = cluster.lend_session(reader)?;
                session.call(&Request::new(["READONLY"]))?;
                Ok(session)
            }
        }
    }
}

impl Walk {
    /// A walk that has not begun.
    pub fn new(servers: Servers, scan: Scan, looks: Looks) -> Self {
        Self { servers, scan, looks, nodes: Vec::new(), at: 0 }
    }

    /// Walks until all nodes are done.
    pub fn run(&mut self, output: &mut Output) -> Result<(), Halt> {
        loop {
            let mut is_done = true;
            for at in 0..self.nodes.len() {
                if !self.nodes[at].is_done() {
                    self.at = at;
                    self.attend(at, output)?;
                    is_done &= self.nodes[at].is_done();
                }
            }
            if is_done {
                return Ok(());
            }
            output.flush()?;
            self.sleep()?;
        }
    }

    /// Sleeps until a server has something to say. One that is silent for too long is an error.
    fn sleep(&mut self) -> Result<(), Halt> {
        let mut limit = None;
        for (at, node) in self.nodes.iter().enumerate().filter(|(_, node)| !node.is_done()) {
            // What has no connection is opened at once.
            let end = match &node.session {
                None => Some(Instant::now()),
                // While it rests it owes no answer.
                Some(session) => session.silence_ends().filter(|_| node.awaits()),
            };
            if let (Some(end), Some(session)) = (end, &node.session)
                && end <= Instant::now()
            {
                self.at = at;
                return Err(Halt::Lost(session.silent()));
            }
            limit = [limit, end, node.rest_ends()].into_iter().flatten().min();
        }
        let open = self.nodes.iter_mut().filter(|node| !node.is_done()).filter_map(|node| node.session.as_mut());
        // What nobody reads any more is told so also where no key is found for long.
        let output = PollFd::from_borrowed_fd(rustix::stdio::stdout(), PollFlags::empty());
        let (_, gone) = wait_among(open, &[output], limit)?;
        if gone.contains(&true) {
            return Err(Halt::Failure(Failure::quiet(Exit::Done)));
        }
        Ok(())
    }

    /// Does what is to be done at a node now.
    fn attend(&mut self, at: usize, output: &mut Output) -> Result<(), Halt> {
        if self.nodes[at].session.is_none() {
            self.open(at, output)?;
        }
        let worked = self.nodes[at].work(&self.scan, &mut self.looks, output);
        match worked {
            Err(Halt::Lost(lost @ (Lost::Closed | Lost::Broken(_)))) => self.lose(at, lost.reason(), output),
            Err(Halt::Later(why)) => self.put_off(at, why, output),
            Err(Halt::Redirected(redirect)) => self.redirect(at, &redirect, output),
            worked => worked,
        }
    }

    /// A connection is lost: what was received is written before another is tried for.
    fn lose(&mut self, at: usize, reason: String, output: &mut Output) -> Result<(), Halt> {
        let node = &mut self.nodes[at];
        (node.session, node.lost, node.unreached) = (None, Some(reason), None);
        let is_first = node.retry.is_none();
        output.flush()?;
        if is_first { Ok(()) } else { self.pause(at) }
    }

    /// The server cannot answer just now, which is told once. What is on its way is not listened to.
    fn put_off(&mut self, at: usize, reason: String, output: &mut Output) -> Result<(), Halt> {
        let node = &mut self.nodes[at];
        if node.retry.is_none() {
            output.note(&format!("{}: {reason}; trying again", node.address));
        }
        (node.session, node.lost, node.unreached, node.is_put_off) = (None, Some(reason), None, true);
        output.flush()?;
        self.pause(at)
    }

    /// Sleeps until the next try; an error when time has run out.
    fn pause(&mut self, at: usize) -> Result<(), Halt> {
        let retry = self.servers.retry();
        let node = &mut self.nodes[at];
        let may_go_on = node.retry.get_or_insert(retry).pause()?;
        if may_go_on {
            return Ok(());
        }
        let lost = format!("{}: {}", node.address, node.lost.as_deref().unwrap_or_default());
        Err(Halt::Failure(match node.unreached.take() {
            Some(message) => Failure::failed(message),
            None if node.is_put_off => Failure::error_reply(lost),
            None => Failure::failed(lost),
        }))
    }

    /// Opens a connection, and goes on where it is the same process that answers.
    fn open(&mut self, at: usize, output: &mut Output) -> Result<(), Halt> {
        loop {
            let opened = self.servers.open(&self.nodes[at]).and_then(|mut session| {
                let info = session.ask(redis::cmd("INFO").arg("server"))?;
                let info = text_of(&info).unwrap_or_default();
                // A replica, named without -c, tells of its keys only then.
                if matches!(self.servers, Servers::One(..)) && is_node(info) {
                    session.call(&Request::new(["READONLY"]))?;
                }
                Ok((session, value_in(info, "run_id").map(str::to_owned)))
            });
            let node = &mut self.nodes[at];
            match opened {
                Ok((session, run_id)) => {
                    node.session = Some(session);
                    return self.resume(at, run_id, output);
                }
                Err(lost @ (Lost::Interrupted(_) | Lost::Refused { .. } | Lost::Undecodable(_) | Lost::Silent(_))) => {
                    return Err(Halt::Lost(lost));
                }
                // Its primary has what it has.
                Err(_) if node.reader.take().is_some() => continue,
                Err(lost) => node.unreached = Some(lost.describe(&node.address.to_string())),
            }
            if self.is_given_up(at)? {
                self.nodes[at].give_up();
                return Ok(());
            }
            self.pause(at)?;
        }
    }

    /// Whether a node that cannot be reached is not to be waited for: another one has its slots.
    fn is_given_up(&mut self, at: usize) -> Result<bool, Halt> {
        let Servers::Cluster(cluster) = &mut self.servers else { return Ok(false) };
        cluster.refresh(None)?;
        let node = &mut self.nodes[at];
        if let Some(key) = self.scan.key() {
            if let Some(owner) = cluster.map().owner(slot_of(key)) {
                node.address = owner.primary.clone();
            }
            return Ok(false);
        }
        Ok(!cluster.map().primaries().any(|primary| *primary == node.address))
    }

    /// Begins, or goes on after a loss.
    fn resume(&mut self, at: usize, run_id: Option<String>, output: &mut Output) -> Result<(), Halt> {
        let node = &mut self.nodes[at];
        let is_same = node.run_id.is_some() && node.run_id == run_id;
        let has_begun = node.has_begun;
        (node.run_id, node.has_begun) = (run_id, true);
        let lost = node.lost.take().filter(|_| has_begun);
        if node.retry.is_none() && lost.is_some() {
            node.retry = Some(self.servers.retry());
        }
        if !has_begun {
            return Ok(());
        }
        let place = node.address.clone();
        let lost = lost.unwrap_or_default();
        let was_put_off = std::mem::take(&mut node.is_put_off);
        if is_same && was_put_off {
            return node.go_on(&self.looks, output);
        }
        if is_same {
            output.note(&format!("{place}: connection lost ({lost}); connected again, and going on from there"));
            return node.go_on(&self.looks, output);
        }
        output.note(&format!(
            "{place}: connection lost ({lost}); it is another server process now: beginning again, keys that were given \
             may come again"
        ));
        node.begin_again();
        output.begin_again(node.number);
        Ok(())
    }

    /// The key whose elements are walked is elsewhere.
    fn redirect(&mut self, at: usize, redirect: &Redirect, output: &mut Output) -> Result<(), Halt> {
        let retry = self.servers.retry();
        let Servers::Cluster(cluster) = &mut self.servers else { return Ok(()) };
        let node = &mut self.nodes[at];
        (node.address, node.asks) = match redirect {
            Redirect::Moved(slot, owner) => (cluster.note_moved(*slot, owner, &node.address), false),
            Redirect::Ask(_, other) => (cluster.reach(other, &node.address), true),
            Redirect::TryAgain | Redirect::Down => return Ok(()),
        };
        (node.session, node.reader, node.run_id, node.has_begun) = (None, None, None, false);
        if !node.retry.get_or_insert(retry).follow()? {
            return Err(Halt::Failure(Failure::failed(format!("{}: its slot is sent around", node.address))));
        }
        if node.has_given {
            output.note(&format!("the key is at {} now: beginning again", node.address));
        }
        node.begin_again();
        Ok(())
    }

    /// The server that something was done at last, which is the one to blame.
    pub fn place(&self) -> Option<&Address> {
        self.nodes.get(self.at).map(|node| &node.address)
    }
}

/// A value in the text of INFO; none where the server does not tell.
fn value_in<'i>(info: &'i str, name: &str) -> Option<&'i str> {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

/// Whether INFO is that of a node of a cluster, of Redis or of Valkey.
fn is_node(info: &str) -> bool {
    ["redis_mode", "server_mode"].iter().any(|name| value_in(info, name) == Some("cluster"))
}

/// The failure that ends a run for this reason.
pub fn failure_of(halt: Halt, place: &str) -> Outcome<()> {
    match halt {
        Halt::Enough => Ok(()),
        Halt::Failure(failure) => Err(failure),
        Halt::Lost(lost) => Err(lost.into_failure(place)),
        Halt::Later(why) => Err(Failure::failed(format!("{place}: {why}"))),
        Halt::Refused(error) => Err(Failure::error_reply(format!("{place}: {}", error.advised(false)))),
        Halt::Redirected(_) => Err(Failure::failed(format!("{place}: the key is elsewhere"))),
    }
}
