//! `--read-only`: the commands that change nothing (contract section 1). What the command table flags `readonly`, and
//! those below, which read more than keys or only set the state of their connection. They stand apart from the other
//! facts, which are asked of every command of a pipeline.

use crate::command::request::Request;
use crate::command::table::{Entry, Table};

/// Commands that change nothing and are not flagged.
const READERS: &str = "AUTH COMMAND DISCARD ECHO EXEC HELLO INFO MONITOR MULTI PING PSUBSCRIBE PUBSUB PUNSUBSCRIBE QUIT \
                       RESET ROLE SELECT SSUBSCRIBE SUBSCRIBE SUNSUBSCRIBE TIME UNSUBSCRIBE UNWATCH WATCH";

/// Containers, and those of their subcommands that change nothing and are not flagged.
const READING_SUBCOMMANDS: [(&str, &str); 10] = [
    ("ACL", "CAT DRYRUN GENPASS GETUSER LIST USERS WHOAMI HELP"),
    ("CLIENT", "GETNAME GETREDIR ID INFO LIST TRACKINGINFO HELP"),
    (
        "CLUSTER",
        "COUNT-FAILURE-REPORTS COUNTKEYSINSLOT GETKEYSINSLOT GETSLOTMIGRATIONS INFO KEYSLOT LINKS MYID MYSHARDID NODES \
         REPLICAS SHARDS SLAVES SLOT-STATS SLOTS HELP",
    ),
    ("COMMANDLOG", "GET LEN HELP"),
    ("CONFIG", "GET HELP"),
    ("FUNCTION", "DUMP LIST STATS HELP"),
    ("LATENCY", "DOCTOR GRAPH HISTOGRAM HISTORY LATEST HELP"),
    ("MEMORY", "DOCTOR MALLOC-STATS STATS USAGE HELP"),
    ("SCRIPT", "EXISTS SHOW HELP"),
    ("SLOWLOG", "GET LEN HELP"),
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
    let is_one_of = |at: usize, words: &str| words.split(' ').any(|word| request.is(at, word));
    is_one_of(0, READERS)
        || READING_SUBCOMMANDS.iter().any(|(name, words)| request.is(0, name) && is_one_of(1, words))
        || request.is(0, "ACL") && request.is(1, "LOG") && !request.is(2, "RESET")
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
