//! Round trips drawn: redis-cli's classes of `--latency-dist`, each with a block as high as its share, and bars.

use std::time::Duration;

use super::round_trips::RoundTrips;
use crate::color::{Colors, Part};

/// The classes: the longest round trip in microseconds, and the letter that the legend explains. The last one takes all
/// that are longer.
const CLASSES: [(u64, char); 31] = [
    (10, '.'),
    (125, '-'),
    (250, '*'),
    (500, '#'),
    (1_000, '1'),
    (2_000, '2'),
    (3_000, '3'),
    (4_000, '4'),
    (5_000, '5'),
    (6_000, '6'),
    (7_000, '7'),
    (8_000, '8'),
    (9_000, '9'),
    (10_000, 'A'),
    (20_000, 'B'),
    (30_000, 'C'),
    (40_000, 'D'),
    (50_000, 'E'),
    (100_000, 'F'),
    (200_000, 'G'),
    (300_000, 'H'),
    (400_000, 'I'),
    (500_000, 'J'),
    (1_000_000, 'K'),
    (2_000_000, 'L'),
    (4_000_000, 'M'),
    (8_000_000, 'N'),
    (16_000_000, 'O'),
    (30_000_000, 'P'),
    (60_000_000, 'Q'),
    (u64::MAX, '?'),
];

/// From low to high; none at all is a blank.
const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// How many round trips each class has, in their order: the longest of it, none for the last one.
pub fn classes(trips: &RoundTrips) -> Vec<(Option<Duration>, u64)> {
    let mut longer = None;
    CLASSES
        .iter()
        .map(|(micros, _)| {
            let most = (*micros < u64::MAX).then(|| Duration::from_micros(*micros));
            let count = trips.between(longer, most);
            longer = most;
            (most, count)
        })
        .collect()
}

/// What the columns mean, with their letters over them.
pub fn legend(colors: Colors) -> String {
    let text = "\
---------------------------------------------
. - * #          .01 .125 .25 .5 milliseconds
1,2,3,...,9      from 1 to 9     milliseconds
A,B,C,D,E        10,20,30,40,50  milliseconds
F,G,H,I,J        .1,.2,.3,.4,.5       seconds
K,L,M,N,O,P,Q,?  1,2,4,8,16,30,60,>60 seconds
From 0 to 100%:  ▁▂▃▄▅▆▇█
---------------------------------------------
";
    let letters: String = CLASSES.iter().map(|(_, letter)| letter).collect();
    format!("{}{letters}\n", colors.paint(Part::Hint, text))
}

/// A line with a block for each class.
pub fn line(trips: &RoundTrips, colors: Colors) -> String {
    let blocks: String = classes(trips)
        .iter()
        .map(|(most, count)| paint(*most, &block(*count, trips.count).to_string(), colors))
        .collect();
    format!("{}\n", blocks.trim_end())
}

/// A class's block: an eighth for any share.
fn block(count: u64, all: u64) -> char {
    let eighths = count.saturating_mul(8).div_ceil(all.max(1));
    let index = usize::try_from(eighths).unwrap_or(8).checked_sub(1);
    index.map_or(' ', |index| BLOCKS[index.min(7)])
}

/// The length of a bar, by the order of magnitude: from 10 microseconds to 10 seconds.
const BAR: f64 = 24.0;
const DECADES: f64 = 6.0;
const LEAST: f64 = 1e-5;
const EIGHTHS: [char; 8] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉', '█'];

/// A bar for a round trip.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small positive number")]
pub fn bar(time: Duration, colors: Colors) -> String {
    let share = (libm::log10((time.as_secs_f64() / LEAST).max(1.0)) / DECADES).clamp(0.0, 1.0);
    let eighths = (share * BAR * 8.0).round().max(1.0) as usize;
    let mut bar = "█".repeat(eighths / 8);
    if !eighths.is_multiple_of(8) {
        bar.push(EIGHTHS[eighths % 8 - 1]);
    }
    paint(Some(time), &bar, colors)
}

/// By how long it takes: not felt, seen, waited for.
fn paint(time: Option<Duration>, text: &str, colors: Colors) -> String {
    let part = match time {
        Some(time) if time <= Duration::from_millis(1) => Part::Fast,
        Some(time) if time <= Duration::from_millis(100) => Part::Slow,
        _ => Part::Hanging,
    };
    if text.trim().is_empty() { text.to_owned() } else { colors.paint(part, text).into_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_class_has_a_block_as_high_as_its_share() {
        let mut trips = RoundTrips::default();
        for micros in [5, 100, 100, 100, 900, 90_000_000] {
            trips.note(Duration::from_micros(micros));
        }
        assert_eq!(line(&trips, Colors(false)), format!("▂▄  ▂{}▂\n", " ".repeat(25)));
        assert_eq!(classes(&trips).iter().map(|(_, count)| count).sum::<u64>(), 6);
        assert!(line(&trips, Colors(true)).contains("\u{1b}[38;5;167m▂"));
        assert_eq!(block(1, 100_000), '▁');
        assert_eq!((block(0, 9), block(9, 9), block(0, 0)), (' ', '█', ' '));
    }

    #[test]
    fn a_bar_is_as_long_as_the_order_of_magnitude() {
        let length = |micros| bar(Duration::from_micros(micros), Colors(false)).chars().count();
        assert_eq!([0, 100, 10_000, 10_000_000, 99_000_000].map(length), [1, 4, 12, 24, 24]);
    }
}
