//! `--sandbox`: a throw-away server on a private unix socket, or a throw-away cluster (contract section 13).
//!
//! The servers run under a small shell that waits for its standard input to end. That end comes however this
//! process ends, SIGKILL included; the shell then stops the servers and removes the directory. How a cluster is made
//! of servers is told in `sandbox/cluster.rs`.

mod cluster;

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

use super::target::Address;
use crate::exit::{Exit, Failure, Outcome, describe_io};
use crate::interrupt;

/// Starts the server "$1" in "$2", once for each port that follows (0: a unix socket only), each in a directory of
/// that name, and outlives neither the servers nor whoever holds its stdin.
const KEEPER: &str = r#"
trap '' INT TERM HUP
umask 077
exec 3<&0
server=$1 dir=$2
shift 2
servers=
for port; do
    home=$dir/$port
    mkdir "$home"
    set -- --port "$port" --unixsocket "$home/socket" --unixsocketperm 700 --save '' --appendonly no \
        --daemonize no --dir "$home" --logfile "$home/log"
    if [ "$port" != 0 ]; then
        set -- "$@" --bind 127.0.0.1 --cluster-enabled yes --cluster-node-timeout 5000
    fi
    "$server" "$@" 3<&- </dev/null >/dev/null 2>&1 &
    servers="$servers $!"
done
cat <&3 >/dev/null
for pid in $servers; do
    kill -9 "$pid" 2>/dev/null
done
wait 2>/dev/null
rm -rf "$dir"
"#;

const START_LIMIT: Duration = Duration::from_secs(10);

/// Running throw-away servers; dropping it stops them and removes their directory.
#[derive(Debug)]
pub struct Sandbox {
    keeper: Child,
    directory: PathBuf,
    ports: Vec<u16>,
}

impl Sandbox {
    /// Starts a server and waits until it takes connections.
    pub fn start() -> Outcome<Self> {
        Self::launch(vec![0])
    }

    /// Starts a cluster of three primaries and waits until it takes commands for every slot.
    pub fn start_cluster() -> Outcome<Self> {
        let sandbox = Self::launch(cluster::free_ports()?)?;
        sandbox.join_nodes()?;
        Ok(sandbox)
    }

    fn launch(ports: Vec<u16>) -> Outcome<Self> {
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
            .args(ports.iter().map(u16::to_string))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Ctrl-C is for this process, not for the servers.
            .process_group(0)
            .spawn()
            .map_err(|error| failed("cannot start sh", &error))?;
        let sandbox = Self { keeper, directory, ports };
        for port in &sandbox.ports {
            sandbox.wait_until_ready(Path::new(&binary), *port)?;
        }
        Ok(sandbox)
    }

    /// Where the server is, or the first node of the cluster.
    pub fn address(&self) -> Address {
        match self.ports.first() {
            None | Some(0) => Address::Unix(self.socket(0)),
            Some(port) => Address::Tcp("127.0.0.1".to_owned(), *port),
        }
    }

    /// The unix socket of the server with this port.
    fn socket(&self, port: u16) -> PathBuf {
        self.directory.join(port.to_string()).join("socket")
    }

    fn wait_until_ready(&self, binary: &Path, port: u16) -> Outcome<()> {
        let socket = self.socket(port);
        wait_for(
            || Ok(UnixStream::connect(&socket).is_ok()),
            || {
                let log = std::fs::read_to_string(socket.with_file_name("log")).unwrap_or_default();
                let last = log.lines().last().unwrap_or("it wrote no log").to_owned();
                format!("{} did not start: {last}", binary.display())
            },
        )
    }
}

/// Waits until something is so; `complaint` says what was waited for in vain.
fn wait_for(mut is_so: impl FnMut() -> Outcome<bool>, complaint: impl Fn() -> String) -> Outcome<()> {
    let deadline = Instant::now() + START_LIMIT;
    while !is_so()? {
        if let Some(signal) = interrupt::received() {
            return Err(Failure::quiet(Exit::Signal(signal)));
        }
        if Instant::now() > deadline {
            return Err(Failure::failed(format!("--sandbox: {}", complaint())));
        }
        thread::sleep(Duration::from_millis(2));
    }
    Ok(())
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
