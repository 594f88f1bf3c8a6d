//! What keys do beside what the editor makes of them: Ctrl-C and Ctrl-X Ctrl-E end the line, Up and Down begin a walk
//! through the history, End takes over what is shown behind the cursor (Ctrl-Right a word of it), and a search is left as it
//! should be.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use rustyline::history::History as _;
use rustyline::{
    Cmd, ConditionalEventHandler, Event, EventContext, InputMode, KeyCode, KeyEvent, Modifiers, Movement, RepeatCount,
};

use super::recall::Recall;

/// What keys leave behind for whoever reads and draws the line.
#[derive(Debug, Default)]
pub struct Pressed {
    /// Ctrl-C: the line is thrown away.
    pub is_cancelled: AtomicBool,
    /// Ctrl-X Ctrl-E: the line is edited elsewhere, and goes on.
    pub goes_out: AtomicBool,
    /// Whether the history is being searched.
    is_searching: AtomicBool,
    /// Whether the search goes forward.
    pub is_forward: AtomicBool,
    /// Ctrl-S at the newest line, which nobody has been told yet.
    pub is_at_newest: AtomicBool,
}

impl Pressed {
    /// Begins a new line.
    pub fn begin_line(&self) {
        for flag in [&self.is_searching, &self.is_forward, &self.is_at_newest] {
            flag.store(false, Relaxed);
        }
    }

    /// Ends the line as Enter does, so that hints are taken off the screen.
    fn end_line(why: &AtomicBool) -> Cmd {
        why.store(true, Relaxed);
        Cmd::AcceptLine
    }
}

/// Every single key, and Ctrl-X Ctrl-E.
#[derive(Clone)]
pub struct Keys {
    /// What they leave behind.
    pub pressed: Arc<Pressed>,
    /// The lines that some of them walk through and search.
    pub recall: Recall,
}

impl ConditionalEventHandler for Keys {
    fn handle(&self, event: &Event, _: RepeatCount, _: bool, context: &EventContext<'_>) -> Option<Cmd> {
        if event.get(1).is_some() {
            return Some(Pressed::end_line(&self.pressed.goes_out));
        }
        let key = event.get(0)?;
        let was_searching = self.pressed.is_searching.swap(false, Relaxed);
        if *key == KeyEvent::ctrl('C') {
            return Some(Pressed::end_line(&self.pressed.is_cancelled));
        }
        if *key == KeyEvent::ctrl('R') || *key == KeyEvent::ctrl('S') {
            return Some(self.search(*key == KeyEvent::ctrl('S'), was_searching, context));
        }
        if was_searching {
            let goes_on = is_text(key) && context.input_mode() != InputMode::Command;
            self.pressed.is_searching.store(goes_on, Relaxed);
            return if goes_on { None } else { leave_search(key, context.line()) };
        }
        match key {
            KeyEvent(KeyCode::Up | KeyCode::Down, Modifiers::NONE)
            | KeyEvent(KeyCode::Char('P' | 'N'), Modifiers::CTRL) => {
                self.recall.walk_from(context.line());
                None
            }
            KeyEvent(KeyCode::End, Modifiers::NONE) | KeyEvent(KeyCode::Char('E' | 'F'), Modifiers::CTRL)
                if context.hint_text().is_some() && context.pos() == context.line().len() =>
            {
                Some(Cmd::CompleteHint)
            }
            KeyEvent(KeyCode::Right, Modifiers::CTRL | Modifiers::ALT)
            | KeyEvent(KeyCode::Char('F' | 'f'), Modifiers::ALT)
                if context.pos() == context.line().len() =>
            {
                context.hint_text().map(|rest| Cmd::Insert(1, first_word(rest).to_owned()))
            }
            _ => None,
        }
    }
}

impl Keys {
    /// Ctrl-R and Ctrl-S begin a search, or have it go on. The editor begins one with Ctrl-R alone.
    fn search(&self, is_forward: bool, was_searching: bool, context: &EventContext<'_>) -> Cmd {
        let Pressed { is_searching, is_forward: direction, is_at_newest, .. } = &*self.pressed;
        if is_forward && !was_searching && !self.recall.search_forward(context.line()) {
            is_at_newest.store(true, Relaxed);
            return Cmd::Repaint;
        }
        if !is_forward {
            self.recall.search_backward();
        }
        is_searching.store(!self.recall.is_empty(), Relaxed);
        direction.store(is_forward, Relaxed);
        if is_forward && was_searching { Cmd::ForwardSearchHistory } else { Cmd::ReverseSearchHistory }
    }
}

/// The first word of a text, with the blanks before it.
fn first_word(text: &str) -> &str {
    let begin = text.len() - text.trim_start().len();
    text[begin..].find(char::is_whitespace).map_or(text, |end| &text[..begin + end])
}

/// Whether a key changes what is searched for.
fn is_text(key: &KeyEvent) -> bool {
    matches!(
        key,
        KeyEvent(KeyCode::Char(_) | KeyCode::Backspace, Modifiers::NONE)
            | KeyEvent(KeyCode::Char('H'), Modifiers::CTRL)
    )
}

/// What a key does that ends a search. The editor draws its own prompt again only where a key moves the cursor or
/// changes the line; any other leaves the line that was found, with the cursor behind it.
fn leave_search(key: &KeyEvent, line: &str) -> Option<Cmd> {
    match key {
        KeyEvent(KeyCode::Char('U'), Modifiers::CTRL) if !line.is_empty() => Some(Cmd::Kill(Movement::WholeLine)),
        KeyEvent(
            KeyCode::Enter
            | KeyCode::Esc
            | KeyCode::Left
            | KeyCode::Right
            | KeyCode::Home
            | KeyCode::End
            | KeyCode::BracketedPasteStart,
            _,
        )
        | KeyEvent(
            KeyCode::Char('A' | 'B' | 'E' | 'F' | 'G' | 'J' | 'L' | 'M' | 'Q' | 'V' | 'X' | 'Z'),
            Modifiers::CTRL,
        )
        | KeyEvent(KeyCode::Char('B' | 'b' | 'F' | 'f'), Modifiers::ALT) => None,
        _ => Some(Cmd::Move(Movement::EndOfLine)),
    }
}
