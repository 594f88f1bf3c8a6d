//! The beginning of a run with `--skip`: what is run has to run in the state that the connection had. So the skipped
//! commands that set it are sent again, in order, before the first command that is run, and their replies are not
//! written (contract section 6).

use super::files::{InputFiles, Origin};
use crate::cli::PipeArgs;
use crate::command::request::Request;
use crate::command::restrictions::{Effect, Setting, effect_of, refuse_in_pipeline};
use crate::exit::{Exit, Failure, Outcome};
use crate::input::Next;
use crate::net::Lost;
use crate::net::transaction::{Step, Transaction};
use crate::reply::{ErrorReply, Frame, OwnedFrame};
use crate::report::{notice, report};
use crate::shell::block::report_errors;
use crate::text::counted;

/// So many commands are sent at once.
const BATCH: usize = 256;
/// The longest part of a command in a message, in characters.
const SHOWN: usize = 100;

/// Passes over the skipped commands, and has those that set the state run again by `ask`, which answers each. Whether
/// an error was among the answers, which is reported. Without `knows_blocks` a MULTI opens nothing.
pub fn restore(files: &mut InputFiles, args: &PipeArgs, knows_blocks: bool, ask: Ask<'_>) -> Outcome<bool> {
    if args.skip == 0 {
        return Ok(false);
    }
    let mut restore = Restore {
        files,
        args,
        knows_blocks,
        ask,
        transaction: Transaction::default(),
        opened: (0, Origin::default()),
        block: Vec::new(),
        due: Vec::new(),
        held: Vec::new(),
        had_errors: false,
        notices: Vec::new(),
    };
    restore.run().map_err(|failure| {
        // Nothing of the input was run: the same command resumes.
        let told = format!("0 commands answered, 0 sent and unanswered; resume with --skip {}", args.skip);
        match failure.exit() {
            Exit::Signal(_) => report(&format!("interrupted: {told}")),
            Exit::Failed => return failure.noting(&format!(": {told}")),
            _ => {}
        }
        failure
    })?;
    Ok(restore.had_errors)
}

/// A command, and the number of its file.
type Skipped = (Request, u32);

/// Has a server answer commands.
type Ask<'a> = &'a mut dyn FnMut(&[Request]) -> Result<Vec<OwnedFrame>, Lost>;

struct Restore<'a> {
    files: &'a mut InputFiles,
    args: &'a PipeArgs,
    knows_blocks: bool,
    ask: Ask<'a>,
    transaction: Transaction,
    /// The number of the last MULTI that opened a block, and where it stands.
    opened: (u64, Origin),
    /// The commands of the open block.
    block: Vec<Skipped>,
    /// To be sent again.
    due: Vec<Skipped>,
    /// The same from the first WATCH on: whether that is to be sent is known when the next block ends.
    held: Vec<Skipped>,
    had_errors: bool,
    /// To be said once all is as it was.
    notices: Vec<String>,
}

impl Restore<'_> {
    fn run(&mut self) -> Outcome<()> {
        let mut request = Request::default();
        while self.files.number < self.args.skip {
            match self.files.next(&mut request)? {
                Next::Command => self.pass(&request)?,
                Next::Pending => self.files.wait_and_fill()?,
                Next::End => break,
            }
        }
        // Of a block that is open that is told first.
        if self.files.number < self.args.skip && self.transaction.queued().is_none() {
            let count = counted(self.files.number, "command");
            return Err(Failure::usage(format!("--skip {}: the input has only {count}", self.args.skip)));
        }
        self.send_due()?;
        self.due = std::mem::take(&mut self.held);
        self.send_due()?;
        if self.transaction.queued().is_some() {
            self.leave_block()?;
            self.send_due()?;
        }
        self.notices.drain(..).for_each(|text| notice(&text));
        Ok(())
    }

    /// Passes over a command.
    fn pass(&mut self, request: &Request) -> Outcome<()> {
        // A bad line has never been run.
        if refuse_in_pipeline(request).is_some() {
            return Ok(());
        }
        let origin = self.files.origin(request);
        match if self.knows_blocks { self.transaction.feed(request) } else { Step::Run } {
            Step::Run => match effect_of(request) {
                Effect::Sets(_) => self.keep((request.clone(), origin.file))?,
                Effect::Watch if self.knows_blocks => self.held.push((request.clone(), origin.file)),
                Effect::Unwatch => self.end_watch(),
                _ => {}
            },
            Step::Opened => self.opened = (self.files.number, origin),
            // With arguments it is no EXEC, and servers drop the block for it.
            Step::Queue if effect_of(request) == Effect::Exec => {
                self.transaction = Transaction::default();
                self.end_block(false)?;
            }
            Step::Queue | Step::Refused(_) => self.block.push((request.clone(), origin.file)),
            Step::Discarded | Step::Reset => self.end_block(false)?,
            Step::Execute(_) => self.end_block(true)?,
        }
        Ok(())
    }

    /// Keeps what sets the state in the block that has ended, if it was run.
    fn end_block(&mut self, is_exec: bool) -> Outcome<()> {
        self.end_watch();
        let block = std::mem::take(&mut self.block);
        let is_known = is_exec && self.args.not_run.contains(&self.files.number);
        if is_known || !block.iter().any(sets_state) {
            return Ok(());
        }
        self.send_due()?;
        // Where MULTI is refused, the commands were run one by one.
        let queued = if is_exec { block.as_slice() } else { &[] };
        if !self.may_open_block()? || self.would_run(queued)? && is_exec {
            self.keep_all(block)?;
        }
        Ok(())
    }

    fn keep(&mut self, skipped: Skipped) -> Outcome<()> {
        if self.held.is_empty() {
            self.due.push(skipped);
            if self.due.len() >= BATCH {
                self.send_due()?;
            }
        } else {
            self.held.push(skipped);
        }
        Ok(())
    }

    /// Keeps what sets the state in a block that was run.
    fn keep_all(&mut self, block: Vec<Skipped>) -> Outcome<()> {
        block.into_iter().filter(sets_state).try_for_each(|skipped| self.keep(skipped))
    }

    fn end_watch(&mut self) {
        self.due.extend(self.held.drain(..).filter(|(request, _)| effect_of(request) != Effect::Watch));
    }

    /// Opens a block on the server, if that lets us.
    fn may_open_block(&mut self) -> Outcome<bool> {
        let answers = self.ask(&[Request::new(["MULTI"])])?;
        Ok(!answers.iter().any(|answer| answer.frame().is_error()))
    }

    /// Whether the server takes the commands of the block that was opened, so that EXEC would run them. They are queued
    /// and discarded.
    fn would_run(&mut self, block: &[Skipped]) -> Outcome<bool> {
        let mut requests: Vec<Request> = block.iter().map(|(request, _)| request.clone()).collect();
        requests.push(Request::new(["DISCARD"]));
        let answers = self.ask(&requests)?;
        if let Some(error) = answers.last().and_then(|answer| ErrorReply::of(answer.frame())) {
            let place = self.place(self.opened.1);
            return Err(Failure::failed(format!(
                "{place}: whether this block was run cannot be found out: DISCARD: {error}"
            )));
        }
        Ok(!answers.iter().any(|answer| spoils_block(answer.frame())))
    }

    /// The last command that is skipped stands in a block, if there is one: where MULTI is refused there is not.
    fn leave_block(&mut self) -> Outcome<()> {
        if self.may_open_block()? {
            let (number, origin) = self.opened;
            return Err(Failure::usage(format!(
                "--skip {} lies inside the block that MULTI opens at {}: --skip {} is before it",
                self.args.skip,
                self.place(origin),
                number - 1
            )));
        }
        let block = std::mem::take(&mut self.block);
        self.keep_all(block)
    }

    /// Sends what is due, and tells what was refused.
    fn send_due(&mut self) -> Outcome<()> {
        let due = std::mem::take(&mut self.due);
        if due.is_empty() {
            return Ok(());
        }
        let (requests, files): (Vec<Request>, Vec<u32>) = due.into_iter().unzip();
        let answers = self.ask(&requests)?;
        for ((request, file), answer) in requests.iter().zip(files).zip(answers) {
            self.answered(request, file, answer.frame())?;
        }
        Ok(())
    }

    fn answered(&mut self, request: &Request, file: u32, answer: Frame<'_>) -> Outcome<()> {
        let place = self.place(Origin { file, line: request.line });
        let command = request.shown(SHOWN);
        match (effect_of(request), ErrorReply::of(answer)) {
            (Effect::Sets(Setting::User) | Effect::Watch, Some(error)) => {
                Err(Failure::failed(format!("{place}: {command}: refused when it was sent again to resume: {error}")))
            }
            (_, Some(_)) => {
                self.had_errors |= report_errors(self.files.names.file(file), request, answer, true);
                Ok(())
            }
            (Effect::Watch, _) => {
                self.notices.push(format!("{place}: {command}: sent again to resume, it guards only from now on"));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn ask(&mut self, requests: &[Request]) -> Outcome<Vec<OwnedFrame>> {
        (self.ask)(requests).map_err(|lost| match lost {
            Lost::Interrupted(signal) => Failure::quiet(Exit::Signal(signal)),
            Lost::Refused { message, .. } => Failure::failed(message),
            lost => Failure::failed(format!("connection lost: {}", lost.reason())),
        })
    }

    fn place(&self, origin: Origin) -> String {
        self.files.names.place(origin)
    }
}

fn sets_state((request, _): &Skipped) -> bool {
    matches!(effect_of(request), Effect::Sets(_))
}

/// Whether this answer to a queued command means that EXEC runs nothing, at any time: a name, a number of arguments or
/// a right. What else a server refuses, it refuses for how it is just now. A MULTI or WATCH in the block is refused by
/// some servers in these words without harm to the block.
fn spoils_block(answer: Frame<'_>) -> bool {
    let Some(error) = ErrorReply::of(answer) else { return false };
    matches!(error.code(), "ERR" | "NOPERM") && !Transaction::REFUSALS.contains(&error.to_string().as_str())
}
