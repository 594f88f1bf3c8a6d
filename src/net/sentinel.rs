//! Sentinels: where they are, and the primary that they name (contract section 12). They are asked whenever a session
//! is opened, so whoever opens a lost one again is with the new primary after a failover.

use crate::net::endpoint::{Address, Credentials, Endpoint, Protocol};
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use redis::Value;

use super::error::Unopened;
use super::poll;
use super::session::Session;
use crate::reply::{error_text, field_of, text_of};

/// A set of sentinels, and the name of the primary they watch for us.
#[derive(Clone, Debug)]
pub struct Sentinels {
    /// Where they are, in the order in which they are asked.
    pub addresses: Vec<Address>,
    /// The name that they know the primary by.
    pub master: String,
    /// What a sentinel wants AUTH to send; the primary's are the endpoint's.
    pub credentials: Option<Credentials>,
    /// The primary that was reached last: all clones show the same.
    reached: Arc<Mutex<Option<Address>>>,
}

/// Two sets are the same if they are asked the same.
impl PartialEq for Sentinels {
    fn eq(&self, other: &Self) -> bool {
        (&self.addresses, &self.master) == (&other.addresses, &other.master)
    }
}

impl Eq for Sentinels {}

/// The address of the primary that was reached last; before there was one, its name.
impl fmt::Display for Sentinels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reached.lock().as_deref() {
            Ok(Some(address)) => address.fmt(f),
            _ => write!(f, "the primary '{}'", self.master),
        }
    }
}

/// How long a set is left alone that names a primary which is none any more, or not yet.
const PAUSE: Duration = Duration::from_millis(50);

impl Sentinels {
    /// The sentinels at these addresses, without credentials.
    pub fn new(addresses: Vec<Address>, master: String) -> Self {
        Self { addresses, master, credentials: None, reached: Arc::default() }
    }

    /// Opens a session with the primary that they name, within the endpoint's connect limit. Each sentinel gets a share
    /// of it, so that a silent one does not keep us from the next.
    ///
    /// Just after a failover a sentinel may still name the old primary, and during one all of them do: a server that
    /// is not reached, or says that it is a replica, is not believed, and all are asked again until the limit. Where
    /// there is none, the sentinels and the search have one all the same.
    pub(super) fn open_primary(&self, endpoint: &Endpoint) -> Result<Session, Unopened> {
        let begin = Instant::now();
        let (deadline, search_ends) = (begin + endpoint.connect_timeout, begin + endpoint.search_limit());
        let mut told = Round::default();
        loop {
            let mut round = Round::default();
            for (index, sentinel) in self.addresses.iter().enumerate() {
                let waiting = self.addresses.len() - index;
                // A share for the primary is kept back.
                let primary = match self.ask(sentinel, endpoint, share(search_ends, waiting + 1)) {
                    Ok(primary) => primary,
                    Err(reason) => {
                        round.reasons.push(reason.into_message().map_err(Unopened::Interrupted)?);
                        continue;
                    }
                };
                if round.tried.contains(&primary) {
                    continue;
                }
                let limit = share(deadline, waiting.min(2));
                match open_if_primary(&Endpoint {
                    address: primary.clone(),
                    connect_timeout: limit,
                    ..endpoint.clone()
                }) {
                    Ok(session) => {
                        self.remember(primary);
                        return Ok(session);
                    }
                    Err(refused @ Unopened::Refused { .. }) => return Err(refused),
                    Err(reason) => round.reasons.push(format!(
                        "{sentinel} named it: {}",
                        reason.into_message().map_err(Unopened::Interrupted)?
                    )),
                }
                round.tried.push(primary);
            }
            // Where nothing was named at all, asking again would only delay the news.
            let is_over = round.tried.is_empty() || search_ends <= Instant::now() + PAUSE;
            // The last round may have had no time to learn anything.
            if told.tried.is_empty() || !round.tried.is_empty() {
                told = round;
            }
            if is_over {
                return Err(self.unreached(&told));
            }
            poll::sleep_until(Instant::now() + PAUSE)?;
        }
    }

    fn remember(&self, primary: Address) {
        if let Ok(mut reached) = self.reached.lock() {
            *reached = Some(primary);
        }
    }

    fn unreached(&self, round: &Round) -> Unopened {
        Unopened::Unreachable(format!("cannot reach the primary '{}': {}", self.master, round.reasons.join("; ")))
    }

    /// The same set, asked from another place of the list on.
    pub(super) fn from(&self, at: usize) -> Self {
        let mut addresses = self.addresses.clone();
        addresses.rotate_left(at);
        Self { addresses, ..self.clone() }
    }

    /// The first sentinel, as a server of its own; the rest is as the primary's endpoint says.
    pub(super) fn first(&self, endpoint: &Endpoint) -> Option<Endpoint> {
        Some(self.endpoint_of(self.addresses.first()?, endpoint))
    }

    fn endpoint_of(&self, sentinel: &Address, endpoint: &Endpoint) -> Endpoint {
        Endpoint {
            address: sentinel.clone(),
            credentials: self.credentials.clone(),
            db: 0,
            protocol: Protocol::Resp2,
            ..endpoint.clone()
        }
    }

    /// Asks one sentinel for the address of the primary.
    fn ask(&self, sentinel: &Address, endpoint: &Endpoint, limit: Duration) -> Result<Address, Unopened> {
        let deadline = Instant::now() + limit;
        let endpoint = Endpoint { connect_timeout: limit, ..self.endpoint_of(sentinel, endpoint) };
        let mut session = Session::open_telling(&endpoint, &|_| ())?;
        let mut question = redis::cmd("SENTINEL");
        question.arg("GET-MASTER-ADDR-BY-NAME").arg(&self.master);
        match session.call_before(&question, deadline)? {
            answer @ Value::Array(_) => {
                named(answer).ok_or_else(|| Unopened::Unreachable(format!("{sentinel} names what is no address")))
            }
            Value::Nil => {
                let known = session.call_before(redis::cmd("SENTINEL").arg("MASTERS"), deadline);
                let known = known.ok().and_then(|masters| describe_known(&masters)).unwrap_or_default();
                Err(Unopened::Unreachable(format!("{sentinel} knows no primary of that name{known}")))
            }
            Value::ServerError(error) => {
                let hint = match error.code() {
                    "NOAUTH" => "; RCLI_SENTINEL_AUTH or --sentinel-pass gives the password of the sentinels",
                    "ERR" => "; is it a sentinel?",
                    _ => "",
                };
                Err(Unopened::Unreachable(format!("{sentinel}: {}{hint}", error_text(&error))))
            }
            _ => Err(Unopened::Unreachable(format!("{sentinel} does not answer as a sentinel does"))),
        }
    }
}

/// What came of asking all of them once.
#[derive(Default)]
struct Round {
    /// The primaries that were named and could not be used.
    tried: Vec<Address>,
    reasons: Vec<String>,
}

/// An equal part of the time that is left, in whole milliseconds: messages show it.
fn share(deadline: Instant, parts: usize) -> Duration {
    let left = deadline.saturating_duration_since(Instant::now());
    let parts = u32::try_from(parts).unwrap_or(u32::MAX).max(1);
    let share = u64::try_from((left / parts).as_millis()).unwrap_or(u64::MAX);
    Duration::from_millis(share.max(1))
}

/// Opens a session with a server, unless that says that it is not a primary.
fn open_if_primary(endpoint: &Endpoint) -> Result<Session, Unopened> {
    let deadline = Instant::now() + endpoint.connect_timeout;
    let mut session = Session::open_telling(endpoint, &|_| ())?;
    let role = session.call_before(&redis::cmd("ROLE"), deadline)?;
    let role = match &role {
        Value::Array(items) => items.first().and_then(text_of),
        // Whoever may not ask has to believe the sentinel.
        _ => None,
    };
    match role {
        None | Some("master") => Ok(session),
        Some("slave") => Err(Unopened::Unreachable(format!("{} is a replica", endpoint.address))),
        Some(role) => Err(Unopened::Unreachable(format!("{} is no primary but a {role}", endpoint.address))),
    }
}

/// The host and port of a sentinel's answer.
pub(super) fn named(answer: Value) -> Option<Address> {
    let (host, port): (String, u16) = redis::from_redis_value(answer).ok()?;
    (!host.is_empty() && port > 0).then_some(Address::Tcp(host, port))
}

/// The names in the answer to SENTINEL MASTERS, to stand after `knows no primary of that name`.
pub(super) fn describe_known(masters: &Value) -> Option<String> {
    let names: Vec<&str> =
        masters.as_sequence()?.iter().filter_map(|fields| text_of(field_of(fields, "name")?)).collect();
    (!names.is_empty()).then(|| format!(", but {}", names.join(", ")))
}
