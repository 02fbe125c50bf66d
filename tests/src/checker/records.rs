//! Executions and attempts at rest.

use super::contents::{Contents, Stored};
use super::{Assumptions, Report, Rule};
use leasehold_core::codec::{decode, encode};
use leasehold_core::invariant::check_execution;
use leasehold_core::record::{Blob, Execution, ResultRef};

/// Checks every execution with what lies beside it.
pub fn check(contents: &Contents, assumptions: Assumptions, report: &mut Report) {
    for stored in contents.executions.values() {
        let execution = stored.execution.as_ref();
        let id = execution.id;
        report.ensure(id.partition() == contents.partition, id, Rule::Home, || {
            format!("it lies in partition {}", contents.partition)
        });
        if let Err(violation) = check_execution(execution) {
            report.add(Some(id), Rule::Record, format!("{} ({})", violation.rule, violation.detail));
        }
        match encode(execution).and_then(|bytes| decode::<Execution>(&bytes)) {
            Ok(read) => report.ensure(read == *execution, id, Rule::Encoding, || "it reads back as another".to_owned()),
            Err(error) => report.add(Some(id), Rule::Encoding, error.to_string()),
        }
        blobs(stored, report);
        attempts(stored, report);
        if assumptions.stored_retry_policy_binds {
            retries(execution, report);
        }
    }
}

fn blobs(stored: &Stored, report: &mut Report) {
    let id = stored.execution.id;
    report.ensure(stored.payload.is_some(), id, Rule::Blobs, || "no payload".to_owned());
    let said = match stored.execution.result {
        Some(ResultRef::Stored(bytes)) => Some(bytes as usize),
        _ => None,
    };
    let found = stored.result.as_ref().map(Blob::len);
    report.ensure(said == found, id, Rule::Blobs, || {
        format!("a result of {said:?} bytes by the record, {found:?} in the store")
    });
}

fn attempts(stored: &Stored, report: &mut Report) {
    let execution = stored.execution.as_ref();
    let id = execution.id;
    let current = execution.attempt.iter();
    let found: Vec<u32> = stored.attempts.iter().map(AsRef::as_ref).chain(current).map(|a| a.index.0).collect();
    let wanted: Vec<u32> = (0..execution.total_attempt_count).collect();
    report.ensure(found == wanted, id, Rule::AttemptRows, || {
        format!("{} counted, found {found:?}", execution.total_attempt_count)
    });
    for attempt in &stored.attempts {
        let ended = attempt.lifecycle.is_terminal() && attempt.ended_at.is_some();
        report.ensure(ended, id, Rule::AttemptEnded, || format!("attempt {} is {}", attempt.index, attempt.lifecycle));
        report.ensure(attempt.execution == id.uuid().as_u128(), id, Rule::AttemptRows, || {
            format!("attempt {} names another execution", attempt.index)
        });
    }
}

/// Without a stored policy nothing says how often a failure may be retried.
fn retries(execution: &Execution, report: &mut Report) {
    let policy = execution.spec.policy.as_ref().and_then(|policy| policy.retry_policy.as_ref());
    if let Some(policy) = policy {
        report.ensure(execution.retry_count <= policy.max_retries, execution.id, Rule::RetryCap, || {
            format!("{} of at most {}", execution.retry_count, policy.max_retries)
        });
    }
}
