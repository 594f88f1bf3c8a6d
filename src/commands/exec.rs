//! `rcli exec CMD`, and `rcli CMD`: one command, once or repeatedly (contract section 4).

use std::ffi::OsString;
use std::io::{self, Read as _};
use std::os::unix::ffi::OsStrExt as _;
use std::time::Instant;

use super::stdin::subscribed;
use super::{heed_signals, listen};
use crate::cli::{ExecArgs, ExecOptions};
use crate::command::request::Request;
use crate::command::request::secrets::without_quoted;
use crate::command::restrictions::{refuse_uncounted, report_of};
use crate::config::Config;
use crate::config::password::Password;
use crate::context::Context;
use crate::exit::{Exit, Failure, Outcome};
use crate::input::{self, describe_bad};
use crate::memory;
use crate::net::{Lost, Route, Router, Server, poll};
use crate::render::{Format, Record, Reports};
use crate::reply::ErrorReply;
use crate::report::report;
use crate::shell::block::report_partial;
use crate::shell::subscription::changes_subscriptions;
use crate::{signal, stdio};

/// From how many bytes on a reply may not be written at once.
const LONG_REPLY: usize = 512;

/// Runs the command as often as asked.
pub fn run(context: &Context, args: &ExecArgs) -> Outcome<Exit> {
    let ExecArgs { options, command } = args;
    let args = match arguments(options, command) {
        // Where redis-cli says it, to scripts that ask for redis-cli.
        Err(_) if context.config.guise.called_as.is_some() => {
            context.renderer()?.write_now("Invalid quoted string\n").map_err(Failure::output)?;
            return Ok(Exit::Usage);
        }
        args => args?,
    };
    let request = build(options, args)?;
    if !is_brief(context, &request) {
        heed_signals()?;
    }
    if let Some(exit) = listen::command(context, &request) {
        return exit;
    }
    if changes_subscriptions(&request) {
        return subscribed::leave(context, &request, &options.repetition);
    }
    if let Some(reason) = refuse_uncounted(&request) {
        return Err(Failure::usage(reason));
    }
    if let Some(reason) = context.config.connection.endpoint.refuse_write(&request) {
        return Err(Failure::usage(reason));
    }
    let endpoint = context.endpoint()?;
    let is_for_replicas = endpoint.read_from_replicas && Router::default().is_read(&request);
    let endpoint = if is_for_replicas { endpoint.for_reads() } else { endpoint };
    let mut server = Server::open_for(&endpoint, &request)?;
    if let Some(reason) = server.refuse(&request) {
        return Err(Failure::usage(reason));
    }
    let on_all_nodes = endpoint.cluster.is_some_and(|how| how.all_nodes);
    if on_all_nodes {
        refuse_keys_on_all_nodes(&mut server, &request)?;
    }
    let mut renderer = context.renderer()?;
    let mut exit = Exit::Done;
    for is_more in options.repetition.turns() {
        let answer = if on_all_nodes { server.call_all(&request) } else { server.call(&request) };
        report_partial(&mut server);
        let reply = match answer {
            Ok(reply) => reply,
            // A server that was told to stop answers by going away.
            Err(lost) if request.is(0, "SHUTDOWN") && lost.is_end() => break,
            Err(lost) => {
                renderer.flush().map_err(Failure::output)?;
                return Err(lost.into_failure(&server.place()));
            }
        };
        let frame = reply.frame();
        if frame.bytes().len() > LONG_REPLY {
            // Without them a signal cuts it short, no more.
            let _ = signal::install();
        }
        // `$(rcli GET k)` never captures an error; a script that calls redis-cli looks for it there.
        let is_raw = context.config.style.format == Format::Raw && context.config.guise.called_as.is_none();
        let is_apart = options.errors_apart || is_raw;
        let is_written = !is_apart || !frame.is_error();
        if is_written {
            let record = match report_of(&request) {
                Some(report) if on_all_nodes => Record::Report { frame, reports: Reports::OfEach(report) },
                _ => Record::reply_to(&request, frame),
            };
            renderer.write(&record).map_err(Failure::output)?;
        }
        renderer.flush().map_err(Failure::output)?;
        for error in frame.errors().map(ErrorReply::new) {
            exit = Exit::ErrorReply;
            if !is_written || !error.advice(server.is_cluster()).is_empty() {
                report(&without_quoted(&request, error.advised(server.is_cluster())));
            }
        }
        let is_demoted = || ErrorReply::of(frame).is_some_and(|error| error.is_of_replica());
        if is_more && !is_for_replicas && endpoint.address.follows_primary() && is_demoted() {
            return Err(Lost::Demoted.into_failure(&server.place()));
        }
        if let (true, Some(interval)) = (is_more, options.repetition.interval) {
            pause(&mut server, Instant::now() + interval)?;
        }
    }
    Ok(exit)
}

/// Whether there is nothing that a signal may not cut short until the reply has come.
fn is_brief(context: &Context, request: &Request) -> bool {
    let Config { connection, show_pushes, .. } = &context.config;
    let knows_password = connection.login.as_ref().is_none_or(|login| matches!(login.password, Password::Known(_)));
    connection.sandbox.is_none()
        && knows_password
        && !show_pushes
        && !changes_subscriptions(request)
        && !request.is(0, "MONITOR")
}

/// Sleeps until then, and hears what the server says meanwhile. That it has gone is told by the next try.
pub(super) fn pause(server: &mut Server, until: Instant) -> Outcome<()> {
    match server.attend(None, Some(until)) {
        Ok(()) => Ok(()),
        Err(lost @ Lost::Interrupted(_)) => Err(lost.into_failure(&server.place())),
        Err(_) => Ok(poll::sleep_until(until)?),
    }
}

/// A command with keys has one node that it belongs to.
fn refuse_keys_on_all_nodes(server: &mut Server, request: &Request) -> Outcome<()> {
    let has_keys = match server {
        Server::Cluster(cluster) => {
            let place = cluster.place().to_string();
            let route = cluster.route(request).map_err(|lost| lost.into_failure(&place))?;
            matches!(route, Ok(Route::Slot { .. }) | Err(_))
        }
        Server::One(..) => matches!(Router::default().route(request), Ok(Route::Slot { .. })),
    };
    if has_keys {
        return Err(Failure::usage("--all-nodes is for commands without keys: one with keys runs where its keys are"));
    }
    Ok(())
}

/// The words as arguments, without the quotes of `--quoted-input`.
fn arguments(options: &ExecOptions, words: &[OsString]) -> Outcome<Vec<Vec<u8>>> {
    let args = words.iter().map(|word| word.as_bytes());
    if !options.quoted_input {
        return Ok(args.map(<[u8]>::to_vec).collect());
    }
    let name = args.clone().next().unwrap_or_default();
    args.map(|arg| unquote(name, arg)).collect()
}

/// Builds the command from its arguments and, where an option says so, from stdin.
fn build(options: &ExecOptions, mut args: Vec<Vec<u8>>) -> Outcome<Request> {
    if options.stdin_last {
        args.push(read_stdin()?);
    } else if let Some(tag) = &options.stdin_tag {
        let tag = tag.as_bytes();
        let Some(place) = args.iter().skip(1).position(|arg| arg == tag) else {
            return Err(Failure::usage(format!(
                "-X {0}: tag not matched: no argument of the command is {0}",
                String::from_utf8_lossy(tag)
            )));
        };
        args[place + 1] = read_stdin()?;
    }
    if args.first().is_none_or(Vec::is_empty) {
        return Err(Failure::usage("the command has no name"));
    }
    Ok(Request::new(args))
}

/// Unquotes an argument that is quoted as in a line of input; any other stays as it is. `name` is the command's, as it
/// was typed.
fn unquote(name: &[u8], arg: &[u8]) -> Outcome<Vec<u8>> {
    input::unquote(arg).map_err(|malformed| {
        let (reason, pointer) = describe_bad(name, arg, &malformed);
        Failure::usage(format!("--quoted-input: {reason}")).pointing(pointer)
    })
}

pub(super) fn read_stdin() -> Outcome<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = stdio::stdin().and_then(|mut stdin| memory::ask(|| stdin.read_to_end(&mut bytes)));
    let length = bytes.len();
    match read {
        // It is copied to be sent.
        Ok(_) if memory::has_room(length) => Ok(bytes),
        Ok(_) => Err(Failure::failed(format!("memory has no room for an argument of {length} bytes"))),
        Err(error) if error.kind() == io::ErrorKind::OutOfMemory => {
            Err(Failure::failed(format!("memory has no room for an argument of more than {length} bytes")))
        }
        Err(error) => Err(Failure::unusable("cannot read stdin", &error)),
    }
}
