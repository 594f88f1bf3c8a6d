//! The options of `ls`, which walks keys (contract section 16).

use std::ffi::OsString;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::options::parse_seconds;

/// List keys, or what is in one of them
#[derive(Args, Clone, Debug, Default)]
#[command(
    before_help = "\
Examples:
  rcli ls
  rcli ls 'user:*' --type hash -l
  rcli --json ls --with ttl,memory | jq -r 'select(.ttl == null) | .key'
  rcli ls 'tmp:*' --as 'UNLINK {}' | rcli pipe -q
  rcli -u redis://a ls --as restore | rcli -u redis://b -c pipe -q
  rcli ls --top 10 --by memory
  rcli ls --in user:1 'address*'
  rcli ls -0 'file:*' | xargs -0 -n 1 echo",
    after_help = "\
Every key that is there from beginning to end is given; one that comes or goes meanwhile may be. A key may come twice, \
as with SCAN, unless --unique is given.

--as restore writes what DUMP gives: the target must understand the version of the source's dumps. One that is older \
refuses each RESTORE with `DUMP payload version or checksum are wrong`."
)]
pub struct LsArgs {
    /// Only keys that match, as SCAN's MATCH does; with --in only such fields or members
    #[arg(value_name = "PATTERN")]
    pub pattern: Option<OsString>,
    /// Only keys of this type: string, list, set, zset, hash, stream, or a module's
    #[arg(long = "type", value_name = "TYPE", conflicts_with = "in_key")]
    pub key_type: Option<OsString>,
    /// End after N keys
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: Option<u64>,
    /// SCAN's COUNT [default: grows to 1000, less where replies are large]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..))]
    pub page: Option<u32>,
    /// Wait so many seconds between two SCANs, to spare the server
    #[arg(short, long, value_name = "SECS", allow_negative_numbers = true, value_parser = parse_seconds)]
    pub interval: Option<Duration>,
    /// The same as --with type,ttl,length,memory
    #[arg(short, long, conflicts_with = "with")]
    pub long: bool,
    /// What to tell of each key, in columns, or in an object with --json; ttl and idle are in seconds
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    pub with: Vec<Column>,
    /// The fields, members or elements of this hash, sorted set or set instead of keys
    #[arg(long = "in", value_name = "KEY", conflicts_with_all = ["long", "with", "top"])]
    pub in_key: Option<OsString>,
    /// Write a command for `pipe` for each key, which {} stands for ({{ and }} are braces), or restore: RESTORE with
    /// the key's value and time of expiry
    #[arg(long = "as", value_name = "TEMPLATE", conflicts_with_all = ["long", "with", "top", "null"])]
    pub template: Option<OsString>,
    /// The N largest keys, and a summary by type
    #[arg(long, value_name = "N", allow_negative_numbers = true, conflicts_with_all = ["long", "with", "null", "limit"], value_parser = clap::value_parser!(u32).range(1..))]
    pub top: Option<u32>,
    /// What is large in --top [default: memory]
    #[arg(long, value_name = "WHAT", requires = "top")]
    pub by: Option<Measure>,
    /// How many elements MEMORY USAGE looks at; 0 for all [default: 5]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub samples: Option<u32>,
    /// Give no key twice; remembers a hash of each
    #[arg(long)]
    pub unique: bool,
    /// End each line of raw output with NUL instead of a newline, as xargs -0 reads them
    #[arg(short = '0', long)]
    pub null: bool,
    /// Quote every key in human output, as redis-cli --scan does
    #[arg(long, hide = true)]
    pub quoted: bool,
    /// With --top: write what redis-cli writes with --bigkeys and its kind, but in JSON
    #[arg(long, hide = true, requires = "top")]
    pub survey: bool,
    /// Show on stderr how far it has come
    #[arg(long)]
    pub progress: bool,
}

/// What can be told of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Column {
    /// TYPE
    Type,
    /// TTL: seconds to live
    Ttl,
    /// STRLEN, LLEN, SCARD, ZCARD, HLEN or XLEN
    Length,
    /// MEMORY USAGE: bytes
    Memory,
    /// OBJECT ENCODING
    Encoding,
    /// OBJECT IDLETIME: seconds; null under an LFU eviction policy
    Idle,
    /// OBJECT FREQ; null but under an LFU eviction policy
    Freq,
}

/// `--by`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Measure {
    /// MEMORY USAGE, in bytes
    #[default]
    Memory,
    /// The length of strings, the elements of others
    Length,
    /// How often it was used, which an LFU eviction policy keeps
    Freq,
}
