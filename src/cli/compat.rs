//! redis-cli's own spellings: the options of redis-cli and valkey-cli that rcli calls by other names, grants unasked or
//! does not have (contract section 1). They become subcommands and options of rcli here, before anything reads the line;
//! nothing else knows them. `docs/redis-cli.md` has a row for each, and a test tries it.

use std::env;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::Path;

use super::option_set::{OptionSet, PUSHES, is_yes_or_no};
use crate::exit::{Failure, Outcome};
use crate::input;

/// What becomes of an option.
#[derive(Clone, Copy)]
enum Spelling {
    /// rcli does so unasked.
    Granted,
    /// It stands for these words, which are options of rcli.
    Option(&'static str),
    /// It stands for a subcommand with options.
    Mode(Mode, &'static [&'static str]),
    /// The same, its value behind them.
    ModeOf(Mode, &'static [&'static str]),
    /// An option of these, with a value: what it is called there.
    Detail(&'static [Mode], &'static str),
    /// rcli does not do that: what does it.
    Refused(&'static str),
}

/// What redis-cli does in place of running a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Pipe,
    Scan,
    /// `--bigkeys` and its kind.
    Largest,
    Eval,
    Stat,
    Rdb,
    Hints,
}

use Mode::{Eval, Hints, Largest, Pipe, Rdb, Scan, Stat};
use Spelling::{Detail, Granted, Mode as Is, ModeOf, Refused};

/// redis-cli's own lines about keys, where the largest are not asked for by number.
const SURVEY: &str = "--survey";
const ADMINISTRATION: &str = "rcli does not administer clusters: use redis-cli --cluster or valkey-cli --cluster; rcli -c \
                              runs commands, pipelines, blocks and streams in one";
const DEBUGGER: &str = "rcli has no Lua debugger: use redis-cli --ldb --eval; rcli run runs a script";
const CIPHERS: &str =
    "rcli takes the ciphers that its TLS library holds to be safe: a list goes with redis-cli or openssl s_client";
const RECALL: &str = "rcli tests no vector sets: use redis-cli --vset-recall";

/// All of them, but for those with a rule of their own in [`translate`].
const SPELLINGS: [(&str, Spelling); 42] = [
    ("--verbose", Granted),
    ("--rdb", ModeOf(Rdb, &["rdb", "--totals", "--"])),
    ("--functions-rdb", ModeOf(Rdb, &["rdb", "--totals", "--functions", "--"])),
    ("--mono", Spelling::Option("--color=never")),
    ("--pipe", Is(Pipe, &["pipe", "--quiet", "--totals", "--pipe-timeout=30"])),
    ("--pipe-timeout", Detail(&[Pipe], "--pipe-timeout")),
    ("--scan", Is(Scan, &["ls", "--quoted"])),
    ("--pattern", Detail(&[Scan, Largest], "")),
    ("--quoted-pattern", Detail(&[Scan, Largest], "")),
    ("--count", Detail(&[Scan, Largest], "--page")),
    ("--type", Detail(&[Scan, Largest], "--type")),
    ("--bigkeys", Is(Largest, &["ls", "--by=length", SURVEY])),
    ("--memkeys", Is(Largest, &["ls", "--by=memory", SURVEY])),
    ("--keystats", Is(Largest, &["ls", "--by=memory"])),
    ("--hotkeys", Is(Largest, &["ls", "--by=freq", SURVEY])),
    ("--hotkeys-count", ModeOf(Largest, &["ls", "--by=freq", SURVEY, "--top"])),
    ("--memkeys-samples", ModeOf(Largest, &["ls", "--by=memory", SURVEY, "--samples"])),
    ("--keystats-samples", ModeOf(Largest, &["ls", "--by=memory", "--samples"])),
    ("--top", Detail(&[Largest], "--top")),
    ("--eval", ModeOf(Eval, &["run"])),
    ("--stat", Is(Stat, &["stat"])),
    ("--latency", Is(Stat, &["stat", "--latency"])),
    ("--latency-history", Is(Stat, &["stat", "--latency", "--history"])),
    ("--latency-dist", Is(Stat, &["stat", "--latency", "--dist"])),
    ("--cursor", Refused("rcli begins each walk at its beginning: use redis-cli --keystats --cursor")),
    ("--ldb", Refused(DEBUGGER)),
    ("--ldb-sync-mode", Refused(DEBUGGER)),
    ("--vset-recall", Refused(RECALL)),
    ("--vset-recall-count", Refused(RECALL)),
    ("--vset-recall-ef", Refused(RECALL)),
    ("--vset-recall-ele", Refused(RECALL)),
    (
        "--latency-percentiles",
        Refused("rcli stat tells the 99th percentile of round trips: for others use redis-cli --latency-percentiles"),
    ),
    ("--lru-test", Refused("rcli makes no workloads: use redis-cli --lru-test, or redis-benchmark")),
    ("--intrinsic-latency", Refused("rcli does not measure this machine: use redis-cli --intrinsic-latency there")),
    ("--replica", Refused("rcli is no replica: use redis-cli --replica; rcli monitor shows commands")),
    ("--slave", Refused("rcli is no replica: use redis-cli --replica; rcli monitor shows commands")),
    ("--tls-ciphers", Refused(CIPHERS)),
    ("--tls-ciphersuites", Refused(CIPHERS)),
    ("--test_hint", ModeOf(Hints, &["hints", "--line"])),
    ("--test_hint_file", ModeOf(Hints, &["hints", "--"])),
    ("--rdma", Refused("rcli speaks TCP, TLS and unix sockets: use valkey-cli --rdma")),
    ("--mptcp", Refused("rcli speaks TCP, TLS and unix sockets: use valkey-cli --mptcp")),
];

/// Those whose value is a number, with the least that it may be, and whose name in rcli is another: what is wrong with it
/// is told by the name that was typed.
const NUMBERS: [(&str, u32); 4] =
    [("--count", 1), ("--hotkeys-count", 1), ("--memkeys-samples", 0), ("--keystats-samples", 0)];

/// redis-cli's subcommands of `--cluster` that are no commands of the server.
const CLUSTER_WORDS: [&str; 12] = [
    "create",
    "check",
    "fix",
    "reshard",
    "rebalance",
    "add-node",
    "del-node",
    "call",
    "set-timeout",
    "import",
    "backup",
    "help",
];

/// What rcli is to be taken for (contract section 1).
#[derive(Clone, Copy, Debug)]
pub struct Guise {
    /// The tool by whose name rcli was called, if it is one of those.
    pub called_as: Option<CalledAs>,
    /// Whether what is read and written is to look as on a terminal, as redis-cli's own tests want it.
    pub fakes_terminal: bool,
    /// Whether there is a prompt though there is no terminal.
    pub fakes_prompt: bool,
}

impl Guise {
    /// What the name in front of the words of the command line, and the environment, say.
    pub fn now() -> Self {
        Self {
            called_as: CalledAs::now(),
            fakes_terminal: env::var_os("FAKETTY").is_some(),
            fakes_prompt: env::var_os("FAKETTY_WITH_PROMPT").is_some(),
        }
    }
}

/// The tool by whose name rcli was called, through a link: then more is as there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CalledAs {
    RedisCli,
    ValkeyCli,
}

impl CalledAs {
    /// A suffix may stand behind the tool's name.
    fn now() -> Option<Self> {
        let path = env::args_os().next()?;
        let name = Path::new(&path).file_name()?.to_str()?;
        match name {
            name if name.starts_with("redis-cli") => Some(Self::RedisCli),
            name if name.starts_with("valkey-cli") => Some(Self::ValkeyCli),
            _ => None,
        }
    }
}

/// The line without redis-cli's spellings.
pub(super) fn translate(options: &OptionSet, words: Vec<OsString>) -> Outcome<Vec<OsString>> {
    let mut line = Translated::default();
    let mut rest = words.as_slice();
    while let [word, behind @ ..] = rest {
        if word == "--" || !matches!(word.as_bytes(), [b'-', _, ..]) {
            break;
        }
        rest = line.take(options, word, behind)?;
    }
    // By the names of those tools these are the server's commands, and no subcommands.
    if let [name, args @ ..] = rest
        && (name == "monitor" || name == "exec")
        && CalledAs::now().is_some()
    {
        return line.end(&[&[name.to_ascii_uppercase()], args].concat());
    }
    if line.is_changed { line.end(rest) } else { Ok(words) }
}

/// A line that is being translated.
#[derive(Default)]
struct Translated {
    is_changed: bool,
    /// Options of rcli.
    options: Vec<OsString>,
    /// What stands in place of a command, the option that says so, and its words.
    mode: Option<(Mode, &'static str, Vec<OsString>)>,
    /// Options of that, each with what it is called there and its value.
    details: Vec<(&'static str, &'static [Mode], &'static str, OsString)>,
    /// `-i` with its value, whose meaning the mode decides.
    interval: Vec<OsString>,
    has_stdin_last: bool,
    has_stdin_tag: bool,
}

impl Translated {
    /// Takes an option with its value, and gives what follows.
    fn take<'w>(&mut self, options: &OptionSet, word: &OsStr, behind: &'w [OsString]) -> Outcome<&'w [OsString]> {
        let text = word.to_str().unwrap_or_default();
        match (text, behind) {
            ("--cluster", [verb, place @ ..]) if is_administration(verb, place) => {
                return Err(refuse(text, ADMINISTRATION));
            }
            (_, _) if text.starts_with("--cluster-") => return Err(refuse(text, ADMINISTRATION)),
            (PUSHES, [value, behind @ ..]) if is_yes_or_no(value) => {
                self.options.extend([word.to_owned(), value.clone()]);
                return Ok(behind);
            }
            ("-x", _) => self.has_stdin_last = true,
            ("-X", []) => return Err(Failure::usage("Unrecognized option or bad number of args for: '-X': -X TAG")),
            ("-X", _) => self.has_stdin_tag = true,
            ("-i", [value, behind @ ..]) => {
                self.interval = vec![word.to_owned(), value.clone()];
                return Ok(behind);
            }
            _ => {}
        }
        if self.has_stdin_last && self.has_stdin_tag {
            return Err(Failure::usage("-x and -X are mutually exclusive"));
        }
        if let Some((name, spelling)) = SPELLINGS.iter().find(|(name, _)| *name == text) {
            return self.take_spelling(name, *spelling, behind);
        }
        let count = usize::from(options.takes_next(word)).min(behind.len());
        // A password, or a delimiter, that begins as options do.
        if let [value, behind @ ..] = behind
            && count == 1
            && value.as_bytes().starts_with(b"-")
            && !is_option(options, value)
        {
            self.is_changed = true;
            self.options.push(joined(text, value));
            return Ok(behind);
        }
        self.options.push(word.to_owned());
        self.options.extend_from_slice(&behind[..count]);
        Ok(&behind[count..])
    }

    fn take_spelling<'w>(
        &mut self,
        name: &'static str,
        spelling: Spelling,
        behind: &'w [OsString],
    ) -> Outcome<&'w [OsString]> {
        self.is_changed = true;
        let value = || {
            let (value, behind) = behind.split_first().ok_or_else(|| refuse(name, "a value is missing"))?;
            if let Some((_, least)) = NUMBERS.iter().find(|(number, _)| *number == name)
                && value.to_str().and_then(|value| value.parse::<u32>().ok()).is_none_or(|value| value < *least)
            {
                let value = value.to_string_lossy();
                return Err(refuse(name, &format!("a whole number of {least} or more is expected: '{value}'")));
            }
            Ok((value, behind))
        };
        match spelling {
            Granted => {}
            Spelling::Option(option) => self.options.push(option.into()),
            Is(mode, words) => self.set_mode(mode, name, words, None)?,
            ModeOf(mode, words) => {
                let (value, behind) = value()?;
                self.set_mode(mode, name, words, Some(value))?;
                return Ok(behind);
            }
            Detail(modes, called) => {
                let (value, behind) = value()?;
                let value = if name == "--quoted-pattern" { unquote(value)? } else { value.clone() };
                self.details.push((name, modes, called, value));
                return Ok(behind);
            }
            Refused(why) => return Err(refuse(name, why)),
        }
        Ok(behind)
    }

    fn set_mode(&mut self, mode: Mode, name: &'static str, words: &[&str], value: Option<&OsString>) -> Outcome<()> {
        // --memkeys --memkeys-samples 5, and --latency --latency-history: the later one says more.
        let is_same = |other: Mode| other == mode && matches!(mode, Largest | Stat);
        if let Some((_, earlier, _)) = self.mode.as_ref().filter(|(other, ..)| !is_same(*other)) {
            return Err(Failure::usage(format!("{earlier} and {name} cannot stand together")));
        }
        let words = words.iter().map(OsString::from).chain(value.cloned()).collect();
        self.mode = Some((mode, name, words));
        Ok(())
    }

    /// The whole line; `rest` is the command, or what goes with the mode.
    fn end(self, rest: &[OsString]) -> Outcome<Vec<OsString>> {
        let Self { options: mut line, mode, details, interval, .. } = self;
        let Some((mode, name, words)) = mode else {
            if let Some((detail, modes, ..)) = details.first() {
                let is_with = |it: &Spelling| matches!(it, Is(mode, _) | ModeOf(mode, _) if modes.contains(mode));
                let with: Vec<&str> = SPELLINGS.iter().filter(|(_, it)| is_with(it)).map(|(name, _)| *name).collect();
                return Err(Failure::usage(format!("{detail} goes with {}", with.join(", "))));
            }
            line.extend(interval);
            line.extend_from_slice(rest);
            return Ok(line);
        };
        if let Some((detail, .., value)) = details.iter().find(|(_, modes, ..)| !modes.contains(&mode)) {
            // There the word means what it means in rcli's own.
            let own = if *detail == "--count" && words.first().is_some_and(|verb| verb == "stat") {
                let words: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
                format!(": use rcli {} --count {}", words.join(" "), value.to_string_lossy())
            } else {
                String::new()
            };
            return Err(Failure::usage(format!("{detail} does not go with {name}{own}")));
        }
        if let (false, Some(word)) = (mode == Eval, rest.first()) {
            let word = word.to_string_lossy();
            return Err(Failure::usage(format!("{name} takes no command: {word}")));
        }
        line.extend(words);
        if matches!(mode, Scan | Largest | Stat) {
            line.extend(interval);
        }
        // Its end tells what is an option from what is a pattern.
        let mut pattern = None;
        let counts = line.iter().any(|word| word == "--top");
        // redis-cli's --hotkeys tells of 16.
        let is_by_use = line.iter().any(|word| word == "--by=freq");
        let mut top = (mode == Largest && !counts).then(|| OsString::from(if is_by_use { "16" } else { "10" }));
        for (_, _, called, value) in details {
            match called {
                "" => pattern = Some(value),
                "--top" => {
                    top = Some(value);
                    line.retain(|word| word != SURVEY);
                }
                called => line.push(joined(called, &value)),
            }
        }
        line.extend(top.map(|top| joined("--top", &top)));
        if let Some(pattern) = pattern {
            line.push("--".into());
            line.push(pattern);
        }
        line.extend_from_slice(rest);
        Ok(line)
    }
}

/// Whether a word is an option that there is, or a lone sign.
fn is_option(options: &OptionSet, word: &OsStr) -> bool {
    let name = word.as_bytes().split(|byte| *byte == b'=').next().unwrap_or_default();
    let is_known = |name| options.find(name).is_some() || SPELLINGS.iter().any(|(spelling, _)| *spelling == name);
    matches!(word.as_bytes(), b"-" | b"--") || std::str::from_utf8(name).is_ok_and(is_known)
}

fn joined(option: &str, value: &OsStr) -> OsString {
    let mut word = OsString::from(format!("{option}="));
    word.push(value);
    word
}

fn refuse(option: &str, why: &str) -> Failure {
    Failure::usage(format!("{option}: {why}"))
}

/// Whether `--cluster` is meant as redis-cli's: a word of its own, or `info` and the address of a node.
fn is_administration(word: &OsStr, behind: &[OsString]) -> bool {
    let is_port = |text: &str| text.parse::<u16>().is_ok();
    let place = behind.first().and_then(|place| place.to_str()).unwrap_or_default();
    let is_place = place.rsplit_once(':').is_some_and(|(_, port)| is_port(port.split('@').next().unwrap_or_default()))
        || behind.get(1).and_then(|port| port.to_str()).is_some_and(is_port);
    let word = word.to_str().unwrap_or_default();
    CLUSTER_WORDS.contains(&word) || is_place && !word.starts_with('-') && word.eq_ignore_ascii_case("info")
}

/// A pattern as a line of input quotes it.
fn unquote(pattern: &OsStr) -> Outcome<OsString> {
    input::unquote(pattern.as_bytes())
        .map(OsString::from_vec)
        .map_err(|malformed| Failure::usage(format!("--quoted-pattern: {}", malformed.reason)))
}
