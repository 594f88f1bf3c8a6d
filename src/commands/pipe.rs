//! `rcli pipe`: any amount of commands through a window of commands in flight, replies in order (contract section 6).
//!
//! One loop, one thread, nothing that blocks but the one wait: parse what is there, pass on what the kernel takes,
//! read what has come, and only when none of that did anything flush the output and sleep.

mod atomic;
mod blocks;
mod check;
mod cluster;
mod ending;
mod fleet;
mod flight;
mod lane;
mod order;
mod progress;
mod resume;
mod scribe;
mod supply;
mod transit;

use std::time::{Duration, Instant};

use self::blocks::Blocks;
use self::flight::Flight;
use self::progress::Progress;
use self::supply::{Supplied, Supply};
use super::block::report_aborted;
use super::refuse::{refuse_in_block, refuse_in_pipeline};
use super::{open_renderer, report_errors};
use crate::cli::{ConnectionOptions, OnError, OutputOptions, PipeArgs};
use crate::config::{Config, decide_style};
use crate::exit::{Exit, Failure, Outcome};
use crate::record::{Record, is_report};
use crate::render::{Format, Renderer, Stdout};
use crate::reply::Frame;
use crate::request::Request;
use crate::server::{Lost, Router, Session};
use crate::signal;

/// Runs the pipeline, or only checks its input.
pub fn run(
    decide: impl FnOnce() -> Outcome<Config>,
    args: &PipeArgs,
    connection: &ConnectionOptions,
    output: &OutputOptions,
) -> Outcome<Exit> {
    let mut supply = Supply::open(&args.files)?;
    if args.check {
        decide_style(output)?;
        if args.atomic {
            return check::run(&mut supply, args.skip, refuse_in_block);
        }
        if connection.means_cluster() {
            let mut router = Router::default();
            return check::run(&mut supply, args.skip, |request| cluster::refuse_unplaceable(&mut router, request));
        }
        return check::run(&mut supply, args.skip, refuse_in_pipeline);
    }
    let mut config = decide()?;
    config.style.one_line_errors = true;
    if args.envelope {
        config.style.format = Format::Json;
    }
    if args.atomic {
        return atomic::run(&config, args, &mut supply);
    }
    if let Some(how) = config.cluster {
        return cluster::run(&config, how, args, supply);
    }
    let mut session = Session::open(&config.target)?;
    let had_errors = resume::restore(&mut supply, args, true, |requests| session.call_all(requests))?;
    let renderer = open_renderer(&config.style)?;
    let progress = Progress::new(args, supply.size());
    let flight = Flight::new(args.window);
    let pipe = Pipe {
        config: &config,
        args,
        supply,
        renderer,
        progress,
        flight,
        blocks: Blocks::default(),
        request: Request::default(),
        closing: None,
        had_errors,
        was_aborted: false,
    };
    pipe.run(&mut session)
}

/// Why nothing more is sent.
enum Closing {
    /// The input has ended.
    Input,
    /// A line cannot be run.
    BadLine(Failure),
    /// `--on-error stop`.
    Error,
}

struct Pipe<'a> {
    config: &'a Config,
    args: &'a PipeArgs,
    supply: Supply,
    renderer: Renderer<Stdout>,
    progress: Progress,
    flight: Flight,
    blocks: Blocks,
    /// The command being read, reused.
    request: Request,
    closing: Option<Closing>,
    /// Whether a reply was, or held, an error.
    had_errors: bool,
    /// Whether an EXEC ran nothing for a watched key.
    was_aborted: bool,
}

/// How many replies are read before the window is filled again.
const REPLIES_A_ROUND: usize = 2048;
/// So much is packed before the kernel has taken it: a window that was asked for may be wider than memory.
const UNSENT_BYTES: usize = 64 * 1024;
/// Output is not flushed before a sleep as short as this: a busy server answers sooner.
const FLUSH_DELAY: Duration = Duration::from_micros(500);

impl Pipe<'_> {
    fn run(mut self, session: &mut Session) -> Outcome<Exit> {
        loop {
            if let Some(signal) = signal::received() {
                return Err(self.lost(&Lost::Interrupted(signal)));
            }
            let wants_input = self.load();
            // What the server said before it went away is read first.
            let unsendable = self.send(session).err();
            let received = self.drain(session)?;
            if let Some(lost) = unsendable {
                while self.drain(session)? > 0 {}
                return Err(self.lost(&lost));
            }
            if self.closing.is_some() && self.flight.is_empty() {
                return self.end();
            }
            if wants_input && self.supply.is_file() {
                self.fill();
                continue;
            }
            let is_busy = received > 0 || !wants_input && self.may_load();
            if wants_input || !is_busy {
                self.wait(session, wants_input, is_busy)?;
            }
        }
    }

    /// Parses and packs as much as the window takes. Whether more input has to be read first.
    fn load(&mut self) -> bool {
        while self.may_load() {
            match self.supply.next(&mut self.request, refuse_in_pipeline) {
                Ok(Supplied::Command) => {
                    let file = self.supply.file_index();
                    self.flight.push(&self.request, file);
                    self.blocks.push(&self.request, self.supply.number(), file);
                }
                Ok(Supplied::Pending) => return true,
                Ok(Supplied::End) => self.closing = Some(Closing::Input),
                Err(bad) => self.closing = Some(Closing::BadLine(bad.into())),
            }
        }
        false
    }

    fn may_load(&mut self) -> bool {
        self.closing.is_none() && self.flight.unsent() < UNSENT_BYTES && self.flight.has_room()
    }

    /// Passes on what the kernel takes now.
    fn send(&mut self, session: &mut Session) -> Result<(), Lost> {
        while self.flight.unsent() > 0 {
            match session.write(self.flight.next_to_send())? {
                0 => break,
                count => self.flight.note_sent(count),
            }
        }
        session.send()
    }

    /// Reads and writes the replies and pushes that have come, up to a round of them; how many there were.
    fn drain(&mut self, session: &mut Session) -> Outcome<usize> {
        let mut count = 0;
        while count < REPLIES_A_ROUND {
            match session.receive() {
                Ok(Some(frame)) => {
                    if !frame.is_push() {
                        self.answered(frame)?;
                    } else if self.config.show_pushes {
                        self.renderer.write(&Record::Push(frame)).map_err(Failure::output)?;
                    }
                    count += 1;
                }
                Ok(None) => break,
                Err(lost) if self.closing.is_some() && self.flight.is_empty() => {
                    // Everything was answered: that the server leaves now is its own business.
                    drop(lost);
                    break;
                }
                Err(lost) => return Err(self.lost(&lost)),
            }
        }
        if count > 0 {
            self.flight.note_received(session.received());
            self.progress.update(self.supply.consumed(), self.flight.counts());
        }
        Ok(count)
    }

    fn answered(&mut self, frame: Frame<'_>) -> Outcome<()> {
        if !self.flight.answer() {
            let place = &self.config.target.address;
            return Err(Failure::failed(format!("{place}: the server sent a reply to nothing that was asked")));
        }
        if let Some(exec) = self.blocks.answer(self.answered_number(), frame) {
            self.was_aborted = true;
            self.progress.suspend(|| report_aborted(&self.place(exec), ""));
        }
        if frame.errors().next().is_some() {
            self.answered_error(frame);
        }
        if self.args.quiet {
            return Ok(());
        }
        if self.args.envelope {
            let (request, _) = self.flight.last_answered();
            let index = self.answered_number();
            return self.write(&Record::Envelope { index, request: &request, frame });
        }
        let is_report = self.config.style.format != Format::Json && is_report(&self.flight.last_answered().0);
        self.write(&Record::Reply { frame, is_report })
    }

    fn answered_error(&mut self, frame: Frame<'_>) {
        self.flight.count_error();
        self.had_errors = true;
        let (request, file) = self.flight.last_answered();
        let source = self.supply.name(file);
        self.progress.suspend(|| report_errors(source, &request, frame, false));
        if self.args.on_error == OnError::Stop && self.closing.is_none() {
            self.closing = Some(Closing::Error);
            self.cut_unsent();
        }
    }

    /// The number in the input of the command that was answered last.
    fn answered_number(&self) -> u64 {
        self.args.skip + self.flight.answered()
    }

    fn cut_unsent(&mut self) {
        self.flight.cut_unsent();
        self.blocks.forget_after(self.answered_number() + self.flight.len() as u64);
    }

    /// Reads more input. What cannot be read is no end of it.
    fn fill(&mut self) {
        if let Err(failure) = self.supply.fill() {
            self.closing = Some(Closing::BadLine(failure));
        }
    }

    fn write(&mut self, record: &Record<'_>) -> Outcome<()> {
        self.progress.write_beside(&mut self.renderer, |renderer| renderer.write(record)).map_err(Failure::output)
    }

    /// Sleeps until something can be done; `is_busy` only looks whether there is input.
    fn wait(&mut self, session: &mut Session, wants_input: bool, is_busy: bool) -> Outcome<()> {
        let started = Instant::now();
        let brief = if is_busy { Duration::ZERO } else { FLUSH_DELAY };
        let mut ready = {
            let input = wants_input.then(|| self.supply.fd());
            session.wait(input, Some(started + brief))
        };
        if matches!(&ready, Ok(ready) if !ready.session && !ready.input) && !is_busy {
            self.flush()?;
            let deadline = if self.flight.is_empty() { None } else { session.silence_ends() };
            let input = wants_input.then(|| self.supply.fd());
            ready = session.wait(input, deadline);
        }
        let ready = ready.map_err(|lost| self.lost(&lost))?;
        if ready.input {
            self.fill();
        } else if !ready.session && !is_busy && ready.expired {
            let silent = session.silent();
            return Err(self.lost(&silent));
        }
        Ok(())
    }

    fn flush(&mut self) -> Outcome<()> {
        self.renderer.flush().map_err(Failure::output)
    }
}
