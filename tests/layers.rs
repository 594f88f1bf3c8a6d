//! The layers of the program (docs/architecture.md): which top-level module may use which, and where a crate may be used.
//! The source is read as text, so that a wrong `use` is a failing test and not a habit.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends by panicking")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// Each top-level module and those that it may use, all of which stand above it: so there is no circle. `main` may use
/// them all.
const MODULES: [(&str, &[&str]); 24] = [
    ("text", &[]),
    ("word", &[]),
    ("signal", &[]),
    ("memory", &["signal"]),
    ("stdio", &[]),
    ("color", &[]),
    ("guard", &[]),
    ("report", &["color", "text"]),
    ("command", &["memory", "text"]),
    ("reply", &["memory", "text", "word"]),
    ("render", &["color", "command", "memory", "reply", "stdio", "text", "word"]),
    // It gives errors of its own, and says nothing: what they mean for a run is told by `exit`.
    ("net", &["command", "memory", "reply", "signal", "text", "word"]),
    ("exit", &["net", "report", "signal", "text"]),
    ("input", &["command", "exit", "memory", "stdio", "text", "word"]),
    ("cli", &["exit", "input", "report", "stdio", "text"]),
    ("sandbox", &["exit", "net", "reply", "text"]),
    ("config", &["cli", "color", "exit", "net", "render", "report", "signal", "stdio", "text"]),
    ("context", &["cli", "config", "exit", "net", "render", "report", "sandbox", "text"]),
    ("shell", &["command", "exit", "memory", "net", "reply", "report", "signal", "text"]),
    (
        "follow",
        &["cli", "command", "exit", "guard", "input", "memory", "net", "render", "reply", "report", "signal", "text"],
    ),
    (
        "repl",
        &[
            "cli", "color", "command", "config", "context", "exit", "follow", "input", "memory", "net", "render",
            "reply", "report", "shell", "signal", "text",
        ],
    ),
    (
        "commands",
        &[
            "cli", "color", "command", "config", "context", "exit", "follow", "guard", "input", "memory", "net",
            "render", "repl", "reply", "report", "shell", "signal", "stdio", "text",
        ],
    ),
    ("entry", &["signal", "stdio"]),
    ("main", &[]),
];

/// Words that may stand in some files only: crates, what opens a socket, and what sleeps.
const WORDS: [(&str, &[&str]); 20] = [
    ("clap::", &["cli", "commands/completions", "commands/generate"]),
    ("clap_complete::", &["cli", "commands/completions", "commands/generate"]),
    ("clap_mangen::", &["cli", "commands/generate"]),
    ("rustyline::", &["repl"]),
    ("ctrlc::", &["signal"]),
    // What runs before main looks, and does nothing else; main has a name of C's; and an allocator that fails says so.
    // No other code is unsafe.
    ("unsafe", &["stdio", "entry", "memory"]),
    ("unsafe_code", &["entry", "memory"]),
    ("ctor::", &["stdio"]),
    ("signal_hook::", &["signal"]),
    ("colored::", &["color"]),
    ("indicatif::", &["commands/bar", "commands/ls", "commands/pipe", "commands/rdb"]),
    ("rustls::", &["net"]),
    ("rustls_native_certs::", &["net"]),
    ("x509_parser::", &["net"]),
    // The sandbox looks for free ports, and knocks at the door of its own server.
    ("socket2::", &["net", "sandbox"]),
    ("TcpStream", &["net", "sandbox"]),
    ("TcpListener", &["net", "sandbox"]),
    ("UnixStream", &["net", "sandbox"]),
    ("UdpSocket", &[]),
    // The one sleep.
    ("event::poll", &["net/poll"]),
];

/// A source file.
struct File {
    /// Below `src`, without its ending.
    path: String,
    /// Its lines without comments.
    lines: Vec<String>,
}

impl File {
    /// The top-level module that it belongs to.
    fn module(&self) -> &str {
        self.path.split('/').next().unwrap_or_default()
    }

    /// How many `super`s lead from it to the root of the crate.
    fn depth(&self) -> usize {
        self.path.strip_suffix("/mod").unwrap_or(&self.path).split('/').count()
    }

    /// The top-level modules that a line names, in whatever way.
    fn used(&self, line: &str) -> Vec<String> {
        let root = "super::".repeat(self.depth());
        let from_root = line.split(&root).skip(1).filter(|rest| !rest.starts_with("super"));
        let rests = line.split("crate::").skip(1).chain(from_root);
        let names = rests.flat_map(|rest| match rest.strip_prefix('{') {
            Some(group) => group.split('}').next().unwrap_or_default().split(',').map(first_word).collect(),
            None => vec![first_word(rest)],
        });
        names.filter(|name| MODULES.iter().any(|(module, _)| module == name)).collect()
    }
}

/// The name that a path begins with.
fn first_word(path: &str) -> String {
    path.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// Whether a line has this word, or path that begins so, and not as a part of another one.
fn has_word(line: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let is_whole = |end: &str| word.ends_with(':') || !end.starts_with(is_part);
    line.match_indices(word).any(|(at, _)| !line[..at].ends_with(is_part) && is_whole(&line[at + word.len()..]))
}

/// All files below `src` but those that only tests and fuzzing see, which may use everything.
fn files() -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut directories: Vec<PathBuf> = vec![root.clone()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if ["fuzz", "tests"].iter().any(|name| path.file_stem().is_some_and(|stem| stem == *name)) {
                continue;
            }
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let lines = text.lines().map(|line| line.split("//").next().unwrap_or_default().to_owned()).collect();
                let path = path.strip_prefix(&root).unwrap().with_extension("");
                found.push(File { path: path.to_str().unwrap().to_owned(), lines });
            }
        }
    }
    assert!(found.len() > 50, "the source is not where it is looked for");
    found
}

/// Fails with what was found: how often, and where it is seen first.
fn assert_none(wrong: BTreeMap<String, Vec<String>>) {
    let mut wrong: Vec<_> = wrong.into_iter().collect();
    wrong.sort_by_key(|(_, places)| places.len());
    let mut text = String::new();
    for (what, places) in &wrong {
        let _ = writeln!(text, "{what}: {} lines, such as {}", places.len(), places[0]);
    }
    assert!(wrong.is_empty(), "not as docs/architecture.md has it:\n{text}");
}

#[test]
fn no_module_uses_one_below_it() {
    for (index, (module, used)) in MODULES.iter().enumerate() {
        for name in *used {
            let is_above = MODULES[..index].iter().any(|(above, _)| above == name);
            assert!(is_above, "{name} is used by {module} and does not stand above it");
        }
    }
}

#[test]
fn modules_use_what_they_may() {
    let mut wrong = BTreeMap::<_, Vec<_>>::new();
    for file in files() {
        let module = file.module();
        let Some((_, allowed)) = MODULES.iter().find(|(name, _)| *name == module) else {
            wrong.entry(format!("{module} is no known module")).or_default().push(file.path.clone());
            continue;
        };
        for (number, line) in (1..).zip(&file.lines) {
            for name in file.used(line) {
                if module != "main" && name != module && !allowed.contains(&name.as_str()) {
                    let place = format!("src/{}.rs:{number}", file.path);
                    wrong.entry(format!("{module} uses {name}")).or_default().push(place);
                }
            }
        }
    }
    assert_none(wrong);
}

#[test]
fn crates_and_sockets_are_used_where_they_may() {
    let mut wrong = BTreeMap::<_, Vec<_>>::new();
    for file in files() {
        for (number, line) in (1..).zip(&file.lines) {
            for (word, places) in WORDS {
                let is_in = |place: &&str| file.path == **place || file.path.starts_with(&format!("{place}/"));
                if has_word(line, word) && !places.iter().any(is_in) {
                    let place = format!("src/{}.rs:{number}", file.path);
                    wrong.entry(format!("{} has {word}", file.module())).or_default().push(place);
                }
            }
        }
    }
    assert_none(wrong);
}

#[test]
fn what_there_may_be_no_room_for_is_asked_for() {
    let mut wrong = BTreeMap::<_, Vec<_>>::new();
    for file in files() {
        for (number, line) in (1..).zip(&file.lines) {
            // Without it the process ends there, as in any other allocation.
            if line.contains(".try_reserve") && !line.contains("ask(") {
                let place = format!("src/{}.rs:{number}", file.path);
                wrong.entry("try_reserve outside of memory::ask".to_owned()).or_default().push(place);
            }
        }
    }
    assert_none(wrong);
}

#[test]
fn every_file_of_integration_tests_is_run() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/integration");
    let main = fs::read_to_string(directory.join("main.rs")).unwrap();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let is_named = name == "main" || main.lines().any(|line| line.trim() == format!("mod {name};"));
        assert!(is_named, "tests/integration/main.rs has no line `mod {name};`: its tests do not run");
    }
}
