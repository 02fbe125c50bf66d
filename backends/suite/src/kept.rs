//! Records that are kept as bytes under a name: written, read back, listed.

use crate::{Engine, Place, START};
use leasehold_backend::{Backend, PAGE_MAX, PartOutcome, StoreError};
use leasehold_core::decision::{Change, ChangeSet};
use leasehold_core::flow::StateCounts;
use leasehold_core::ids::{ExecutionId, FlowId, Namespace, SignalId, WaitpointId};
use leasehold_core::record::flow::{Flow, FlowRecord, FlowSummary};
use leasehold_core::record::{
    KeptKind, Record, RecordKey, SignalBytes, SignalDedup, SignalDedupKey, SignalKey, Suspended, SuspensionReason,
    WaitKey, WaitRecord,
};
use leasehold_core::time::TimestampMs;
use leasehold_core::token::Keyring;
use std::sync::Arc;
use uuid::Uuid;

fn flow_id(number: u128) -> FlowId {
    FlowId::from_uuid(Uuid::from_u128(number))
}

fn flow(number: u128, flow_kind: &str) -> Record {
    let flow = Flow {
        flow_id: flow_id(number),
        partition: 1,
        flow_kind: flow_kind.to_owned(),
        namespace: Namespace::new("tests"),
        graph_revision: 0,
        node_count: 0,
        edge_count: 0,
        created_at: START,
        last_mutation_at: START,
        cancelled: None,
        tags: Arc::default(),
        sealed: true,
        digest: None,
    };
    Record::Flow(flow.into())
}

fn summary(number: u128) -> Record {
    let summary = FlowSummary {
        flow_id: flow_id(number),
        counts: StateCounts::default(),
        cancels_pending: false,
        work_left: false,
        last_summary_update_at: START,
    };
    Record::Flow(FlowRecord::Summary(Arc::new(summary)))
}

/// The payload of a signal.
pub fn payload(number: u128, bytes: Vec<u8>) -> Record {
    let key = SignalKey {
        waitpoint_id: WaitpointId::from_uuid(Uuid::from_u128(number)),
        signal_id: SignalId::from_uuid(Uuid::from_u128(number)),
    };
    Record::Wait(WaitRecord::SignalBytes(Arc::new(SignalBytes { key, bytes })))
}

fn dedup(key: &str, signal: u128) -> Record {
    let dedup = SignalDedup {
        key: SignalDedupKey { waitpoint_id: WaitpointId::from_uuid(Uuid::max()), key: key.into() },
        signal_id: SignalId::from_uuid(Uuid::from_u128(signal)),
        expires_at: START,
    };
    Record::Wait(WaitRecord::SignalDedup(Arc::new(dedup)))
}

/// A suspended execution, in the list of them.
pub fn suspended(since: i64, number: u128) -> Record {
    let entry = Suspended {
        since: TimestampMs(since),
        execution_id: ExecutionId::from_parts(1, Uuid::from_u128(number)),
        reason: SuspensionReason::ManualPause,
    };
    Record::Wait(WaitRecord::Suspended(Arc::new(entry)))
}

/// The change that makes a record.
pub fn made(record: Record) -> Change {
    Change { key: record.key(), old: None, new: Some(record) }
}

fn ended(record: Record) -> Change {
    Change { key: record.key(), old: Some(record), new: None }
}

/// Commits changes that no command makes.
pub async fn write<B: Backend>(engine: &mut Engine<B>, partition: u16, changes: Vec<Change>) {
    engine.commit(vec![(partition, ChangeSet { changes, ..ChangeSet::default() })]).await;
}

async fn load<B: Backend>(engine: &Engine<B>, partition: u16, records: &[Record]) -> Vec<Option<Record>> {
    let keys: Vec<RecordKey> = records.iter().map(Record::key).collect();
    engine.store.load(partition, &keys, &[]).await.unwrap().records
}

async fn list<B: Backend>(engine: &Engine<B>, kind: KeptKind, after: Option<&RecordKey>, limit: usize) -> Vec<Record> {
    engine.store.scan_kept(1, kind, after, limit).await.unwrap()
}

pub async fn kept_records_read_back_in_the_order_asked_for_among_others<P: Place>() {
    let place = P::fresh();
    let mut engine = Engine::at(&place).await;
    let id = engine.created([1]).await[0];
    let keyring = Record::Wait(WaitRecord::Keyring(Arc::new(Keyring::default())));
    let kept = [flow(2, "mail"), suspended(5, 1), dedup("ab", 1), dedup("a", 2), keyring, summary(2)];
    write(&mut engine, 1, kept.iter().cloned().map(made).collect()).await;
    let execution = Record::Execution(engine.execution(id));
    let [flow_2, suspended_5, dedup_ab, dedup_a, keyring, summary_2] = kept;
    let asked = [
        suspended(6, 1),
        keyring,
        dedup_a,
        summary(3),
        execution,
        dedup("b", 1),
        flow_2,
        dedup_ab,
        summary_2,
        suspended_5,
        payload(1, Vec::new()),
    ];
    let absent = [0, 3, 5, 10];
    let expected: Vec<Option<Record>> =
        asked.iter().enumerate().map(|(at, record)| (!absent.contains(&at)).then(|| record.clone())).collect();
    assert_eq!(load(&engine, 1, &asked).await, expected);
    // Nothing of it is in another partition.
    assert_eq!(load(&engine, 2, &asked).await, vec![None; asked.len()]);
}

pub async fn a_kept_record_is_written_over_and_deleted<P: Place>() {
    let place = P::fresh();
    let mut engine = Engine::at(&place).await;
    let versions = [flow(1, "short"), flow(1, &"long".repeat(200)), flow(1, ""), flow(1, &"longer".repeat(2000))];
    write(&mut engine, 1, vec![made(versions[0].clone()), made(flow(2, "beside"))]).await;
    for [old, new] in versions.array_windows() {
        let change = Change { key: old.key(), old: Some(old.clone()), new: Some(new.clone()) };
        write(&mut engine, 1, vec![change]).await;
        assert_eq!(load(&engine, 1, &versions[..1]).await, [Some(new.clone())]);
    }
    let last = versions[3].clone();
    write(&mut engine, 1, vec![ended(last.clone())]).await;
    assert_eq!(load(&engine, 1, &[last.clone(), flow(2, "beside")]).await, [None, Some(flow(2, "beside"))]);
    write(&mut engine, 1, vec![made(last.clone())]).await;
    assert_eq!(list(&engine, KeptKind::Flow, None, 10).await, [last, flow(2, "beside")]);
}

pub async fn a_kept_record_made_and_deleted_in_one_batch_is_never_written<P: Place>() {
    let place = P::fresh();
    let mut engine = Engine::at(&place).await;
    let set = |change| (1, ChangeSet { changes: vec![change], ..ChangeSet::default() });
    engine.commit(vec![set(made(flow(1, "brief"))), set(ended(flow(1, "brief"))), set(made(flow(2, "stays")))]).await;
    assert_eq!(list(&engine, KeptKind::Flow, None, 10).await, [flow(2, "stays")]);
    assert_eq!(load(&engine, 1, &[flow(1, "brief")]).await, [None]);
}

pub async fn the_largest_payload_of_a_signal_is_kept<P: Place>() {
    let place = P::fresh();
    let mut engine = Engine::at(&place).await;
    let bytes =
        |seed: u32| (0..65_536_u32).map(|at| (at.wrapping_mul(2_654_435_761) ^ seed).to_be_bytes()[1]).collect();
    let payloads: Vec<Record> = (0..20).map(|number| payload(number.into(), bytes(number))).collect();
    write(&mut engine, 1, payloads.iter().cloned().map(made).collect()).await;
    assert_eq!(load(&engine, 1, &payloads).await, payloads.into_iter().map(Some).collect::<Vec<_>>());
}

pub async fn kept_records_come_and_go_by_the_hundred<P: Place>() {
    let place = P::fresh();
    let mut engine = Engine::at(&place).await;
    let all: Vec<Record> = (0..700).map(|number| flow(number, "many")).collect();
    write(&mut engine, 1, all.iter().cloned().map(made).collect()).await;
    let (leave, stay) = all.split_at(300);
    let changed = (300..).zip(stay).map(|(number, old)| Change {
        key: old.key(),
        old: Some(old.clone()),
        new: Some(flow(number, "changed")),
    });
    let changes: Vec<Change> = leave.iter().cloned().map(ended).chain(changed).collect();
    write(&mut engine, 1, changes.clone()).await;
    let expected: Vec<Option<Record>> = changes.into_iter().map(|change| change.new).collect();
    assert_eq!(load(&engine, 1, &all).await, expected);
    assert_eq!(list(&engine, KeptKind::Flow, None, 1000).await.len(), 400);
}

pub async fn a_part_that_fails_or_is_refused_writes_no_kept_record<P: Place>() {
    let place = P::fresh();
    let mut engine = Engine::at(&place).await;
    let ids = engine.created([1, 1]).await;
    write(&mut engine, 1, vec![made(flow(1, "old")), made(flow(2, "old"))]).await;
    let claim = engine.claim(ids[0]);
    engine.commit(vec![claim]).await;
    let changes = vec![
        Change { key: flow(1, "").key(), old: Some(flow(1, "old")), new: Some(flow(1, "new")) },
        ended(flow(2, "old")),
        made(flow(3, "new")),
    ];
    let kept = ChangeSet { changes, ..ChangeSet::default() };
    let claim = engine.claim(ids[1]);
    let mut batch = engine.batch(vec![claim, (1, kept)]);
    // An event has that number already.
    batch.parts[0].first_event = 1;
    assert!(matches!(engine.send(&batch).await, Err(StoreError::Permanent { .. })));
    assert_eq!(list(&engine, KeptKind::Flow, None, 10).await, [flow(1, "old"), flow(2, "old")]);
    assert_eq!(engine.store.scan_active(1, None, 10).await.unwrap().len(), 1);

    batch.parts[0].first_event = 2;
    assert_eq!(engine.send(&batch).await.unwrap(), [PartOutcome::Applied]);
    assert_eq!(list(&engine, KeptKind::Flow, None, 10).await, [flow(1, "new"), flow(3, "new")]);
    assert_eq!(engine.store.scan_active(1, None, 10).await.unwrap().len(), 2);

    let of = |changes| ChangeSet { changes, ..ChangeSet::default() };
    let batch = engine.batch(vec![
        (1, of(vec![made(flow(9, "refused")), ended(flow(3, "new"))])),
        (2, of(vec![made(flow(9, "applied"))])),
    ]);
    engine.store.take_partitions(engine.node, 99, &[1], 0).await.unwrap();
    assert_eq!(engine.send(&batch).await.unwrap(), [PartOutcome::Refused, PartOutcome::Applied]);
    assert_eq!(list(&engine, KeptKind::Flow, None, 10).await, [flow(1, "new"), flow(3, "new")]);
    assert_eq!(load(&engine, 2, &[flow(9, "")]).await, [Some(flow(9, "applied"))]);
}

pub async fn a_listed_kind_comes_in_order_and_page_by_page<P: Place>() {
    let place = P::fresh();
    let mut engine = Engine::at(&place).await;
    let sorted =
        [suspended(i64::MIN, 3), suspended(-7, 1), suspended(0, 1), suspended(0, 2), suspended(i64::MAX, u128::MAX)];
    write(&mut engine, 1, [3, 0, 4, 2, 1].map(|at: usize| made(sorted[at].clone())).to_vec()).await;
    assert_eq!(list(&engine, KeptKind::Suspended, None, 100).await, sorted);
    assert_eq!(list(&engine, KeptKind::Suspended, None, 2).await, sorted[..2]);
    assert_eq!(list(&engine, KeptKind::Suspended, Some(&sorted[1].key()), 2).await, sorted[2..4]);
    assert_eq!(list(&engine, KeptKind::Suspended, Some(&sorted[4].key()), 2).await, []);
    assert_eq!(list(&engine, KeptKind::Suspended, None, 0).await, []);

    // The place goes on naming where a page ended when its record is gone.
    write(&mut engine, 1, vec![ended(sorted[1].clone()), ended(sorted[3].clone())]).await;
    assert_eq!(
        list(&engine, KeptKind::Suspended, Some(&sorted[1].key()), 10).await,
        [2, 4].map(|at| sorted[at].clone())
    );
    assert_eq!(list(&engine, KeptKind::Suspended, Some(&suspended(1, 0).key()), 10).await, sorted[4..]);
}

pub async fn lists_hold_one_kind_of_one_partition<P: Place>() {
    let place = P::fresh();
    let mut engine = Engine::at(&place).await;
    assert_eq!(list(&engine, KeptKind::Flow, None, 10).await, []);
    // Names that open with the bytes next to those of the listed kinds.
    let keyring = Record::Wait(WaitRecord::Keyring(Arc::new(Keyring::default())));
    let beside = [keyring, dedup("z", 1), summary(0), summary(u128::MAX)];
    write(&mut engine, 1, beside.into_iter().map(made).collect()).await;
    assert_eq!(list(&engine, KeptKind::Flow, None, 10).await, []);
    assert_eq!(list(&engine, KeptKind::Suspended, None, 10).await, []);

    let flows = [flow(0, "first"), flow(u128::MAX, "last")];
    write(&mut engine, 1, flows.iter().cloned().chain([suspended(1, 1)]).map(made).collect()).await;
    write(&mut engine, 0, vec![made(flow(3, "below"))]).await;
    write(&mut engine, 2, vec![made(flow(4, "above"))]).await;
    assert_eq!(list(&engine, KeptKind::Flow, None, 10).await, flows);
    assert_eq!(list(&engine, KeptKind::Suspended, None, 10).await, [suspended(1, 1)]);
    for kind in [KeptKind::Continuation, KeptKind::PendingCancels] {
        assert_eq!(list(&engine, kind, None, 10).await, []);
    }
}

pub async fn no_list_is_longer_than_the_longest_page<P: Place>() {
    let place = P::fresh();
    let mut engine = Engine::at(&place).await;
    let all: Vec<Record> = (0..PAGE_MAX as u128 + 10).map(|number| suspended(0, number)).collect();
    write(&mut engine, 1, all.iter().cloned().map(made).collect()).await;
    let page = list(&engine, KeptKind::Suspended, None, usize::MAX).await;
    assert_eq!(page, all[..PAGE_MAX]);
    let last = page.last().map(Record::key);
    assert_eq!(list(&engine, KeptKind::Suspended, last.as_ref(), usize::MAX).await, all[PAGE_MAX..]);
}

pub async fn a_list_that_does_not_exist_is_refused<P: Place>() {
    let place = P::fresh();
    let engine = Engine::at(&place).await;
    let place_of_a_flow = flow(1, "").key();
    let lane = RecordKey::Lane(leasehold_core::ids::LaneId::new("default"));
    for (kind, after) in [
        (KeptKind::Summary, None),
        (KeptKind::Keyring, Some(RecordKey::Wait(WaitKey::Keyring))),
        (KeptKind::Suspended, Some(place_of_a_flow)),
        (KeptKind::Flow, Some(lane)),
    ] {
        let refused = engine.store.scan_kept(1, kind, after.as_ref(), 10).await;
        assert!(matches!(refused, Err(StoreError::Permanent { .. })), "{kind:?} {after:?}: {refused:?}");
    }
}
