//! A remote worker: claims over HTTP, renews, completes, fails, and now and
//! then forgets what it holds.

use super::Load;
use super::api::{Answer, Api};
use crate::kills::acks::Ack;
use crate::kills::task;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rand::Rng;
use rand::rngs::StdRng;
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::sync::watch;

/// How long a poll waits.
const WAIT_MS: u64 = 500;

/// How many executions are taken at once.
const CREDITS: u64 = 8;

/// Works until it is over.
pub async fn run(load: Arc<Load>, number: u64, over: watch::Receiver<bool>) {
    let mut rng = load.rng(200 + number);
    let mut api = load.api.clone();
    while !*over.borrow() {
        let request_id = uuid::Builder::from_random_bytes(rng.random()).into_uuid();
        let poll = json!({
            "worker_instance_id": format!("remote-{number}"),
            "credits": CREDITS,
            "lanes": [task::REMOTE_LANE],
            "lease_ttl_ms": load.options.lease_ttl_ms,
            "max_wait_ms": WAIT_MS,
            "request_id": request_id,
        });
        let Answer::Done(answer) = api.post("poll_tasks", "/v1/workers/remote/claim", &poll).await else { continue };
        let mut leases = Vec::new();
        for task in answer["tasks"].as_array().map_or(&[][..], Vec::as_slice) {
            if let Some(lease) = Lease::of(task) {
                api.note(&Ack::Claimed {
                    id: lease.id.clone(),
                    lease_epoch: lease.epoch,
                    expires_at: lease.expires_at,
                });
                leases.push(lease);
            } else {
                api.note(&Ack::Fault { op: "poll_tasks".to_owned(), detail: task.to_string() });
            }
        }
        for lease in leases {
            lease.work(&mut api, &mut rng).await;
        }
    }
}

/// What the worker holds.
struct Lease {
    id: String,
    epoch: u64,
    expires_at: i64,
    handle: Value,
}

impl Lease {
    fn of(task: &Value) -> Option<Self> {
        let id = task["execution_id"].as_str()?.to_owned();
        let (epoch, expires_at) = (task["lease_epoch"].as_u64()?, task["lease_expires_at"].as_i64()?);
        Some(Self { id, epoch, expires_at, handle: task["handle"].clone() })
    }

    async fn work(self, api: &mut Api, rng: &mut StdRng) {
        let Self { id, epoch: lease_epoch, handle, .. } = self;
        let turn = rng.random_range(0..100);
        if turn < 5 {
            return;
        }
        if turn < 20 {
            let renewal = json!({"handle": handle});
            let answer = api.post("renew", &format!("/v1/executions/{id}/renew"), &renewal).await;
            let Answer::Done(answer) = answer else { return };
            let Some(expires_at) = answer["Renewed"]["expires_at"].as_i64() else {
                api.note(&Ack::Fault { op: "renew".to_owned(), detail: answer.to_string() });
                return;
            };
            api.note(&Ack::Renewed { id: id.clone(), lease_epoch, expires_at });
        }
        if turn > 90 {
            let failure = json!({"handle": handle, "failure_class": "transient", "failure_reason": "bad luck"});
            let answer = api.post("fail", &format!("/v1/executions/{id}/fail"), &failure).await;
            if matches!(answer, Answer::Done(_)) {
                api.note(&Ack::Failed { id, lease_epoch });
            }
            return;
        }
        let result = STANDARD.encode(task::remote_result(&id, lease_epoch));
        let completion = json!({"handle": handle, "result_payload": result});
        let answer = api.post("complete", &format!("/v1/executions/{id}/complete"), &completion).await;
        if matches!(answer, Answer::Done(_)) {
            api.note(&Ack::Completed { id, lease_epoch });
        }
    }
}
