//! The report: on stdout as it grows, and as a part of a document (`--write`).

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};

use crate::table::HEAD;

/// Between these lines a document has the report of one run.
const BEGIN: &str = "<!-- what `just performance` measured -->\n";
const END: &str = "<!-- end of what was measured -->\n";

/// What was said so far.
pub struct Report {
    text: String,
    began: Instant,
}

impl Report {
    /// Begins with the machine and the versions of the programs.
    pub fn begin(rcli: &OsStr) -> Result<Self> {
        let mut report = Self { text: String::new(), began: Instant::now() };
        let since = SystemTime::now().duration_since(UNIX_EPOCH)?;
        let today = first_line(Command::new("date").args(["-u", "-d", &format!("@{}", since.as_secs()), "+%F"]));
        report.line(&format!("{}, {}.", today, machine()));
        let python = "import redis, sys; print('redis-py', redis.__version__, 'on Python', sys.version.split()[0])";
        let versions = [
            first_line(Command::new(rcli).arg("--version")),
            first_line(Command::new("redis-cli").arg("--version")),
            first_line(Command::new("python3").args(["-c", python])),
        ];
        report.line(&format!("Programs: {}.", versions.join(", ")));
        Ok(report)
    }

    /// Begins the table of a server.
    pub fn table(&mut self, server: &str) {
        self.line(&format!("\n### With {server}\n\n{HEAD}"));
    }

    /// Adds a line.
    pub fn line(&mut self, line: &str) {
        println!("{line}");
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// Ends with the time that it took.
    pub fn end(&mut self) {
        self.line(&format!("\nThe run took {:.0} minutes.", self.began.elapsed().as_secs_f64() / 60.0));
    }

    /// Puts it between the marks of a document, in place of what stands there.
    pub fn write_into(&self, path: &Path) -> Result<()> {
        let document = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        let parts = document.split_once(BEGIN).and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
        let (before, behind) = parts.with_context(|| format!("{} has no marks for a report", path.display()))?;
        Ok(std::fs::write(path, [before, BEGIN, &self.text, END, behind].concat())?)
    }
}

/// The processor, how many there are, and the system.
fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("unknown processor", |(_, model)| model.trim());
    format!("{cores} × {model}, {}", first_line(Command::new("uname").arg("-sr")))
}

/// What a program says first; nothing where it cannot be run.
fn first_line(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    text.lines().next().unwrap_or_default().to_owned()
}
