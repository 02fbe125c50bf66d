//! The claim with credits: wait for work and take as much of it as there are
//! credits.
//!
//! The answer is `{"tasks": […]}`, empty when none came in time. A repeat with
//! the same `request_id` is given the same tasks again while their leases
//! live. A caller that hangs up gives back what could not be delivered: its
//! request's future is dropped, and the poll with it.

use super::claim::Request;
use crate::api::Api;
use crate::bytes::Base64;
use crate::error::Refusal;
use crate::ids;
use crate::lease::LeaseView;
use crate::serve::Closing;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use leasehold_contract::{POLL_WAIT_MAX, PollTasks, Task};
use leasehold_core::ids::{LaneId, Namespace};
use leasehold_core::time::TimestampMs;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long a poll waits unless it says otherwise.
const WAIT_DEFAULT_MS: u64 = 30_000;

/// A task with all a worker needs.
#[derive(Clone, Debug, Serialize)]
struct TaskView<'a> {
    #[serde(flatten)]
    lease: LeaseView,
    namespace: &'a Namespace,
    execution_kind: &'a str,
    payload: Base64,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload_encoding: Option<&'a str>,
    tags: &'a BTreeMap<String, String>,
    priority: i32,
    created_at: TimestampMs,
    retry_count: u32,
    lease_reclaim_count: u32,
}

#[derive(Clone, Debug, Serialize)]
struct Answer<'a> {
    tasks: Vec<TaskView<'a>>,
}

fn view<'a>(api: &Api, task: &'a Task) -> TaskView<'a> {
    TaskView {
        lease: LeaseView::new(&task.claimed, task.claimed.handle(api.tag())),
        namespace: &task.namespace,
        execution_kind: &task.execution_kind,
        payload: task.payload.clone().into(),
        payload_encoding: task.payload_encoding.as_deref(),
        tags: &task.tags,
        priority: task.priority,
        created_at: task.created_at,
        retry_count: task.retry_count,
        lease_reclaim_count: task.lease_reclaim_count,
    }
}

fn lanes(request: &Request) -> Result<Vec<LaneId>, Refusal> {
    let Some(lanes) = &request.lanes else { return Err(Refusal::missing("lanes")) };
    lanes.iter().map(|lane| ids::parse("lanes", lane)).collect()
}

pub(crate) async fn answer(
    api: &Api,
    worker_id: &str,
    request: Request,
    credits: u32,
    closing: Option<Extension<Closing>>,
) -> Result<Response, Refusal> {
    let wait_most = u64::try_from(POLL_WAIT_MAX.as_millis()).unwrap_or(u64::MAX);
    let wait_ms = ids::within("max_wait_ms", request.max_wait_ms.unwrap_or(WAIT_DEFAULT_MS), 0, wait_most)?;
    let poll = PollTasks {
        lanes: lanes(&request)?,
        worker_id: ids::worker("worker_id", worker_id)?,
        worker_instance_id: ids::worker("worker_instance_id", &request.worker_instance_id)?,
        capabilities: ids::offered(&request.capabilities)?,
        credits,
        lease_ttl_ms: request.lease_ttl_ms.ok_or_else(|| Refusal::missing("lease_ttl_ms"))?,
        max_wait: Duration::from_millis(wait_ms),
        request_id: ids::parse_optional("request_id", request.request_id.as_deref())?,
    };
    let tasks = tokio::select! {
        biased;
        tasks = api.engine.poll_tasks(poll) => tasks?,
        () = Closing::closed(closing) => Vec::new(),
    };
    let tasks = tasks.iter().map(|task| view(api, task)).collect();
    Ok(Json(Answer { tasks }).into_response())
}

#[cfg(test)]
mod tests;
