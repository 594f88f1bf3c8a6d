//! The end of a pipeline before all its input was sent: what was sent is heard out, and counted.

use std::time::{Duration, Instant};

use super::super::files::Origin;
use super::super::held_slot::HeldSlot;
use super::super::output::Output;
use super::super::reorder::Waiting;
use super::{Engine, Halt};

/// After a loss, how long a silence of the other nodes is waited out.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// The commands that were sent and not answered.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unanswered {
    /// How many.
    pub count: usize,
    /// The oldest and the newest: the number, counted from 0, and where it came from.
    pub range: Option<[(u64, Origin); 2]>,
}

impl Engine {
    /// Sends nothing more than completes what was sent: forgets every command after the newest of which a byte is out.
    pub fn stop(&mut self) {
        for at in 0..self.nodes.len() {
            self.requeue_unsent(at);
        }
        let sent = self.unanswered().range.map_or(0, |[_, (newest, _)]| newest + 1);
        let end = sent.max(self.reorder.answered_end());
        self.reorder.truncate(end);
        self.held.values_mut().for_each(|held| HeldSlot::truncate(held, end));
        self.blocked = None;
    }

    /// After a loss: nothing more is sent, and the other nodes may answer what they have; `patient` waits for them.
    pub fn drain(&mut self, patient: bool, output: &mut Output) -> Result<(), Halt> {
        self.is_ending = true;
        for at in 0..self.nodes.len() {
            self.requeue_unsent(at);
        }
        let mut quiet_since = Instant::now();
        loop {
            let has_received = match self.receive(output) {
                Err(halt @ Halt::Output(_)) => return Err(halt),
                Ok(0) | Err(Halt::Lost(_)) => false,
                Ok(_) => true,
            };
            if has_received && patient {
                quiet_since = Instant::now();
            }
            let is_over = !self.nodes.iter().any(|node| node.is_open() && node.in_flight.unanswered().next().is_some());
            let deadline = quiet_since + LAST_WORDS;
            if is_over || Instant::now() >= deadline {
                return Ok(());
            }
            // Who does not wait takes what is there.
            let has_ended = if patient { self.wait(None, Some(deadline)).is_err() } else { !has_received };
            if has_ended {
                return Ok(());
            }
        }
    }

    /// The commands that were sent and not answered.
    pub fn unanswered(&self) -> Unanswered {
        let sent = self.nodes.iter().flat_map(|node| node.in_flight.unanswered()).chain(self.setting);
        sent.fold(Unanswered::default(), |Unanswered { count, range }, command| {
            let [first, last] = range.unwrap_or([command; 2]);
            let first = if command.0 < first.0 { command } else { first };
            let last = if command.0 > last.0 { command } else { last };
            Unanswered { count: count + 1, range: Some([first, last]) }
        })
    }

    /// The replies that wait behind one that will not come, oldest first.
    pub fn waiting(&self) -> impl DoubleEndedIterator<Item = &Waiting> {
        self.reorder.waiting()
    }
}
