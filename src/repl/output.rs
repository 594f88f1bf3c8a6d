//! What became of a command, said to a person: its answer, or why there is none.

use crate::shell::block::{RAN_APART, describe_replica, no_room};
use crate::shell::{Answer, Trouble};
use std::time::{Duration, Instant};

use super::help::nearest;
use super::{Flow, Repl, SHOWN, tables};
use crate::color::Part;
use crate::command::request::Request;
use crate::command::request::secrets::without_quoted;
use crate::exit::{Exit, Failure, Outcome};
use crate::net::{Lost, LostBlock, Transacted};
use crate::render::{Format, Record};
use crate::reply::{ErrorReply, Frame, Kind, OwnedFrame};
use crate::report::{notice, report};
use crate::signal::{self, Signal};

/// A command that takes this long says how long it took (contract section 10).
const SLOW: Duration = Duration::from_millis(500);

/// How long a server may take to be connected to again after Ctrl-C, before the prompt comes without it.
const PATIENCE: Duration = Duration::from_millis(250);

/// How many elements a list has, if so many of them took a line each in human format: none of them is a list itself.
fn elements(frame: Frame<'_>, printed: u64) -> Option<u64> {
    let head = frame.head();
    let count = usize::try_from(printed).unwrap_or(usize::MAX);
    let is_flat = !frame.walk().skip(1).take(count).any(|element| element.kind.is_aggregate());
    (is_flat && matches!(head.kind, Kind::Array | Kind::Set)).then_some(head.count)
}

impl Repl<'_> {
    pub(super) fn run_request(&mut self, request: &Request) -> Outcome<Flow> {
        let started = Instant::now();
        let answered = self.shell.eval(request);
        let elapsed = started.elapsed();
        self.report_notices();
        let flow = match answered {
            Ok(answer) => {
                self.answer(request, &answer)?;
                self.leave_replica(&answer)?;
                Flow::On
            }
            Err(trouble) => self.trouble(request, trouble)?,
        };
        if elapsed >= SLOW || self.settings.is_timed {
            let took = elapsed.as_secs_f64();
            let seconds = if elapsed >= SLOW { format!("({took:.2}s)") } else { format!("({:.2}ms)", took * 1000.0) };
            self.took.push(seconds);
        }
        // A shell command has its say first.
        if self.terminal.is_none() {
            self.tell_times()?;
        }
        Ok(flow)
    }

    /// Says how long commands took.
    pub(super) fn tell_times(&mut self) -> Outcome<()> {
        for seconds in std::mem::take(&mut self.took) {
            self.write(&format!("{}\n", self.style.colors.paint(Part::Hint, &seconds)))?;
        }
        Ok(())
    }

    fn answer(&mut self, request: &Request, answer: &Answer) -> Outcome<()> {
        match answer {
            Answer::Reply(reply) => {
                let frame = reply.frame();
                let shown =
                    self.paged(frame.bytes().len(), |repl| repl.reply(request, frame)).and_then(|()| self.flush());
                // A table has lines of its own.
                let is_plain = self.style.format == Format::Human && tables::show(request).is_none();
                self.screen.note_whole(|printed| if is_plain { elements(frame, printed) } else { None });
                shown?;
                self.advise(request, frame)
            }
            Answer::Stopped => {
                notice(&format!("{} has stopped", self.shell.link().place()));
                Ok(())
            }
            Answer::Transacted(block, Transacted::Executed(replies)) => {
                let frame = replies.frame();
                self.paged(frame.bytes().len(), |repl| repl.record(&Record::Block { block, frame }))
            }
            Answer::Transacted(_, Transacted::Aborted) => {
                self.reply_because(request, &OwnedFrame::nil(), "a watched key has changed; nothing was run")
            }
            Answer::Transacted(block, Transacted::Refused(errors, error)) => {
                for (index, error) in errors {
                    let request = &block[*index];
                    let said = without_quoted(request, error.advised(self.shell.link().is_cluster()));
                    report(&format!("{}: {said}", request.shown(SHOWN)));
                }
                self.reply(request, error.to_frame().frame())
            }
            Answer::Transacted(_, Transacted::Denied(denied)) => {
                self.reply_because(request, &denied.to_frame(), "nothing was run")
            }
            Answer::Transacted(_, Transacted::Unbound(error)) => {
                self.reply_because(request, &error.to_frame(), RAN_APART)
            }
            Answer::WatchLost => {
                report(
                    "EXEC: refused, nothing was run: the WATCH was lost with its connection, so a watched key may \
                     have changed unseen; WATCH and read again",
                );
                Ok(())
            }
        }
    }

    /// Writes what EXEC was answered in place of replies, and says why.
    fn reply_because(&mut self, exec: &Request, reply: &OwnedFrame, why: &str) -> Outcome<()> {
        self.reply(exec, reply.frame())?;
        self.flush()?;
        report(&format!("EXEC: {why}"));
        Ok(())
    }

    /// Says what to do about an error reply, where there is something to do.
    fn advise(&mut self, request: &Request, reply: Frame<'_>) -> Outcome<()> {
        let Some(error) = ErrorReply::of(reply) else { return Ok(()) };
        if let Some((file, line)) = self.source_line.clone() {
            self.flush()?;
            notice(&format!("{file}:{line}: {}", request.shown(SHOWN)));
        }
        let details = error.details().unwrap_or_default();
        if details.starts_with("unknown command") || details.starts_with("unknown subcommand") {
            self.suggest(request)?;
        }
        let advice = error.advice(self.shell.link().is_cluster());
        if !advice.is_empty() {
            self.flush()?;
            notice(advice.trim_start_matches("; "));
        }
        Ok(())
    }

    /// Leaves a primary that has become a replica, where sentinels know the new one.
    fn leave_replica(&mut self, answer: &Answer) -> Outcome<()> {
        if answer.is_of_replica() && self.shell.link().leave_replica() {
            self.flush()?;
            notice(&describe_replica(&self.shell.link().place()));
        }
        Ok(())
    }

    /// Names the command that was perhaps meant.
    fn suggest(&mut self, request: &Request) -> Outcome<()> {
        let Some(table) = self.editor.helper().map(|helper| helper.lookup.table()) else { return Ok(()) };
        let words: Vec<_> = request.args().take(2).map(String::from_utf8_lossy).collect();
        // A subcommand is unknown where its container is not.
        let count = if table.find(&[request.arg(0)]).is_some() { 2 } else { 1 };
        let typed = words.iter().take(count).map(AsRef::as_ref).collect::<Vec<&str>>().join(" ");
        // What is renamed or disabled at this server stands in rcli's own table.
        if let Some(near) = nearest(&typed, &table).filter(|near| !near.eq_ignore_ascii_case(&typed)) {
            self.flush()?;
            notice(&format!("did you mean {near}?"));
        }
        Ok(())
    }

    /// Says why there is no answer. Only a signal that ends the run, or a closed terminal, ends the conversation.
    fn trouble(&mut self, request: &Request, trouble: Trouble) -> Outcome<Flow> {
        let place = self.shell.link().place();
        let command = request.shown(SHOWN);
        match trouble {
            Trouble::Unfit(reason) => {
                report(&reason);
                return Ok(Flow::On);
            }
            Trouble::NoRoom(count) => report(&format!("{}; {command} was not queued", no_room(count))),
            Trouble::NotConnected(unopened) => match unopened.into_message() {
                Ok(message) => report(&format!("{message}; {command} was not sent")),
                Err(signal) => return self.cancelled(signal, &format!("{command}, not sent")),
            },
            Trouble::NotIntroduced(unopened) => match unopened.into_message() {
                Ok(message) => report(&message),
                Err(signal) => return self.cancelled(signal, &format!("the introduction after {command}")),
            },
            Trouble::Lost(Lost::Interrupted(signal)) => return self.cancelled(signal, &command),
            Trouble::Lost(lost) => {
                let outcome = match lost {
                    Lost::Unreached(_) => "was not sent",
                    Lost::Refused { .. } => "was not run",
                    _ => "had no answer: it may have run, and is not sent again",
                };
                report(&format!("{}; {command} {outcome}", lost.describe(&place)));
            }
            Trouble::LostBlock(LostBlock { lost, may_have_run }) => {
                let outcome = if may_have_run {
                    "outcome unknown: the block may have run, and is not sent again"
                } else {
                    "nothing was run, and the block is still open"
                };
                if let Lost::Interrupted(signal) = lost {
                    return self.cancelled(signal, &format!("EXEC: {outcome}"));
                }
                report(&format!("{}; EXEC: {outcome}", lost.describe(&place)));
            }
        }
        Ok(Flow::Stop)
    }

    /// Ctrl-C came while an answer was waited for: the old connection is closed already, a new one is opened.
    fn cancelled(&mut self, signal: Signal, command: &str) -> Outcome<Flow> {
        if signal != Signal::Interrupt {
            return Err(Failure::quiet(Exit::Signal(signal)));
        }
        signal::forget_ctrl_c();
        // The terminal has echoed ^C.
        self.say("\n")?;
        self.flush()?;
        notice(&format!("cancelled: {command}"));
        let begun = Instant::now();
        if self.shell.link().was_open
            && let Err(unopened) = self.shell.link().ready_within(PATIENCE)
        {
            match unopened.into_message() {
                // It may be at what was cancelled for long. The prompt says that there is no connection.
                Ok(_) if begun.elapsed() >= PATIENCE => {
                    let place = self.shell.link().place();
                    notice(&format!("{place} is still busy; the next command connects again"));
                }
                Ok(message) => report(&message),
                Err(Signal::Interrupt) => signal::forget_ctrl_c(),
                Err(signal) => return Err(Failure::quiet(Exit::Signal(signal))),
            }
        }
        self.report_notices();
        Ok(Flow::Stop)
    }
}
