//! Commands on stdin, line by line: each is run when it arrives and its reply is flushed at once (contract section 5).

use redis::Value;

use super::block::{BlockCheck, Ran, report_aborted, run_block};
use super::refuse::{refuse_in_block, refuse_uncounted};
use super::{open_renderer, report_errors, write_pushes};
use crate::config::Config;
use crate::exit::{Exit, Failure, Outcome};
use crate::input::{Next, Source};
use crate::record::{Record, is_report};
use crate::render::{Renderer, Stdout};
use crate::request::Request;
use crate::server::{Server, server_error};
use crate::transaction::{Step, Transaction};

/// Reads stdin to its end, or to the first line that cannot be run.
pub fn run(config: &Config) -> Outcome<Exit> {
    let mut source = Source::stdin()?;
    let mut server = Server::open(&config.target, config.cluster)?;
    let renderer = open_renderer(&config.style)?;

    let mut lines = Lines {
        config,
        renderer,
        source: source.name().to_owned(),
        transaction: Transaction::default(),
        check: BlockCheck::default(),
        had_errors: false,
        was_aborted: false,
    };
    let mut request = Request::default();
    loop {
        match source.next(&mut request)? {
            Next::Command => lines.feed(&mut server, &request)?,
            Next::End => return lines.end(),
            Next::Pending => {
                wait_for_input(&mut server, &source)?;
                source.fill()?;
            }
        }
    }
}

fn wait_for_input(server: &mut Server, source: &Source) -> Outcome<()> {
    let place = server.place();
    while !server.wait_for_input(source).map_err(|lost| lost.into_failure(&place))? {}
    Ok(())
}

struct Lines<'a> {
    config: &'a Config,
    renderer: Renderer<Stdout>,
    source: String,
    transaction: Transaction,
    check: BlockCheck,
    had_errors: bool,
    was_aborted: bool,
}

impl Lines<'_> {
    fn place(&self, request: &Request) -> String {
        format!("{}:{}", self.source, request.line)
    }

    fn feed(&mut self, server: &mut Server, request: &Request) -> Outcome<()> {
        let step = self.transaction.feed(request);
        let refusal = if step == Step::Queue {
            refuse_in_block(request)
        } else {
            refuse_uncounted(request).or_else(|| server.refuse(request))
        };
        if let Some(reason) = refusal {
            return Err(Failure::usage(format!("{}: {reason}", self.place(request))));
        }
        match step {
            Step::Run => self.call(server, request)?,
            Step::Opened | Step::Discarded => self.answer(request, &Value::Okay)?,
            Step::Refused(error) => self.answer(request, &server_error(error))?,
            Step::Queue => {
                let refusal =
                    self.check.refusal(server, request).map_err(|lost| lost.into_failure(&self.place(request)))?;
                if let Some(error) = refusal {
                    self.answer(request, &server_error(&error))?;
                } else {
                    self.transaction.queue(request.clone());
                    self.answer(request, &Value::SimpleString("QUEUED".to_owned()))?;
                }
            }
            Step::Execute(block) => self.execute(server, request, &block)?,
        }
        write_pushes(self.config, server, &mut self.renderer)?;
        self.renderer.flush().map_err(|error| Failure::output(&error))
    }

    fn call(&mut self, server: &mut Server, request: &Request) -> Outcome<()> {
        let lost_at = self.place(request);
        if request.is(0, "WATCH")
            && let Err(error) = server.check_multi().map_err(|lost| lost.into_failure(&lost_at))?
        {
            return self.answer(request, &Value::ServerError(error));
        }
        match server.call(request) {
            Ok(value) => self.answer(request, &value),
            // A server that was told to stop answers by going away.
            Err(lost) if request.is(0, "SHUTDOWN") && lost.is_end() => Ok(()),
            Err(lost) => Err(lost.into_failure(&lost_at)),
        }
    }

    fn answer(&mut self, request: &Request, value: &Value) -> Outcome<()> {
        self.had_errors |= report_errors(&self.source, request, value);
        self.write(request, value)
    }

    fn write(&mut self, request: &Request, value: &Value) -> Outcome<()> {
        self.renderer
            .write(&Record::Reply { value, is_report: is_report(request) })
            .map_err(|error| Failure::output(&error))
    }

    /// Runs the block; its errors are reported with the lines of the commands, not with EXEC's.
    fn execute(&mut self, server: &mut Server, exec: &Request, block: &[Request]) -> Outcome<()> {
        let place = self.place(exec);
        let source = self.source.clone();
        let commands: Vec<_> = block.iter().map(|request| (source.as_str(), request)).collect();
        match run_block(server, &commands, &place)? {
            Ran::Executed(replies, had_errors) => {
                self.had_errors |= had_errors;
                self.write(exec, &Value::Array(replies))
            }
            Ran::Aborted => {
                self.was_aborted = true;
                report_aborted(&place, "");
                self.write(exec, &Value::Nil)
            }
            Ran::Refused(error) => {
                self.had_errors = true;
                self.write(exec, &error)
            }
        }
    }

    /// The input has ended: an open block was never sent.
    fn end(&self) -> Outcome<Exit> {
        if let Some(count) = self.transaction.queued() {
            return Err(Failure::usage(format!(
                "{}: the input ends inside MULTI: {count} queued commands were not run, EXEC is missing",
                self.source
            )));
        }
        Ok(if self.had_errors {
            Exit::ErrorReply
        } else if self.was_aborted {
            Exit::Aborted
        } else {
            Exit::Done
        })
    }
}
