//! One server that is walked: its cursor, what is asked there and not answered, and how it goes on after a loss. The next
//! SCAN is sent before the keys of the last one are written, and together with the questions about them.

use std::collections::VecDeque;
use std::mem;
use std::time::Instant;

use super::looks::Looks;
use super::output::Output;
use super::page::{Page, Progress};
use super::scan::{Counts, Scan, Target};
use super::walk::Halt;
use crate::command::request::Request;
use crate::net::{Address, Lost, Redirect, Retry, Session, SlotSet, slot_of};
use crate::reply::{ErrorReply, Frame, Kind};

/// What a reply will be to.
enum Expected {
    Asking,
    Scan,
    /// The questions about a page.
    Looks(Page),
}

/// Pages that are being asked about, beside the one that is scanned meanwhile.
const PAGES: usize = 2;

/// A server that is walked.
pub struct Node {
    /// Its place among the nodes of this walk.
    pub number: usize,
    /// Where it is, or the primary that it is a replica of.
    pub address: Address,
    /// Which replica is read, if any is.
    pub reader: Option<Address>,
    /// None before it is opened, and after a loss.
    pub session: Option<Session>,
    /// The process that the cursor is worth something to; none if it is not known.
    pub run_id: Option<String>,
    /// Why the last connection was lost, while there is no other.
    pub lost: Option<String>,
    /// Why there is no other.
    pub unreached: Option<String>,
    /// Whether it is away for no other reason than that it could not answer.
    pub is_put_off: bool,
    /// Whether it was ever asked, and whether it has given anything.
    pub has_begun: bool,
    pub has_given: bool,
    /// Whether it could not be reached and another one has what it had.
    pub was_given_up: bool,
    /// Whether it was no owner of a slot that was to be walked by itself.
    pub was_refused: bool,
    plan: Vec<Target>,
    /// What of that is left; the first is being walked.
    targets: VecDeque<Target>,
    /// Where the next SCAN goes on.
    cursor: Vec<u8>,
    /// Whether that is to be sent.
    is_due: bool,
    /// Not before this.
    rests_until: Option<Instant>,
    expected: VecDeque<Expected>,
    counts: Counts,
    /// A page whose memory can be used again.
    spare: Page,
    /// The tries since it last came further.
    pub retry: Option<Retry>,
    /// Whether every command is to be let in by ASKING.
    pub asks: bool,
    /// The slots that are on their way here, if there are any.
    pub importing: Option<SlotSet>,
}

impl Node {
    /// A server of which this is to be walked.
    pub fn new(number: usize, address: Address, targets: impl IntoIterator<Item = Target>, counts: Counts) -> Self {
        let plan: Vec<Target> = targets.into_iter().collect();
        Self {
            number,
            address,
            reader: None,
            session: None,
            run_id: None,
            lost: None,
            unreached: None,
            is_put_off: false,
            has_begun: false,
            has_given: false,
            was_given_up: false,
            was_refused: false,
            targets: plan.iter().cloned().collect(),
            cursor: plan.first().map(Target::start).unwrap_or_default(),
            plan,
            is_due: true,
            rests_until: None,
            expected: VecDeque::new(),
            counts,
            spare: Page::default(),
            retry: None,
            asks: false,
            importing: None,
        }
    }

    /// Whether all of it was given.
    pub fn is_done(&self) -> bool {
        self.targets.is_empty() && self.expected.is_empty()
    }

    /// Begins with what is to be walked now from its start, and forgets what was asked.
    pub fn begin_again(&mut self) {
        self.expected.clear();
        self.targets = self.plan.iter().cloned().collect();
        self.begin_target();
    }

    /// Begins with the first of what is left, if anything is.
    fn begin_target(&mut self) {
        self.cursor = self.targets.front().map(Target::start).unwrap_or_default();
        self.is_due = !self.targets.is_empty();
    }

    /// Leaves what is left to another node.
    pub fn give_up(&mut self) {
        self.expected.clear();
        self.targets.clear();
        self.was_given_up = true;
    }

    /// Goes on with another connection to the same process: asks again what was not answered.
    pub fn go_on(&mut self, looks: &Looks, output: &mut Output) -> Result<(), Halt> {
        let unanswered = mem::take(&mut self.expected);
        self.is_due = !self.targets.is_empty();
        for expected in unanswered {
            if let Expected::Looks(mut page) = expected {
                page.begin_again();
                self.ask(page, looks, output)?;
            }
        }
        Ok(())
    }

    /// Asks the present stage about a page; a page about which nothing is left to ask is done.
    fn ask(&mut self, mut page: Page, looks: &Looks, output: &mut Output) -> Result<(), Halt> {
        let Some(session) = &mut self.session else { return Ok(()) };
        loop {
            match page.ask(looks, session.outgoing(), output, self.number)? {
                Progress::Waits => {
                    self.expected.push_back(Expected::Looks(page));
                    return Ok(());
                }
                Progress::Asks => {}
                Progress::Done => {
                    self.spare = page;
                    return Ok(());
                }
            }
        }
    }

    /// How many pages are being asked about.
    fn pages(&self) -> usize {
        self.expected.iter().filter(|expected| matches!(expected, Expected::Looks(_))).count()
    }

    /// Packs the next SCAN, if it is due and not too much waits for answers.
    fn scan(&mut self, scan: &Scan) {
        let (Some(session), Some(target)) = (&mut self.session, self.targets.front()) else { return };
        if !self.is_due || self.rests_until.is_some_and(|end| Instant::now() < end) {
            return;
        }
        self.is_due = false;
        self.rests_until = scan.interval.map(|interval| Instant::now() + interval);
        if self.asks {
            Request::new(["ASKING"]).pack(session.outgoing());
            self.expected.push_back(Expected::Asking);
        }
        session.put(&scan.request(target, &self.cursor, self.counts.next()));
        self.expected.push_back(Expected::Scan);
    }

    /// When the next SCAN is to be sent, where that is later.
    pub fn rest_ends(&self) -> Option<Instant> {
        self.rests_until.filter(|_| self.is_due)
    }

    pub fn awaits(&self) -> bool {
        !self.expected.is_empty()
    }

    /// Sends what is due, and takes in all that has come.
    pub fn work(&mut self, scan: &Scan, looks: &mut Looks, output: &mut Output) -> Result<(), Halt> {
        loop {
            if self.pages() < PAGES {
                self.scan(scan);
            }
            let Some(session) = &mut self.session else { return Ok(()) };
            // What a server said before it closed is still to be read.
            let unsendable = session.send().err();
            let received = session.receive().map(|frame| frame.map(Frame::is_push));
            match (received, unsendable) {
                (Ok(Some(true)), _) => session.tell(),
                (Ok(Some(false)), _) => self.answered(scan, looks, output)?,
                (Ok(None), None) => return Ok(()),
                (Ok(None), Some(lost)) => return Err(Halt::Lost(lost)),
                (Err(lost @ Lost::Refused { .. }), _) | (Err(lost), None) | (Err(_), Some(lost)) => {
                    return Err(Halt::Lost(lost));
                }
            }
        }
    }

    /// Takes the reply that was received last.
    fn answered(&mut self, scan: &Scan, looks: &mut Looks, output: &mut Output) -> Result<(), Halt> {
        let Some(session) = &self.session else { return Ok(()) };
        match self.expected.front_mut() {
            Some(Expected::Looks(page)) => match page.take(session.current(), looks, output, self.number)? {
                Progress::Waits => Ok(()),
                progress => self.end_stage(progress == Progress::Done, looks, output),
            },
            Some(Expected::Scan) => {
                self.expected.pop_front();
                self.scanned(scan, looks, output)
            }
            Some(Expected::Asking) => {
                self.expected.pop_front();
                Ok(())
            }
            None => Err(Halt::Lost(Lost::Undecodable("a reply that nothing was asked for".to_owned()))),
        }
    }

    /// A stage of the first page is answered.
    fn end_stage(&mut self, is_done: bool, looks: &Looks, output: &mut Output) -> Result<(), Halt> {
        let Some(Expected::Looks(page)) = self.expected.pop_front() else { return Ok(()) };
        if !is_done {
            return self.ask(page, looks, output);
        }
        self.counts.note(page.answered);
        self.spare = page;
        self.retry = None;
        Ok(())
    }

    /// A SCAN is answered: asks on, then gives the keys, or asks about them.
    fn scanned(&mut self, scan: &Scan, looks: &Looks, output: &mut Output) -> Result<(), Halt> {
        let Some(session) = &mut self.session else { return Ok(()) };
        let frame = session.current();
        if let Some(error) = ErrorReply::of(frame) {
            return self.refused(error, scan, output);
        }
        let is_counted = !matches!(self.targets.front(), Some(Target::Slot(_)));
        let Some(cursor) = cursor_of(frame, is_counted) else {
            return Err(Halt::Lost(Lost::Undecodable("SCAN answers a cursor and keys".to_owned())));
        };
        if looks.is_empty() {
            self.counts.note(frame.bytes().len());
        }
        self.cursor.clear();
        self.cursor.extend_from_slice(cursor);
        let given = self.targets.front().and_then(Target::slots).cloned();
        self.is_due = true;
        if self.cursor == b"0" {
            self.targets.pop_front();
            self.begin_target();
        }
        if self.pages() < PAGES {
            self.scan(scan);
            // Questions about the keys go along.
            if let Some(session) = self.session.as_mut().filter(|_| looks.is_empty()) {
                // What the write cannot take is told by the next one.
                let _ = session.send();
            }
        }
        let Some(session) = &self.session else { return Ok(()) };
        let frame = session.current();
        let elements = elements_of(frame);
        if let Some(names) = scan.pair_names() {
            let mut elements = elements;
            while let (Some(left), Some(right)) = (elements.next(), elements.next()) {
                output.pair(names, left, right)?;
            }
        } else if looks.is_empty() {
            let mut count = 0;
            for key in elements.filter(|key| given.as_ref().is_none_or(|slots| slots.contains(&slot_of(key)))) {
                output.key(key)?;
                count += 1;
            }
            output.bar.advance(count);
        } else {
            let mut page = mem::take(&mut self.spare);
            page.clear();
            for key in elements.filter(|key| given.as_ref().is_none_or(|slots| slots.contains(&slot_of(key)))) {
                page.push(key, self.importing.as_ref().is_some_and(|slots| slots.contains(&slot_of(key))));
            }
            output.bar.advance(page.len() as u64);
            if !page.is_empty() {
                page.begin(looks);
                return self.ask(page, looks, output);
            }
            self.spare = page;
        }
        (self.retry, self.has_given) = (None, true);
        Ok(())
    }

    fn refused(&mut self, error: ErrorReply, scan: &Scan, output: &mut Output) -> Result<(), Halt> {
        match Redirect::of_error(&error) {
            Some(Redirect::Down | Redirect::TryAgain) => Err(Halt::Later(error.reason().to_owned())),
            Some(redirect) if output.is_cluster && scan.key().is_some() => Err(Halt::Redirected(redirect)),
            // A slot that is not here any more is found where it is now. SCAN is of none, and nobody sends it elsewhere.
            Some(_) if matches!(self.targets.front(), Some(Target::Slot(_))) => {
                self.was_refused = true;
                self.targets.pop_front();
                self.begin_target();
                Ok(())
            }
            _ => Err(Halt::Refused(error)),
        }
    }
}

/// The cursor in a reply to SCAN; none where it is another reply. CLUSTERSCAN's is no number.
fn cursor_of(frame: Frame<'_>, is_number: bool) -> Option<&[u8]> {
    let mut walk = frame.walk();
    let (head, cursor, keys) = (walk.next()?, walk.next()?, walk.next()?);
    let is_pair = head.kind == Kind::Array && head.count == 2 && keys.kind.is_aggregate();
    let is_cursor = !cursor.text.is_empty() && (!is_number || cursor.text.iter().all(u8::is_ascii_digit));
    (is_pair && is_cursor).then_some(cursor.text)
}

/// The texts of the elements of a reply to SCAN.
fn elements_of(frame: Frame<'_>) -> impl Iterator<Item = &[u8]> {
    frame.walk().skip(3).map(|element| element.text)
}
