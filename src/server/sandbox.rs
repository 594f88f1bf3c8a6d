//! `--sandbox`: a throw-away server on a private unix socket (contract section 13).
//!
//! The server runs under a small shell that waits for its standard input to end. That end comes however this
//! process ends, SIGKILL included; the shell then stops the server and removes the directory.

use std::env;
use std::ffi::OsString;
use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::exit::{Exit, Failure, Outcome, describe_io};
use crate::interrupt;

/// Starts the server "$1" with its socket in "$2" and outlives neither the server nor whoever holds its stdin.
const KEEPER: &str = r#"
trap '' INT TERM HUP
exec 3<&0
"$1" --port 0 --unixsocket "$2/socket" --unixsocketperm 700 --save '' --appendonly no --daemonize no \
    --dir "$2" --logfile "$2/log" 3<&- </dev/null >/dev/null 2>&1 &
server=$!
cat <&3 >/dev/null
kill -9 "$server" 2>/dev/null
wait "$server" 2>/dev/null
rm -rf "$2"
"#;

const START_LIMIT: Duration = Duration::from_secs(10);

/// A running throw-away server; dropping it stops the server and removes its directory.
#[derive(Debug)]
pub struct Sandbox {
    keeper: Child,
    directory: PathBuf,
}

impl Sandbox {
    /// Starts a server and waits until it takes connections.
    pub fn start() -> Outcome<Self> {
        let binary = find_server()?;
        let failed =
            |what: &str, error: &io::Error| Failure::failed(format!("--sandbox: {what}: {}", describe_io(error)));
        let directory = tempfile::Builder::new()
            .prefix("rcli-sandbox-")
            .permissions(Permissions::from_mode(0o700))
            .tempdir()
            .map_err(|error| failed("cannot make a temporary directory", &error))?
            .keep();
        let keeper = Command::new("sh")
            .args(["-c", KEEPER, "rcli-sandbox"])
            .arg(&binary)
            .arg(&directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Ctrl-C is for this process, not for the server.
            .process_group(0)
            .spawn()
            .map_err(|error| failed("cannot start sh", &error))?;
        let sandbox = Self { keeper, directory };
        sandbox.wait_until_ready(Path::new(&binary))?;
        Ok(sandbox)
    }

    /// The unix socket of the server.
    pub fn socket(&self) -> PathBuf {
        self.directory.join("socket")
    }

    fn wait_until_ready(&self, binary: &Path) -> Outcome<()> {
        let deadline = Instant::now() + START_LIMIT;
        while UnixStream::connect(self.socket()).is_err() {
            if let Some(signal) = interrupt::received() {
                return Err(Failure::quiet(Exit::Signal(signal)));
            }
            if Instant::now() > deadline {
                let log = std::fs::read_to_string(self.directory.join("log")).unwrap_or_default();
                let last = log.lines().last().unwrap_or("it wrote no log");
                return Err(Failure::failed(format!("--sandbox: {} did not start: {last}", binary.display())));
            }
            thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

/// `RCLI_SERVER_BIN`, else valkey-server or redis-server from PATH.
fn find_server() -> Outcome<OsString> {
    if let Some(binary) = env::var_os("RCLI_SERVER_BIN").filter(|binary| !binary.is_empty()) {
        return if is_on_path(&binary) {
            Ok(binary)
        } else {
            Err(Failure::usage(format!("RCLI_SERVER_BIN: {} is not a program", binary.display())))
        };
    }
    ["valkey-server", "redis-server"].map(OsString::from).into_iter().find(is_on_path).ok_or_else(|| {
        Failure::failed(
            "--sandbox needs a server: install redis-server or valkey-server (apt-get install redis-server, \
             brew install valkey), or name one with RCLI_SERVER_BIN",
        )
    })
}

fn is_on_path(name: &OsString) -> bool {
    let path = Path::new(name);
    if path.components().count() > 1 {
        return path.is_file();
    }
    env::var_os("PATH").is_some_and(|dirs| env::split_paths(&dirs).any(|dir| dir.join(path).is_file()))
}
