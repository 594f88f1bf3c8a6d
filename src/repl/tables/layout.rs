//! Cells as text that fits the screen: a grid, or where that is too wide a block of lines for each row.

use std::iter;

use super::{Lines, Place};
use crate::color::Part;
use crate::repl::readable::cut;
use crate::text::width;

/// The least that the widest column is cut to.
const LEAST: usize = 12;
/// What stands between two columns.
const GAP: usize = 2;
/// So few rows are rather shown in blocks than without some of their columns.
const FEW: usize = 2;
/// The lines that one value of a block may take.
const LINES: usize = 5;

/// Rows of cells under a head, as lines; none without rows. Columns that say nothing are left out, and where there is no
/// room so many of those at the end.
pub fn table<'a>(head: &[&'static str], rows: &[Vec<String>], optional: usize, place: Place) -> Option<Lines<'a>> {
    let says = |at: usize| rows.iter().any(|row| row.get(at).is_some_and(|cell| !cell.is_empty()));
    let said: Vec<usize> = (0..head.len()).filter(|at| says(*at)).collect();
    let optional = said.iter().filter(|at| **at >= head.len() - optional).count();
    let take = |row: &Vec<String>| said.iter().map(|at| row.get(*at).cloned().unwrap_or_default()).collect();
    let rows: Vec<Vec<String>> = rows.iter().map(take).collect();
    let head: Vec<&str> = said.iter().map(|at| head[*at]).collect();
    let widest = |at: usize| rows.iter().map(|row: &Vec<String>| width(&row[at])).fold(width(head[at]), usize::max);
    let widths: Vec<usize> = (0..head.len()).map(widest).collect();
    let may_drop = if rows.len() <= FEW { 0 } else { optional };
    let fitting = (0..=may_drop).find_map(|dropped| fit(&widths[..widths.len() - dropped], place.columns));
    match fitting {
        _ if said.is_empty() => None,
        Some(widths) => Some(grid(&head, rows, widths, place)),
        None => Some(blocks(head, rows, place)),
    }
}

fn grid<'a>(head: &[&'static str], rows: Vec<Vec<String>>, widths: Vec<usize>, place: Place) -> Lines<'a> {
    let left_out = head[widths.len()..].join(", ");
    let line = move |cells: &mut dyn Iterator<Item = &str>| {
        let cells: Vec<String> = cells.zip(&widths).map(|(cell, width)| padded(&cut(cell, *width), *width)).collect();
        cells.join("  ").trim_end().to_owned()
    };
    let top = place.colors.paint(Part::Hint, &line(&mut head.iter().copied())).into_owned();
    let note = (!left_out.is_empty()).then(|| format!("(no room for: {left_out})"));
    let note = note.map(|note| place.colors.paint(Part::Hint, &cut(&note, place.columns)).into_owned());
    let rows = rows.into_iter().map(move |row| line(&mut row.iter().map(String::as_str)));
    Box::new(iter::once(top).chain(rows).chain(note))
}

fn blocks<'a>(head: Vec<&'static str>, rows: Vec<Vec<String>>, place: Place) -> Lines<'a> {
    let names = head.iter().map(|name| width(name)).max().unwrap_or(0);
    let room = place.columns.saturating_sub(names + GAP).max(1);
    let block = move |(number, row): (usize, Vec<String>)| {
        let mut lines = if number > 0 { vec![String::new()] } else { Vec::new() };
        for (name, cell) in head.iter().zip(&row).filter(|(_, cell)| !cell.is_empty()) {
            let mut name = *name;
            for part in folded(cell, room, LINES) {
                let shown = place.colors.paint(Part::Hint, &padded(name, names)).into_owned();
                lines.push(format!("{shown}  {part}").trim_end().to_owned());
                name = "";
            }
        }
        lines
    };
    Box::new(rows.into_iter().enumerate().flat_map(block))
}

/// The widths of columns that fit so many, the widest being cut; none where that is not enough.
fn fit(widths: &[usize], columns: usize) -> Option<Vec<usize>> {
    let mut widths = widths.to_vec();
    let gaps = GAP * widths.len().saturating_sub(1);
    let over = (widths.iter().sum::<usize>() + gaps).saturating_sub(columns);
    let widest = widths.iter_mut().max()?;
    if over > 0 && widest.checked_sub(over)? < LEAST {
        return None;
    }
    *widest -= over;
    Some(widths)
}

/// Text that takes so many columns at least.
pub fn padded(text: &str, columns: usize) -> String {
    let mut padded = text.to_owned();
    padded.extend(iter::repeat_n(' ', columns.saturating_sub(width(text))));
    padded
}

/// Text in lines of so many columns; where there are more than so many lines, dots stand for the rest.
pub fn folded(text: &str, columns: usize, most: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut used = 0;
    for c in text.chars() {
        let wide = width(c.encode_utf8(&mut [0; 4]));
        if used + wide > columns && used > 0 {
            if lines.len() == most {
                lines.push("...".to_owned());
                break;
            }
            lines.push(String::new());
            used = 0;
        }
        if let Some(line) = lines.last_mut() {
            line.push(c);
        }
        used += wide;
    }
    lines
}

/// Names with values, and what is noted of a value, one pair a line.
pub fn pairs<'a>(pairs: Vec<(String, String, Option<String>)>, place: Place) -> Option<Lines<'a>> {
    let names = pairs.iter().map(|(name, ..)| width(name)).max()?;
    let values = pairs.iter().filter(|(.., note)| note.is_some()).map(|(_, value, _)| width(value)).max().unwrap_or(0);
    let room = place.columns.saturating_sub(names + GAP).max(1);
    let line = move |(name, value, note): (String, String, Option<String>)| {
        let name = padded(&name, names);
        let Some(note) = note.filter(|note| values + width(note) + GAP * 2 <= room) else {
            return format!("{name}  {}", cut(&value, room)).trim_end().to_owned();
        };
        format!("{name}  {}  {}", padded(&value, values), place.colors.paint(Part::Hint, &format!("({note})")))
    };
    Some(Box::new(pairs.into_iter().map(line)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::color::Colors;

    fn shown(rows: &[&[&str]], optional: usize, columns: usize) -> Vec<String> {
        let rows: Vec<Vec<String>> =
            rows.iter().map(|row| row.iter().map(|cell| (*cell).to_owned()).collect()).collect();
        let place = Place { columns, colors: Colors(false) };
        table(&["id", "name", "what", "more"], &rows, optional, place).map(Iterator::collect).unwrap_or_default()
    }

    const ROWS: [&[&str]; 3] =
        [&["1", "a", "abcdefghijklmnopqrst", "x"], &["2", "\u{6f22}\u{5b57}", "b", "y"], &["3", "c", "d", "z"]];

    #[test]
    fn what_fits_is_a_grid() {
        let lines = shown(&ROWS, 0, 80);
        assert_eq!(lines[0], "id  name  what                  more");
        assert_eq!(lines[2], "2   \u{6f22}\u{5b57}  b                     y");
        assert!(shown(&[], 0, 80).is_empty());
    }

    #[test]
    fn a_column_that_says_nothing_is_left_out() {
        assert_eq!(shown(&[&["1", "", "b"]], 1, 80), ["id  what", "1   b"]);
    }

    #[test]
    fn the_widest_column_gives_way_then_what_is_optional_then_the_grid() {
        assert_eq!(shown(&ROWS, 1, 30)[1], "1   a     abcdefghijk...  x");
        let without = shown(&ROWS, 1, 24);
        assert_eq!((without[0].as_str(), without[4].as_str()), ("id  name  what", "(no room for: more)"));
        let block = shown(&ROWS, 1, 16);
        assert_eq!(block[..6], ["id    1", "name  a", "what  abcdefghij", "      klmnopqrst", "more  x", ""]);
        assert!(block.iter().all(|line| width(line) <= 16), "{block:?}");
        // Few rows are shown whole.
        assert_eq!(shown(&ROWS[..2], 1, 24)[0], "id    1");
    }

    #[test]
    fn a_long_value_of_a_block_ends() {
        let long = "x".repeat(1000);
        let lines = shown(&[&["1", long.as_str()]], 0, 14);
        assert_eq!(lines.len(), 1 + LINES + 1);
        assert_eq!(lines.last().map(String::as_str), Some("      ..."));
    }

    #[test]
    fn a_note_stands_where_there_is_room() {
        let place = |columns| Place { columns, colors: Colors(false) };
        let rows = || vec![("a".to_owned(), "1024".to_owned(), Some("1.0 kB".to_owned()))];
        let lines = |columns| pairs(rows(), place(columns)).map(Iterator::collect::<Vec<_>>);
        assert_eq!(lines(40), Some(vec!["a  1024  (1.0 kB)".to_owned()]));
        assert_eq!(lines(10), Some(vec!["a  1024".to_owned()]));
    }
}
