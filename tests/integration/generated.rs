//! Completions and man pages: fresh, complete, printed on request (contract section 14).

use crate::rcli::rcli;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The files of a directory by name.
fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
    entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_file())
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(&path).expect("a file")))
        .collect()
}

/// A path in the project.
fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

#[test]
fn committed_completions_and_man_pages_are_what_the_command_line_says() {
    let run = rcli(["generate", "out"]).any_stdout().run();
    for folder in ["completions", "man"] {
        let (made, committed) = (files(&run.home.path().join("out").join(folder)), files(&project(folder)));
        assert_eq!(made.keys().collect::<Vec<_>>(), committed.keys().collect::<Vec<_>>(), "{folder}/: other files");
        for (name, content) in made {
            assert!(content == committed[&name], "{folder}/{name} is stale: run `rcli generate .` and commit it");
        }
    }
}

#[test]
fn there_is_a_completion_for_each_shell() {
    assert_eq!(files(&project("completions")).len(), 5);
    let printed: Vec<Vec<u8>> = ["bash", "zsh", "fish", "elvish", "powershell"]
        .iter()
        .map(|shell| rcli(["completions", shell]).any_stdout().run().stdout)
        .collect();
    let committed = files(&project("completions"));
    for script in printed {
        assert!(committed.values().any(|content| *content == script), "what is printed is not what is committed");
    }
}

#[test]
fn an_unknown_shell_is_bad_usage() {
    rcli(["completions", "tcsh"]).status(2).complains(&["tcsh"]).run();
}

#[test]
fn there_is_a_man_page_for_rcli_and_for_each_subcommand() {
    let pages = files(&project("man"));
    for page in ["rcli.1", "rcli-exec.1", "rcli-pipe.1", "rcli-completions.1"] {
        let text = pages.get(page).unwrap_or_else(|| panic!("no {page}"));
        assert!(String::from_utf8_lossy(text).contains(".TH"), "{page}");
    }
    assert!(!pages.contains_key("rcli-generate.1"), "the hidden subcommand has no page");
}

#[test]
fn command_names_complete_after_rcli_exec_in_every_shell() {
    for (name, content) in files(&project("completions")) {
        let text = String::from_utf8_lossy(&content).into_owned();
        for command in ["HGETALL", "XREADGROUP", "ZRANGEBYSCORE"] {
            assert!(text.contains(command), "{name} does not know {command}");
        }
    }
}

/// What bash offers for a command line whose last word is being typed.
fn bash_offers(words: &[&str]) -> Vec<String> {
    let script = format!(
        "source {completions}\nCOMP_WORDS=({words})\nCOMP_CWORD={last}\n\
         _rcli rcli {word} {before}\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"",
        completions = project("completions/rcli.bash").display(),
        words = words.join(" "),
        last = words.len() - 1,
        word = format_args!("'{}'", words.last().unwrap().trim_matches('\'')),
        before = words[words.len() - 2],
    );
    let output = std::process::Command::new("bash").args(["--norc", "-c", &script]).output().expect("bash");
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

#[test]
fn bash_offers_command_names_and_options() {
    assert!(bash_offers(&["rcli", "exec", "HGET"]).contains(&"HGETALL".to_owned()));
    assert!(bash_offers(&["rcli", "pip"]).contains(&"pipe".to_owned()));
    assert!(bash_offers(&["rcli", "pipe", "--ato"]).contains(&"--atomic".to_owned()));
    assert!(bash_offers(&["rcli", "--jso"]).contains(&"--json".to_owned()));
}

#[test]
fn options_of_the_contract_are_in_the_manual() {
    let pages = files(&project("man"));
    let text = |page: &str| String::from_utf8_lossy(&pages[page]).replace("\\-", "-");
    for option in [
        "--host",
        "--port",
        "--socket",
        "--url",
        "--db",
        "--pass-file",
        "--askpass",
        "--connect-timeout",
        "--sandbox",
        "--encoding",
    ] {
        assert!(text("rcli.1").contains(option), "rcli.1 does not tell of {option}");
    }
    for option in
        ["--atomic", "--on-error", "--envelope", "--skip", "--check", "--window", "--progress", "--summary", "--quiet"]
    {
        assert!(text("rcli-pipe.1").contains(option), "rcli-pipe.1 does not tell of {option}");
    }
}
