//! Sessions behind a slot map, with the face of one session: a command goes to the node that owns its slot, and
//! follows MOVED and ASK from there. Pipelines have sessions of their own and only ask for routes (contract section 11).
//!
//! A command is sent again only when a node said that it did not run. One that was sent to a connection that broke is
//! lost, and said to be.

use std::time::{Duration, Instant};

use redis::{ServerError, Value};

use super::open::{ServerVersion, Unopened};
use super::patience::{Patience, asking};
use super::redirect::Redirect;
use super::route::{Route, Router, Unroutable, describe_slots, first_key, route_of_keys};
use super::session::{Lost, Session, error_text, server_error};
use super::slots::{Announced, Places, SlotMap, slot_of};
use super::target::{Address, Target};
use super::transact::{LostBlock, Transacted};
use crate::exit::Outcome;
use crate::request::Request;

/// A node that was connected to.
struct Node {
    address: Address,
    session: Option<Session>,
    /// Whether READONLY was sent, so that a replica answers reads.
    reads: bool,
}

/// What is watched, and where.
struct Watch {
    slot: u16,
    /// One of the keys, for messages.
    key: Vec<u8>,
    node: Address,
    /// Whether the slot was on its way to that node, which is to be told so each time.
    is_asked: bool,
}

/// A cluster, and the sessions with its nodes.
pub struct Cluster {
    /// The node that was named, and how every node is to be introduced to.
    target: Target,
    reads_from_replicas: bool,
    router: Router,
    map: SlotMap,
    places: Places,
    nodes: Vec<Node>,
    /// The keys that are watched.
    watch: Option<Watch>,
    /// Nodes that were found elsewhere than they are announced.
    detours: Vec<(Address, Address)>,
    /// The node that was asked last.
    last: Address,
    /// Which replica is next to take a read.
    turn: usize,
    refreshed: Option<Instant>,
}

/// A map this young is not asked for again.
const FRESH: Duration = Duration::from_millis(100);

/// Where to send a command next.
enum Way {
    /// As the map says.
    Map,
    /// To this node for once, with ASKING.
    Ask(Address),
}

/// What became of one try.
enum Tried<T> {
    Done(T),
    /// It did not run: where it should go, or when. With what to answer when patience ends.
    Redirected(Redirect, T),
}

impl Cluster {
    /// Connects to the node of the target and reads the slot map there.
    pub fn open(target: &Target, reads_from_replicas: bool) -> Outcome<Self> {
        Self::try_open(target, reads_from_replicas).map_err(Unopened::into_failure)
    }

    /// The same, and tells why it could not.
    pub fn try_open(target: &Target, reads_from_replicas: bool) -> Result<Self, Unopened> {
        let seed = target.address.clone();
        let session = Session::try_open(target)?;
        let mut cluster = Self {
            target: target.clone(),
            reads_from_replicas,
            router: Router::default(),
            map: SlotMap::default(),
            places: Places::default(),
            nodes: vec![Node { address: seed.clone(), session: Some(session), reads: false }],
            watch: None,
            detours: Vec::new(),
            last: seed.clone(),
            turn: 0,
            refreshed: None,
        };
        match cluster.read_map(&seed) {
            Ok(Ok(())) => Ok(cluster),
            Ok(Err(reason)) => {
                Err(Unopened::Refused { code: String::new(), message: format!("{seed}: no slot map: {reason}") })
            }
            Err(Lost::Interrupted(signal)) => Err(Unopened::Interrupted(signal)),
            Err(lost) => Err(Unopened::Unreachable(lost.into_failure(&seed.to_string()).into_message())),
        }
    }

    /// What the node that was named calls itself, or whichever answers in its stead.
    pub fn learn_version(&mut self) -> Result<Option<ServerVersion>, Unopened> {
        let open = self.nodes.iter_mut().find_map(|node| node.session.as_mut());
        open.map_or(Ok(None), Session::learn_version)
    }

    /// Notices that the node that watches keys has closed its connection.
    pub fn look_after(&mut self) -> Result<(), Lost> {
        if self.watch.is_none() {
            return Ok(());
        }
        self.watching_session()?.look_after()
    }

    /// Forgets a WATCH that was lost with its connection.
    pub fn forget_watch(&mut self) {
        if let Some(watch) = self.watch.take() {
            self.drop_session(&watch.node);
        }
    }

    /// The node that was asked last, for messages.
    pub fn place(&self) -> &Address {
        &self.last
    }

    /// How nodes are introduced to, and the limits.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// The addresses of this end of the sessions, as MONITOR names them.
    pub(super) fn own_addresses(&self) -> Vec<String> {
        self.nodes.iter().filter_map(|node| node.session.as_ref()?.own_address()).collect()
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

    /// Asks one node for its id and its slot map, in one write. The inner error says why that is no map.
    fn read_map(&mut self, node: &Address) -> Result<Result<(), String>, Lost> {
        let deadline = Instant::now() + self.target.connect_timeout;
        let session = self.session(node, false)?;
        Request::new(["CLUSTER", "MYID"]).pack(session.outgoing());
        Request::new(["CLUSTER", "SLOTS"]).pack(session.outgoing());
        // A node that hangs is not waited for: another one knows the map too.
        let id = session.answer_before(deadline).map_err(unopened)?;
        let slots = session.answer_before(deadline).map_err(unopened)?;
        if let Value::ServerError(error) = &slots {
            let hint = if error_text(error).contains("cluster support disabled") { "; leave out -c" } else { "" };
            return Ok(Err(format!("{}{hint}", error_text(error))));
        }
        // Nobody but the seed is reached elsewhere than announced, unless that was found out.
        if let (Value::BulkString(id), true) = (&id, self.refreshed.is_none()) {
            self.places.learn_id(&String::from_utf8_lossy(id), node);
        }
        self.places.learn_aliases(&slots, node);
        let read = SlotMap::read(&slots, node, &self.places);
        Ok(read.map(|map| {
            self.map = map;
            self.refreshed = Some(Instant::now());
        }))
    }

    /// Reads the map again from the first node that has one, `first` before others, unless it was just read; whether
    /// it was read.
    pub fn refresh(&mut self, first: Option<&Address>) -> Result<bool, Lost> {
        if self.refreshed.is_some_and(|at| at.elapsed() < FRESH) {
            return Ok(false);
        }
        let mut known: Vec<Address> = self.map.nodes().cloned().collect();
        known.push(self.target.address.clone());
        // The ones that answer are asked before those that may be down.
        let is_open =
            |address: &Address| self.nodes.iter().any(|node| node.address == *address && node.session.is_some());
        known.sort_by_key(|address| (Some(address) != first, !is_open(address)));
        for node in known {
            match self.read_map(&node) {
                Ok(Ok(())) => return Ok(true),
                Ok(Err(_)) => {}
                Err(lost) => {
                    // What it may still answer answers nothing that will be asked.
                    self.drop_session(&node);
                    if matches!(lost, Lost::Interrupted(_)) {
                        return Err(lost);
                    }
                }
            }
        }
        Ok(false)
    }

    fn drop_session(&mut self, address: &Address) {
        if let Some(node) = self.nodes.iter_mut().find(|node| node.address == *address) {
            node.session = None;
        }
    }

    /// An open session with a node; `reads` where it is asked as a replica. One that its server closed while nobody
    /// used it is opened again: nothing was sent that could be lost.
    fn session(&mut self, address: &Address, reads: bool) -> Result<&mut Session, Lost> {
        let at = if let Some(at) = self.nodes.iter().position(|node| node.address == *address) {
            at
        } else {
            self.nodes.push(Node { address: address.clone(), session: None, reads: false });
            self.nodes.len() - 1
        };
        let is_watching = self.watch.as_ref().is_some_and(|watch| watch.node == *address);
        if let Some(session) = &mut self.nodes[at].session
            && let Err(lost) = session.look_after()
        {
            self.nodes[at].session = None;
            if is_watching {
                return Err(lost);
            }
        }
        if self.nodes[at].session.is_none() {
            let session = self.open_session(address)?;
            let node = &mut self.nodes[at];
            (node.session, node.reads) = (Some(session), false);
        }
        let node = &mut self.nodes[at];
        let Some(session) = &mut node.session else { return Err(Lost::Closed) };
        if reads && !std::mem::replace(&mut node.reads, true) {
            // Its answer is read before that of the command.
            session.call(&Request::new(["READONLY"]))?;
        }
        Ok(session)
    }

    /// A session with a node that is the caller's alone.
    pub fn lend_session(&mut self, address: &Address) -> Result<Session, Lost> {
        let idle = self.nodes.iter_mut().find(|node| node.address == *address && !node.reads);
        if let Some(mut session) = idle.and_then(|node| node.session.take())
            && session.look_after().is_ok()
        {
            return Ok(session);
        }
        self.open_session(address)
    }

    /// Opens a session with a node. A node that is not where it is announced is looked for at the host of the node
    /// that was named first, as behind forwarded ports, and taken if its id is right.
    pub(super) fn open_session(&mut self, address: &Address) -> Result<Session, Lost> {
        let detour = self.detours.iter().find(|(announced, _)| announced == address).map(|(_, reached)| reached);
        let target = Target { address: detour.unwrap_or(address).clone(), db: 0, ..self.target.clone() };
        let unreached = match try_open(&target) {
            Err(unreached @ Lost::Unreached(_)) if detour.is_none() => unreached,
            opened => return opened,
        };
        let (Address::Tcp(host, port), Address::Tcp(seed, _)) = (address, &self.target.address) else {
            return Err(unreached);
        };
        let Some(id) = self.map.id_of(address).filter(|_| host != seed) else { return Err(unreached) };
        let elsewhere = Address::Tcp(seed.clone(), *port);
        let Ok(mut session) = try_open(&Target { address: elsewhere.clone(), ..target }) else { return Err(unreached) };
        match session.call(&Request::new(["CLUSTER", "MYID"]))? {
            Value::BulkString(own) if own == id.as_bytes() => {
                self.detours.push((address.clone(), elsewhere));
                Ok(session)
            }
            _ => Err(unreached),
        }
    }

    /// The route of a command; what only the server can tell is asked of it. The inner error is the command's reply.
    pub fn route(&mut self, request: &Request) -> Result<Result<Route, Value>, Lost> {
        match self.router.route(request) {
            Ok(route) => Ok(Ok(route)),
            Err(Unroutable::CrossSlot(text)) => Ok(Err(server_error(&text))),
            Err(Unroutable::AskServer) => {
                let mut ask = Request::new(["COMMAND", "GETKEYS"]);
                request.args().for_each(|arg| ask.push(arg));
                let Value::Array(keys) = self.call_keyless(&ask)? else { return Ok(Ok(Route::Keyless)) };
                let keys = keys.iter().filter_map(|key| match key {
                    Value::BulkString(key) => Some(key.as_slice()),
                    _ => None,
                });
                Ok(route_of_keys(keys, false).map_err(|unroutable| match unroutable {
                    Unroutable::CrossSlot(text) => server_error(&text),
                    Unroutable::AskServer => Value::Nil,
                }))
            }
        }
    }

    /// The node for a read of this slot: a replica, each in its turn, where reads go to replicas.
    pub fn reader(&mut self, slot: u16) -> Option<Address> {
        let replicas = &self.map.owner(slot)?.replicas;
        if !self.reads_from_replicas || replicas.is_empty() {
            return None;
        }
        self.turn = self.turn.wrapping_add(1);
        Some(replicas[self.turn % replicas.len()].clone())
    }

    /// Sends a command to the node it belongs to and waits for its reply.
    pub fn call(&mut self, request: &Request) -> Result<Value, Lost> {
        if request.is(0, "UNWATCH") {
            return self.unwatch(request);
        }
        match self.route(request)? {
            Err(refusal) => Ok(refusal),
            Ok(_) if request.is(0, "WATCH") && request.len() > 1 => {
                let keys: Vec<&[u8]> = request.args().skip(1).collect();
                Ok(self.watch(&keys)?.map_or_else(Value::ServerError, |()| Value::Okay))
            }
            Ok(Route::Keyless | Route::Refused) => self.call_keyless(request),
            Ok(Route::Slot { slot, is_read }) => self.call_slot(slot, is_read, request),
        }
    }

    fn call_slot(&mut self, slot: u16, is_read: bool, request: &Request) -> Result<Value, Lost> {
        self.at_slot(slot, is_read, |session, is_asked| {
            if is_asked {
                asking().pack(session.outgoing());
            }
            request.pack(session.outgoing());
            if is_asked {
                session.answer()?;
            }
            let value = session.answer()?;
            Ok(match Redirect::of(&value) {
                Some(redirect) => Tried::Redirected(redirect, value),
                None => Tried::Done(value),
            })
        })
    }

    /// Tries something at the node that owns a slot, and again where and when the cluster says that it did not run.
    fn at_slot<T, E: From<Lost>>(
        &mut self,
        slot: u16,
        is_read: bool,
        mut attempt: impl FnMut(&mut Session, bool) -> Result<Tried<T>, E>,
    ) -> Result<T, E> {
        let mut patience = Patience::new(&self.target);
        let mut way = Way::Map;
        let mut is_read = is_read;
        loop {
            let reader = if is_read { self.reader(slot) } else { None };
            let is_asked = matches!(way, Way::Ask(_));
            let is_reader = !is_asked && reader.is_some();
            let node = match std::mem::replace(&mut way, Way::Map) {
                Way::Ask(node) => Some(node),
                Way::Map => reader.or_else(|| Some(self.map.owner(slot)?.primary.clone())),
            };
            let Some(node) = node else {
                if patience.pause()? {
                    self.refresh(None)?;
                    continue;
                }
                return Err(Lost::Unreached(format!("slot {slot} is not served by any node")).into());
            };
            self.last = node.clone();
            let session = match self.session(&node, is_reader) {
                Ok(session) => session,
                // Nothing was sent: the slot may be another's by now.
                Err(lost @ Lost::Unreached(_)) => {
                    is_read = false;
                    if patience.pause()? {
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
                Ok(Tried::Done(answer)) => return Ok(answer),
                Ok(Tried::Redirected(redirect, answer)) => (redirect, answer),
                Err(error) => {
                    self.drop_session(&node);
                    return Err(error);
                }
            };
            // A replica that sends us away has its own view: its primary is asked.
            is_read = false;
            match redirect {
                Redirect::Moved(slot, owner) if patience.follow()? => {
                    self.note_moved(slot, &owner, &node);
                }
                Redirect::Ask(_, other) if patience.follow()? => way = Way::Ask(self.places.reach(&other, &node)),
                Redirect::TryAgain | Redirect::Down if patience.pause()? => {
                    if redirect == Redirect::Down {
                        self.refresh(None)?;
                    }
                }
                _ => return Ok(answer),
            }
        }
    }

    /// Sends a command without keys to one node: that of the watched keys, else the one that was named if it is a
    /// primary, else the first primary that can be reached.
    fn call_keyless(&mut self, request: &Request) -> Result<Value, Lost> {
        let mut candidates: Vec<Address> = self.map.primaries().cloned().collect();
        candidates.sort_by_key(|address| *address != self.target.address);
        if candidates.is_empty() {
            candidates.push(self.target.address.clone());
        }
        let mut unreached = Lost::Closed;
        for node in candidates {
            self.last = node.clone();
            match self.session(&node, false) {
                Ok(session) => {
                    let answer = session.call(request);
                    if answer.is_err() {
                        self.drop_session(&node);
                    }
                    return answer;
                }
                Err(lost @ Lost::Unreached(_)) => unreached = lost,
                Err(lost) => return Err(lost),
            }
        }
        Err(unreached)
    }

    /// Runs a command without keys on every primary; the reply is a map of their replies by address.
    pub fn call_all(&mut self, request: &Request) -> Result<Value, Lost> {
        let nodes: Vec<Address> = self.map.primaries().cloned().collect();
        // Every connection is there before the first node is asked.
        for node in &nodes {
            self.last = node.clone();
            self.session(node, false)?;
        }
        for node in &nodes {
            self.last = node.clone();
            let session = self.session(node, false)?;
            request.pack(session.outgoing());
            session.send()?;
        }
        let mut replies = Vec::with_capacity(nodes.len());
        for node in nodes {
            self.last = node.clone();
            let Some(known) = self.nodes.iter_mut().find(|known| known.address == node) else { continue };
            let answer = known.session.as_mut().map_or(Err(Lost::Closed), Session::answer)?;
            replies.push((Value::BulkString(node.to_string().into_bytes()), answer));
        }
        Ok(Value::Map(replies))
    }

    /// WATCHes the keys, if there are any. The node that watches is the one that the block has to go to.
    pub fn watch(&mut self, keys: &[&[u8]]) -> Result<Result<(), ServerError>, Lost> {
        let mut slots: Vec<(u16, &[u8])> = keys.iter().map(|key| (slot_of(key), *key)).collect();
        let watched = self.watch.as_ref().map(|watch| (watch.slot, watch.key.clone()));
        slots.extend(watched.as_ref().map(|(slot, key)| (*slot, key.as_slice())));
        slots.reverse();
        slots.dedup_by_key(|(slot, _)| *slot);
        match slots.as_slice() {
            [] => return Ok(Ok(())),
            [_] if keys.is_empty() => return Ok(Ok(())),
            [_] => {}
            several => return Ok(Err(made_error(&describe_slots(several))?)),
        }
        let (slot, key) = (slots[0].0, slots[0].1.to_vec());
        let (is_asked, answer) = self.at_slot(slot, false, |session, is_asked| {
            let answer = session.watch_behind(is_asked.then(asking).as_ref(), keys)?;
            Ok::<_, Lost>(match answer.as_ref().err().and_then(Redirect::of_error) {
                Some(redirect) => Tried::Redirected(redirect, (is_asked, answer)),
                None => Tried::Done((is_asked, answer)),
            })
        })?;
        if answer.is_ok() {
            self.watch = Some(Watch { slot, key, node: self.last.clone(), is_asked });
        }
        Ok(answer)
    }

    fn unwatch(&mut self, request: &Request) -> Result<Value, Lost> {
        let Some(watch) = &self.watch else { return Ok(Value::Okay) };
        self.last = watch.node.clone();
        let answer = self.watching_session()?.call(request);
        self.watch = None;
        answer
    }

    /// Whether a block can run: all its keys, and the watched ones, in one slot. The error names the first command
    /// that does not fit, by its place in the block, and says why.
    pub fn check_block<'a>(
        &mut self,
        block: impl Iterator<Item = &'a Request>,
    ) -> Result<Result<Option<u16>, (usize, String)>, Lost> {
        let mut first: Option<(u16, Vec<u8>)> = self.watch.as_ref().map(|watch| (watch.slot, watch.key.clone()));
        for (index, request) in block.enumerate() {
            match self.route(request)? {
                Err(Value::ServerError(error)) => return Ok(Err((index, error_text(&error)))),
                Ok(Route::Slot { slot, .. }) => {
                    let (known, key) = first.get_or_insert_with(|| (slot, first_key(request)));
                    if *known != slot {
                        let reason = describe_slots(&[(*known, key), (slot, &first_key(request))]);
                        return Ok(Err((index, reason)));
                    }
                }
                _ => {}
            }
        }
        Ok(Ok(first.map(|(slot, _)| slot)))
    }

    /// Runs a block at the node that owns its slot. A redirection while it was queued means that nothing ran, and it
    /// goes on at the right node as a whole; keys watched at the wrong one are void, and the block counts as aborted.
    pub fn transact(&mut self, block: &[&Request]) -> Result<Transacted, LostBlock> {
        let lost_before = |lost| LostBlock { lost, may_have_run: false };
        let slot = match self.check_block(block.iter().copied()).map_err(lost_before)? {
            Ok(slot) => slot,
            Err((_, reason)) => return Ok(Transacted::Denied(made_error(&reason)?)),
        };
        if let Some(watch) = &self.watch {
            self.last = watch.node.clone();
            let first = watch.is_asked.then(asking);
            let session = self.watching_session().map_err(lost_before)?;
            let done = session.transact_behind(first.as_ref(), block.iter().copied())?;
            self.watch = None;
            let Some(redirect) = redirect_of(&done) else { return Ok(done) };
            if let Redirect::Moved(slot, owner) = redirect {
                let asked = self.last.clone();
                self.note_moved(slot, &owner, &asked);
            }
            return Ok(Transacted::Aborted);
        }
        self.at_slot(slot.unwrap_or_default(), false, |session, is_asked| {
            // Inside MULTI the permission that ASKING gives lasts until EXEC.
            let done = session.transact_behind(is_asked.then(asking).as_ref(), block.iter().copied())?;
            Ok::<_, LostBlock>(match redirect_of(&done) {
                Some(redirect) => Tried::Redirected(redirect, done),
                None => Tried::Done(done),
            })
        })
    }

    /// The session that watches keys. It is never opened again: the WATCH would be lost with it.
    fn watching_session(&mut self) -> Result<&mut Session, Lost> {
        let address = self.watch.as_ref().map(|watch| &watch.node);
        let node = self.nodes.iter_mut().find(|node| Some(&node.address) == address);
        node.and_then(|node| node.session.as_mut()).ok_or(Lost::Closed)
    }

    /// The pushes set aside by all sessions.
    pub fn take_pushes(&mut self) -> Vec<Value> {
        self.nodes.iter_mut().filter_map(|node| node.session.as_mut()).flat_map(Session::take_pushes).collect()
    }
}

/// An error of ours in the form of a server's.
fn made_error(text: &str) -> Result<ServerError, Lost> {
    match server_error(text) {
        Value::ServerError(error) => Ok(error),
        _ => Err(Lost::Refused(text.to_owned())),
    }
}

/// Why a block that did not run is to be tried elsewhere or later; none where it ran, or has itself to blame.
fn redirect_of(done: &Transacted) -> Option<Redirect> {
    match done {
        Transacted::Refused(errors, _) => errors.iter().find_map(|(_, error)| Redirect::of_error(error)),
        Transacted::Denied(error) => Redirect::of_error(error),
        Transacted::Executed(_) | Transacted::Aborted => None,
    }
}

/// What a cluster cannot do that a single server can; none if it can (contract section 11).
pub fn refuse_in_cluster(request: &Request) -> Option<String> {
    if request.is(0, "SELECT") {
        return Some("SELECT is not possible in a cluster: it has one database".to_owned());
    }
    let name = ["AUTH", "HELLO", "RESET", "READONLY", "READWRITE", "ASKING"].iter().find(|name| request.is(0, name))?;
    Some(format!("{name} is not possible in a cluster: its connections are all alike, as rcli's options say"))
}

/// Opens a session: whether a node that cannot be had may be there later.
fn try_open(target: &Target) -> Result<Session, Lost> {
    Session::try_open(target).map_err(unopened)
}

fn unopened(why: Unopened) -> Lost {
    match why {
        Unopened::Interrupted(signal) => Lost::Interrupted(signal),
        Unopened::Unreachable(message) => Lost::Unreached(message),
        Unopened::Refused { code, message } if code == "LOADING" => Lost::Unreached(message),
        Unopened::Refused { message, .. } => Lost::Refused(message),
    }
}
