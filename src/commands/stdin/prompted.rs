//! redis-cli's prompt on pipes (`FAKETTY_WITH_PROMPT`), for whoever drives it as a person would: each line is typed key by
//! key and run as a line of standard input is; a lost connection is opened again.

use super::keys::Keys;
use super::subscribed::Mode;
use super::{Lines, leaves};
use crate::command::request::Request;
use crate::context::Context;
use crate::exit::{Exit, Failure, Outcome};
use crate::input::parse;
use crate::shell::connection::Link;

/// Reads lines until the input ends, or one says so.
pub fn run(context: &Context) -> Outcome<Exit> {
    let mode = Mode::new(context);
    let endpoint = context.endpoint_telling(Some(mode.listener(context)?))?;
    let mut keys = Keys::new()?;
    let mut link = Link::lasting(endpoint.clone());
    if let Err(unopened) = link.ready() {
        Failure::from(unopened).report();
    }
    let mut lines = Lines { is_peer: true, ..Lines::new(context, &endpoint, link, mode, "stdin")? };
    let mut request = Request::default();
    loop {
        let prompt = prompt(lines.shell.link());
        let Some(typed) = keys.next_line(&prompt, &mut lines.renderer)? else { return lines.end() };
        request.clear();
        request.line += 1;
        match parse(&typed, &mut request) {
            Err(_) => lines.refuse_line()?,
            Ok(()) if request.is_empty() => {}
            Ok(()) if leaves(&request) => return lines.end(),
            Ok(()) => lines.take(&mut request, &typed)?,
        }
        if lines.mode.is_open()
            && let Some(exit) = lines.hear(None)?
        {
            return Ok(lines.exit.or(exit));
        }
    }
}

/// redis-cli's: where it is and the database, if that is not the first.
fn prompt(link: &mut Link) -> String {
    if !link.is_open() {
        return "not connected> ".to_owned();
    }
    let db = link.endpoint().db;
    format!("{}{}> ", link.endpoint().address, if db == 0 { String::new() } else { format!("[{db}]") })
}
