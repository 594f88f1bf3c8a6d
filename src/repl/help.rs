//! `help`: what a command takes and does, what a group holds, and what the REPL itself understands.

use std::fmt::Write as _;

use super::verbs::is_verb_name;
use crate::cli::prompt;
use crate::command::table::{Entry, Table, syntax};
use crate::text;

const OVERVIEW: &str = "\
help COMMAND        syntax and meaning of a command: help SET, help CONFIG GET
help @GROUP         the commands of a group: help @hash
MULTI ... EXEC      a block, checked as you type it, sent as a whole by EXEC
SUBSCRIBE ch [&]    messages as they come until Ctrl-C; with & above the prompt
MONITOR [&]         every command that the server runs
jobs, stop N        what runs above the prompt; ends it
:set output FORMAT  human, json, raw or csv
connect HOST PORT   another server; a URL or a profile will do as well
history, clear      what was typed; an empty screen
Tab, Ctrl-R         completes; searches the history
Ctrl-C              cancels the line, or the command that is waited for
Ctrl-D, exit, quit  leave
";

/// The text for a topic, for a screen so many columns wide.
pub fn help(topic: &[String], table: &Table, columns: usize) -> String {
    match topic {
        [] => {
            let verbs: Vec<&str> = prompt::names().collect();
            let verbs = format!("Subcommands, as in the shell (help sub, sub --help): {}", verbs.join(" "));
            let groups = format!("Groups: {}", table.groups().join(" "));
            format!("{OVERVIEW}\n{}{}", wrap(&verbs, "", columns), wrap(&groups, "", columns))
        }
        [name] if is_verb_name(name.as_bytes(), table) && name != "exec" => prompt::help(name).unwrap_or_default(),
        [group] if group.starts_with('@') => group_text(group, table, columns),
        words => find(words, table).map_or_else(
            || {
                let words = words.join(" ");
                format!("no command is called '{}'; Tab after help completes its name\n", text::line(&words))
            },
            |entry| entry_text(entry, columns),
        ),
    }
}

/// The command, or the longest beginning of the words that is one.
fn find<'t>(words: &[String], table: &'t Table) -> Option<&'t Entry> {
    table.find(words).or_else(|| table.find(&words[..1]))
}

fn group_text(group: &str, table: &Table, columns: usize) -> String {
    let entries: Vec<&Entry> = table.in_group(group).collect();
    if entries.is_empty() {
        let groups = table.groups().join(" ");
        return wrap(&format!("no group is called '{}'; there are {groups}", text::line(group)), "", columns);
    }
    let width = entries.iter().map(|entry| entry.name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for entry in entries {
        let line = format!("{:width$}  {}", entry.name, entry.summary);
        text.push_str(&wrap(&line, &" ".repeat(width + 2), columns));
    }
    text
}

fn entry_text(entry: &Entry, columns: usize) -> String {
    let mut text = wrap(&format!("  {}", syntax(entry)), "      ", columns);
    let facts = [
        ("summary", &entry.summary),
        ("since", &entry.since),
        ("complexity", &entry.complexity),
        ("group", &entry.group),
    ];
    for (name, fact) in facts {
        if !fact.is_empty() {
            let mark = if name == "group" { "@" } else { "" };
            text.push_str(&wrap(&format!("  {name}: {mark}{fact}"), "    ", columns));
        }
    }
    if !entry.subcommands.is_empty() {
        let names: Vec<&str> = entry.subcommands.iter().map(Entry::word).collect();
        text.push_str(&wrap(&format!("  subcommands: {}", names.join(" ")), "    ", columns));
    }
    text
}

/// Breaks a line between words; the lines after the first are indented.
fn wrap(line: &str, indent: &str, columns: usize) -> String {
    let mut text = String::new();
    let mut row = String::new();
    let lead = line.len() - line.trim_start().len();
    row.push_str(&line[..lead]);
    let mut is_first = true;
    for word in line[lead..].split(' ') {
        if !is_first && row.chars().count() + 1 + word.chars().count() >= columns && !row.trim().is_empty() {
            let _ = writeln!(text, "{}", row.trim_end());
            indent.clone_into(&mut row);
        } else if !is_first {
            row.push(' ');
        }
        row.push_str(word);
        is_first = false;
    }
    let _ = writeln!(text, "{}", row.trim_end());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_explained() {
        let text = help(&["config".to_owned(), "get".to_owned()], Table::builtin(), 80);
        assert!(text.starts_with("  CONFIG GET parameter [parameter ...]\n  summary: Returns"), "{text}");
        assert!(text.contains("\n  since: 2.0.0\n  complexity: O(N)"), "{text}");
    }

    #[test]
    fn a_group_lists_its_commands_within_the_screen() {
        let text = help(&["@hash".to_owned()], Table::builtin(), 40);
        assert!(text.contains("HGET ") && text.lines().all(|line| line.chars().count() < 40), "{text}");
    }

    #[test]
    fn what_is_unknown_is_said() {
        assert!(help(&["nosuch".to_owned()], Table::builtin(), 80).starts_with("no command is called 'nosuch'"));
        assert!(help(&["@nosuch".to_owned()], Table::builtin(), 80).starts_with("no group is called '@nosuch'"));
    }
}
