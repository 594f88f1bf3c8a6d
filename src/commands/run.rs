//! `rcli run FILE [KEY]... [, ARG...]`: a script by its hash, or a library and one of its functions (contract section
//! 17). What the file is, and where in it an error is, is told by [`script`]; libraries are loaded by [`library`].

mod library;
mod script;

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt as _;
use std::time::{Duration, Instant};

use self::script::Script;
use super::exec::pause;
use crate::cli::RunArgs;
use crate::command::request::Request;
use crate::context::Context;
use crate::exit::{Exit, Failure, Outcome};
use crate::net::{Lost, Server};
use crate::render::{Format, Record, Renderer, Stdout};
use crate::reply::{ErrorReply, Frame, OwnedFrame};
use crate::report::report;
use crate::text::counted;

/// Runs are sent ahead of their replies as long as those come within this: after Ctrl-C no more than that still runs.
const AHEAD: Duration = Duration::from_millis(10);
/// So many at most, and so many bytes of them.
const MOST_AHEAD: u64 = 1024;
const BYTES_AHEAD: usize = 256 * 1024;

/// Runs the script as often as asked, or loads the library and calls its function as often.
pub fn run(context: &Context, args: &RunArgs) -> Outcome<Exit> {
    let (file, words) = args.words.split_first().ok_or_else(|| Failure::usage("run: name a file"))?;
    let script = Script::read(file)?;
    check(args, &script, words)?;
    let endpoint = context.endpoint()?;
    let is_read_only = endpoint.read_only;
    let mut server = Server::open(&endpoint)?;
    let is_peer = context.config.guise.called_as.is_some();
    let mut output = Output {
        renderer: context.renderer()?,
        is_raw: context.config.style.format == Format::Raw && !is_peer,
        is_peer,
        is_cluster: server.is_cluster(),
        follows_primary: endpoint.address.follows_primary(),
        is_demoted: false,
        script: &script,
        exit: Exit::Done,
    };
    let code = match (&script.library, &args.call) {
        (None, _) => Some(call(if is_read_only { "EVAL_RO" } else { "EVAL" }, &script.code, words)),
        (Some(name), _) => {
            let loaded = library::load(&mut server, &script, name, is_read_only)?;
            if args.call.is_none() || loaded.frame().is_error() {
                output.write(loaded.frame())?;
                output.flush()?;
                return Ok(output.exit);
            }
            None
        }
    };
    let request = match &args.call {
        Some(function) => call(if is_read_only { "FCALL_RO" } else { "FCALL" }, function.as_bytes(), words),
        None => call(if is_read_only { "EVALSHA_RO" } else { "EVALSHA" }, script.hash().as_bytes(), words),
    };
    Runs { server, request, code, output, sent: 0, answered: 0 }.repeat(args)
}

/// A function belongs to a library, and keys to a function.
fn check(args: &RunArgs, script: &Script, words: &[OsString]) -> Outcome<()> {
    let name = &script.name;
    match (&script.library, &args.call) {
        (None, Some(_)) => {
            Err(Failure::usage(format!("{name}: --call goes with a library, which begins with #!lua name=NAME")))
        }
        (Some(_), None) if !words.is_empty() || args.repetition.repeat.is_some() => {
            Err(Failure::usage(format!("{name} is a library: --call FUNCTION names what is run with these keys")))
        }
        _ => Ok(()),
    }
}

/// The command that runs something with these words: keys, and behind the first comma alone arguments.
fn call(name: &str, what: &[u8], words: &[OsString]) -> Request {
    let comma = words.iter().position(|word| word == ",");
    let (keys, args) = match comma {
        Some(at) => (&words[..at], &words[at + 1..]),
        None => (words, &[][..]),
    };
    let mut request = Request::new([name.as_bytes(), what, keys.len().to_string().as_bytes()]);
    for word in keys.iter().chain(args) {
        request.push(word.as_bytes());
    }
    request
}

/// A script, or a function, that is run again and again.
struct Runs<'s> {
    server: Server,
    /// Runs it by its name.
    request: Request,
    /// Runs it by its code, which tells the server its hash; none for a function.
    code: Option<Request>,
    output: Output<'s>,
    /// The runs that were sent, but for those that the server did not know.
    sent: u64,
    /// Those of them that were answered.
    answered: u64,
}

impl Runs<'_> {
    fn repeat(mut self, args: &RunArgs) -> Outcome<Exit> {
        let mut left = args.repetition.repeat.unwrap_or(1);
        // The first reply tells whether the script is known there.
        let mut ahead = 1;
        while left != 0 {
            let count = u64::try_from(left).map_or(ahead, |left| left.min(ahead));
            let started = Instant::now();
            let ran = self.run_or_load(count)?;
            let Some(ran) = ran else { break };
            if left > 0 {
                left -= i64::try_from(ran).unwrap_or(left).min(left);
            }
            if left != 0 && self.output.is_demoted {
                return Err(self.lost(Lost::Demoted));
            }
            match args.repetition.interval {
                Some(interval) if left != 0 => pause(&mut self.server, Instant::now() + interval)?,
                None => ahead = self.next_ahead(ahead, started.elapsed()),
                Some(_) => {}
            }
        }
        Ok(self.output.exit)
    }

    /// How many runs are sent at once after so many that took so long.
    fn next_ahead(&self, ahead: u64, took: Duration) -> u64 {
        // A cluster may send each around: it is answered before the next is sent.
        if self.server.is_cluster() {
            return 1;
        }
        let fits = (BYTES_AHEAD / self.request.packed_size()).max(1) as u64;
        let next = if took < AHEAD { ahead * 2 } else { ahead / 2 };
        next.clamp(1, MOST_AHEAD.min(fits))
    }

    /// Runs it so many times, or once by its code where its hash is not known. How often it ran; none where it never
    /// can.
    fn run_or_load(&mut self, count: u64) -> Outcome<Option<u64>> {
        let unknown = self.run(count).map_err(|lost| self.lost(lost))??;
        if unknown > 0
            && let Some(code) = &self.code
        {
            self.sent += 1;
            let reply = self.server.call(code);
            let reply = reply.map_err(|lost| self.lost(lost))?;
            self.answered += 1;
            self.output.write(reply.frame())?;
            self.output.flush()?;
            return Ok((!is_uncompiled(reply.frame())).then_some(count - unknown + 1));
        }
        Ok(Some(count))
    }

    /// Sends it so many times and writes the replies; how many of them say that the hash is not known.
    fn run(&mut self, count: u64) -> Result<Outcome<u64>, Lost> {
        let Self { server, request, code, output, sent, answered } = self;
        *sent += count;
        let mut unknown = 0;
        let mut take = |reply: &OwnedFrame| {
            if code.is_some() && is_unknown(reply.frame()) {
                unknown += 1;
                *sent -= 1;
                return Ok(());
            }
            *answered += 1;
            output.write(reply.frame())
        };
        match server {
            Server::One(session, _) => {
                for _ in 0..count {
                    session.begin(request);
                }
                for _ in 0..count {
                    if let Err(failure) = take(&session.answer()?) {
                        return Ok(Err(failure));
                    }
                }
            }
            Server::Cluster(cluster) => {
                for _ in 0..count {
                    if let Err(failure) = take(&cluster.call(request)?) {
                        return Ok(Err(failure));
                    }
                }
            }
        }
        Ok(output.flush().map(|()| unknown))
    }

    /// What was answered before is written. Of several runs it is told how many that were.
    fn lost(&mut self, lost: Lost) -> Failure {
        if let Err(failure) = self.output.flush() {
            return failure;
        }
        let failure = lost.into_failure(&self.server.place());
        let (answered, others) = (self.answered, self.sent - self.answered);
        if self.sent > 1 {
            return failure.noting(&format!("; {} answered, {others} more may have run", counted(answered, "run")));
        }
        failure
    }
}

/// Whether a server does not know the hash: nothing ran. A script that fails may choose any code, hardly these words.
fn is_unknown(frame: Frame<'_>) -> bool {
    frame.is_error() && frame.head().text.starts_with(b"NOSCRIPT No matching script")
}

/// Whether the code is none that could ever run.
fn is_uncompiled(frame: Frame<'_>) -> bool {
    frame.is_error() && frame.head().text.starts_with(b"ERR Error compiling script")
}

/// Where replies go.
struct Output<'s> {
    renderer: Renderer<Stdout>,
    /// Whether an error is told on stderr alone.
    is_raw: bool,
    /// Whether rcli was called by redis-cli's name: then it stands in its place alone.
    is_peer: bool,
    is_cluster: bool,
    /// Whether sentinels name the primary, and whether that has become a replica.
    follows_primary: bool,
    is_demoted: bool,
    script: &'s Script,
    exit: Exit,
}

impl Output<'_> {
    /// Writes a reply, and tells its errors by their place in the script. `$(rcli run FILE)` never captures an error.
    fn write(&mut self, frame: Frame<'_>) -> Outcome<()> {
        if !self.is_raw || !frame.is_error() {
            self.renderer.write(&Record::Reply { frame, is_report: false }).map_err(Failure::output)?;
        }
        for error in frame.errors().map(ErrorReply::new) {
            self.exit = Exit::ErrorReply;
            self.is_demoted |= self.follows_primary && error.is_of_replica();
            self.flush()?;
            if self.is_peer {
                continue;
            }
            report(&self.script.describe(&error.advised(self.is_cluster)));
        }
        Ok(())
    }

    fn flush(&mut self) -> Outcome<()> {
        self.renderer.flush().map_err(Failure::output)
    }
}
