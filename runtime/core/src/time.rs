//! Milliseconds since the Unix epoch, as the store's clock counts them.
//!
//! The crate never reads a clock; every rule takes the current time as an argument.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A point in time: milliseconds since the Unix epoch.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    bincode::Encode,
    bincode::Decode,
)]
#[serde(transparent)]
pub struct TimestampMs(pub i64);

impl TimestampMs {
    /// The time `ms` later. Saturates, so that "never" given as `u64::MAX` stays in the future.
    pub const fn plus(self, ms: u64) -> Self {
        Self(self.0.saturating_add_unsigned(ms))
    }

    /// The time `ms` earlier. Saturates.
    pub const fn minus(self, ms: u64) -> Self {
        Self(self.0.saturating_sub_unsigned(ms))
    }

    /// Milliseconds passed since `earlier`; 0 when `earlier` is not in the past,
    /// because a clock that steps back must not make anything look overdue.
    pub const fn since(self, earlier: Self) -> u64 {
        if self.0 > earlier.0 { self.0.abs_diff(earlier.0) } else { 0 }
    }
}

impl fmt::Display for TimestampMs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::TimestampMs;

    #[test]
    fn arithmetic_saturates_at_both_ends() {
        assert_eq!(TimestampMs(5).plus(7), TimestampMs(12));
        assert_eq!(TimestampMs(5).minus(7), TimestampMs(-2));
        assert_eq!(TimestampMs(1).plus(u64::MAX), TimestampMs(i64::MAX));
        assert_eq!(TimestampMs(-1).minus(u64::MAX), TimestampMs(i64::MIN));
    }

    #[test]
    fn time_since_a_later_point_is_zero() {
        assert_eq!(TimestampMs(10).since(TimestampMs(4)), 6);
        assert_eq!(TimestampMs(4).since(TimestampMs(10)), 0);
        assert_eq!(TimestampMs(i64::MAX).since(TimestampMs(i64::MIN)), u64::MAX);
    }

    #[test]
    fn the_wire_form_is_the_bare_integer() {
        assert_eq!(TimestampMs(-3).to_string(), "-3");
        assert_eq!(serde_json::to_string(&TimestampMs(1_700_000_000_000)).unwrap(), "1700000000000");
        assert_eq!(serde_json::from_str::<TimestampMs>("42").unwrap(), TimestampMs(42));
    }
}
