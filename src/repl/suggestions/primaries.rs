//! The servers that are asked what may be typed: one, or every primary of a cluster, all at once.

use std::time::{Duration, Instant};

use redis::{Cmd, Value};

use crate::net::{Cluster, Credentials, Endpoint, Lost, Session};

/// How long a server may take to be connected to, and to answer, before it is given up.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long the primaries of a cluster are taken to be the same.
const STEADY: Duration = Duration::from_secs(10);

/// Whether two endpoints are the same server to the same user.
fn is_same(one: &Endpoint, other: &Endpoint) -> bool {
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
    /// None: lost.
    sessions: Vec<Option<Session>>,
}

impl Crowd {
    /// Connects; none if there is nobody.
    pub fn open(endpoint: &Endpoint) -> Option<Self> {
        // Not in a hurry to fail, and not waiting for ever either.
        let patient = Endpoint {
            connect_timeout: PATIENCE,
            read_timeout: Some(PATIENCE),
            wait: Duration::ZERO,
            ..endpoint.clone()
        };
        let sessions: Vec<Option<Session>> = if endpoint.cluster.is_some() {
            let mut cluster = Cluster::open(&patient).ok()?;
            let primaries: Vec<_> = cluster.map().primaries().cloned().collect();
            primaries.iter().map(|primary| cluster.lend_session(primary).ok()).collect()
        } else {
            vec![Some(Session::open(&patient).ok()?)]
        };
        Some(Self { endpoint: endpoint.clone(), opened: Instant::now(), sessions })
    }

    /// Whether these are the servers of that endpoint, as far as is known.
    pub fn is_good(&mut self, endpoint: &Endpoint) -> bool {
        for session in &mut self.sessions {
            if session.as_mut().is_some_and(|session| session.look_after().is_err()) {
                *session = None;
            }
        }
        is_same(&self.endpoint, endpoint)
            && self.sessions.iter().any(Option::is_some)
            && (endpoint.cluster.is_none() || self.opened.elapsed() < STEADY)
    }

    /// How many they are.
    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Asks the first that can be asked.
    pub fn ask_one(&mut self, question: &Cmd) -> Option<Value> {
        let session = self.sessions.iter_mut().find(|session| session.is_some())?;
        let answer = session.as_mut()?.ask(question);
        keep(session, answer)
    }

    /// Asks each something; the answers in their order, none from those that were not asked or are lost.
    pub fn ask(&mut self, questions: &[Option<Cmd>]) -> Vec<Option<Value>> {
        for (session, question) in self.sessions.iter_mut().zip(questions) {
            if let (Some(open), Some(question)) = (session.as_mut(), question) {
                open.put(question);
                let sent = open.send();
                keep(session, sent);
            }
        }
        let answer = |(session, question): (&mut Option<Session>, &Option<Cmd>)| {
            question.as_ref()?;
            let open = session.as_mut()?;
            let answer = open.answer_as_value();
            keep(session, answer)
        };
        self.sessions.iter_mut().zip(questions).map(answer).collect()
    }
}

/// What was done with a session; it is closed if that failed.
fn keep<T>(session: &mut Option<Session>, done: Result<T, Lost>) -> Option<T> {
    if done.is_err() {
        *session = None;
    }
    done.ok()
}
