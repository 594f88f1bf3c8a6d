//! Whose commands rcli's own questions to a cluster are: MONITOR shows those too, and whoever follows it wants to leave
//! them out.

use std::sync::{Arc, Mutex, PoisonError};

use super::Session;

/// So many connections are remembered.
const KEPT: usize = 32;

/// This end of the connections that ask, as MONITOR names it; also of one that is only being made.
#[derive(Clone, Debug, Default)]
pub struct Asker(Arc<Mutex<Vec<String>>>);

impl Asker {
    /// This connection asks.
    pub fn note(&self, session: &Session) {
        self.remember(session.own_address());
    }

    fn remember(&self, address: Option<String>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.extend(address);
        let surplus = known.len().saturating_sub(KEPT);
        known.drain(..surplus);
    }

    /// Whether a client that MONITOR names is one of them.
    pub fn is(&self, client: &[u8]) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().any(|own| own.as_bytes() == client)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_connections_are_remembered_and_no_more_than_32() {
        let asker = Asker::default();
        let address = |port: u16| format!("127.0.0.1:{port}");
        (1..=1000).for_each(|port| asker.remember(Some(address(port))));
        // A port that was left long ago is somebody else's by now.
        let known: Vec<u16> = (1..=1000).filter(|port| asker.is(address(*port).as_bytes())).collect();
        assert_eq!(known, (969..=1000).collect::<Vec<_>>());
    }
}
