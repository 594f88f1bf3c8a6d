//! `rcli txn`: one MULTI/EXEC block, its commands from a file, stdin or a program, tried again when a watched key
//! had changed (contract section 7).

mod attempt;
mod program;
mod watched;

use std::borrow::Cow;
use std::ffi::OsString;
use std::os::fd::AsFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use self::attempt::Attempt;
use self::watched::Watched;
use crate::cli::TxnArgs;
use crate::command::request::Request;
use crate::command::restrictions::{refuse_in_block, reports_of};
use crate::context::Context;
use crate::exit::{Exit, Failure, Outcome};
use crate::input::{Next, Source};
use crate::net::{Endpoint, Lost, RandomBackoff, Server, poll};
use crate::render::{Record, Renderer, Stdout};
use crate::reply::{Frame, OwnedFrame};
use crate::report::report;
use crate::shell::block::{Ran, check_block, conclude, push, report_aborted, transact};

const RETRIES_WITH_PROGRAM: u32 = 10;
/// So many blocks running that a cluster did not serve are enough: a WATCH before each was served, or waited for.
const UNSERVED: u32 = 2;
/// So many aborts running in which the program had written to a watched key are no chance.
const OWN_ABORTS: u32 = 2;
const FIRST_PAUSE: Duration = Duration::from_millis(10);

/// Runs the block, again if need be, and writes EXEC's reply.
pub fn run(context: &Context, args: &TxnArgs) -> Outcome<Exit> {
    let endpoint = context.endpoint()?;
    let retries = args.retries.unwrap_or(if args.program.is_empty() { 0 } else { RETRIES_WITH_PROGRAM });
    let backoff = RandomBackoff::new(args.watch_delay.unwrap_or(FIRST_PAUSE));
    let origin = if args.program.is_empty() { Origin::read(args, &endpoint)? } else { Origin::Program };
    Txn::open(context, endpoint, args)?.run(origin, retries, backoff)
}

/// Where the commands come from.
enum Origin {
    /// A file or stdin, and what was read from it.
    Input { source: Source, block: Option<Vec<Request>> },
    /// PROGRAM, for every try afresh.
    Program,
}

impl Origin {
    /// Opens the file or stdin. Without a watch all of it is read and checked before a server is asked for;
    /// with one, what is watched is to be watched while the input is still being written.
    fn read(args: &TxnArgs, endpoint: &Endpoint) -> Outcome<Self> {
        let mut source = Source::open(args.file.as_deref().unwrap_or(Path::new("-")))?;
        let block = if args.watch.is_empty() {
            Some(read_block(&mut source, endpoint, |source| Ok(poll::wait_readable(source.as_fd())?))?)
        } else {
            None
        };
        Ok(Self::Input { source, block })
    }
}

/// Reads the input to its end; `wait` sleeps until there is more of it.
fn read_block(
    source: &mut Source,
    endpoint: &Endpoint,
    mut wait: impl FnMut(&Source) -> Outcome<()>,
) -> Outcome<Vec<Request>> {
    let mut block = Vec::new();
    let mut request = Request::default();
    loop {
        match source.next(&mut request)? {
            Next::Command => {
                if let Some(reason) = refuse_in_block(&request).or_else(|| endpoint.refuse_write(&request)) {
                    return Err(Failure::usage(format!("{}:{}: {reason}", source.name(), request.line)));
                }
                push(&mut block, request.clone(), || format!("{}:{}", source.name(), request.line))?;
            }
            Next::Pending => {
                wait(source)?;
                source.fill()?;
            }
            Next::End => return Ok(block),
        }
    }
}

struct Txn<'a> {
    context: &'a Context,
    endpoint: Endpoint,
    args: &'a TxnArgs,
    server: Server,
    renderer: Renderer<Stdout>,
    /// Whether the server answered an error to a command before MULTI.
    had_errors: bool,
    /// Whether a program left the connection other than it found it, or the server is no primary any more: the next try
    /// begins on a new one.
    is_changed: bool,
    /// How many blocks running a cluster did not serve.
    unserved: u32,
    /// How many programs running have written to a key that is watched, before MULTI.
    own_writes: u32,
}

impl<'a> Txn<'a> {
    fn open(context: &'a Context, endpoint: Endpoint, args: &'a TxnArgs) -> Outcome<Self> {
        let server = Server::open(&endpoint)?;
        let renderer = context.renderer()?;
        Ok(Self {
            context,
            endpoint,
            args,
            server,
            renderer,
            had_errors: false,
            is_changed: false,
            unserved: 0,
            own_writes: 0,
        })
    }

    fn run(mut self, mut origin: Origin, retries: u32, mut backoff: RandomBackoff) -> Outcome<Exit> {
        let tries = u64::from(retries) + 1;
        for number in 1.. {
            if let Some(refused) = self.watch()? {
                return self.end(&alone(refused.frame()), Exit::ErrorReply);
            }
            let began = Instant::now();
            let Some((name, block)) = self.compute(&mut origin, number)? else {
                return Ok(if self.had_errors { Exit::ErrorReply } else { Exit::Done });
            };
            let place = match block.last() {
                Some(last) => format!("{name}:{}", last.line),
                None => name.clone(),
            };
            let commands: Vec<_> = block.iter().map(|request| (name.as_str(), request)).collect();
            check_block(&mut self.server, &commands)?;
            let transacted = transact(&mut self.server, &commands, &place)?;
            self.unserved = if transacted.may_pass() { self.unserved + 1 } else { 0 };
            if self.unserved > 0 && self.unserved < UNSERVED && self.server.is_cluster() && number < tries {
                backoff.pause(began.elapsed())?;
                continue;
            }
            if transacted.is_of_replica() && self.endpoint.address.follows_primary() && number < tries {
                self.is_changed = true;
                backoff.pause(began.elapsed())?;
                continue;
            }
            match conclude(transacted, &commands, &place, self.server.is_cluster()) {
                Ran::Executed(replies, had_errors) => {
                    let exit = if had_errors || self.had_errors { Exit::ErrorReply } else { Exit::Done };
                    let reports = reports_of(block.iter());
                    return self.end(&Record::executed(replies.frame(), &reports), exit);
                }
                Ran::Refused(error) => return self.end(&alone(error.frame()), Exit::ErrorReply),
                Ran::Aborted if number < tries && self.own_writes < OWN_ABORTS => backoff.pause(began.elapsed())?,
                Ran::Aborted => {
                    let mut note = if number > 1 { format!(" ({number} tries)") } else { String::new() };
                    if self.own_writes >= OWN_ABORTS {
                        note += ": the program writes to a watched key before MULTI, which can never succeed";
                    }
                    report_aborted(&place, &note);
                    let exit = if self.had_errors { Exit::ErrorReply } else { Exit::Aborted };
                    return self.end(&alone(OwnedFrame::nil().frame()), exit);
                }
            }
        }
        Ok(Exit::Done)
    }

    /// Watches the keys. The error if the server refuses that, or MULTI.
    fn watch(&mut self) -> Outcome<Option<OwnedFrame>> {
        if std::mem::take(&mut self.is_changed) {
            self.server = Server::open(&self.endpoint)?;
        }
        let keys: Vec<&[u8]> = self.args.watch.iter().map(|key| key.as_bytes()).collect();
        match self.server.watch(&keys).map_err(|lost| lost.into_failure(&self.server.place()))? {
            Ok(()) => Ok(None),
            Err(error) => {
                report(&format!("nothing was run: {}", error.advised(self.server.is_cluster())));
                Ok(Some(error.to_frame()))
            }
        }
    }

    /// The name of the origin and the block it gives; none if a program gave up with DISCARD.
    fn compute<'o>(&mut self, origin: &'o mut Origin, number: u64) -> Outcome<Option<(String, Cow<'o, [Request]>)>> {
        match origin {
            Origin::Input { source, block } => {
                if block.is_none() {
                    *block = Some(self.read_watched(source)?);
                }
                Ok(Some((source.name().to_owned(), block.as_deref().unwrap_or_default().into())))
            }
            Origin::Program => {
                let words: &[OsString] = &self.args.program;
                let style = &self.context.config.style;
                let attempt = Attempt::start(
                    words,
                    Watched::new(&self.args.watch),
                    number,
                    &mut self.server,
                    &self.endpoint,
                    style,
                )?
                .run()?;
                self.had_errors |= attempt.had_errors;
                self.is_changed = attempt.changed_connection;
                self.own_writes = if attempt.wrote_watched { self.own_writes + 1 } else { 0 };
                Ok(attempt.block.map(|block| (words[0].to_string_lossy().into_owned(), block.into())))
            }
        }
    }

    /// Reads the input while the server holds the watch.
    fn read_watched(&mut self, source: &mut Source) -> Outcome<Vec<Request>> {
        let (server, endpoint) = (&mut self.server, &self.endpoint);
        let place = server.place();
        let lost = |lost: Lost| lost.into_failure(&place);
        read_block(source, endpoint, |source| server.attend(Some(source.as_fd()), None).map_err(lost))
    }

    /// Writes EXEC's reply, or what stands in its place.
    fn end(mut self, record: &Record<'_>, exit: Exit) -> Outcome<Exit> {
        self.renderer.write(record).and_then(|()| self.renderer.flush()).map_err(Failure::output)?;
        Ok(exit)
    }
}

/// What stands in the place of EXEC's reply.
fn alone(frame: Frame<'_>) -> Record<'_> {
    Record::Reply { frame, is_report: false }
}
