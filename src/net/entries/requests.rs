//! What is asked next: acknowledgements, then how the streams are, then the next entries, all in one write (contract
//! section 15).

use std::time::{Duration, Instant};

use redis::Cmd;

use super::cursor::{Cursor, Phase};
use super::reader::{Asked, Reader};
use super::{Entries, Group, reads_pending};
use crate::reply::EntryId;

/// How long a read may wait for entries: then the streams are looked at again.
pub const WAIT: Duration = Duration::from_secs(1);
/// The same while acknowledgements of handlers are to come: they would have to wait too.
const SHORT_WAIT: Duration = Duration::from_millis(50);
/// The same where the other streams have to wait, for no more may be taken than is wanted.
const TURN: Duration = Duration::from_millis(100);
/// How many entries of others are looked at at once.
pub const CANDIDATES: usize = 100;
/// The pauses between looks at what others have left: half the time that it has to be left for, within these.
const SHORTEST_LOOK: Duration = Duration::from_millis(50);
const LONGEST_LOOK: Duration = Duration::from_secs(10);

impl Entries {
    /// Asks over every connection on which nothing is asked, and of which all is given.
    pub(super) fn ask_for_more(&mut self) {
        // Whoever was asked last comes last: where few entries are wanted the others have waited for it.
        let first = self.asked_last + 1;
        for step in 0..self.readers.len() {
            let at = (first + step) % self.readers.len();
            let is_idle = |reader: &Reader| reader.link.as_ref().is_some_and(super::Link::is_idle);
            if is_idle(&self.readers[at]) {
                self.acknowledge(at);
                self.ask(at);
            }
        }
    }

    /// Acknowledges what is written or handled.
    fn acknowledge(&mut self, at: usize) {
        let Some(group) = &self.reading.group else { return };
        let reader = &mut self.readers[at];
        let Some(link) = &mut reader.link else { return };
        for stream in &reader.streams {
            let cursor = &mut self.cursors[*stream];
            if cursor.ready.is_empty() {
                continue;
            }
            link.ask(
                redis::cmd("XACK").arg(&cursor.name).arg(&group.name).arg(&cursor.ready),
                Asked::Acknowledge(*stream),
                reader.is_asking,
            );
            cursor.sent.append(&mut cursor.ready);
        }
    }

    /// Asks for what comes next over a connection.
    fn ask(&mut self, at: usize) {
        let now = Instant::now();
        let reader = &mut self.readers[at];
        if self.is_closing || reader.rests_until.is_some_and(|until| now < until) {
            return;
        }
        reader.rests_until = None;
        let live: Vec<usize> = reader.streams.iter().copied().filter(|stream| !self.cursors[*stream].is_over).collect();
        let free = self.free();
        if live.is_empty() || free == Some(0) {
            return;
        }
        if self.may_look {
            for stream in &live {
                self.look_at(at, *stream);
            }
        }
        if live.iter().any(|stream| self.cursors[*stream].after().is_none()) && self.needs_start() {
            return;
        }
        for stream in &live {
            let cursor = &self.cursors[*stream];
            if cursor.is_groupless {
                if cursor.is_seen_groupless || !self.may_look {
                    self.make_group(at, *stream);
                }
                return;
            }
        }
        for stream in &live {
            self.cursors[*stream].read_again_when_due(now);
        }
        let limit = self.readers[at].block_size.min(free.unwrap_or(u64::MAX));
        if let Some(stream) = live.iter().find(|stream| reads_pending(&self.cursors[**stream])) {
            self.ask_for_pending(at, *stream, limit);
        } else if self.awaits_pending() {
            // What is pending elsewhere counts first.
        } else if let Some(stream) = live.iter().find(|stream| !self.cursors[**stream].claims.found.is_empty()) {
            self.claim(at, *stream, limit);
        } else if let Some(stream) = live.iter().find(|stream| is_due(&self.cursors[**stream], now)) {
            self.look_for_candidates(at, *stream);
        } else {
            self.ask_for_new(at, &live, free);
        }
    }

    /// Whether `$` has to be looked up before anything is read. A group that is there knows where it is.
    fn needs_start(&self) -> bool {
        self.reading.group.as_ref().is_none_or(|group| group.create)
    }

    /// Whether so many entries are wanted, and some that are pending already are not read yet: whatever else was taken
    /// before them might be more than is wanted.
    fn awaits_pending(&self) -> bool {
        self.left.is_some() && self.cursors.iter().any(|cursor| !cursor.is_over && reads_pending(cursor))
    }

    /// How many entries may be asked for yet; none: any number. Without a group nothing is taken from anybody.
    fn free(&self) -> Option<u64> {
        let Some(group) = &self.reading.group else { return self.left };
        let taken: u64 = self.readers.iter().map(|reader| reader.taken).sum();
        let in_flight = || self.cursors.iter().map(|cursor| cursor.in_flight).sum::<u64>();
        let window = group.window.map(|window| window.saturating_sub(in_flight()));
        let free = match (self.left, window) {
            (Some(left), Some(window)) => Some(left.min(window)),
            (left, window) => left.or(window),
        };
        free.map(|free| free.saturating_sub(taken))
    }

    fn put(&mut self, at: usize, request: &Cmd, asked: Asked) {
        let reader = &mut self.readers[at];
        if let Some(link) = &mut reader.link {
            link.ask(request, asked, reader.is_asking);
        }
    }

    fn look_at(&mut self, at: usize, stream: usize) {
        let mut look = redis::cmd("XINFO");
        look.arg("STREAM").arg(&self.cursors[stream].name);
        let mut group = redis::cmd("XINFO");
        group.arg("GROUPS").arg(&self.cursors[stream].name);
        self.put(at, &look, Asked::Look(stream));
        if self.reading.group.is_some() {
            self.put(at, &group, Asked::Group(stream));
        }
    }

    fn make_group(&mut self, at: usize, stream: usize) {
        let (Some(group), cursor) = (&self.reading.group, &self.cursors[stream]) else { return };
        let mut request = redis::cmd("XGROUP");
        request
            .arg("CREATE")
            .arg(&cursor.name)
            .arg(&group.name)
            .arg(cursor.after().unwrap_or_default())
            .arg("MKSTREAM");
        self.put(at, &request, Asked::Make(stream));
    }

    /// How often pending entries were delivered before, and then these entries: the reading counts as one more.
    fn ask_for_pending(&mut self, at: usize, stream: usize, limit: u64) {
        let (Some(group), cursor) = (&self.reading.group, &self.cursors[stream]) else { return };
        let Phase::Pending(after) = cursor.phase else { return };
        let mut counts = redis::cmd("XPENDING");
        counts.arg(&cursor.name).arg(&group.name).arg(format!("({after}")).arg("+").arg(limit).arg(&group.consumer);
        let mut entries = read_as(group);
        entries.arg("COUNT").arg(limit).arg("STREAMS").arg(&cursor.name).arg(after);
        if self.may_count {
            self.put(at, &counts, Asked::Counts(stream));
        }
        self.put(at, &entries, Asked::Pending(stream, limit));
    }

    fn look_for_candidates(&mut self, at: usize, stream: usize) {
        let (Some(group), cursor) = (&self.reading.group, &self.cursors[stream]) else { return };
        let from = cursor.claims.from.map_or_else(|| "-".to_owned(), |from| format!("({from}"));
        let mut request = redis::cmd("XPENDING");
        request.arg(&cursor.name).arg(&group.name).arg("IDLE").arg(idle_of(group)).arg(from).arg("+").arg(CANDIDATES);
        self.put(at, &request, Asked::Candidates(stream));
    }

    /// Takes over what was found, as far as more is wanted.
    fn claim(&mut self, at: usize, stream: usize, limit: u64) {
        let (Some(group), cursor) = (&self.reading.group, &mut self.cursors[stream]) else { return };
        let count = cursor.claims.found.len().min(usize::try_from(limit).unwrap_or(usize::MAX));
        cursor.claims.asked = cursor.claims.found.drain(..count).collect();
        let ids: Vec<EntryId> = cursor.claims.asked.iter().map(|(id, _)| *id).collect();
        let mut request = redis::cmd("XCLAIM");
        request.arg(&cursor.name).arg(&group.name).arg(&group.consumer).arg(idle_of(group)).arg(ids);
        self.readers[at].taken = count as u64;
        self.put(at, &request, Asked::Claim(stream));
    }

    /// Asks for new entries: of all streams, or where that might take more than is wanted of one after the other.
    fn ask_for_new(&mut self, at: usize, live: &[usize], free: Option<u64>) {
        let is_grouped = self.reading.group.is_some();
        let waiting = self
            .readers
            .iter()
            .filter(|reader| reader.link.as_ref().is_some_and(super::Link::is_idle) && reader.rests_until.is_none());
        let sharing = waiting.count().max(1) as u64;
        let share = free.map_or(u64::MAX, |free| if is_grouped { (free / sharing).max(1) } else { free });
        let reader = &mut self.readers[at];
        let mut streams = live.to_vec();
        if is_grouped && share < streams.len() as u64 {
            reader.turn = (reader.turn + 1) % live.len();
            streams = vec![live[reader.turn]];
        }
        let number = streams.len() as u64;
        let most = if is_grouped { share / number } else { share };
        let count = (reader.block_size / number).max(1).min(most);
        reader.taken = if is_grouped { count * number } else { 0 };
        let others_wait = streams.len() < live.len() || is_grouped && free.is_some_and(|free| free <= count * number);
        let wait = self.wait_for_new(live, others_wait && (self.readers.len() > 1 || live.len() > 1));
        let mut request = self.reading.group.as_ref().map_or_else(|| redis::cmd("XREAD"), read_as);
        request.arg("COUNT").arg(count);
        if let Some(wait) = wait {
            request.arg("BLOCK").arg(wait.as_millis());
        }
        request.arg("STREAMS");
        for stream in &streams {
            request.arg(&self.cursors[*stream].name);
        }
        for stream in &streams {
            match self.cursors[*stream].after() {
                Some(after) if !is_grouped => request.arg(after),
                _ => request.arg(">"),
            };
        }
        self.put(at, &request, Asked::New(streams));
        self.asked_last = at;
        if let Some(link) = &mut self.readers[at].link {
            link.waits = wait.unwrap_or_default();
        }
    }

    /// How long a read may wait; none: not at all, for all that is wanted was there at the last look.
    fn wait_for_new(&self, live: &[usize], others_wait: bool) -> Option<Duration> {
        let mut cursors = live.iter().map(|stream| &self.cursors[*stream]);
        if cursors.clone().all(|cursor| cursor.until.is_some_and(|until| until <= cursor.last_known)) {
            return None;
        }
        let claims = cursors.clone().filter_map(|cursor| cursor.claims.due).min();
        let claims = claims.map(|due| due.saturating_duration_since(Instant::now()).max(Duration::from_millis(1)));
        let handled = cursors.any(|cursor| cursor.in_flight > 0).then_some(SHORT_WAIT);
        let turn = others_wait.then_some(TURN);
        [Some(WAIT), claims, handled, turn].into_iter().flatten().min()
    }
}

/// When to look again at what others have left.
pub fn next_claims(group: &Group) -> Option<Instant> {
    let idle = group.claim_idle?;
    Some(Instant::now() + (idle / 2).clamp(SHORTEST_LOOK, LONGEST_LOOK))
}

fn is_due(cursor: &Cursor, now: Instant) -> bool {
    cursor.claims.due.is_some_and(|due| due <= now)
}

fn read_as(group: &Group) -> Cmd {
    let mut read = redis::cmd("XREADGROUP");
    read.arg("GROUP").arg(&group.name).arg(&group.consumer);
    read
}

/// For how long an entry is to be left before it is taken over, in milliseconds.
fn idle_of(group: &Group) -> u128 {
    group.claim_idle.unwrap_or_default().as_millis()
}
