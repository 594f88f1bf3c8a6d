//! One try of `txn -- PROGRAM`: its lines run at once until MULTI and are collected after it (contract section 7).
//! Nothing here blocks but the one wait, which hears the server, the program and signals alike.

use crate::shell::block::{NOTHING_RAN, no_room, report_errors};
use std::ffi::OsString;
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use super::program::Program;
use super::watched::Watched;
use crate::command::request::Request;
use crate::command::restrictions::{Effect, effect_of, refuse_before_block, refuse_in_block};
use crate::exit::{Failure, Outcome};
use crate::input::Next;
use crate::memory::Growing;
use crate::net::transaction::{Step, Transaction};
use crate::net::{Endpoint, Lost, Server, poll};
use crate::render::{Format, Record, Renderer, Style};
use crate::reply::{Frame, describe_no_room};
use crate::signal;

/// How long the last command of a program that has failed may take to be answered.
const LAST_ANSWER: Duration = Duration::from_millis(200);
/// How long our copy of a signal that ended the program may take.
const SAME_SIGNAL: Duration = Duration::from_millis(50);

/// What a try came to.
#[derive(Debug)]
pub struct Attempted {
    /// The commands to execute; none if the program said DISCARD.
    pub block: Option<Vec<Request>>,
    /// Whether the server answered an error.
    pub had_errors: bool,
    /// Whether a command ran that changes the connection itself: its database, its name.
    pub changed_connection: bool,
    /// Whether a key that is watched was written to.
    pub wrote_watched: bool,
}

/// A program at work.
pub struct Attempt<'a> {
    server: &'a mut Server,
    endpoint: &'a Endpoint,
    /// How the program is answered.
    style: Style,
    program: Program,
    transaction: Transaction,
    /// The command that the server has not answered yet.
    unanswered: Option<Request>,
    is_discarded: bool,
    had_errors: bool,
    changed_connection: bool,
    watched: Watched,
    /// When a program that has failed is given up with what it wrote before.
    given_up: Option<Instant>,
}

impl<'a> Attempt<'a> {
    /// Starts the program; its keys are watched already.
    pub fn start(
        words: &[OsString],
        watched: Watched,
        number: u64,
        server: &'a mut Server,
        endpoint: &'a Endpoint,
        style: &Style,
    ) -> Outcome<Self> {
        let format = if style.format == Format::Json { Format::Json } else { Format::Raw };
        let style = Style {
            format,
            // `read` waits for the end of a line: whatever stdout gets, the program gets that.
            reply_delimiter: b"\n".to_vec(),
            one_line_errors: true,
            is_terminal: false,
            ..style.clone()
        };
        Ok(Self {
            server,
            endpoint,
            style,
            program: Program::start(words, number)?,
            transaction: Transaction::default(),
            unanswered: None,
            is_discarded: false,
            had_errors: false,
            changed_connection: false,
            watched,
            given_up: None,
        })
    }

    /// Serves the program until it has ended.
    pub fn run(mut self) -> Outcome<Attempted> {
        let mut request = Request::default();
        loop {
            if let Some(value) = self.server.try_answer().map_err(|lost| self.lost(lost))? {
                self.pass(value.frame())?;
            }
            if self.may_parse() {
                match self.program.output.next(&mut request)? {
                    Next::Command => {
                        self.feed(&request)?;
                        continue;
                    }
                    Next::End => return Ok(self.end()),
                    Next::Pending => {}
                }
            }
            self.program.pass_replies();
            if self.wait()? {
                return Ok(self.end());
            }
        }
    }

    /// Whether the next line can be looked at. A last line without its end counts only if the program ended well:
    /// it may be half of one.
    fn may_parse(&self) -> bool {
        self.unanswered.is_none()
            && !self.is_discarded
            && (!self.program.output.is_read() || self.program.status.is_some_and(|status| status.success()))
    }

    /// Does what a line says.
    fn feed(&mut self, request: &Request) -> Outcome<()> {
        let bad = |reason: &str| Failure::usage(format!("{}:{}: {reason}", self.program.output.name(), request.line));
        if let Some(reason) = self.endpoint.refuse_write(request) {
            return Err(bad(&reason));
        }
        if self.transaction.queued().is_none() || request.is(0, "EXEC") {
            if let Some(reason) = refuse_before_block(request) {
                return Err(bad(&reason));
            }
            // Outside of MULTI there is nothing to discard, but the wish is the same.
            if request.is(0, "DISCARD") {
                self.is_discarded = true;
                self.program.end_replies();
                return Ok(());
            }
        }
        match self.transaction.feed(request) {
            Step::Run => {
                self.changed_connection |= matches!(effect_of(request), Effect::Sets(_));
                if let Some(reason) = self.server.refuse(request) {
                    return Err(bad(&reason));
                }
                self.unanswered = Some(request.clone());
                if let Some(value) = self.server.begin(request).map_err(|lost| self.lost(lost))? {
                    self.pass(value.frame())?;
                }
            }
            Step::Opened => self.program.end_replies(),
            Step::Queue | Step::Reset => {
                if let Some(reason) = refuse_in_block(request) {
                    return Err(bad(&reason));
                }
                if !self.transaction.queue(request) {
                    let (name, full) = (self.program.output.name(), no_room(self.transaction.commands().len()));
                    return Err(Failure::failed(format!("{name}:{}: {full}; {NOTHING_RAN}", request.line)));
                }
            }
            Step::Refused(error) => return Err(bad(error)),
            Step::Discarded | Step::Execute(_) => self.is_discarded = true,
        }
        Ok(())
    }

    /// Passes a reply to the program.
    fn pass(&mut self, frame: Frame<'_>) -> Outcome<()> {
        let Some(request) = self.unanswered.take() else {
            return Err(Failure::failed(format!("{}: an answer to nothing that was asked", self.endpoint.address)));
        };
        self.watched.note(&request, frame);
        self.had_errors |= report_errors(self.program.output.name(), &request, frame, self.server.is_cluster());
        let replies = &mut self.program.replies;
        let before = replies.len();
        let record = Record::reply_to(&request, frame);
        match Renderer::new(Growing(&mut *replies), self.style.clone()).write(&record) {
            Err(error) if error.kind() == io::ErrorKind::OutOfMemory => {
                // Now there is room for these words about it.
                replies.truncate(before);
                replies.shrink_to_fit();
                self.unanswered = Some(request);
                Err(self.lost(Lost::Undecodable(describe_no_room(frame.bytes()))))
            }
            written => written.map_err(Failure::output),
        }
    }

    /// Sleeps until something can be done, and reads output. True when there is nothing more to wait for.
    fn wait(&mut self) -> Outcome<bool> {
        let has_failed = match self.program.status {
            Some(status) if self.is_discarded => {
                return if status.success() { Ok(true) } else { Err(self.failed(status)) };
            }
            Some(status) => !status.success(),
            None => false,
        };
        let wants_output = self.unanswered.is_none() && !self.program.output.is_read();
        let silence_ends = self.unanswered.as_ref().and_then(|_| self.server.silence_ends());
        // What a program wrote before it failed is still there to be read, and its last command to be answered.
        let given_up = has_failed.then(|| {
            let at = *self.given_up.get_or_insert_with(|| Instant::now() + LAST_ANSWER);
            if self.unanswered.is_some() { at } else { Instant::now() }
        });
        let deadline = silence_ends.into_iter().chain(given_up).min();
        let woken = self.program.wait(self.server, wants_output, deadline).map_err(|lost| self.lost(lost))?;
        if woken.output {
            self.program.output.fill()?;
            if self.is_discarded {
                self.program.output.skip();
            }
        } else if woken.expired
            && let (true, Some(status)) = (has_failed, self.program.status)
        {
            return Err(self.failed(status));
        } else if woken.expired && silence_ends.is_some_and(|at| at <= Instant::now()) {
            let silent = self.server.silent();
            return Err(self.lost(silent));
        }
        Ok(false)
    }

    /// The program ended well: EXEC is said in its stead.
    fn end(mut self) -> Attempted {
        let block = match self.transaction.feed(&Request::new(["EXEC"])) {
            Step::Execute(block) => block,
            _ => Vec::new(),
        };
        Attempted {
            block: (!self.is_discarded).then_some(block),
            had_errors: self.had_errors,
            changed_connection: self.changed_connection,
            wrote_watched: self.watched.is_written,
        }
    }

    /// The program ended in any other way: nothing is run.
    fn failed(&self, status: ExitStatus) -> Failure {
        // Ctrl-C on a terminal reaches the program as well as us, and it may have been quicker.
        if let Err(interrupted) = poll::sleep_until(Instant::now() + SAME_SIGNAL) {
            return interrupted.into();
        }
        let how = match (status.code(), status.signal()) {
            (Some(code), _) => format!("ended with status {code}"),
            (None, Some(number)) => match signal::name(number) {
                Some(name) => format!("was ended by signal {number} ({name})"),
                None => format!("was ended by signal {number}"),
            },
            (None, None) => "ended for no known reason".to_owned(),
        };
        Failure::error_reply(format!("{} {how}: its block was not run", self.program.output.name()))
    }

    /// The connection is gone, or a signal came, before anything was executed.
    fn lost(&self, lost: Lost) -> Failure {
        let place = match &self.unanswered {
            Some(request) => format!("{}:{}", self.program.output.name(), request.line),
            None => self.endpoint.address.to_string(),
        };
        match lost {
            Lost::Interrupted(_) => lost.into_failure(&place),
            lost => Failure::failed(format!(
                "{place}: connection lost: {}; the block of {} was not run",
                lost.reason(),
                self.program.output.name()
            )),
        }
    }
}
