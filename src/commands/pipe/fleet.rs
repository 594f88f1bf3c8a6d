//! The nodes of a cluster as one pipeline: a lane a node, all of them at work at once, and the commands of a slot in
//! order whatever becomes of the slot meanwhile (contract section 11). Writes nothing; `cluster` reads the input and
//! writes the replies.

mod ending;
mod redirects;
mod state;

use std::collections::BTreeMap;
use std::os::fd::BorrowedFd;
use std::time::Instant;

use super::flight::Origin;
use super::lane::{ASKING, Lane};
use super::order::{NONE, Order, Reply};
use super::scribe::{Scribe, Text};
use super::transit::Transit;
use crate::commands::refuse::describe_keyless;
use crate::connection_state::Settings;
use crate::exit::Outcome;
use crate::reply::OwnedFrame;
use crate::request::Request;
use crate::server::{
    Address, Cluster, ClusterUse, Lost, PushQueue, Ready, Redirect, Route, SLOTS, Target, wait_for_any,
};

/// How many replies are read from a node before the next one is looked at.
const REPLIES_A_ROUND: usize = 256;

/// What became of a command that was to be placed.
pub enum Placed {
    /// It is in a lane, or waits for one.
    Taken,
    /// Its node has enough to do: later.
    NoRoom,
    /// Its keys are in several slots: with that answer it has its place.
    Refused(OwnedFrame),
    /// It cannot run in a pipeline over a cluster.
    Bad(String),
}

/// The end of a pipeline before its time.
#[derive(Debug)]
pub struct Loss {
    /// Why.
    pub lost: Lost,
    /// The address of the node it happened at.
    pub node: Option<String>,
    /// The command whose answer could not be decoded.
    pub command: Option<Box<Request>>,
}

impl From<Lost> for Loss {
    fn from(lost: Lost) -> Self {
        Self { lost, node: None, command: None }
    }
}

/// The answer to a command.
enum Answer {
    /// What is to be written, where nothing else is to be known of it.
    Text(Text),
    /// All of it: it is, or holds, an error, or is written with its command.
    Whole(OwnedFrame),
}

/// What is known of a slot.
#[derive(Clone, Copy, Debug)]
struct Traffic {
    /// How many of its commands are in flight.
    in_flight: u32,
    /// The lane that the latest of them was given to.
    latest: u16,
    /// The lane of its owner; [`NONE`] until it is looked up.
    owner: u16,
    /// Whether its commands wait in a [`Transit`].
    is_held: bool,
    /// Whether it was waited for in vain: until one of its commands runs, the others are not waited for.
    is_given_up: bool,
}

const NO_TRAFFIC: Traffic = Traffic { in_flight: 0, latest: NONE, owner: NONE, is_held: false, is_given_up: false };

/// The lanes, the slots, and the commands in the order of the input.
pub struct Fleet {
    cluster: Cluster,
    how: ClusterUse,
    lanes: Vec<Lane>,
    slots: Vec<Traffic>,
    transits: BTreeMap<u16, Transit>,
    /// The commands that are not written yet.
    pub order: Order,
    window: Option<u32>,
    /// The lane that had no room for the command that is next.
    blocked: Option<usize>,
    scribe: Scribe,
    /// What the commands so far have set on every connection.
    settings: Settings,
    /// The number of the command that is setting it just now.
    setting: Option<u64>,
    /// Whether nothing more is sent: what does not run now never will.
    is_ending: bool,
    /// A reply was, or held, an error, since this was last asked.
    saw_error: bool,
    /// The pushes that came: no reply may stand half written when they are.
    pushes: PushQueue,
}

impl Fleet {
    /// Connects to the cluster; to its nodes only when they have something to do.
    pub fn open(target: &Target, how: ClusterUse, window: Option<u32>, scribe: Scribe) -> Outcome<Self> {
        let pushes = PushQueue::default();
        let target = Target { pushes: target.pushes.as_ref().map(|_| pushes.listener()), ..target.clone() };
        Ok(Self {
            cluster: Cluster::open(&target, how.read_from_replicas)?,
            how,
            lanes: Vec::new(),
            slots: vec![NO_TRAFFIC; SLOTS.into()],
            transits: BTreeMap::new(),
            order: Order::new(window),
            window,
            blocked: None,
            scribe,
            settings: Settings::default(),
            setting: None,
            is_ending: false,
            saw_error: false,
            pushes,
        })
    }

    /// Whether the next command can be placed.
    pub fn has_room(&mut self) -> bool {
        if let Some(lane) = self.blocked {
            if self.lanes[lane].is_open() && !self.lanes[lane].has_room() {
                return false;
            }
            self.blocked = None;
        }
        self.order.has_room()
    }

    /// Gives a command to the lane it belongs to.
    pub fn place(&mut self, request: &Request, origin: Origin) -> Result<Placed, Lost> {
        let route = match self.cluster.route(request)? {
            Ok(route) => route,
            Err(error) => return Ok(Placed::Refused(error.to_frame())),
        };
        match route {
            Route::Slot { slot, is_read } => self.place_at(slot, is_read, request, origin),
            Route::Keyless => Ok(Placed::Bad(describe_keyless(request))),
            // Any node says what is wrong with it.
            Route::Refused => {
                let Some(lane) = self.any_lane()? else {
                    return Err(Lost::Unreached("no node of the cluster can be reached".to_owned()));
                };
                Ok(self.give(lane, NONE, false, request, origin))
            }
        }
    }

    fn place_at(&mut self, slot: u16, is_read: bool, request: &Request, origin: Origin) -> Result<Placed, Lost> {
        let traffic = self.slots[usize::from(slot)];
        if is_read
            && self.how.read_from_replicas
            && !traffic.is_held
            && let Some(lane) = self.reader(slot)?
        {
            return Ok(self.give(lane, slot, false, request, origin));
        }
        let lane = if traffic.is_held { None } else { self.owner_lane(slot)? };
        match lane {
            Some(lane) if traffic.in_flight == 0 || usize::from(traffic.latest) == lane => {
                Ok(self.give(lane, slot, true, request, origin))
            }
            // Older ones are on their way elsewhere, or nobody is there to take it.
            _ => {
                let number = self.order.push(origin, slot, request.packed_size());
                self.hold(slot, number, request.clone());
                Ok(Placed::Taken)
            }
        }
    }

    fn give(&mut self, lane: usize, slot: u16, is_ordered: bool, request: &Request, origin: Origin) -> Placed {
        if !self.lanes[lane].has_room() {
            self.blocked = Some(lane);
            return Placed::NoRoom;
        }
        let number = self.order.push(origin, slot, request.packed_size());
        self.dispatch(lane, number, request, is_ordered);
        Placed::Taken
    }

    /// Packs a command into a lane.
    fn dispatch(&mut self, lane: usize, number: u64, request: &Request, is_ordered: bool) {
        let short = u16::try_from(lane).unwrap_or(NONE);
        self.lanes[lane].push(request, number);
        let Some(entry) = self.order.get_mut(number) else { return };
        (entry.lane, entry.is_ordered, entry.is_asked) = (short, is_ordered, false);
        if is_ordered {
            let traffic = &mut self.slots[usize::from(entry.slot)];
            traffic.in_flight += 1;
            traffic.latest = short;
        }
    }

    /// The lane of the node that owns a slot; none while there is no such node, or it cannot be reached.
    fn owner_lane(&mut self, slot: u16) -> Result<Option<usize>, Lost> {
        let known = self.slots[usize::from(slot)].owner;
        if self.lanes.get(usize::from(known)).is_some_and(Lane::is_open) {
            return Ok(Some(known.into()));
        }
        let Some(owner) = self.cluster.map().owner(slot).map(|shard| shard.primary.clone()) else { return Ok(None) };
        let lane = self.open_lane(&owner, false)?;
        self.slots[usize::from(slot)].owner = lane.and_then(|lane| u16::try_from(lane).ok()).unwrap_or(NONE);
        Ok(lane)
    }

    /// The lane of a replica that may answer a read of this slot.
    fn reader(&mut self, slot: u16) -> Result<Option<usize>, Lost> {
        match self.cluster.reader(slot) {
            Some(replica) => self.open_lane(&replica, true),
            None => Ok(None),
        }
    }

    fn any_lane(&mut self) -> Result<Option<usize>, Lost> {
        if let Some(lane) = self.lanes.iter().position(Lane::is_open) {
            return Ok(Some(lane));
        }
        let primaries: Vec<Address> = self.cluster.map().primaries().cloned().collect();
        for primary in primaries {
            if let Some(lane) = self.open_lane(&primary, false)? {
                return Ok(Some(lane));
            }
        }
        Ok(None)
    }

    /// The open lane to a node; none if the node cannot be reached.
    fn open_lane(&mut self, address: &Address, is_reader: bool) -> Result<Option<usize>, Lost> {
        let at = self.lanes.iter().position(|lane| lane.leads_to(address, is_reader)).unwrap_or_else(|| {
            self.lanes.push(Lane::new(address.clone(), is_reader, self.window));
            self.lanes.len() - 1
        });
        if !self.lanes[at].is_open() {
            // Connecting may take its time: the other nodes have something to do meanwhile.
            self.send();
        }
        match self.lanes[at].connect(&self.settings, || self.cluster.lend_session(address)) {
            Ok(()) => Ok(Some(at)),
            Err(Lost::Unreached(_)) => Ok(None),
            Err(lost) => Err(lost),
        }
    }

    /// Passes on what the kernels take now.
    pub fn send(&mut self) {
        for lane in &mut self.lanes {
            // A node that cannot be written to is found gone when it is read from, after its last words.
            let _ = lane.send();
        }
    }

    /// Takes in the replies that have come, up to a round a node; how many there were.
    pub fn receive(&mut self) -> Result<usize, Loss> {
        let mut count = 0;
        for at in 0..self.lanes.len() {
            if !self.may_read(at) {
                continue;
            }
            for _ in 0..REPLIES_A_ROUND {
                let answer = match self.lanes[at].receive() {
                    Ok(Some(frame)) if frame.is_push() => {
                        self.lanes[at].tell();
                        continue;
                    }
                    Ok(Some(frame)) if !frame.may_hold_errors() && !self.scribe.names_commands => {
                        Answer::Text(self.scribe.write(0, frame, None))
                    }
                    Ok(Some(_)) => match self.lanes[at].take_current() {
                        Ok(frame) => Answer::Whole(frame),
                        Err(lost) => {
                            self.part_with(at, lost)?;
                            break;
                        }
                    },
                    Ok(None) => break,
                    Err(lost) => {
                        self.part_with(at, lost)?;
                        break;
                    }
                };
                self.take(at, answer)?;
                count += 1;
            }
            self.lanes[at].note_received();
        }
        Ok(count)
    }

    /// Whether replies of this lane may be taken in: where many wait already, only those that can end the wait.
    fn may_read(&self, lane: usize) -> bool {
        let awaited = self.order.front().map_or(NONE, |entry| entry.lane);
        !self.order.is_laden() || awaited == NONE || usize::from(awaited) == lane
    }

    /// An answer has come in a lane.
    fn take(&mut self, at: usize, answer: Answer) -> Result<(), Loss> {
        let Some(number) = self.lanes[at].answer() else {
            let what = "the server sent a reply to nothing that was asked".to_owned();
            return Err(Loss { node: Some(self.lanes[at].address().to_string()), ..Lost::Refused(what).into() });
        };
        if number == ASKING {
            return Ok(());
        }
        let Some(entry) = self.order.get_mut(number) else { return Ok(()) };
        let (slot, is_ordered) = (entry.slot, entry.is_ordered);
        if is_ordered {
            self.slots[usize::from(slot)].in_flight -= 1;
        }
        if let Answer::Whole(frame) = &answer
            && let Some(redirect) = Redirect::of(frame.frame())
        {
            return self.redirected(at, number, slot, &redirect, frame);
        }
        if slot != NONE {
            self.slots[usize::from(slot)].is_given_up = false;
        }
        self.answered(at, number, slot, answer);
        Ok(())
    }

    fn answered(&mut self, at: usize, number: u64, slot: u16, answer: Answer) {
        match answer {
            Answer::Text(text) => self.order.answer(number, Reply { text, error: None }),
            Answer::Whole(frame) => {
                let line = self.order.get_mut(number).map_or(0, |entry| entry.origin.line);
                let mut request = self.lanes[at].last_answered();
                request.line = line;
                self.reply(number, &frame, request);
            }
        }
        if slot != NONE
            && self.slots[usize::from(slot)].is_held
            && self.transits.get_mut(&slot).is_some_and(|transit| transit.note_answered(number))
        {
            self.let_follow(slot);
        }
    }

    /// Keeps the reply to a command until its turn.
    fn reply(&mut self, number: u64, frame: &OwnedFrame, request: Request) {
        let is_error = frame.frame().errors().next().is_some();
        self.saw_error |= is_error;
        let text = self.scribe.write(number, frame.frame(), Some(&request));
        let error = is_error.then(|| Box::new((request, frame.clone())));
        self.order.answer(number, Reply { text, error });
    }

    /// Gives a command that no node is asked for its place and its answer.
    pub fn answer_here(&mut self, request: &Request, origin: Origin, answer: &OwnedFrame) {
        let number = self.order.push(origin, NONE, request.packed_size());
        self.reply_here(number, request, answer);
    }

    fn reply_here(&mut self, number: u64, request: &Request, answer: &OwnedFrame) {
        self.reply(number, answer, request.clone());
    }

    /// A connection has ended. What was not sent goes elsewhere; what was sent is lost.
    fn part_with(&mut self, at: usize, lost: Lost) -> Result<(), Loss> {
        self.recall(at);
        if self.lanes[at].numbers().next().is_none() {
            self.lanes[at].reset(self.window);
            return Ok(self.refresh(None)?);
        }
        let command =
            matches!(lost, Lost::Undecodable(_)).then(|| self.lanes[at].next_answered()).flatten().map(Box::new);
        self.lanes[at].close();
        Err(Loss { lost, node: Some(self.lanes[at].address().to_string()), command })
    }

    /// Whether a reply was, or held, an error since this was last asked.
    pub fn take_saw_error(&mut self) -> bool {
        std::mem::take(&mut self.saw_error)
    }

    /// The pushes that came.
    pub fn take_pushes(&self) -> Vec<OwnedFrame> {
        self.pushes.take()
    }

    /// Sleeps until a node can be read or written, `input` can be read, or the deadline passes.
    pub fn wait(&mut self, input: Option<BorrowedFd<'_>>, deadline: Option<Instant>) -> Result<Ready, Lost> {
        let readable: Vec<bool> = (0..self.lanes.len()).map(|at| self.may_read(at)).collect();
        let lanes = self.lanes.iter_mut().zip(readable).filter(|(_, is_readable)| *is_readable);
        wait_for_any(lanes.filter_map(|(lane, _)| lane.session_mut()), input, deadline)
    }

    /// When something has to be done even if nothing comes: a slot to be tried again, or a silence that was too long.
    pub fn next_deadline(&self) -> Option<Instant> {
        let silence = self.lanes.iter().filter_map(Lane::silence_ends);
        silence.chain(self.transits.values().filter_map(Transit::due)).min()
    }
}
