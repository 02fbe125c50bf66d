//! What must be true of an execution of the demo when everything is over.

use super::audit::Story;
use super::workload::{self, NOT_BEFORE};
use leasehold_core::state::{AttemptType, PublicState, TerminalOutcome};

/// What is wrong with an execution, in words.
pub(super) fn problems(story: &Story) -> Vec<String> {
    let mut found = Vec::new();
    let execution = &story.execution;
    let mut must = |holds: bool, text: String| {
        if !holds {
            found.push(format!("{} ({}): {text}", execution.id, execution.spec.kind));
        }
    };
    let state = story.state();
    must(execution.vector().is_terminal(), format!("has not ended, it is {state}"));

    // One completion event, and one more for every replay.
    let (endings, runs) = (story.endings.len(), execution.replay_count as usize + 1);
    must(endings == runs, format!("{endings} completion events for {runs} runs"));
    let last = story.endings.last().copied().map(state_of);
    must(last == Some(state), format!("it is {state}, its last completion event says {last:?}"));

    // Record, attempts and events tell the same story.
    let listed = story.attempts.len();
    let counted = execution.total_attempt_count;
    must(listed == counted as usize, format!("{counted} attempts were counted, {listed} are listed"));
    let in_order = story.attempts.iter().zip(0..).all(|(attempt, index)| attempt.attempt_index.0 == index);
    must(in_order, "its attempts are not numbered without gaps".to_owned());
    let open = story.attempts.iter().filter(|attempt| !attempt.lifecycle.is_terminal()).count();
    must(open == 0, format!("{open} attempts have not ended"));
    let reclaims = story.attempts_of(AttemptType::Reclaim);
    let counted = u64::from(execution.lease_reclaim_count);
    must(reclaims == counted, format!("{counted} reclaims were counted, {reclaims} attempts are listed"));
    let told = story.reclaim_events;
    must(reclaims == told, format!("{told} reclaims in the event log, {reclaims} attempts are listed"));

    let Some(kind) = workload::find(&execution.spec.kind) else {
        must(false, "nobody submits this kind".to_owned());
        return found;
    };
    must(*kind.lane == *execution.lane_id.as_str(), format!("it is in the lane {}", execution.lane_id));
    must(state == kind.ends, format!("it is {state} and should be {}", kind.ends));
    let retries = story.attempts_of(AttemptType::Retry);
    let wanted = u64::from(*kind.retries.start())..=u64::from(*kind.retries.end());
    must(wanted.contains(&retries), format!("{retries} retries, {wanted:?} were due"));
    must(reclaims >= u64::from(kind.reclaims_min), format!("{reclaims} reclaims, at least {}", kind.reclaims_min));
    let replays = story.attempts_of(AttemptType::Replay);
    must(replays == u64::from(kind.replays), format!("{replays} replays, {} were due", kind.replays));
    must(!kind.never_starts || listed == 0, format!("{listed} attempts of what nobody could start"));
    must(state != PublicState::Completed || execution.result.is_some(), "it completed without a result".to_owned());
    if let Some(not_before) = execution.tags.get(NOT_BEFORE).and_then(|ms| ms.parse::<i64>().ok()) {
        let early = execution.started_at.map_or(0, |started| (not_before - started.0).max(0));
        must(early == 0, format!("it started {early} ms early"));
    }
    found
}

/// The state an ending leads to.
fn state_of(outcome: TerminalOutcome) -> PublicState {
    match outcome {
        TerminalOutcome::Success => PublicState::Completed,
        TerminalOutcome::Cancelled => PublicState::Cancelled,
        TerminalOutcome::Expired => PublicState::Expired,
        TerminalOutcome::Skipped => PublicState::Skipped,
        TerminalOutcome::Failed | TerminalOutcome::None => PublicState::Failed,
    }
}
