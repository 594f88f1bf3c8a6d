//! How many commands may be in flight at one node: enough to keep its connection busy over the round trip, and no more
//! than fits the memory on both sides (contract section 6).

use std::time::{Duration, Instant};

/// Until the first replies tell their size.
const FIRST: usize = 512;
/// Enough for a server nearby.
const NEARBY: usize = 8 * 1024;
/// A window this large keeps a connection of 100 ms of round trip busy.
const LARGEST: usize = 256 * 1024;
/// The window covers a round trip at this rate: twice what a server does in a second at most, for a full one is not filled
/// before a quarter of it is answered, and replies come later than a round trip where commands wait at the server.
const COMMANDS_A_SECOND: f64 = 2_600_000.0;
/// Commands and their expected replies, in bytes: what is in flight is in the server's memory, and in ours.
const COMMAND_BYTES: usize = 4 * 1024 * 1024;
/// Over a long round trip so many bytes a command: the largest window is to hold short ones.
const COMMAND_SIZE: usize = 64;
const REPLY_BYTES: u64 = 8 * 1024 * 1024;
/// So many replies tell the size of the next.
const SAMPLE: u64 = 64;

/// The window of one node.
#[derive(Debug)]
pub struct Window {
    /// `--window`.
    fixed: Option<usize>,
    /// How many commands it takes now.
    size: usize,
    /// What it takes where replies are small, once their size is known.
    full_size: usize,
    /// How many bytes of commands it takes.
    command_bytes: usize,
    /// Whether it was filled and not enough of it is answered yet.
    is_full: bool,
    /// The size of a reply in bytes, averaged over the latest.
    reply_size: u64,
    /// What was answered and received when the average was last taken.
    noted: (u64, u64),
    /// When the first command was packed: the first reply tells how long a round trip takes.
    started: Option<Instant>,
}

impl Window {
    /// A window; `fixed` is `--window`.
    pub fn new(fixed: Option<u32>) -> Self {
        let fixed = fixed.map(|window| window as usize);
        Self {
            fixed,
            size: fixed.unwrap_or(FIRST),
            full_size: NEARBY,
            command_bytes: COMMAND_BYTES,
            is_full: false,
            reply_size: 0,
            noted: (0, 0),
            started: None,
        }
    }

    /// Whether there is room for one more beside so many commands of so many bytes. A full window has room again when a
    /// quarter of it is answered: many small writes cost more than they gain.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "called for every command; the call costs as much as what it does")]
    pub fn has_room(&mut self, commands: usize, bytes: usize) -> bool {
        if self.is_full && commands > self.size - self.size / 4 {
            return false;
        }
        let fits = commands < self.size && (bytes < self.command_bytes || self.fixed.is_some() || commands == 0);
        self.is_full = !fits;
        fits
    }

    /// The first command is packed.
    pub fn begin(&mut self) {
        self.started = Some(Instant::now());
    }

    /// Takes the size of the latest replies: all that were ever answered, all bytes that were ever received, and how
    /// many commands wait.
    pub fn note_received(&mut self, answered: u64, received: u64, waiting: usize) {
        let replies = answered - self.noted.0;
        if replies == 0 {
            return;
        }
        if let Some(started) = self.started.take() {
            self.widen(started.elapsed());
        }
        if self.fixed.is_some() || replies < SAMPLE && waiting > 0 {
            return;
        }
        let size = (received - self.noted.1) / replies;
        // Quick to see that replies have grown, slow to forget it.
        self.reply_size = size.max((self.reply_size * 7 + size) / 8);
        self.noted = (answered, received);
        let most = REPLY_BYTES / self.reply_size.max(1) + 1;
        self.size = self.full_size.min(usize::try_from(most).unwrap_or(usize::MAX));
    }

    /// A round trip takes so long.
    fn widen(&mut self, round_trip: Duration) {
        self.full_size = self.full_size.max(over(round_trip));
        self.command_bytes = COMMAND_BYTES.max(COMMAND_SIZE * self.full_size);
    }
}

/// The window that keeps a connection of this round trip busy.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small positive numbers")]
fn over(round_trip: Duration) -> usize {
    ((round_trip.as_secs_f64() * COMMANDS_A_SECOND) as usize).min(LARGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn over_a_long_round_trip_there_is_room_for_more_bytes() {
        let mut window = Window::new(None);
        let takes = |window: &mut Window, bytes| window.has_room(1, bytes);
        window.widen(Duration::from_millis(1));
        assert!(takes(&mut window, COMMAND_BYTES - 1) && !takes(&mut window, COMMAND_BYTES));
        window.widen(Duration::from_secs(1));
        assert!(takes(&mut window, 4 * COMMAND_BYTES - 1) && !takes(&mut window, 4 * COMMAND_BYTES));
    }
}
