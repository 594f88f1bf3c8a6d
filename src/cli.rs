//! Everything that can be typed: the command line as clap parses it. What it means is decided in `config`.

mod line;
mod options;
pub mod settings;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::{ContextKind, ContextValue};
use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};

pub use self::options::{
    ConnectionOptions, Encoding, GeneralOptions, OutputOptions, ReplOptions, SandboxKind, Verify, When,
};

const EXAMPLES: &str = "\
Examples:
  rcli GET user:1                      one command, as with redis-cli
  rcli --json HGETALL user:1 | jq .    one line of JSON a reply
  rcli pipe < cmds.txt                 a file of commands at the speed of the server
  rcli --sandbox pipe < cmds.txt       the same, on a throw-away server
  rcli txn --watch seq -- ./next.sh    a transaction computed by a program, restarted on conflict";

/// A command-line REPL and scripting tool for Redis and Valkey.
#[derive(Debug, Parser)]
#[command(
    name = "rcli",
    version,
    before_help = EXAMPLES,
    disable_help_flag = true,
    disable_version_flag = true,
    propagate_version = true,
    args_override_self = true,
    override_usage = "rcli [OPTIONS] [CMD [ARG]...]\n       rcli [OPTIONS] <SUBCOMMAND>",
    after_help = "A first word that names no subcommand is a Redis command. With no command at all there is a \
                  REPL on a terminal; elsewhere commands are read from standard input, one a line.\n\
                  Exit status: 0 done, 1 the server answered an error, 2 usage or bad input, 3 connection or output \
                  failed, 4 aborted by WATCH, 5 a time limit before --count, 130 and 143 interrupted."
)]
pub struct Cli {
    #[command(flatten)]
    pub connection: ConnectionOptions,
    #[command(flatten)]
    pub output: OutputOptions,
    #[command(flatten)]
    pub general: GeneralOptions,
    #[command(flatten)]
    pub repl: ReplOptions,
    #[command(flatten)]
    pub exec: ExecOptions,
    #[command(subcommand)]
    pub verb: Option<Verb>,
    /// The words of the global options, in their order, wherever they stood.
    #[arg(skip)]
    options: Vec<OsString>,
}

/// clap's complaint in one line, without a value that may hold a password: a URL in the wrong place, or what stands
/// behind an option about passwords that takes none.
fn describe(error: &clap::Error) -> String {
    let text_of = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => text.as_str(),
        _ => "",
    };
    let (value, option) = (text_of(ContextKind::InvalidValue), text_of(ContextKind::InvalidArg));
    if value.contains('@') || !value.is_empty() && option.contains("pass") {
        return format!("invalid value (not shown) for '{option}'");
    }
    let text = error.to_string();
    let told = text.split("\n\nUsage:").next().unwrap_or(&text);
    let told = told.split("\n\nFor more information").next().unwrap_or(told);
    let told = told.strip_prefix("error: ").unwrap_or(told);
    let mut line = String::new();
    for part in told.lines().map(str::trim).filter(|part| !part.is_empty()) {
        let tip = part.strip_prefix("tip: ");
        if !line.is_empty() {
            line.push_str(if tip.is_some() { "; " } else { " " });
        }
        line.push_str(tip.unwrap_or(part));
    }
    line
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Verb {
    Exec(ExecArgs),
    Pipe(PipeArgs),
    Sub(SubArgs),
    Psub(PsubArgs),
    Ssub(SsubArgs),
    Monitor(MonitorArgs),
    Txn(TxnArgs),
    /// List the profiles, without their passwords
    #[command(before_help = "\
Examples:
  rcli profiles
  rcli --profile prod GET user:1
  RCLI_PROFILE=prod rcli GET user:1")]
    Profiles,
    /// Print the completions for a shell
    #[command(before_help = "Examples:\n  rcli completions bash > ~/.local/share/bash-completion/completions/rcli")]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write completions/ and man/, and with --table src/table/commands.json, below a directory
    #[command(hide = true)]
    Generate {
        /// Directory to write into
        dir: PathBuf,
        /// A server to ask for its commands; the first one that has a command describes it
        #[arg(long, value_name = "URL")]
        table: Vec<String>,
    },
    #[command(external_subcommand)]
    Command(Vec<OsString>),
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

/// Options of one command, with `exec` or without the word (contract section 4).
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "One command")]
pub struct ExecOptions {
    /// Read the last argument from standard input
    #[arg(short = 'x')]
    pub stdin_last: bool,
    /// Read the argument that is TAG from standard input
    #[arg(short = 'X', value_name = "TAG", conflicts_with = "stdin_last")]
    pub stdin_tag: Option<OsString>,
    /// Run the command N times; -1: for ever
    #[arg(short = 'r', value_name = "N", allow_negative_numbers = true, value_parser = clap::value_parser!(i64).range(-1..))]
    pub repeat: Option<i64>,
    /// Pause between the runs of -r, in seconds
    #[arg(short = 'i', value_name = "SECS", value_parser = parse_seconds)]
    pub interval: Option<std::time::Duration>,
    /// Unquote the arguments as lines of input are unquoted
    #[arg(long)]
    pub quoted_input: bool,
}

/// Run the commands of files or standard input as a pipeline
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  rcli pipe < cmds.txt
  rcli pipe --json --envelope part1.txt part2.txt | jq -c 'select(.error)'
  jq -c '[\"SET\", .id, .name]' users.json | rcli pipe --quiet --summary
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
    #[arg(long, conflicts_with_all = ["quiet", "raw", "human"])]
    pub envelope: bool,
    /// Skip the first N commands, to resume; those that set the connection's state are sent again
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub skip: u64,
    /// With --skip: the EXECs that ran nothing, by their numbers, as the line says that tells how to resume
    #[arg(long, value_name = "N", value_delimiter = ',')]
    pub not_run: Vec<u64>,
    /// Parse all the input, run nothing, connect to nothing
    #[arg(long)]
    pub check: bool,
    /// Commands in flight at most [default: chosen for throughput]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub window: Option<u32>,
    /// Show a progress bar on stderr
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub progress: When,
    /// End with a line on stderr: commands, replies, errors, seconds, rate
    #[arg(long)]
    pub summary: bool,
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

/// Subscribe to channels and write each message as it arrives
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  rcli sub news weather
  rcli sub -m --count 10 news | jq -r .data
  rcli sub orders --data-json | jq 'select(.data.total > 100)'
  rcli sub jobs --handler jobs='jq -r .data >> jobs.log'
  rcli sub news --pattern 'news.*' --idle 60")]
pub struct SubArgs {
    /// Channels
    #[arg(required_unless_present = "patterns", value_name = "CHANNEL")]
    pub channels: Vec<OsString>,
    /// A pattern to subscribe to as well; may be repeated
    #[arg(long = "pattern", value_name = "PATTERN")]
    pub patterns: Vec<OsString>,
    #[command(flatten)]
    pub listen: ListenOptions,
}

/// Subscribe to patterns of channels and write each message as it arrives
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  rcli psub 'news.*' 'weather.?'
  rcli psub '__keyevent@0__:*' --raw      with -c: at every primary
  rcli psub 'job.*' --channel control --handler control='cat >> control.log'")]
pub struct PsubArgs {
    /// Patterns, as the server's PSUBSCRIBE takes them
    #[arg(required_unless_present = "channels", value_name = "PATTERN")]
    pub patterns: Vec<OsString>,
    /// A channel to subscribe to as well; may be repeated
    #[arg(long = "channel", value_name = "CHANNEL")]
    pub channels: Vec<OsString>,
    #[command(flatten)]
    pub listen: ListenOptions,
}

/// Subscribe to shard channels and write each message as it arrives
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  rcli ssub orders
  rcli ssub orders --count 1 --timeout 30")]
pub struct SsubArgs {
    /// Shard channels
    #[arg(required = true, value_name = "SHARD_CHANNEL")]
    pub channels: Vec<OsString>,
    /// With -c: listen to this node only; channels that it does not own are named and passed over
    #[arg(long, value_name = "HOST:PORT")]
    pub node: Option<String>,
    #[command(flatten)]
    pub listen: ListenOptions,
}

/// Write every command that the server runs
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  rcli monitor | jq -c '[.time, .args]'
  rcli monitor --only SET,DEL --in-db 2
  rcli monitor --client 10.0.0.7 --timeout 5
  rcli monitor --raw > monitor.log")]
pub struct MonitorArgs {
    /// Only these commands, in any case
    #[arg(long, value_name = "CMD", value_delimiter = ',', action = clap::ArgAction::Set, num_args = 1)]
    pub only: Vec<String>,
    /// Only this client: an address, an address and port, unix, unix:PATH or lua
    #[arg(long, value_name = "ADDR[:PORT]")]
    pub client: Option<String>,
    /// Only this database
    #[arg(long, value_name = "N")]
    pub in_db: Option<u64>,
    /// With -c: listen to this node only
    #[arg(long, value_name = "HOST:PORT")]
    pub node: Option<String>,
    #[command(flatten)]
    pub limits: LimitOptions,
    #[command(flatten)]
    pub reconnect: ReconnectOptions,
}

/// What is written of a subscription, and what is done with its messages (contract section 8).
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Messages")]
pub struct ListenOptions {
    /// Write no confirmations of subscriptions
    #[arg(short = 'm', long)]
    pub ignore_subscribe_messages: bool,
    /// Add "time": seconds since 1970, with microseconds
    #[arg(long)]
    pub time: bool,
    /// Nest data that is valid JSON as JSON
    #[arg(long)]
    pub data_json: bool,
    /// Run a shell command for each message of a channel or pattern, its JSON line on stdin; it inherits the
    /// environment, REDISCLI_AUTH and RCLI_URL included; may be repeated
    #[arg(long = "handler", value_name = "NAME=COMMAND")]
    pub handlers: Vec<OsString>,
    /// Handlers that run at once
    #[arg(long, value_name = "N", default_value_t = 1, requires = "handlers", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub handler_jobs: u16,
    /// After a handler that failed: say so and go on, or end with status 1
    #[arg(long, value_name = "WHAT", default_value = "report", requires = "handlers")]
    pub on_handler_error: OnHandlerError,
    #[command(flatten)]
    pub limits: LimitOptions,
    #[command(flatten)]
    pub reconnect: ReconnectOptions,
}

/// `--on-handler-error`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OnHandlerError {
    /// A line on stderr, and go on
    Report,
    /// Start no further handler, wait for those that run, and end with status 1
    Stop,
}

/// When a stream ends (contract section 8).
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Limits")]
pub struct LimitOptions {
    /// End after N messages
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,
    /// End after SECS seconds in all; status 5 if --count was not reached
    #[arg(long, value_name = "SECS", value_parser = parse_seconds)]
    pub timeout: Option<std::time::Duration>,
    /// End after SECS seconds without a message; status 5 if --count was not reached
    #[arg(long, value_name = "SECS", value_parser = parse_seconds)]
    pub idle: Option<std::time::Duration>,
}

/// What is done about a lost connection of a stream (contract section 8).
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Lost connections")]
pub struct ReconnectOptions {
    /// End with status 3 when the connection is lost
    #[arg(long, conflicts_with = "max_retries")]
    pub no_reconnect: bool,
    /// How often in a row to try a new connection [default: for ever]
    #[arg(long, value_name = "N")]
    pub max_retries: Option<u32>,
    /// Write {"type":"disconnected",...} and {"type":"reconnected","gap":...} lines among the messages
    #[arg(long)]
    pub events: bool,
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
    #[arg(long, value_name = "N")]
    pub retries: Option<u32>,
    /// First pause between tries, in seconds, or as long as a try takes; doubled each time, with jitter [default: 0.01]
    #[arg(long, value_name = "SECS", value_parser = parse_seconds)]
    pub watch_delay: Option<std::time::Duration>,
    /// File of commands; - is standard input, which is also the default
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "program")]
    pub file: Option<PathBuf>,
    /// Program that computes the commands, and its arguments
    #[arg(last = true, value_name = "PROGRAM", value_hint = ValueHint::CommandWithArguments, num_args = 1..)]
    pub program: Vec<OsString>,
}

/// A limit that no clock overflows: 31 years.
const LONGEST_SECONDS: f64 = 1e9;

fn parse_seconds(text: &str) -> Result<std::time::Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "a number of seconds is expected".to_owned())?;
    if seconds > LONGEST_SECONDS {
        return Err(format!("more than {LONGEST_SECONDS} seconds"));
    }
    std::time::Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}
