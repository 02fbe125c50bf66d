//! Idempotency keys: repeats of a create make no second execution.

use crate::case::Case;
use leasehold_contract::{CreateExecution, CreateOutcome};
use leasehold_core::ids::Namespace;
use leasehold_tests::harness::act::{cancellation, policy};

const DAY_MS: u64 = 86_400_000;

fn keyed(case: &Case, key: &str) -> CreateExecution {
    CreateExecution { idempotency_key: Some(key.into()), ..case.create(case.id()) }
}

async fn is_new(case: &Case, args: CreateExecution) -> bool {
    let id = args.execution_id;
    match case.engine.create_execution(args).await.unwrap() {
        CreateOutcome::Created { execution_id, .. } => {
            assert_eq!(execution_id, id);
            true
        }
        CreateOutcome::Duplicate { execution_id } => {
            assert_ne!(execution_id, id);
            false
        }
    }
}

pub async fn a_key_makes_no_second_execution(case: &mut Case) {
    let first = keyed(case, "order-1");
    assert!(is_new(case, first.clone()).await);
    let repeat = CreateExecution { priority: 5, ..keyed(case, "order-1") };
    let second = repeat.execution_id;
    let outcome = case.changes_nothing(first.execution_id, case.engine.create_execution(repeat)).await;
    assert_eq!(outcome, CreateOutcome::Duplicate { execution_id: first.execution_id });
    assert_eq!(case.find_record(second).await, None);
}

pub async fn a_key_counts_in_its_namespace_and_partition(case: &mut Case) {
    assert!(is_new(case, keyed(case, "order-1")).await);
    assert!(is_new(case, keyed(case, "order-2")).await);
    assert!(is_new(case, CreateExecution { namespace: Namespace::new("other"), ..keyed(case, "order-1") }).await);
    assert!(is_new(case, CreateExecution { execution_id: case.id_in(2), ..keyed(case, "order-1") }).await);
    assert!(!is_new(case, keyed(case, "order-1")).await);
}

pub async fn an_empty_key_is_none(case: &mut Case) {
    assert!(is_new(case, keyed(case, "")).await);
    assert!(is_new(case, keyed(case, "")).await);
}

pub async fn a_key_lasts_a_day(case: &mut Case) {
    assert!(is_new(case, keyed(case, "order-1")).await);
    case.advance(DAY_MS - 1);
    assert!(!is_new(case, keyed(case, "order-1")).await);
    case.advance(1);
    assert!(is_new(case, keyed(case, "order-1")).await);
    assert!(!is_new(case, keyed(case, "order-1")).await, "the new one has the key now");
}

pub async fn the_policy_says_how_long_a_key_lasts(case: &mut Case) {
    let brief = CreateExecution { policy_json: policy(r#"{"dedup_window_ms":1000}"#), ..keyed(case, "order-1") };
    assert!(is_new(case, brief).await);
    case.advance(999);
    assert!(!is_new(case, keyed(case, "order-1")).await);
    case.advance(1);
    assert!(is_new(case, keyed(case, "order-1")).await);
}

pub async fn a_window_of_zero_remembers_nothing(case: &mut Case) {
    for _ in 0..2 {
        let args = CreateExecution { policy_json: policy(r#"{"dedup_window_ms":0}"#), ..keyed(case, "order-1") };
        assert!(is_new(case, args).await);
    }
}

pub async fn a_key_outlives_its_execution_and_the_engine(case: &mut Case) {
    let first = keyed(case, "order-1");
    assert!(is_new(case, first.clone()).await);
    case.engine.cancel_execution(cancellation(first.execution_id)).await.unwrap();
    case.kill().await;
    assert!(!is_new(case, keyed(case, "order-1")).await);
}

pub async fn the_key_goes_before_the_id(case: &mut Case) {
    let first = keyed(case, "order-1");
    assert!(is_new(case, first.clone()).await);
    let second = case.waiting().await;
    let both = CreateExecution { execution_id: second, ..keyed(case, "order-1") };
    let outcome = case.engine.create_execution(both).await.unwrap();
    assert_eq!(outcome, CreateOutcome::Duplicate { execution_id: first.execution_id });
}

pub async fn of_two_at_once_one_is_created(case: &mut Case) {
    let (first, second) = (keyed(case, "order-1"), keyed(case, "order-1"));
    let engine = &case.engine;
    let (one, two) = tokio::join!(engine.create_execution(first.clone()), engine.create_execution(second.clone()));
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_eq!(one.execution_id(), two.execution_id());
    let created = [one, two].iter().filter(|outcome| matches!(outcome, CreateOutcome::Created { .. })).count();
    assert_eq!(created, 1);
}
