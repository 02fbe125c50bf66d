//! Indexes follow the records through any sequence of changes, and pages show
//! them whole.

mod support;

use leasehold_backend::{Backend, DueEntry, Entropy, ReadyGroup, SeededEntropy, StoreError, StoredIndex};
use leasehold_core::capability::CapabilitySet;
use leasehold_core::command::{
    AdmissionBlock, BlockExecution, CancelExecution, ChangePriority, Command, CommandSource, CompleteExecution, Delay,
    FailExecution, FenceTriple, Operation, PromoteDelayed, RenewLease, ReplayExecution, RevokeLease, Settle,
    UnblockExecution,
};
use leasehold_core::ids::{AttemptIndex, ExecutionId, LaneId};
use leasehold_core::index::{Queue, index_entries};
use leasehold_core::record::{Execution, Record};
use leasehold_core::time::TimestampMs;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use support::{LEASE_TTL_MS, Owner, creation, id};
use uuid::Uuid;

const LANES: [&str; 2] = ["bulk", "urgent"];
const POLICY: &[u8] = br#"{"retry_policy":{"max_retries":2,"backoff":{"type":"fixed","delay_ms":500}}}"#;
const POLICY_GPU: &[u8] = br#"{"routing_requirements":{"required_capabilities":["gpu"]}}"#;

/// Some operation on some execution, possible or not.
fn any_command(owner: &mut Owner, entropy: &SeededEntropy, executions: u64) -> Command {
    let pick = |most: u64| entropy.next_u64() % most;
    let execution_id = id(pick(2) as u16, u128::from(pick(executions)) + 1);
    let (fence, source) = (FenceTriple::NONE, CommandSource::OperatorOverride);
    let until = TimestampMs(1_000_000 + pick(100_000) as i64);
    match pick(15) {
        0..=2 => {
            let mut create = creation(execution_id, LANES[pick(2) as usize]);
            create.priority = pick(4) as i32;
            create.policy_json = match pick(3) {
                0 => None,
                1 => Some(POLICY.into()),
                _ => Some(POLICY_GPU.into()),
            };
            create.delay_until = (pick(4) == 0).then_some(until);
            create.execution_deadline_at = (pick(4) == 0).then_some(until);
            create.into_command()
        }
        3..=5 => owner.claim(execution_id).into_command(),
        6 => CompleteExecution {
            execution_id,
            fence,
            attempt_index: None,
            result_payload: None,
            result_encoding: None,
            source,
        }
        .into_command(),
        7 => FailExecution {
            execution_id,
            fence,
            attempt_index: None,
            failure_reason: "broken".to_owned(),
            failure_category: "transient".to_owned(),
            failure_class: None,
            retry_policy_json: None,
            source,
        }
        .into_command(),
        8 => CancelExecution { execution_id, reason: "test".to_owned(), source, fence }.into_command(),
        9 => Delay { execution_id, fence, source, delay_until: until }.into_command(),
        10 => ChangePriority { execution_id, new_priority: pick(9) as i32 }.into_command(),
        11 => ReplayExecution { execution_id, requested_by: None, reason: None }.into_command(),
        12 => {
            let reason = "test".to_owned();
            RevokeLease { execution_id, expected_lease_id: None, worker_instance_id: None, reason }.into_command()
        }
        13 if pick(2) == 0 => PromoteDelayed { execution_id }.into_command(),
        _ => Settle { execution_id, holder_gone: None }.into_command(),
    }
}

/// What the indexes should hold, from the records alone.
#[derive(Debug, Default, PartialEq)]
struct Indexes {
    stored: BTreeMap<ExecutionId, StoredIndex>,
    ready: BTreeMap<ReadyGroup, Vec<ExecutionId>>,
    eligible: BTreeMap<LaneId, Vec<ExecutionId>>,
    due: Vec<DueEntry>,
    active: Vec<ExecutionId>,
    lapsing: Vec<(TimestampMs, ExecutionId)>,
}

fn derived(executions: &[Arc<Execution>]) -> Indexes {
    let mut indexes = Indexes::default();
    let mut ranked: Vec<(i64, Uuid, &Arc<Execution>)> =
        executions.iter().map(|execution| (execution.rank(), execution.id.uuid(), execution)).collect();
    ranked.sort_by_key(|(rank, id, _)| (*rank, *id));
    for (_, _, execution) in ranked {
        let entries = index_entries(execution);
        let stored = StoredIndex {
            queue: entries.queue.name().to_owned(),
            lane_id: entries.lane_id.clone(),
            score: entries.queue.score(),
            due_at: entries.due_at,
        };
        indexes.stored.insert(execution.id, stored);
        indexes.due.extend(entries.due_at.map(|due_at| DueEntry { due_at, execution: execution.id.uuid() }));
        match entries.queue {
            Queue::Ready { .. } => {
                indexes.eligible.entry(entries.lane_id.clone()).or_default().push(execution.id);
                let group = ReadyGroup { lane_id: entries.lane_id, requirements: entries.requirements };
                indexes.ready.entry(group).or_default().push(execution.id);
            }
            Queue::Active { lease_expires_at } => {
                indexes.active.push(execution.id);
                indexes.lapsing.extend(lease_expires_at.map(|at| (at, execution.id)));
            }
            _ => {}
        }
    }
    indexes.due.sort();
    indexes.active.sort();
    indexes.lapsing.sort();
    indexes
}

/// What the indexes hold, read in pages of `page`.
async fn scanned(owner: &Owner, partition: u16, executions: &[Arc<Execution>], page: usize) -> Indexes {
    let backend = owner.backend.as_ref();
    let mut indexes = Indexes::default();
    for execution in executions {
        let stored = backend.stored_index(execution.id).await.unwrap();
        indexes.stored.extend(stored.map(|stored| (execution.id, stored)));
    }
    let mut last_group = None;
    while let [group, ..] = &backend.ready_groups(partition, last_group.as_ref(), 1).await.unwrap()[..] {
        let mut found: Vec<Arc<Execution>> = Vec::new();
        loop {
            let after = found.last().map(|execution| (execution.rank(), execution.id.uuid()));
            let more = backend.scan_ready(partition, group, after, page).await.unwrap();
            if more.is_empty() {
                break;
            }
            found.extend(more);
        }
        indexes.ready.insert(group.clone(), found.iter().map(|execution| execution.id).collect());
        last_group = Some(group.clone());
    }
    for lane in LANES.map(LaneId::new) {
        let found = backend.scan_eligible(partition, &lane, 1000).await.unwrap();
        if !found.is_empty() {
            indexes.eligible.insert(lane, found);
        }
    }
    loop {
        let after = indexes.due.last().map(|entry| (entry.due_at, entry.execution));
        let more = backend.scan_due(partition, after, page).await.unwrap();
        if more.is_empty() {
            break;
        }
        indexes.due.extend(more);
    }
    loop {
        let after = indexes.active.last().map(ExecutionId::uuid);
        let more = backend.scan_active(partition, after, page).await.unwrap();
        if more.is_empty() {
            break;
        }
        indexes.active.extend(more.iter().map(|execution| execution.id));
    }
    let mut cursor = None;
    loop {
        let more = backend.list_expired_leases(TimestampMs(i64::MAX), cursor.as_ref(), page).await.unwrap();
        let Some(last) = more.last() else { break };
        cursor = Some(leasehold_backend::ExpiredLeaseCursor {
            expires_at: last.expires_at,
            execution_id: last.execution_id,
        });
        let here = more.iter().filter(|lease| lease.execution_id.partition() == partition);
        indexes.lapsing.extend(here.map(|lease| (lease.expires_at, lease.execution_id)));
    }
    indexes
}

async fn listed(owner: &Owner, partition: u16, page: usize) -> Vec<Arc<Execution>> {
    let mut all: Vec<Arc<Execution>> = Vec::new();
    loop {
        let after = all.last().map(|execution| execution.id.uuid());
        let more = owner.backend.list_executions(partition, after, page).await.unwrap();
        if more.is_empty() {
            return all;
        }
        all.extend(more);
    }
}

#[tokio::test]
async fn indexes_are_derived_from_the_records_after_any_changes() {
    for seed in 0..8 {
        let entropy = SeededEntropy::new(seed);
        let mut owner = Owner::alone().await;
        let mut queues = BTreeSet::new();
        for step in 0..600 {
            let command = any_command(&mut owner, &entropy, 12);
            let changes = owner.decided_command(&command).await;
            owner.commit(support::partition_of(&command), changes).await.unwrap();
            if entropy.next_u64().is_multiple_of(8) {
                owner.clock.advance(entropy.next_u64() % LEASE_TTL_MS);
            }
            for partition in 0..2 {
                let executions = listed(&owner, partition, 5).await;
                let wanted = derived(&executions);
                queues.extend(wanted.stored.values().map(|stored| stored.queue.clone()));
                let found = scanned(&owner, partition, &executions, 3).await;
                assert_eq!(found, wanted, "seed {seed}, step {step}, after {}", command.name());
            }
        }
        for queue in ["ready", "delayed", "active", "terminal"] {
            assert!(queues.contains(queue), "seed {seed} never came by {queue}");
        }
    }
}

#[tokio::test]
async fn a_blocked_execution_is_in_no_scan() {
    let mut owner = Owner::alone().await;
    owner.create(id(0, 1)).await;
    let (reason, detail) = (AdmissionBlock::PausedByOperator, None);
    owner.run(BlockExecution { execution_id: id(0, 1), reason, detail }).await;
    assert_eq!(owner.backend.stored_index(id(0, 1)).await.unwrap().unwrap().queue, "blocked");
    assert_eq!(owner.backend.ready_groups(0, None, 10).await, Ok(Vec::new()));
    owner.run(UnblockExecution { execution_id: id(0, 1), expected_reason: None }).await;
    assert_eq!(owner.backend.ready_groups(0, None, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn only_leases_that_ran_out_by_then_are_listed_over_all_partitions() {
    let mut owner = Owner::alone().await;
    for (partition, number) in [(2, 1), (0, 2), (1, 3)] {
        owner.create(id(partition, number)).await;
        let claim = owner.claim(id(partition, number));
        owner.run(claim).await;
        owner.clock.advance(100);
    }
    let first = TimestampMs(1_000_000).plus(LEASE_TTL_MS);
    let at = async |as_of: TimestampMs| {
        let leases = owner.backend.list_expired_leases(as_of, None, 10).await.unwrap();
        leases.iter().map(|lease| lease.execution_id).collect::<Vec<_>>()
    };
    assert_eq!(at(first.minus(1)).await, [] as [ExecutionId; 0]);
    assert_eq!(at(first.plus(100)).await, [id(2, 1), id(0, 2)]);
    assert_eq!(at(first.plus(999)).await, [id(2, 1), id(0, 2), id(1, 3)]);
}

#[tokio::test]
async fn a_renewed_lease_is_listed_at_its_new_expiry_alone() {
    let mut owner = Owner::alone().await;
    owner.create(id(0, 1)).await;
    let claim = owner.claim(id(0, 1));
    owner.run(claim).await;
    owner.clock.advance(500);
    let fence = owner.stored(id(0, 1)).await.unwrap().lease.as_ref().unwrap().fence().into();
    let (attempt_index, lease_ttl_ms) = (AttemptIndex(0), 20_000);
    owner.run(RenewLease { execution_id: id(0, 1), attempt_index, fence, lease_ttl_ms }).await;
    let leases = owner.backend.list_expired_leases(TimestampMs(i64::MAX), None, 10).await.unwrap();
    let times: Vec<_> = leases.iter().map(|lease| lease.expires_at).collect();
    assert_eq!(times, [TimestampMs(1_020_500)]);
}

#[tokio::test]
async fn a_worker_is_offered_what_its_group_requires() {
    let mut owner = Owner::alone().await;
    let mut create = creation(id(0, 1), "bulk");
    create.policy_json = Some(POLICY_GPU.into());
    owner.run(create).await;
    owner.run(creation(id(0, 2), "bulk")).await;
    owner.run(creation(id(0, 3), "urgent")).await;
    let groups = owner.backend.ready_groups(0, None, 10).await.unwrap();
    let lanes: Vec<_> = groups.iter().map(|group| (group.lane_id.as_str(), group.requirements.len())).collect();
    assert_eq!(lanes, [("bulk", 0), ("bulk", 1), ("urgent", 0)]);
    let gpu =
        ReadyGroup { lane_id: LaneId::new("bulk"), requirements: CapabilitySet::parse_required(["gpu"]).unwrap() };
    let ready = owner.backend.scan_ready(0, &gpu, None, 10).await.unwrap();
    assert_eq!(ready.iter().map(|execution| execution.id).collect::<Vec<_>>(), [id(0, 1)]);
    let eligible = owner.backend.scan_eligible(0, &gpu.lane_id, 10).await.unwrap();
    assert_eq!(eligible, [id(0, 1), id(0, 2)]);
}

#[tokio::test]
async fn no_page_is_longer_than_the_longest() {
    let mut owner = Owner::alone().await;
    for number in 1..=1010 {
        owner.create(id(0, number)).await;
    }
    let all = usize::MAX;
    assert_eq!(owner.backend.list_executions(0, None, all).await.unwrap().len(), 1000);
    assert_eq!(owner.backend.scan_eligible(0, &LaneId::new("default"), all).await.unwrap().len(), 1000);
    assert_eq!(owner.backend.list_executions(0, Some(Uuid::from_u128(1000)), all).await.unwrap().len(), 10);
    assert_eq!(listed(&owner, 0, 300).await.len(), 1010);
}

#[tokio::test]
async fn lanes_attempts_and_events_are_read_in_pages() {
    let mut owner = Owner::alone().await;
    for (partition, lane) in [(0, "c"), (1, "a"), (2, "c"), (3, "b")] {
        owner.run(creation(id(partition, 9), lane)).await;
    }
    let after = |lane: &'static str| Some(LaneId::new(lane));
    assert_eq!(owner.backend.list_lanes(None, 2).await.unwrap(), ["a", "b"].map(LaneId::new));
    assert_eq!(owner.backend.list_lanes(after("b").as_ref(), 2).await.unwrap(), ["c"].map(LaneId::new));

    for _ in 0..4 {
        let claim = owner.claim(id(0, 9));
        owner.run(claim).await;
        let reason = "test".to_owned();
        let revoke = RevokeLease { execution_id: id(0, 9), expected_lease_id: None, worker_instance_id: None, reason };
        owner.run(revoke).await;
    }
    let attempts = owner.backend.list_attempts(id(0, 9), None, 2).await.unwrap();
    assert_eq!(attempts.iter().map(|attempt| attempt.index.0).collect::<Vec<_>>(), [0, 1]);
    let attempts = owner.backend.list_attempts(id(0, 9), Some(AttemptIndex(1)), 2).await.unwrap();
    assert_eq!(attempts.iter().map(|attempt| attempt.index.0).collect::<Vec<_>>(), [2]);
    assert_eq!(owner.backend.list_attempts(id(0, 8), None, 2).await, Ok(Vec::new()));

    owner.take(&[0]).await;
    let claim = owner.claim(id(0, 9));
    owner.run(claim).await;
    let mut numbers = Vec::new();
    let mut after = None;
    loop {
        let page = owner.backend.read_events(0, after, 3).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        numbers.extend(page.iter().map(|logged| (logged.id.epoch, logged.id.number)));
    }
    let first: Vec<_> = (1..=8).map(|number| (1, number)).chain([(2, 1)]).collect();
    assert_eq!(numbers, first);
}

#[tokio::test]
async fn an_index_entry_without_a_record_is_reported_as_corrupt() {
    let mut owner = Owner::alone().await;
    owner.create(id(0, 1)).await;
    let mut deletion = owner.decided(ChangePriority { execution_id: id(0, 1), new_priority: 3 }).await;
    deletion.changes[0].new = None;
    deletion.changes[0].old = None;
    owner.commit(0, deletion).await.unwrap();
    let group = &owner.backend.ready_groups(0, None, 10).await.unwrap()[0];
    let scan = owner.backend.scan_ready(0, group, None, 10).await;
    assert!(matches!(scan, Err(StoreError::Corrupt(_))), "{scan:?}");
}

#[tokio::test]
async fn an_execution_left_in_two_queues_shows_both() {
    let mut owner = Owner::alone().await;
    owner.create(id(0, 1)).await;
    let claim = owner.claim(id(0, 1));
    let mut claimed = owner.decided(claim).await;
    for change in &mut claimed.changes {
        assert!(matches!(change.old, Some(Record::Execution(_))));
        change.old = None;
    }
    owner.commit(0, claimed).await.unwrap();
    assert_eq!(owner.backend.stored_index(id(0, 1)).await.unwrap().unwrap().queue, "ready+active");
}
