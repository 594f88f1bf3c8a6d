//! The prompt on a real terminal: how soon it is there, how long a key takes on a long line, and Tab.

use std::io::{Read as _, Write as _};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use pty_process::Size;
use pty_process::blocking::{Command, Pty};
use rustix::event::{PollFd, PollFlags, poll};

use crate::Bench;
use crate::keys::fill;
use crate::lab::Lab;
use crate::measure::{Job, Ratio, Usage, alternate};
use crate::table::{Goal, Row, thousands};

/// The rows of this topic.
pub const BENCHES: &[Bench] = &[
    Bench { name: "prompt", run: first },
    Bench { name: "prompt-key", run: key },
    Bench { name: "prompt-tab", run: tab },
    Bench { name: "prompt-tab-key", run: tab_of_a_key },
];

/// How long anything at all may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// The length of the line that keys are typed on.
const LINE: usize = 200;
/// Keys of which one begins as what is typed.
const KEYS: usize = 20_000;

/// A program on a terminal; killed in the end.
struct Terminal {
    child: std::process::Child,
    pty: Pty,
    prompt: String,
}

impl Terminal {
    /// Starts a program and waits for its prompt.
    fn open(lab: &Lab, job: &Job) -> Result<(Self, Usage)> {
        let (pty, pts) = pty_process::blocking::open()?;
        pty.resize(Size::new(24, 250))?;
        let plain = job.command();
        let command = Command::new(plain.get_program())
            .args(plain.get_args())
            .env("TERM", "xterm-256color")
            .env("HOME", lab.path(""))
            .env("RCLI_HISTFILE", "/dev/null")
            .env("REDISCLI_HISTFILE", "/dev/null");
        let began = Instant::now();
        let child = command.spawn(pts).with_context(|| format!("cannot start {}", job.name()))?;
        let mut terminal = Self { child, pty, prompt: format!(":{}>", lab.server.port) };
        let prompt = terminal.prompt.clone();
        terminal.wait_for(&prompt)?;
        let usage = Usage { wall: began.elapsed(), cpu: terminal.cpu()?, peak: 0 };
        Ok((terminal, usage))
    }

    /// Types keys, and waits until what came out then has this text.
    fn press(&mut self, keys: &str, text: &str) -> Result<Usage> {
        let (began, before) = (Instant::now(), self.cpu()?);
        self.pty.write_all(keys.as_bytes())?;
        self.wait_for(text)?;
        let wall = began.elapsed();
        Ok(Usage { wall, cpu: self.cpu()?.saturating_sub(before), peak: 0 })
    }

    fn wait_for(&mut self, text: &str) -> Result<()> {
        let (deadline, mut seen, mut chunk) = (Instant::now() + PATIENCE, Vec::new(), [0; 4096]);
        loop {
            let mut polled = [PollFd::new(&self.pty, PollFlags::IN)];
            let left = deadline.saturating_duration_since(Instant::now());
            let count = poll(&mut polled, Some(&left.try_into()?))?;
            ensure!(count > 0, "{text:?} does not come; what came: {:?}", String::from_utf8_lossy(&seen));
            let read = self.pty.read(&mut chunk)?;
            seen.extend_from_slice(&chunk[..read]);
            if without_sequences(&seen).contains(text) {
                return Ok(());
            }
        }
    }

    /// What all its threads have used of the processor.
    fn cpu(&self) -> Result<Duration> {
        let mut nanoseconds = 0;
        for task in std::fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            // It may have ended meanwhile.
            let used = std::fs::read_to_string(task?.path().join("schedstat")).unwrap_or_default();
            nanoseconds += used.split(' ').next().and_then(|used| used.parse().ok()).unwrap_or(0);
        }
        Ok(Duration::from_nanos(nanoseconds))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What was written without colours and movements.
fn without_sequences(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut parts = text.split("\x1b[");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        plain.push_str(part.trim_start_matches(|c: char| !('@'..='~').contains(&c)).get(1..).unwrap_or_default());
    }
    plain
}

fn first(lab: &mut Lab) -> Result<Vec<Row>> {
    let runs = lab.sizes.starts;
    let open = |lab: &mut Lab, job: &Job| {
        let mut sum = Usage::default();
        for _ in 0..runs {
            sum = sum.plus(Terminal::open(lab, job)?.1);
        }
        Ok(sum)
    };
    let (ours, theirs) = (lab.rcli(), lab.redis_cli());
    let pairs = alternate(lab, lab.sizes.pairs, |lab| open(lab, &ours), |lab| open(lab, &theirs))?;
    let title = format!("the first prompt, {runs} times");
    Ok(vec![Row::compared(title, "`redis-cli`", Goal::Wall(1.0), &pairs)])
}

fn key(lab: &mut Lab) -> Result<Vec<Row>> {
    let keys = lab.sizes.starts;
    let begin = format!("SET key {}", "x".repeat(LINE - "SET key ".len()));
    let typed = |lab: &mut Lab, job: &Job| {
        let (mut terminal, _) = Terminal::open(lab, job)?;
        for at in 0..begin.len() {
            terminal.press(&begin[at..=at], &begin[at..=at])?;
        }
        let mut sum = Usage::default();
        for _ in 0..keys {
            sum = sum.plus(terminal.press("y", "y")?);
            // Backspace; whatever is written for it.
            terminal.press("\x7f", "")?;
        }
        Ok(sum)
    };
    let (ours, theirs) = (lab.rcli(), lab.redis_cli());
    let pairs = alternate(lab, lab.sizes.pairs, |lab| typed(lab, &ours), |lab| typed(lab, &theirs))?;
    let title = format!("a key on a line of {LINE} characters, {keys} times");
    Ok(vec![Row::compared(title, "`redis-cli`", Goal::Wall(1.0), &pairs)])
}

fn tab(lab: &mut Lab) -> Result<Vec<Row>> {
    let runs = lab.sizes.starts;
    let complete = |lab: &mut Lab, job: &Job| {
        let mut sum = Usage::default();
        for _ in 0..runs {
            let (mut terminal, _) = Terminal::open(lab, job)?;
            terminal.press("HGETA", "A")?;
            sum = sum.plus(terminal.press("\t", "HGETALL")?);
        }
        Ok(sum)
    };
    let (ours, theirs) = (lab.rcli(), lab.redis_cli());
    let pairs = alternate(lab, lab.sizes.slow_pairs, |lab| complete(lab, &ours), |lab| complete(lab, &theirs))?;
    Ok(vec![Row::compared(format!("Tab behind `HGETA`, {runs} times"), "`redis-cli`", Goal::None, &pairs)])
}

/// Redis-cli has nothing to compare with it.
fn tab_of_a_key(lab: &mut Lab) -> Result<Vec<Row>> {
    fill(lab, KEYS)?;
    lab.server.call::<()>(&["SET", "special:order", "1"])?;
    let job = lab.rcli();
    let mut times = Vec::new();
    for _ in 0..lab.sizes.starts {
        let (mut terminal, _) = Terminal::open(lab, &job)?;
        terminal.press("GET spe", "e")?;
        times.push(terminal.press("\t", "special:order")?.wall.as_secs_f64() * 1000.0);
    }
    lab.server.flush()?;
    let time = Ratio::of(times);
    let title = format!("Tab behind `GET spe`, one key of {}", thousands(KEYS));
    let note = format!("**{:.1} ms** ({:.1}–{:.1})", time.median, time.min, time.max);
    Ok(vec![Row::stated(title, "–", Goal::Milliseconds(100.0), time.median > 100.0, note)])
}
