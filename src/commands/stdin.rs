//! Commands on stdin, line by line: each is run when it arrives and its reply is flushed at once (contract section 5).

use std::os::fd::AsFd as _;

use crate::command::request::Request;
use crate::command::restrictions::is_report;
use crate::context::Context;
use crate::exit::{Exit, Failure, Outcome};
use crate::input::{Next, Source};
use crate::net::{Lost, Server, poll};
use crate::render::{Record, Renderer, Stdout};
use crate::repl::local::leaves;
use crate::reply::{ErrorReply, Frame, OwnedFrame};
use crate::shell::block::{NOTHING_RAN, RAN_APART, describe_lost_block, refuse_block, report_aborted, report_errors};
use crate::shell::connection::Link;
use crate::shell::{Answer, Shell, Trouble};

/// Reads stdin to its end, to a line `exit` or `quit`, or to the first line that cannot be run.
pub fn run(context: &Context) -> Outcome<Exit> {
    let mut source = Source::stdin()?;
    let endpoint = context.endpoint()?;
    let link = Link::once(&endpoint)?;
    let renderer = context.renderer()?;
    let place = endpoint.address.to_string();
    let mut lines = Lines {
        renderer,
        source: source.name().to_owned(),
        shell: Shell::new(link),
        is_cluster: endpoint.cluster.is_some(),
        had_errors: false,
        was_aborted: false,
    };
    let mut request = Request::default();
    loop {
        match source.next(&mut request)? {
            Next::Command if leaves(&request) => return lines.end(),
            Next::Command => lines.feed(&request)?,
            Next::End => return lines.end(),
            Next::Pending => {
                wait_for_input(&source, lines.shell.link().server(), &place)?;
                source.fill()?;
            }
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
    source: String,
    shell: Shell,
    is_cluster: bool,
    had_errors: bool,
    was_aborted: bool,
}

impl Lines {
    fn place(&self, request: &Request) -> String {
        format!("{}:{}", self.source, request.line)
    }

    fn feed(&mut self, request: &Request) -> Outcome<()> {
        match self.shell.eval(request) {
            Ok(answer) => self.answer(request, &answer)?,
            Err(trouble) => return Err(self.describe(trouble, request)),
        }
        self.renderer.flush().map_err(Failure::output)
    }

    fn describe(&self, trouble: Trouble, request: &Request) -> Failure {
        let place = self.place(request);
        match trouble {
            Trouble::Unfit(reason) => Failure::usage(format!("{place}: {reason}")),
            Trouble::NotConnected(unopened) | Trouble::NotIntroduced(unopened) => unopened.into(),
            Trouble::Lost(lost) => lost.into_failure_at(&place),
            Trouble::LostBlock(lost) => describe_lost_block(lost, &place),
        }
    }

    /// Writes an answer. The errors of a block are reported with the lines of their commands, not with EXEC's.
    fn answer(&mut self, request: &Request, answer: &Answer) -> Outcome<()> {
        let place = self.place(request);
        match answer {
            Answer::Reply(reply) => self.reply(request, reply.frame()),
            // Stdin ends with its connection: no EXEC comes after a WATCH was lost.
            Answer::Stopped | Answer::WatchLost => Ok(()),
            Answer::Executed { block, replies } => {
                for (request, reply) in block.iter().zip(replies.frame().children()) {
                    self.had_errors |= report_errors(&self.source, request, reply, self.is_cluster);
                }
                self.write(request, replies.frame())
            }
            Answer::Aborted => {
                self.was_aborted = true;
                report_aborted(&place, "");
                self.write(request, OwnedFrame::nil().frame())
            }
            Answer::Rejected(errors, error) => {
                for (request, error) in errors {
                    report_errors(&self.source, request, error.to_frame().frame(), self.is_cluster);
                }
                self.refuse(request, error, NOTHING_RAN)
            }
            Answer::Denied(error) => self.refuse(request, error, NOTHING_RAN),
            Answer::Unbound(error) => self.refuse(request, error, RAN_APART),
        }
    }

    fn refuse(&mut self, exec: &Request, error: &ErrorReply, what_ran: &str) -> Outcome<()> {
        refuse_block(error, &self.place(exec), what_ran);
        self.had_errors = true;
        self.write(exec, error.to_frame().frame())
    }

    fn reply(&mut self, request: &Request, frame: Frame<'_>) -> Outcome<()> {
        self.had_errors |= report_errors(&self.source, request, frame, self.is_cluster);
        self.write(request, frame)
    }

    fn write(&mut self, request: &Request, frame: Frame<'_>) -> Outcome<()> {
        self.renderer.write(&Record::Reply { frame, is_report: is_report(request) }).map_err(Failure::output)
    }

    /// The input has ended: an open block was never sent.
    fn end(&self) -> Outcome<Exit> {
        if let Some(count) = self.shell.queued() {
            return Err(Failure::usage(format!(
                "{}: the input ends inside MULTI: {count} queued commands were not run, EXEC is missing",
                self.source
            )));
        }
        let errors = if self.had_errors { Exit::ErrorReply } else { Exit::Done };
        Ok(errors.or(if self.was_aborted { Exit::Aborted } else { Exit::Done }))
    }
}
