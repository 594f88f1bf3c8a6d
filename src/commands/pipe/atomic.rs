//! `pipe --atomic`: the whole input as one MULTI/EXEC, as redis-py's pipeline is by default. All of it is read and
//! checked before anything is sent: a bad line runs nothing.

use std::io;
use std::time::Instant;

use super::files::{InputFiles, Origin};
use super::progress::summarize;
use super::resume;
use crate::cli::PipeArgs;
use crate::command::request::Request;
use crate::command::restrictions::refuse_in_block;
use crate::context::Context;
use crate::exit::{Exit, Failure, Outcome};
use crate::input::Next;
use crate::net::{Endpoint, Server};
use crate::render::{Record, Renderer, Reports, Stdout};
use crate::reply::{Frame, OwnedFrame};
use crate::shell::block::{Ran, check_block, push, report_aborted, run_block};

/// The commands, and the number of the file of each.
type Block = Vec<(Request, u32)>;

/// Numbers for the summary.
#[derive(Default)]
struct Counts {
    /// Of the commands that were sent.
    sent: usize,
    answered: u64,
    errors: u64,
}

/// Reads everything, runs it as one block, and writes the replies one a line; behind all else that is said the summary,
/// where one is asked for.
pub fn run(context: &Context, endpoint: &Endpoint, args: &PipeArgs, files: &mut InputFiles) -> Outcome<Exit> {
    let (began, mut counts) = (Instant::now(), Counts::default());
    let ended = run_input(context, endpoint, args, files, &mut counts);
    if !args.summary {
        return ended;
    }
    let exit = ended.unwrap_or_else(Failure::report);
    let Counts { sent, answered, errors } = counts;
    summarize(answered, errors, if answered == 0 { sent } else { 0 }, began.elapsed());
    Ok(exit)
}

fn run_input(
    context: &Context,
    endpoint: &Endpoint,
    args: &PipeArgs,
    files: &mut InputFiles,
    counts: &mut Counts,
) -> Outcome<Exit> {
    let mut server = None;
    let mut had_errors = false;
    if args.skip > 0 {
        let server = server.insert(Server::open(endpoint)?);
        let knows_blocks = !server.is_cluster();
        had_errors = resume::restore(files, args, knows_blocks, &mut |requests| server.set_state(requests))?;
    }
    let block = read_block(files, endpoint)?;
    let mut server = match server {
        Some(server) => server,
        None => Server::open(endpoint)?,
    };
    let mut renderer = context.renderer()?;
    let errors = if had_errors { Exit::ErrorReply } else { Exit::Done };
    let Some((last, file)) = block.last() else { return Ok(errors) };
    let place = files.names.place(Origin { file: *file, line: last.line });
    // What it gives in place of the replies has a number and a line too.
    let mut exec = Request::new(["EXEC"]);
    exec.line = last.line;
    let exec = (block.len() as u64 + 1, &exec);
    let commands: Vec<_> = block.iter().map(|(request, file)| (files.names.file(*file), request)).collect();
    check_block(&mut server, &commands)?;
    counts.sent = block.len();
    let (exit, written) = match run_block(&mut server, &commands, &place)? {
        Ran::Executed(replies, had_errors) => {
            counts.answered = block.len() as u64;
            counts.errors = replies.frame().children().filter(|reply| reply.errors().next().is_some()).count() as u64;
            let mut each = (1..).zip(&block).zip(replies.frame().children());
            let written = each
                .try_for_each(|((number, (request, _)), reply)| write(&mut renderer, args, (number, request), reply));
            (if had_errors { Exit::ErrorReply } else { Exit::Done }, written)
        }
        Ran::Refused(error) => {
            counts.errors = 1;
            (Exit::ErrorReply, write(&mut renderer, args, exec, error.frame()))
        }
        // Nothing is watched here, but an expired or evicted key counts as changed on some servers.
        Ran::Aborted => {
            report_aborted(&place, "");
            (Exit::Aborted, write(&mut renderer, args, exec, OwnedFrame::nil().frame()))
        }
    };
    written.and_then(|()| renderer.flush()).map_err(Failure::output)?;
    Ok(exit.or(errors))
}

fn read_block(files: &mut InputFiles, endpoint: &Endpoint) -> Outcome<Block> {
    let mut block = Vec::new();
    let mut request = Request::default();
    loop {
        let unrun = |bad| Failure::from(bad).noting("; nothing was run");
        match files.next(&mut request).map_err(unrun)? {
            Next::Command => {
                let reason = refuse_in_block(&request).or_else(|| endpoint.refuse_write(&request));
                files.refuse(&request, reason).map_err(unrun)?;
                let item = (request.clone(), files.origin(&request).file);
                let place = || format!("{}:{}", files.name(), request.line);
                push(&mut block, item, place)?;
            }
            Next::Pending => files.wait_and_fill()?,
            Next::End => return Ok(block),
        }
    }
}

/// Writes the reply to a command of the block, which has this number there.
fn write(
    renderer: &mut Renderer<Stdout>,
    args: &PipeArgs,
    (number, request): (u64, &Request),
    frame: Frame<'_>,
) -> io::Result<()> {
    if args.envelope {
        let (index, reports) = (args.skip + number, Reports::of(request));
        renderer.write(&Record::Envelope { index, request, frame, reports })
    } else if args.quiet {
        Ok(())
    } else {
        renderer.write(&Record::reply_to(request, frame))
    }
}
