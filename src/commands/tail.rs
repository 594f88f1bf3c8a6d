//! `rcli tail`: which streams to read and how to show them, from the options (contract section 15). The loop itself is
//! [`crate::follow`].

use std::os::unix::ffi::OsStrExt as _;

use super::listen::{refuse_json_options, view};
use crate::cli::{Ack, TailArgs};
use crate::context::Context;
use crate::exit::{Exit, Failure, Outcome};
use crate::follow::handler::{Handler, Handlers, Takes};
use crate::follow::{Limits, follow};
use crate::net::{Acknowledge, Edge, Entries, Group, Reading};
use crate::reply::EntryId;

/// How many entries of a group may be with each handler that runs at once: the next one is there when one is done, and
/// the rest is left to other consumers.
const PER_HANDLER: u64 = 2;

pub fn run(context: &Context, args: &TailArgs) -> Outcome<Exit> {
    let has_handler = args.handling.handler.is_some();
    refuse_json_options(
        context,
        &[
            ("--time", args.time && !has_handler),
            ("--data-json", args.data_json && !has_handler),
            ("--events", args.reconnect.events),
        ],
    )?;
    let reading = reading(args)?;
    let handler = Handler::of_option(Takes::Entries, "--handler", args.handling.handler.as_deref())?;
    let on_disconnect = Handler::of_option(Takes::Events, "--on-disconnect", args.handling.on_disconnect.as_deref())?;
    let handlers: Vec<Handler> = handler.into_iter().chain(on_disconnect).collect();
    let limits = Limits::begin(&args.limits, "messages");
    let endpoint = context.endpoint_telling(None)?;
    if endpoint.read_only && reading.group.is_some() {
        return Err(Failure::usage("--read-only: a group is told what was read; tail reads without --group"));
    }
    let entries = Entries::open(&endpoint, reading)?;
    let mut view = view(context, limits)?;
    view.time = args.time;
    view.events = args.reconnect.events;
    view.handlers = Handlers::start(handlers, &args.handling.running, &context.config.style)?;
    view.output = view.output.filter(|_| !has_handler);
    follow(entries, view)
}

fn reading(args: &TailArgs) -> Outcome<Reading> {
    let mut streams: Vec<Vec<u8>> = Vec::new();
    for stream in &args.streams {
        let name = stream.as_bytes().to_vec();
        if !streams.contains(&name) {
            streams.push(name);
        }
    }
    Ok(Reading {
        streams,
        from: match args.from.as_str() {
            "$" => Edge::Latest,
            text => Edge::Id(id_of("--from", text, 0)?),
        },
        until: match args.until.as_deref() {
            None => None,
            Some("$") => Some(Edge::Latest),
            Some(text) => Some(Edge::Id(id_of("--until", text, u64::MAX)?)),
        },
        group: group(args)?,
        retries: args.reconnect.retries.limit(),
    })
}

/// An id; one without its number is the first or the last of its millisecond.
fn id_of(option: &str, text: &str, seq: u64) -> Outcome<EntryId> {
    EntryId::parse_with(text.as_bytes(), seq)
        .ok_or_else(|| Failure::usage(format!("{option} {text}: an id is expected, as 1700000000000-0, or 0 or $")))
}

fn group(args: &TailArgs) -> Outcome<Option<Group>> {
    let options = &args.group;
    let has_handler = args.handling.handler.is_some();
    let (Some(name), Some(consumer)) = (&options.group, &options.consumer) else { return Ok(None) };
    if options.ack == Some(Ack::Handled) && !has_handler {
        return Err(Failure::usage("--ack handled goes with --handler"));
    }
    Ok(Some(Group {
        name: name.as_bytes().to_vec(),
        consumer: consumer.as_bytes().to_vec(),
        create: options.create,
        acknowledge: match options.ack {
            Some(Ack::Never) => Acknowledge::Never,
            Some(Ack::Handled) => Acknowledge::Handled,
            None if has_handler => Acknowledge::Handled,
            Some(Ack::Written) | None => Acknowledge::Written,
        },
        claim_idle: options.claim_idle,
        window: has_handler.then(|| PER_HANDLER * u64::from(args.handling.running.handler_jobs)),
    }))
}
