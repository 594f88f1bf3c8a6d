//! The end of a pipeline: its exit status, and how to go on where it ended before its time (contract section 6).

use std::fmt::Write as _;

use super::blocks::Cut;
use super::check::UNCLOSED;
use super::flight::Origin;
use super::{Closing, Pipe};
use crate::exit::{Exit, Failure, Outcome};
use crate::report::report;
use crate::server::Lost;

impl Pipe<'_> {
    /// All that was sent is answered.
    pub(super) fn end(mut self) -> Outcome<Exit> {
        self.flush()?;
        self.progress.end_bar();
        let exit = match self.closing.take() {
            Some(Closing::BadLine(failure)) => failure.noting(&self.before_bad_line()).report(),
            Some(Closing::Error) => {
                report(&format!("stopped after an error: {}", self.resume(false)));
                Exit::ErrorReply
            }
            Some(Closing::Input) | None => match self.blocks.cut_after(self.answered_number(), false) {
                Some(cut) => {
                    report(&format!("{}: MULTI: {UNCLOSED}", self.place(cut.begin)));
                    Exit::Usage
                }
                None => Exit::Done,
            },
        };
        let errors = if self.had_errors { Exit::ErrorReply } else { Exit::Done };
        let aborted = if self.was_aborted { Exit::Aborted } else { Exit::Done };
        self.progress.summarize(self.flight.counts());
        Ok(exit.or(errors).or(aborted))
    }

    /// The conversation is over before its time: writes what was received, and says how far it came.
    pub(super) fn lost(&mut self, lost: &Lost) -> Failure {
        if let Err(failure) = self.flush() {
            return failure;
        }
        self.progress.end_bar();
        self.cut_unsent();
        let exit = self.describe(lost).report();
        self.progress.summarize(self.flight.counts());
        Failure::quiet(exit)
    }

    fn describe(&self, lost: &Lost) -> Failure {
        match lost {
            Lost::Interrupted(signal) => {
                report(&format!("interrupted: {}", self.resume(false)));
                Failure::quiet(Exit::Signal(*signal))
            }
            Lost::Undecodable(_) => {
                let Some((request, file)) = self.flight.next_answered() else {
                    return Failure::failed(format!("{}: {}", self.config.target.address, lost.reason()));
                };
                let place = self.place(Origin { file, line: request.line });
                let resume = self.resume(true);
                Failure::failed(format!("{place}: {}: {}: {resume}", request.shown(100), lost.reason()))
            }
            // Turned away before it began: it is to be begun again as it was.
            Lost::Refused(message) => Failure::failed(format!("{message}; nothing was run")),
            Lost::Silent(_) | Lost::Unreached(_) => {
                Failure::failed(format!("connection lost: {}: {}", lost.reason(), self.resume(false)))
            }
            Lost::Closed | Lost::Broken(_) => Failure::failed(format!("connection lost: {}", self.resume(false))),
        }
    }

    /// `FILE:LINE`.
    pub(super) fn place(&self, origin: Origin) -> String {
        format!("{}:{}", self.supply.name(origin.file), origin.line)
    }

    /// The counts of a run that ended early, and how to go on; with `is_garbled` the next answer has come, and cannot
    /// be decoded: its command is skipped too.
    fn resume(&self, is_garbled: bool) -> String {
        let (answered, sent) = (self.flight.answered(), self.flight.len());
        let range = self
            .flight
            .range()
            .map_or_else(String::new, |(first, last)| format!(" ({} to {})", self.place(first), self.place(last)));
        let mut told = format!("{answered} commands answered, {sent} sent and unanswered{range}; ");
        let number = self.answered_number();
        let in_doubt = match self.blocks.cut_after(number, is_garbled) {
            Some(cut) => {
                told.push_str(&self.resume_at(cut.before));
                told.push_str(&self.describe_cut(cut));
                // Of the EXEC itself that is said.
                if cut.exec.is_some() && sent > 1 { sent } else { 0 }
            }
            None if is_garbled => {
                told.push_str(&self.resume_at(number + 1));
                told.push_str(", which skips this command too");
                sent.saturating_sub(1)
            }
            None => {
                told.push_str(&self.resume_at(number));
                sent
            }
        };
        told.push_str(describe_doubt(in_doubt));
        told
    }

    /// How to go on after so many commands.
    fn resume_at(&self, number: u64) -> String {
        let mut told = format!("resume with --skip {number}");
        let not_run = self.args.not_run.iter().chain(self.blocks.not_run());
        for (index, exec) in not_run.enumerate() {
            let _ = write!(told, "{}{exec}", if index == 0 { " --not-run " } else { "," });
        }
        told
    }

    fn describe_cut(&self, cut: Cut) -> String {
        let begin = self.place(cut.begin);
        match cut.exec {
            Some(exec) => format!(
                " (before the MULTI of {begin}: the block to {} may have run, its EXEC was sent and not answered)",
                self.place(exec)
            ),
            None => format!(" (before the MULTI of {begin}: its block did not run)"),
        }
    }

    /// What there is to say of the lines before one that cannot be run.
    fn before_bad_line(&self) -> String {
        let number = self.answered_number();
        let cut = self.blocks.cut_after(number, false);
        let skip = cut.map_or(number, |cut| cut.before);
        let mut told = describe_before(self.flight.answered(), skip, &self.resume_at(skip));
        told.push_str(&cut.map_or_else(String::new, |cut| self.describe_cut(cut)));
        told
    }
}

/// What there is to say of the commands before a line that cannot be run, and how to go on where any is to be skipped.
pub(super) fn describe_before(answered: u64, skip: u64, resume: &str) -> String {
    let mend = if skip > 0 { format!("; mend it and {resume}") } else { String::new() };
    format!("; {answered} commands before it were answered{mend}")
}

/// What there is to say of so many commands that were sent and not answered.
pub(super) fn describe_doubt(unanswered: usize) -> &'static str {
    match unanswered {
        0 => "",
        1 => "; the unanswered one may have run",
        _ => "; the unanswered may have run (--window 1 makes that one command at most)",
    }
}
