//! What the answers mean: entries to be given, and what streams say of themselves (contract section 15). Refusals are in
//! `refusals.rs`.

use std::sync::Arc;

use super::super::error::Unopened;
use super::super::stream::Loss;
use super::cursor::{Cursor, Phase};
use super::look::{Look, Missing, group_in, id_of};
use super::reader::{Asked, Block};
use super::requests::{CANDIDATES, next_claims};
use super::{Acknowledge, Entries, Queued, Step, streams_of};
use crate::reply::{BadForm, Deliveries, EntryId, ErrorReply, Event, Found, Frame, GapReason, Place};
use crate::text;

fn nonsense() -> Loss {
    Loss::now("the server sent what belongs to no stream of entries")
}

impl Entries {
    /// Takes the answer that a connection has received.
    pub(super) fn take_answer(&mut self, at: usize) -> Result<(), Unopened> {
        self.note_current(at);
        let Some(link) = &mut self.readers[at].link else { return Ok(()) };
        let Some(asked) = link.asked.pop_front() else { return self.lose(at, nonsense()) };
        if let Some(error) = ErrorReply::of(link.session.current()) {
            return self.refuse(at, &asked, &error);
        }
        link.has_answered = true;
        self.note_well(at);
        let Some(link) = &self.readers[at].link else { return Ok(()) };
        let frame = link.session.current();
        match asked {
            Asked::Asking => {}
            Asked::Acknowledge(stream) => self.cursors[stream].sent.clear(),
            Asked::Look(stream) => {
                let look = Look::read(frame);
                self.take_look(at, stream, look);
            }
            Asked::Group(stream) => {
                let name = self.reading.group.as_ref().map(|group| group.name.as_slice()).unwrap_or_default();
                let delivered = group_in(frame, name);
                self.take_group(at, stream, delivered);
            }
            Asked::Make(stream) => self.note_made(stream),
            Asked::Counts(stream) => {
                let counts = candidates_in(frame).map(|(id, _, count)| (id, count)).collect();
                self.cursors[stream].counts = counts;
            }
            Asked::Candidates(stream) => self.take_candidates(at, stream),
            Asked::Pending(..) | Asked::New(_) => return self.begin_block(at, asked, Place::of_streams(frame)),
            Asked::Claim(_) => return self.begin_block(at, asked, Place::of_entries(frame)),
        }
        Ok(())
    }

    fn begin_block(&mut self, at: usize, asked: Asked, place: Result<Place, BadForm>) -> Result<(), Unopened> {
        let Ok(place) = place else { return self.lose(at, nonsense()) };
        for stream in streams_of(&asked) {
            self.cursors[*stream].had_group = true;
        }
        let reader = &mut self.readers[at];
        reader.has_read = true;
        if let Some(link) = &mut reader.link {
            link.block = Some(Block { asked, place, count: 0 });
        }
        Ok(())
    }

    /// The next entry of the answer that is being read; none at its end.
    #[inline]
    pub(super) fn read_on(&mut self, at: usize) -> Result<Option<Step>, Unopened> {
        self.note_current(at);
        loop {
            let Some(link) = &mut self.readers[at].link else { return Ok(None) };
            let Some(block) = &mut link.block else { return Ok(None) };
            let frame = link.session.current();
            let found = match block.place.next(frame) {
                Ok(Some(found)) => found,
                Ok(None) => {
                    self.end_block(at);
                    return Ok(None);
                }
                Err(BadForm) => return self.lose(at, nonsense()).map(|()| None),
            };
            let id = EntryId::parse(&frame.bytes()[found.id.clone()]);
            let stream = place_of(&self.cursors, &block.asked, &frame.bytes()[found.stream.clone()]);
            let (Some(id), Some(stream)) = (id, stream) else { return self.lose(at, nonsense()).map(|()| None) };
            block.count += 1;
            let is_new = matches!(block.asked, Asked::New(_));
            let is_claimed = matches!(block.asked, Asked::Claim(_));
            if let Some(deliveries) = self.note_entry(stream, id, is_new, is_claimed, found.fields.is_none()) {
                return Ok(Some(Step::Entry { reader: at, stream, id, found: Found { ..found }, deliveries }));
            }
        }
    }

    /// Takes note of an entry that came; how often it was delivered, or none where it is not wanted.
    #[inline]
    fn note_entry(
        &mut self,
        stream: usize,
        id: EntryId,
        is_new: bool,
        is_claimed: bool,
        is_deleted: bool,
    ) -> Option<Deliveries> {
        let cursor = &mut self.cursors[stream];
        if is_new && cursor.is_stale {
            return None;
        }
        let deliveries = match &self.reading.group {
            None => Deliveries::Ungrouped,
            Some(_) if is_new => Deliveries::Times(1),
            Some(_) if is_claimed => {
                let asked = cursor.claims.asked.iter().find(|(asked, _)| *asked == id);
                asked.map_or(Deliveries::Unknown, |(_, count)| Deliveries::Times(count + 1))
            }
            // One that is not there any more is not delivered again.
            Some(_) => cursor
                .count_of(id)
                .map_or(Deliveries::Unknown, |count| Deliveries::Times(count + u64::from(!is_deleted))),
        };
        if !is_new && !is_claimed {
            cursor.phase = Phase::Pending(id);
            if cursor.was_given(id) {
                return None;
            }
        }
        if let Some(until) = cursor.until {
            cursor.is_over |= is_new && until <= id;
            if until < id {
                return None;
            }
        }
        cursor.seen = cursor.seen.max(id);
        if is_new {
            cursor.track.advance(id);
        }
        if let Some((first, last)) = cursor.told {
            cursor.told = cursor.told.filter(|_| id < last);
            if first <= id && id <= last {
                return None;
            }
        }
        if let Some(left) = &mut self.left {
            *left = left.saturating_sub(1);
        }
        let Some(group) = &self.reading.group else { return Some(deliveries) };
        let is_handled = group.acknowledge == Acknowledge::Handled && !is_deleted;
        if group.acknowledge != Acknowledge::Written {
            cursor.note_given(id);
        }
        if group.acknowledge != Acknowledge::Never && !is_handled {
            cursor.given.push(id);
        }
        if group.window.is_some() {
            cursor.in_flight += 1;
        }
        Some(deliveries)
    }

    /// All entries of an answer are given.
    fn end_block(&mut self, at: usize) {
        let reader = &mut self.readers[at];
        let Some(link) = &mut reader.link else { return };
        let Some(Block { asked, count, .. }) = link.block.take() else { return };
        let bytes = link.session.current().bytes().len();
        reader.note_block(count, bytes);
        reader.taken = 0;
        match asked {
            Asked::Pending(stream, most) => {
                let cursor = &mut self.cursors[stream];
                cursor.counts.clear();
                if count < most {
                    cursor.end_pending();
                }
            }
            Asked::Claim(stream) => self.cursors[stream].claims.asked.clear(),
            Asked::New(streams) => {
                for stream in streams {
                    let cursor = &mut self.cursors[stream];
                    // Nothing more comes of what was there.
                    let is_over = count == 0 && cursor.until.is_some_and(|until| until <= cursor.last_known);
                    cursor.is_over |= is_over && !std::mem::take(&mut cursor.is_stale);
                    cursor.is_stale = false;
                }
            }
            _ => {}
        }
        self.tell_end();
    }

    /// Says it when all that was asked for has come.
    fn tell_end(&mut self) {
        if self.cursors.iter().all(|cursor| cursor.is_over) && !self.is_closing {
            self.close();
            self.announced.push_back((Arc::clone(&self.current), Queued::End));
        }
    }

    /// What a stream says of itself.
    pub(super) fn take_look(&mut self, at: usize, stream: usize, look: Look) {
        let link = self.readers[at].link.as_ref().map_or(0, |link| link.id);
        let cursor = &mut self.cursors[stream];
        cursor.last_known = look.last;
        if cursor.start.is_none() {
            cursor.start = Some(look.last);
        }
        if self.reading.until == Some(super::Edge::Latest) && cursor.until.is_none() {
            cursor.until = Some(look.last);
            let is_empty = look.length == 0 || look.last <= cursor.after().unwrap_or_default();
            cursor.is_over = self.reading.group.is_none() && is_empty;
        }
        // Whatever is added behind where reading begins is behind where it is to end.
        let is_behind = cursor.until.zip(cursor.after()).is_some_and(|(until, after)| until <= after);
        cursor.is_over |= self.reading.group.is_none() && is_behind;
        if self.reading.group.is_some() {
            cursor.look = Some(look);
        } else {
            let last = cursor.after().unwrap_or_default();
            self.compare(stream, last, look, link);
        }
        self.tell_end();
    }

    /// How far the group of a stream was delivered; none where there is no such group.
    pub(super) fn take_group(&mut self, at: usize, stream: usize, delivered: Option<EntryId>) {
        let link = self.readers[at].link.as_ref().map_or(0, |link| link.id);
        let cursor = &mut self.cursors[stream];
        let look = cursor.look.take();
        cursor.is_seen_groupless = cursor.is_groupless && delivered.is_none();
        match (delivered, look) {
            (Some(delivered), look) => {
                cursor.is_groupless = false;
                if let Some(look) = look {
                    self.compare(stream, delivered, look, link);
                }
            }
            (None, look) if cursor.is_groupless => {
                cursor.track.begin_again();
                let (after, look) = (cursor.after().unwrap_or_default(), look.unwrap_or_default());
                // A group of what is behind what this stream never had would be given nothing.
                if cursor.seen != EntryId::ZERO && look.last < after {
                    cursor.go_on(EntryId::ZERO, None);
                    cursor.is_stale = false;
                    let before = (look.length > 0).then_some(look.last);
                    let stream = cursor.name.clone();
                    let reason = GapReason::BegunAgain;
                    self.announce(Event::Gap { stream, reason, after, before, lost: None });
                }
            }
            (None, _) => {}
        }
    }

    fn compare(&mut self, stream: usize, read: EntryId, look: Look, link: u64) {
        let cursor = &mut self.cursors[stream];
        let is_same = std::mem::replace(&mut cursor.looked_by, link) == link;
        let Some(missing) = cursor.track.compare(read, look, is_same) else { return };
        if let (Some(go_on), None) = (missing.go_on, &self.reading.group) {
            cursor.go_on(go_on, missing.told);
        }
        let stream = cursor.name.clone();
        let Missing { reason, after, before, lost, .. } = missing;
        self.announce(Event::Gap { stream, reason, after, before, lost });
    }

    fn announce(&mut self, event: Event) {
        self.announced.push_back((Arc::clone(&self.current), Queued::Event(event)));
    }

    /// A group is there that was missing.
    pub(super) fn note_made(&mut self, stream: usize) {
        let cursor = &mut self.cursors[stream];
        (cursor.is_groupless, cursor.is_seen_groupless) = (false, false);
        cursor.phase = Phase::Pending(EntryId::ZERO);
        cursor.claims.forget();
        let after = cursor.after().unwrap_or_default();
        let name = cursor.name.clone();
        if let (true, Some(group)) = (cursor.had_group, &self.reading.group) {
            let group = group.name.clone();
            self.announce(Event::GroupMade { stream: name, group, after });
        }
    }

    /// What others have left, page by page.
    fn take_candidates(&mut self, at: usize, stream: usize) {
        let Some(link) = &self.readers[at].link else { return };
        let Some(group) = &self.reading.group else { return };
        let cursor = &mut self.cursors[stream];
        let (mut count, mut page_ends) = (0, None);
        for (id, consumer, times) in candidates_in(link.session.current()) {
            (count, page_ends) = (count + 1, Some(id));
            // What is ours is read as such, but for what was claimed when a connection was lost.
            let was_claimed = cursor.claims.lost.iter().position(|lost| *lost == id);
            if consumer != group.consumer || was_claimed.is_some() {
                cursor.claims.found.push((id, times));
            }
            was_claimed.map(|place| cursor.claims.lost.swap_remove(place));
        }
        cursor.claims.from = page_ends.filter(|_| count >= CANDIDATES);
        if cursor.claims.from.is_none() {
            cursor.claims.due = next_claims(group);
        }
    }
}

/// The place of the stream of this name among those that were asked for.
#[inline]
fn place_of(cursors: &[Cursor], asked: &Asked, name: &[u8]) -> Option<usize> {
    match asked {
        Asked::New(streams) => streams.iter().copied().find(|stream| cursors[*stream].name == name),
        _ => streams_of(asked).first().copied(),
    }
}

/// The entries of an answer to XPENDING, their consumers, and how often they were delivered.
fn candidates_in(frame: Frame<'_>) -> impl Iterator<Item = (EntryId, &[u8], u64)> {
    frame.children().filter_map(|row| {
        let mut row = row.children();
        let (id, consumer, _idle, count) = (row.next()?, row.next()?, row.next()?, row.next()?);
        Some((id_of(id)?, consumer.head().text, text::number(count.head().text)?))
    })
}
