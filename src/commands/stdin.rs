//! Commands on stdin, line by line: each is run when it arrives and its reply is flushed at once (contract section 5).

mod keys;
pub(super) mod prompted;
pub(super) mod subscribed;

use std::os::fd::AsFd as _;

use self::subscribed::Mode;
use crate::cli::CalledAs;
use crate::command::request::Request;
use crate::command::restrictions::{Effect, effect_of, reports_of};
use crate::context::Context;
use crate::exit::{Exit, Failure, Outcome};
use crate::input::{BadInput, Next, Quotes, Source};
use crate::net::{Endpoint, Lost, Server, Transacted, Unopened, poll};
use crate::render::{Format, Record, Renderer, Stdout};
use crate::repl::local::leaves;
use crate::reply::{ErrorReply, Frame, OwnedFrame};
use crate::report::Told;
use crate::shell::block::{
    NOTHING_RAN, RAN_APART, describe_lost_block, no_room, refuse_block, report_aborted, report_errors, report_partial,
};
use crate::shell::connection::Link;
use crate::shell::{Answer, Shell, Trouble};

/// Reads stdin to its end, to a line `exit` or `quit`, or to the first line that cannot be run.
pub fn run(context: &Context) -> Outcome<Exit> {
    let called_as = context.config.guise.called_as;
    let quotes = if called_as == Some(CalledAs::ValkeyCli) { Quotes::Joined } else { Quotes::Strict };
    let mut source = Source::stdin()?.with_quotes(quotes);
    let mode = Mode::new(context);
    let endpoint = context.endpoint_telling(Some(mode.listener(context)?))?;
    let is_peer = called_as.is_some();
    let link = if is_peer { Link::again(&endpoint)? } else { Link::once(&endpoint)? };
    let mut lines = Lines { is_peer, ..Lines::new(context, &endpoint, link, mode, source.name())? };
    let place = endpoint.address.to_string();
    let mut request = Request::default();
    loop {
        let next = source.next(&mut request);
        if !matches!(next, Ok(Next::Pending)) {
            lines.end_reading()?;
        }
        match next {
            Ok(Next::Command) if leaves(&request) => return lines.end(),
            Ok(Next::Command) => lines.take(&mut request, source.last_line())?,
            Ok(Next::End) if lines.mode.is_open() => {
                if let Some(exit) = lines.hear(None)? {
                    return Ok(lines.exit.or(exit));
                }
            }
            Ok(Next::End) => return lines.end(),
            Ok(Next::Pending) if lines.mode.is_open() => {
                if let Some(exit) = lines.hear(Some(&source))? {
                    return Ok(lines.exit.or(exit));
                }
                source.fill()?;
            }
            Ok(Next::Pending) => {
                wait_for_input(&source, lines.shell.link().server(), &place)?;
                source.fill()?;
            }
            Err(bad) => lines.pass_over(bad)?,
        }
    }
}

/// Waits until there is something to read, and takes in what the server says meanwhile. A connection that ends is
/// noticed by the next command, which can name its line.
fn wait_for_input(source: &Source, server: Option<&mut Server>, place: &str) -> Outcome<()> {
    match server.map(|server| server.attend(Some(source.as_fd()), None)) {
        Some(Ok(())) => Ok(()),
        Some(Err(lost @ (Lost::Interrupted(_) | Lost::Refused { .. }))) => Err(lost.into_failure(place)),
        Some(Err(_)) | None => Ok(poll::wait_readable(source.as_fd())?),
    }
}

struct Lines {
    renderer: Renderer<Stdout>,
    format: Format,
    source: String,
    shell: Shell,
    /// What is subscribed.
    mode: Mode,
    is_cluster: bool,
    /// Whether a bad line ends nothing: as if it were typed, the next one may be better.
    passes_over: bool,
    /// Whether rcli was called by redis-cli's name: a lost connection ends nothing, for the next line opens another, and
    /// errors are told in their places alone.
    is_peer: bool,
    /// The status so far.
    exit: Exit,
    /// Where the last command went.
    address: String,
}

impl Lines {
    /// Those of this source, over this connection.
    fn new(context: &Context, endpoint: &Endpoint, link: Link, mode: Mode, source: &str) -> Outcome<Self> {
        let is_cluster = link.is_cluster();
        Ok(Self {
            renderer: context.renderer()?,
            format: context.config.style.format,
            source: source.to_owned(),
            shell: Shell::new(link),
            mode,
            is_cluster,
            passes_over: context.config.guise.fakes_terminal,
            is_peer: false,
            exit: Exit::Done,
            address: endpoint.address.to_string(),
        })
    }

    fn place(&self, request: &Request) -> String {
        format!("{}:{}", self.source, request.line)
    }

    /// Runs a line, as often as the number before it says: a bare one, as redis-cli takes it.
    fn take(&mut self, request: &mut Request, line: &[u8]) -> Outcome<()> {
        if let (Some(setting), None) = (self.setting(request), self.shell.queued()) {
            return self.renderer.write_now(setting).map_err(Failure::output);
        }
        let count = repetitions(request, line);
        if count.is_some() {
            let (line, words) = (request.line, request.args().skip(1).map(<[u8]>::to_vec).collect::<Vec<_>>());
            *request = Request::new(words);
            request.line = line;
        }
        (0..count.unwrap_or(1)).try_for_each(|_| self.feed(request))
    }

    /// What redis-cli's own lines are answered by: its hints are for the prompt, and valkey-cli tells whether something
    /// is subscribed.
    fn setting(&self, request: &Request) -> Option<&'static str> {
        let is = |words: [&str; 2]| request.len() == 2 && request.is(0, words[0]) && request.is(1, words[1]);
        if is([":get", "pubsub"]) {
            return Some(if self.mode.is_open() { "1\n" } else { "0\n" });
        }
        (is([":set", "hints"]) || is([":set", "nohints"])).then_some("")
    }

    /// A line that cannot be understood is the last one, but where lines are as if typed.
    fn pass_over(&mut self, bad: BadInput) -> Outcome<()> {
        if !self.passes_over || !bad.recoverable {
            return Err(bad.into());
        }
        self.refuse_line()
    }

    fn refuse_line(&mut self) -> Outcome<()> {
        self.exit = self.exit.or(Exit::Usage);
        self.renderer.write_now("Invalid argument(s)\n").map_err(Failure::output)
    }

    fn feed(&mut self, request: &Request) -> Outcome<()> {
        if self.is_for_subscription(request) {
            return self.ask_subscribed(request);
        }
        let answer = self.shell.eval(request);
        self.address = self.shell.link().place();
        if let Some(server) = self.shell.link().server() {
            report_partial(server);
        }
        match answer {
            Ok(answer) => {
                if effect_of(request) == Effect::Reset {
                    self.mode.reset();
                }
                self.answer(request, &answer)?;
                if answer.is_of_replica() && self.shell.link().leave_replica() {
                    self.renderer.flush().map_err(Failure::output)?;
                    self.outlive(Trouble::Lost(Lost::Demoted), request)?;
                }
            }
            Err(trouble) => self.outlive(trouble, request)?,
        }
        if self.is_peer {
            self.shell.link().take_notices().into_iter().for_each(Told::report);
        }
        self.renderer.flush().map_err(Failure::output)
    }

    /// The end of the run, but by redis-cli's name, where the next line opens another connection.
    fn outlive(&mut self, trouble: Trouble, request: &Request) -> Outcome<()> {
        let failure = self.describe(trouble, request);
        if !self.is_peer || failure.exit() != Exit::Failed {
            return Err(failure);
        }
        self.exit = self.exit.or(failure.report());
        if self.shell.link().server().is_none() {
            self.mode.reset();
        }
        Ok(())
    }

    fn describe(&self, trouble: Trouble, request: &Request) -> Failure {
        let place = self.place(request);
        match trouble {
            Trouble::Unfit(reason) => Failure::usage(format!("{place}: {reason}")),
            Trouble::NoRoom(count) => Failure::failed(format!("{place}: {}; {NOTHING_RAN}", no_room(count))),
            // Without a connection that is opened again this is one that an earlier line has ended.
            Trouble::NotConnected(Unopened::Unreachable(gone)) if !self.is_peer => {
                Failure::failed(format!("{place}: {gone}"))
            }
            Trouble::NotConnected(unopened) | Trouble::NotIntroduced(unopened) => unopened.into(),
            // These name the server themselves.
            Trouble::Lost(lost @ (Lost::Unreached(_) | Lost::Refused { .. })) => lost.into_failure_at(&place),
            Trouble::Lost(lost) => lost.into_failure_at(&format!("{place}: {}", self.address)),
            Trouble::LostBlock(lost) => describe_lost_block(lost, &format!("{place}: {}", self.address)),
        }
    }

    /// Writes an answer. The errors of a block are reported with the lines of their commands, not with EXEC's.
    fn answer(&mut self, request: &Request, answer: &Answer) -> Outcome<()> {
        let place = self.place(request);
        match answer {
            Answer::Reply(reply) => self.reply(request, reply.frame()),
            // Stdin ends with its connection: no EXEC comes after a WATCH was lost.
            Answer::Stopped | Answer::WatchLost => Ok(()),
            Answer::Transacted(block, Transacted::Executed(replies)) => {
                for (request, reply) in block.iter().zip(replies.frame().children()) {
                    self.note_errors(request, reply);
                }
                let reports = reports_of(block);
                self.renderer.write(&Record::executed(replies.frame(), &reports)).map_err(Failure::output)
            }
            Answer::Transacted(_, Transacted::Aborted) => {
                self.exit = self.exit.or(Exit::Aborted);
                report_aborted(&place, "");
                self.write(request, OwnedFrame::nil().frame())
            }
            Answer::Transacted(block, Transacted::Refused(errors, error)) => {
                for (index, error) in errors {
                    self.note_errors(&block[*index], error.to_frame().frame());
                }
                self.refuse(request, error, NOTHING_RAN)
            }
            Answer::Transacted(_, Transacted::Denied(error)) => self.refuse(request, error, NOTHING_RAN),
            Answer::Transacted(_, Transacted::Unbound(error)) => self.refuse(request, error, RAN_APART),
        }
    }

    fn refuse(&mut self, exec: &Request, error: &ErrorReply, what_ran: &str) -> Outcome<()> {
        if !self.is_peer || what_ran != NOTHING_RAN {
            refuse_block(error, &self.place(exec), what_ran);
        }
        self.exit = self.exit.or(Exit::ErrorReply);
        self.write(exec, error.to_frame().frame())
    }

    fn reply(&mut self, request: &Request, frame: Frame<'_>) -> Outcome<()> {
        self.note_errors(request, frame);
        self.write(request, frame)
    }

    fn note_errors(&mut self, request: &Request, frame: Frame<'_>) {
        // By redis-cli's name they stand in their place, and only there.
        let has_errors = if self.is_peer {
            frame.errors().next().is_some()
        } else {
            report_errors(&self.source, request, frame, self.is_cluster)
        };
        if has_errors {
            self.exit = self.exit.or(Exit::ErrorReply);
        }
    }

    fn write(&mut self, request: &Request, frame: Frame<'_>) -> Outcome<()> {
        self.renderer.write(&Record::reply_to(request, frame)).map_err(Failure::output)
    }

    /// The input has ended: an open block was never sent.
    fn end(&self) -> Outcome<Exit> {
        if let Some(count) = self.shell.queued() {
            return Err(Failure::usage(format!(
                "{}: the input ends inside MULTI: {} not run, EXEC is missing",
                self.source,
                match count {
                    1 => "1 queued command was".to_owned(),
                    count => format!("{count} queued commands were"),
                }
            )));
        }
        Ok(self.exit)
    }
}

/// How often a line says that it is to be run: by a bare number of 1 or more before the command.
fn repetitions(request: &Request, line: &[u8]) -> Option<u64> {
    let is_bare = line.trim_ascii_start().first().is_some_and(u8::is_ascii_digit);
    let digits = std::str::from_utf8(request.arg(0)).ok().filter(|_| is_bare && request.len() > 1)?;
    digits.parse().ok().filter(|count| *count > 0)
}
