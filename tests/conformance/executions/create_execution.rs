//! `create_execution`: a new execution, or the one that its key or id stands
//! for.

mod keys;
mod refusals;

pub use keys::*;
pub use refusals::*;

use crate::case::Case;
use crate::states::{WAITING, delayed};
use bytes::Bytes;
use leasehold_contract::{CreateExecution, CreateOutcome};
use leasehold_core::command::PAYLOAD_BYTES_MAX;
use leasehold_core::ids::{LaneId, LeaseEpoch};
use leasehold_core::record::{BlobKind, Execution};
use leasehold_core::state::PublicState;
use leasehold_core::time::TimestampMs;
use leasehold_tests::harness::act::{cancellation, policy};
use std::sync::Arc;
use std::time::Duration;

pub async fn a_new_execution_waits_for_a_worker(case: &mut Case) {
    let id = case.id();
    let args = CreateExecution { priority: 3, ..case.create(id) };
    let outcome = case.engine.create_execution(args).await.unwrap();
    assert_eq!(outcome, CreateOutcome::Created { execution_id: id, public_state: PublicState::Waiting });
    assert_eq!(case.vector(id).await, WAITING);
    let entry = case.entry(id).await;
    let score = case.now().0 - 3_000_000_000_000;
    assert_eq!((entry.queue.as_str(), entry.score, entry.due_at), ("ready", score, None));
    assert!(case.story(id).await.is_empty());
}

pub async fn its_record_starts_empty(case: &mut Case) {
    let id = case.id();
    let args = CreateExecution {
        payload_encoding: Some("application/json".into()),
        tags: [("team.owner".to_owned(), "mail".to_owned())].into(),
        ..case.create(id)
    };
    case.engine.create_execution(args.clone()).await.unwrap();
    let record: Arc<Execution> = case.record(id).await;
    let now = case.now();
    assert_eq!((record.id, &record.lane_id, &record.spec.namespace), (id, &args.lane_id, &args.namespace));
    assert_eq!((&record.spec.kind, &record.spec.creator_identity), (&args.execution_kind, &args.creator_identity));
    assert_eq!((&record.spec.payload_encoding, &*record.tags), (&args.payload_encoding, &args.tags));
    assert_eq!((record.spec.created_at, record.last_transition_at, record.last_mutation_at), (now, now, now));
    assert_eq!((record.total_attempt_count, record.lease_epoch), (0, LeaseEpoch(0)));
    assert_eq!((record.retry_count, record.replay_count, record.lease_reclaim_count), (0, 0, 0));
    assert_eq!((record.started_at, record.completed_at, record.delay_until), (None, None, None));
    assert_eq!((record.attempt.as_ref(), record.lease.as_ref(), record.grant.as_ref()), (None, None, None));
    assert_eq!((record.deadline_at, record.attempt_timeout, record.flow_id), (None, None, None));
    assert_eq!(
        (record.failure_reason.as_ref(), record.cancelled_by.as_ref(), record.result.as_ref()),
        (None, None, None)
    );
    assert_eq!(case.blob(id, BlobKind::Payload).await, Some(args.input_payload));
}

pub async fn a_time_to_come_delays_it(case: &mut Case) {
    let until = case.now().plus(1000);
    let args = CreateExecution { delay_until: Some(until), ..case.create(case.id()) };
    let id = args.execution_id;
    let outcome = case.engine.create_execution(args).await.unwrap();
    assert_eq!(outcome, CreateOutcome::Created { execution_id: id, public_state: PublicState::Delayed });
    assert_eq!(case.vector(id).await, delayed("waiting_for_delay", "pending_first_attempt"));
    assert_eq!(case.record(id).await.delay_until, Some(until));
    let entry = case.entry(id).await;
    assert_eq!((entry.queue.as_str(), entry.score, entry.due_at), ("delayed", until.0, Some(until)));
}

pub async fn a_time_that_has_come_delays_nothing(case: &mut Case) {
    for until in [TimestampMs(0), case.now().minus(1), case.now()] {
        let id = case.created(|args| args.delay_until = Some(until)).await;
        assert_eq!(case.vector(id).await, WAITING);
        assert_eq!(case.entry(id).await.queue, "ready");
        case.lease(id).await;
    }
}

pub async fn the_delay_is_the_arguments_or_the_policys(case: &mut Case) {
    let id = case.created_under(r#"{"delay_until":1700000005000}"#).await;
    assert_eq!(case.record(id).await.delay_until, Some(TimestampMs(1_700_000_005_000)));
    let both = case.created(|args| {
        args.policy_json = policy(r#"{"delay_until":1700000005000}"#);
        args.delay_until = Some(TimestampMs(1_700_000_001_000));
    });
    let both = both.await;
    assert_eq!(case.record(both).await.delay_until, Some(TimestampMs(1_700_000_001_000)));
}

pub async fn priorities_are_clamped(case: &mut Case) {
    for (given, kept) in [(i32::MIN, 0), (-1, 0), (0, 0), (9000, 9000), (9001, 9000), (i32::MAX, 9000)] {
        let id = case.created(|args| args.priority = given).await;
        assert_eq!(case.record(id).await.priority, kept, "{given}");
        assert_eq!(case.entry(id).await.score, case.now().0 - i64::from(kept) * 1_000_000_000_000);
    }
}

pub async fn the_priority_of_the_policy_is_not_looked_at(case: &mut Case) {
    let id = case.created_under(r#"{"priority":7}"#).await;
    assert_eq!(case.record(id).await.priority, 0);
}

pub async fn the_deadline_is_the_arguments_or_the_policys(case: &mut Case) {
    const POLICY: &str = r#"{"timeout_policy":{"execution_deadline_ms":5000}}"#;
    let now = case.now();
    for (json, argument, expected) in [
        ("{}", None, None),
        ("{}", Some(TimestampMs(0)), None),
        ("{}", Some(now.plus(70)), Some(now.plus(70))),
        (POLICY, None, Some(now.plus(5000))),
        (POLICY, Some(TimestampMs(0)), Some(now.plus(5000))),
        (POLICY, Some(now.plus(70)), Some(now.plus(70))),
        (r#"{"timeout_policy":{"execution_deadline_ms":0}}"#, None, None),
    ] {
        let id = case.created(|args| {
            args.policy_json = policy(json);
            args.execution_deadline_at = argument;
        });
        let id = id.await;
        assert_eq!(case.record(id).await.deadline_at, expected, "{json} {argument:?}");
        assert_eq!(case.entry(id).await.due_at, expected);
    }
}

pub async fn an_id_makes_no_second_execution(case: &mut Case) {
    let id = case.waiting().await;
    let other = CreateExecution {
        priority: 9,
        lane_id: LaneId::new("other"),
        input_payload: Bytes::from_static(b"other"),
        ..case.create(id)
    };
    let outcome = case.changes_nothing(id, case.engine.create_execution(other)).await;
    assert_eq!(outcome, CreateOutcome::Duplicate { execution_id: id });
    assert_eq!(case.blob(id, BlobKind::Payload).await, Some(Bytes::from_static(b"payload")));
    let lanes = case.engine.list_lanes(None, 10).await.unwrap().lanes;
    assert_eq!(lanes, [LaneId::new("mail")], "a duplicate registers no lane");
}

pub async fn an_id_stays_taken_when_its_execution_has_ended(case: &mut Case) {
    let id = case.waiting().await;
    case.engine.cancel_execution(cancellation(id)).await.unwrap();
    case.kill().await;
    let outcome = case.changes_nothing(id, case.engine.create_execution(case.create(id))).await;
    assert_eq!(outcome, CreateOutcome::Duplicate { execution_id: id });
}

pub async fn payloads_are_opaque_bytes(case: &mut Case) {
    for payload in
        [Bytes::new(), Bytes::from_static(b"\xff\xfe\x00 no text"), Bytes::from(vec![0xab; PAYLOAD_BYTES_MAX])]
    {
        let id = case.created(|args| args.input_payload = payload.clone()).await;
        let context = case.engine.read_execution_context(id).await.unwrap();
        assert_eq!(context.input_payload, payload);
    }
    let large = Bytes::from(vec![0; PAYLOAD_BYTES_MAX + 1]);
    let args = CreateExecution { input_payload: large, ..case.create(case.id()) };
    let id = args.execution_id;
    case.refused(id, case.engine.create_execution(args), "payload_too_large").await;
    assert_eq!(case.blob(id, BlobKind::Payload).await, None);
}

pub async fn texts_no_store_can_keep_are_refused(case: &mut Case) {
    let long: Arc<str> = "x".repeat(257).into();
    let longest: Arc<str> = "x".repeat(256).into();
    let nul: Arc<str> = "a\0b".into();
    let plain = case.create(case.id());
    for odd in [
        CreateExecution { execution_kind: "".into(), ..plain.clone() },
        CreateExecution { execution_kind: long.clone(), ..plain.clone() },
        CreateExecution { execution_kind: nul.clone(), ..plain.clone() },
        CreateExecution { creator_identity: long.clone(), ..plain.clone() },
        CreateExecution { creator_identity: nul.clone(), ..plain.clone() },
        CreateExecution { payload_encoding: Some(long.clone()), ..plain.clone() },
        CreateExecution { payload_encoding: Some(nul.clone()), ..plain.clone() },
        CreateExecution { idempotency_key: Some(long), ..plain.clone() },
        CreateExecution { idempotency_key: Some(nul), ..plain.clone() },
    ] {
        case.refused(plain.execution_id, case.engine.create_execution(odd), "invalid_input").await;
    }
    let fits = CreateExecution {
        execution_kind: longest.clone(),
        creator_identity: longest.clone(),
        payload_encoding: Some(longest.clone()),
        idempotency_key: Some(longest),
        ..plain
    };
    case.engine.create_execution(fits).await.unwrap();
}

pub async fn a_partition_there_is_not_holds_nothing(case: &mut Case) {
    for partition in [case.partitions(), u16::MAX] {
        let args = case.create(case.id_in(partition));
        case.code(case.engine.create_execution(args).await, "invalid_input");
    }
}

pub async fn what_was_acknowledged_survives_a_crash(case: &mut Case) {
    let id = case.created(|args| {
        args.priority = 4;
        args.delay_until = Some(TimestampMs(i64::MAX));
        args.tags = [("team.owner".to_owned(), "mail".to_owned())].into();
        args.policy_json = policy(r#"{"retry_policy":{"max_retries":2},"max_replay_count":3}"#);
    });
    let id = id.await;
    let before = (case.record(id).await, case.entry(id).await, case.blob(id, BlobKind::Payload).await);
    case.kill().await;
    let after = (case.record(id).await, case.entry(id).await, case.blob(id, BlobKind::Payload).await);
    assert_eq!(after, before);
    case.restart().await;
    assert_eq!(case.record(id).await, before.0);
}

pub async fn an_engine_that_is_going_down_takes_none(case: &mut Case) {
    case.engine.shutdown_prepare(Duration::ZERO).await.unwrap();
    let args = case.create(case.id());
    let call = case.engine.create_execution(args.clone());
    let error = case.refused(args.execution_id, call, "partition_unavailable").await;
    assert!(error.is_retryable());
}
