//! One server of a sandbox: its directory, how it is started, and what it says when it ends too early.

use std::ffi::OsStr;
use std::fs::{DirBuilder, File};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{Pid, WaitOptions, test_kill_process_group, waitpgid};

use super::wait_for;
use crate::exit::{Failure, Outcome};

/// Waits for a word, and becomes the server; all that it says goes to the file "$1". Without the word nobody would
/// stop the server.
const BEGIN: &str = r#"
umask 077
read -r go || exit
exec </dev/null >"$1" 2>&1
shift
exec "$@"
"#;

/// How many lines of a server that ended are told.
const LAST_LINES: usize = 4;
const LAST_BYTES: u64 = 2048;

/// A server, or a script that starts one, in a process group of its own.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    /// The TCP port; 0 where it has none.
    pub(super) port: u16,
    home: PathBuf,
}

/// The socket of the server with this port, in a sandbox's directory.
pub(super) fn socket_in(directory: &Path, port: u16) -> PathBuf {
    directory.join(port.to_string()).join("socket")
}

impl Process {
    /// All but the start: there is a process, which becomes the server when it is told to [`Self::run`].
    pub(super) fn prepare(binary: &OsStr, directory: &Path, port: u16) -> io::Result<Self> {
        let home = directory.join(port.to_string());
        DirBuilder::new().mode(0o700).create(&home)?;
        let mut command = Command::new("sh");
        command.args(["-c", BEGIN, "rcli-sandbox"]).arg(home.join("log")).arg(binary);
        command.args(["--port", &port.to_string(), "--unixsocketperm", "700", "--save", "", "--appendonly", "no"]);
        command.args(["--daemonize", "no", "--unixsocket"]).arg(home.join("socket")).arg("--dir").arg(&home);
        if port != 0 {
            command.args(["--bind", "127.0.0.1", "--cluster-enabled", "yes", "--cluster-node-timeout", "5000"]);
        }
        let child =
            command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0).spawn()?;
        Ok(Self { child, port, home })
    }

    /// Starts the server.
    pub(super) fn run(&mut self) -> io::Result<()> {
        self.child.stdin.take().map_or(Ok(()), |mut stdin| stdin.write_all(b"go\n"))
    }

    /// The number of its process group.
    pub(super) fn group(&self) -> u32 {
        self.child.id()
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.home.join("socket")
    }

    /// Waits until it takes connections; its end is told at once.
    pub(super) fn wait_until_ready(&mut self, binary: &Path) -> Outcome<()> {
        let (home, socket) = (self.home.clone(), self.socket());
        let last_words =
            || last_words(&home).map_or_else(|| "it said nothing".to_owned(), |words| format!("it said: {words}"));
        wait_for(
            || {
                if UnixStream::connect(&socket).is_ok() {
                    return Ok(true);
                }
                match self.ended() {
                    Some(status) => Err(Failure::failed(format!(
                        "--sandbox: {} did not start ({status}); {}",
                        binary.display(),
                        last_words()
                    ))),
                    None => Ok(false),
                }
            },
            || format!("{} takes no connections; {}", binary.display(), last_words()),
        )
    }

    /// How it ended, where nobody that it started is left.
    fn ended(&mut self) -> Option<ExitStatus> {
        let status = self.child.try_wait().ok().flatten()?;
        let group = Pid::from_child(&self.child);
        test_kill_process_group(group).is_err().then_some(status)
    }

    /// Asks the server to end now: SIGTERM it would see a tenth of a second later. Whatever comes of it, the keeper
    /// ends the whole group.
    pub(super) fn dismiss(&self) {
        if let Ok(mut server) = UnixStream::connect(self.socket()) {
            let _ = server.write_all(b"SHUTDOWN NOSAVE\r\n");
        }
    }

    /// Lets the system forget those of its group that have ended.
    pub(super) fn bury(&self) {
        while let Ok(Some(_)) = waitpgid(Pid::from_child(&self.child), WaitOptions::NOHANG) {}
    }
}

/// From here on what a script leaves behind is this process's to bury: nobody else may do it in a container.
pub(super) fn adopt_orphans() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
}

/// The last lines that a server wrote; none if it wrote nothing.
fn last_words(home: &Path) -> Option<String> {
    let mut log = File::open(home.join("log")).ok()?;
    let length = log.metadata().ok()?.len();
    log.seek(SeekFrom::Start(length.saturating_sub(LAST_BYTES))).ok()?;
    let mut end = Vec::new();
    log.read_to_end(&mut end).ok()?;
    let end = String::from_utf8_lossy(&end);
    let lines: Vec<&str> = end.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    (!lines.is_empty()).then(|| lines[lines.len().saturating_sub(LAST_LINES)..].join(" / "))
}
