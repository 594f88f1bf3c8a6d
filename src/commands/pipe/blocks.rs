//! What the answers of a pipeline say of its MULTI … EXEC blocks, as far as the end of the run has to tell: the block
//! that is open on the server, and those that did not run (contract section 6). What the commands of the input would do
//! is told by their names; what they did, only by their answers.

use std::collections::VecDeque;

use super::files::Origin;
use crate::command::request::Request;
use crate::command::restrictions::{Effect, Report, report_of};
use crate::reply::{ErrorReply, Frame};

/// A command in flight that opens or ends a block, or sets the state of the connection.
#[derive(Clone, Copy, Debug)]
struct Mark {
    /// Its number in the input, counted from 1.
    number: u64,
    origin: Origin,
    effect: Effect,
    /// Whether it has no arguments.
    is_alone: bool,
}

/// A block that the server has opened.
#[derive(Clone, Copy, Debug)]
struct Open {
    /// The number of its MULTI.
    number: u64,
    /// Where its MULTI stands.
    origin: Origin,
    /// Whether a command in it sets the state of the connection.
    sets_state: bool,
}

/// A block in which a run came to its end.
#[derive(Clone, Copy, Debug)]
pub struct Cut {
    /// How many commands stand before its MULTI.
    pub before: u64,
    /// Where its MULTI stands.
    pub begin: Origin,
    /// Where its EXEC stands, if that was sent: then the block may have run.
    pub exec: Option<Origin>,
}

/// The blocks of a pipeline.
#[derive(Debug, Default)]
pub struct Blocks {
    /// Oldest first.
    marks: VecDeque<Mark>,
    open: Option<Open>,
    not_run: Vec<u64>,
    /// Whether a block is open by the names of what was sent last.
    is_sent_open: bool,
    /// Commands of blocks whose replies are reports, by their numbers, oldest first.
    reports: VecDeque<(u64, Report)>,
    /// Those of the block that was answered last, by their places in it.
    answered_reports: Vec<(usize, Report)>,
}

impl Blocks {
    /// Takes note of a command that is sent and has an effect.
    pub fn push(&mut self, request: &Request, effect: Effect, number: u64, origin: Origin) {
        match effect {
            Effect::Multi => self.is_sent_open = true,
            Effect::Exec | Effect::Discard => self.is_sent_open = false,
            _ => {}
        }
        self.marks.push_back(Mark { number, origin, effect, is_alone: request.len() == 1 });
    }

    /// Takes note of a command without an effect: in a block its reply comes with EXEC's.
    pub fn push_report(&mut self, request: &Request, number: u64) {
        if self.is_sent_open
            && let Some(report) = report_of(request)
        {
            self.reports.push_back((number, report));
        }
    }

    /// Whether the answer that came last is EXEC's, with reports in it.
    pub fn has_reports(&self) -> bool {
        !self.answered_reports.is_empty()
    }

    /// Those reports, by their places.
    pub fn take_reports(&mut self) -> Vec<(usize, Report)> {
        std::mem::take(&mut self.answered_reports)
    }

    /// Finds the reports in the answer to the EXEC of this number. Where a command was refused without ending the
    /// block, no place can be told.
    fn find_reports(&mut self, exec: u64, answer: Frame<'_>) {
        let first = self.open.map_or(exec, |open| open.number + 1);
        let is_whole = answer.children().count() as u64 == exec - first;
        while let Some((number, report)) = self.reports.pop_front_if(|(number, _)| *number < exec) {
            if let (true, Some(place)) = (is_whole, number.checked_sub(first)) {
                self.answered_reports.push((usize::try_from(place).unwrap_or(usize::MAX), report));
            }
        }
    }

    /// Whether no answer to a command in flight would tell anything.
    pub fn is_empty(&self) -> bool {
        self.marks.is_empty()
    }

    /// The command of this number was answered. Where its EXEC stands, if a watched key had changed.
    pub fn answer(&mut self, number: u64, answer: Frame<'_>) -> Option<Origin> {
        let mark = self.marks.pop_front_if(|mark| mark.number == number)?;
        let is_taken = !answer.is_error();
        match mark.effect {
            Effect::Multi if is_taken => {
                self.open = Some(Open { number: mark.number, origin: mark.origin, sets_state: false });
            }
            Effect::Sets(_) if is_taken => {
                if let Some(open) = &mut self.open {
                    open.sets_state = true;
                }
            }
            Effect::Discard if is_taken => self.open = None,
            Effect::Exec => {
                if !self.reports.is_empty() {
                    self.find_reports(mark.number, answer);
                }
                return self.executed(&mark, answer);
            }
            _ => {}
        }
        None
    }

    fn executed(&mut self, mark: &Mark, answer: Frame<'_>) -> Option<Origin> {
        let was_run = match ErrorReply::of(answer) {
            // With arguments it is no EXEC, and the block is open still, unless the server dropped it for that.
            Some(error) if !mark.is_alone && error.code() != "EXECABORT" => return None,
            Some(_) => false,
            None => !answer.is_nil(),
        };
        if self.open.take()?.sets_state && !was_run {
            self.not_run.push(mark.number);
        }
        answer.is_nil().then_some(mark.origin)
    }

    /// Forgets the commands after this number: they were not sent.
    pub fn forget_after(&mut self, number: u64) {
        while self.marks.pop_back_if(|mark| mark.number > number).is_some() {}
    }

    /// The block that is cut if the run ends after this many commands of the input. With `is_garbled` the next one was
    /// answered too, with what cannot be decoded: an EXEC or a DISCARD then has ended its block, a MULTI opened one.
    pub fn cut_after(&self, answered: u64, is_garbled: bool) -> Option<Cut> {
        let mut cut = self.open.map(|open| (open.number, open.origin));
        let mut sent = self.marks.iter().peekable();
        if is_garbled && let Some(mark) = sent.next_if(|mark| mark.number == answered + 1) {
            match mark.effect {
                Effect::Multi if cut.is_none() && mark.is_alone => cut = Some((mark.number, mark.origin)),
                Effect::Exec | Effect::Discard => cut = None,
                _ => {}
            }
        }
        let (number, begin) = cut?;
        let end = sent.find(|mark| matches!(mark.effect, Effect::Exec | Effect::Discard));
        let exec = end.filter(|mark| mark.effect == Effect::Exec).map(|mark| mark.origin);
        Some(Cut { before: number - 1, begin, exec })
    }

    /// The numbers of the EXECs that ran nothing of a block in which something sets the state of the connection.
    pub fn not_run(&self) -> &[u64] {
        &self.not_run
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test ends by panicking")]
mod tests {
    use super::*;
    use crate::command::restrictions::effect_of;
    use crate::reply::OwnedFrame;

    /// The blocks after these commands, sent one after the other; the second word is how the server answers.
    fn after(commands: &[(&str, &str)]) -> Blocks {
        let mut blocks = Blocks::default();
        for (line, (command, _)) in (1..).zip(commands) {
            let request = Request::new(command.split(' '));
            let effect = effect_of(&request);
            if effect != Effect::None {
                blocks.push(&request, effect, line, Origin { file: 0, line });
            }
        }
        for (number, (_, answer)) in (1..).zip(commands) {
            let answer = match *answer {
                "" => break,
                "nil" => OwnedFrame::nil(),
                "array" => OwnedFrame::new(b"*0\r\n".to_vec(), false),
                "ok" => OwnedFrame::simple("OK"),
                error => OwnedFrame::error(error),
            };
            blocks.answer(number, answer.frame());
        }
        blocks
    }

    fn cut(blocks: &Blocks, answered: u64, is_garbled: bool) -> Option<(u64, Option<u64>)> {
        blocks.cut_after(answered, is_garbled).map(|cut| (cut.before, cut.exec.map(|exec| exec.line)))
    }

    #[test]
    fn a_block_is_open_as_the_server_says_and_not_as_the_names_do() {
        let open = |commands| cut(&after(commands), 9, false).map(|(before, _)| before);
        assert_eq!(open(&[("SET a 1", "ok"), ("MULTI", "ok")]), Some(1));
        assert_eq!(open(&[("MULTI", "NOPERM no")]), None);
        assert_eq!(open(&[("MULTI x", "ERR arguments")]), None);
        assert_eq!(open(&[("MULTI", "ok"), ("MULTI", "ERR nested")]), Some(0));
        assert_eq!(open(&[("MULTI", "ok"), ("EXEC", "array")]), None);
        assert_eq!(open(&[("MULTI", "ok"), ("EXEC", "nil")]), None);
        assert_eq!(open(&[("MULTI", "ok"), ("EXEC", "EXECABORT no")]), None);
        assert_eq!(open(&[("MULTI", "ok"), ("EXEC x", "EXECABORT no")]), None);
        assert_eq!(open(&[("MULTI", "ok"), ("EXEC x", "ERR arguments")]), Some(0));
        assert_eq!(open(&[("MULTI", "ok"), ("DISCARD", "ok")]), None);
        assert_eq!(open(&[("MULTI", "ok"), ("DISCARD x", "ERR arguments")]), Some(0));
        assert_eq!(open(&[("EXEC", "ERR EXEC without MULTI")]), None);
    }

    #[test]
    fn what_was_sent_behind_the_last_answer_tells_whether_the_block_may_have_run() {
        let commands = [("MULTI", "ok"), ("SET a 1", ""), ("EXEC", ""), ("MULTI", ""), ("EXEC", "")];
        let mut blocks = after(&commands);
        assert_eq!(cut(&blocks, 1, false), Some((0, Some(3))));
        blocks.forget_after(2);
        assert_eq!(cut(&blocks, 1, false), Some((0, None)));
        let blocks = after(&[("MULTI", "ok"), ("DISCARD", ""), ("MULTI", ""), ("EXEC", "")]);
        assert_eq!(cut(&blocks, 1, false), Some((0, None)));
    }

    #[test]
    fn an_answer_that_cannot_be_decoded_ends_and_opens_blocks_too() {
        assert_eq!(cut(&after(&[("MULTI", "")]), 0, true), Some((0, None)));
        assert_eq!(cut(&after(&[("MULTI", "")]), 0, false), None);
        let blocks = after(&[("MULTI", "ok"), ("EXEC", "")]);
        assert_eq!(cut(&blocks, 1, true), None);
        assert_eq!(cut(&blocks, 1, false), Some((0, Some(2))));
        assert_eq!(cut(&after(&[("MULTI", "ok"), ("SET a 1", ""), ("EXEC", "")]), 1, true), Some((0, Some(3))));
    }

    #[test]
    fn blocks_that_did_not_run_are_remembered_if_they_set_the_state() {
        let blocks = after(&[
            ("MULTI", "ok"),
            ("SELECT 3", "ok"),
            ("EXEC", "EXECABORT no"),
            ("MULTI", "ok"),
            ("SET a 1", "ok"),
            ("EXEC", "nil"),
            ("MULTI", "ok"),
            ("SELECT 3", "ok"),
            ("EXEC", "array"),
            ("MULTI", "ok"),
            ("CLIENT SETNAME x", "ok"),
            ("EXEC", "nil"),
        ]);
        assert_eq!(blocks.not_run(), [3, 12]);
    }
}
