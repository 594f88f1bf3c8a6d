//! `rcli ls`: the keys of a server or a cluster, or what is in one of them (contract section 16).

mod looks;
mod node;
mod output;
mod page;
mod progress;
mod rounds;
mod scan;
mod top;
mod walk;

use std::os::unix::ffi::OsStrExt as _;

use self::looks::{Looks, column_of, told_in};
use self::node::Node;
use self::output::{Form, Output};
use self::scan::{Container, Counts, Scan, Target};
use self::top::Tallies;
use self::walk::{Halt, Servers, Walk, failure_of};
use crate::cli::LsArgs;
use crate::command::request::Request;
use crate::context::Context;
use crate::exit::{Exit, Failure, Outcome};
use crate::input::Bound;
use crate::net::{Address, Server, slot_of};
use crate::render::Format;
use crate::reply::{ErrorReply, Frame};
use crate::text;

pub fn run(context: &Context, args: &LsArgs) -> Outcome<Exit> {
    let form = form_of(args)?;
    let endpoint = context.endpoint()?.for_reads();
    let mut server = Server::open(&endpoint)?;
    let container = match &args.in_key {
        Some(key) => match container_of(&mut server, key.as_bytes())? {
            Some(container) => Some(container),
            None => return Ok(Exit::Done),
        },
        None => None,
    };
    let scan = Scan::new(args, container);
    let mut output = Output::open(context, args, form, server.is_cluster())?;
    if output.bar.is_wanted {
        let total = if scan.is_whole() { Some(count_keys(&mut server)?) } else { None };
        output.bar.begin(total);
    }
    if args.survey && context.config.style.format != Format::Json {
        output.begin_survey(count_keys(&mut server)?)?;
    }
    let is_restore = matches!(output.form, Form::Restore);
    let mut looks = Looks::new(args, is_restore);
    looks.has_no_expire_time = is_restore && !has_expire_time(&mut server)?;
    let servers = match server {
        Server::One(session, _) => Servers::One(Box::new(endpoint), Some(session)),
        Server::Cluster(cluster) => Servers::Cluster(cluster),
    };
    let mut walk = Walk::new(servers, scan, looks);
    let walked = begin(&mut walk, &mut output, Counts::new(args.page, is_restore));
    let place = walk.place().map_or_else(String::new, Address::to_string);
    let ended = walked.or_else(|halt| failure_of(halt, &place));
    // What was received is written, whatever ended it.
    let finished = match &ended {
        Err(failure) if failure.exit() == Exit::Done => Ok(()),
        // What was counted is shown: all of it, or as much as there was time for.
        ended => {
            let has_counted = ended.as_ref().err().is_none_or(|failure| matches!(failure.exit(), Exit::Signal(_)));
            output.finish(has_counted, ended.is_err())
        }
    };
    ended.and(finished).map(|()| output.exit)
}

/// What is written of each key.
fn form_of(args: &LsArgs) -> Outcome<Form> {
    if let Some(limit) = args.top {
        let (measure, _) = told_in(column_of(args.by.unwrap_or_default()));
        return Ok(Form::Ranking(Tallies::new(usize::try_from(limit).unwrap_or(usize::MAX), measure)));
    }
    let Some(template) = &args.template else { return Ok(Form::Keys) };
    if template != "restore" {
        return Ok(Form::Template(Bound::of_key(template.as_bytes(), "--as")?));
    }
    if args.in_key.is_some() {
        return Err(Failure::usage("--as restore is for keys: leave out --in"));
    }
    Ok(Form::Restore)
}

/// What is in a key; none where there is no such key.
fn container_of(server: &mut Server, key: &[u8]) -> Outcome<Option<Container>> {
    let reply = server.call(&Request::new([&b"TYPE"[..], key]));
    let reply = reply.map_err(|lost| lost.into_failure(&server.place()))?;
    if let Some(error) = ErrorReply::of(reply.frame()) {
        return Err(Failure::error_reply(format!("TYPE: {}", error.advised(server.is_cluster()))));
    }
    let key_type = String::from_utf8_lossy(reply.frame().head().text).into_owned();
    if key_type == "none" {
        return Ok(None);
    }
    let container = Container::new(key.to_vec(), &key_type);
    container.map(Some).ok_or_else(|| {
        Failure::usage(format!("--in is for a hash, a set or a sorted set: the key holds a value of type {key_type}"))
    })
}

/// Whether the server has PEXPIRETIME. One that does not say counts as one of today.
fn has_expire_time(server: &mut Server) -> Outcome<bool> {
    let reply = server.call(&Request::new(["COMMAND", "INFO", "PEXPIRETIME"]));
    let reply = reply.map_err(|lost| lost.into_failure(&server.place()))?;
    Ok(!reply.frame().children().next().is_some_and(Frame::is_nil))
}

/// How many keys there are. What nobody tells counts as none.
fn count_keys(server: &mut Server) -> Outcome<u64> {
    let replies = server.call_all(&Request::new(["DBSIZE"])).map_err(|lost| lost.into_failure(&server.place()))?;
    let count = |reply: Frame<'_>| text::number::<u64>(reply.head().text).unwrap_or_default();
    Ok(replies.frame().children().skip(1).step_by(2).map(count).fold(0, u64::saturating_add))
}

fn begin(walk: &mut Walk, output: &mut Output, counts: Counts) -> Result<(), Halt> {
    let address = match (&walk.servers, walk.scan.key()) {
        (Servers::One(endpoint, _), _) => endpoint.address.clone(),
        (Servers::Cluster(_), None) => return walk.run_rounds(output, counts),
        (Servers::Cluster(cluster), Some(key)) => match cluster.map().owner(slot_of(key)) {
            Some(shard) => shard.primary.clone(),
            None => cluster.place().clone(),
        },
    };
    walk.nodes.push(Node::new(0, address, [Target::All], counts));
    walk.run(output)
}
