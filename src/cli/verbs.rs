//! The subcommands, and the options of those that send commands. The streams' are in `streams`.

use std::ffi::OsString;
use std::iter;
use std::path::PathBuf;

use clap::{Args, Command, Subcommand, ValueEnum, ValueHint};

use super::keys::LsArgs;
use super::options::{When, parse_seconds};
use super::rdb::RdbArgs;
use super::run::RunArgs;
use super::stat::StatArgs;
use super::streams::{ListenOptions, MonitorArgs, PsubArgs, SsubArgs, SubArgs};
use super::tail::TailArgs;

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Verb {
    Exec(ExecArgs),
    Pipe(PipeArgs),
    Sub(SubArgs),
    Psub(PsubArgs),
    Ssub(SsubArgs),
    Monitor(MonitorArgs),
    Tail(TailArgs),
    Txn(TxnArgs),
    Ls(LsArgs),
    Run(RunArgs),
    Stat(StatArgs),
    Rdb(RdbArgs),
    Profiles(ProfilesArgs),
    Completions(CompletionsArgs),
    #[command(hide = true)]
    Generate(GenerateArgs),
    #[command(hide = true)]
    Hints(HintsArgs),
    /// `help` before a command of the server, or a group of them: the words behind it. clap's own `help` tells of
    /// subcommands.
    #[command(skip)]
    Help(Vec<String>),
}

/// Gives a command the options and arguments of a subcommand.
type Augment = fn(Command) -> Command;

impl Verb {
    /// All but `exec`, whose options are those before a command: each has a definition of its own.
    pub(super) const OTHERS: [(&str, Augment); 15] = [
        ("pipe", PipeArgs::augment_args),
        ("sub", SubArgs::augment_args),
        ("psub", PsubArgs::augment_args),
        ("ssub", SsubArgs::augment_args),
        ("monitor", MonitorArgs::augment_args),
        ("tail", TailArgs::augment_args),
        ("txn", TxnArgs::augment_args),
        ("ls", LsArgs::augment_args),
        ("run", RunArgs::augment_args),
        ("stat", StatArgs::augment_args),
        ("rdb", RdbArgs::augment_args),
        ("profiles", ProfilesArgs::augment_args),
        ("completions", CompletionsArgs::augment_args),
        ("generate", GenerateArgs::augment_args),
        ("hints", HintsArgs::augment_args),
    ];

    /// Their names.
    pub(super) fn others() -> impl Iterator<Item = &'static str> {
        Self::OTHERS.into_iter().map(|(name, _)| name)
    }

    /// Whether a server is talked to that the command line, the environment or a profile names.
    pub fn needs_server(&self) -> bool {
        match self {
            Self::Pipe(args) => !args.check,
            Self::Profiles(_) | Self::Completions(_) | Self::Generate(_) | Self::Help(_) => false,
            _ => true,
        }
    }

    /// Whether it can run above the prompt: it writes lines as they come, until it is stopped.
    pub fn may_run_above(&self) -> bool {
        self.is_stream() || matches!(self, Self::Stat(_))
    }

    /// Why it cannot be typed at the prompt, which has its standard input for itself; none if it can.
    pub fn refuse_at_prompt(&self) -> Option<&'static str> {
        let is_stdin = |path: &PathBuf| path.as_os_str() == "-";
        match self {
            Self::Pipe(args) if args.files.is_empty() || args.files.iter().any(is_stdin) => {
                Some("pipe: name a file; at the prompt there is no input to read")
            }
            Self::Txn(args) if args.program.is_empty() && args.file.as_ref().is_none_or(is_stdin) => {
                Some("txn: name a file, or a program behind --; at the prompt there is no input to read")
            }
            Self::Exec(args) if args.options.stdin_last || args.options.stdin_tag.is_some() => {
                Some("-x and -X read standard input; at the prompt there is none")
            }
            Self::Rdb(args) if is_stdin(&args.file) => Some("rdb: name a file; a snapshot is no text for the prompt"),
            _ if self.listen_options().is_some_and(|options| options.control.is_some()) => {
                Some("--control reads standard input; at the prompt SUBSCRIBE and UNSUBSCRIBE do what its lines do")
            }
            Self::Run(args) if args.words.first().is_some_and(|file| file == "-") => {
                Some("run: name a file; at the prompt there is no input to read")
            }
            _ => None,
        }
    }

    /// Its name, where what it writes is neither a reply nor a message, and so has no CSV form (contract section 2).
    pub fn without_csv(&self) -> Option<&'static str> {
        match self {
            Self::Profiles(_) => Some("profiles"),
            Self::Ls(args) if args.top.is_some() => Some("ls --top"),
            Self::Stat(args) if args.dist => Some("stat --dist"),
            Self::Stat(args) if !args.latency => Some("stat"),
            _ => None,
        }
    }

    /// What is done with the messages of a subscription.
    pub fn listen_options(&self) -> Option<&ListenOptions> {
        match self {
            Self::Sub(args) => Some(&args.listen),
            Self::Psub(args) => Some(&args.listen),
            Self::Ssub(args) => Some(&args.listen),
            _ => None,
        }
    }

    /// Whether data that is valid JSON is nested.
    pub fn nests_json(&self) -> bool {
        match self {
            Self::Tail(args) => args.data_json,
            _ => self.listen_options().is_some_and(|options| options.data_json),
        }
    }

    /// Whether it goes on until something ends it.
    pub fn is_stream(&self) -> bool {
        matches!(self, Self::Monitor(_) | Self::Tail(_)) || self.listen_options().is_some()
    }
}

/// List the profiles, without their passwords
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  rcli profiles
  rcli profiles --init
  rcli --profile prod GET user:1
  RCLI_PROFILE=prod rcli GET user:1")]
pub struct ProfilesArgs {
    /// Write a config.toml with comments, where there is none yet
    #[arg(long)]
    pub init: bool,
}

/// Print the completions for a shell
#[derive(Args, Debug)]
#[command(before_help = "Examples:\n  rcli completions bash > ~/.local/share/bash-completion/completions/rcli")]
pub struct CompletionsArgs {
    /// The shell
    pub shell: clap_complete::Shell,
}

/// Write completions/ and man/, and with --table src/command/table/commands.json, below a directory
#[derive(Args, Debug)]
pub struct GenerateArgs {
    /// Directory to write into
    pub dir: PathBuf,
    /// A server to ask for its commands; the first one that has a command describes it
    #[arg(long, value_name = "URL")]
    pub table: Vec<String>,
}

/// What redis-cli's --test_hint and --test_hint_file ask for
#[derive(Args, Debug)]
pub struct HintsArgs {
    /// Write what is hinted at behind this line
    #[arg(long, allow_hyphen_values = true)]
    pub line: Option<String>,
    /// A file of lines with what is expected behind each
    pub file: Option<PathBuf>,
}

/// Run one command
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  rcli exec SET greeting hello
  rcli exec -x SET page < index.html
  rcli exec -r 3 -i 0.5 INCR hits")]
pub struct ExecArgs {
    #[command(flatten)]
    pub options: ExecOptions,
    /// The command and its arguments; options of rcli stand before it
    #[arg(required = true, trailing_var_arg = true, value_name = "CMD")]
    pub command: Vec<OsString>,
}

/// Tells the options of one command from the global ones.
pub(super) const EXEC_HEADING: &str = "One command";

/// Options of one command, with `exec` or without the word (contract section 4).
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = EXEC_HEADING)]
pub struct ExecOptions {
    /// Read the last argument from standard input
    #[arg(short = 'x')]
    pub stdin_last: bool,
    /// Read the argument that is TAG from standard input
    #[arg(short = 'X', value_name = "TAG", conflicts_with = "stdin_last")]
    pub stdin_tag: Option<OsString>,
    #[command(flatten)]
    pub repetition: RepeatOptions,
    /// Unquote the arguments that begin with a quote, as lines of input are unquoted
    #[arg(long)]
    pub quoted_input: bool,
    /// Write an error that answers the command to stderr, whatever the format; the status tells of it in any case
    #[arg(short = 'e')]
    pub errors_apart: bool,
}

/// How often something is run (contract section 4).
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct RepeatOptions {
    /// Run it N times; -1: for ever
    #[arg(short = 'r', value_name = "N", allow_negative_numbers = true, value_parser = clap::value_parser!(i64).range(-1..))]
    pub repeat: Option<i64>,
    /// Pause between the runs of -r, in seconds
    #[arg(short = 'i', value_name = "SECS", allow_negative_numbers = true, value_parser = parse_seconds)]
    pub interval: Option<std::time::Duration>,
}

impl ExecOptions {
    /// Whether none of them was given that is for nothing else.
    pub(super) fn is_empty(&self) -> bool {
        !self.stdin_last
            && self.stdin_tag.is_none()
            && self.repetition == RepeatOptions::default()
            && !self.quoted_input
    }
}

impl RepeatOptions {
    /// The runs that are asked for, one after the other: of each whether another one follows.
    pub fn turns(&self) -> impl Iterator<Item = bool> + use<> {
        let mut left = self.repeat.unwrap_or(1);
        iter::from_fn(move || match left {
            0 => None,
            // For ever.
            ..0 => Some(true),
            _ => {
                left -= 1;
                Some(left != 0)
            }
        })
    }

    /// These, and where they say nothing what stood before the subcommand, which is taken from there.
    pub(super) fn take_from(&mut self, before: &mut Self) {
        self.repeat = self.repeat.or(before.repeat.take());
        self.interval = self.interval.or(before.interval.take());
    }
}

/// Run the commands of files or standard input as a pipeline
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  rcli pipe < cmds.txt
  rcli pipe --json --envelope part1.txt part2.txt | jq -c 'select(.error)'
  jq -c '[\"SET\", .id, .name]' users.json | rcli pipe --quiet --summary
  rcli pipe --from-csv 'HSET user:{id} name {name} mail {mail}' users.csv
  rcli pipe --check cmds.txt")]
pub struct PipeArgs {
    /// Run the whole input as one MULTI/EXEC
    #[arg(long)]
    pub atomic: bool,
    /// After an error reply: go on, or send nothing more and end
    #[arg(long, value_name = "WHAT", default_value = "continue")]
    pub on_error: OnError,
    /// Write no replies; errors still go to stderr
    #[arg(short, long)]
    pub quiet: bool,
    /// Write {"index","line","command","reply"} lines of JSON
    #[arg(long, conflicts_with_all = ["quiet", "raw", "human", "csv"])]
    pub envelope: bool,
    /// Skip the first N commands, to resume; those that set the connection's state are sent again
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value_t = 0)]
    pub skip: u64,
    /// With --skip: the EXECs that ran nothing, by their numbers, as the line says that tells how to resume
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_delimiter = ',')]
    pub not_run: Vec<u64>,
    /// Parse all the input, run nothing, connect to nothing
    #[arg(long)]
    pub check: bool,
    /// The input is CSV with a header line; each row becomes this command, whose {name} or {1} stand for columns
    #[arg(long, value_name = "TEMPLATE", overrides_with = "from_tsv")]
    pub from_csv: Option<OsString>,
    /// The same for cells between tabs, without quotes
    #[arg(long, value_name = "TEMPLATE", overrides_with = "from_csv")]
    pub from_tsv: Option<OsString>,
    /// Commands in flight at most [default: chosen for throughput]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..))]
    pub window: Option<u32>,
    /// Show a progress bar on stderr
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub progress: When,
    /// End with a line on stderr: commands, replies, errors, seconds, rate
    #[arg(long)]
    pub summary: bool,
    /// End with the lines on standard output that `redis-cli --pipe` ends with
    #[arg(long, hide = true)]
    pub totals: bool,
    /// When the input has ended: limit on the silence while an answer is waited for, in seconds; 0: none
    #[arg(long = "pipe-timeout", hide = true, value_name = "SECS", allow_negative_numbers = true, value_parser = parse_seconds)]
    pub reply_timeout: Option<std::time::Duration>,
    /// Files of commands; - is standard input, which is also the default
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub files: Vec<PathBuf>,
}

/// `--on-error`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OnError {
    /// Go on with the next command
    Continue,
    /// Send nothing more, read what is in flight, and end
    Stop,
}

/// Run commands as one MULTI/EXEC block, guarded by WATCH
#[derive(Args, Debug)]
#[command(
    before_help = "\
Examples:
  rcli txn block.txt
  printf '%s\\n' 'INCR a' 'INCR b' | rcli txn --json
  rcli txn --watch seq -- sh -c 'echo GET seq; read -r n; echo MULTI; echo \"SET seq $((n + 1))\"'
  rcli txn --json --watch alice --watch bob -- python3 transfer.py",
    after_help = "\
The result is EXEC's reply, one array. A bad line, a command refused while queueing or a changed key: nothing is run.

With --watch the keys are watched from before the input is read until EXEC.

PROGRAM writes commands, one a line, to its stdout. Before a line MULTI each is run at once and its reply is written \
to PROGRAM's stdin: raw and then a newline (nil is an empty line, an error its text), or one line of JSON with --json. \
MULTI and what comes after it is not answered; the block is run when PROGRAM has ended with status 0 (without MULTI it \
is empty) and PROGRAM is started again, RCLI_ATTEMPT counting from 1, if a watched key has changed. DISCARD gives up. \
Any other status of PROGRAM: nothing is run. Replies that PROGRAM does not read are kept in memory. PROGRAM inherits the \
environment, REDISCLI_AUTH and RCLI_URL included."
)]
pub struct TxnArgs {
    /// Watch a key: if it changes before EXEC, nothing is run (repeatable)
    #[arg(long, value_name = "KEY")]
    pub watch: Vec<OsString>,
    /// How often to try again after that [default: 10 with PROGRAM, 0 without]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub retries: Option<u32>,
    /// First pause between tries, in seconds, or as long as a try takes; doubled each time, with jitter [default: 0.01]
    #[arg(long, value_name = "SECS", allow_negative_numbers = true, value_parser = parse_seconds)]
    pub watch_delay: Option<std::time::Duration>,
    /// File of commands; - is standard input, which is also the default
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "program")]
    pub file: Option<PathBuf>,
    /// Program that computes the commands, and its arguments
    #[arg(last = true, value_name = "PROGRAM", value_hint = ValueHint::CommandWithArguments, num_args = 1..)]
    pub program: Vec<OsString>,
}
