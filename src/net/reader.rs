//! Reads at a replica that sentinels name, beside the session with the primary (contract section 12): what they are, the
//! replica's own session, and what it has to be told of the state of the primary's.

use super::ConnectionState;
use super::cluster::router::Router;
use super::endpoint::Endpoint;
use super::error::{LOADING, Lost};
use super::session::Session;
use crate::command::request::Request;
use crate::command::restrictions::{Effect, effect_of};
use crate::reply::{ErrorReply, Frame, OwnedFrame};

/// The code of a replica that has lost its primary, and was told to answer nothing then.
const MASTER_DOWN: &str = "MASTERDOWN";

/// Where reads go.
pub struct Reader {
    /// What was set on the primary's session.
    state: ConnectionState,
    router: Router,
    /// Opened by the first read, and again after it was lost.
    session: Option<Session>,
    /// Whether keys are watched: what is read meanwhile has to be what the watch guards.
    pub watches: bool,
}

impl Reader {
    /// Reads go to a replica, where that was asked for.
    pub fn new(endpoint: &Endpoint) -> Option<Self> {
        let state = ConnectionState::new(endpoint.of_replica()?);
        Some(Self { state, router: Router::default(), session: None, watches: false })
    }

    /// Has a replica answer a read; none where the primary is to be asked. A lost session is an error only where the
    /// command was sent.
    pub fn call(&mut self, request: &Request) -> Result<Option<OwnedFrame>, Lost> {
        if self.watches || !self.router.is_read(request) {
            return Ok(None);
        }
        if self.session.as_mut().is_some_and(|session| session.look_after().is_err()) {
            self.session = None;
        }
        let mut session = match self.session.take() {
            Some(session) => session,
            None => match self.open() {
                Err(lost @ Lost::Interrupted(_)) => return Err(lost),
                Err(_) => return Ok(None),
                Ok(session) => session,
            },
        };
        let answer = session.call(request)?;
        if ErrorReply::of(answer.frame()).is_some_and(|error| [MASTER_DOWN, LOADING].contains(&error.code())) {
            return Ok(None);
        }
        self.session = Some(session);
        Ok(Some(answer))
    }

    fn open(&self) -> Result<Session, Lost> {
        let mut session = Session::open(self.state.endpoint())?;
        for setting in self.state.settings().iter() {
            session.call(setting)?;
        }
        Ok(session)
    }

    /// Takes note of what the primary has answered: the replica's session is to be like the primary's.
    pub fn learn(&mut self, request: &Request, answer: Frame<'_>) {
        if answer.is_error() {
            return;
        }
        match effect_of(request) {
            Effect::Watch => self.watches = true,
            Effect::Unwatch | Effect::Exec | Effect::Discard => self.watches = false,
            Effect::Sets(_) | Effect::Hello | Effect::Reset => {
                self.state.learn(request, answer);
                self.session = None;
            }
            Effect::Multi | Effect::None => {}
        }
    }
}
