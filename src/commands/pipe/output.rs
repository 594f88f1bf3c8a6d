//! What a pipeline writes: replies to stdout, and to stderr what is to be said of those that are errors.

use std::io::{self, Write};

use super::blocks::Blocks;
use super::files::{InputFiles, Names};
use super::in_flight::{Answered, Command};
use super::progress::Progress;
use super::rendered::Rendered;
use super::reorder::Waiting;
use crate::cli::PipeArgs;
use crate::command::restrictions::Report;
use crate::context::Context;
use crate::exit::Outcome;
use crate::memory::Growing;
use crate::render::{Format, Record, Renderer, Reports, Stdout};
use crate::reply::{Frame, Kind};
use crate::report::{notice, report};
use crate::shell::block::{describe_errors, report_aborted};

/// How a server refuses a RESTORE, and what that mostly means: said once.
const BAD_DUMP: &str = "DUMP payload version or checksum are wrong";
const ABOUT_BAD_DUMP: &str = "a RESTORE refused so is most often of a DUMP by a newer server: this one is of an older \
                              version, and cannot read it";

/// Where replies go.
pub struct Output {
    renderer: Renderer<Stdout>,
    /// Renders what has to wait for its turn.
    scratch: Renderer<Growing<Vec<u8>>>,
    form: Form,
    shows_pushes: bool,
    is_cluster: bool,
    /// The names of the input files.
    pub names: Names,
    /// The bar.
    pub progress: Progress,
    /// What the answers say of the blocks.
    pub blocks: Blocks,
    /// How many replies were, or held, errors.
    pub errors: u64,
    /// Whether an EXEC ran nothing for a watched key.
    pub was_aborted: bool,
    /// A reply was, or held, an error, since this was last asked.
    saw_error: bool,
    /// Whether it was told what a refused RESTORE means.
    told_of_dumps: bool,
}

/// What is written of a reply.
#[derive(Clone, Copy)]
struct Form {
    is_quiet: bool,
    /// Whether it stands in an envelope with its command.
    is_enveloped: bool,
    /// Whether the replies are JSON.
    is_json: bool,
    /// How many commands stand before the first.
    skipped: u64,
}

impl Output {
    /// Stdout as the configuration wants it, for what these files hold.
    pub fn open(context: &Context, is_cluster: bool, args: &PipeArgs, files: &InputFiles) -> Outcome<Self> {
        let config = &context.config;
        let form = Form {
            is_quiet: args.quiet,
            is_enveloped: args.envelope,
            is_json: config.style.format == Format::Json,
            skipped: args.skip,
        };
        Ok(Self {
            renderer: context.renderer()?,
            scratch: Renderer::new(Growing::default(), config.style.clone()),
            form,
            shows_pushes: config.show_pushes,
            is_cluster,
            names: files.names.clone(),
            progress: Progress::new(args, files.size),
            blocks: Blocks::default(),
            errors: 0,
            was_aborted: false,
            saw_error: false,
            told_of_dumps: false,
        })
    }

    /// Writes the reply whose turn it is, straight from its frame.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "asked for every reply; the call costs as much as what it does")]
    pub fn write_reply(&mut self, number: u64, frame: Frame<'_>, answered: Answered<'_>) -> io::Result<()> {
        if !self.blocks.is_empty()
            && let Some(exec) = self.blocks.answer(self.form.skipped + number + 1, frame)
        {
            self.was_aborted = true;
            self.progress.suspend(|| report_aborted(&self.names.place(exec), ""));
        }
        if frame.may_hold_errors() {
            let errors = self.describe(frame, answered);
            self.report(errors.as_deref());
        }
        if self.blocks.has_reports() {
            let reports = self.blocks.take_reports();
            return self.write_beside(|form, renderer| form.render(renderer, frame, answered, &reports));
        }
        if self.progress.shares_terminal {
            return self.write_beside(|form, renderer| form.render(renderer, frame, answered, &[]));
        }
        self.form.render(&mut self.renderer, frame, answered, &[])
    }

    /// Writes to the terminal of the bar, which steps aside; what is written is seen at once.
    #[cold]
    fn write_beside(&mut self, write: impl FnOnce(Form, &mut Renderer<Stdout>) -> io::Result<()>) -> io::Result<()> {
        let Self { form, renderer, progress, .. } = self;
        progress.suspend(|| write(*form, renderer).and_then(|()| renderer.flush()))
    }

    /// Renders a reply that has to wait for its turn, if memory has room for that.
    pub fn render(&mut self, frame: Frame<'_>, answered: Answered<'_>) -> io::Result<Waiting> {
        let errors = if frame.may_hold_errors() { self.describe(frame, answered) } else { None };
        let rendered = self.form.render(&mut self.scratch, frame, answered, &[]);
        let text = rendered.and_then(|()| Rendered::new(self.scratch.written()));
        self.scratch.forget();
        Ok(Waiting { text: text?, origin: answered.origin(), errors })
    }

    /// Writes a reply that was rendered before its turn.
    pub fn write_waiting(&mut self, waiting: &Waiting) -> io::Result<()> {
        self.report(waiting.errors.as_deref());
        let text = waiting.text.bytes();
        if self.progress.shares_terminal {
            return self.write_beside(|_, renderer| renderer.write_text(text));
        }
        self.renderer.write_text(text)
    }

    /// What there is to say of the errors in a reply.
    #[cold]
    fn describe(&mut self, frame: Frame<'_>, answered: Answered<'_>) -> Option<Box<[String]>> {
        let Command { file, request, .. } = answered.command()?;
        let errors: Box<[String]> = describe_errors(self.names.file(file), &request, frame, self.is_cluster).collect();
        self.saw_error |= !errors.is_empty();
        Some(errors).filter(|errors| !errors.is_empty())
    }

    fn report(&mut self, errors: Option<&[String]>) {
        if let Some(errors) = errors {
            self.errors += 1;
            self.progress.suspend(|| errors.iter().for_each(|error| report(error)));
            if !self.told_of_dumps && errors.iter().any(|error| error.contains(BAD_DUMP)) {
                self.told_of_dumps = true;
                self.progress.suspend(|| notice(ABOUT_BAD_DUMP));
            }
        }
    }

    /// Writes a push that came out of band, where that is asked for.
    pub fn push(&mut self, push: Frame<'_>) -> io::Result<()> {
        if self.shows_pushes { self.renderer.write(&Record::Push(push)) } else { Ok(()) }
    }

    /// Whether a reply was, or held, an error since this was last asked.
    pub fn take_saw_error(&mut self) -> bool {
        std::mem::take(&mut self.saw_error)
    }

    /// Ends as `redis-cli --pipe` does, for who reads its words.
    pub fn write_totals(&mut self, answered: u64) -> io::Result<()> {
        let errors = self.errors;
        self.renderer.write_text(format!(
            "All data transferred. Waiting for the last reply...\nLast reply received from server.\n\
             errors: {errors}, replies: {answered}\n"
        ))
    }

    /// Passes on what was written.
    pub fn flush(&mut self) -> io::Result<()> {
        self.renderer.flush()
    }
}

impl Form {
    /// Writes a reply; of EXEC's these elements are reports.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "called for every reply; the call costs as much as what it does")]
    fn render<W: Write>(
        self,
        renderer: &mut Renderer<W>,
        frame: Frame<'_>,
        answered: Answered<'_>,
        reports: &[(usize, Report)],
    ) -> io::Result<()> {
        if self.is_quiet {
            return Ok(());
        }
        if self.is_enveloped {
            let Some(Command { number, request, .. }) = answered.command() else { return Ok(()) };
            let index = self.skipped + number + 1;
            let reports = if reports.is_empty() { Reports::of(&request) } else { Reports::Items(reports) };
            return renderer.write(&Record::Envelope { index, request: &request, frame, reports });
        }
        if !reports.is_empty() {
            return renderer.write(&Record::executed(frame, reports));
        }
        // What is parsed for JSON ends with a line end, or is empty: so that few commands are looked at.
        let may_be_report =
            if self.is_json { frame.may_be_lines() } else { matches!(frame.kind(), Kind::Bulk | Kind::Verbatim) };
        if may_be_report && let Some(command) = answered.command() {
            return renderer.write(&Record::reply_to(&command.request, frame));
        }
        renderer.write(&Record::Reply { frame, is_report: false })
    }
}
