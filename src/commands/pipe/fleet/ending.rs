//! The end of a pipeline over a cluster before all its input was sent: what was sent is heard out, and counted.

use std::time::{Duration, Instant};

use super::super::lane::Lane;
use super::super::order::Entry;
use super::{Fleet, Loss};
use crate::server::Lost;

/// After a loss, how long a silence of the other nodes is waited out.
const LAST_WORDS: Duration = Duration::from_secs(1);

impl Fleet {
    /// Sends nothing more than completes what was sent: forgets every command after the newest of which a byte is out.
    pub fn stop(&mut self) {
        for at in 0..self.lanes.len() {
            self.recall(at);
        }
        let sent = self.lanes.iter().flat_map(Lane::numbers).max();
        let answered = self.order.iter().rposition(Entry::is_answered).map(|at| self.order.answered() + at as u64);
        let end = sent.max(answered).map_or(self.order.answered(), |newest| newest + 1);
        self.order.truncate(end);
        self.transits.values_mut().for_each(|transit| transit.truncate(end));
        self.blocked = None;
    }

    /// The loss of a node that stayed silent beyond the read limit, if one did.
    pub fn check_silence(&mut self) -> Result<(), Loss> {
        let now = Instant::now();
        let silent = self.lanes.iter_mut().find(|lane| lane.silence_ends().is_some_and(|at| at <= now));
        let Some(lane) = silent else { return Ok(()) };
        let node = Some(lane.address().to_string());
        let lost = lane.session_mut().map_or(Lost::Closed, |session| session.silent());
        Err(Loss { lost, node, command: None })
    }

    /// After a loss: nothing more is sent, and the other nodes may answer what they have; `patient` waits for them.
    pub fn settle(&mut self, patient: bool) {
        self.is_ending = true;
        for at in 0..self.lanes.len() {
            self.recall(at);
        }
        let mut quiet_since = Instant::now();
        loop {
            match self.receive() {
                Ok(0) | Err(_) => {}
                Ok(_) => quiet_since = Instant::now(),
            }
            let is_over = !self.lanes.iter().any(|lane| lane.is_open() && lane.numbers().next().is_some());
            let deadline = quiet_since + LAST_WORDS;
            if is_over || !patient || Instant::now() >= deadline || self.wait(None, Some(deadline)).is_err() {
                return;
            }
        }
    }

    /// The numbers of the commands that were sent and not answered.
    pub fn unanswered(&self) -> Vec<u64> {
        let mut numbers: Vec<u64> = self.lanes.iter().flat_map(Lane::numbers).chain(self.setting).collect();
        numbers.sort_unstable();
        numbers
    }
}
