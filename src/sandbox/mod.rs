//! `--sandbox`: a throw-away server on a private unix socket, or a throw-away cluster (contract section 13).
//!
//! Each server has a process group of its own, so that what a script starts in its name ends with it, and a small shell
//! that waits for its standard input to end. That end comes however this process ends, SIGKILL included; the shell then
//! stops the servers and removes the directory. How a server is started and looked at is told in `process.rs`,
//! how a cluster is made of servers in `cluster.rs`.

mod cluster;
mod process;

use std::env;
use std::ffi::OsString;
use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use socket2::SockAddr;
use tempfile::TempDir;

use self::process::Process;
use crate::exit::{Failure, Outcome};
use crate::net::{Address, poll};
use crate::text::describe_io;

/// Waits for whoever holds its stdin to end, ends the process groups "$2" and so on, and removes the directory "$1".
/// What does not end when it is told to is killed after two seconds.
const KEEPER: &str = r#"
trap '' INT TERM HUP
directory=$1
shift
cat >/dev/null
are_there() { for group; do kill -s 0 -- "-$group" && return; done; return 1; }
tries=200
for signal in TERM KILL; do
    for group; do kill -s $signal -- "-$group"; done
    while [ $tries -gt 0 ] && are_there "$@"; do sleep 0.01; tries=$((tries - 1)); done
    tries=20
done
rm -rf "$directory"
"#;

const START_LIMIT: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(2);
/// Where the path of a socket is short enough in any case.
const SHORT_PLACE: &str = "/tmp";

/// Running throw-away servers; dropping it stops them and removes their directory.
#[derive(Debug)]
pub struct Sandbox {
    keeper: Child,
    servers: Vec<Process>,
}

impl Sandbox {
    /// Starts a server and waits until it takes connections.
    pub fn start() -> Outcome<Self> {
        Self::launch(&[0])
    }

    /// Starts a cluster of three primaries and waits until it takes commands for every slot.
    pub fn start_cluster() -> Outcome<Self> {
        let sandbox = Self::launch(&cluster::free_ports()?)?;
        sandbox.join_nodes()?;
        Ok(sandbox)
    }

    /// Starts a server for each of the ports (0: a unix socket only).
    fn launch(ports: &[u16]) -> Outcome<Self> {
        let binary = find_server()?;
        process::adopt_orphans();
        let directory = make_directory(ports)?;
        let servers = ports
            .iter()
            .map(|port| Process::prepare(&binary, directory.path(), *port))
            .collect::<io::Result<Vec<_>>>()
            .map_err(|error| failed("cannot prepare a server", &error))?;
        let keeper = Command::new("sh")
            .args(["-c", KEEPER, "rcli-sandbox"])
            .arg(directory.path())
            .args(servers.iter().map(|server| server.group().to_string()))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Ctrl-C is for this process, not for the keeper.
            .process_group(0)
            .spawn()
            .map_err(|error| failed("cannot start sh", &error))?;
        let _ = directory.keep();
        let mut sandbox = Self { keeper, servers };
        for server in &mut sandbox.servers {
            server.run().map_err(|error| failed("cannot start a server", &error))?;
        }
        for server in &mut sandbox.servers {
            server.wait_until_ready(Path::new(&binary))?;
        }
        Ok(sandbox)
    }

    /// Where the server is, or the first node of the cluster.
    pub fn address(&self) -> Address {
        match self.servers.first().map(|server| (server.port, server)) {
            Some((0, server)) => Address::Unix(server.socket()),
            first => Address::Tcp("127.0.0.1".to_owned(), first.map_or(0, |(port, _)| port)),
        }
    }
}

fn failed(what: &str, error: &io::Error) -> Failure {
    Failure::failed(format!("--sandbox: {what}: {}", describe_io(error)))
}

/// The private directory of the servers: where temporary files belong, unless that is too long a path for a socket.
fn make_directory(ports: &[u16]) -> Outcome<TempDir> {
    let make = |place: &Path| {
        tempfile::Builder::new()
            .prefix("rcli-sandbox-")
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in(place)
            .map_err(|error| failed(&format!("cannot make a directory in {}", place.display()), &error))
    };
    let directory = make(&env::temp_dir())?;
    let is_short = |port: &u16| SockAddr::unix(process::socket_in(directory.path(), *port)).is_ok();
    if ports.iter().all(is_short) { Ok(directory) } else { make(Path::new(SHORT_PLACE)) }
}

/// Waits until something is so; `complaint` says what was waited for in vain.
fn wait_for(mut is_so: impl FnMut() -> Outcome<bool>, complaint: impl Fn() -> String) -> Outcome<()> {
    let deadline = Instant::now() + START_LIMIT;
    while !is_so()? {
        if Instant::now() > deadline {
            return Err(Failure::failed(format!("--sandbox: {}", complaint())));
        }
        poll::sleep_until(Instant::now() + POLL)?;
    }
    Ok(())
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.servers.iter().for_each(Process::dismiss);
        drop(self.keeper.stdin.take());
        while let Ok(None) = self.keeper.try_wait() {
            // A process that has ended counts as one of its group until it is waited for.
            self.servers.iter().for_each(Process::bury);
            thread::sleep(POLL);
        }
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
