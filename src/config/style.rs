//! How the output looks: the format, its details, and colours (contract section 2).

use std::ffi::OsString;
use std::io::{self, IsTerminal as _};
use std::os::unix::ffi::OsStrExt as _;

use super::environment;
use crate::cli::{Cli, Encoding, Guise, OutputOptions, ReportsForm, Verb, When};
use crate::color::Colors;
use crate::exit::{Failure, Outcome};
use crate::render::{Format, Style};
use crate::report::set_colors;

/// How the output of a verb looks, in this format.
pub(super) fn style_of(output: &OutputOptions, verb: Option<&Verb>, guise: Guise, format: Format) -> Outcome<Style> {
    let delimiter = |given: &Option<OsString>| given.as_ref().map_or(b"\n".to_vec(), |text| text.as_bytes().to_vec());
    if let (Format::Csv, Some(name)) = (format, verb.and_then(Verb::without_csv)) {
        return Err(Failure::usage(format!(
            "{name} has no CSV form: leave out --csv, or RCLI_FORMAT=csv or :set output csv"
        )));
    }
    Ok(Style {
        format,
        element_delimiter: delimiter(&output.element_delimiter),
        reply_delimiter: delimiter(&output.reply_delimiter),
        one_line_errors: matches!(verb, Some(Verb::Pipe(_))),
        base64: output.encoding == Some(Encoding::Base64),
        quoted: output.quoted_json,
        keeps_bytes: (guise.fakes_terminal || guise.called_as.is_some()) && !io::stdout().is_terminal(),
        whole_messages: matches!(verb, Some(Verb::Exec(_)) | None),
        quotes_keys: false,
        parses_reports: output.reports != Some(ReportsForm::Text),
        nest_json: verb.is_some_and(Verb::nests_json),
        colors: decide_colors(output.color, io::stdout().is_terminal()),
        is_terminal: io::stdout().is_terminal(),
    })
}

/// The same for a verb that is typed at the prompt: what is not said there looks as in the session, whose streams have
/// a format of their own.
pub(super) fn decide_style_at_prompt(cli: &Cli, guise: Guise, session: &Style, streams: Format) -> Outcome<Style> {
    let (output, verb) = (&cli.output, cli.verb.as_ref());
    let format = match verb {
        Some(Verb::Pipe(args)) if args.envelope => Format::Json,
        _ if output.names_format() => decide_format(output, verb, guise)?,
        Some(verb) if verb.is_stream() => streams,
        _ => session.format,
    };
    let typed = style_of(output, verb, guise, format)?;
    let or = |typed, is_typed, session: &Vec<u8>| if is_typed { typed } else { session.clone() };
    Ok(Style {
        element_delimiter: or(typed.element_delimiter, output.element_delimiter.is_some(), &session.element_delimiter),
        reply_delimiter: or(typed.reply_delimiter, output.reply_delimiter.is_some(), &session.reply_delimiter),
        base64: output.encoding.map_or(session.base64, |encoding| encoding == Encoding::Base64),
        quoted: typed.quoted || session.quoted && !output.names_format(),
        parses_reports: output.reports.map_or(session.parses_reports, |form| form == ReportsForm::Parsed),
        colors: if output.color.is_some() { typed.colors } else { session.colors },
        // Its reply may go elsewhere.
        is_terminal: session.is_terminal,
        ..typed
    })
}

/// Whether an option or the environment names the format.
pub(super) fn is_format_chosen(output: &OutputOptions) -> bool {
    output.names_format() || environment("RCLI_FORMAT").is_some()
}

/// Decides on the colours of stderr, for [`crate::report`].
pub fn decide_stderr_color(output: &OutputOptions) {
    set_colors(decide_colors(output.color, io::stderr().is_terminal()));
}

fn decide_colors(when: Option<When>, is_terminal: bool) -> Colors {
    match when.unwrap_or(When::Auto) {
        When::Always => Colors(true),
        When::Never => Colors(false),
        When::Auto => Colors::by_default(is_terminal),
    }
}

pub(super) fn decide_format(output: &OutputOptions, verb: Option<&Verb>, guise: Guise) -> Outcome<Format> {
    let is_envelope = matches!(verb, Some(Verb::Pipe(args)) if args.envelope);
    let named = [
        (output.json || output.quoted_json || is_envelope, Format::Json),
        (output.raw, Format::Raw),
        (output.human, Format::Human),
        (output.csv, Format::Csv),
    ];
    if let Some((_, format)) = named.into_iter().find(|(is_named, _)| *is_named) {
        return Ok(format);
    }
    match environment("RCLI_FORMAT") {
        Some(name) => name
            .to_str()
            .and_then(Format::named)
            .ok_or_else(|| Failure::usage(format!("RCLI_FORMAT={}: {} is expected", name.display(), Format::NAMES))),
        // The lines of a stream are JSON unless something else is asked for (contract section 8).
        None if verb.is_some_and(Verb::is_stream) => Ok(Format::Json),
        None if io::stdout().is_terminal() || guise.fakes_terminal => Ok(Format::Human),
        None => Ok(Format::Raw),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test ends by panicking")]
mod tests {
    use super::*;

    #[test]
    fn each_format_has_an_option_and_the_later_one_of_two_counts() {
        let guise = Guise { called_as: None, fakes_terminal: false, fakes_prompt: false };
        let typed = |words: &[String]| {
            let cli = Cli::read_at_prompt(&words.iter().map(OsString::from).collect::<Vec<_>>()).unwrap();
            decide_format(&cli.output, None, guise).unwrap()
        };
        for earlier in Format::ALL {
            for later in Format::ALL {
                let options = [earlier, later].map(|format| format!("--{}", format.name()));
                assert_eq!(typed(&[&["ls".to_owned()][..], &options].concat()), later, "{options:?}");
            }
        }
    }
}
