//! The subcommand that watches a server (contract section 18).

use std::time::Duration;

use clap::Args;

use super::options::parse_seconds;
use super::streams::RetryOptions;

/// Show a server at a glance, or how long it takes to answer
#[derive(Args, Debug)]
#[command(
    before_help = "\
Examples:
  rcli stat
  rcli stat --json -i 10 | jq -c '[.rate, .round_trip.p99]'
  rcli stat -c                              a line a primary, and their sum
  rcli stat --latency                       the round trip alone
  rcli stat --latency --history -i 5
  rcli stat --latency --dist",
    after_help = "\
The round trip is that of a PING each 10 ms, in milliseconds. The rate is without rcli's own commands.

Off a terminal --latency alone writes one line when -i has passed (raw: min max avg samples) and ends, unless --count \
says how many; with --json it goes on."
)]
pub struct StatArgs {
    /// Seconds between two lines [default: 1; with --history 15]
    #[arg(short, long, value_name = "SECS", allow_negative_numbers = true, value_parser = parse_seconds)]
    pub interval: Option<Duration>,
    /// End after N lines, those of a cluster's nodes and their sum being one
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,
    /// End after SECS seconds in all; status 5 if --count was not reached
    #[arg(long, value_name = "SECS", allow_negative_numbers = true, value_parser = parse_seconds)]
    pub timeout: Option<Duration>,
    /// Only the round trip: min, max, average
    #[arg(long)]
    pub latency: bool,
    /// With --latency: a new line every -i seconds
    #[arg(long, requires = "latency", conflicts_with = "dist")]
    pub history: bool,
    /// With --latency: how many round trips took how long, every -i seconds
    #[arg(long, requires = "latency")]
    pub dist: bool,
    #[command(flatten)]
    pub retries: RetryOptions,
}
