//! The rest of the syntax behind the cursor: of a command of the server, of a word of rcli's own, of a subcommand. Where
//! none is left `recall` has the history's; how it looks is left to `helper`.

use super::local;
use super::redirect;
use super::tokens::{Word, Words, after_count};
use super::verbs::is_verb_name;
use crate::cli::prompt;
use crate::command::table::Table;

/// The rest of the syntax after a line that is being typed, with the space before it.
pub fn hint(line: &str, table: &Table) -> Option<String> {
    // What is typed for a shell is not ours.
    if line.trim_start().starts_with('!') || redirect::split(line).1.is_some() {
        return None;
    }
    let line = after_count(line);
    let words = Words::of(line);
    // What is typed inside a quote is not syntax.
    if words.trouble.is_some() {
        return None;
    }
    let argv = words.argv();
    let name = argv.first()?;
    if is_verb(&words.list[0], line, table) {
        return verb_hint(&words, &argv);
    }
    let local = local::WORDS.iter().find(|(word, _)| name.eq_ignore_ascii_case(word.as_bytes()));
    let rest = match local {
        Some((_, usage)) if argv.len() == 1 && !words.ends_in_space && !usage.is_empty() => format!(" {usage}"),
        Some((_, usage)) if argv.len() == 1 => (*usage).to_owned(),
        Some(_) => return None,
        None => table.hint(&argv, !words.ends_in_space),
    };
    Some(rest).filter(|rest| !rest.is_empty())
}

/// Whether the first word of a line is a subcommand.
pub fn is_verb(name: &Word, line: &str, table: &Table) -> bool {
    is_verb_name(&name.text, table) && line.trim_start().as_bytes().starts_with(&name.text)
}

/// What follows in the line of a subcommand: all of it behind its name, the value of an option, the rest of one.
fn verb_hint(words: &Words, argv: &[&[u8]]) -> Option<String> {
    let syntax = prompt::syntax(argv[0])?;
    let gap = |text: &str| if words.ends_in_space { text.to_owned() } else { format!(" {text}") };
    if let [name] = argv {
        // Alone it is EXEC.
        let is_exec = name == b"exec" && !words.ends_in_space;
        return (!is_exec).then(|| gap(&syntax.usage));
    }
    let is_typed = !words.ends_in_space;
    if is_typed && syntax.awaits_value(&argv[1..argv.len() - 1]).is_some() {
        return None;
    }
    if let Some(value) = syntax.awaits_value(&argv[1..]) {
        return Some(gap(&value.name));
    }
    let typed = std::str::from_utf8(argv[argv.len() - 1]).ok().filter(|word| is_typed && word.starts_with("--"))?;
    let mut fitting = syntax.options.iter().filter(|option| option.long.starts_with(typed));
    let (only, None) = (fitting.next()?, fitting.next()) else { return None };
    let value = only.value.as_ref().map(|value| format!(" {}", value.name)).unwrap_or_default();
    Some(format!("{}{value}", &only.long[typed.len()..])).filter(|rest| !rest.is_empty())
}
