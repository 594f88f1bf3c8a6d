//! Processes that end with this one, SIGKILL included, which leaves nobody here to end them (contract sections 7 and 8).
//!
//! A small shell is told which there are, and waits for its standard input to end. That end comes however this process
//! ends; the shell then ends what is left.

use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::OnceLock;

use rustix::process::Pid;

/// Keeps the list of processes as its arguments: `+ ID` adds one, `- ID` takes it away; a group's id is negative.
const SHELL: &str = r#"
trap '' INT TERM HUP
while read -r sign process; do
    case $sign in
    +) set -- "$@" "$process" ;;
    -) for other; do
           shift
           [ "$other" = "$process" ] || set -- "$@" "$other"
       done ;;
    esac
done
for process; do
    kill -s KILL -- "$process"
done
"#;

/// What the shell reads; none where there is no shell.
static LIST: OnceLock<Option<ChildStdin>> = OnceLock::new();

/// A process that ends with this one, until this is dropped. That has to be before the process is waited for: then its
/// id may be another's.
#[derive(Debug)]
pub struct Bound {
    id: String,
}

impl Bound {
    pub fn process(pid: Pid) -> Self {
        Self::new(pid.as_raw_nonzero().to_string())
    }

    /// Binds a process group, by its leader.
    pub fn group(leader: Pid) -> Self {
        Self::new(format!("-{}", leader.as_raw_nonzero()))
    }

    fn new(id: String) -> Self {
        tell('+', &id);
        Self { id }
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        tell('-', &self.id);
    }
}

/// Starts the shell, if it is not there: a process that is started next is bound a moment later, and not when a shell
/// has been started too.
pub fn stand_by() {
    LIST.get_or_init(start);
}

fn tell(sign: char, id: &str) {
    if let Some(mut list) = LIST.get_or_init(start).as_ref() {
        // One write: lines of several threads do not mix. Without the shell there is nobody to be told.
        let _ = list.write_all(format!("{sign} {id}\n").as_bytes());
    }
}

fn start() -> Option<ChildStdin> {
    let shell = Command::new("sh")
        .args(["-c", SHELL, "rcli-guard"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // What ends the group of this process does not end it.
        .process_group(0)
        .spawn();
    shell.ok()?.stdin.take()
}
