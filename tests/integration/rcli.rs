//! A run of the real binary: what it gets, and what it must print and return.
//!
//! stdout and stderr are always compared: both are expected empty, and the status 0, until the test says otherwise.

use crate::pty::Terminal;
use crate::running::Running;
use std::ffi::{OsStr, OsString};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// What one output stream must hold.
#[derive(Debug, Clone)]
pub enum Expected {
    /// Exactly these bytes.
    Bytes(Vec<u8>),
    /// Exactly one line, beginning with `rcli: `, with all of these in it.
    Message(Vec<String>),
    /// Anything with all of these in it.
    Contains(Vec<String>),
    /// Anything: the test looks for itself.
    Anything,
}

/// What the whole run must come to.
#[derive(Debug, Clone)]
pub struct Expectation {
    /// The statuses that are right; a signal's death is 128 and its number.
    pub status: Vec<i32>,
    /// Standard output.
    pub stdout: Expected,
    /// Standard error.
    pub stderr: Expected,
}

/// Where standard input comes from.
enum Input {
    /// These bytes, then the end.
    Bytes(Vec<u8>),
    /// Whatever the test writes while the program runs.
    Interactive,
    /// A file or pipe made by the test.
    From(Stdio),
}

/// A run being described.
#[must_use = "describes a run; `run` or `start` it"]
pub struct Rcli {
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    home: TempDir,
    input: Input,
    output: Option<Stdio>,
    shell: Option<String>,
    own_group: bool,
    name: Option<String>,
    expectation: Expectation,
}

/// A run of rcli with these arguments, in an empty home directory and a clean environment.
pub fn rcli<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>) -> Rcli {
    let nothing = Expected::Bytes(Vec::new());
    let expectation = Expectation { status: vec![0], stdout: nothing.clone(), stderr: nothing };
    Rcli {
        args: Vec::new(),
        env: Vec::new(),
        home: TempDir::new().expect("a temporary directory"),
        input: Input::Bytes(Vec::new()),
        output: None,
        shell: None,
        own_group: false,
        name: None,
        expectation,
    }
    .args(args)
}

impl Rcli {
    /// Further arguments.
    pub fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// An environment variable beside PATH, HOME, TMPDIR and TERM.
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.env.push((name.into(), value.as_ref().to_owned()));
        self
    }

    /// A file below the working directory.
    pub fn file(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        let path = self.home.path().join(name);
        std::fs::create_dir_all(path.parent().expect("its directory")).expect("a directory for the file");
        std::fs::write(path, content).expect("a file for the run");
        self
    }

    /// What others may do with a file made before.
    pub fn mode(self, name: &str, mode: u32) -> Self {
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(mode);
        std::fs::set_permissions(self.home.path().join(name), permissions).expect("the file's mode");
        self
    }

    /// Standard input: these bytes, then the end.
    pub fn stdin(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.input = Input::Bytes(bytes.as_ref().to_vec());
        self
    }

    /// Standard input: an open pipe that the test writes to.
    pub fn interactive(mut self) -> Self {
        self.input = Input::Interactive;
        self
    }

    /// Standard input: a file or pipe of the test's.
    pub fn stdin_from(mut self, source: impl Into<Stdio>) -> Self {
        self.input = Input::From(source.into());
        self
    }

    /// Standard output goes there and not to the test.
    pub fn stdout_to(mut self, target: impl Into<Stdio>) -> Self {
        self.output = Some(target.into());
        self.any_stdout()
    }

    /// Runs through `sh`; the script starts the program with `exec "$0" "$@"` and what it puts around that.
    pub fn through_sh(mut self, script: &str) -> Self {
        self.shell = Some(script.to_owned());
        self
    }

    /// Hears SIGHUP, also where whoever runs the tests ignores it.
    pub fn hearing_hang_ups(self) -> Self {
        self.through_sh("exec env --default-signal=HUP \"$0\" \"$@\"")
    }

    /// A process group of its own, so that a signal can go to all of it, as from a terminal.
    pub fn in_own_group(mut self) -> Self {
        self.own_group = true;
        self
    }

    /// Standard output must be exactly this.
    pub fn prints(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.expectation.stdout = Expected::Bytes(bytes.as_ref().to_vec());
        self
    }

    /// Standard output must hold these.
    pub fn prints_among(mut self, parts: &[&str]) -> Self {
        self.expectation.stdout = Expected::Contains(owned(parts));
        self
    }

    /// Standard output is looked at by the test.
    pub fn any_stdout(mut self) -> Self {
        self.expectation.stdout = Expected::Anything;
        self
    }

    /// Standard error must be exactly this.
    pub fn reports(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.expectation.stderr = Expected::Bytes(bytes.as_ref().to_vec());
        self
    }

    /// Standard error must be one line `rcli: …` that holds these.
    pub fn complains(mut self, parts: &[&str]) -> Self {
        self.expectation.stderr = Expected::Message(owned(parts));
        self
    }

    /// Standard error must hold these.
    pub fn reports_among(mut self, parts: &[&str]) -> Self {
        self.expectation.stderr = Expected::Contains(owned(parts));
        self
    }

    /// Standard error is looked at by the test.
    pub fn any_stderr(mut self) -> Self {
        self.expectation.stderr = Expected::Anything;
        self
    }

    /// The exit status must be this.
    pub fn status(mut self, status: i32) -> Self {
        self.expectation.status = vec![status];
        self
    }

    /// The exit status must be one of these; only where the contract leaves it open.
    pub fn status_among(mut self, statuses: &[i32]) -> Self {
        self.expectation.status = statuses.to_vec();
        self
    }

    /// By this name, as through a link.
    pub fn called(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }

    /// Starts the program on a terminal of its own, so many columns wide. Nothing is compared: the test looks.
    pub fn on_terminal(self, columns: u16) -> Terminal {
        Terminal::start(self.shell.as_deref(), &self.args, &self.env, self.home, columns)
    }

    /// Starts the program and leaves it running.
    pub fn start(self) -> Running {
        let binary = env!("CARGO_BIN_EXE_rcli");
        let mut command = match &self.shell {
            Some(script) => {
                let mut command = Command::new("sh");
                command.args(["-c", script, binary]);
                command
            }
            None => Command::new(binary),
        };
        let temporary = self.home.path().join("tmp");
        std::fs::create_dir_all(&temporary).expect("a directory for temporary files");
        command
            .args(&self.args)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.home.path())
            .env("TMPDIR", temporary)
            .env("TERM", "xterm")
            .envs(self.env)
            .current_dir(self.home.path())
            .stdout(self.output.unwrap_or_else(Stdio::piped))
            .stderr(Stdio::piped());
        if let Some(name) = &self.name {
            std::os::unix::process::CommandExt::arg0(&mut command, format!("/usr/local/bin/{name}"));
        }
        if self.own_group {
            std::os::unix::process::CommandExt::process_group(&mut command, 0);
        }
        let mut bytes = None;
        command.stdin(match self.input {
            Input::Bytes(given) => {
                bytes = Some(given);
                Stdio::piped()
            }
            Input::Interactive => Stdio::piped(),
            Input::From(source) => source,
        });
        Running::spawn(command, bytes, self.expectation, self.home)
    }

    /// Runs the program to its end and compares.
    pub fn run(self) -> crate::running::Finished {
        self.start().finish()
    }
}

/// Owned copies of the parts.
fn owned(parts: &[&str]) -> Vec<String> {
    parts.iter().map(|&part| part.to_owned()).collect()
}
