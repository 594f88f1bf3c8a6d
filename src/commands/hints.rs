//! redis-cli's `--test_hint` and `--test_hint_file`: what is hinted at behind a line, as the prompt tells it, and a file of
//! lines with what is expected there.

use std::fs;

use crate::cli::HintsArgs;
use crate::command::request::Request;
use crate::command::table::Table;
use crate::context::Context;
use crate::exit::{Exit, Failure, Outcome};
use crate::input::parse_line;
use crate::net::{Endpoint, Session};
use crate::report::report;
use crate::text::describe_io;

/// Writes the hint, or how many of a file's are as expected.
pub fn run(context: &Context, args: &HintsArgs) -> Outcome<Exit> {
    let told = context.endpoint_telling(None).ok().and_then(|endpoint| ask(&endpoint));
    let table = told.as_ref().unwrap_or_else(|| Table::builtin());
    let mut renderer = context.renderer()?;
    let (text, exit) = match (&args.line, &args.file) {
        (Some(line), _) => (format!("{}\n", hint(table, line)), Exit::Done),
        (None, Some(file)) => {
            let unread = |error| Failure::usage(format!("{}: {}", file.display(), describe_io(&error)));
            check(table, &fs::read_to_string(file).map_err(unread)?)
        }
        (None, None) => return Err(Failure::usage("hints: name a line or a file")),
    };
    renderer.write_now(&text).map_err(Failure::output)?;
    Ok(exit)
}

/// The commands as a server describes them; none where it cannot be asked.
fn ask(endpoint: &Endpoint) -> Option<Table> {
    let mut session = Session::open(&Endpoint { cluster: None, ..endpoint.clone() }).ok()?;
    Table::of_server(|question| session.ask(question).ok())
}

/// Compares the hints of a file of pairs, each in quotes: comments and what is no pair are passed over.
fn check(table: &Table, text: &str) -> (String, Exit) {
    let (mut passed, mut all) = (0, 0);
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let mut pair = Request::default();
        if parse_line(line.as_bytes(), &mut pair).is_err() || pair.len() < 2 {
            continue;
        }
        let [line, expected] = [0, 1].map(|at| String::from_utf8_lossy(pair.arg(at)).into_owned());
        let given = hint(table, &line);
        all += 1;
        if plain(&given) == plain(&expected) {
            passed += 1;
        } else {
            report(&format!("'{line}': expected '{expected}', got '{given}'"));
        }
    }
    let (word, exit) = if passed == all { ("SUCCESS", Exit::Done) } else { ("FAILURE", Exit::ErrorReply) };
    (format!("{word}: {passed}/{all} passed\n"), exit)
}

/// What is still to come behind a line. A last word that may become an option is told of with the others.
fn hint(table: &Table, line: &str) -> String {
    let mut request = Request::default();
    if parse_line(line.as_bytes(), &mut request).is_err() {
        return String::new();
    }
    let words: Vec<&[u8]> = request.args().collect();
    let Some((last, before)) = words.split_last().filter(|(_, before)| !before.is_empty()) else {
        return table.rest(&words);
    };
    let begins =
        |option: &String| option.get(..last.len()).is_some_and(|begin| begin.as_bytes().eq_ignore_ascii_case(last));
    let is_typed = !line.ends_with(char::is_whitespace) && table.options(before).iter().any(begins);
    table.rest(if is_typed { before } else { &words })
}

/// A hint without what two notations of the same differ in: blanks around bars, brackets around a choice, and a bracket
/// that closes none, which redis-cli leaves behind.
fn plain(hint: &str) -> String {
    let mut text = hint.trim_end().replace(" | ", "|").replace(['<', '>'], "");
    while text.ends_with(']') && text.matches(']').count() > text.matches('[').count() {
        text.pop();
    }
    text
}
