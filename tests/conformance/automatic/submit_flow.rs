//! Declared flows that nobody finished building.

use crate::case::{Case, meets};
use crate::flows::graph::{contents, header, outcome};
use crate::flows::shapes::{fan_out, ids};
use crate::flows::submit_flow::begun;
use leasehold_contract::SubmitFlowOutcome;
use leasehold_core::command::flow::UNSEALED_MS_MAX;
use leasehold_core::record::flow::CancellationPolicy;
use leasehold_core::state::TerminalOutcome;

pub async fn what_is_not_sealed_in_time_is_given_up(case: &mut Case) {
    let spec = fan_out(case, 200);
    let built = begun(case, &spec).await;
    case.pass(UNSEALED_MS_MAX - 1).await;
    assert!(header(case, spec.flow_id).await.cancelled.is_none());
    case.pass(5).await;
    let cancelled = header(case, spec.flow_id).await.cancelled.clone().unwrap();
    assert_eq!((cancelled.reason.as_str(), cancelled.policy), ("not_sealed", CancellationPolicy::CancelAll));
    for id in &ids(&spec)[..built] {
        assert_eq!(outcome(case, *id).await, TerminalOutcome::Cancelled);
        assert_eq!(case.story(*id).await, ["completed cancelled by cascade"]);
    }
    assert!(contents(case, spec.flow_id).await.build.is_none());
    meets(case.engine.submit_flow(spec).await, "flow_already_terminal");
}

pub async fn its_time_goes_on_under_the_next_engine(case: &mut Case) {
    let spec = fan_out(case, 200);
    begun(case, &spec).await;
    case.pass(UNSEALED_MS_MAX / 2).await;
    case.kill().await;
    case.pass(UNSEALED_MS_MAX / 2 - 1).await;
    assert!(header(case, spec.flow_id).await.cancelled.is_none());
    case.pass(5).await;
    assert!(header(case, spec.flow_id).await.cancelled.is_some());
}

pub async fn its_time_that_ends_while_no_engine_runs_is_made_up_for(case: &mut Case) {
    let spec = fan_out(case, 200);
    begun(case, &spec).await;
    case.kill_for(UNSEALED_MS_MAX + 1).await;
    case.pass(5).await;
    assert!(header(case, spec.flow_id).await.cancelled.is_some());
}

pub async fn what_is_sealed_is_not_given_up(case: &mut Case) {
    let spec = fan_out(case, 200);
    begun(case, &spec).await;
    case.pass(UNSEALED_MS_MAX - 10).await;
    let submitted = case.engine.submit_flow(spec.clone()).await;
    assert!(matches!(submitted, Ok(SubmitFlowOutcome::Submitted { .. })), "{submitted:?}");
    case.pass(1000).await;
    assert!(header(case, spec.flow_id).await.cancelled.is_none());
}
