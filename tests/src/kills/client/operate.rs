//! An operator who cancels and replays.

use super::Load;
use super::api::Answer;
use crate::kills::acks::Ack;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

/// How often each is done.
const PACE: Duration = Duration::from_millis(50);

/// Cancelled are executions among so many last ones, most of which have not
/// ended.
const YOUNG: usize = 30;

/// Cancels until the load stops.
pub async fn cancel(load: Arc<Load>) {
    let mut rng = load.rng(100);
    let mut api = load.api.clone();
    let mut pace = interval(PACE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !load.stopped() {
        pace.tick().await;
        let Some(id) = load.pick(&mut rng, YOUNG) else { continue };
        let body = json!({"reason": "the operator cancels"});
        let answer = api.post("cancel_execution", &format!("/v1/executions/{id}/cancel"), &body).await;
        if matches!(answer, Answer::Done(_)) {
            api.note(&Ack::Cancelled { id });
        }
    }
}

/// Replays until the load stops.
pub async fn replay(load: Arc<Load>) {
    let mut rng = load.rng(101);
    let mut api = load.api.clone();
    let mut pace = interval(PACE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !load.stopped() {
        pace.tick().await;
        let Some(id) = load.pick(&mut rng, usize::MAX) else { continue };
        let body = json!({"requested_by": "operator"});
        let answer = api.post("replay_execution", &format!("/v1/executions/{id}/replay"), &body).await;
        if matches!(answer, Answer::Done(_)) {
            api.note(&Ack::Replayed { id });
        }
    }
}
