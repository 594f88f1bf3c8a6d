//! `rcli sub`, `psub`, `ssub` and `monitor`: what to listen to and how to show it, from the options (contract sections
//! 8 and 9). The loop itself is [`crate::follow`], which the REPL's views run as well.

use std::ffi::OsString;

use rustix::event::{PollFd, PollFlags};

use crate::cli::{Control, ListenOptions, MonitorArgs, OnHandlerError, PsubArgs, RunningOptions, SsubArgs, SubArgs};
use crate::command::request::Request;
use crate::config;
use crate::context::Context;
use crate::exit::{Exit, Failure, Outcome};
use crate::follow::handler::{Handler, Handlers, Takes, parse_handlers};
use crate::follow::{Changes, Filter, Limits, Listening, Output, View, follow};
use crate::input;
use crate::net::{Change, Heard, Source, Stream, Subscription, Topic};
use crate::render::{Format, Record, Renderer, Stdout};
use crate::reply::OwnedFrame;
use crate::signal;

/// Runs `rcli sub`.
pub fn sub(context: &Context, args: &SubArgs) -> Outcome<Exit> {
    let SubArgs { channels, patterns, shard_channels, listen: options } = args;
    let names = [(Topic::Channel, channels), (Topic::Pattern, patterns), (Topic::ShardChannel, shard_channels)];
    listen(context, options, &names, None)
}

/// Runs `rcli psub`.
pub fn psub(context: &Context, args: &PsubArgs) -> Outcome<Exit> {
    let PsubArgs { patterns, channels, shard_channels, listen: options } = args;
    let names = [(Topic::Pattern, patterns), (Topic::Channel, channels), (Topic::ShardChannel, shard_channels)];
    listen(context, options, &names, None)
}

/// Runs `rcli ssub`.
pub fn ssub(context: &Context, args: &SsubArgs) -> Outcome<Exit> {
    listen(context, &args.listen, &[(Topic::ShardChannel, &args.channels)], args.node.as_deref())
}

/// Runs `rcli monitor`.
pub fn monitor(context: &Context, args: &MonitorArgs) -> Outcome<Exit> {
    refuse_json_options(context, &[("--events", args.reconnect.events)])?;
    let handlers =
        Handler::of_option(Takes::Events, "--on-disconnect", args.on_disconnect.as_deref())?.into_iter().collect();
    let limits = Limits::begin(&args.limits, "messages");
    let stream = open(context, Source::Monitor, args.reconnect.retries.limit(), args.node.as_deref())?;
    let mut view = view(context, limits)?;
    view.events = args.reconnect.events;
    view.filter = Filter::new(&args.only, args.client.as_deref(), args.in_db);
    let one = RunningOptions { handler_jobs: 1, on_handler_error: OnHandlerError::Report };
    view.handlers = Handlers::start(handlers, &one, &context.config.style)?;
    follow(Listening::new(stream, None), view)
}

/// Runs SUBSCRIBE and its kind, and MONITOR, typed as commands: the stream in redis-cli's own form, which ends with its
/// connection (contract section 4). None for any other command.
pub fn command(context: &Context, request: &Request) -> Option<Outcome<Exit>> {
    let source = match Change::of(request) {
        Some(Ok(Change::Subscribe(subscriptions))) => Source::Subscriptions(subscriptions),
        Some(Err(reason)) if !request.is(0, "PING") => return Some(Err(Failure::usage(reason))),
        _ if request.is(0, "MONITOR") && request.len() == 1 => Source::Monitor,
        _ => return None,
    };
    Some(stream(context, source))
}

fn stream(context: &Context, source: Source) -> Outcome<Exit> {
    let is_confirmed = source == Source::Monitor && context.config.style.format != Format::Json;
    let mut stream = open(context, source, Some(0), None)?;
    let mut view = view(context, Limits::none())?;
    if is_confirmed {
        confirm_monitor(&mut stream, &mut view.renderer)?;
    }
    follow(Listening::new(stream, None), view)
}

/// Writes MONITOR's reply when it has come, and the line that came with it.
fn confirm_monitor(stream: &mut Stream, renderer: &mut Renderer<Stdout>) -> Outcome<()> {
    let wake: Vec<PollFd<'_>> =
        signal::wake().map(|wake| PollFd::from_borrowed_fd(wake, PollFlags::IN)).into_iter().collect();
    loop {
        let given = stream.next()?;
        let line = match given.as_ref().map(|given| &given.heard) {
            Some(Heard::Line(text)) => Some(text.to_vec()),
            _ => None,
        };
        if line.is_some() || stream.is_settled() {
            let frames =
                [Some(OwnedFrame::simple("OK")), line.map(|line| OwnedFrame::simple(&String::from_utf8_lossy(&line)))];
            for frame in frames.iter().flatten() {
                renderer.write(&Record::Reply { frame: frame.frame(), is_report: false }).map_err(Failure::output)?;
            }
            return renderer.flush().map_err(Failure::output);
        }
        if stream.wait(&wake, None)?.is_some() {
            return Ok(());
        }
    }
}

fn listen(
    context: &Context,
    options: &ListenOptions,
    names: &[(Topic, &Vec<OsString>)],
    node: Option<&str>,
) -> Outcome<Exit> {
    let subscriptions = Subscription::collect(names);
    let mut handlers = parse_handlers(&options.handlers, &subscriptions, options.control.is_some())?;
    // A handler gets JSON in any case, so these mean something where there is one.
    let has_handlers = !handlers.is_empty();
    handlers.extend(Handler::of_option(Takes::Events, "--on-disconnect", options.on_disconnect.as_deref())?);
    refuse_json_options(
        context,
        &[
            ("--time", options.time && !has_handlers),
            ("--data-json", options.data_json && !has_handlers),
            ("--events", options.reconnect.events),
        ],
    )?;
    let limits = Limits::begin(&options.limits, "messages");
    let changes = match options.control {
        Some(control) => Some(Changes::lines(input::Source::stdin()?, control == Control::Keep)),
        None => None,
    };
    let source = if changes.is_some() { Source::Changing(subscriptions) } else { Source::Subscriptions(subscriptions) };
    let stream = open(context, source, options.reconnect.retries.limit(), node)?;
    let mut view = view(context, limits)?;
    view.confirmations = !options.ignore_subscribe_messages;
    view.time = options.time;
    view.events = options.reconnect.events;
    view.handlers = Handlers::start(handlers, &options.running, &context.config.style)?;
    // With handlers it goes on where nobody reads what is written.
    view.output = view.output.filter(|_| !has_handlers);
    follow(Listening::new(stream, changes), view)
}

/// How a stream is shown on standard output, whose reader ends it by going away.
pub(super) fn view(context: &Context, limits: Limits) -> Outcome<View> {
    let mut view = View::new(context.renderer()?, limits);
    view.pushes = context.config.show_pushes;
    view.output = Some(context.sink.clone().map_or(Output::Standard, Output::Elsewhere));
    Ok(view)
}

/// Listens to the server, or to the cluster, or to that node of it.
fn open(context: &Context, source: Source, retries: Option<u32>, node: Option<&str>) -> Outcome<Stream> {
    let endpoint = context.endpoint_telling(None)?;
    Ok(match node {
        Some(node) => Stream::open_node(&endpoint, config::parse_node(node, endpoint.cluster)?, source, retries)?,
        None => Stream::open(&endpoint, source, retries)?,
    })
}

/// Options that only JSON lines can follow are not passed over in silence.
pub(super) fn refuse_json_options(context: &Context, options: &[(&str, bool)]) -> Outcome<()> {
    let given = options.iter().find(|(_, is_given)| *is_given);
    match given {
        Some((name, _)) if context.config.style.format != Format::Json => {
            Err(Failure::usage(format!("{name} goes with JSON lines: leave out --raw, --human and --csv")))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_given_twice_is_subscribed_once() {
        let names = |names: &[&str]| names.iter().map(OsString::from).collect::<Vec<_>>();
        let found =
            Subscription::collect(&[(Topic::Channel, &names(&["b", "a", "b"])), (Topic::Pattern, &names(&["a"]))]);
        let found: Vec<_> = found.iter().map(|found| (found.topic, found.name.as_slice())).collect();
        let expected: [(Topic, &[u8]); 3] = [(Topic::Channel, b"b"), (Topic::Channel, b"a"), (Topic::Pattern, b"a")];
        assert_eq!(found, expected);
    }
}
