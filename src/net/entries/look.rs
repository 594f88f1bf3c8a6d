//! What a stream says of itself, and whether entries are gone that were not read: deleted, trimmed, or with the whole
//! stream (contract section 15).

use crate::reply::{EntryId, Frame, GapReason, Kind};
use crate::text;

/// What XINFO STREAM tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Look {
    pub first: Option<EntryId>,
    /// The last entry that ever was.
    pub last: EntryId,
    /// How many entries are there.
    pub length: u64,
    /// How many entries were ever added; servers before version 7 do not tell.
    pub added: Option<u64>,
}

impl Look {
    /// Reads the answer; what is missing in it counts as none.
    pub fn read(frame: Frame<'_>) -> Self {
        let mut look = Self::default();
        for (name, value) in fields_of(frame) {
            let number = || text::number(value.head().text);
            match name.head().text {
                b"last-generated-id" => look.last = id_of(value).unwrap_or_default(),
                b"length" => look.length = number().unwrap_or_default(),
                b"entries-added" => look.added = number(),
                b"first-entry" => look.first = value.children().next().and_then(id_of),
                _ => {}
            }
        }
        look
    }

    /// Whether this is another stream than that one was: an entry is there that was not, at a place where none can be
    /// added, or entries came back.
    fn cannot_follow(&self, then: &Self) -> bool {
        let is_before = |first: EntryId| then.first.map_or(first <= then.last, |other| first < other);
        self.first.is_some_and(is_before) || self.removed() < then.removed()
    }

    /// How many entries were ever taken away.
    fn removed(&self) -> Option<u64> {
        self.added.map(|added| added.saturating_sub(self.length))
    }
}

/// Names and values of a map, which is a flat array in RESP2.
pub fn fields_of(frame: Frame<'_>) -> impl Iterator<Item = (Frame<'_>, Frame<'_>)> {
    let mut children = frame.children();
    std::iter::from_fn(move || Some((children.next()?, children.next()?)))
}

pub fn id_of(frame: Frame<'_>) -> Option<EntryId> {
    let head = frame.head();
    if head.kind == Kind::Bulk { EntryId::parse(head.text) } else { None }
}

/// The last delivered id of a group, in the answer to XINFO GROUPS; none where there is no such group.
pub fn group_in(frame: Frame<'_>, group: &[u8]) -> Option<EntryId> {
    frame.children().find_map(|described| {
        let is_it = |(name, value): &(Frame<'_>, Frame<'_>)| name.head().text == b"name" && value.head().text == group;
        fields_of(described).any(|field| is_it(&field)).then(|| {
            let last = fields_of(described).find(|(name, _)| name.head().text == b"last-delivered-id");
            last.and_then(|(_, value)| id_of(value)).unwrap_or_default()
        })
    })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing {
    pub reason: GapReason,
    pub after: EntryId,
    pub before: Option<EntryId>,
    pub lost: Option<u64>,
    /// Where reading goes on, if that is not behind what was read last.
    pub go_on: Option<EntryId>,
    /// The first and the last of the entries there that were read already.
    pub told: Option<(EntryId, EntryId)>,
}

/// How far a stream was read, counted as its server counts.
#[derive(Clone, Copy, Debug, Default)]
pub struct Track {
    /// An entry, and how many entries were ever added up to it.
    position: Option<(EntryId, u64)>,
    /// The look before, and up to where the stream was read then.
    before: Option<(Look, EntryId)>,
    /// The first entry that was read since then, and the last.
    read: Option<(EntryId, EntryId)>,
}

impl Track {
    /// An entry was read that comes next.
    #[inline]
    pub fn advance(&mut self, id: EntryId) {
        self.read.get_or_insert((id, id)).1 = id;
        if let Some((at, count)) = &mut self.position {
            (*at, *count) = (id, *count + 1);
        }
    }

    /// What is known of another stream of the same name.
    pub fn begin_again(&mut self) {
        *self = Self::default();
    }

    /// Compares a look with the one before. `last` is the last entry that was read, or delivered to the group;
    /// `is_same_connection` since that look: another server may have lost what its primary had.
    pub fn compare(&mut self, last: EntryId, now: Look, is_same_connection: bool) -> Option<Missing> {
        let read = self.read.take();
        // Of one that is not there only what comes in its place tells whether something is missing.
        if now == Look::default() {
            if let Some((_, newest)) = read {
                let (then, _) = self.before.get_or_insert((now, last));
                then.last = then.last.max(newest);
            }
            self.position = None;
            return None;
        }
        let before = self.before.replace((now, last));
        let then = before.map(|(then, _)| then).unwrap_or_default();
        let has_less = before.is_some() && (now.last < then.last || now.added < then.added);
        let is_another = before.is_some() && is_same_connection && now.cannot_follow(&then);
        // What was read since may have come and gone between two looks.
        if has_less || is_another || read.is_some_and(|(_, newest)| now.last < newest) {
            // What was waited for since is of the new one, but where that never had as much.
            let is_of_it = |(first, newest): &_| is_same_connection && then.last < *first && *newest <= now.last;
            let told = read.filter(is_of_it);
            if told.is_some_and(|(first, _)| now.first == Some(first)) {
                self.position = None;
                return None;
            }
            return Some(Missing { told, ..self.follow_regress(last, then, now, is_same_connection)? });
        }
        let known = self.position.filter(|(at, _)| *at == last).map(|(_, count)| count);
        let is_trimmed = if now.length == 0 { last < now.last } else { now.first.is_some_and(|first| last < first) };
        let missing = |after, before, lost| {
            Some(Missing { reason: GapReason::Trimmed, after, before, lost, go_on: None, told: None })
        };
        if is_trimmed {
            self.position = now.removed().map(|removed| (last, removed));
            return match (known, now.removed(), before) {
                (Some(known), Some(removed), _) if removed > known => missing(last, now.first, Some(removed - known)),
                (Some(_), Some(_), _) => None,
                // Entries that were there, and are not.
                (_, _, Some((then, _))) if last < then.last && now.first.is_none_or(|first| then.last < first) => {
                    missing(last, now.first, None)
                }
                _ => None,
            };
        }
        if last != now.last {
            return None;
        }
        self.position = now.added.map(|added| (last, added));
        match (known, now.added, before) {
            (Some(known), Some(added), Some((_, from))) if added > known => {
                missing(from, Some(last), Some(added - known))
            }
            _ => None,
        }
    }

    /// The stream has a lower last id, or fewer entries were ever added to it.
    fn follow_regress(&mut self, last: EntryId, then: Look, now: Look, is_same_connection: bool) -> Option<Missing> {
        let is_set_back = !is_same_connection && now.first.is_some() && now.first >= then.first;
        self.position = None;
        let (reason, go_on) = if is_set_back {
            (GapReason::SetBack, last.min(now.last))
        } else if now.first.is_some_and(|first| last < first) || now.length == 0 && last < now.last {
            // All of it comes behind what was read.
            self.position = now.removed().map(|removed| (last, removed));
            return None;
        } else {
            (GapReason::BegunAgain, EntryId::ZERO)
        };
        self.before = Some((now, go_on));
        let go_on = Some(go_on).filter(|go_on| *go_on < last)?;
        Some(Missing { reason, after: last, before: Some(now.last), lost: None, go_on: Some(go_on), told: None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(ms: u64) -> EntryId {
        EntryId { ms, seq: 0 }
    }

    fn look(first: u64, last: u64, length: u64, added: u64) -> Look {
        let first = (length > 0).then(|| id(first));
        Look { first, last: id(last), length, added: Some(added) }
    }

    fn trimmed(after: u64, before: Option<u64>, lost: Option<u64>) -> Missing {
        let (after, before) = (id(after), before.map(id));
        Missing { reason: GapReason::Trimmed, after, before, lost, go_on: None, told: None }
    }

    #[test]
    fn what_was_read_before_it_was_trimmed_is_no_gap() {
        let mut track = Track::default();
        assert_eq!(track.compare(id(3), look(1, 3, 3, 3), true), None);
        for read in [4, 5] {
            track.advance(id(read));
        }
        assert_eq!(track.compare(id(5), look(5, 5, 1, 5), true), None);
        assert_eq!(track.compare(id(5), look(0, 5, 0, 5), true), None);
        assert_eq!(track.compare(id(5), look(9, 9, 1, 6), true), None);
    }

    #[test]
    fn what_was_trimmed_unread_is_counted() {
        let mut track = Track::default();
        assert_eq!(track.compare(id(3), look(1, 3, 3, 3), true), None);
        assert_eq!(track.compare(id(3), look(8, 9, 2, 7), true), Some(trimmed(3, Some(8), Some(2))));
        assert_eq!(track.compare(id(3), look(8, 9, 2, 7), true), None);
        track.advance(id(8));
        track.advance(id(9));
        assert_eq!(track.compare(id(9), look(8, 9, 2, 7), true), None);
        assert_eq!(track.compare(id(9), look(0, 12, 0, 10), true), Some(trimmed(9, None, Some(3))));
    }

    #[test]
    fn what_went_while_a_read_was_waiting_is_counted_afterwards() {
        let mut track = Track::default();
        assert_eq!(track.compare(id(3), look(1, 3, 3, 3), true), None);
        track.advance(id(9));
        assert_eq!(track.compare(id(9), look(9, 9, 1, 6), true), Some(trimmed(3, Some(9), Some(2))));
    }

    #[test]
    fn a_beginning_in_the_middle_counts_only_what_was_seen_to_be_there() {
        let mut track = Track::default();
        assert_eq!(track.compare(id(3), look(1, 9, 9, 9), true), None);
        let mut other = track;
        // It may have been read up to there.
        assert_eq!(track.compare(id(3), look(4, 9, 6, 9), true), None);
        assert_eq!(other.compare(id(3), look(12, 12, 1, 12), true), Some(trimmed(3, Some(12), None)));
    }

    #[test]
    fn a_stream_that_begins_again_is_read_from_its_beginning() {
        let mut track = Track::default();
        assert_eq!(track.compare(id(5), look(1, 5, 5, 5), true), None);
        let again = Missing {
            reason: GapReason::BegunAgain,
            after: id(5),
            before: Some(id(2)),
            lost: None,
            go_on: Some(EntryId::ZERO),
            told: None,
        };
        assert_eq!(track.compare(id(5), look(1, 2, 2, 2), true), Some(again));
        assert_eq!(track.compare(id(2), look(1, 2, 2, 2), true), None);
        // Also where it has come as far by now.
        let mut track = Track::default();
        assert_eq!(track.compare(id(5), look(1, 5, 5, 5), true), None);
        let again = Missing { before: Some(id(9)), ..again };
        assert_eq!(track.compare(id(5), look(1, 9, 2, 2), true), Some(again));
        // With higher ids nothing is left out.
        let mut track = Track::default();
        assert_eq!(track.compare(id(5), look(1, 5, 5, 5), true), None);
        assert_eq!(track.compare(id(5), look(6, 9, 2, 2), true), None);
    }

    #[test]
    fn a_stream_that_came_and_went_between_two_looks_has_begun_again() {
        let again = |before| {
            let (after, before) = (id(5), Some(id(before)));
            Missing { reason: GapReason::BegunAgain, after, before, lost: None, go_on: Some(EntryId::ZERO), told: None }
        };
        // It was not there at first.
        let mut track = Track::default();
        assert_eq!(track.compare(id(0), Look::default(), true), None);
        track.advance(id(5));
        assert_eq!(track.compare(id(5), look(1, 2, 2, 2), true), Some(again(2)));
        assert_eq!(track.compare(id(0), look(1, 2, 2, 2), true), None);
        // It was.
        let mut track = Track::default();
        assert_eq!(track.compare(id(1), look(1, 1, 1, 1), true), None);
        track.advance(id(5));
        assert_eq!(track.compare(id(5), look(3, 4, 2, 2), true), Some(again(4)));
    }

    #[test]
    fn a_stream_that_is_away_is_no_gap_until_it_begins_again() {
        let mut track = Track::default();
        assert_eq!(track.compare(id(4), look(1, 5, 5, 5), true), None);
        track.advance(id(5));
        let mut other = track;
        assert_eq!(track.compare(id(5), Look::default(), true), None);
        track.advance(id(6));
        assert_eq!(track.compare(id(6), look(6, 9, 2, 2), true), None);
        assert_eq!(other.compare(id(5), Look::default(), true), None);
        assert_eq!(other.compare(id(5), look(1, 2, 2, 2), true).map(|missing| missing.before), Some(Some(id(2))));
    }

    #[test]
    fn what_was_read_of_a_stream_that_has_begun_again_is_not_read_twice() {
        let mut track = Track::default();
        assert_eq!(track.compare(id(3), look(1, 3, 3, 3), true), None);
        track.advance(id(4));
        assert_eq!(track.compare(id(4), look(4, 5, 2, 2), true), None);
        track.advance(id(5));
        assert_eq!(track.compare(id(5), look(4, 5, 2, 2), true), None);
        assert_eq!(track.compare(id(5), look(9, 9, 1, 5), true), Some(trimmed(5, Some(9), Some(2))));
    }

    #[test]
    fn what_was_read_of_a_new_stream_before_that_was_seen_is_told_once() {
        let again = |told| {
            let (after, before, go_on) = (id(7), Some(id(8)), Some(EntryId::ZERO));
            Missing { reason: GapReason::BegunAgain, after, before, lost: None, go_on, told }
        };
        // Fewer were added, or it was trimmed and now it is not.
        for (length, added) in [(3, 4), (9, 9)] {
            let mut track = Track::default();
            assert_eq!(track.compare(id(5), look(4, 5, 2, 5), true), None);
            track.advance(id(6));
            track.advance(id(7));
            let told = Some((id(6), id(7)));
            assert_eq!(track.compare(id(7), look(1, 8, length, added), true), Some(again(told)));
        }
        // An entry stands before the first there was; all were away.
        for then in [look(4, 5, 2, 2), look(0, 5, 0, 0)] {
            let mut track = Track::default();
            assert_eq!(track.compare(id(5), then, true), None);
            track.advance(id(7));
            assert_eq!(track.compare(id(7), look(3, 8, 9, 9), true), Some(again(Some((id(7), id(7))))));
        }
        // What was there already at the look before is of the old one.
        let mut track = Track::default();
        assert_eq!(track.compare(id(5), look(1, 9, 9, 9), true), None);
        track.advance(id(6));
        track.advance(id(7));
        assert_eq!(track.compare(id(7), look(1, 8, 8, 8), true), Some(again(None)));
        // Another server may lag behind.
        let mut track = Track::default();
        assert_eq!(track.compare(id(5), look(4, 5, 2, 5), true), None);
        assert_eq!(track.compare(id(5), look(3, 5, 3, 5), false), None);
    }

    #[test]
    fn another_server_may_have_lost_the_newest_entries() {
        let mut track = Track::default();
        assert_eq!(track.compare(id(5), look(1, 5, 5, 5), true), None);
        let back = Missing {
            reason: GapReason::SetBack,
            after: id(5),
            before: Some(id(4)),
            lost: None,
            go_on: Some(id(4)),
            told: None,
        };
        assert_eq!(track.compare(id(5), look(1, 4, 4, 4), false), Some(back));
    }

    #[test]
    fn a_beginning_in_the_future_waits() {
        let mut track = Track::default();
        assert_eq!(track.compare(id(99), look(1, 5, 5, 5), true), None);
        assert_eq!(track.compare(id(99), look(1, 6, 6, 6), true), None);
    }
}
