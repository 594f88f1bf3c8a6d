//! The REPL: a line editor around a [`shell::Shell`] (contract section 10). Here a typed line becomes commands, and
//! what became of them is said; what a command does is the shell's business.

mod complete;
mod editor;
mod help;
mod helper;
mod highlight;
mod history;
pub mod link;
mod local;
mod lookup;
mod prompt;
pub mod shell;
mod style;
mod views;
mod words;

use std::time::{Duration, Instant};

use redis::Value;

use self::editor::{Editor, Typed};
use self::helper::{LineHelper, columns};
use self::link::Link;
use self::local::Local;
use self::lookup::Lookup;
use self::prompt::Prompt;
use self::shell::{Answer, Shell, Trouble};
use self::style::{Ink, Paint};
use self::views::{Jobs, Look, Wanted};
use crate::cli::ConnectionOptions;
use crate::config::{self, Config};
use crate::exit::{Exit, Failure, Outcome, report};
use crate::input::{parse, point_at};
use crate::interrupt::{self, Signal};
use crate::record::{Record, is_report};
use crate::render::{self, Format, Renderer, Stdout, Style};
use crate::request::Request;
use crate::server::{Lost, LostBlock, Session, Unopened, error_text, server_error};

/// A command that takes this long says how long it took (contract section 10).
const SLOW: Duration = Duration::from_millis(500);

/// The longest part of a command in a message, in characters.
const SHOWN: usize = 60;

/// Whether the conversation goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    /// With the next command.
    On,
    /// With the next prompt: what else was pasted is not run.
    Stop,
    /// It does not.
    Leave,
}

/// Talks with whoever sits at the terminal until they leave.
pub fn run(config: &Config, connection: &ConnectionOptions, is_sure: bool) -> Outcome<Exit> {
    let paint = Paint(config.style.color);
    let stdout = render::stdout().map_err(|error| Failure::output(&error))?;
    let lookup = Lookup::start(config.target.clone());
    let helper = LineHelper { lookup, paint, prompt_width: 0, is_asking: false };
    let mut repl = Repl {
        config,
        connection,
        is_sure,
        paint,
        style: config.style.clone(),
        renderer: Renderer::new(stdout, config.style.clone()),
        shell: Shell::new(Link::lasting(config.target.clone())),
        editor: Editor::open(helper)?,
        jobs: Jobs::default(),
        view_format: Format::Json,
    };
    repl.arrive()?;
    repl.converse()
}

struct Repl<'a> {
    config: &'a Config,
    connection: &'a ConnectionOptions,
    /// Whether dangerous commands run unasked (`--yes`).
    is_sure: bool,
    paint: Paint,
    style: Style,
    renderer: Renderer<Stdout>,
    shell: Shell,
    editor: Editor,
    /// The views above the prompt.
    jobs: Jobs,
    /// How views look: JSON lines until another format is asked for.
    view_format: Format,
}

impl Repl<'_> {
    fn converse(&mut self) -> Outcome<Exit> {
        loop {
            self.flush()?;
            let prompt = self.prompt();
            let text = match self.editor.read(&prompt)? {
                Typed::Text(text) => text,
                Typed::Cancelled => continue,
                Typed::End => break,
            };
            interrupt::forget_ctrl_c();
            if self.run_text(&text)? == Flow::Leave {
                break;
            }
        }
        if let Some(count @ 1..) = self.shell.queued() {
            report(&format!("the open block of {count} commands was not run"));
        }
        Ok(Exit::Done)
    }

    /// Connects, and says to whom. A server that is not there may come; one that refuses us will not change its mind.
    fn arrive(&mut self) -> Outcome<()> {
        match self.shell.link().ready() {
            Ok(_) => {}
            Err(Unopened::Unreachable(message)) => {
                report(&message);
                return Ok(());
            }
            Err(Unopened::Interrupted(Signal::Interrupt)) => {
                interrupt::forget_ctrl_c();
                return Ok(());
            }
            Err(unopened) => return Err(unopened.into_failure()),
        }
        let place = self.shell.link().target().address.to_string();
        let server = self.describe_server().unwrap_or_else(|| "server".to_owned());
        self.write(&format!("{server} at {place}; Ctrl-D or exit leaves\n"))
    }

    /// `Redis 7.0.15`, from HELLO or, without it, INFO.
    fn describe_server(&mut self) -> Option<String> {
        let session = self.shell.link().session()?;
        if let Some(server) = session.server() {
            return Some(format!("{} {}", capitalized(&server.name), server.version));
        }
        let info = match session.call(&Request::new(["INFO", "server"])).ok()? {
            Value::BulkString(text) => String::from_utf8_lossy(&text).into_owned(),
            _ => return None,
        };
        let field = |name: &str| info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        match (field("valkey_version"), field("redis_version")) {
            (Some(version), _) => Some(format!("Valkey {version}")),
            (None, Some(version)) => Some(format!("Redis {version}")),
            (None, None) => None,
        }
    }

    fn prompt(&mut self) -> Prompt {
        self.shell.link().look_after();
        self.report_notices();
        if let Some(helper) = self.editor.helper() {
            helper.lookup.follow(self.shell.link().target());
        }
        Prompt::of(&mut self.shell, self.paint)
    }

    /// Runs what was typed: one command, or the lines of what was pasted, one by one.
    fn run_text(&mut self, text: &str) -> Outcome<Flow> {
        let commands = words::commands(text);
        let is_pasted = commands.len() > 1;
        for (index, command) in commands.iter().enumerate() {
            self.editor.remember(command);
            if is_pasted {
                let prompt = self.prompt().styled;
                self.write(&format!("{prompt}{command}\n"))?;
                self.flush()?;
            }
            match self.run_command(command)? {
                Flow::On => {}
                Flow::Stop => {
                    let left = commands.len() - index - 1;
                    if left > 0 {
                        report(&format!("the {left} pasted lines after it were not run"));
                    }
                    return Ok(Flow::Stop);
                }
                Flow::Leave => return Ok(Flow::Leave),
            }
            self.flush()?;
        }
        Ok(Flow::On)
    }

    fn run_command(&mut self, text: &str) -> Outcome<Flow> {
        let mut request = Request::default();
        if let Err(malformed) = parse(text.as_bytes(), &mut request) {
            // The lines of what was pasted do not depend on each other more than typed ones do.
            report(&format!("{}\n{}", malformed.reason, point_at(text.as_bytes(), malformed.at)));
            return Ok(Flow::On);
        }
        if request.is_empty() {
            return Ok(Flow::On);
        }
        if let Some(local) = Local::of(&request) {
            return self.run_local(local);
        }
        if local::is_dangerous(&request) && !self.is_sure {
            let place = self.prompt().raw;
            let question = format!("{}{}: run it? (y/N) ", place, request.shown(SHOWN));
            if !self.editor.ask(&question)? {
                report("not run");
                return Ok(Flow::On);
            }
        }
        if let Some(wanted) = Wanted::of(&request, text) {
            return match wanted {
                Ok(wanted) => self.view(wanted),
                Err(misused) => {
                    report(&misused);
                    Ok(Flow::On)
                }
            };
        }
        if let Some(ended) = self.jobs.unsubscribe(&request) {
            if ended.is_empty() {
                report("no such subscription is in the background; jobs shows what is");
            }
            for name in ended {
                self.write(&format!("{name} ended\n"))?;
            }
            return Ok(Flow::On);
        }
        self.run_request(&request)
    }

    /// Opens a streaming view. The session is not touched: its database, WATCH and block stay.
    fn view(&mut self, wanted: Wanted) -> Outcome<Flow> {
        let style = Style { format: self.view_format, ..self.style.clone() };
        let look = Look { style, paint: self.paint };
        let target = self.shell.link().target().clone();
        if wanted.in_background {
            let title = wanted.title.clone();
            let print = self.editor.print_above()?;
            let number = self.jobs.start(wanted, &target, &look, print)?;
            self.write(&format!("[{number}] {title}\n"))?;
            return Ok(Flow::On);
        }
        self.write(&format!(
            "{}\n",
            self.paint.text(Ink::Faint, "(Ctrl-C leaves; with a final & it runs above the prompt)")
        ))?;
        self.flush()?;
        let stdout = render::stdout().map_err(|error| Failure::output(&error))?;
        match wanted.show(&target, &look, stdout) {
            Ok(Exit::Signal(Signal::Interrupt)) => {
                interrupt::forget_ctrl_c();
                // The terminal has echoed ^C.
                self.write("\n")?;
                Ok(Flow::Stop)
            }
            Ok(Exit::Signal(signal)) => Err(Failure::quiet(Exit::Signal(signal))),
            Ok(_) => Ok(Flow::On),
            Err(failure) if failure.exit() == Exit::Signal(Signal::Interrupt) => {
                interrupt::forget_ctrl_c();
                self.write("\n")?;
                Ok(Flow::Stop)
            }
            Err(failure) => self.stay(failure),
        }
    }

    fn run_request(&mut self, request: &Request) -> Outcome<Flow> {
        let started = Instant::now();
        let answered = self.shell.eval(request);
        let elapsed = started.elapsed();
        self.report_notices();
        self.write_pushes()?;
        let flow = match answered {
            Ok(answer) => {
                self.answer(request, &answer)?;
                Flow::On
            }
            Err(trouble) => self.trouble(request, trouble)?,
        };
        if elapsed >= SLOW {
            let seconds = self.paint.text(Ink::Faint, &format!("({:.2}s)", elapsed.as_secs_f64()));
            self.write(&format!("{seconds}\n"))?;
        }
        Ok(flow)
    }

    fn report_notices(&mut self) {
        for notice in self.shell.link().take_notices() {
            report(&notice);
        }
    }

    fn write_pushes(&mut self) -> Outcome<()> {
        let pushes = self.shell.link().session().map(Session::take_pushes).unwrap_or_default();
        for push in pushes.iter().filter(|_| self.config.show_pushes) {
            self.record(&Record::Push(push))?;
        }
        Ok(())
    }

    fn answer(&mut self, request: &Request, answer: &Answer) -> Outcome<()> {
        let error = |text: &str| server_error(text);
        match answer {
            Answer::Reply(value) => self.reply(request, value),
            Answer::Stopped => {
                report(&format!("{} has stopped", self.shell.link().target().address));
                Ok(())
            }
            Answer::Executed { block, replies } => match replies {
                Value::Array(items) if items.len() == block.len() => {
                    self.record(&Record::Block { block, values: items, reply: replies })
                }
                other => self.reply(request, other),
            },
            Answer::Aborted => {
                self.reply(request, &Value::Nil)?;
                self.flush()?;
                report("EXEC: a watched key has changed; nothing was run");
                Ok(())
            }
            Answer::Rejected(errors) => {
                for (request, error) in errors {
                    report(&format!("{}: {}", request.shown(SHOWN), error_text(error)));
                }
                self.reply(request, &error("EXECABORT Transaction discarded because of previous errors."))
            }
            Answer::Denied(denied) => {
                self.reply(request, &Value::ServerError(denied.clone()))?;
                self.flush()?;
                report("EXEC: nothing was run");
                Ok(())
            }
            Answer::WatchLost => {
                report(
                    "EXEC: refused, nothing was run: the WATCH was lost with its connection, so a watched key may \
                     have changed unseen; WATCH and read again",
                );
                Ok(())
            }
        }
    }

    /// Says why there is no answer. Only a signal that ends the run, or a closed terminal, ends the conversation.
    fn trouble(&mut self, request: &Request, trouble: Trouble) -> Outcome<Flow> {
        let place = self.shell.link().target().address.to_string();
        let command = request.shown(SHOWN);
        match trouble {
            Trouble::Unfit(reason) => {
                report(&reason);
                return Ok(Flow::On);
            }
            Trouble::NotConnected(unopened) => match unopened {
                Unopened::Interrupted(signal) => return self.cancelled(signal, &format!("{command}, not sent")),
                Unopened::Unreachable(message) | Unopened::Refused { message, .. } => {
                    report(&format!("{message}; {command} was not sent"));
                }
            },
            Trouble::Lost(Lost::Interrupted(signal)) => return self.cancelled(signal, &command),
            Trouble::Lost(lost) => report(&format!(
                "{place}: connection lost: {}; {command} had no answer: it may have run, and is not sent again",
                lost.reason()
            )),
            Trouble::LostBlock(LostBlock { lost, may_have_run }) => {
                let outcome = if may_have_run {
                    "outcome unknown: the block may have run, and is not sent again"
                } else {
                    "nothing was run, and the block is still open"
                };
                if let Lost::Interrupted(signal) = lost {
                    return self.cancelled(signal, &format!("EXEC: {outcome}"));
                }
                report(&format!("{place}: EXEC: connection lost: {}: {outcome}", lost.reason()));
            }
        }
        Ok(Flow::Stop)
    }

    /// Ctrl-C came while an answer was waited for: the old connection is closed already, a new one is opened.
    fn cancelled(&mut self, signal: Signal, command: &str) -> Outcome<Flow> {
        if signal != Signal::Interrupt {
            return Err(Failure::quiet(Exit::Signal(signal)));
        }
        interrupt::forget_ctrl_c();
        // The terminal has echoed ^C.
        self.write("\n")?;
        self.flush()?;
        report(&format!("cancelled: {command}"));
        if self.shell.link().was_open() {
            match self.shell.link().ready() {
                Ok(_) => {}
                Err(Unopened::Interrupted(Signal::Interrupt)) => interrupt::forget_ctrl_c(),
                Err(unopened @ Unopened::Interrupted(_)) => return Err(unopened.into_failure()),
                Err(Unopened::Unreachable(message) | Unopened::Refused { message, .. }) => report(&message),
            }
        }
        self.report_notices();
        Ok(Flow::Stop)
    }

    fn run_local(&mut self, local: Local) -> Outcome<Flow> {
        match local {
            Local::Leave => return Ok(Flow::Leave),
            Local::Help(topic) => {
                let text = self.editor.helper().map(|helper| help::help(&topic, &helper.lookup.table(), columns()));
                self.write(&text.unwrap_or_default())?;
            }
            Local::Clear => self.write("\x1b[H\x1b[2J\x1b[3J")?,
            Local::Connect(place) => return self.connect(&place),
            Local::Output(format) => self.set_output(format)?,
            Local::History(count) => {
                for (number, command) in self.editor.remembered(count.unwrap_or(history::KEPT)) {
                    self.write(&format!("{number:>5}  {command}\n"))?;
                }
            }
            Local::Jobs => {
                for job in self.jobs.describe() {
                    self.write(&format!("{job}\n"))?;
                }
            }
            Local::Stop(number) if self.jobs.stop(number) => self.write(&format!("[{number}] ended\n"))?,
            Local::Stop(number) => report(&format!("no view has the number {number}; jobs shows what there is")),
            Local::Misused(usage) => report(&format!("usage: {usage}")),
        }
        Ok(Flow::On)
    }

    fn connect(&mut self, place: &local::Place) -> Outcome<Flow> {
        if let Some(count) = self.shell.queued() {
            report(&format!("a block of {count} commands is open: EXEC or DISCARD it first"));
            return Ok(Flow::Stop);
        }
        let is_tls = self.shell.link().target().tls.is_some();
        match config::decide_elsewhere(&place.options(self.connection, is_tls), self.config.style.format) {
            Ok(target) => {
                self.shell = Shell::new(Link::lasting(target));
                self.arrive().map_or_else(|failure| self.stay(failure), |()| Ok(Flow::On))
            }
            Err(failure) => self.stay(failure),
        }
    }

    /// What would end a run that begins does not end one that goes on, but for a signal.
    fn stay(&mut self, failure: Failure) -> Outcome<Flow> {
        if matches!(failure.exit(), Exit::Signal(_)) {
            return Err(failure);
        }
        report(&failure.into_message());
        Ok(Flow::Stop)
    }

    fn set_output(&mut self, format: Option<Format>) -> Outcome<()> {
        if let Some(format) = format {
            self.style.format = format;
            self.view_format = format;
            self.renderer.set_style(self.style.clone());
            return Ok(());
        }
        self.write(match self.style.format {
            Format::Human => "output human\n",
            Format::Raw => "output raw\n",
            Format::Json => "output json\n",
        })
    }

    fn reply(&mut self, request: &Request, value: &Value) -> Outcome<()> {
        self.record(&Record::Reply { value, is_report: is_report(request) })
    }

    fn record(&mut self, record: &Record<'_>) -> Outcome<()> {
        self.renderer.write(record).map_err(|error| Failure::output(&error))
    }

    fn write(&mut self, text: &str) -> Outcome<()> {
        self.renderer.write_text(text).map_err(|error| Failure::output(&error))
    }

    fn flush(&mut self) -> Outcome<()> {
        self.renderer.flush().map_err(|error| Failure::output(&error))
    }
}

fn capitalized(name: &str) -> String {
    let mut chars = name.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}
