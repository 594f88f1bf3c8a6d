//! What `ls` writes: keys, rows, commands or a ranking, each key once if that is asked for, and no more than asked for.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};

use super::looks::{Expiry, Facts, Look, Looks, told_in};
use super::progress::Bar;
use super::top::{Counted, Tallies, type_of};
use super::walk::Halt;
use crate::cli::LsArgs;
use crate::command::request::Request;
use crate::context::Context;
use crate::exit::{Exit, Failure, Outcome};
use crate::input::Bound;
use crate::memory;
use crate::render::{Cell, Record, Renderer, Stdout, Survey};
use crate::reply::ErrorReply;
use crate::report::{Told, notice};

/// What is written of each key.
#[derive(Debug)]
pub enum Form {
    /// It alone, or the columns that are asked for.
    Keys,
    /// A command of this template.
    Template(Bound),
    Restore,
    /// Nothing before the end: the largest.
    Ranking(Tallies),
}

/// Where keys go.
pub struct Output {
    renderer: Renderer<Stdout>,
    /// What is written of each key.
    pub form: Form,
    /// Whether keys come from several nodes, between which they may move.
    pub is_cluster: bool,
    /// The keys that redis-cli's lines count, where those are written.
    survey: Option<Seen>,
    unique: Option<Unique>,
    left: Option<u64>,
    is_headed: bool,
    request: Request,
    /// The questions whose refusal was told.
    told: Vec<Look>,
    /// How it ends as far as is known.
    pub exit: Exit,
    pub bar: Bar,
}

/// The keys that were looked at, of how many.
#[derive(Clone, Copy, Debug)]
struct Seen {
    keys: u64,
    total: u64,
}

/// After so many keys redis-cli says how many they are.
const SAMPLED: u64 = 1_000_000;

impl Seen {
    #[expect(clippy::cast_precision_loss, reason = "shown with two digits")]
    fn percent(self) -> f64 {
        if self.total == 0 { 100.0 } else { (100.0 * self.keys as f64 / self.total as f64).min(100.0) }
    }
}

/// The hashes of the keys that were given.
struct Unique {
    seen: HashSet<u64>,
    hasher: RandomState,
}

impl Output {
    /// Standard output as the configuration wants it.
    pub fn open(context: &Context, args: &LsArgs, form: Form, is_cluster: bool) -> Outcome<Self> {
        let mut renderer = context.renderer()?;
        let mut style = context.config.style.clone();
        style.quotes_keys = args.quoted;
        if args.null {
            style.reply_delimiter = b"\0".to_vec();
        }
        renderer.set_style(style);
        Ok(Self {
            renderer,
            form,
            is_cluster,
            survey: None,
            unique: args.unique.then(|| Unique { seen: HashSet::new(), hasher: RandomState::new() }),
            left: args.limit,
            is_headed: false,
            request: Request::default(),
            told: Vec::new(),
            exit: Exit::Done,
            bar: Bar::new(args.progress),
        })
    }

    /// Begins with redis-cli's lines: there are so many keys.
    pub fn begin_survey(&mut self, total: u64) -> Outcome<()> {
        let Form::Ranking(tallies) = &self.form else { return Ok(()) };
        self.survey = Some(Seen { keys: 0, total });
        let begin = Survey::Begin { measure: tallies.measure };
        self.renderer.write(&Record::Survey(&begin)).map_err(Failure::output)
    }

    /// Writes what redis-cli would of a key that was counted.
    fn survey(&mut self, key: &[u8], key_type: &[u8], counted: Counted) -> Result<(), Halt> {
        let (Some(seen), Form::Ranking(tallies)) = (&mut self.survey, &self.form) else { return Ok(()) };
        let (measure, percent) = (tallies.measure, seen.percent());
        seen.keys += 1;
        let keys = seen.keys;
        let is_found = if measure == "freq" { counted.is_among_top && counted.size > 0 } else { counted.is_largest };
        if is_found {
            let found = Survey::Found { measure, percent, key, key_type, size: counted.size };
            self.pass(&Record::Survey(&found))?;
        }
        if keys.is_multiple_of(SAMPLED) {
            self.pass(&Record::Survey(&Survey::Sampled { keys, percent }))?;
        }
        Ok(())
    }

    /// Whether a key was not given before, where that matters. From here on it was.
    fn is_new(&mut self, key: &[u8]) -> Result<bool, Halt> {
        let Some(Unique { seen, hasher }) = &mut self.unique else { return Ok(true) };
        if memory::ask(|| seen.try_reserve(1)).is_err() {
            let why = format!("memory has no room for --unique after {} keys", seen.len());
            return Err(Failure::failed(why).into());
        }
        Ok(seen.insert(hasher.hash_one(key)))
    }

    /// Writes a record of a key that was not given before.
    fn write(&mut self, record: &Record<'_>) -> Result<(), Halt> {
        self.pass(record)?;
        self.count()
    }

    /// Writes a key, or an element, about which nothing was asked.
    #[inline]
    pub fn key(&mut self, key: &[u8]) -> Result<(), Halt> {
        if self.unique.is_some() && !self.is_new(key)? {
            return Ok(());
        }
        if matches!(self.form, Form::Template(_)) { self.command(key) } else { self.write(&Record::Key(key)) }
    }

    fn command(&mut self, key: &[u8]) -> Result<(), Halt> {
        let Form::Template(template) = &self.form else { return Ok(()) };
        self.request.clear();
        template.fill(|_| key, &mut self.request);
        self.write_command(None)
    }

    /// Writes the command that was made; the argument at this place in base64.
    fn write_command(&mut self, in_base64: Option<usize>) -> Result<(), Halt> {
        let record = Record::CommandLine { request: &self.request, in_base64 };
        self.bar.write(&mut self.renderer, |renderer| renderer.write(&record)).map_err(Failure::output)?;
        self.count()
    }

    fn pass(&mut self, record: &Record<'_>) -> Result<(), Halt> {
        Ok(self.bar.write(&mut self.renderer, |renderer| renderer.write(record)).map_err(Failure::output)?)
    }

    /// Counts what was written; that it was enough is an error.
    fn count(&mut self) -> Result<(), Halt> {
        match &mut self.left {
            Some(left) => {
                *left -= 1;
                if *left == 0 { Err(Halt::Enough) } else { Ok(()) }
            }
            None => Ok(()),
        }
    }

    /// Writes a field with its value, or a member with its score.
    pub fn pair(&mut self, names: (&str, &str), left: &[u8], right: &[u8]) -> Result<(), Halt> {
        if !self.is_new(left)? {
            return Ok(());
        }
        match self.form {
            Form::Template(_) => self.command(left),
            _ => self.write(&Record::Pair { names, left, right }),
        }
    }

    /// Writes a key and what is known of it.
    pub fn row(&mut self, key: &[u8], looks: &Looks, facts: &Facts, node: usize) -> Result<(), Halt> {
        if !self.is_new(key)? {
            return Ok(());
        }
        let mut columns = [("", Cell::Null); COLUMNS];
        let count = looks.columns.len().min(COLUMNS);
        for (cell, column) in columns.iter_mut().zip(&looks.columns) {
            *cell = (told_in(*column).0, looks.cell(*column, facts));
        }
        let cells = &columns[..count];
        if let Form::Ranking(tallies) = &mut self.form {
            let counted = tallies.count(node, key, cells);
            return self.survey(key, cells.first().map_or(&[], |(_, cell)| type_of(cell)), counted);
        }
        if !std::mem::replace(&mut self.is_headed, true) {
            let names: Vec<&str> = cells.iter().map(|(name, _)| *name).collect();
            self.pass(&Record::RowHead(&names))?;
        }
        self.write(&Record::Row { key, cells })
    }

    /// Writes the RESTORE of a key.
    pub fn restore(&mut self, key: &[u8], expiry: Expiry, dump: &[u8]) -> Result<(), Halt> {
        if !self.is_new(key)? {
            return Ok(());
        }
        let (time, is_absolute) = match expiry {
            Expiry::Never => (0, true),
            Expiry::At(time) => (time, true),
            // 0 would be for ever.
            Expiry::In(time) => (time.max(1), false),
        };
        self.request.clear();
        for arg in [b"RESTORE", key, itoa::Buffer::new().format(time).as_bytes(), dump, b"REPLACE"] {
            self.request.push(arg);
        }
        if is_absolute {
            self.request.push(b"ABSTTL");
        }
        self.write_command(Some(3))
    }

    /// Says once of each question that a server refuses it.
    pub fn complain(&mut self, look: Look, error: &ErrorReply) {
        self.exit = self.exit.or(Exit::ErrorReply);
        if !self.told.contains(&look) {
            self.told.push(look);
            let said = error.advised(self.is_cluster);
            self.bar.suspend(|| Told::Failure(format!("{}: {said}", look.name())).report());
        }
    }

    /// Says that something has happened that is no failure.
    pub fn note(&mut self, message: &str) {
        self.bar.suspend(|| notice(message));
    }

    /// The keys of this node come again, all of them.
    pub fn begin_again(&mut self, node: usize) {
        if let Form::Ranking(tallies) = &mut self.form {
            tallies.forget(node);
            self.survey.iter_mut().for_each(|seen| seen.keys = tallies.keys());
            self.unique.iter_mut().for_each(|unique| unique.seen.clear());
        }
    }

    /// Passes on what was written.
    pub fn flush(&mut self) -> Result<(), Halt> {
        Ok(self.bar.write(&mut self.renderer, Renderer::flush).map_err(Failure::output)?)
    }

    /// The end: writes what is only known now, and passes it on.
    pub fn finish(&mut self, with_ranking: bool, is_cut: bool) -> Outcome<()> {
        self.bar.end();
        if let (Form::Ranking(tallies), true) = (&self.form, with_ranking) {
            let (ranking, name_bytes) = (&tallies.ranking(), tallies.name_bytes());
            let summary = |seen: Seen| Survey::Summary { ranking, name_bytes, cut_at: is_cut.then(|| seen.percent()) };
            match self.survey.map(summary) {
                Some(summary) => self.renderer.write(&Record::Survey(&summary)),
                None => self.renderer.write(&Record::Ranking(ranking)),
            }
            .map_err(Failure::output)?;
        }
        self.renderer.flush().map_err(Failure::output)
    }
}

/// How many columns there are.
const COLUMNS: usize = 7;
