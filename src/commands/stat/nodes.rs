//! The servers that are watched: one, or the primaries of a cluster. Each is asked without waiting for the others, a
//! PING each 10 ms and INFO for a line, over a connection that is opened again when it is lost.

use std::time::{Duration, Instant};

use super::info::Info;
use super::round_trips::RoundTrips;
use crate::command::request::Request;
use crate::exit::{Failure, Outcome};
use crate::net::{Address, Cluster, Endpoint, Lost, Session, reconnect_pause, wait_for_any};
use crate::reply::{ErrorReply, Frame, OwnedFrame};
use crate::report::{notice, report};

/// The pause between two samples of the round trip: redis-cli's.
const SAMPLE: Duration = Duration::from_millis(10);
/// The commands that ask a node for the slot map.
const QUESTIONS: u64 = 2;

/// What the server was asked.
enum Asked {
    Nothing,
    /// Since when.
    Ping(Instant),
    Info,
}

pub struct Node {
    endpoint: Endpoint,
    session: Option<Session>,
    asked: Asked,
    next_ping: Instant,
    wants_info: bool,
    /// What it has answered, and when, and how many commands of ours there were since the last time.
    info: Option<(Info, Instant, u64)>,
    /// What it has answered for the line before, and when.
    before: Option<(Info, Instant)>,
    /// Our commands since it has answered INFO.
    own: u64,
    /// The round trips since the last line.
    trips: RoundTrips,
    /// Since when it is away: an answer ends that.
    lost: Option<Instant>,
    tries: u32,
    has_answered: bool,
    /// Whether it was told that INFO is refused just now.
    is_busy: bool,
    next_try: Instant,
}

/// What a line says of a server.
pub struct Seen {
    pub name: String,
    /// What it says of itself.
    pub info: Info,
    /// Requests a second since the line before, without those of rcli; none in the first.
    pub rate: Option<f64>,
    /// The round trips since the line before.
    pub trips: RoundTrips,
}

pub struct Nodes {
    nodes: Vec<Node>,
    cluster: Option<Box<Cluster>>,
    /// How often in a row a lost connection is tried again.
    retries: Option<u32>,
}

impl Nodes {
    /// Connects to the server at the endpoint, or to the primaries of its cluster.
    pub fn open(endpoint: &Endpoint, retries: Option<u32>) -> Outcome<Self> {
        let mut nodes = Self { nodes: Vec::new(), cluster: None, retries };
        let Some(mut cluster) = Cluster::open_if_any(endpoint, false)? else {
            let session = Session::open(endpoint)?;
            nodes.nodes.push(Node::new(endpoint.clone(), Some(session)));
            return Ok(nodes);
        };
        for primary in primaries(&cluster) {
            let session = cluster.lend_session(&primary).map_err(|lost| lost.into_failure(&primary.to_string()))?;
            nodes.nodes.push(Node::new(Endpoint { address: primary, ..endpoint.clone() }, Some(session)));
        }
        nodes.cluster = Some(Box::new(cluster));
        Ok(nodes)
    }

    /// Whether they are the primaries of a cluster.
    pub fn is_cluster(&self) -> bool {
        self.cluster.is_some()
    }

    /// INFO is wanted of every server.
    pub fn ask_info(&mut self) {
        for node in &mut self.nodes {
            node.wants_info = true;
        }
    }

    /// Whether every server that there is a connection to has answered INFO.
    pub fn have_info(&self) -> bool {
        self.nodes.iter().all(|node| node.session.is_none() || node.info.is_some())
            && self.nodes.iter().any(|node| node.info.is_some())
    }

    /// Asks and listens until then, or until `is_enough`.
    pub fn attend(&mut self, until: Instant, is_enough: impl Fn(&Self) -> bool) -> Outcome<()> {
        loop {
            let Self { nodes, cluster, retries } = self;
            for node in nodes.iter_mut() {
                node.advance(cluster.as_deref_mut(), *retries)?;
            }
            if is_enough(self) || until <= Instant::now() {
                return Ok(());
            }
            let wake = self.nodes.iter().map(Node::wakes).min().unwrap_or(until);
            let sessions = self.nodes.iter_mut().filter_map(|node| node.session.as_mut());
            wait_for_any(sessions, None, Some(wake.min(until))).map_err(|lost| lost.into_failure(""))?;
        }
    }

    /// What there is for a line; from here on the next one is measured.
    pub fn take_seen(&mut self) -> Vec<Seen> {
        self.nodes.iter_mut().filter_map(Node::take_seen).collect()
    }

    /// The round trips of all since the last line.
    pub fn trips(&self) -> RoundTrips {
        let mut all = RoundTrips::default();
        self.nodes.iter().for_each(|node| all.add(&node.trips));
        all
    }

    pub fn forget_trips(&mut self) {
        self.nodes.iter_mut().for_each(|node| node.trips = RoundTrips::default());
    }

    /// Takes up the primaries that the cluster has by now, and lets go of others.
    pub fn follow_cluster(&mut self) -> Outcome<()> {
        if self.cluster.is_none() {
            return Ok(());
        }
        // What is on its way now would be measured with the time that this takes.
        let is_idle = |nodes: &Self| nodes.nodes.iter().all(|node| matches!(node.asked, Asked::Nothing));
        self.attend(Instant::now() + SAMPLE, is_idle)?;
        if !is_idle(self) {
            return Ok(());
        }
        let Some(cluster) = &mut self.cluster else { return Ok(()) };
        let asked = self.nodes.iter_mut().find(|node| node.session.is_some());
        // Which are the primaries is as it was known, where nobody can be asked.
        match (cluster.refresh(asked.as_ref().map(|node| &node.endpoint.address)), asked) {
            (Err(lost @ Lost::Interrupted(_)), _) => return Err(lost.into_failure("")),
            (Ok(true), Some(node)) => node.own += QUESTIONS,
            _ => {}
        }
        let primaries = primaries(cluster);
        let template = cluster.endpoint().clone();
        self.nodes.retain(|node| {
            let stays = primaries.contains(&node.endpoint.address);
            if !stays {
                notice(&format!("{} is no primary any more", node.name()));
            }
            stays
        });
        for address in primaries {
            if !self.nodes.iter().any(|node| node.endpoint.address == address) {
                notice(&format!("{address} is a primary now"));
                self.nodes.push(Node::new(Endpoint { address, ..template.clone() }, None));
            }
        }
        Ok(())
    }
}

fn primaries(cluster: &Cluster) -> Vec<Address> {
    cluster.map().primaries().cloned().collect()
}

impl Node {
    fn new(endpoint: Endpoint, session: Option<Session>) -> Self {
        let now = Instant::now();
        Self {
            endpoint,
            session,
            asked: Asked::Nothing,
            next_ping: now,
            wants_info: false,
            info: None,
            before: None,
            own: 0,
            trips: RoundTrips::default(),
            lost: None,
            tries: 0,
            has_answered: false,
            is_busy: false,
            next_try: now,
        }
    }

    fn name(&self) -> String {
        self.endpoint.address.to_string()
    }

    /// Does all that can be done without waiting; to connect again takes as long as it takes.
    fn advance(&mut self, cluster: Option<&mut Cluster>, retries: Option<u32>) -> Outcome<()> {
        if self.session.is_none() && self.next_try <= Instant::now() {
            self.reconnect(cluster, retries)?;
        }
        loop {
            if matches!(self.asked, Asked::Nothing) && !self.ask() {
                return Ok(());
            }
            let Some(session) = &mut self.session else { return Ok(()) };
            match session.try_answer() {
                Ok(Some(answer)) => self.take(&answer)?,
                Ok(None) if session.silence_ends().is_some_and(|end| end <= Instant::now()) => {
                    let silent = session.silent();
                    return self.lose(silent, retries);
                }
                Ok(None) => return Ok(()),
                Err(lost) => return self.lose(lost, retries),
            }
        }
    }

    /// Packs the next question, if it is time for one. The first sample is due before the first line.
    fn ask(&mut self) -> bool {
        let Some(session) = &mut self.session else { return false };
        let now = Instant::now();
        if self.wants_info && self.trips.count > 0 {
            session.begin(&Request::new(["INFO"]));
            self.asked = Asked::Info;
        } else if self.next_ping <= now {
            session.begin(&Request::new(["PING"]));
            self.asked = Asked::Ping(now);
        } else {
            return false;
        }
        self.own += 1;
        true
    }

    fn take(&mut self, answer: &OwnedFrame) -> Outcome<()> {
        let now = Instant::now();
        (self.has_answered, self.tries) = (true, 0);
        if let Some(lost) = self.lost.take() {
            notice(&format!("{}: reconnected after {:.1} s", self.name(), lost.elapsed().as_secs_f64()));
        }
        match std::mem::replace(&mut self.asked, Asked::Nothing) {
            Asked::Nothing => {}
            Asked::Ping(since) => {
                self.trips.note(now - since);
                self.next_ping = now + SAMPLE;
            }
            Asked::Info => {
                self.wants_info = false;
                let own = std::mem::take(&mut self.own);
                self.info = self.read_info(answer.frame())?.map(|info| (info, now, own));
            }
        }
        Ok(())
    }

    /// None while the server has something else to do, which is told once.
    fn read_info(&mut self, answer: Frame<'_>) -> Outcome<Option<Info>> {
        let was_busy = std::mem::take(&mut self.is_busy);
        match ErrorReply::of(answer) {
            None => Ok(Some(Info::read(&String::from_utf8_lossy(answer.head().text)))),
            Some(error) if matches!(error.code(), "LOADING" | "BUSY") => {
                if !was_busy {
                    notice(&format!("{}: INFO: {error}; waiting", self.name()));
                }
                self.is_busy = true;
                Ok(None)
            }
            Some(error) => Err(Failure::error_reply(format!("{}: INFO: {}", self.name(), error.advised(false)))),
        }
    }

    fn lose(&mut self, lost: Lost, retries: Option<u32>) -> Outcome<()> {
        let now = Instant::now();
        if self.lost.is_some() {
            // What was opened in its place has gone without an answer, as where there are too many clients.
            self.tries += 1;
        }
        let is_over = retries.is_some_and(|retries| self.tries >= retries);
        if matches!(lost, Lost::Interrupted(_)) || is_over || !self.has_answered {
            return Err(lost.into_failure(&self.name()));
        }
        if self.lost.is_none() {
            report(&format!("{}: connection lost: {}; reconnecting", self.name(), lost.reason()));
            self.lost = Some(now);
        }
        // What is measured of the next process does not continue this one's.
        (self.session, self.asked, self.info, self.before) = (None, Asked::Nothing, None, None);
        self.next_try = now + reconnect_pause(self.tries);
        Ok(())
    }

    fn reconnect(&mut self, cluster: Option<&mut Cluster>, retries: Option<u32>) -> Outcome<()> {
        let opened = match cluster {
            Some(cluster) => {
                let address = &self.endpoint.address;
                cluster.lend_session(address).map_err(|lost| lost.while_opening(&address.to_string()))
            }
            None => Session::open(&self.endpoint),
        };
        let why = match opened {
            Ok(session) => {
                (self.session, self.own, self.next_ping) = (Some(session), 0, Instant::now());
                return Ok(());
            }
            Err(why) => why,
        };
        self.tries += 1;
        if !why.may_pass() || retries.is_some_and(|retries| self.tries >= retries) {
            return Err(why.into());
        }
        self.next_try = Instant::now() + reconnect_pause(self.tries);
        Ok(())
    }

    /// When there is something to do, if nothing is heard before.
    fn wakes(&self) -> Instant {
        let silence = || self.session.as_ref().and_then(Session::silence_ends);
        match (&self.session, &self.asked) {
            (None, _) => self.next_try,
            (Some(_), Asked::Nothing) => self.next_ping,
            (Some(_), _) => silence().unwrap_or_else(|| Instant::now() + Duration::from_secs(1)),
        }
    }

    fn take_seen(&mut self) -> Option<Seen> {
        let (info, now, own) = self.info.take()?;
        let rate = self.before.and_then(|(before, then)| {
            let others = info.requests.checked_sub(before.requests)?.saturating_sub(own);
            Some(per_second(others, now - then))
        });
        self.before = Some((info, now));
        Some(Seen { name: self.name(), info, rate, trips: std::mem::take(&mut self.trips) })
    }
}

#[expect(clippy::cast_precision_loss, reason = "a rate is no exact number")]
fn per_second(count: u64, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64().max(1e-6)
}
