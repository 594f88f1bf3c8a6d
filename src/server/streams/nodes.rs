//! Many nodes listened to at once: each thing that is wanted at the node that has it, and at another one when it has
//! moved or its node is lost (contract section 11). No message comes twice: a thing is asked for at a new node only
//! when the old one has said that it is not there any more, or its connection is gone.

mod answers;
mod settle;

use std::collections::VecDeque;
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};

use super::super::cluster::{Asker, Cluster};
use super::super::slots::Announced;
use super::super::stream::ear::{Ear, Form, Got, Loss};
use super::super::stream::{Event, Heard, Source, Subscription, Told, Woken, ready_at, sleep, sooner};
use super::super::target::{Address, Target};
use super::scout::{Errand, Follow, Scout, slots_of};
use super::tries::Tries;
use super::want::{State, Want, What};
use crate::exit::{Failure, Outcome};
use crate::reply::MessageKind;

/// How often nodes that joined or left are looked for.
const LOOK: Duration = Duration::from_secs(2);
/// A node that is back is found within this, and who took over from it within the shorter one, however long it took.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_SILENCE: Duration = Duration::from_millis(250);
/// After so many messages of one node it is another's turn.
const TURN: u32 = 64;

/// A node that is listened to.
struct Member {
    address: Address,
    name: Arc<str>,
    ear: Ear,
    /// What it was asked for, in that order: places among the wants.
    asked: Vec<usize>,
    /// The time in which what it has again was not heard.
    gap: Option<Duration>,
}

/// All that is wanted, and the nodes that have it.
pub struct Nodes {
    wants: Vec<Want>,
    /// What every node is asked for that is followed.
    of_nodes: Option<Source>,
    follow: Follow,
    /// How many of its commands are confirmed by all of them, and told.
    told: usize,
    members: Vec<Member>,
    scout: Scout,
    tries: Tries,
    /// Why something is missing.
    reason: String,
    /// When to look for nodes.
    due: Option<Instant>,
    /// Whose map is the best one.
    first: Option<Address>,
    moves: Vec<(u16, Announced, Address)>,
    /// Who the scout is: what it asks is not for showing.
    asker: Asker,
    /// What [`Self::next`] gives before anything else, and the nodes that it is about.
    announced: VecDeque<(Arc<str>, Told)>,
    /// What it gave of that last.
    given: Option<Told>,
    /// The node that was heard last.
    current: Arc<str>,
    /// Whose turn it is, and for how long it has been.
    turn: usize,
    streak: u32,
}

impl Nodes {
    /// Connects to the cluster and asks the nodes for what they have of the source. That the cluster cannot be had
    /// ends the run; a node that cannot be is tried again.
    pub fn open(target: &Target, source: Source, retries: Option<u32>) -> Outcome<Self> {
        let mut cluster = Cluster::open(target, false)?;
        let (of_nodes, others) = match source {
            Source::Monitor => (Some(Source::Monitor), Vec::new()),
            Source::Subscriptions(all) => {
                let (of_keys, others): (Vec<_>, _) = all.into_iter().partition(Subscription::is_of_keys);
                ((!of_keys.is_empty()).then_some(Source::Subscriptions(of_keys)), others)
            }
        };
        let follow = match of_nodes {
            Some(Source::Monitor) => Follow::Everybody,
            // A replica tells the events of its primary's keys once more.
            Some(Source::Subscriptions(_)) => Follow::Primaries,
            None => Follow::Nobody,
        };
        let followed = follow.nodes(&mut cluster);
        if of_nodes.is_some() && followed.is_empty() {
            return Err(Failure::failed(format!("{}: no node serves a slot", target.address)));
        }
        let longest = if follow == Follow::Everybody { LONGEST_PAUSE } else { LONGEST_SILENCE };
        let mut nodes = Self {
            wants: followed.iter().map(Want::node).chain(others.into_iter().map(Want::subscription)).collect(),
            of_nodes,
            follow,
            told: 0,
            members: Vec::new(),
            tries: Tries::new(retries, longest),
            reason: String::new(),
            due: None,
            first: None,
            moves: Vec::new(),
            asker: cluster.asker(),
            announced: VecDeque::new(),
            given: None,
            scout: Scout::new(cluster),
            current: Arc::from(target.address.to_string()),
            turn: 0,
            streak: 0,
        };
        let errand = nodes.errand();
        if let Some(found) = nodes.scout.look(&errand) {
            nodes.settle(found)?;
        }
        Ok(nodes)
    }

    /// Whether any node is connected.
    pub fn is_connected(&self) -> bool {
        !self.members.is_empty()
    }

    /// What has come, and where; none if nothing waits. Does not block.
    pub fn next(&mut self) -> Outcome<Option<(Heard<'_>, &str)>> {
        let received = self.advance()?;
        let heard = match received {
            Some((at, form)) => Some(self.members[at].ear.heard(form)),
            None => self.given.as_ref().and_then(Told::heard),
        };
        Ok(heard.map(|heard| (heard, &*self.current)))
    }

    /// Receives until there is something to be told: the member that received it last and its form, or it stands in
    /// `given`. Neither if nothing waits.
    fn advance(&mut self) -> Outcome<Option<(usize, Form)>> {
        let mut silent = 0;
        loop {
            self.given = None;
            if let Some((node, told)) = self.announced.pop_front() {
                self.current = node;
                self.given = Some(told);
                return Ok(None);
            }
            if silent >= self.members.len() {
                return Ok(None);
            }
            let at = self.turn % self.members.len();
            match self.members[at].ear.receive() {
                Ok(None) => {
                    self.pass_on();
                    silent += 1;
                    continue;
                }
                Ok(Some(Got::Heard(form))) => {
                    if self.hear(at, form) {
                        return Ok(Some((at, form)));
                    }
                }
                Ok(Some(Got::Confirmed(index, message))) => {
                    if let Some(message) = self.confirm(at, index, message) {
                        self.given = Some(Told::Message(message));
                        return Ok(None);
                    }
                }
                Ok(Some(Got::Refused(index, error))) => self.refuse(at, index, &error)?,
                Err(loss) => self.lose(at, loss),
            }
            silent = 0;
        }
    }

    /// It is the next node's turn.
    fn pass_on(&mut self) {
        self.turn = (self.turn + 1) % self.members.len().max(1);
        self.streak = 0;
    }

    fn note_current(&mut self, at: usize) {
        let name = &self.members[at].name;
        if !Arc::ptr_eq(name, &self.current) {
            self.current = Arc::clone(name);
        }
    }

    /// A node said something unasked; false if it is for this side only.
    fn hear(&mut self, at: usize, form: Form) -> bool {
        self.note_current(at);
        if matches!(form, Form::Line | Form::Message(MessageKind::SUnsubscribe)) {
            match self.members[at].ear.heard(form) {
                // The slot has moved: nobody has unsubscribed.
                Heard::Message(message) => {
                    let channel = message.channel.to_vec();
                    self.displace(at, &channel);
                    return false;
                }
                Heard::Line(line) if self.is_own(line) => return false,
                _ => {}
            }
        }
        self.streak += 1;
        if self.streak >= TURN {
            self.pass_on();
        }
        true
    }

    /// Whether the scout asked this. Its line is `TIME [DB CLIENT] …`.
    fn is_own(&self, line: &str) -> bool {
        let client = line.split_once("] ").and_then(|(head, _)| head.rsplit_once(' '));
        client.is_some_and(|(_, client)| self.asker.is(client))
    }

    /// A channel is not at this node any more: it is looked for at once.
    fn displace(&mut self, at: usize, channel: &[u8]) {
        let now = Instant::now();
        if !self.is_short() {
            self.tries.restart();
        }
        let name = &self.members[at].name;
        let is_it = |want: &&mut Want| {
            want.state == State::At(Arc::clone(name))
                && matches!(&want.what, What::Shard(subscription, _) if subscription.name == channel)
        };
        if let Some(want) = self.wants.iter_mut().find(is_it) {
            want.lose(now);
            "its slot has moved".clone_into(&mut self.reason);
            self.first = Some(self.members[at].address.clone());
            self.due = Some(now);
        }
    }

    /// Drops the connection to the node heard last, and begins anew.
    pub fn distrust(&mut self, reason: &str) {
        if let Some(at) = self.members.iter().position(|member| member.name == self.current) {
            self.lose(at, Loss::now(reason));
        }
    }

    /// A node is lost, and what it had is looked for.
    fn lose(&mut self, at: usize, loss: Loss) {
        let member = self.members.remove(at);
        let Loss { reason, since, .. } = member.ear.complete(loss);
        let now = Instant::now();
        self.tries.note_loss(member.ear.was_good());
        for want in self.wants.iter_mut().filter(|want| want.state == State::At(Arc::clone(&member.name))) {
            want.lose(since.unwrap_or(now));
            want.is_told = true;
        }
        self.due = Some(now + self.tries.pause());
        self.reason.clone_from(&reason);
        let event = Event::Disconnected { channel: None, reason, retrying: self.tries.may_go_on() };
        self.announced.push_back((member.name, Told::Event(event)));
    }

    /// Whether something that is wanted is nowhere.
    fn is_short(&self) -> bool {
        self.wants.iter().any(|want| want.state == State::Homeless)
    }

    /// What there is to be looked for.
    fn errand(&mut self) -> Errand {
        Errand {
            slots: slots_of(&self.wants),
            follow: self.follow,
            doubted: None,
            have: self.members.iter().map(|member| member.address.clone()).collect(),
            first: self.first.take(),
            moves: std::mem::take(&mut self.moves),
        }
    }

    /// Sleeps until something comes, one of the other descriptors is ready, or the deadline passes; meanwhile looks for
    /// what is missing when it is time for that. Ends the run when no further try is allowed.
    pub fn wait(&mut self, others: &[PollFd<'_>], deadline: Option<Instant>) -> Outcome<Woken> {
        if !self.announced.is_empty() {
            return Ok(Woken::Stream);
        }
        self.look_when_due()?;
        let times: Vec<_> = self.members.iter_mut().map(|member| member.ear.prepare()).collect();
        let look = self.due.filter(|_| self.scout.is_home());
        let due = times.iter().map(|(_, due)| *due).chain(look).min().unwrap_or_else(|| Instant::now() + LOOK);
        let (other, events, is_back) = self.sleep(others, sooner(deadline, due))?;
        for (at, ((slept, _), events)) in times.into_iter().zip(events).enumerate().rev() {
            if let Err(loss) = self.members[at].ear.conclude(slept, events) {
                self.lose(at, loss);
            }
        }
        if is_back && let Some(found) = self.scout.receive()? {
            self.settle(found)?;
        }
        Ok(other.map_or(Woken::Stream, Woken::Other))
    }

    /// The one sleep: which of the others is ready, what happened to the members, and whether the scout is back.
    fn sleep(&mut self, others: &[PollFd<'_>], until: Instant) -> Outcome<(Option<usize>, Vec<PollFlags>, bool)> {
        let interests: Vec<PollFlags> = self.members.iter_mut().map(|member| member.ear.interest()).collect();
        let mut fds = others.to_vec();
        let sockets = self.members.iter().zip(interests);
        fds.extend(sockets.map(|(member, interest)| PollFd::from_borrowed_fd(member.ear.as_fd(), interest)));
        let scout = fds.len();
        fds.extend(self.scout.fd().map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
        sleep(&mut fds, until)?;
        let events = fds[others.len()..scout].iter().map(PollFd::revents).collect();
        Ok((ready_at(&fds[..others.len()]), events, ready_at(&fds[scout..]).is_some()))
    }

    fn look_when_due(&mut self) -> Outcome<()> {
        if !self.scout.is_home() {
            return Ok(());
        }
        let is_short = self.is_short();
        if is_short && !self.tries.may_go_on() {
            return Err(self.give_up());
        }
        let now = Instant::now();
        if self.due.is_some_and(|due| due <= now) {
            if is_short {
                self.tries.note_look(now);
            }
            self.due = None;
            let errand = self.errand();
            self.scout.send(errand)?;
        }
        Ok(())
    }

    /// The end of a run whose tries are used up.
    fn give_up(&self) -> Failure {
        let missing: Vec<String> =
            self.wants.iter().filter(|want| want.state == State::Homeless).map(Want::describe).take(3).collect();
        let (missing, reason) = (missing.join(", "), &self.reason);
        Failure::failed(match self.tries.count() {
            0 => format!("connection lost: {missing}: {reason}"),
            1 => format!("connection lost: {missing} not regained with 1 try: {reason}"),
            tries => format!("connection lost: {missing} not regained with {tries} tries: {reason}"),
        })
    }
}
