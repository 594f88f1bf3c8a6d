//! The REPL: a line editor around a [`shell::Shell`] (contract section 10). Here a typed line becomes commands, and
//! what became of them is said; what a command does is the shell's business.

mod builtins;
mod complete;
mod editor;
mod help;
mod helper;
mod highlight;
mod hints;
mod history;
mod keys;
mod lines;
pub mod local;
mod output;
mod pager;
mod peek;
mod prompt;
mod pushes;
mod readable;
mod recall;
mod redirect;
mod screen;
mod subscriber;
mod suggestions;
mod tables;
mod tokens;
mod verbs;
mod views;

pub use self::help::words_and_keys;

use std::cell::Cell;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use self::complete::Known;
use self::editor::{Editor, Typed};
use self::helper::LineHelper;
use self::lines::repeated;
use self::prompt::Prompt;
use self::pushes::Pushes;
use self::screen::Screen;
use self::suggestions::Lookup;
use self::verbs::is_verb_line;
use self::views::{Jobs, Wanted};
use crate::cli::{Label, Verb};
use crate::color::Part;
use crate::command::request::Request;
use crate::command::restrictions::asks_first;
use crate::command::table::Table;
use crate::config::profile::Profiles;
use crate::config::{ReplSettings, expand};
use crate::context::Context;
use crate::exit::{Exit, Failure, Outcome};
use crate::input::parse;
use crate::render::{self, Format, Record, Renderer, Stdout, Style};
use crate::reply::{ErrorReply, Frame, Kind};
use crate::report::{notice, report};
use crate::shell::Shell;
use crate::shell::connection::Link;
use crate::signal;
use crate::text::{self, Escape, counted, printable};

/// The longest part of a command in a message, in characters.
const SHOWN: usize = 60;

/// With more keys than these KEYS keeps a server from others for so long that it asks first.
const MANY_KEYS: u64 = 10_000;

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

/// What a mutex holds; that somebody panicked beside it does not matter.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs a verb of the command line.
pub type RunVerb = fn(&Context, Option<&Verb>) -> Outcome<Exit>;

/// What `help` says of a topic, without a server; the inner error says that there is no such topic.
pub fn explain(topic: &[String]) -> Result<String, String> {
    help::help(topic, Table::builtin(), screen::columns())
}

/// Talks with whoever sits at the terminal until they leave. `run` is what runs a verb that is typed.
pub fn run(context: &Context, run: RunVerb) -> Outcome<Exit> {
    let style = &context.config.style;
    let mut endpoint = context.endpoint_telling(None)?;
    let lookup = Lookup::start(endpoint.clone());
    let helper = LineHelper {
        lookup,
        colors: style.colors,
        prompt: String::new(),
        hides_hints: false,
        known: Known::default(),
        is_asking: false,
        pressed: Arc::default(),
        drawn_at: Cell::default(),
        is_listing: Cell::default(),
    };
    let mut editor = Editor::open(helper)?;
    let mut pushes = None;
    if context.config.show_pushes {
        let (shown, listener) = Pushes::new(style, editor.above()?)?;
        (pushes, endpoint.pushes) = (Some(shown), Some(listener));
    }
    let screen = Screen::default();
    let mut repl = Repl {
        context,
        run,
        style: style.clone(),
        renderer: Renderer::new(render::lines(screen.open().map_err(Failure::output)?), style.clone()),
        screen,
        shell: Shell::new(Link::lasting(endpoint)),
        label: context.config.label.clone(),
        editor,
        pushes,
        jobs: Jobs::default(),
        view_format: if context.config.is_format_chosen { style.format } else { Format::Json },
        settings: settings(context),
        terminal: None,
        is_last: true,
        sources: 0,
        source_line: None,
        took: Vec::new(),
    };
    repl.heed_settings();
    repl.arrive(true)?;
    repl.converse()
}

struct Repl<'a> {
    context: &'a Context,
    run: RunVerb,
    style: Style,
    renderer: Renderer<Stdout>,
    /// What stands behind it.
    screen: Screen,
    shell: Shell,
    /// What the server is called in place of its address.
    label: Option<Label>,
    editor: Editor,
    /// Pushes, where they are shown.
    pushes: Option<Pushes>,
    /// The views above the prompt.
    jobs: Jobs,
    /// How views look: JSON lines until another format is asked for.
    view_format: Format,
    settings: ReplSettings,
    /// Where replies go while one goes elsewhere: the terminal, and for verbs the way elsewhere.
    terminal: Option<(Renderer<Stdout>, OwnedFd)>,
    /// Whether no line of a paste or a file is left behind the one that runs.
    is_last: bool,
    /// How many files are being run, one from within the other.
    sources: usize,
    /// Where the line stands that runs, if it is of a file: the file, as it is shown, and the line.
    source_line: Option<(String, usize)>,
    /// How long commands took, in words, where that is to be told and was not yet.
    took: Vec<String>,
}

/// What `config.toml` says of the prompt. What is wrong in it is told, and keeps nobody from it.
fn settings(context: &Context) -> ReplSettings {
    let (mut settings, complaints) = match Profiles::load() {
        Ok(file) => file.repl(),
        Err(failure) => (ReplSettings::default(), vec![failure.into_message()]),
    };
    for complaint in &complaints {
        report(complaint);
    }
    if context.config.is_format_chosen {
        settings.output = None;
    }
    settings
}

impl Repl<'_> {
    fn converse(&mut self) -> Outcome<Exit> {
        loop {
            self.flush()?;
            let prompt = self.prompt();
            let text = match self.reading(|editor| editor.read(&prompt))? {
                Typed::Text(text) => text,
                Typed::Cancelled => continue,
                Typed::End => break,
            };
            if let Some(helper) = self.editor.helper() {
                helper.lookup.heed("");
            }
            if self.run_text(&text)? == Flow::Leave {
                break;
            }
        }
        if let Some(count @ 1..) = self.shell.queued() {
            notice(&format!("the open block of {} was not run", counted(count as u64, "command")));
        }
        self.jobs.end();
        Ok(Exit::Done)
    }

    /// Has somebody type; pushes that come meanwhile are shown where that is asked for.
    fn reading<T>(&mut self, read: impl FnOnce(&mut Editor) -> Outcome<T>) -> Outcome<T> {
        let Self { pushes, shell, editor, .. } = self;
        match (pushes, shell.link().server()) {
            (Some(pushes), Some(server)) => pushes.hear(server, || read(editor)),
            _ => read(editor),
        }
    }

    fn prompt(&mut self) -> Prompt {
        self.shell.link().look_after();
        self.report_notices();
        if let Some(helper) = self.editor.helper() {
            let link = self.shell.link();
            helper.lookup.follow(link.endpoint());
            helper.known.jobs = self.jobs.list(&link.endpoint().address);
        }
        Prompt::of(&mut self.shell, self.label.as_ref(), self.style.colors)
    }

    /// Runs a command. Ctrl-C ends the printing of its reply.
    fn run_command(&mut self, text: &str) -> Outcome<Flow> {
        self.screen.begin();
        let ran = self.run_line(text).and_then(|flow| self.flush().map(|()| flow));
        if !self.screen.is_cut() {
            return ran;
        }
        // What was rendered before belongs to what was cut off.
        self.flush()?;
        let cut = self.screen.reopen();
        signal::forget_ctrl_c();
        // The terminal has echoed ^C, perhaps in the middle of a colour.
        self.write(if self.style.colors.0 { "\x1b[0m\n" } else { "\n" })?;
        self.flush()?;
        if let Some(cut) = cut {
            notice(&format!("cancelled: {}", cut.describe()));
        }
        Ok(Flow::Stop)
    }

    fn run_line(&mut self, text: &str) -> Outcome<Flow> {
        let expanded = expand(&self.settings.aliases, text);
        let text = expanded.as_deref().unwrap_or(text);
        if let Some(command) = text.trim_start().strip_prefix('!') {
            return self.run_shell(command);
        }
        match redirect::split(text) {
            (line, Some(target)) => self.run_redirected(line, &target),
            (line, None) => self.run_plain(line),
        }
    }

    /// Runs a line whose reply goes where replies go.
    fn run_plain(&mut self, text: &str) -> Outcome<Flow> {
        let mut request = Request::default();
        if let Err(malformed) = parse(text.as_bytes(), &mut request) {
            // The lines of what was pasted do not depend on each other more than typed ones do.
            self.report_bad(text, malformed);
            return Ok(Flow::On);
        }
        if request.is_empty() {
            return Ok(Flow::On);
        }
        if let Some((count, line)) = repeated(text, &request) {
            return self.run_again(count, line);
        }
        if let Some(ran) = self.run_local(&request) {
            return ran;
        }
        if self.editor.helper().is_some_and(|helper| is_verb_line(text, &request, &helper.lookup.table())) {
            return self.run_verb_line(text, &request);
        }
        let db = self.shell.link().endpoint().db;
        if !self.is_agreed(&request, db)? {
            return Ok(Flow::Stop);
        }
        if let Some(wanted) = Wanted::of(&request, text) {
            return match wanted {
                Ok((words, wanted)) => self.run_verb(&words, wanted),
                Err(misused) => {
                    report(&misused);
                    Ok(Flow::On)
                }
            };
        }
        if let Some(done) = self.jobs.unsubscribe(&request, &self.shell.link().endpoint().address) {
            if let Err(nobody) = done {
                report(&nobody);
            }
            return Ok(Flow::On);
        }
        self.run_request(&request)
    }

    /// Asks before a command that destroys, stops or blocks a server; whether it may run, in this database.
    fn is_agreed(&mut self, request: &Request, db: u32) -> Outcome<bool> {
        // What is refused is not asked about.
        if !asks_first(request) || self.context.config.is_sure || self.shell.link().refuse(request).is_some() {
            return Ok(true);
        }
        self.prompt();
        let [here, everywhere] = self.editor.helper().map_or([None, None], |helper| helper.lookup.sizes());
        // What was counted is the session's.
        let here = here.filter(|_| db == self.shell.link().endpoint().db);
        if request.is(0, "KEYS") && here.is_some_and(|count| count <= MANY_KEYS) {
            return Ok(true);
        }
        let question = self.question(request, db, here, everywhere);
        let is_agreed = self.reading(|editor| editor.ask(&question))?;
        if !is_agreed {
            notice("not run");
        }
        Ok(is_agreed)
    }

    /// The question before such a command: where it would run, and over how many keys.
    fn question(&mut self, request: &Request, db: u32, here: Option<u64>, everywhere: Option<u64>) -> String {
        let link = self.shell.link();
        let mut place = link.name();
        if link.is_cluster() {
            place = format!("cluster of {place}");
        }
        if let Some(label) = &self.label {
            place = format!("{} ({place})", label.name);
        }
        let is_of_one = request.is(0, "KEYS") || request.is(0, "FLUSHDB");
        let (databases, count) =
            if is_of_one { (format!("database {db}"), here) } else { ("all databases".to_owned(), everywhere) };
        let keys = count.map_or_else(|| "an unknown number of keys".to_owned(), |count| counted(count, "key"));
        format!("{}: at {}, {databases}, {keys}: run it? (y/N) ", request.shown(SHOWN), text::line(&place))
    }

    fn report_notices(&mut self) {
        for notice in self.shell.link().take_notices() {
            notice.report();
        }
    }

    fn reply(&mut self, request: &Request, frame: Frame<'_>) -> Outcome<()> {
        let record = Record::reply_to(request, frame);
        // An error is for whoever typed.
        match &mut self.terminal {
            Some((terminal, _)) if ErrorReply::of(frame).is_some() => {
                terminal.write(&record).and_then(|()| terminal.flush()).map_err(Failure::output)
            }
            None if self.style.format == Format::Human => self.readable(request, frame, &record),
            _ => self.record(&record),
        }
    }

    /// Writes a reply as a person reads it best.
    fn readable(&mut self, request: &Request, frame: Frame<'_>, record: &Record<'_>) -> Outcome<()> {
        let place = tables::Place { columns: screen::columns(), colors: self.style.colors };
        if let Some(lines) = tables::show(request).and_then(|show| show(request, frame, place)) {
            for mut line in lines {
                line.push('\n');
                self.write(&line)?;
            }
            return Ok(());
        }
        if self.settings.is_pretty
            && frame.kind() == Kind::Bulk
            && let Some(pretty) = readable::pretty(frame.head().text)
        {
            return self.write(&format!("{}\n", printable(&pretty, Escape::Lines)));
        }
        if self.settings.is_pretty
            && let Some(mut elements) = readable::pretty_elements(frame)
        {
            return elements.try_for_each(|element| self.write(&element));
        }
        let Some(note) = readable::note(request, frame) else { return self.record(record) };
        let mut shown = Vec::new();
        Renderer::new(&mut shown, self.style.clone()).write(record).map_err(Failure::output)?;
        let shown = String::from_utf8_lossy(&shown).trim_end().to_owned();
        self.write(&format!("{shown}  {}\n", self.style.colors.paint(Part::Hint, &format!("({note})"))))
    }

    fn record(&mut self, record: &Record<'_>) -> Outcome<()> {
        self.renderer.write(record).map_err(Failure::output)
    }

    fn write(&mut self, text: &str) -> Outcome<()> {
        self.renderer.write_text(text).map_err(Failure::output)
    }

    fn flush(&mut self) -> Outcome<()> {
        self.renderer.flush().map_err(Failure::output)
    }
}
