//! The examples of README and of the manual, run as they are written.
//!
//! A block fenced ```` ```console ```` holds lines `$ COMMAND` (continued while they end in `\`) and below each the
//! output it must give, stdout and stderr together; `...` alone on a line stands for any lines. A block fenced
//! ```` ```sh ```` holds a script that must end with status 0. All blocks of a page run in order against one fresh server that
//! `RCLI_URL` points at, in one directory, with rcli first in PATH. A block right after the comment
//! `<!-- not run -->` is left out.

use crate::server::Server;
use std::path::Path;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// A command of a page and, in a console block, the output written under it.
struct Example {
    line: usize,
    command: String,
    output: Option<String>,
}

/// All examples of a page in their order.
fn examples(page: &str) -> Vec<Example> {
    let mut examples: Vec<Example> = Vec::new();
    let (mut fence, mut skip_next) = (String::new(), false);
    let mut continued = false;
    for (index, line) in page.lines().enumerate() {
        let number = index + 1;
        if let Some(language) = line.strip_prefix("```") {
            fence = if fence.is_empty() && skip_next {
                "skipped".to_owned()
            } else if fence.is_empty() {
                if language.is_empty() { "text".to_owned() } else { language.to_owned() }
            } else {
                String::new()
            };
            if fence == "sh" {
                examples.push(Example { line: number, command: String::new(), output: None });
            }
            (skip_next, continued) = (false, false);
        } else if fence.is_empty() {
            skip_next = line.trim() == "<!-- not run -->" || (skip_next && line.trim().is_empty());
        } else if fence == "sh" {
            let script = &mut examples.last_mut().expect("the block's example").command;
            *script += line;
            script.push('\n');
        } else if fence == "console" {
            if let Some(command) = line.strip_prefix("$ ") {
                examples.push(Example { line: number, command: format!("{command}\n"), output: Some(String::new()) });
                continued = command.ends_with('\\');
                continue;
            }
            let example = examples.last_mut().unwrap_or_else(|| panic!("line {number}: output without a command"));
            if continued {
                example.command += &format!("{line}\n");
                continued = line.ends_with('\\');
            } else {
                *example.output.as_mut().expect("a console example") += &format!("{line}\n");
            }
        }
    }
    examples
}

/// Whether the output is what the page shows; a line `...` stands for any number of lines.
fn matches(shown: &[&str], got: &[&str]) -> bool {
    match shown.split_first() {
        None => got.is_empty(),
        Some((&"...", rest)) => (0..=got.len()).any(|skipped| matches(rest, &got[skipped..])),
        Some((line, rest)) => got.first().is_some_and(|got| is_same(line, got)) && matches(rest, &got[1..]),
    }
}

/// Whether a line is the one that is shown; of a time that runs out, some seconds may have gone.
fn is_same(shown: &str, got: &str) -> bool {
    let left = |line: &str| {
        let (before, ttl) = line.split_once("\"ttl\":")?;
        let (seconds, after) = ttl.split_once(',')?;
        Some((before.to_owned(), seconds.parse::<u64>().ok()?, after.to_owned()))
    };
    match (left(shown), left(got)) {
        (Some((before, first, after)), Some(got)) => {
            (before, after) == (got.0, got.2) && (first.saturating_sub(30)..=first).contains(&got.1)
        }
        _ => shown == got,
    }
}

#[test]
fn the_readmes_examples_do_what_it_says() {
    run_examples("README.md");
}

#[test]
fn the_manuals_examples_do_what_it_says() {
    run_examples("docs/manual.md");
}

fn run_examples(page: &str) {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(page)).expect(page);
    let examples = examples(&text);
    assert!(examples.len() >= 2, "{page} has no examples to run");
    let server = Server::start();
    let home = TempDir::new().expect("a directory");
    let bin = Path::new(env!("CARGO_BIN_EXE_rcli")).parent().expect("its directory");
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default());
    let mut wrong = String::new();
    for example in examples {
        let output = Command::new("sh")
            .args(["-c", &format!("exec 2>&1\n{}", example.command)])
            .env_clear()
            .envs([("PATH", path.as_str()), ("RCLI_URL", &server.url()), ("TERM", "xterm")])
            .env("HOME", home.path())
            .current_dir(home.path())
            .stdin(Stdio::null())
            .output()
            .expect("sh");
        let got = String::from_utf8_lossy(&output.stdout).into_owned();
        let right = match &example.output {
            Some(shown) => matches(&shown.lines().collect::<Vec<_>>(), &got.lines().collect::<Vec<_>>()),
            None => output.status.success(),
        };
        if !right {
            let shown = example.output.unwrap_or_default();
            wrong += &format!(
                "{page}:{}: {}--- it says\n{shown}--- it gives (status {})\n{got}",
                example.line, example.command, output.status
            );
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn what_is_installed_is_this_program() {
    assert_ne!(env!("CARGO_PKG_NAME"), "rcli", "a published package of that name is another program");
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).expect("README.md");
    let told: Vec<&str> = readme.lines().filter(|line| line.contains("cargo install")).collect();
    assert!(!told.is_empty() && told.iter().all(|line| line.contains("--path .")), "{told:?}");
}

#[test]
fn what_the_pages_link_to_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let docs = std::fs::read_dir(root.join("docs")).expect("docs/").map(|entry| entry.expect("an entry").path());
    let pages = docs.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    let mut links = 0;
    for page in pages.chain([root.join("README.md"), root.join("CONTRIBUTING.md")]) {
        let text = std::fs::read_to_string(&page).expect("a page");
        for (begun, behind) in text.match_indices("](").map(|(at, _)| text.split_at(at + 2)) {
            let link = behind.split(')').next().unwrap_or_default();
            // Within backquotes it is code.
            let is_code = begun.lines().last().unwrap_or_default().matches('`').count() % 2 == 1;
            if is_code || link.contains("://") {
                continue;
            }
            links += 1;
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let place = format!("{}:{}", page.display(), begun.lines().count());
            let target = if file.is_empty() { page.clone() } else { page.parent().expect("a directory").join(file) };
            assert!(target.exists(), "{place}: there is no {file}");
            if !heading.is_empty() {
                let headings = std::fs::read_to_string(&target).expect("a page");
                assert!(
                    headings.lines().any(|line| anchor(line) == Some(heading.to_owned())),
                    "{place}: no #{heading}"
                );
            }
        }
    }
    assert!(links > 20, "{links}");
}

/// What a link to a heading says.
fn anchor(line: &str) -> Option<String> {
    let heading = line.strip_prefix('#')?.trim_start_matches('#').trim();
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    Some(kept.collect::<String>().to_lowercase().replace(' ', "-"))
}
