//! The servers that are asked what may be typed: one, or every primary of a cluster, all at once.

use std::time::{Duration, Instant};

use redis::{Cmd, Value};

use super::question::Whom;
use crate::net::{Address, Cluster, Credentials, Endpoint, Lost, SLOTS, Session, slot_of};

/// How long a server may take to be connected to, and to answer, before it is given up.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long the primaries of a cluster are taken to be the same.
const STEADY: Duration = Duration::from_secs(10);

/// Whether two endpoints are the same server to the same user.
pub fn is_same(one: &Endpoint, other: &Endpoint) -> bool {
    let identity = |known: &Credentials| (known.user.clone(), known.password.clone());
    let identities = [one, other].map(|endpoint| endpoint.credentials.as_ref().map(identity));
    one.cluster.is_some() == other.cluster.is_some()
        && one.address == other.address
        && one.db == other.db
        && identities[0] == identities[1]
}

/// Sessions with all of them.
pub struct Crowd {
    endpoint: Endpoint,
    opened: Instant,
    /// None is lost.
    sessions: Vec<Option<Session>>,
    /// Which of them has a slot, by its number; empty where that is no question.
    owners: Vec<Option<usize>>,
    /// Whether one said that a slot is another's now.
    is_outdated: bool,
}

impl Crowd {
    /// Connects; none if there is nobody.
    pub fn open(endpoint: &Endpoint) -> Option<Self> {
        // Not in a hurry to fail, and not waiting for ever either.
        let patient = Endpoint {
            connect_timeout: PATIENCE,
            read_timeout: Some(PATIENCE),
            wait: Duration::ZERO,
            pushes: None,
            ..endpoint.clone()
        };
        let (mut sessions, mut owners) = (Vec::new(), Vec::new());
        if endpoint.cluster.is_some() {
            let mut cluster = Cluster::open(&patient, false).ok()?;
            let primaries: Vec<Address> = cluster.map().primaries().cloned().collect();
            let owner = |slot| {
                let primary = &cluster.map().owner(slot)?.primary;
                primaries.iter().position(|address| address == primary)
            };
            owners = (0..SLOTS).map(owner).collect();
            sessions.extend(primaries.iter().map(|primary| cluster.lend_session(primary).ok()));
        } else {
            sessions.push(Some(Session::open(&patient).ok()?));
        }
        Some(Self { endpoint: endpoint.clone(), opened: Instant::now(), sessions, owners, is_outdated: false })
    }

    /// Whether these are the servers of that endpoint, as far as is known.
    pub fn is_good(&mut self, endpoint: &Endpoint) -> bool {
        for session in &mut self.sessions {
            if session.as_mut().is_some_and(|session| session.look_after().is_err()) {
                *session = None;
            }
        }
        is_same(&self.endpoint, endpoint)
            && !self.is_outdated
            && self.sessions.iter().any(Option::is_some)
            && (endpoint.cluster.is_none() || self.opened.elapsed() < STEADY)
    }

    /// Those that are meant, by their numbers.
    pub fn members(&self, whom: &Whom) -> Vec<usize> {
        let open = || (0..self.sessions.len()).filter(|at| self.sessions[*at].is_some());
        match whom {
            Whom::All => open().collect(),
            Whom::Owner(key) if !self.owners.is_empty() => {
                self.owners.get(usize::from(slot_of(key))).copied().flatten().into_iter().collect()
            }
            Whom::Any | Whom::Owner(_) => open().take(1).collect(),
        }
    }

    /// Asks the first that can be asked.
    pub fn ask_one(&mut self, question: Cmd) -> Option<Value> {
        let first = *self.members(&Whom::Any).first()?;
        self.ask(&[(first, question)]).pop().flatten()
    }

    /// Asks many things at once; the answers in their order, none from those that are lost.
    pub fn ask(&mut self, questions: &[(usize, Cmd)]) -> Vec<Option<Value>> {
        for (at, question) in questions {
            if let Some(session) = &mut self.sessions[*at] {
                session.put(question);
            }
        }
        for session in &mut self.sessions {
            with(session, Session::send);
        }
        let answers: Vec<Option<Value>> =
            questions.iter().map(|(at, _)| with(&mut self.sessions[*at], Session::answer_as_value)).collect();
        let is_moved =
            |answer: &Value| matches!(answer, Value::ServerError(error) if matches!(error.code(), "MOVED" | "ASK"));
        self.is_outdated |= !self.owners.is_empty() && answers.iter().flatten().any(is_moved);
        answers
    }
}

/// Does something with a session, which is closed if that fails.
fn with<T>(session: &mut Option<Session>, act: impl FnOnce(&mut Session) -> Result<T, Lost>) -> Option<T> {
    let done = act(session.as_mut()?);
    if done.is_err() {
        *session = None;
    }
    done.ok()
}
