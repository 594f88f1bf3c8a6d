//! What the end of a connection means for a run: the status, and what is said (contract section 1). The errors and
//! their words are the connections' own.

use super::{Exit, Failure};
use crate::net::{Lost, Unopened};

/// What to do where nobody listens.
const OTHER_SERVERS: &str = "-h and -p name another server (-s a socket), --sandbox starts one";

/// Where nobody listens it says what to do: the address may be a default.
impl From<Unopened> for Failure {
    fn from(unopened: Unopened) -> Self {
        match unopened {
            Unopened::NobodyListens(message) => Self::failed(format!("{message}; {OTHER_SERVERS}")),
            Unopened::Unreachable(message) | Unopened::Refused { message, .. } => Self::failed(message),
            Unopened::Interrupted(signal) => Self::quiet(Exit::Signal(signal)),
        }
    }
}

impl Lost {
    /// The end of a run whose connection with this server is lost.
    pub fn into_failure(self, server: &str) -> Failure {
        match self {
            Self::Interrupted(signal) => Failure::quiet(Exit::Signal(signal)),
            lost => Failure::failed(lost.describe(server)),
        }
    }

    /// The same where FILE:LINE says more than the server does.
    pub fn into_failure_at(self, place: &str) -> Failure {
        match self {
            Self::Interrupted(signal) => Failure::quiet(Exit::Signal(signal)),
            lost => Failure::failed(lost.describe_at(place)),
        }
    }
}
