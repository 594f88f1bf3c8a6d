//! HELLO: how it is said, how its answers are read, and what is remembered of a server that hangs up at it
//! (contract section 1).

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use redis::{Cmd, ServerError, Value};

use super::super::endpoint::Endpoint;
use crate::reply::{field_of, text_of};

/// What is known of HELLO at an endpoint. All clones of it know the same, so that neither the nodes of a cluster
/// nor a reconnect find it out again.
#[derive(Clone, Debug, Default)]
pub struct Hello {
    known: Arc<AtomicU8>,
    /// Whether RESP3 was asked for by name: then nothing else is spoken where a server hangs up.
    pub(super) is_demanded: bool,
    /// Who is told that a server hangs up.
    notice: Option<fn(&str)>,
}

const ANSWERED: u8 = 1;
const HUNG_UP: u8 = 2;

impl Hello {
    /// Nothing is known yet. `notice` tells people that a server hangs up.
    pub fn new(is_demanded: bool, notice: fn(&str)) -> Self {
        Self { known: Arc::default(), is_demanded, notice: Some(notice) }
    }

    /// It was answered: a server that closes the connection later has another reason.
    pub fn note_answered(&self) {
        self.known.store(ANSWERED, Ordering::Relaxed);
    }

    /// Whether it was answered the last time.
    pub fn is_answered(&self) -> bool {
        self.known.load(Ordering::Relaxed) == ANSWERED
    }

    /// The server hung up at it, and speaks RESP2. That is told, in these words, if it is news.
    pub fn note_hung_up(&self, describe: impl FnOnce() -> String) {
        let is_news = self.known.swap(HUNG_UP, Ordering::Relaxed) != HUNG_UP;
        if let (true, Some(notice)) = (is_news, self.notice) {
            notice(&describe());
        }
    }

    /// Whether it is not to be said again.
    pub fn is_hung_up_at(&self) -> bool {
        self.known.load(Ordering::Relaxed) == HUNG_UP
    }
}

/// What a server calls itself is shown in one line: the rest of a longer name says no more.
const LONGEST_NAME: usize = 40;

/// What the server calls itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerVersion {
    /// `redis` or `valkey`.
    pub name: String,
    /// Such as `7.0.15`.
    pub version: String,
}

/// What an answer to HELLO says.
pub(super) enum Greeting {
    /// RESP3 is spoken from here on, and who we are was heard.
    Welcome(Option<ServerVersion>),
    /// It was not understood, or nothing is to be had just now: RESP2 is spoken, and who we are is still to be said.
    Nothing,
    /// We are not wanted.
    Refusal(ServerError),
}

impl Greeting {
    pub(super) fn of(answer: Value) -> Self {
        match answer {
            Value::Map(_) => Self::Welcome(server_version(&answer)),
            Value::ServerError(error) if is_usable(&error) => Self::Nothing,
            Value::ServerError(error) => Self::Refusal(error),
            _ => Self::Nothing,
        }
    }
}

/// HELLO with the credentials of the endpoint.
pub(super) fn request(endpoint: &Endpoint) -> Cmd {
    let mut hello = redis::cmd("HELLO");
    hello.arg(3);
    if let Some(credentials) = &endpoint.credentials {
        let user = credentials.user.as_deref().unwrap_or("default");
        hello.arg("AUTH").arg(user).arg(credentials.password.as_slice());
    }
    hello
}

/// Whether a server that answers HELLO with this error can be used: it has no HELLO, as those before version 6 and
/// proxies say in many ways; or it is busy, and answers what is asked of it in the same words.
fn is_usable(error: &ServerError) -> bool {
    matches!(error.code(), "NOPROTO" | "NOAUTH" | "LOADING" | "BUSY" | "MASTERDOWN" | "MISCONF") || lacks_command(error)
}

/// Whether a server has not got what it was asked for, as old ones and proxies say in many ways.
pub fn lacks_command(error: &ServerError) -> bool {
    let says = |words: &str| error.details().is_some_and(|text| text.to_ascii_lowercase().contains(words));
    error.code() == "ERR"
        && ["unknown command", "unsupported", "not supported", "not allowed", "disabled"].into_iter().any(says)
}

/// The name and the version in an answer to HELLO.
pub(super) fn server_version(greeting: &Value) -> Option<ServerVersion> {
    if !matches!(greeting, Value::Map(_)) {
        return None;
    }
    let field = |name: &str| Some(text_of(field_of(greeting, name)?)?.chars().take(LONGEST_NAME).collect());
    Some(ServerVersion { name: field("server")?, version: field("version")? })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test ends by panicking")]
mod tests {
    use super::*;

    fn parse(resp: &str) -> Value {
        redis::parse_redis_value(resp.as_bytes()).unwrap()
    }

    #[test]
    fn a_server_is_welcome_by_a_map_whatever_is_missing_in_it() {
        let named = |resp: &str| match Greeting::of(parse(resp)) {
            Greeting::Welcome(server) => server.map(|server| format!("{} {}", server.name, server.version)),
            _ => Some(format!("no welcome: {resp:?}")),
        };
        assert_eq!(named("%2\r\n+server\r\n+redis\r\n+version\r\n$3\r\n7.0\r\n").unwrap(), "redis 7.0");
        for resp in ["%0\r\n", "%1\r\n+server\r\n+redis\r\n", "%1\r\n-ERR a\r\n-ERR b\r\n", "%1\r\n:1\r\n*0\r\n"] {
            assert_eq!(named(resp), None, "{resp:?}");
        }
        let long = "x".repeat(1000);
        let name = named(&format!("%2\r\n+server\r\n+{long}\r\n+version\r\n+{long}\r\n")).unwrap();
        assert_eq!(name.len(), 40 + 1 + 40);
    }

    #[test]
    fn what_is_no_greeting_and_what_is_a_refusal() {
        for resp in [
            "+OK\r\n",
            "$-1\r\n",
            ":1\r\n",
            "*2\r\n+server\r\n+redis\r\n",
            "-ERR unknown command 'HELLO'\r\n",
            "-ERR unsupported command `hello`\r\n",
            "-ERR command 'HELLO' is not allowed\r\n",
            "-NOPROTO unsupported protocol version\r\n",
            "-NOAUTH Authentication required.\r\n",
            "-LOADING Redis is loading the dataset in memory\r\n",
        ] {
            assert!(matches!(Greeting::of(parse(resp)), Greeting::Nothing), "{resp:?}");
        }
        for resp in ["-WRONGPASS no\r\n", "-ERR\r\n", "-ERR max number of clients reached\r\n", "-no\r\n"] {
            assert!(matches!(Greeting::of(parse(resp)), Greeting::Refusal(_)), "{resp:?}");
        }
    }
}
