//! Bounds on arguments, checked before an actor is asked.

use leasehold_contract::EngineResult;
use leasehold_core::capability::CapabilitySet;
use leasehold_core::error::EngineError;

/// The longest a lease may last: 24 days.
pub(super) const LEASE_TTL_MS_MAX: u64 = 24 * 86_400_000;

/// The most names one read of fields may ask for.
pub(super) const FIELD_NAMES_MAX: usize = 64;

/// Refuses a lease that lapses when it is issued, or as good as never.
pub(super) fn lease_ttl(field: &str, ms: u64) -> EngineResult<()> {
    if (1..=LEASE_TTL_MS_MAX).contains(&ms) {
        return Ok(());
    }
    Err(EngineError::invalid_input(format!("{field}: {ms}, from 1 to {LEASE_TTL_MS_MAX}")))
}

/// Refuses a grant that is void when it is issued.
pub(super) fn grant_ttl(ms: u64) -> EngineResult<()> {
    if ms > 0 {
        return Ok(());
    }
    Err(EngineError::invalid_input("grant_ttl_ms: 0, at least 1"))
}

/// Refuses a set that no worker may offer. A set has the same type whichever
/// side it came from, and what a worker offers is held to a stricter grammar.
pub(super) fn offered(capabilities: &CapabilitySet) -> EngineResult<()> {
    CapabilitySet::parse_offered(capabilities.iter()).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_lasts_from_a_millisecond_to_24_days() {
        for (ms, fine) in [(0, false), (1, true), (2_073_600_000, true), (2_073_600_001, false), (u64::MAX, false)] {
            assert_eq!(lease_ttl("lease_ttl_ms", ms).is_ok(), fine, "{ms}");
        }
        let error = lease_ttl("lease_duration_ms", 0).unwrap_err();
        assert_eq!(error.code(), "invalid_input");
        assert!(error.to_string().contains("lease_duration_ms: 0"));
    }

    #[test]
    fn a_grant_lasts_at_least_a_millisecond() {
        assert_eq!(grant_ttl(0).unwrap_err().code(), "invalid_input");
        assert_eq!(grant_ttl(1), Ok(()));
    }

    #[test]
    fn a_worker_offers_no_exotic_whitespace() {
        let requirement = CapabilitySet::parse_required(["a\u{a0}b"]).unwrap();
        assert_eq!(offered(&requirement).unwrap_err().code(), "invalid_input");
        assert_eq!(offered(&CapabilitySet::EMPTY), Ok(()));
    }
}
