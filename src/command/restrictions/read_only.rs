//! `--read-only`: the commands that change nothing (contract section 1). What the command table flags `readonly`, and
//! those below, which read more than keys or only set the state of their connection. They stand apart from the other
//! facts, which are asked of every command of a pipeline.

use super::Uses;
use crate::command::request::Request;
use crate::command::table::{Entry, Table};

/// Commands that change nothing and are not flagged, or only those with one of these words behind the name.
const READERS: [(&str, Uses); 34] = [
    ("ACL", Uses::With(&["CAT", "DRYRUN", "GENPASS", "GETUSER", "LIST", "USERS", "WHOAMI", "HELP"])),
    ("AUTH", Uses::All),
    ("CLIENT", Uses::With(&["GETNAME", "GETREDIR", "ID", "INFO", "LIST", "TRACKINGINFO", "HELP"])),
    (
        "CLUSTER",
        Uses::With(&[
            "COUNT-FAILURE-REPORTS",
            "COUNTKEYSINSLOT",
            "GETKEYSINSLOT",
            "GETSLOTMIGRATIONS",
            "INFO",
            "KEYSLOT",
            "LINKS",
            "MYID",
            "MYSHARDID",
            "NODES",
            "REPLICAS",
            "SHARDS",
            "SLAVES",
            "SLOT-STATS",
            "SLOTS",
            "HELP",
        ]),
    ),
    ("COMMAND", Uses::All),
    ("COMMANDLOG", Uses::With(&["GET", "LEN", "HELP"])),
    ("CONFIG", Uses::With(&["GET", "HELP"])),
    ("DISCARD", Uses::All),
    ("ECHO", Uses::All),
    ("EXEC", Uses::All),
    ("FUNCTION", Uses::With(&["DUMP", "LIST", "STATS", "HELP"])),
    ("HELLO", Uses::All),
    ("INFO", Uses::All),
    ("LATENCY", Uses::With(&["DOCTOR", "GRAPH", "HISTOGRAM", "HISTORY", "LATEST", "HELP"])),
    ("MEMORY", Uses::With(&["DOCTOR", "MALLOC-STATS", "STATS", "USAGE", "HELP"])),
    ("MONITOR", Uses::All),
    ("MULTI", Uses::All),
    ("PING", Uses::All),
    ("PSUBSCRIBE", Uses::All),
    ("PUBSUB", Uses::All),
    ("PUNSUBSCRIBE", Uses::All),
    ("QUIT", Uses::All),
    ("RESET", Uses::All),
    ("ROLE", Uses::All),
    ("SCRIPT", Uses::With(&["EXISTS", "SHOW", "HELP"])),
    ("SELECT", Uses::All),
    ("SLOWLOG", Uses::With(&["GET", "LEN", "HELP"])),
    ("SSUBSCRIBE", Uses::All),
    ("SUBSCRIBE", Uses::All),
    ("SUNSUBSCRIBE", Uses::All),
    ("TIME", Uses::All),
    ("UNSUBSCRIBE", Uses::All),
    ("UNWATCH", Uses::All),
    ("WATCH", Uses::All),
];

/// Why a command is refused where only reading is wanted; none if it reads.
pub fn refuse_write(request: &Request) -> Option<String> {
    let args: Vec<&[u8]> = request.args().take(2).collect();
    if Table::builtin().find(&args).is_some_and(Entry::is_readonly) || is_reader(request) {
        return None;
    }
    let instead = ["EVAL", "EVALSHA", "FCALL"].into_iter().find(|name| request.is(0, name));
    let advice = instead.map(|name| format!("; {name}_RO reads only")).unwrap_or_default();
    Some(format!("{} is not run under --read-only: it may change something{advice}", shown_name(request)))
}

fn is_reader(request: &Request) -> bool {
    let is_it = |(name, uses): &(&str, Uses)| request.is(0, name) && uses.include(request);
    READERS.iter().any(is_it) || request.is(0, "ACL") && request.is(1, "LOG") && !request.is(2, "RESET")
}

/// The command's name, and its subcommand where it is a container's.
fn shown_name(request: &Request) -> String {
    let is_container = Table::builtin().subcommand_names(request.arg(0)).next().is_some();
    Request::new(request.args().take(1 + usize::from(is_container))).shown(40)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_run(line: &str) -> bool {
        refuse_write(&Request::new(line.split(' '))).is_none()
    }

    #[test]
    fn what_reads_is_run() {
        for line in [
            "GET k",
            "get k",
            "EXISTS k",
            "SCAN 0",
            "XREAD STREAMS s 0",
            "VSIM k ELE x",
            "SORT_RO k",
            "EVAL_RO x 0",
            "EVALSHA_RO x 0",
            "FCALL_RO f 0",
            "PING",
            "WATCH k",
            "UNWATCH",
            "CONFIG GET *",
            "client list",
            "ACL WHOAMI",
            "ACL LOG",
            "OBJECT ENCODING k",
            "MEMORY USAGE k",
            "XINFO STREAM s",
            "CLUSTER NODES",
            "COMMAND COUNT",
            "SUBSCRIBE c",
        ] {
            assert!(is_run(line), "{line}");
        }
    }

    #[test]
    fn all_else_is_refused() {
        for line in [
            "SET k v",
            "GETEX k",
            "GETDEL k",
            "VADD k VALUES 1 1 x",
            "SORT k STORE d",
            "EVAL x 0",
            "FCALL f 0",
            "CONFIG SET a b",
            "CONFIG",
            "CLIENT KILL ID 1",
            "ACL SETUSER u",
            "ACL LOG RESET",
            "PUBLISH c m",
            "FLUSHALL",
            "DEBUG SLEEP 0",
            "SCRIPT LOAD x",
            "FUNCTION DELETE f",
            "NO.SUCH k",
            "WAIT 0 0",
        ] {
            assert!(!is_run(line), "{line}");
        }
    }
}
