//! README's examples, run as they are written.
//!
//! A block fenced ```` ```console ```` holds lines `$ COMMAND` (continued while they end in `\`) and below each the
//! output it must give, stdout and stderr together; `...` alone on a line stands for any lines. A block fenced
//! ```` ```sh ```` holds a script that must end with status 0. All blocks run in order against one fresh server that
//! `RCLI_URL` points at, in one directory, with rcli first in PATH. A block right after the comment
//! `<!-- not run -->` is left out.

use crate::server::Server;
use std::path::Path;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// A command of README and, in a console block, the output written under it.
struct Example {
    line: usize,
    command: String,
    output: Option<String>,
}

/// All examples in their order.
fn examples(readme: &str) -> Vec<Example> {
    let mut examples: Vec<Example> = Vec::new();
    let (mut fence, mut skip_next) = (String::new(), false);
    let mut continued = false;
    for (index, line) in readme.lines().enumerate() {
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
            let example = examples.last_mut().unwrap_or_else(|| panic!("README.md:{number}: output without a command"));
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

/// Whether the output is what README shows; a line `...` stands for any number of lines.
fn matches(shown: &[&str], got: &[&str]) -> bool {
    match shown.split_first() {
        None => got.is_empty(),
        Some((&"...", rest)) => (0..=got.len()).any(|skipped| matches(rest, &got[skipped..])),
        Some((line, rest)) => got.first() == Some(line) && matches(rest, &got[1..]),
    }
}

#[test]
fn the_readmes_examples_do_what_it_says() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(&readme).expect("README.md");
    let examples = examples(&readme);
    assert!(examples.len() >= 2, "README.md has no examples to run");
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
                "README.md:{}: {}--- README says\n{shown}--- it gives (status {})\n{got}",
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
    for page in ["README.md", "CONTRIBUTING.md", "docs/contract.md", "docs/architecture.md", "docs/redis-cli.md"] {
        let text = std::fs::read_to_string(root.join(page)).unwrap_or_else(|error| panic!("{page}: {error}"));
        for (begun, behind) in text.match_indices("](").map(|(at, _)| text.split_at(at + 2)) {
            let link = behind.split([')', '#']).next().unwrap_or_default();
            let row = begun.lines().count();
            // Within backquotes it is code.
            let is_code = begun.lines().last().unwrap_or_default().matches('`').count() % 2 == 1;
            if !is_code && !link.is_empty() && !link.contains("://") {
                let target = root.join(page).parent().expect("a directory").join(link);
                assert!(target.exists(), "{page}:{row}: there is no {link}");
            }
        }
    }
}
