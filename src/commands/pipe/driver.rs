//! The loop of a pipeline: one thread, nothing that blocks but the one wait. Take in what has come, parse and pass on
//! what the window takes, and only when none of that did anything flush the output and sleep.

use std::time::{Duration, Instant};

use super::engine::{Engine, Halt, Routed};
use super::files::InputFiles;
use super::output::Output;
use super::resume;
use crate::cli::{OnError, PipeArgs};
use crate::command::request::Request;
use crate::command::restrictions::read_only::refuse_write;
use crate::command::restrictions::{Effect, effect_of, is_ordinary};
use crate::context::Context;
use crate::exit::{Exit, Failure, Outcome};
use crate::input::Next;
use crate::net::{Endpoint, Lost};
use crate::signal;

/// Output is not flushed before a sleep as short as this: a busy server answers sooner.
const FLUSH_DELAY: Duration = Duration::from_micros(500);

/// Why nothing more is sent.
pub enum Closing {
    /// The input has ended.
    Input,
    /// A line cannot be run.
    BadLine(Failure),
    /// `--on-error stop`.
    Error,
}

/// What becomes of the command that was read last.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Current {
    /// It was given away.
    Routed,
    /// It waits for room at its node.
    WaitsForRoom,
    /// It waits until all before it is answered, for it sets the state of every connection.
    SetsState,
}

/// A pipeline from its input to its output.
pub struct Driver<'a> {
    pub(super) args: &'a PipeArgs,
    files: InputFiles,
    pub(super) engine: Engine,
    pub(super) output: Output,
    /// The command that was read last; its memory is used again.
    request: Request,
    current: Current,
    /// Why a command has no place here; none if it has.
    refuse: fn(&Request) -> Option<String>,
    /// Whether what may write has none either.
    is_read_only: bool,
    pub(super) closing: Option<Closing>,
    /// Whether a command that was skipped was refused when it was sent again.
    pub(super) had_errors: bool,
}

impl<'a> Driver<'a> {
    /// Connects, and restores the state of what is skipped.
    pub fn open(context: &Context, endpoint: &Endpoint, args: &'a PipeArgs, mut files: InputFiles) -> Outcome<Self> {
        let mut engine = Engine::open(endpoint, args.window)?;
        let knows_blocks = !engine.is_cluster();
        let had_errors =
            resume::restore(&mut files, args, knows_blocks, &mut |requests| engine.restore_state(requests))?;
        Ok(Self {
            args,
            output: Output::open(context, engine.is_cluster(), args, &files)?,
            files,
            refuse: engine.refusal(),
            is_read_only: endpoint.read_only,
            engine,
            request: Request::default(),
            current: Current::Routed,
            closing: None,
            had_errors,
        })
    }

    /// Runs the pipeline.
    pub fn run(mut self) -> Outcome<Exit> {
        loop {
            match self.step() {
                Ok(false) => {}
                Ok(true) => return self.end(),
                // That the server leaves now is its own business.
                Err(Halt::Lost(loss)) if loss.is_late && self.closing.is_some() => return self.end(),
                Err(Halt::Lost(loss)) => return Err(self.lost(&loss)),
                Err(Halt::Output(failure)) => return Err(failure),
            }
        }
    }

    /// Everything that can be done now, and a sleep where that is nothing. Whether all is done. Nodes are heard before
    /// anything is sent to them: nothing is to be lost with one that has left.
    fn step(&mut self) -> Result<bool, Halt> {
        if let Some(signal) = signal::received() {
            return Err(Lost::Interrupted(signal).into());
        }
        let received = self.receive()?;
        let wants_input = self.load()?;
        self.engine.advance()?;
        self.engine.send();
        if self.engine.is_idle() {
            if self.closing.is_some() {
                return Ok(true);
            }
            if self.current == Current::SetsState {
                self.set_state()?;
                return Ok(false);
            }
        }
        if wants_input && self.files.is_file() {
            self.fill();
            return Ok(false);
        }
        let is_busy = received > 0 || !wants_input && self.may_load();
        if wants_input || !is_busy {
            self.wait(wants_input, is_busy)?;
        }
        Ok(false)
    }

    /// Takes in and writes what has come, up to a round of it; how much there was.
    fn receive(&mut self) -> Result<usize, Halt> {
        let received = self.engine.receive(&mut self.output)?;
        for push in self.engine.take_pushes() {
            self.output.push(push.frame())?;
        }
        if received > 0 {
            self.output.progress.update(self.files.consumed(), self.engine.answered(), self.output.errors);
        }
        self.heed_errors();
        Ok(received)
    }

    /// Sends nothing more where an error has come that is to stop it.
    fn heed_errors(&mut self) {
        if self.output.take_saw_error() && self.args.on_error == OnError::Stop && self.closing.is_none() {
            self.closing = Some(Closing::Error);
            self.engine.stop();
            self.forget_unsent();
        }
    }

    /// Parses commands and gives them to their nodes, as many as these take. Whether more input has to be read first.
    fn load(&mut self) -> Result<bool, Halt> {
        while self.may_load() {
            if self.current == Current::Routed {
                if !self.is_read_only && !self.engine.take_plain(&mut self.files) {
                    return Ok(false);
                }
                match self.files.next(&mut self.request) {
                    Ok(Next::Command) if !self.is_read_only && is_ordinary(self.request.arg(0)) => {}
                    Ok(Next::Command) => {
                        if let Err(bad) = self.files.refuse(&self.request, self.refusal()) {
                            self.closing = Some(Closing::BadLine(bad.into()));
                            return Ok(false);
                        }
                        if self.note_effect() {
                            return Ok(false);
                        }
                    }
                    Ok(Next::Pending) => return Ok(true),
                    Ok(Next::End) => {
                        self.closing = Some(Closing::Input);
                        self.engine.limit_silence(self.args.reply_timeout);
                        return Ok(false);
                    }
                    Err(bad) => {
                        self.closing = Some(Closing::BadLine(bad.into()));
                        return Ok(false);
                    }
                }
            }
            if self.engine.take(&self.request, self.files.origin(&self.request).file) {
                self.current = Current::Routed;
            } else {
                self.route()?;
            }
        }
        Ok(false)
    }

    /// Why the command that was read last has no place here; none if it has.
    fn refusal(&self) -> Option<String> {
        let refused = (self.refuse)(&self.request);
        refused.or_else(|| if self.is_read_only { refuse_write(&self.request) } else { None })
    }

    /// Whether one more command may be read.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "asked for every command; the call costs as much as what it does")]
    fn may_load(&mut self) -> bool {
        self.closing.is_none() && self.current != Current::SetsState && self.engine.has_room()
    }

    /// Takes note of what a command does beside its reply; whether it has to wait for that.
    fn note_effect(&mut self) -> bool {
        let effect = effect_of(&self.request);
        if effect == Effect::None {
            self.output.blocks.push_report(&self.request, self.files.number);
            return false;
        }
        if !self.engine.is_cluster() {
            let origin = self.files.origin(&self.request);
            self.output.blocks.push(&self.request, effect, self.files.number, origin);
            return false;
        }
        if matches!(effect, Effect::Sets(_)) {
            self.current = Current::SetsState;
        }
        self.current == Current::SetsState
    }

    /// Gives the command that was read last to its node.
    fn route(&mut self) -> Result<(), Halt> {
        let file = self.files.origin(&self.request).file;
        self.current = Current::Routed;
        match self.engine.route(&self.request, file)? {
            Routed::Taken => {}
            Routed::NoRoom => self.current = Current::WaitsForRoom,
            Routed::CrossSlot(error) => {
                self.engine.answer_here(&self.request, file, &error, &mut self.output)?;
                self.heed_errors();
            }
            Routed::Bad(reason) => {
                let place = self.output.names.place(self.files.origin(&self.request));
                self.closing = Some(Closing::BadLine(Failure::usage(format!("{place}: {reason}"))));
            }
        }
        Ok(())
    }

    /// Gives every node the command that was read last.
    fn set_state(&mut self) -> Result<(), Halt> {
        self.output.flush()?;
        self.current = Current::Routed;
        self.engine.set_state(&self.request, self.files.origin(&self.request).file, &mut self.output)
    }

    /// Forgets what was taken of the blocks and not sent.
    pub(super) fn forget_unsent(&mut self) {
        self.output.blocks.forget_after(self.args.skip + self.engine.next_number());
    }

    /// Reads more input. What cannot be read is no end of it.
    fn fill(&mut self) {
        if let Err(failure) = self.files.fill() {
            self.closing = Some(Closing::BadLine(failure));
        }
    }

    /// Sleeps until something can be done; `is_busy` only looks whether there is input.
    fn wait(&mut self, wants_input: bool, is_busy: bool) -> Result<(), Halt> {
        let due = self.engine.next_deadline();
        let brief = Instant::now() + if is_busy { Duration::ZERO } else { FLUSH_DELAY };
        let input = wants_input.then(|| self.files.fd());
        let mut ready = self.engine.wait(input, Some(due.map_or(brief, |due| due.min(brief))))?;
        if !ready.session && !ready.input && !is_busy {
            self.output.flush()?;
            ready = self.engine.wait(input, due)?;
        }
        self.engine.check_silence()?;
        if ready.input {
            self.fill();
        }
        Ok(())
    }
}
