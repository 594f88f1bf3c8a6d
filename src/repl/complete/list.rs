//! How candidates are inserted and shown: what all begin with is inserted, quoted where that is needed; the list fits the
//! screen, says what it leaves out, and shows what each candidate is where there is room.

use rustyline::completion::Pair;

use super::Offer;
use crate::command::request::{quote_part, shown_arg};
use crate::repl::readable::cut;
use crate::repl::suggestions::Candidate;
use crate::repl::tables::padded;
use crate::text::{self, width};

/// How many are shown at most.
const MOST: usize = 100;
/// What stands between two columns.
const GAP: usize = 2;
/// So many rows a list needs: the editor has a page of its own for what is higher than the screen less one, and Ctrl-C does
/// not end that.
const LOWEST: usize = 4;
/// The narrowest note that is worth its place.
const NARROWEST: usize = 8;

/// What the editor inserts and shows of an offer on a screen of so many columns and rows. `typed` is what stands in the
/// line of the word that is being typed.
pub fn pairs(offer: &Offer, typed: &str, columns: usize, rows: usize) -> Vec<Pair> {
    let is_quoted = typed.starts_with(['"', '\'']);
    let replacement = match offer.candidates.as_slice() {
        // What is found yet may begin otherwise.
        _ if offer.is_looking => typed.to_owned(),
        [] => return Vec::new(),
        [only] if !offer.is_cut => {
            let replacement = inserted(&offer.lead, only, is_quoted);
            return vec![Pair { display: String::new(), replacement }];
        }
        _ => common(offer, is_quoted),
    };
    if rows < LOWEST {
        return vec![Pair { display: String::new(), replacement }];
    }
    let shown = shown(offer, columns, rows);
    shown.into_iter().map(|display| Pair { display, replacement: replacement.clone() }).collect()
}

/// A whole word as it is typed, with the blank behind it; a directory goes on, and so does the beginning of a rule.
fn inserted(lead: &[u8], candidate: &Candidate, is_quoted: bool) -> String {
    let value = [lead, &candidate.value].concat();
    let is_open = value.ends_with(b"/") && !candidate.is_sign || candidate.is_sign && value.ends_with(b"@");
    if is_open && (is_quoted || word(&value, candidate.is_sign).starts_with('"')) {
        return open_quoted(&value);
    }
    let word = if is_quoted { format!("{}\"", open_quoted(&value)) } else { word(&value, candidate.is_sign) };
    if is_open { word } else { format!("{word} ") }
}

/// A value as it is typed where it is not the first word. What alone would send the reply elsewhere is quoted.
fn word(value: &[u8], is_sign: bool) -> String {
    if is_sign {
        return String::from_utf8_lossy(value).into_owned();
    }
    if matches!(value, b"|" | b">" | b">>" | b"&") {
        return format!("{}\"", open_quoted(value));
    }
    // Some signs begin what is no command, and are signs like others behind one.
    let shown = shown_arg(&[b"x", value].concat());
    match shown.strip_prefix('x') {
        Some(shown) if !value.is_empty() => shown.to_owned(),
        _ => shown_arg(value),
    }
}

/// A value in a quote that is not closed.
fn open_quoted(value: &[u8]) -> String {
    let mut text = "\"".to_owned();
    quote_part(value, &mut text);
    text
}

/// What all candidates begin with, as it is typed.
fn common(offer: &Offer, is_quoted: bool) -> String {
    let candidates = &offer.candidates;
    let first = &candidates[0].value;
    let same = |other: &[u8]| first.iter().zip(other).take_while(|(one, other)| one == other).count();
    let mut length = candidates.iter().map(|candidate| same(&candidate.value)).min().unwrap_or(0);
    // Not a part of a character.
    while length > 0 && first.get(length).is_some_and(|byte| byte & 0xc0 == 0x80) {
        length -= 1;
    }
    let value = [&offer.lead, &first[..length]].concat();
    let is_sign = candidates.iter().all(|candidate| candidate.is_sign);
    if value.is_empty() {
        return String::new();
    }
    let plain = word(&value, is_sign);
    if is_quoted || plain.starts_with('"') { open_quoted(&value) } else { plain }
}

/// The rows of the list.
fn shown(offer: &Offer, columns: usize, rows: usize) -> Vec<String> {
    let candidates = &offer.candidates;
    // The line that is typed, and the one with the cursor behind it.
    let room = rows.saturating_sub(3).max(2);
    let names: Vec<String> = candidates.iter().take(MOST).map(|candidate| name(candidate, columns)).collect();
    let widest = names.iter().map(|name| width(name)).max().unwrap_or(0);
    let across = ((columns + GAP - 1) / (widest + GAP)).max(1);
    let is_all = names.len() == candidates.len() && !offer.is_cut && !offer.is_looking;
    let notes = candidates.iter().take(MOST).map(|candidate| text::line(&candidate.note).into_owned());
    let notes: Vec<String> = notes.collect();
    let widest_note = notes.iter().map(|note| width(note)).max().unwrap_or(0);
    // One candidate a row with what it is, where that fits.
    let left = columns.saturating_sub(widest + GAP + 1);
    let lines = room - usize::from(!is_all);
    if widest_note > 0 && names.len() <= lines && left >= NARROWEST {
        let line = |(name, note): (&String, &String)| {
            format!("{}{}", padded(name, widest + GAP), cut(note, left)).trim_end().to_owned()
        };
        let mut list: Vec<String> = names.iter().zip(&notes).map(line).collect();
        list.extend(rest(offer, candidates.len() - names.len(), columns));
        return whole_rows(list, columns);
    }
    let fitting = names.len().min(across * lines);
    if fitting <= across && is_all && fitting == names.len() {
        return names;
    }
    let count = fitting.div_ceil(across);
    let row = |at: usize| {
        let cells = (0..across).filter_map(|column| names[..fitting].get(column * count + at));
        let cells = cells.map(|name| padded(name, widest + GAP));
        cells.collect::<String>().trim_end().to_owned()
    };
    let mut list: Vec<String> = (0..count).map(row).collect();
    list.extend(rest(offer, candidates.len() - fitting, columns));
    whole_rows(list, columns)
}

/// What is not in the list.
fn rest(offer: &Offer, left: usize, columns: usize) -> Option<String> {
    let told = match (offer.is_looking, left) {
        (true, 0) => Some("(still looking; Tab again)".to_owned()),
        (true, left) => Some(format!("(at least {left} more, still looking; type on, or Tab again)")),
        (false, 0) => offer.is_cut.then(|| "(there are more; type on)".to_owned()),
        (false, left) => Some(format!("(at least {left} more; type on)")),
    };
    told.map(|told| cut(&told, columns.saturating_sub(1)))
}

/// Rows that the editor, which lays words out in columns of one width, leaves as they are: the first is as wide as the
/// screen. It shows no list of one.
fn whole_rows(mut list: Vec<String>, columns: usize) -> Vec<String> {
    if let [only] = list.as_slice() {
        // The other one stands beside it, where there is room for that.
        let is_beside = 2 * (width(only) + GAP) <= columns;
        list.push(String::new());
        if is_beside {
            return list;
        }
    }
    if let Some(first) = list.first_mut() {
        *first = padded(first, columns.saturating_sub(GAP));
    }
    list
}

/// A candidate as it is shown.
fn name(candidate: &Candidate, columns: usize) -> String {
    let shown = if candidate.is_sign { word(&candidate.value, true) } else { shown_arg(&candidate.value) };
    cut(&shown, columns.saturating_sub(1).max(4))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(values: &[&[u8]]) -> Offer {
        let candidates = values.iter().map(|value| Candidate::new(*value, "")).collect();
        Offer { candidates, ..Offer::default() }
    }

    /// What is inserted of these, and the list.
    fn offered(offer: &Offer, typed: &str, columns: usize) -> (String, Vec<String>) {
        let pairs = pairs(offer, typed, columns, 24);
        let inserted = pairs.first().map(|pair| pair.replacement.clone()).unwrap_or_default();
        (inserted, pairs.into_iter().map(|pair| pair.display.trim_end().to_owned()).collect())
    }

    #[test]
    fn what_is_inserted_can_be_sent() {
        for (value, inserted) in [
            (b"plain".as_slice(), "plain "),
            (b"a b", "\"a b\" "),
            (b"\xff\"\n", "\"\\xff\\\"\\n\" "),
            (b"#*[", "#*[ "),
            (b"", "\"\" "),
            (b">", "\">\" "),
            (b"|", "\"|\" "),
            (b"&", "\"&\" "),
        ] {
            assert_eq!(offered(&offer(&[value]), "", 80).0, inserted);
        }
        assert_eq!(offered(&offer(&[b"plain"]), "'pl", 80).0, "\"plain\" ");
        assert_eq!(offered(&offer(&[b"dir/"]), "di", 80).0, "dir/");
        assert_eq!(offered(&offer(&[b"a dir/"]), "a", 80).0, "\"a dir/");
    }

    #[test]
    fn the_common_beginning_is_whole_characters_in_an_open_quote() {
        assert_eq!(offered(&offer(&[b"a b1", b"a b2"]), "a", 80).0, "\"a b");
        assert_eq!(offered(&offer(&[b"\xff\xfe", b"\xff\xfd"]), "", 80).0, "\"\\xff");
        assert_eq!(offered(&offer(&["fée".as_bytes(), "fête".as_bytes()]), "", 80).0, "f");
        assert_eq!(offered(&Offer { lead: b"type,".to_vec(), ..offer(&[b"ttl", b"tt"]) }, "type,t", 80).0, "type,tt");
    }

    #[test]
    fn a_list_says_what_it_is_not() {
        let looking = Offer { is_looking: true, ..offer(&[b"kind"]) };
        assert_eq!(
            offered(&looking, "k", 80),
            ("k".to_owned(), vec!["kind".into(), "(still looking; Tab again)".into()])
        );
        let none = Offer { is_looking: true, ..offer(&[]) };
        assert_eq!(offered(&none, "k", 80).1, ["(still looking; Tab again)", ""]);
        let values: Vec<Vec<u8>> = (100..300).map(|number| format!("k{number}").into_bytes()).collect();
        let values: Vec<&[u8]> = values.iter().map(Vec::as_slice).collect();
        let list = offered(&offer(&values), "k", 40).1;
        assert_eq!(list.last().map(String::as_str), Some("(at least 100 more; type on)"));
        assert!(list.len() <= 21 && list.iter().all(|row| row.chars().count() < 40), "{list:?}");
        let narrow = offered(&offer(&values), "k", 20).1;
        assert!(narrow.last().is_some_and(|row| row.ends_with("...") && row.len() < 20), "{narrow:?}");
    }

    #[test]
    fn a_list_is_never_as_high_as_the_screen() {
        let values: Vec<Vec<u8>> = (10..90).map(|number| format!("k{number}").into_bytes()).collect();
        let values: Vec<&[u8]> = values.iter().map(Vec::as_slice).collect();
        for rows in 1..30 {
            let list = pairs(&offer(&values), "", 10, rows);
            assert!(list[0].replacement == "k" && (list.len() == 1 || list.len() < rows), "{} in {rows}", list.len());
        }
    }

    #[test]
    fn wide_characters_take_two_columns() {
        let values: Vec<Vec<u8>> = (10..30).map(|number| format!("日本語{number}").into_bytes()).collect();
        let values: Vec<&[u8]> = values.iter().map(Vec::as_slice).collect();
        let list = offered(&offer(&values), "", 40).1;
        assert_eq!(list[0], "日本語10  日本語15  日本語20  日本語25");
        assert!(list.iter().all(|row| width(row) < 40), "{list:?}");
    }

    #[test]
    fn what_candidates_are_is_shown_where_there_is_room() {
        let notes = ["list", "string of a very long description that is longer than forty columns"];
        let mut two = offer(&[b"one", b"three"]);
        two.candidates.iter_mut().zip(notes).for_each(|(candidate, note)| note.clone_into(&mut candidate.note));
        assert_eq!(offered(&two, "", 40).1, ["one    list", "three  string of a very long descrip..."]);
        assert_eq!(offered(&two, "", 12).1, ["one", "three"]);
    }
}
