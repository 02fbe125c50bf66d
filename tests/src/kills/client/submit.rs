//! Submitting: one by one and together, with keys and with ids of our own,
//! now and then once more.

use super::Load;
use super::api::{self, Answer, Api};
use crate::kills::acks::Ack;
use crate::kills::task::{self, Task};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use leasehold_core::ids::ExecutionId;
use leasehold_core::partition::PartitionConfig;
use rand::Rng;
use rand::rngs::StdRng;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

/// How many go together.
const BULK: u32 = 10;

/// A submission and its key.
struct Item {
    key: String,
    body: Value,
}

/// Submits until the load stops.
pub async fn run(load: Arc<Load>, number: u64) {
    let mut rng = load.rng(number);
    let mut api = load.api.clone();
    let options = load.options.clone();
    let mut pace = interval(Duration::from_millis(options.pace_ms));
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut count = 0;
    let mut mint = |rng: &mut StdRng| {
        count += 1;
        item(format!("{:x}-{number}-{count}", options.seed), options.partitions, rng)
    };
    while !load.stopped() {
        pace.tick().await;
        if rng.random_ratio(1, 5) {
            let items: Vec<Item> = (0..BULK).map(|_| mint(&mut rng)).collect();
            bulk(&load, &mut api, &items).await;
        } else {
            let item = mint(&mut rng);
            let times = if rng.random_ratio(1, 10) { 2 } else { 1 };
            for _ in 0..times {
                single(&load, &mut api, &item).await;
            }
        }
    }
}

fn item(key: String, partitions: u16, rng: &mut StdRng) -> Item {
    let (lane, kind) = match rng.random_range(0..100) {
        0..40 => (task::FLEET_LANE, task::QUICK),
        40..55 => (task::FLEET_LANE, task::FLAKY),
        55..70 => (task::FLEET_LANE, task::SLOW),
        70..75 => (task::FLEET_LANE, task::DOOMED),
        _ => (task::REMOTE_LANE, task::REMOTE),
    };
    let fill = "x".repeat(rng.random_range(0..2000));
    let payload = Task { key: key.clone(), sleep_ms: rng.random_range(50..600), fill };
    let mut body = json!({
        "namespace": task::NAMESPACE,
        "lane_id": lane,
        "execution_kind": kind,
        "input_payload": STANDARD.encode(serde_json::to_vec(&payload).expect("a task is JSON")),
        "policy": task::policy(),
    });
    if rng.random_ratio(1, 3) {
        let uuid = uuid::Builder::from_random_bytes(rng.random()).into_uuid();
        let config = PartitionConfig { num_flow_partitions: partitions, ..PartitionConfig::default() };
        body["execution_id"] = json!(ExecutionId::spread(uuid, &config));
    } else {
        body["idempotency_key"] = json!(key);
    }
    Item { key, body }
}

/// Notes what an answer promises; false when it is no promise.
fn promised(load: &Load, api: &Api, item: &Item, answer: &Value, bulk: bool) -> bool {
    for (name, duplicate) in [("Created", false), ("Duplicate", true)] {
        if let Some(id) = answer[name]["execution_id"].as_str() {
            api.note(&Ack::Created { id: id.to_owned(), key: item.key.clone(), bulk, duplicate });
            load.remember(id.to_owned());
            return true;
        }
    }
    false
}

fn strange(api: &Api, op: &str, answer: &Value) {
    api.note(&Ack::Fault { op: op.to_owned(), detail: answer.to_string() });
}

async fn single(load: &Load, api: &mut Api, item: &Item) {
    if let Answer::Done(answer) = api.post("create_execution", "/v1/executions", &item.body).await
        && !promised(load, api, item, &answer, false)
    {
        strange(api, "create_execution", &answer);
    }
}

/// Sends all until every one was answered; the repeats find those that were
/// carried out.
async fn bulk(load: &Load, api: &mut Api, items: &[Item]) {
    let bodies: Vec<&Value> = items.iter().map(|item| &item.body).collect();
    let body = json!({"executions": bodies});
    loop {
        let Answer::Done(answer) = api.post("create_executions", "/v1/executions/bulk", &body).await else { return };
        let answers = answer.as_array().map_or(&[][..], Vec::as_slice);
        let mut again = false;
        for (item, answer) in items.iter().zip(answers) {
            if promised(load, api, item, answer, true) {
                continue;
            }
            let error = &answer["Error"];
            if api::may_come_back(error) {
                again = true;
                api.note(&api::come_back("create_executions", error));
            } else {
                strange(api, "create_executions", answer);
            }
        }
        if answers.len() != items.len() {
            strange(api, "create_executions", &answer);
        }
        if !again {
            return;
        }
        api.pause().await;
    }
}
