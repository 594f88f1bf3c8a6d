//! The end of a pipeline: its exit status, and how to go on where it ended before its time (contract section 6).

use std::fmt::Write as _;

use super::blocks::Cut;
use super::check::UNCLOSED;
use super::driver::{Closing, Driver};
use super::engine::{Halt, Loss, Unanswered};
use super::files::Origin;
use super::reorder::Waiting;
use crate::exit::{Exit, Failure, Outcome};
use crate::net::Lost;
use crate::report::report;
use crate::text::counted;

impl Driver<'_> {
    /// All that was sent is answered.
    pub(super) fn end(mut self) -> Outcome<Exit> {
        if self.args.totals && matches!(self.closing, Some(Closing::Input)) {
            self.output.write_totals(self.engine.answered()).map_err(Failure::output)?;
        }
        self.output.flush().map_err(Failure::output)?;
        self.output.progress.end_bar();
        let exit = match self.closing.take() {
            Some(Closing::BadLine(failure)) => failure.noting(&self.before_bad_line()).report(),
            Some(Closing::Error) => {
                report(&format!("stopped after an error: {}", self.tell(false, true)));
                Exit::ErrorReply
            }
            Some(Closing::Input) | None => match self.output.blocks.cut_after(self.answered_number(), false) {
                Some(cut) => {
                    report(&format!("{}: MULTI: {UNCLOSED}", self.place(cut.begin)));
                    Exit::Usage
                }
                None => Exit::Done,
            },
        };
        self.output.progress.summarize(self.engine.answered(), self.output.errors, 0);
        let errors = if self.had_errors || self.output.errors > 0 { Exit::ErrorReply } else { Exit::Done };
        let aborted = if self.output.was_aborted { Exit::Aborted } else { Exit::Done };
        Ok(exit.or(errors).or(aborted))
    }

    /// The conversation is over before its time: hears the other nodes out, writes what has its turn, and says what was
    /// answered, what was not, and what was answered out of turn.
    pub(super) fn lost(&mut self, loss: &Loss) -> Failure {
        if let Err(Halt::Output(failure)) = self.hear_out(loss) {
            return failure;
        }
        self.output.progress.end_bar();
        let number = loss.command.as_ref().map(|command| command.number);
        let is_garbled = matches!(loss.lost, Lost::Undecodable(_)) && number == Some(self.engine.answered());
        let told = self.tell(is_garbled, !matches!(loss.lost, Lost::Demoted));
        let exit = self.describe(loss, &told).report();
        let unanswered = self.engine.unanswered().count;
        self.output.progress.summarize(self.engine.answered(), self.output.errors, unanswered);
        Failure::quiet(exit)
    }

    /// Writes what was received, and what the other nodes still answer. Envelopes say themselves what they answer, and
    /// are written out of turn too.
    fn hear_out(&mut self, loss: &Loss) -> Result<(), Halt> {
        self.engine.drain(!matches!(loss.lost, Lost::Interrupted(_)), &mut self.output)?;
        self.forget_unsent();
        if self.args.envelope {
            for waiting in self.engine.waiting() {
                self.output.write_waiting(waiting)?;
            }
        }
        Ok(self.output.flush()?)
    }

    fn describe(&self, loss: &Loss, told: &str) -> Failure {
        let node = loss.node.as_ref().map_or_else(String::new, |node| format!("{node}: "));
        let reason = loss.lost.reason();
        match &loss.lost {
            Lost::Interrupted(signal) => {
                report(&format!("interrupted: {told}"));
                Failure::quiet(Exit::Signal(*signal))
            }
            Lost::Undecodable(_) => {
                let command = loss.command.as_ref().map_or_else(String::new, |command| {
                    format!("{}: {}: ", self.place(command.origin()), command.request.shown(100))
                });
                Failure::failed(format!("{command}{node}{reason}: {told}"))
            }
            // Turned away before it began: it is to be begun again as it was.
            Lost::Refused { message, .. } if !self.engine.is_cluster() => {
                Failure::failed(format!("{message}; nothing was run"))
            }
            Lost::Closed | Lost::Broken(_) if !self.engine.is_cluster() => {
                Failure::failed(format!("connection lost: {told}"))
            }
            _ => Failure::failed(format!("connection lost: {node}{reason}: {told}")),
        }
    }

    /// The number in the input of the command that was answered last.
    fn answered_number(&self) -> u64 {
        self.args.skip + self.engine.answered()
    }

    fn place(&self, origin: Origin) -> String {
        self.output.names.place(origin)
    }

    /// ` (FILE:LINE to FILE:LINE)`.
    fn range(&self, first: Origin, last: Origin) -> String {
        format!(" ({} to {})", self.place(first), self.place(last))
    }

    /// The counts of a run that ended early, and how to go on; with `is_garbled` the next answer has come, and cannot
    /// be decoded: its command is skipped too. Without `may_have_run` its EXEC ran nothing, if it is of a block.
    fn tell(&self, is_garbled: bool, may_have_run: bool) -> String {
        let answered = self.engine.answered();
        let Unanswered { count: sent, range } = self.engine.unanswered();
        let range = range.map_or_else(String::new, |[(_, first), (_, last)]| self.range(first, last));
        // These words are for scripts, whatever the number (contract section 6).
        let mut told = format!("{answered} commands answered, {sent} sent and unanswered{range}");
        let later = self.engine.waiting().count();
        if let (Some(first), last) = (self.engine.waiting().next(), self.engine.waiting().next_back()) {
            let Waiting { origin, .. } = last.unwrap_or(first);
            let _ = write!(told, ", {later} later ones answered{}", self.range(first.origin, *origin));
        }
        told.push_str("; ");
        let number = self.answered_number();
        let in_doubt = match self.output.blocks.cut_after(number, is_garbled) {
            Some(cut) => {
                let cut = Cut { exec: cut.exec.filter(|_| may_have_run), ..cut };
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
        if later > 0 {
            let and = if is_garbled { " and" } else { ", which" };
            let _ = write!(told, "{and} runs those {later} again");
        }
        told.push_str(describe_doubt(in_doubt));
        told
    }

    /// How to go on after so many commands.
    fn resume_at(&self, number: u64) -> String {
        let mut told = format!("resume with --skip {number}");
        let not_run = self.args.not_run.iter().chain(self.output.blocks.not_run());
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
        let cut = self.output.blocks.cut_after(self.answered_number(), false);
        let skip = cut.map_or(self.answered_number(), |cut| cut.before);
        let mend = if skip > 0 { format!("; mend it and {}", self.resume_at(skip)) } else { String::new() };
        let block = cut.map_or_else(String::new, |cut| self.describe_cut(cut));
        let count = self.engine.answered();
        let were = if count == 1 { "was" } else { "were" };
        format!("; {} before it {were} answered{mend}{block}", counted(count, "command"))
    }
}

/// What there is to say of so many commands that were sent and not answered.
fn describe_doubt(unanswered: usize) -> &'static str {
    match unanswered {
        0 => "",
        1 => "; the unanswered one may have run",
        _ => "; the unanswered may have run (--window 1 makes that one command at most)",
    }
}
