//! Whose commands rcli's own questions to a cluster are: MONITOR shows those too, and whoever follows it wants to leave
//! them out.

use std::sync::{Arc, Mutex, PoisonError};

use super::Session;

/// So many connections are remembered.
const KEPT: usize = 32;

/// This end of the connections that ask, as MONITOR names it; also of one that is only being made.
#[derive(Clone, Default)]
pub struct Asker(Arc<Mutex<Vec<String>>>);

impl Asker {
    /// This connection asks.
    pub fn note(&self, session: &Session) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.extend(session.own_address());
        let surplus = known.len().saturating_sub(KEPT);
        known.drain(..surplus);
    }

    /// Whether a client that MONITOR names is one of them.
    pub fn is(&self, client: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().any(|own| own == client)
    }
}
