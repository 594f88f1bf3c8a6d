//! Times whole child processes: wall, CPU and peak memory of one run, and the ratios of many alternating pairs of runs.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use wait4::{ResUse, Wait4};

/// What one run used.
#[derive(Clone, Copy, Default)]
pub struct Usage {
    /// From the start of the process to its end.
    pub wall: Duration,
    /// User and system time of the process and of the children it waited for.
    pub cpu: Duration,
    /// Peak resident memory in bytes.
    ///
    /// From `ru_maxrss`, which Linux never sets below the peak of the process that started it; [`Job::run_watched`]
    /// is exact for small ones.
    pub peak: u64,
}

impl Usage {
    /// The time and memory of an ended process that was started at `began`.
    pub fn new(began: Instant, end: &ResUse) -> Self {
        Self { wall: began.elapsed(), cpu: end.rusage.utime + end.rusage.stime, peak: end.rusage.maxrss }
    }

    /// The sum of two runs; the peak is the larger one.
    pub fn plus(self, other: Self) -> Self {
        Self { wall: self.wall + other.wall, cpu: self.cpu + other.cpu, peak: self.peak.max(other.peak) }
    }
}

/// A command line, ready to be run many times.
#[derive(Clone)]
pub struct Job {
    program: OsString,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    stdin: Option<PathBuf>,
    stdout: Option<PathBuf>,
}

impl Job {
    /// A job without arguments that reads nothing and whose output goes to /dev/null.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        Self { program: program.as_ref().to_owned(), args: Vec::new(), env: Vec::new(), stdin: None, stdout: None }
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// Sets a variable of the environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.env.push((name.into(), value.as_ref().to_owned()));
        self
    }

    /// Reads standard input from a file.
    #[must_use]
    pub fn stdin(mut self, path: &Path) -> Self {
        self.stdin = Some(path.to_owned());
        self
    }

    /// Writes standard output to a file.
    #[must_use]
    pub fn stdout(mut self, path: &Path) -> Self {
        self.stdout = Some(path.to_owned());
        self
    }

    /// The command without its standard streams; the environment holds nothing that changes what the peers do.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.args);
        for name in ["RCLI_URL", "REDIS_URL", "RCLI_FORMAT", "RCLI_PROFILE", "REDISCLI_AUTH", "VALKEYCLI_AUTH"] {
            command.env_remove(name);
        }
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Starts the process with `stderr` as its standard error.
    pub fn spawn(&self, stderr: Stdio) -> Result<Child> {
        let mut command = self.command();
        command.stdin(match &self.stdin {
            Some(path) => File::open(path)?.into(),
            None => Stdio::null(),
        });
        command.stdout(match &self.stdout {
            Some(path) => File::create(path)?.into(),
            None => Stdio::null(),
        });
        command.stderr(stderr).spawn().with_context(|| format!("cannot start {}", self.program.display()))
    }

    /// Runs to the end; an error when the status is not 0, with what the process wrote on stderr.
    pub fn run(&self) -> Result<Usage> {
        self.run_with(|_| ())
    }

    /// As [`Job::run`], and follows the memory of the process while it runs, which costs a little of the processor.
    pub fn run_watched(&self) -> Result<Usage> {
        let mut peak = 0;
        let usage = self.run_with(|child| {
            while let Some(now) = peak_memory(child.id()) {
                peak = now;
                std::thread::sleep(Duration::from_millis(1));
            }
        })?;
        Ok(Usage { peak, ..usage })
    }

    /// The name of the program without its directories.
    pub fn name(&self) -> String {
        let name = Path::new(&self.program).file_name().unwrap_or_default();
        name.display().to_string()
    }

    fn run_with(&self, watch: impl FnOnce(&Child)) -> Result<Usage> {
        let mut complaints = tempfile::tempfile()?;
        let stderr = complaints.try_clone()?.into();
        let began = Instant::now();
        let mut child = self.spawn(stderr)?;
        watch(&child);
        let end = child.wait4()?;
        let usage = Usage::new(began, &end);
        ensure!(end.status.success(), "{} ended with {}: {}", self.name(), end.status, first_line(&mut complaints)?);
        Ok(usage)
    }
}

/// What a process first wrote to the file that was its standard error.
pub fn first_line(complaints: &mut File) -> Result<String> {
    let mut text = Vec::new();
    complaints.rewind()?;
    complaints.take(300).read_to_end(&mut text)?;
    let text = String::from_utf8_lossy(&text);
    Ok(text.lines().next().unwrap_or("nothing on stderr").to_owned())
}

/// Ends a process that was measured from outside, and returns what it used since `began`.
pub fn reap(mut child: Child, began: Instant) -> Result<Usage> {
    let peak = peak_memory(child.id());
    if let Some(pid) = rustix::process::Pid::from_raw(child.id().try_into()?) {
        // It may have ended by itself: that is no failure.
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
    }
    let usage = Usage::new(began, &child.wait4()?);
    Ok(Usage { peak: peak.unwrap_or(usage.peak), ..usage })
}

/// Peak resident memory of a running process in bytes; none once it has ended.
pub fn peak_memory(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes * 1024)
}

/// A median with the range around it.
#[derive(Clone, Copy)]
pub struct Ratio {
    /// The median.
    pub median: f64,
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
}

impl Ratio {
    /// The median and range of at least one value.
    pub fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let (low, high) = (values[(values.len() - 1) / 2], values[values.len() / 2]);
        Self { median: f64::midpoint(low, high), min: values[0], max: values[values.len() - 1] }
    }
}

/// The outcome of alternating runs of two programs.
pub struct Pairs {
    /// Ours divided by theirs, wall time.
    pub wall: Ratio,
    /// Ours divided by theirs, CPU time.
    pub cpu: Ratio,
    /// Our median times and largest peak.
    pub ours: Usage,
    /// Their median times and largest peak.
    pub theirs: Usage,
}

/// Runs both once to warm up, then `pairs` times one after the other, so that a slow moment of the machine meets both.
///
/// Both get `lab`, where they may prepare the server before they start the clock.
pub fn alternate<L>(
    lab: &mut L,
    pairs: usize,
    mut ours: impl FnMut(&mut L) -> Result<Usage>,
    mut theirs: impl FnMut(&mut L) -> Result<Usage>,
) -> Result<Pairs> {
    ours(lab)?;
    theirs(lab)?;
    let mut runs = Vec::with_capacity(pairs);
    for _ in 0..pairs {
        runs.push((ours(lab)?, theirs(lab)?));
    }
    let ratios = |part: fn(&Usage) -> Duration| {
        Ratio::of(runs.iter().map(|(a, b)| part(a).as_secs_f64() / part(b).as_secs_f64()).collect())
    };
    let (ours, theirs): (Vec<_>, Vec<_>) = runs.iter().copied().unzip();
    Ok(Pairs {
        wall: ratios(|usage| usage.wall),
        cpu: ratios(|usage| usage.cpu),
        ours: typical(&ours),
        theirs: typical(&theirs),
    })
}

/// Median times and the largest peak.
fn typical(runs: &[Usage]) -> Usage {
    let median = |part: fn(&Usage) -> Duration| {
        let values = runs.iter().map(|run| part(run).as_secs_f64()).collect();
        Duration::from_secs_f64(Ratio::of(values).median)
    };
    Usage {
        wall: median(|usage| usage.wall),
        cpu: median(|usage| usage.cpu),
        peak: runs.iter().map(|usage| usage.peak).max().unwrap_or(0),
    }
}
