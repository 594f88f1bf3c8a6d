//! `pipe --atomic`: the whole input as one MULTI/EXEC, as redis-py's pipeline is by default. All of it is read and
//! checked before anything is sent: a bad line runs nothing.

use redis::Value;

use super::super::block::describe_lost_block;
use super::super::refuse::refuse_in_block;
use super::super::{open_renderer, report_errors};
use super::supply::{Supplied, Supply};
use crate::cli::PipeArgs;
use crate::config::Config;
use crate::exit::{Exit, Failure, Outcome, report};
use crate::record::{Record, is_report};
use crate::render::{Renderer, Stdout};
use crate::request::Request;
use crate::server::{Server, Transacted, error_text};

/// The commands, and the number of the file of each.
type Block = Vec<(Request, usize)>;

/// Reads everything, runs it as one block, and writes the replies one a line.
pub fn run(config: &Config, args: &PipeArgs, supply: &mut Supply) -> Outcome<Exit> {
    let block = read_block(supply)?;
    let mut server = Server::open(&config.target, config.cluster)?;
    let mut renderer = open_renderer(&config.style)?;
    if block.is_empty() {
        return Ok(Exit::Done);
    }
    let place = block.last().map_or_else(String::new, |(last, file)| format!("{}:{}", supply.name(*file), last.line));
    let requests: Vec<&Request> = block.iter().map(|(request, _)| request).collect();
    if let Err((index, reason)) = server.check_block(&requests).map_err(|lost| lost.into_failure(&server.place()))? {
        let (request, file) = &block[index];
        return Err(Failure::usage(format!("{}:{}: {reason}; nothing was run", supply.name(*file), request.line)));
    }
    let exit = match server.transact(&requests).map_err(|lost| describe_lost_block(lost, &place))? {
        Transacted::Executed(Value::Array(replies)) => {
            write_replies(&mut renderer, args, supply, &block, &replies).map_err(|error| Failure::output(&error))?
        }
        Transacted::Executed(other) => {
            return Err(Failure::failed(format!("{place}: EXEC: not an array of replies: {other:?}")));
        }
        Transacted::Refused(errors) => {
            for (index, error) in errors {
                let (request, file) = &block[index];
                report_errors(supply.name(*file), request, &Value::ServerError(error));
            }
            report("nothing was run");
            Exit::ErrorReply
        }
        Transacted::Denied(error) => {
            report(&format!("{place}: EXEC: {}; nothing was run", error_text(&error)));
            Exit::ErrorReply
        }
        // Nothing is watched here, but an expired or evicted key counts as changed on some servers.
        Transacted::Aborted => {
            report(&format!("{place}: EXEC: aborted; nothing was run"));
            Exit::Aborted
        }
    };
    renderer.flush().map_err(|error| Failure::output(&error))?;
    Ok(exit)
}

fn read_block(supply: &mut Supply) -> Outcome<Block> {
    let mut block = Vec::new();
    let mut request = Request::default();
    loop {
        match supply.next(&mut request, refuse_in_block)? {
            Supplied::Command => block.push((request.clone(), supply.file_index())),
            Supplied::Pending => supply.wait_and_fill()?,
            Supplied::End => return Ok(block),
        }
    }
}

fn write_replies(
    renderer: &mut Renderer<Stdout>,
    args: &PipeArgs,
    supply: &Supply,
    block: &Block,
    replies: &[Value],
) -> std::io::Result<Exit> {
    let mut exit = Exit::Done;
    for (index, ((request, file), value)) in block.iter().zip(replies).enumerate() {
        if report_errors(supply.name(*file), request, value) {
            exit = Exit::ErrorReply;
        }
        if args.envelope {
            let index = args.skip + index as u64 + 1;
            renderer.write(&Record::Envelope { index, request, value })?;
        } else if !args.quiet {
            renderer.write(&Record::Reply { value, is_report: is_report(request) })?;
        }
    }
    Ok(exit)
}
