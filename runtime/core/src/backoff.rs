//! When a failed attempt is followed by another, and after how long.

use serde::{Deserialize, Serialize};

use crate::policy::{Backoff, RetryPolicy};

/// What kind of failure a worker reports.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, bincode::Encode, bincode::Decode,
)]
#[serde(rename_all = "snake_case")]
pub enum FailureClass {
    /// Likely to pass.
    Transient,
    /// Will happen again.
    Permanent,
    /// The process or machine went away.
    InfraCrash,
    /// The work took too long.
    Timeout,
    /// The work was asked to stop.
    Cancelled,
}

impl FailureClass {
    /// The wire spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Transient => "transient",
            Self::Permanent => "permanent",
            Self::InfraCrash => "infra_crash",
            Self::Timeout => "timeout",
            Self::Cancelled => "cancelled",
        }
    }

    /// Reads the wire spelling.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Transient, Self::Permanent, Self::InfraCrash, Self::Timeout, Self::Cancelled]
            .into_iter()
            .find(|class| class.as_str() == text)
    }
}

/// How long to wait before the next attempt.
///
/// `retry_count` is the number of retries before this failure, so 0 for the
/// first retry. `random` lies in `[0, 1)` and is used only with jitter.
pub fn delay_ms(backoff: &Backoff, retry_count: u32, random: f64) -> u64 {
    match *backoff {
        Backoff::Fixed { delay_ms } => delay_ms,
        Backoff::Exponential { initial_delay_ms, max_delay_ms, multiplier, jitter } => {
            let full = initial_delay_ms as f64 * multiplier.powf(f64::from(retry_count));
            // A number that is none (0 times infinity) cannot be compared, and waits the longest.
            let bounded = if full.is_nan() || full >= max_delay_ms as f64 { max_delay_ms } else { full as u64 };
            if jitter { uniform(bounded, random) } else { bounded }
        }
    }
}

/// A whole number between 0 and `top`, both included.
fn uniform(top: u64, random: f64) -> u64 {
    // The cast of a float saturates, and takes what is no number for zero.
    ((random * (top as f64 + 1.0)) as u64).min(top)
}

/// Whether a failed attempt is followed by another.
///
/// Some failures are final whatever the policy says, and without a policy
/// every failure is.
pub fn should_retry(
    policy: Option<&RetryPolicy>,
    retry_count: u32,
    class: Option<FailureClass>,
    category: &str,
) -> bool {
    let Some(policy) = policy else { return false };
    let class_allows = !matches!(class, Some(FailureClass::Permanent | FailureClass::Cancelled));
    let categories = &policy.retryable_categories;
    let category_allows = categories.is_empty() || categories.iter().any(|known| known == category);
    class_allows && category_allows && retry_count < policy.max_retries
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exponential(initial_delay_ms: u64, max_delay_ms: u64, multiplier: f64) -> Backoff {
        Backoff::Exponential { initial_delay_ms, max_delay_ms, multiplier, jitter: false }
    }

    fn jittered(delay_ms: u64) -> Backoff {
        Backoff::Exponential { initial_delay_ms: delay_ms, max_delay_ms: delay_ms, multiplier: 1.0, jitter: true }
    }

    #[test]
    fn exponential_delays_grow_to_their_maximum() {
        let backoff = Backoff::default();
        for (retry_count, delay) in
            [(0, 1_000), (1, 2_000), (2, 4_000), (5, 32_000), (6, 60_000), (7, 60_000), (u32::MAX, 60_000)]
        {
            assert_eq!(delay_ms(&backoff, retry_count, 0.5), delay, "retry {retry_count}");
        }
    }

    #[test]
    fn odd_arithmetic_stays_between_zero_and_the_maximum() {
        for (backoff, retry_count, delay) in [
            (exponential(1_000, 60_000, 1.5), 3, 3_375),
            (exponential(1_001, 60_000, 0.5), 1, 500),
            (exponential(1_000, 60_000, 0.0), 0, 1_000),
            (exponential(1_000, 60_000, 0.0), 1, 0),
            (exponential(0, 60_000, 2.0), 4, 0),
            (exponential(0, 60_000, 2.0), u32::MAX, 60_000),
            (exponential(1_000, 60_000, f64::NAN), 1, 60_000),
            (exponential(1_000, 60_000, f64::INFINITY), 1, 60_000),
            (exponential(1_000, 60_000, -2.0), 1, 0),
            (exponential(1_000, 60_000, -2.0), 2, 4_000),
            (exponential(5_000, 1_000, 2.0), 0, 1_000),
            (exponential(u64::MAX, u64::MAX, 2.0), 0, u64::MAX),
            (exponential(1, u64::MAX, 1e300), 9, u64::MAX),
        ] {
            assert_eq!(delay_ms(&backoff, retry_count, 0.0), delay, "{backoff:?} retry {retry_count}");
        }
    }

    #[test]
    fn a_fixed_delay_never_grows() {
        for retry_count in [0, 1, 50] {
            assert_eq!(delay_ms(&Backoff::Fixed { delay_ms: 70_000 }, retry_count, 0.9), 70_000);
        }
    }

    #[test]
    fn jitter_draws_a_whole_number_up_to_the_delay() {
        for (delay, random, drawn) in [
            (9, 0.0, 0),
            (9, 0.0999, 0),
            (9, 0.1, 1),
            (9, 0.55, 5),
            (9, 0.999_999, 9),
            (9, 1.0, 9),
            (9, -1.0, 0),
            (9, f64::NAN, 0),
            (0, 0.7, 0),
            (u64::MAX, 0.999_999_999_999_999_9, u64::MAX - 2047),
        ] {
            assert_eq!(delay_ms(&jittered(delay), 3, random), drawn, "{delay} {random}");
        }
    }

    #[test]
    fn a_failure_is_retried_only_when_all_conditions_hold() {
        let any = RetryPolicy { max_retries: 2, ..RetryPolicy::default() };
        let some = RetryPolicy { retryable_categories: vec!["net".to_owned()], ..any.clone() };
        let never = RetryPolicy { max_retries: 0, ..RetryPolicy::default() };
        for (policy, retry_count, class, category, expected) in [
            (None, 0, None, "net", false),
            (Some(&any), 0, None, "", true),
            (Some(&any), 1, Some(FailureClass::Transient), "x", true),
            (Some(&any), 2, Some(FailureClass::Transient), "x", false),
            (Some(&any), 0, Some(FailureClass::InfraCrash), "x", true),
            (Some(&any), 0, Some(FailureClass::Timeout), "x", true),
            (Some(&any), 0, Some(FailureClass::Permanent), "x", false),
            (Some(&any), 0, Some(FailureClass::Cancelled), "x", false),
            (Some(&some), 0, None, "net", true),
            (Some(&some), 0, None, "net2", false),
            (Some(&some), 0, Some(FailureClass::Permanent), "net", false),
            (Some(&never), 0, None, "net", false),
        ] {
            assert_eq!(should_retry(policy, retry_count, class, category), expected, "{class:?} {category}");
        }
    }

    #[test]
    fn class_names_read_back() {
        for name in ["transient", "permanent", "infra_crash", "timeout", "cancelled"] {
            let class = FailureClass::parse(name).unwrap();
            assert_eq!(class.as_str(), name);
            assert_eq!(serde_json::to_value(class).unwrap(), name);
        }
        assert_eq!(FailureClass::parse("Transient"), None);
    }
}
