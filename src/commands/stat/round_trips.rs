//! How long answers took: the exact bounds and mean of all, and percentiles to three digits, in bounded memory.

use std::collections::BTreeMap;
use std::time::Duration;

/// Round trips that were measured.
#[derive(Clone, Debug, Default)]
pub struct RoundTrips {
    pub count: u64,
    total: Duration,
    pub min: Duration,
    pub max: Duration,
    /// How many took so many microseconds, of which three digits are kept.
    rounded: BTreeMap<u64, u64>,
}

impl RoundTrips {
    pub fn note(&mut self, took: Duration) {
        self.min = if self.count == 0 { took } else { self.min.min(took) };
        self.max = self.max.max(took);
        self.count += 1;
        self.total += took;
        *self.rounded.entry(round(took)).or_default() += 1;
    }

    pub fn add(&mut self, others: &Self) {
        if others.count > 0 {
            self.min = if self.count == 0 { others.min } else { self.min.min(others.min) };
        }
        self.max = self.max.max(others.max);
        self.count += others.count;
        self.total += others.total;
        for (took, count) in &others.rounded {
            *self.rounded.entry(*took).or_default() += count;
        }
    }

    pub fn mean(&self) -> Duration {
        if self.count == 0 { Duration::ZERO } else { Duration::from_secs_f64(self.total.as_secs_f64() / self.exact()) }
    }

    /// What 99 of 100 did not take longer than.
    pub fn p99(&self) -> Duration {
        let mut left = self.count - self.count / 100;
        for (took, count) in &self.rounded {
            if *count >= left {
                return Duration::from_micros(*took).clamp(self.min, self.max);
            }
            left -= count;
        }
        self.max
    }

    /// How many took longer than the first and not longer than the second.
    pub fn between(&self, longer: Option<Duration>, most: Option<Duration>) -> u64 {
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let range = longer.map_or(0, |longer| micros(longer) + 1)..=most.map_or(u64::MAX, micros);
        self.rounded.range(range).map(|(_, count)| count).sum()
    }

    #[expect(clippy::cast_precision_loss, reason = "nobody takes so many samples")]
    fn exact(&self) -> f64 {
        self.count as f64
    }
}

fn round(took: Duration) -> u64 {
    let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    let mut unit = 1;
    while micros / unit >= 1000 {
        unit *= 10;
    }
    micros / unit * unit
}

/// Milliseconds as they are shown, to a microsecond.
pub fn in_ms(time: Duration) -> String {
    format!("{:.3}", time.as_secs_f64() * 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_told_to_three_digits() {
        let mut trips = RoundTrips::default();
        assert_eq!((trips.p99(), trips.mean()), (Duration::ZERO, Duration::ZERO));
        for micros in 1..=1000 {
            trips.note(Duration::from_micros(micros * 10));
        }
        let micros = Duration::from_micros;
        assert_eq!((trips.min, trips.max, trips.mean()), (micros(10), micros(10_000), micros(5005)));
        assert_eq!(trips.p99(), micros(9900));
        assert_eq!(trips.between(None, Some(micros(100))), 10);
        assert_eq!(trips.between(Some(micros(100)), None), 990);
        assert!(trips.rounded.len() <= 1000);
        let mut sum = RoundTrips::default();
        sum.add(&trips);
        sum.note(micros(1));
        assert_eq!((sum.count, sum.min, sum.max), (1001, micros(1), micros(10_000)));
    }
}
