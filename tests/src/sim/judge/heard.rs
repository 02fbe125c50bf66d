//! The judge of suspensions: a condition holds or does not over all signals
//! that were heard, whatever the engine counted on the way.

use crate::sim::kept;
use leasehold_backend::{Backend, LoggedEvent};
use leasehold_core::event::Fact;
use leasehold_core::record::{RecordKey, Signal, SignalKey, Suspension, WaitKey, Waits};
use leasehold_core::suspension::{CompositeBody, CountKind, ResumeCondition, SignalMatcher};
use std::collections::BTreeSet;
use std::sync::Arc;

/// A signal with the key of the waitpoint it came to.
type Heard<'a> = (&'a str, &'a Signal);

fn accepts(matcher: &SignalMatcher, signal: &Signal) -> bool {
    match matcher {
        SignalMatcher::ByName(name) => *name == signal.signal_name,
        SignalMatcher::Wildcard => true,
    }
}

/// Whether a condition holds over these signals, by its definition.
pub fn holds(condition: &ResumeCondition, heard: &[Heard<'_>]) -> bool {
    match condition {
        ResumeCondition::Single { waitpoint_key, matcher } => {
            heard.iter().any(|(key, signal)| key == waitpoint_key && accepts(matcher, signal))
        }
        ResumeCondition::OperatorOnly | ResumeCondition::TimeoutOnly => false,
        ResumeCondition::Composite(CompositeBody::AllOf { members }) => {
            members.iter().all(|member| holds(member, heard))
        }
        ResumeCondition::Composite(CompositeBody::Count { n, count_kind, matcher, waitpoints }) => {
            let counts = |(key, signal): &&Heard<'_>| {
                waitpoints.iter().any(|waitpoint| waitpoint == key)
                    && matcher.as_ref().is_none_or(|matcher| accepts(matcher, signal))
            };
            let told_apart_by = |(key, signal): &Heard<'_>| match count_kind {
                CountKind::DistinctWaitpoints => (*key).to_owned(),
                CountKind::DistinctSignals => signal.key.signal_id.to_string(),
                CountKind::DistinctSources => format!("{:?} {:?}", signal.source_type, signal.source_identity),
            };
            heard.iter().filter(counts).map(told_apart_by).collect::<BTreeSet<_>>().len() >= *n as usize
        }
    }
}

/// Compares how the last suspension of an execution ended with what it heard,
/// as the log tells in order. One that began with signals that were kept for
/// it is left out, since the log does not tell of those. True if compared.
pub async fn compare(backend: &dyn Backend, waits: &Waits, log: &[LoggedEvent], found: &mut Vec<String>) -> bool {
    let Some(suspension) = waits.current.as_ref().filter(|suspension| suspension.buffered.signals == 0) else {
        return false;
    };
    let key_of = |key: &SignalKey| {
        let bound = suspension.waitpoints.iter().find(|bound| bound.waitpoint_id == key.waitpoint_id)?;
        Some(&*bound.waitpoint_key)
    };
    let mut signals: Vec<(&str, Arc<Signal>)> = Vec::new();
    let events = log.iter().map(|logged| &logged.event).filter(|event| event.execution_id == waits.execution_id);
    for fact in events.flat_map(|event| &event.facts) {
        let Fact::SignalDelivered { signal_id, waitpoint_id, .. } = fact else { continue };
        let key = SignalKey { waitpoint_id: *waitpoint_id, signal_id: *signal_id };
        let Some(waitpoint_key) = key_of(&key) else { continue };
        let record =
            kept::load(backend, waits.execution_id.partition(), &[RecordKey::from(WaitKey::Signal(key))]).await;
        signals.extend(kept::as_signal(record.into_iter().next().flatten()).map(|signal| (waitpoint_key, signal)));
    }
    let heard: Vec<Heard<'_>> = signals.iter().map(|(key, signal)| (*key, &**signal)).collect();
    if let Some(what) = wrong(suspension, &heard) {
        found.push(format!("{}: {what}: {suspension:?}", waits.execution_id));
    }
    true
}

/// What does not fit, if anything.
fn wrong(suspension: &Suspension, heard: &[Heard<'_>]) -> Option<&'static str> {
    let closer = suspension.closed.as_ref().and_then(|closed| closed.closer_signal_id);
    match (closer, holds(&suspension.condition, heard)) {
        (None, false) => None,
        (None, true) => Some("its condition holds, and nothing resumed it for that"),
        (Some(_), false) => Some("its condition does not hold, and resumed it"),
        (Some(closer), true) => {
            let (last, before) = heard.split_last()?;
            if last.1.key.signal_id != closer {
                return Some("it heard signals after the one that resumed it");
            }
            holds(&suspension.condition, before).then_some("it was resumed later than its condition held")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use leasehold_core::ids::ExecutionId;
    use leasehold_core::suspension::SignalEffect;
    use leasehold_core::time::TimestampMs;
    use uuid::Uuid;

    fn signal(number: u128, name: &str, source: &str) -> Signal {
        Signal {
            key: SignalKey { waitpoint_id: Uuid::from_u128(1).into(), signal_id: Uuid::from_u128(number).into() },
            execution_id: ExecutionId::from_parts(0, Uuid::from_u128(2)),
            target_scope: String::new(),
            signal_name: name.to_owned(),
            signal_category: String::new(),
            source_type: "service".to_owned(),
            source_identity: source.to_owned(),
            correlation_id: None,
            idempotency_key: None,
            created_at: TimestampMs(0),
            accepted_at: TimestampMs(0),
            payload: None,
            payload_encoding: String::new(),
            observed_effect: SignalEffect::NoOp,
        }
    }

    fn count(n: u32, count_kind: CountKind) -> ResumeCondition {
        let waitpoints = vec!["a".to_owned(), "b".to_owned()];
        ResumeCondition::Composite(CompositeBody::Count { n, count_kind, matcher: None, waitpoints })
    }

    #[test]
    fn a_condition_holds_by_its_definition() {
        let (go, again, stop) = (signal(1, "go", "x"), signal(2, "go", "x"), signal(3, "stop", "y"));
        let heard = [("a", &go), ("a", &again), ("c", &stop)];
        let single = |key: &str, name: &str| ResumeCondition::Single {
            waitpoint_key: key.to_owned(),
            matcher: SignalMatcher::ByName(name.to_owned()),
        };
        let both = |one, other| ResumeCondition::Composite(CompositeBody::AllOf { members: vec![one, other] });
        for (condition, expected) in [
            (single("a", "go"), true),
            (single("a", "stop"), false),
            (both(single("a", "go"), single("c", "stop")), true),
            (both(single("a", "go"), single("b", "stop")), false),
            (count(2, CountKind::DistinctSignals), true),
            (count(2, CountKind::DistinctSources), false),
            (count(2, CountKind::DistinctWaitpoints), false),
            (ResumeCondition::OperatorOnly, false),
        ] {
            assert_eq!(holds(&condition, &heard), expected, "{condition:?}");
        }
    }
}
