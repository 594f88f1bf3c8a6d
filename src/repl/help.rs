//! `help`: what a command takes and does, what a group holds, and what the REPL itself understands.

use std::fmt::Write as _;

use super::local::WORDS;
use super::verbs::is_verb_name;
use crate::cli::prompt;
use crate::command::table::{Entry, Table, syntax};
use crate::text;

/// What rcli understands itself: how it is typed, and what it does. The overview shows all of it.
const OWN: [(&str, &str, &str); 17] = [
    ("help", "help COMMAND, ? COMMAND", "syntax and meaning of a command: help SET, help CONFIG GET"),
    ("groups", "help @GROUP", "the commands of a group: help @hash"),
    ("multi", "MULTI ... EXEC", "a block, checked as you type it, sent as a whole by EXEC"),
    ("views", "SUBSCRIBE ch [&]", "messages as they come until Ctrl-C; with & above the prompt"),
    ("monitor", "MONITOR [&]", "every command that the server runs"),
    ("jobs", "jobs", "what runs above the prompt"),
    ("stop", "stop N", "ends what runs above the prompt under this number"),
    ("peek", "peek KEY", "what a key is, and the first of what is in it"),
    (":set", ":set [NAME [VALUE]]", "settings: edit_mode, hints, output, pager, pretty, timing"),
    ("connect", "connect HOST PORT", "another server; a URL or the name of a profile will do as well"),
    ("pipes", "CMD | shell, CMD > F, >> F", "sends a reply to a shell command, or into a file"),
    ("source", "source FILE", "runs the lines of a file"),
    ("shell", "!COMMAND", "runs a shell command"),
    ("repeat", "N COMMAND", "runs a command N times"),
    ("history", "history [COUNT]", "what was typed"),
    ("clear", "clear", "an empty screen"),
    ("exit", "exit, quit, Ctrl-D", "leaves"),
];

/// The keys.
const KEYS: [(&str, &str); 10] = [
    ("Tab", "completes what is typed"),
    ("Right, End", "takes over the earlier line that is shown grey behind the cursor; Ctrl-Right a word of it"),
    ("Up, Down", "earlier lines that begin as this one does"),
    ("Ctrl-R", "searches the history, in any case"),
    ("Ctrl-S", "searches it forward, from where Up or Ctrl-R went"),
    ("Ctrl-C", "cancels the line, the command that is waited for, or a question"),
    ("Ctrl-X Ctrl-E", "edits the line in $EDITOR"),
    ("Ctrl-A, Ctrl-E", "to the beginning, to the end of the line"),
    ("Ctrl-L", "an empty screen"),
    ("Ctrl-D", "leaves, on an empty line"),
];

/// The words of rcli's own and the keys, each with what it does, for the manual.
pub fn words_and_keys() -> impl Iterator<Item = (&'static str, &'static str)> {
    OWN.into_iter().map(|(_, typed, text)| (typed, text)).chain(KEYS)
}

/// What is typed in one column, what it does in the next; below each other where there is no room for both.
fn columns_text<'a>(rows: impl Iterator<Item = (&'a str, &'a str)>, columns: usize) -> String {
    const WIDTH: usize = 27;
    rows.map(|(typed, text)| {
        if columns >= 60 {
            wrap(&format!("{typed:WIDTH$} {text}"), &" ".repeat(WIDTH + 1), columns)
        } else {
            format!("{typed}\n{}", wrap(&format!("  {text}"), "  ", columns))
        }
    })
    .collect()
}

/// What rcli itself does by this word; none if it is no word of rcli's.
fn own_text(word: &str, columns: usize) -> Option<String> {
    if word.eq_ignore_ascii_case("keys:") || word.eq_ignore_ascii_case("keyboard") {
        return Some(columns_text(KEYS.into_iter(), columns));
    }
    let word = if word.eq_ignore_ascii_case("quit") { "exit" } else { word };
    let (_, typed, text) = OWN.iter().find(|(name, ..)| name.eq_ignore_ascii_case(word))?;
    Some(columns_text([(*typed, *text)].into_iter(), columns))
}

/// The text for a topic, for a screen so many columns wide; the inner error says that there is none. `"config set"` is two
/// words too.
pub fn help(topic: &[String], table: &Table, columns: usize) -> Result<String, String> {
    let words: Vec<String> = topic.iter().flat_map(|words| words.split_whitespace()).map(str::to_owned).collect();
    Ok(match words.as_slice() {
        [] => {
            let verbs: Vec<&str> = prompt::names().collect();
            let verbs = format!("Subcommands, as in the shell (help sub, sub --help): {}", verbs.join(" "));
            let groups = format!("Groups: {}", table.groups().join(" "));
            let words: Vec<&str> = OWN.iter().map(|(name, ..)| *name).chain(["keyboard"]).collect();
            let words = format!("Words of rcli's own (help WORD, help keyboard): {}", words.join(" "));
            let own = columns_text(OWN.iter().map(|(_, typed, text)| (*typed, *text)), columns);
            let keys = columns_text(KEYS.into_iter(), columns);
            let lists: String = [words, verbs, groups].iter().map(|list| wrap(list, "  ", columns)).collect();
            format!("{own}\n{keys}\n{lists}")
        }
        [name] if is_verb_name(name.as_bytes(), table) && name != "exec" => prompt::help(name).unwrap_or_default(),
        [group] if group.starts_with('@') => return group_text(group, table, columns),
        words => match (find(words, table), words) {
            (Some(entry), _) => entry_text(entry, columns),
            (None, [word]) if let Some(text) = own_text(word, columns) => text,
            (None, words) => {
                let words = words.join(" ");
                let near = nearest(&words, table).map(|name| format!("; did you mean {name}?")).unwrap_or_default();
                return Err(format!("no command is called '{}'{near}", text::line(&words)));
            }
        },
    })
}

/// The command, the subcommand or the word of rcli's that a name is most like; none where nothing is like it.
pub fn nearest(name: &str, table: &Table) -> Option<String> {
    if let Some((container, word)) = name.split_once(' ') {
        let near = most_like(word, table.subcommand_names(container.as_bytes()))?;
        return Some(format!("{} {near}", container.to_ascii_uppercase()));
    }
    let mut all: Vec<&str> = table.names().collect();
    let own: Vec<&str> = WORDS.iter().map(|(word, _)| *word).chain(prompt::names()).collect();
    all.extend_from_slice(&own);
    most_like(name, all.into_iter()).map(str::to_owned)
}

/// What a name is most like, whatever is capital.
fn most_like<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    const LIKE: f64 = 0.65;
    let name = name.to_ascii_lowercase();
    let likeness = |known: &str| strsim::normalized_damerau_levenshtein(&known.to_ascii_lowercase(), &name);
    let found = known.map(|known| (likeness(known), known)).filter(|(likeness, _)| *likeness >= LIKE);
    found.max_by(|(one, _), (other, _)| one.total_cmp(other)).map(|(_, known)| known)
}

/// The command, or the longest beginning of the words that is one.
fn find<'t>(words: &[String], table: &'t Table) -> Option<&'t Entry> {
    table.find(words).or_else(|| table.find(&words[..1]))
}

fn group_text(group: &str, table: &Table, columns: usize) -> Result<String, String> {
    let entries: Vec<&Entry> = table.in_group(group).collect();
    if entries.is_empty() {
        let groups = table.groups().join(" ");
        return Err(format!("no group is called '{}'; there are {groups}", text::line(group)));
    }
    let width = entries.iter().map(|entry| entry.name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for entry in entries {
        let line = format!("{:width$}  {}", entry.name, entry.summary);
        text.push_str(&wrap(&line, &" ".repeat(width + 2), columns));
    }
    Ok(text)
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
pub fn wrap(line: &str, indent: &str, columns: usize) -> String {
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
        let text = help(&["config".to_owned(), "get".to_owned()], Table::builtin(), 80).unwrap_or_default();
        assert!(text.starts_with("  CONFIG GET parameter [parameter ...]\n  summary: Returns"), "{text}");
        assert!(text.contains("\n  since: 2.0.0\n  complexity: O(N)"), "{text}");
    }

    #[test]
    fn a_group_lists_its_commands_within_the_screen() {
        let text = help(&["@hash".to_owned()], Table::builtin(), 40).unwrap_or_default();
        assert!(text.contains("HGET ") && text.lines().all(|line| line.chars().count() < 40), "{text}");
    }

    #[test]
    fn all_words_of_rclis_own_are_named_and_explained_within_40_columns() {
        const NARROW: usize = 40;
        let text = |topic: &[&str]| {
            let topic: Vec<String> = topic.iter().map(|&word| word.to_owned()).collect();
            let text = help(&topic, Table::builtin(), NARROW).unwrap_or_default();
            assert!(text.lines().all(|line| line.chars().count() < NARROW), "{text}");
            text
        };
        let overview = text(&[]).replace("\n  ", " ");
        let words =
            WORDS.iter().map(|(word, _)| *word).chain(["keyboard", "pipes", "shell", "repeat", "views", "groups"]);
        for word in words {
            assert!(overview.contains(word), "{word}: {overview}");
            assert!(!text(&[word]).contains("no command is called"), "{word}");
        }
        assert!(overview.contains("help keyboard") && text(&["keyboard"]).contains("Ctrl-S"), "{overview}");
    }

    #[test]
    fn what_is_unknown_is_said() {
        let unknown = |word: &str| help(&[word.to_owned()], Table::builtin(), 80).err().unwrap_or_default();
        assert!(unknown("nosuch").starts_with("no command is called 'nosuch'"));
        assert!(unknown("@nosuch").starts_with("no group is called '@nosuch'"));
        assert_eq!(unknown("config  set"), "");
    }
}
