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

/// What a shell is offered for a command line whose last word is being typed: it asks as the script of each shell asks.
fn offers(shell: &str, words: &[&str]) -> Vec<String> {
    let last = (words.len() - 1).to_string();
    let asking = rcli(["--"].iter().chain(words).copied())
        .env("RCLI_COMPLETE", shell)
        .env("_CLAP_IFS", "\n")
        .env("_CLAP_COMPLETE_INDEX", &last)
        .env("_CLAP_COMPLETE_COMP_TYPE", "9")
        .file(".config/rcli/config.toml", "[profile.prod]\nport = 1\n[profile.lab]\nport = 2\n");
    let offered = asking.any_stdout().run().stdout;
    // fish and zsh show what an option is for behind its name.
    let word = |line: &str| line.split(['\t', ':']).next().unwrap_or_default().trim().to_owned();
    String::from_utf8_lossy(&offered).lines().map(word).filter(|word| !word.is_empty()).collect()
}

const SHELLS: [&str; 5] = ["bash", "zsh", "fish", "elvish", "powershell"];
const NOTHING: [&str; 0] = [];

#[test]
fn every_shell_is_offered_commands_subcommands_options_and_their_values() {
    for shell in SHELLS {
        assert!(offers(shell, &["rcli", "exec", "HGET"]).contains(&"HGETALL".to_owned()), "{shell}");
        assert_eq!(offers(shell, &["rcli", "XREADG"]), ["XREADGROUP"], "{shell}");
        assert_eq!(offers(shell, &["rcli", "xreadg"]), ["xreadgroup"], "{shell}");
        assert_eq!(offers(shell, &["rcli", "-p", "7000", "pip"]), ["pipe"], "{shell}");
        assert_eq!(offers(shell, &["rcli", "pipe", "--ato"]), ["--atomic"], "{shell}");
        assert_eq!(offers(shell, &["rcli", "pipe", "--jso"]), ["--json"], "{shell}");
        assert_eq!(offers(shell, &["rcli", "pipe", "--on-error", "st"]), ["stop"], "{shell}");
        assert_eq!(offers(shell, &["rcli", "--profile", "pr"]), ["prod"], "{shell}");
        assert_eq!(offers(shell, &["rcli", "GET", "HG"]), NOTHING, "{shell}: an argument is no command");
        assert_eq!(offers(shell, &["rcli", "exec", "GET", "HG"]), NOTHING, "{shell}: an argument is no command");
    }
}

#[test]
fn nothing_hidden_is_offered() {
    for shell in SHELLS {
        assert_eq!(offers(shell, &["rcli", "gener"]), NOTHING, "{shell}");
        assert_eq!(offers(shell, &["rcli", "--password_"]), NOTHING, "{shell}");
    }
}

#[test]
fn bash_completes_by_the_script_that_is_printed() {
    let binary = Path::new(env!("CARGO_BIN_EXE_rcli")).parent().expect("a directory").display().to_string();
    let typed = format!(
        "PATH={binary}:$PATH\nsource {}\nCOMP_WORDS=(rcli exec HGETA)\nCOMP_CWORD=2\n\
         _clap_complete_rcli rcli HGETA exec\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"",
        project("completions/rcli.bash").display()
    );
    let output = std::process::Command::new("bash").args(["--norc", "-c", &typed]).output().expect("bash");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "HGETALL\n", "{}", String::from_utf8_lossy(&output.stderr));
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

/// The environment variables with a name of rcli's or of redis-cli's and valkey-cli's that stand in quotes in the source.
fn variables(directory: &Path) -> Vec<String> {
    let is_named = |word: &&str| ["RCLI_", "REDISCLI_", "VALKEYCLI_"].iter().any(|start| word.starts_with(start));
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(variables(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") && !path.ends_with("fuzz.rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            found.extend(text.split('"').filter(is_named).map(str::to_owned));
        }
    }
    found
}

#[test]
fn the_page_of_rcli_tells_of_the_prompt_of_files_of_every_variable_and_of_exit_statuses() {
    let pages = files(&project("man"));
    let text = |page: &str| String::from_utf8_lossy(&pages[page]).replace("\\-", "-");
    let page = text("rcli.1");
    for part in ["EXAMPLES", "PROMPT", "FILES", "ENVIRONMENT", "\"EXIT STATUS\""] {
        assert!(page.contains(&format!("\n.SH {part}\n")), "no {part}: {page}");
    }
    for word in ["Ctrl-R", "config.toml", "130, 143, 129"] {
        assert!(page.contains(word), "{word}: {page}");
    }
    let variables = variables(&project("src"));
    assert!(variables.len() > 15, "{variables:?}");
    for variable in variables.iter().filter(|name| name.chars().all(|c| c.is_ascii_uppercase() || c == '_')) {
        // This one is for the scripts of the shells.
        assert!(page.contains(variable) || variable == "RCLI_COMPLETE", "{variable} is not told of");
    }
    assert!(text("rcli-pipe.1").contains("\n.SH EXAMPLES\n.nf\nrcli pipe < cmds.txt\n"), "{}", text("rcli-pipe.1"));
    assert!(text("rcli-pipe.1").contains("\n\\fBrcli pipe\\fR [OPTIONS] [FILE]...\n"), "{}", text("rcli-pipe.1"));
}
