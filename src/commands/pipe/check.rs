//! `pipe --check`: all the input is parsed, nothing is run, and nothing is connected to (contract section 6).

use std::time::Instant;

use super::files::InputFiles;
use crate::cli::PipeArgs;
use crate::command::request::Request;
use crate::exit::{Exit, Failure, Outcome};
use crate::input::Next;
use crate::net::transaction::{Step, Transaction};
use crate::report::notice;
use crate::text::counted;

/// Names every line that cannot be run, a block that is not closed, and a `--skip` that ends inside of one; behind that
/// the summary, where one is asked for.
pub fn run(files: &mut InputFiles, args: &PipeArgs, refuse: impl FnMut(&Request) -> Option<String>) -> Outcome<Exit> {
    let (began, mut found) = (Instant::now(), Found { exit: Exit::Done, errors: 0, refused: 0 });
    found.read(files, args.skip, refuse)?;
    if args.summary {
        let commands = files.number.saturating_sub(args.skip) - found.refused;
        let seconds = began.elapsed().as_secs_f64();
        notice(&format!("summary: {commands} commands, {} errors, {seconds:.3} seconds", found.errors));
    }
    Ok(found.exit)
}

/// What was found of errors.
struct Found {
    exit: Exit,
    errors: u64,
    /// How many of them are commands that have no place there.
    refused: u64,
}

impl Found {
    fn read(
        &mut self,
        files: &mut InputFiles,
        skip: u64,
        mut refuse: impl FnMut(&Request) -> Option<String>,
    ) -> Outcome<()> {
        let mut request = Request::default();
        let mut transaction = Transaction::default();
        let mut opened = String::new();
        loop {
            let is_skipped = files.number < skip;
            let next = match files.next(&mut request) {
                Ok(Next::Command) if !is_skipped => {
                    let refused = files.refuse(&request, refuse(&request));
                    self.refused += u64::from(refused.is_err());
                    refused.map(|()| Next::Command)
                }
                next => next,
            };
            match next {
                Ok(Next::Command) => {
                    if transaction.feed(&request) == Step::Opened {
                        opened = files.names.place(files.origin(&request));
                    }
                    if files.number == skip && transaction.queued().is_some() {
                        let inside = format!("--skip {skip} lies inside the block that MULTI opens at {opened}");
                        self.note(Failure::usage(inside));
                    }
                }
                Ok(Next::Pending) => files.wait_and_fill()?,
                Ok(Next::End) => break,
                Err(input) => {
                    let is_over = !input.recoverable;
                    self.note(input.into());
                    if is_over {
                        return Ok(());
                    }
                }
            }
        }
        if files.number < skip {
            let count = counted(files.number, "command");
            self.note(Failure::usage(format!("--skip {skip}: the input has only {count}")));
        }
        if transaction.queued().is_some() {
            self.note(Failure::usage(format!("{opened}: MULTI: {UNCLOSED}")));
        }
        Ok(())
    }

    fn note(&mut self, error: Failure) {
        self.errors += 1;
        self.exit = self.exit.or(error.report());
    }
}

/// What there is to say of a block without its EXEC.
pub const UNCLOSED: &str = "the input ends without its EXEC, and the block does not run";
