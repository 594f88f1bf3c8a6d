//! The subcommands that listen (contract sections 8 and 9).

use std::ffi::OsString;

use clap::{ArgGroup, Args, ValueEnum};

use super::options::parse_seconds;

/// Subscribe to channels and write each message as it arrives
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  rcli sub news weather
  rcli sub -m --count 10 news | jq -r .data
  rcli sub orders --data-json | jq 'select(.data.total > 100)'
  rcli sub jobs --handler jobs='jq -r .data >> jobs.log'
  rcli sub news --pattern 'news.*' --idle 60
  rcli sub --control < commands           lines like SUBSCRIBE news, UNSUBSCRIBE
  rcli sub news --on-disconnect 'mail -s \"rcli: $RCLI_EVENT\" me'")]
pub struct SubArgs {
    /// Channels
    #[arg(required_unless_present_any = ["patterns", "shard_channels", "control"], value_name = "CHANNEL")]
    pub channels: Vec<OsString>,
    /// A pattern to subscribe to as well; may be repeated
    #[arg(long = "pattern", value_name = "PATTERN")]
    pub patterns: Vec<OsString>,
    /// A shard channel to subscribe to as well; may be repeated
    #[arg(long = "shard-channel", value_name = "SHARD_CHANNEL")]
    pub shard_channels: Vec<OsString>,
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
    #[arg(required_unless_present_any = ["channels", "shard_channels", "control"], value_name = "PATTERN")]
    pub patterns: Vec<OsString>,
    /// A channel to subscribe to as well; may be repeated
    #[arg(long = "channel", value_name = "CHANNEL")]
    pub channels: Vec<OsString>,
    /// A shard channel to subscribe to as well; may be repeated
    #[arg(long = "shard-channel", value_name = "SHARD_CHANNEL")]
    pub shard_channels: Vec<OsString>,
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
    #[arg(required_unless_present = "control", value_name = "SHARD_CHANNEL")]
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
    /// Only these commands, in any case; "XGROUP CREATE" is a subcommand
    #[arg(long, value_name = "CMD", value_delimiter = ',', action = clap::ArgAction::Set, num_args = 1,
        value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub only: Vec<String>,
    /// Only this client: an address, an address and port, unix, unix:PATH or lua
    #[arg(long, value_name = "ADDR[:PORT]")]
    pub client: Option<String>,
    /// Only this database
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub in_db: Option<u64>,
    /// With -c: listen to this node only
    #[arg(long, value_name = "HOST:PORT")]
    pub node: Option<String>,
    /// Run a shell command for each event of --events, its JSON line on stdin and RCLI_EVENT in its environment
    #[arg(long, value_name = "COMMAND")]
    pub on_disconnect: Option<OsString>,
    #[command(flatten)]
    pub limits: LimitOptions,
    #[command(flatten)]
    pub reconnect: ReconnectOptions,
}

/// What is written of a subscription, and what is done with its messages (contract section 8).
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Messages")]
#[command(group(ArgGroup::new("programs").args(["handlers", "on_disconnect"]).multiple(true)))]
pub struct ListenOptions {
    /// Change the subscription while it runs by lines on stdin: SUBSCRIBE, PSUBSCRIBE, SSUBSCRIBE and UNSUBSCRIBE,
    /// PUNSUBSCRIBE, SUNSUBSCRIBE with names, PING; it ends with stdin, or goes on with =keep
    #[arg(long, value_name = "AT_END", num_args = 0..=1, require_equals = true, default_missing_value = "end")]
    pub control: Option<Control>,
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
    /// Run a shell command for each event of --events, its JSON line on stdin and RCLI_EVENT in its environment:
    /// disconnected, reconnected, moved, ...
    #[arg(long, value_name = "COMMAND")]
    pub on_disconnect: Option<OsString>,
    #[command(flatten)]
    pub running: RunningOptions,
    #[command(flatten)]
    pub limits: LimitOptions,
    #[command(flatten)]
    pub reconnect: ReconnectOptions,
}

/// How handlers are run.
#[derive(Args, Clone, Debug)]
pub struct RunningOptions {
    /// Handlers that run at once
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value_t = 1, requires = "handlers", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub handler_jobs: u16,

    /// After a handler that failed: say so and go on, or end with status 1
    #[arg(long, value_name = "WHAT", default_value = "report", requires = "programs")]
    pub on_handler_error: OnHandlerError,
}

/// `--control`: what happens at the end of stdin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Control {
    /// The stream ends when the lines are carried out
    End,
    /// The stream goes on
    Keep,
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
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,
    /// End after SECS seconds in all; status 5 if --count was not reached
    #[arg(long, value_name = "SECS", allow_negative_numbers = true, value_parser = parse_seconds)]
    pub timeout: Option<std::time::Duration>,
    /// End after SECS seconds without a message; status 5 if --count was not reached
    #[arg(long, value_name = "SECS", allow_negative_numbers = true, value_parser = parse_seconds)]
    pub idle: Option<std::time::Duration>,
}

/// How often a lost connection is tried again (contract section 8).
#[derive(Args, Clone, Debug)]
pub struct RetryOptions {
    /// End with status 3 when the connection is lost
    #[arg(long, conflicts_with = "max_retries")]
    pub no_reconnect: bool,

    /// How often in a row to try a new connection [default: for ever]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub max_retries: Option<u32>,
}

impl RetryOptions {
    /// How often; none: any number.
    pub fn limit(&self) -> Option<u32> {
        if self.no_reconnect { Some(0) } else { self.max_retries }
    }
}

/// What is done about a lost connection of a stream (contract section 8).
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Lost connections")]
pub struct ReconnectOptions {
    #[command(flatten)]
    pub retries: RetryOptions,

    /// Write {"type":"disconnected",...} and {"type":"reconnected","gap":...} lines among the messages
    #[arg(long)]
    pub events: bool,
}
