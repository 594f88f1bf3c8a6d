//! `pipe -c`: the commands go to the nodes that own their slots, all nodes work at once, and the replies are written
//! in the order of the input (contract sections 6 and 11). The loop is that of `pipe`; the nodes are `fleet`'s.

use std::time::{Duration, Instant};

use super::ending::{describe_before, describe_doubt};
use super::fleet::{Fleet, Loss, Placed};
use super::flight::Origin;
use super::order::Reply;
use super::progress::{Counts, Progress};
use super::resume;
use super::scribe::Scribe;
use super::supply::{Supplied, Supply};
use super::{Closing, FLUSH_DELAY};
use crate::cli::{OnError, PipeArgs};
use crate::commands::refuse::{describe_keyless, refuse_in_pipeline};
use crate::commands::{open_renderer, report_errors};
use crate::config::Config;
use crate::connection_state::{Effect, Setting, effect_of};
use crate::exit::{Exit, Failure, Outcome};
use crate::record::Record;
use crate::render::{Renderer, Stdout};
use crate::report::report;
use crate::request::Request;
use crate::server::{ClusterUse, Lost, Route, Router, Unroutable, refuse_in_cluster};
use crate::signal;

/// Runs the pipeline.
pub fn run(config: &Config, how: ClusterUse, args: &PipeArgs, mut supply: Supply) -> Outcome<Exit> {
    let mut fleet = Fleet::open(&config.target, how, args.window, Scribe::new(&config.style, args))?;
    let had_errors = resume::restore(&mut supply, args, false, |requests| fleet.restore_state(requests))?;
    let renderer = open_renderer(&config.style)?;
    let progress = Progress::new(args, supply.size());
    let pipe = ClusterPipe {
        args,
        supply,
        fleet,
        renderer,
        progress,
        request: Request::default(),
        is_pending: false,
        sets_state: false,
        closing: None,
        had_errors,
        errors: 0,
    };
    pipe.run()
}

struct ClusterPipe<'a> {
    args: &'a PipeArgs,
    supply: Supply,
    fleet: Fleet,
    renderer: Renderer<Stdout>,
    progress: Progress,
    /// The command being read, reused.
    request: Request,
    /// Whether it waits for room at its node.
    is_pending: bool,
    /// Whether it waits until all before it is answered, for it sets the state of every connection.
    sets_state: bool,
    closing: Option<Closing>,
    /// Whether a command that was skipped was refused when it was sent again.
    had_errors: bool,
    /// How many replies were, or held, errors.
    errors: u64,
}

impl ClusterPipe<'_> {
    fn run(mut self) -> Outcome<Exit> {
        loop {
            if let Some(signal) = signal::received() {
                return Err(self.lost(&Lost::Interrupted(signal).into()));
            }
            let (received, wants_input) = match self.work() {
                Ok(done) => done,
                Err(loss) => return Err(self.lost(&loss)),
            };
            let written = self.write_ready()?;
            if written > 0 {
                self.progress.update(self.supply.consumed(), self.counts(0));
            }
            if self.closing.is_some() && self.fleet.order.is_empty() {
                return self.end();
            }
            if self.sets_state && self.fleet.order.is_empty() {
                self.set_state()?;
                continue;
            }
            if wants_input && self.supply.is_file() {
                self.fill();
                continue;
            }
            let is_busy = received > 0 || !wants_input && self.may_load();
            if wants_input || !is_busy {
                self.wait(wants_input, is_busy)?;
            }
        }
    }

    /// Everything that can be done with the nodes now: how many replies came, and whether more input has to be read
    /// first. Nodes are heard before anything is sent to them: nothing is to be lost with one that has left.
    fn work(&mut self) -> Result<(usize, bool), Loss> {
        let received = self.fleet.receive()?;
        if self.fleet.take_saw_error() && self.args.on_error == OnError::Stop && self.closing.is_none() {
            self.closing = Some(Closing::Error);
            self.fleet.stop();
        }
        self.fleet.check_silence()?;
        let wants_input = self.load()?;
        self.fleet.advance()?;
        self.fleet.send();
        Ok((received, wants_input))
    }

    fn may_load(&mut self) -> bool {
        self.closing.is_none() && !self.sets_state && self.fleet.has_room()
    }

    /// Gives every node the command that sets the state.
    fn set_state(&mut self) -> Outcome<()> {
        self.flush()?;
        self.sets_state = false;
        let origin = self.origin();
        self.fleet.set_state(&self.request, origin).map_err(|loss| self.lost(&loss))
    }

    /// Where the command being read stands.
    fn origin(&self) -> Origin {
        Origin { file: self.supply.file_index(), line: self.request.line }
    }

    /// Reads more input. What cannot be read is no end of it.
    fn fill(&mut self) {
        if let Err(failure) = self.supply.fill() {
            self.closing = Some(Closing::BadLine(failure));
        }
    }

    /// Parses commands and gives them to their nodes, as many as these take. Whether more input has to be read first.
    fn load(&mut self) -> Result<bool, Lost> {
        while self.may_load() {
            if !self.is_pending {
                match self.supply.next(&mut self.request, refuse) {
                    Ok(Supplied::Command) if matches!(effect_of(&self.request), Effect::Sets(_)) => {
                        self.sets_state = true;
                        return Ok(false);
                    }
                    Ok(Supplied::Command) => {}
                    Ok(Supplied::Pending) => return Ok(true),
                    Ok(Supplied::End) => {
                        self.closing = Some(Closing::Input);
                        return Ok(false);
                    }
                    Err(bad) => {
                        self.closing = Some(Closing::BadLine(bad.into()));
                        return Ok(false);
                    }
                }
            }
            let origin = self.origin();
            self.is_pending = false;
            match self.fleet.place(&self.request, origin)? {
                Placed::Taken => {}
                Placed::NoRoom => self.is_pending = true,
                Placed::Refused(error) => self.fleet.answer_here(&self.request, origin, &error),
                Placed::Bad(reason) => {
                    let place = self.place(origin);
                    self.closing = Some(Closing::BadLine(Failure::usage(format!("{place}: {reason}"))));
                }
            }
        }
        Ok(false)
    }

    fn place(&self, origin: Origin) -> String {
        format!("{}:{}", self.supply.name(origin.file), origin.line)
    }

    /// Writes the replies whose turn has come; how many.
    fn write_ready(&mut self) -> Outcome<usize> {
        for push in self.fleet.take_pushes() {
            self.renderer.write(&Record::Push(push.frame())).map_err(Failure::output)?;
        }
        let mut count = 0;
        while let Some((origin, reply)) = self.fleet.order.take() {
            self.write_reply(origin, &reply)?;
            count += 1;
        }
        Ok(count)
    }

    fn write_reply(&mut self, origin: Origin, reply: &Reply) -> Outcome<()> {
        if let Some(error) = &reply.error {
            let (request, value) = &**error;
            self.errors += 1;
            let source = self.supply.name(origin.file);
            self.progress.suspend(|| report_errors(source, request, value.frame(), true));
        }
        let text = reply.text.bytes();
        self.progress.write_beside(&mut self.renderer, |renderer| renderer.write_bytes(text)).map_err(Failure::output)
    }

    /// Sleeps until something can be done; `is_busy` only looks whether there is input.
    fn wait(&mut self, wants_input: bool, is_busy: bool) -> Outcome<()> {
        let brief = if is_busy { Duration::ZERO } else { FLUSH_DELAY };
        let due = self.fleet.next_deadline();
        let early = Some(due.map_or(Instant::now() + brief, |due| due.min(Instant::now() + brief)));
        let mut ready = {
            let input = wants_input.then(|| self.supply.fd());
            self.fleet.wait(input, early)
        };
        if matches!(&ready, Ok(ready) if !ready.session && !ready.input) && !is_busy {
            self.flush()?;
            let input = wants_input.then(|| self.supply.fd());
            ready = self.fleet.wait(input, due);
        }
        let ready = ready.map_err(|lost| self.lost(&lost.into()))?;
        if ready.input {
            self.fill();
        }
        Ok(())
    }

    fn flush(&mut self) -> Outcome<()> {
        self.renderer.flush().map_err(Failure::output)
    }

    fn counts(&self, unanswered: usize) -> Counts {
        Counts { answered: self.fleet.order.answered(), errors: self.errors, unanswered }
    }

    /// All that was sent is answered.
    fn end(mut self) -> Outcome<Exit> {
        self.flush()?;
        self.progress.end_bar();
        let answered = self.fleet.order.answered();
        let skip = self.args.skip + answered;
        let resume = format!("resume with --skip {skip}");
        let exit = match self.closing.take() {
            Some(Closing::BadLine(failure)) => failure.noting(&describe_before(answered, skip, &resume)).report(),
            Some(Closing::Error) => {
                report(&format!(
                    "stopped after an error: {answered} commands answered, 0 sent and unanswered; {resume}"
                ));
                Exit::ErrorReply
            }
            Some(Closing::Input) | None => Exit::Done,
        };
        self.progress.summarize(self.counts(0));
        let had_errors = self.had_errors || self.errors > 0;
        Ok(exit.or(if had_errors { Exit::ErrorReply } else { Exit::Done }))
    }

    /// The conversation is over before its time: hears the other nodes out, writes what has its turn, and says what
    /// was answered, what was not, and what was answered out of turn.
    fn lost(&mut self, loss: &Loss) -> Failure {
        self.fleet.settle(!matches!(loss.lost, Lost::Interrupted(_)));
        if let Err(failure) = self.write_ready().and_then(|_| self.flush()) {
            return failure;
        }
        self.progress.end_bar();
        let unanswered = self.fleet.unanswered();
        let first = self.fleet.order.answered();
        let skips_front = matches!(loss.lost, Lost::Undecodable(_)) && unanswered.first() == Some(&first);
        let range = self.range(unanswered.iter().copied());
        let skip = self.args.skip + first + u64::from(skips_front);
        let mut told = format!("{first} commands answered, {} sent and unanswered{range}", unanswered.len());
        let later = match self.write_later() {
            Ok(later) => later,
            Err(failure) => return failure,
        };
        if later.0 > 0 {
            told = format!("{told}, {} later ones answered{}", later.0, later.1);
        }
        told = format!("{told}; resume with --skip {skip}");
        if skips_front {
            told.push_str(", which skips this command too");
        }
        if later.0 > 0 {
            let and = if skips_front { " and" } else { ", which" };
            told = format!("{told}{and} runs those {} again", later.0);
        }
        told.push_str(describe_doubt(unanswered.len() - usize::from(skips_front)));
        let exit = self.describe(loss, &told).report();
        self.progress.summarize(self.counts(unanswered.len()));
        Failure::quiet(exit)
    }

    /// The replies that wait behind one that will not come: how many, and where their commands stand. Envelopes say
    /// themselves what they answer, and are written.
    fn write_later(&mut self) -> Outcome<(usize, String)> {
        let numbers: Vec<u64> = {
            let first = self.fleet.order.answered();
            let entries = self.fleet.order.iter().zip(first..);
            entries.filter(|(entry, _)| entry.is_answered()).map(|(_, number)| number).collect()
        };
        let range = self.range(numbers.iter().copied());
        if self.args.envelope {
            for (origin, reply) in self.fleet.order.take_later() {
                self.write_reply(origin, &reply)?;
            }
            self.flush()?;
        }
        Ok((numbers.len(), range))
    }

    /// ` (FILE:LINE to FILE:LINE)` of the first and the last of these commands; nothing for none.
    fn range(&mut self, mut numbers: impl DoubleEndedIterator<Item = u64>) -> String {
        let (Some(first), last) = (numbers.next(), numbers.next_back()) else { return String::new() };
        let mut place = |number: u64| {
            let origin = self.fleet.order.get_mut(number).map(|entry| entry.origin);
            origin.map_or_else(String::new, |origin| self.place(origin))
        };
        let (first_place, last_place) = (place(first), place(last.unwrap_or(first)));
        format!(" ({first_place} to {last_place})")
    }

    fn describe(&self, loss: &Loss, told: &str) -> Failure {
        let node = loss.node.as_ref().map_or_else(String::new, |node| format!("{node}: "));
        match &loss.lost {
            Lost::Interrupted(signal) => {
                report(&format!("interrupted: {told}"));
                Failure::quiet(Exit::Signal(*signal))
            }
            Lost::Undecodable(_) => {
                let command = loss.command.as_ref().map_or_else(String::new, |request| {
                    let entry = usize::try_from(request.line.saturating_sub(self.fleet.order.answered())).ok();
                    let origin = entry.and_then(|at| self.fleet.order.iter().nth(at)).map(|entry| entry.origin);
                    let place = origin.map_or_else(String::new, |origin| format!("{}: ", self.place(origin)));
                    format!("{place}{}: ", request.shown(100))
                });
                Failure::failed(format!("{command}{node}{}: {told}", loss.lost.reason()))
            }
            other => Failure::failed(format!("connection lost: {node}{}: {told}", other.reason())),
        }
    }
}

/// Why a command has no place in a pipeline over a cluster, as far as can be told without one; none if it has. Keys in
/// several slots are no reason: such a line is answered with an error in its place.
pub fn refuse_unplaceable(router: &mut Router, request: &Request) -> Option<String> {
    if matches!(effect_of(request), Effect::Sets(_)) {
        return refuse(request);
    }
    refuse(request).or_else(|| match router.route(request) {
        Ok(Route::Keyless) => Some(describe_keyless(request)),
        Ok(Route::Slot { .. } | Route::Refused) | Err(Unroutable::CrossSlot(_) | Unroutable::AskServer) => None,
    })
}

/// What can run neither in a pipeline nor in a cluster.
fn refuse(request: &Request) -> Option<String> {
    let reason = match effect_of(request) {
        Effect::Multi | Effect::Exec | Effect::Discard | Effect::Watch | Effect::Unwatch => Some(format!(
            "{} cannot stand in a pipeline over a cluster, whose nodes work at once: `rcli -c txn` runs a block",
            request.shown(40)
        )),
        Effect::Sets(Setting::Replica) | Effect::None | Effect::Hello | Effect::Reset => refuse_in_pipeline(request),
        Effect::Sets(_) => return None,
    };
    reason.or_else(|| refuse_in_cluster(request))
}
