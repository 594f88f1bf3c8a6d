//! Sentinels: where they are, and the primary that they name (contract section 12). They are asked whenever a session
//! is opened, so whoever opens a lost one again is with the new primary after a failover.

use crate::net::endpoint::{Address, Credentials, Endpoint, Protocol};
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use redis::Value;

use super::error::Unopened;
use super::poll;
use super::retry::pick;
use super::session::Session;
use crate::reply::{error_reason, field_of, text_of};

/// A set of sentinels, and the name of the primary they watch for us.
#[derive(Clone, Debug)]
pub struct Sentinels {
    /// Where they are, in the order in which they are asked.
    pub addresses: Vec<Address>,
    /// The name that they know the primary by.
    pub master: String,
    /// Whether a replica of it is meant, for reads.
    reads: bool,
    /// What a sentinel wants AUTH to send; the primary's are the endpoint's.
    pub credentials: Option<Credentials>,
    /// The server that was reached last: all clones show the same.
    reached: Arc<Mutex<Option<Address>>>,
}

/// Two sets are the same if they are asked the same.
impl PartialEq for Sentinels {
    fn eq(&self, other: &Self) -> bool {
        (&self.addresses, &self.master, self.reads) == (&other.addresses, &other.master, other.reads)
    }
}

impl Eq for Sentinels {}

/// The address of the server that was reached last; before there was one, the primary's name.
impl fmt::Display for Sentinels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reached.lock().as_deref() {
            Ok(Some(address)) => address.fmt(f),
            _ if self.reads => write!(f, "a replica of '{}'", self.master),
            _ => write!(f, "the primary '{}'", self.master),
        }
    }
}

/// How long a set is left alone that names a primary which is none any more, or not yet.
const PAUSE: Duration = Duration::from_millis(50);

impl Sentinels {
    /// The sentinels at these addresses, without credentials.
    pub fn new(addresses: Vec<Address>, master: String) -> Self {
        Self { addresses, master, reads: false, credentials: None, reached: Arc::default() }
    }

    /// The same, of whom a replica for reads is asked.
    pub(super) fn for_reads(&self) -> Self {
        Self { reads: true, reached: Arc::default(), ..self.clone() }
    }

    /// Opens a session with who is meant: the primary too where there is no replica.
    pub(super) fn open(&self, endpoint: &Endpoint) -> Result<Session, Unopened> {
        match if self.reads { self.open_replica(endpoint)? } else { None } {
            Some(session) => Ok(session),
            None => self.open_primary(endpoint),
        }
    }

    /// Opens a session with a replica that a sentinel names and that can be used, each with the same chance; none where
    /// there is none. Half of the time that a search has is kept for the primary.
    fn open_replica(&self, endpoint: &Endpoint) -> Result<Option<Session>, Unopened> {
        let ends = Instant::now() + endpoint.search_limit() / 2;
        let mut tried = Vec::new();
        for (index, sentinel) in self.addresses.iter().enumerate() {
            let named = match self.ask_replicas(sentinel, endpoint, share(ends, self.addresses.len() - index + 1)) {
                Ok(named) => named,
                Err(interrupted @ Unopened::Interrupted(_)) => return Err(interrupted),
                Err(_) => continue,
            };
            let mut named: Vec<Address> = named.into_iter().filter(|replica| !tried.contains(replica)).collect();
            let first = pick(named.len());
            named.rotate_left(first);
            for (index, replica) in named.iter().enumerate() {
                let connect_timeout = share(ends, named.len() - index);
                match open_if(&Endpoint { address: replica.clone(), connect_timeout, ..endpoint.clone() }, is_replica) {
                    Ok(session) => {
                        self.remember(replica.clone());
                        return Ok(Some(session));
                    }
                    Err(interrupted @ Unopened::Interrupted(_)) => return Err(interrupted),
                    Err(_) => {}
                }
            }
            tried.extend(named);
        }
        Ok(None)
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
                match open_if(
                    &Endpoint { address: primary.clone(), connect_timeout: limit, ..endpoint.clone() },
                    is_primary,
                ) {
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

    /// Opens a session with one sentinel, and asks it about the primary.
    fn ask_about(
        &self,
        question: &str,
        sentinel: &Address,
        endpoint: &Endpoint,
        limit: Duration,
    ) -> Result<(Session, Value), Unopened> {
        let deadline = Instant::now() + limit;
        let endpoint = Endpoint { connect_timeout: limit, ..self.endpoint_of(sentinel, endpoint) };
        let mut session = Session::open_unheard(&endpoint)?;
        let answer = session.call_before(redis::cmd("SENTINEL").arg(question).arg(&self.master), deadline)?;
        Ok((session, answer))
    }

    /// Asks one sentinel for the replicas that are up and hear the primary.
    fn ask_replicas(&self, sentinel: &Address, endpoint: &Endpoint, limit: Duration) -> Result<Vec<Address>, Unopened> {
        let (_, answer) = self.ask_about("REPLICAS", sentinel, endpoint, limit)?;
        Ok(answer.as_sequence().unwrap_or_default().iter().filter_map(usable_replica).collect())
    }

    /// Asks one sentinel for the address of the primary.
    fn ask(&self, sentinel: &Address, endpoint: &Endpoint, limit: Duration) -> Result<Address, Unopened> {
        let deadline = Instant::now() + limit;
        let (mut session, answer) = self.ask_about("GET-MASTER-ADDR-BY-NAME", sentinel, endpoint, limit)?;
        match answer {
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
                Err(Unopened::Unreachable(format!("{sentinel}: {}{hint}", error_reason(&error))))
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

/// Opens a session with a server, unless what it says of its role is an error.
fn open_if(endpoint: &Endpoint, check: fn(&[Value]) -> Result<(), String>) -> Result<Session, Unopened> {
    let deadline = Instant::now() + endpoint.connect_timeout;
    let mut session = Session::open_unheard(endpoint)?;
    match &session.call_before(&redis::cmd("ROLE"), deadline)? {
        Value::Array(role) => match check(role) {
            Ok(()) => Ok(session),
            Err(role) => Err(Unopened::Unreachable(format!("{} is {role}", endpoint.address))),
        },
        // Whoever may not ask has to believe the sentinel.
        _ => Ok(session),
    }
}

fn is_primary(role: &[Value]) -> Result<(), String> {
    match role.first().and_then(text_of) {
        None | Some("master") => Ok(()),
        Some("slave") => Err("a replica".to_owned()),
        Some(role) => Err(format!("no primary but a {role}")),
    }
}

/// One that does not hear its primary falls behind, and one that is a primary now is another's to name.
fn is_replica(role: &[Value]) -> Result<(), String> {
    match (role.first().and_then(text_of), role.get(3).and_then(text_of)) {
        (Some("slave"), None | Some("connected")) => Ok(()),
        _ => Err("no replica that hears its primary".to_owned()),
    }
}

/// The address of a replica in the answer to SENTINEL REPLICAS; none of one that is down, or has lost its primary.
fn usable_replica(fields: &Value) -> Option<Address> {
    let field = |name: &str| field_of(fields, name).and_then(text_of);
    let is_away = |flag: &str| matches!(flag, "s_down" | "o_down" | "disconnected");
    let is_usable = !field("flags")?.split(',').any(is_away) && field("master-link-status") == Some("ok");
    is_usable.then(|| Some(Address::Tcp(field("ip")?.to_owned(), field("port")?.parse().ok()?)))?
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
