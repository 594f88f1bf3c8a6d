//! `rcli help SET`, `rcli help @hash`: what the prompt's `help` says of a command, a group or a word of rcli's own, without
//! a server.

use crate::context::Context;
use crate::exit::{Exit, Failure, Outcome};
use crate::repl::explain;

/// Writes the text about a topic.
pub fn run(context: &Context, topic: &[String]) -> Outcome<Exit> {
    let text = explain(topic).map_err(Failure::usage)?;
    context.renderer()?.write_now(&text).map_err(Failure::output)?;
    Ok(Exit::Done)
}
