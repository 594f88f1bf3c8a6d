//! Lines one by one: of what was typed or pasted, of a file (`source`), and one line again and again (`N CMD`). What ends
//! a paste ends each of them (contract section 10).

use std::fmt::Write as _;
use std::path::Path;

use super::builtins::stay;
use super::redirect::home;
use super::{Flow, Repl, tokens};
use crate::command::request::Request;
use crate::exit::{Exit, Outcome};
use crate::input::{Malformed, OPEN_QUOTE, Source, describe_bad};
use crate::net::poll;
use crate::report::{Told, notice, report};
use crate::signal::{self, Signal};
use crate::text::{self, Escape, counted, printable};

/// A file that runs itself would never end.
const DEEPEST: usize = 16;

impl Repl<'_> {
    /// Runs what was typed: one command, or the lines of what was pasted.
    pub(super) fn run_text(&mut self, text: &str) -> Outcome<Flow> {
        let commands = tokens::numbered(text);
        let is_pasted = commands.len() > 1;
        let begin = |repl: &mut Self, _: usize, command: &str| {
            repl.editor.remember(command);
            if !is_pasted {
                return Ok(());
            }
            let prompt = repl.prompt().styled;
            repl.write(&format!("{prompt}{}\n", printable(command, Escape::Lines)))?;
            repl.flush()
        };
        self.is_last = true;
        self.run_all(&commands, begin, |left| format!("not run: the {} after it", counted(left, "pasted line")))
    }

    /// Runs commands one by one, each with the number of its line; `begin` comes before each, and `not_run` tells how many
    /// are left where one ends them.
    fn run_all(
        &mut self,
        commands: &[(usize, String)],
        begin: impl Fn(&mut Self, usize, &str) -> Outcome<()>,
        not_run: impl Fn(u64) -> String,
    ) -> Outcome<Flow> {
        let is_last = self.is_last;
        for ((line, command), left) in commands.iter().zip((0..commands.len() as u64).rev()) {
            begin(self, *line, command)?;
            self.is_last = is_last && left == 0;
            match self.run_command(command)? {
                Flow::On => {}
                Flow::Stop => {
                    if left > 0 {
                        notice(&not_run(left));
                    }
                    return Ok(Flow::Stop);
                }
                Flow::Leave => return Ok(Flow::Leave),
            }
        }
        Ok(Flow::On)
    }

    /// Says what is wrong with a command, and where: of one that has several lines, in which. A quote that is not closed has
    /// taken in what is left of a file.
    pub(super) fn report_bad(&self, text: &str, mut malformed: Malformed) {
        malformed.at = malformed.at.min(text.len());
        let begin = memchr::memrchr(b'\n', &text.as_bytes()[..malformed.at]).map_or(0, |end| end + 1);
        let (before, line) = (text[..begin].lines().count(), text[begin..].lines().next().unwrap_or_default());
        malformed.at -= begin;
        let (mut reason, pointer) = describe_bad(text.as_bytes(), line.as_bytes(), &malformed);
        if let Some((file, first)) = &self.source_line {
            reason = format!("{file}:{}: {reason}", first + before);
        }
        let behind = text[begin..].lines().count().saturating_sub(1) as u64;
        if malformed.reason == OPEN_QUOTE && behind > 0 {
            let _ = write!(reason, "; it takes in {}", counted(behind, "more line"));
        }
        Told::Failure(reason).report_pointing(pointer.as_deref());
    }

    /// Runs a line again and again, until Ctrl-C or what ends a paste.
    pub(super) fn run_again(&mut self, count: u64, line: &str) -> Outcome<Flow> {
        for run in 0..count {
            if signal::received().is_some() {
                signal::forget_ctrl_c();
                notice(&format!("cancelled after {run} of {count} runs"));
                return Ok(Flow::Stop);
            }
            match self.run_plain(line)? {
                Flow::On => self.flush()?,
                flow => return Ok(flow),
            }
        }
        Ok(Flow::On)
    }

    /// Runs the lines of a file; what ends a paste ends it too.
    pub(super) fn source(&mut self, path: &str) -> Outcome<Flow> {
        let shown = text::line(path).into_owned();
        if self.sources >= DEEPEST {
            report(&format!("{shown}: {DEEPEST} files are being run already, one from within the other"));
            return Ok(Flow::Stop);
        }
        let read = |source: Source| source.read_whole(usize::MAX, |source| Ok(poll::wait_readable(source)?));
        let content = match Source::open(&home(Path::new(path))).and_then(read) {
            Ok(bytes) => String::from_utf8_lossy(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes)).into_owned(),
            Err(failure) if failure.exit() == Exit::Signal(Signal::Interrupt) => {
                signal::forget_ctrl_c();
                notice(&format!("cancelled: source {shown}"));
                return Ok(Flow::Stop);
            }
            Err(failure) => return stay(failure),
        };
        let begin = |repl: &mut Self, line: usize, _: &str| {
            repl.source_line = Some((shown.clone(), line));
            Ok(())
        };
        let not_run = |left| format!("{shown}: not run: the {} after it", counted(left, "command"));
        self.sources += 1;
        let outer = self.source_line.take();
        let ran = self.run_all(&tokens::numbered(&content), begin, not_run);
        self.source_line = outer;
        self.sources -= 1;
        ran
    }
}

/// How often a line is to be run that begins with a number, and the line behind it.
pub fn repeated<'a>(line: &'a str, request: &Request) -> Option<(u64, &'a str)> {
    let (number, rest) = tokens::split_count(line).filter(|_| request.len() > 1)?;
    let count = number.parse().ok().filter(|count| *count > 0)?;
    Some((count, rest))
}
