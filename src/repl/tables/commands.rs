//! What a server says of its commands and functions: COMMAND, COMMAND INFO and DOCS, FUNCTION LIST.

use super::layout::table;
use super::parts::{elements, pairs, plain, shown, string, under, words};
use super::{Lines, Place};
use crate::command::request::Request;
use crate::reply::Frame;

/// COMMAND and COMMAND INFO: a command a row, its subcommands behind it.
pub fn info<'a>(request: &Request, frame: Frame<'a>, place: Place) -> Option<Lines<'a>> {
    let mut rows = Vec::new();
    for (at, command) in elements(frame)?.enumerate() {
        if command.is_nil() && at + 2 < request.len() {
            rows.push(vec![plain(request.arg(at + 2)), String::new(), String::new(), "(unknown)".to_owned()]);
        } else {
            describe(command, &mut rows)?;
        }
    }
    let head = ["command", "arity", "keys", "flags", "categories", "tips"];
    table(&head, &rows, 2, place)
}

/// A command, and its subcommands, of which none has any.
fn describe(command: Frame<'_>, rows: &mut Vec<Vec<String>>) -> Option<()> {
    let parts: Vec<Frame<'_>> = command.children().collect();
    let [name, arity, flags, first, last, step, rest @ ..] = parts.as_slice() else { return None };
    let set = |frame: Option<&Frame<'_>>| frame.map_or_else(|| Some(String::new()), |set| words(*set));
    let keys = keys(&shown(*first)?, &shown(*last)?, &shown(*step)?);
    let (categories, tips) = (set(rest.first())?, set(rest.get(1))?);
    rows.push(vec![shown(*name)?, shown(*arity)?, keys, words(*flags)?, categories, tips]);
    for subcommand in rest.get(3).into_iter().flat_map(|commands| commands.children()) {
        describe(subcommand, rows)?;
    }
    Some(())
}

/// Where the keys are: the place of the first, of the last, and how far one is from the next.
fn keys(first: &str, last: &str, step: &str) -> String {
    match (first, last, step) {
        ("0", ..) => String::new(),
        _ if first == last => first.to_owned(),
        (.., "1") => format!("{first}..{last}"),
        _ => format!("{first}..{last} by {step}"),
    }
}

/// COMMAND DOCS: what stands in few words.
pub fn docs<'a>(_: &Request, frame: Frame<'a>, place: Place) -> Option<Lines<'a>> {
    let mut rows = Vec::new();
    documented(frame, &mut rows)?;
    let head = ["command", "since", "group", "summary", "complexity"];
    table(&head, &rows, 1, place)
}

fn documented(commands: Frame<'_>, rows: &mut Vec<Vec<String>>) -> Option<()> {
    for (name, docs) in pairs(commands)? {
        let docs = pairs(docs)?;
        let told = |name: &str| under(&docs, name).and_then(shown).unwrap_or_default();
        rows.push(vec![plain(name), told("since"), told("group"), told("summary"), told("complexity")]);
        if let Some(subcommands) = under(&docs, "subcommands") {
            documented(subcommands, rows)?;
        }
    }
    Some(())
}

/// FUNCTION LIST: a function a row. With the code of the libraries it is left as it is.
pub fn functions<'a>(_: &Request, frame: Frame<'a>, place: Place) -> Option<Lines<'a>> {
    let mut rows = Vec::new();
    for library in elements(frame)? {
        let library = pairs(library)?;
        let told = |name: &str| under(&library, name).and_then(string).map(plain);
        if under(&library, "library_code").is_some() {
            return None;
        }
        let (name, engine) = (told("library_name")?, told("engine").unwrap_or_default());
        for function in under(&library, "functions")?.children() {
            let function = pairs(function)?;
            let told = |name: &str| under(&function, name).and_then(string).map(plain).unwrap_or_default();
            let flags = under(&function, "flags").and_then(words).unwrap_or_default();
            rows.push(vec![name.clone(), engine.clone(), told("name"), flags, told("description")]);
        }
    }
    let head = ["library", "engine", "function", "flags", "description"];
    table(&head, &rows, 0, place)
}
