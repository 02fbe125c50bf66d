//! `create_executions`: many at once, with an outcome for each.

use crate::case::Case;
use crate::states::WAITING;
use leasehold_contract::{BULK_MAX, CreateExecution, CreateOutcome, EngineError};
use leasehold_core::record::BlobKind;
use leasehold_core::state::PublicState;
use leasehold_tests::harness::act::policy;
use std::time::Duration;

fn waiting(args: &CreateExecution) -> Result<CreateOutcome, EngineError> {
    Ok(CreateOutcome::Created { execution_id: args.execution_id, public_state: PublicState::Waiting })
}

pub async fn outcomes_come_in_the_order_of_the_items(case: &mut Case) {
    let items: Vec<_> = [3, 0, 1, 2, 1, 3].into_iter().map(|partition| case.create(case.id_in(partition))).collect();
    let outcomes = case.engine.create_executions(items.clone()).await.unwrap();
    assert_eq!(outcomes, items.iter().map(waiting).collect::<Vec<_>>());
    for item in &items {
        assert_eq!(case.vector(item.execution_id).await, WAITING);
        assert_eq!(case.blob(item.execution_id, BlobKind::Payload).await, Some(item.input_payload.clone()));
    }
}

pub async fn what_was_created_survives_a_crash(case: &mut Case) {
    let items: Vec<_> = (0..40).map(|number| case.create(case.id_in(number % 4))).collect();
    case.engine.create_executions(items.clone()).await.unwrap();
    case.kill().await;
    for item in items {
        assert_eq!(case.engine.read_execution_state(item.execution_id).await, Ok(Some(PublicState::Waiting)));
    }
}

pub async fn an_item_that_is_refused_fails_alone(case: &mut Case) {
    let good = [case.create(case.id()), case.create(case.id())];
    let malformed = CreateExecution { policy_json: policy("[]"), ..case.create(case.id()) };
    let tagged = CreateExecution { tags: [("Bad".to_owned(), String::new())].into(), ..case.create(case.id()) };
    let unnamed = CreateExecution { execution_kind: "".into(), ..case.create(case.id()) };
    let heavy = CreateExecution { input_payload: vec![0; (1 << 20) + 1].into(), ..case.create(case.id()) };
    let exotic = r#"{"routing_requirements":{"required_capabilities":[""]}}"#;
    let exotic = CreateExecution { policy_json: policy(exotic), ..case.create(case.id()) };
    let nowhere = case.create(case.id_in(case.partitions()));
    let bad = [
        (malformed, "invalid_policy_json"),
        (tagged, "invalid_tag_key"),
        (unnamed, "invalid_input"),
        (heavy, "payload_too_large"),
        (exotic, "invalid_capabilities"),
        (nowhere, "invalid_input"),
    ];
    let mut items = vec![good[0].clone()];
    items.extend(bad.iter().map(|(item, _)| item.clone()));
    items.push(good[1].clone());
    let outcomes = case.engine.create_executions(items).await.unwrap();
    assert_eq!((&outcomes[0], &outcomes[7]), (&waiting(&good[0]), &waiting(&good[1])));
    for ((item, code), outcome) in bad.iter().zip(&outcomes[1..]) {
        case.code(outcome.clone(), code);
        if item.execution_id.partition() < case.partitions() {
            assert_eq!(case.find_record(item.execution_id).await, None);
        }
    }
}

pub async fn items_of_one_call_are_duplicates_of_each_other(case: &mut Case) {
    let first = case.create(case.id());
    let keyed = |id| CreateExecution { idempotency_key: Some("order-1".into()), ..case.create(id) };
    let (with_key, again) = (keyed(case.id()), keyed(case.id()));
    let items = vec![first.clone(), first.clone(), with_key.clone(), again];
    let outcomes = case.engine.create_executions(items).await.unwrap();
    let duplicate = |of: &CreateExecution| Ok(CreateOutcome::Duplicate { execution_id: of.execution_id });
    assert_eq!(outcomes, [waiting(&first), duplicate(&first), waiting(&with_key), duplicate(&with_key)]);
}

pub async fn a_repeat_of_the_call_finds_only_duplicates(case: &mut Case) {
    let items: Vec<_> = (0..4).map(|partition| case.create(case.id_in(partition))).collect();
    case.engine.create_executions(items.clone()).await.unwrap();
    let outcomes = case.engine.create_executions(items.clone()).await.unwrap();
    for (item, outcome) in items.iter().zip(outcomes) {
        assert_eq!(outcome, Ok(CreateOutcome::Duplicate { execution_id: item.execution_id }));
    }
}

pub async fn nothing_gives_nothing(case: &mut Case) {
    assert_eq!(case.engine.create_executions(Vec::new()).await, Ok(Vec::new()));
}

pub async fn a_call_takes_a_thousand_items_and_no_more(case: &mut Case) {
    let items: Vec<_> = (0..=BULK_MAX).map(|_| case.create(case.id())).collect();
    case.refused(items[0].execution_id, case.engine.create_executions(items.clone()), "invalid_input").await;
    let outcomes = case.engine.create_executions(items[..BULK_MAX].to_vec()).await.unwrap();
    assert_eq!(outcomes.len(), BULK_MAX);
    assert!(outcomes.iter().all(Result::is_ok));
}

pub async fn an_engine_that_is_going_down_takes_none(case: &mut Case) {
    case.engine.shutdown_prepare(Duration::ZERO).await.unwrap();
    let items = vec![case.create(case.id_in(0)), case.create(case.id_in(1))];
    for (item, outcome) in items.iter().zip(case.engine.create_executions(items.clone()).await.unwrap()) {
        case.code(outcome, "partition_unavailable");
        assert_eq!(case.find_record(item.execution_id).await, None);
    }
}
