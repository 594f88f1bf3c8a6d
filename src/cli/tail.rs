//! The options of `rcli tail` (contract section 15).

use std::ffi::OsString;
use std::time::Duration;

use clap::{ArgGroup, Args, ValueEnum};

use super::options::parse_seconds;
use super::streams::{LimitOptions, ReconnectOptions, RunningOptions};

/// Follow Redis Streams and write each entry as it is added
#[derive(Args, Debug)]
#[command(
    before_help = "\
Examples:
  rcli tail orders
  rcli tail orders payments --from 0 | jq -c '[.id, .fields.item]'
  rcli tail orders --from 0 --until '$'      all that is there now, then end
  rcli tail orders --group mail --consumer a --create --handler 'jq -r .fields.mail | xargs notify'
  rcli tail orders --group mail --consumer a --count 10 --claim-idle 60",
    after_help = "\
With --group the entries come that this consumer got before and did not acknowledge, and then new ones. Each entry comes \
at least once: after a crash those that were not acknowledged come again, \"deliveries\" tells how often they came. What \
was trimmed or deleted before it could be read is told as a gap."
)]
pub struct TailArgs {
    /// Streams
    #[arg(required = true, value_name = "STREAM")]
    pub streams: Vec<OsString>,
    /// Begin behind this entry: an id, 0 for all there is, or $ for new ones only; with --create where a group begins
    #[arg(long, value_name = "ID", allow_negative_numbers = true, default_value = "$")]
    pub from: String,
    /// End with this entry, or before the first one behind it; $: with the last one that is there now
    #[arg(long, value_name = "ID", allow_negative_numbers = true)]
    pub until: Option<String>,
    /// Add "time": when the entry came, seconds since 1970, with microseconds
    #[arg(long)]
    pub time: bool,
    /// Nest values that are valid JSON as JSON
    #[arg(long)]
    pub data_json: bool,
    #[command(flatten)]
    pub group: GroupOptions,
    #[command(flatten)]
    pub handling: HandlingOptions,
    #[command(flatten)]
    pub limits: LimitOptions,
    #[command(flatten)]
    pub reconnect: ReconnectOptions,
}

/// Reading as a consumer of a group.
#[derive(Args, Debug)]
#[command(next_help_heading = "Group")]
pub struct GroupOptions {
    /// Read as a consumer of this group, which shares the entries among its consumers
    #[arg(long, value_name = "GROUP", requires = "consumer")]
    pub group: Option<OsString>,
    /// The consumer's name
    #[arg(long, value_name = "NAME", requires = "group")]
    pub consumer: Option<OsString>,
    /// Make the group, and the stream, where it is missing
    #[arg(long, requires = "group")]
    pub create: bool,
    /// When to acknowledge an entry [default: written, with --handler: handled]
    #[arg(long, value_name = "WHEN", requires = "group")]
    pub ack: Option<Ack>,
    /// Take over entries that other consumers got SECS seconds ago and did not acknowledge
    #[arg(long, value_name = "SECS", allow_negative_numbers = true, requires = "group", value_parser = parse_seconds)]
    pub claim_idle: Option<Duration>,
}

/// Handlers of entries.
#[derive(Args, Debug)]
#[command(next_help_heading = "Handlers")]
#[command(group(ArgGroup::new("programs").args(["handlers", "on_disconnect"]).multiple(true)))]
pub struct HandlingOptions {
    /// Run a shell command for each entry in place of writing it: its JSON line on stdin, RCLI_STREAM and RCLI_ID in
    /// its environment, which holds REDISCLI_AUTH and RCLI_URL too
    #[arg(id = "handlers", long = "handler", value_name = "COMMAND")]
    pub handler: Option<OsString>,
    /// Run a shell command for each event of --events, its JSON line on stdin and RCLI_EVENT in its environment:
    /// disconnected, reconnected, gap, ...
    #[arg(long, value_name = "COMMAND")]
    pub on_disconnect: Option<OsString>,
    #[command(flatten)]
    pub running: RunningOptions,
}

/// `--ack`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Ack {
    /// Once it is written, or given to its handler
    Written,
    /// Once its handler has ended with status 0
    Handled,
    /// Not at all
    Never,
}
