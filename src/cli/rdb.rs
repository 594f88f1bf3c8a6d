//! The subcommand that fetches a server's snapshot (contract section 18).

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::options::When;

/// Fetch the server's snapshot, an RDB file
#[derive(Args, Debug)]
#[command(
    before_help = "\
Examples:
  rcli rdb dump.rdb
  rcli --rdb dump.rdb                     the same, as redis-cli has it
  rcli rdb --functions functions.rdb
  rcli -h replica rdb - | gzip > dump.rdb.gz",
    after_help = "\
The snapshot is written beside FILE and takes its name when it is whole and its checksum is right. The server may wait \
for some seconds for others who want one too (repl-diskless-sync-delay). Who asks needs the right to SYNC. In a cluster \
it is the snapshot of the node that was named."
)]
pub struct RdbArgs {
    /// Show a progress bar on stderr
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub progress: When,
    /// The functions alone, no keys (Redis 7 and Valkey)
    #[arg(long)]
    pub functions: bool,
    /// End with the words on stderr that `redis-cli --rdb` ends with
    #[arg(long, hide = true)]
    pub totals: bool,
    /// Where it is written; - is standard output
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
}
