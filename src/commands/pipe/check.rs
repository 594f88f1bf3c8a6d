//! `pipe --check`: all the input is parsed, nothing is run, and nothing is connected to (contract section 6).

use super::files::InputFiles;
use crate::command::request::Request;
use crate::exit::{Exit, Failure, Outcome};
use crate::input::Next;
use crate::net::transaction::{Step, Transaction};
use crate::report::report;
use crate::text::counted;

/// Names every line that cannot be run, a block that is not closed, and a `skip` that ends inside of one.
pub fn run(files: &mut InputFiles, skip: u64, mut refuse: impl FnMut(&Request) -> Option<String>) -> Outcome<Exit> {
    let mut request = Request::default();
    let mut transaction = Transaction::default();
    let mut opened = String::new();
    let mut is_good = true;
    loop {
        let is_skipped = files.number() < skip;
        let next = match files.next(&mut request) {
            Ok(Next::Command) if !is_skipped => files.refuse(&request, refuse(&request)).map(|()| Next::Command),
            next => next,
        };
        match next {
            Ok(Next::Command) => {
                if transaction.feed(&request) == Step::Opened {
                    opened = files.names().place(files.origin(&request));
                }
                if files.number() == skip && transaction.queued().is_some() {
                    report(&format!("--skip {skip} lies inside the block that MULTI opens at {opened}"));
                    is_good = false;
                }
            }
            Ok(Next::Pending) => files.wait_and_fill()?,
            Ok(Next::End) => break,
            Err(input) => {
                is_good = false;
                let is_over = !input.recoverable;
                let exit = Failure::from(input).report();
                if is_over {
                    return Ok(exit);
                }
            }
        }
    }
    if files.number() < skip {
        report(&format!("--skip {skip}: the input has only {}", counted(files.number(), "command")));
        is_good = false;
    }
    if transaction.queued().is_some() {
        report(&format!("{opened}: MULTI: {UNCLOSED}"));
        is_good = false;
    }
    Ok(if is_good { Exit::Done } else { Exit::Usage })
}

/// What there is to say of a block without its EXEC.
pub const UNCLOSED: &str = "the input ends without its EXEC, and the block does not run";
