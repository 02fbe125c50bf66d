//! What the memory store promises where nothing goes wrong.

mod support;

use leasehold_backend::{Backend, Clock, ManualClock, Part, PartOutcome, StoreError};
use leasehold_core::decision::ChangeSet;
use leasehold_core::event::Event;
use leasehold_core::partition::PartitionConfig;
use leasehold_core::record::{BlobKey, BlobKind, Record, RecordKey};
use leasehold_core::time::TimestampMs;
use leasehold_memory::{MemoryBackend, MemoryStore};
use support::{NODE_TTL_MS, Owner, clock, config, creation, id, node};
use uuid::Uuid;

#[tokio::test]
async fn a_part_is_refused_unless_epoch_nonce_and_seq_all_match() {
    let mut owner = Owner::alone().await;
    owner.create(id(0, 1)).await;
    let changes = owner.decided(creation(id(0, 2), "default")).await;
    let good = owner.part(0, changes);
    let stale: [fn(&mut Part); 6] = [
        |part| part.expected.epoch += 1,
        |part| part.expected.epoch -= 1,
        |part| part.expected.nonce += 1,
        |part| part.expected.nonce -= 1,
        |part| part.expected.seq += 1,
        |part| part.expected.seq -= 1,
    ];
    for spoil in stale {
        let mut part = good.clone();
        spoil(&mut part);
        let outcome = owner.backend.commit(&owner.batch(vec![part])).await;
        assert_eq!(outcome, Ok(vec![PartOutcome::Refused]));
        assert_eq!(owner.stored(id(0, 2)).await, None);
    }
    assert_eq!(owner.backend.commit(&owner.batch(vec![good])).await, Ok(vec![PartOutcome::Applied]));
    assert!(owner.stored(id(0, 2)).await.is_some());
}

#[tokio::test]
async fn the_same_part_is_applied_once() {
    let owner = Owner::alone().await;
    let changes = owner.decided(creation(id(0, 1), "default")).await;
    let batch = owner.batch(vec![owner.part(0, changes)]);
    assert_eq!(owner.backend.commit(&batch).await, Ok(vec![PartOutcome::Applied]));
    assert_eq!(owner.backend.commit(&batch).await, Ok(vec![PartOutcome::Refused]));
}

#[tokio::test]
async fn a_refused_part_lets_the_others_through() {
    let owner = Owner::alone().await;
    let mut parts = Vec::new();
    for partition in 0..3 {
        let changes = owner.decided(creation(id(partition, 1), "default")).await;
        parts.push(owner.part(partition, changes));
    }
    parts[1].expected.nonce += 1;
    let outcomes = owner.backend.commit(&owner.batch(parts)).await.unwrap();
    assert_eq!(outcomes, [PartOutcome::Applied, PartOutcome::Refused, PartOutcome::Applied]);
    let mut found = Vec::new();
    for partition in 0..3 {
        found.push(owner.stored(id(partition, 1)).await.is_some());
    }
    assert_eq!(found, [true, false, true]);
}

#[tokio::test]
async fn a_part_that_cannot_be_written_keeps_its_whole_batch_out() {
    let mut owner = Owner::alone().await;
    owner.create(id(1, 1)).await;
    owner.run(leasehold_core::command::ChangePriority { execution_id: id(1, 1), new_priority: 3 }).await;
    let good = owner.part(0, owner.decided(creation(id(0, 2), "default")).await);
    let written = owner.decided(creation(id(1, 2), "default")).await;

    let mut twice = owner.part(1, written.clone());
    twice.changes.changes.extend(written.changes.clone());
    let mut misplaced = owner.part(1, written.clone());
    misplaced.changes.changes[0].key = RecordKey::Execution(Uuid::nil());
    let event = Event { execution_id: id(1, 1), at: TimestampMs(0), facts: Vec::new() };
    let mut collides = owner.part(1, ChangeSet { events: vec![event], ..ChangeSet::default() });
    collides.first_event = 1;
    for bad in [twice, misplaced, collides] {
        let outcome = owner.backend.commit(&owner.batch(vec![good.clone(), bad])).await;
        assert!(matches!(outcome, Err(StoreError::Permanent { .. })), "{outcome:?}");
        assert_eq!(owner.stored(id(0, 2)).await, None);
    }
    let unordered = owner.batch(vec![owner.part(1, written), good]);
    assert!(matches!(owner.backend.commit(&unordered).await, Err(StoreError::Permanent { .. })));
    assert_eq!(owner.stored(id(0, 2)).await, None);
}

#[tokio::test]
async fn a_partition_of_a_live_node_is_left_alone_and_that_of_a_buried_one_taken() {
    let mut one = Owner::alone().await;
    let mut two = one.neighbour(2).await;
    assert_eq!(two.take(&[0, 1]).await, [] as [u16; 0]);
    one.clock.advance(NODE_TTL_MS);
    assert_eq!(two.take(&[0, 1]).await, [] as [u16; 0], "a node that merely lapsed is not dead");
    assert_eq!(two.backend.bury_node(one.node, false).await, Ok(true));
    let taken = two.backend.take_partitions(two.node, 9, &[0, 1], 0).await.unwrap();
    assert!(taken.iter().all(|taken| taken.previous_owner == Some(one.node)));
    assert!(taken.iter().all(|taken| taken.epoch > one.head(taken.partition).epoch));
    let changes = one.decided(creation(id(0, 1), "default")).await;
    assert_eq!(one.commit(0, changes).await, Ok(PartOutcome::Refused));
    assert_eq!(one.take(&[2]).await, [] as [u16; 0], "a buried node takes nothing, its own included");
}

#[tokio::test]
async fn a_taken_partition_has_a_new_epoch_at_the_floor_or_above() {
    let owner = Owner::alone().await;
    let before = owner.head(0).epoch;
    let again = owner.backend.take_partitions(owner.node, 9, &[0], 0).await.unwrap();
    assert_eq!((again[0].epoch, again[0].previous_owner), (before + 1, Some(owner.node)));
    let raised = owner.backend.take_partitions(owner.node, 9, &[0], 5000).await.unwrap();
    assert_eq!(raised[0].epoch, 5000);
    let unknown = owner.backend.take_partitions(node(77), 9, &[0], 0).await.unwrap();
    assert_eq!(unknown, []);
    let beyond = owner.backend.take_partitions(owner.node, 9, &[4, 9], 0).await.unwrap();
    assert_eq!(beyond, []);
}

#[tokio::test]
async fn a_commit_under_an_older_epoch_is_told_to_have_landed_or_not() {
    let mut owner = Owner::alone().await;
    let parts = vec![
        owner.part(0, owner.decided(creation(id(0, 1), "default")).await),
        owner.part(1, owner.decided(creation(id(1, 1), "default")).await),
    ];
    let batch = owner.batch(parts.clone());
    let first = owner.batch(parts[..1].to_vec());
    owner.backend.commit(&first).await.unwrap();
    assert_eq!(owner.backend.landed(&batch).await, Ok(vec![true, false]));
    owner.take(&[0, 1]).await;
    assert_eq!(owner.backend.landed(&batch).await, Ok(vec![true, false]));
    owner.take(&[0, 1]).await;
    assert_eq!(owner.backend.landed(&batch).await, Ok(vec![true, false]), "taking twice forgets nothing");
    owner.create(id(0, 2)).await;
    owner.create(id(1, 2)).await;
    assert_eq!(owner.backend.landed(&batch).await, Ok(vec![true, false]));
}

#[tokio::test]
async fn partition_time_never_decreases() {
    let mut owner = Owner::alone().await;
    owner.create(id(0, 1)).await;
    let late = owner.clock.as_ref();
    late.step_wall(-500_000);
    owner.create(id(0, 2)).await;
    let taken = owner.backend.take_partitions(owner.node, 9, &[0], 0).await.unwrap();
    assert_eq!(taken[0].time, TimestampMs(1_000_000));
}

#[tokio::test]
async fn a_lapsed_or_buried_node_never_comes_back() {
    let clock = clock();
    let backend = MemoryBackend::new(MemoryStore::new(), clock.clone());
    for number in [1, 2] {
        backend.register_node(node(number), 100).await.unwrap();
    }
    assert_eq!(backend.bury_node(node(1), false).await, Ok(false));
    clock.advance(99);
    assert_eq!(backend.heartbeat_node(node(1), 100).await, Ok(Some(clock.now())));
    clock.advance(1);
    assert_eq!(backend.heartbeat_node(node(2), 100).await, Ok(None));
    assert_eq!(backend.bury_node(node(2), false).await, Ok(true));
    assert_eq!(backend.bury_node(node(1), true).await, Ok(true));
    backend.register_node(node(1), 100).await.unwrap();
    assert_eq!(backend.heartbeat_node(node(1), 100).await, Ok(None));
    assert_eq!(backend.bury_node(node(3), false).await, Ok(true), "nobody knows it, so it is gone");
    let nodes = backend.nodes().await.unwrap();
    assert_eq!(nodes.iter().map(|row| (row.node, row.dead)).collect::<Vec<_>>(), [(node(1), true), (node(2), true)]);
}

#[tokio::test]
async fn a_store_is_made_for_one_partition_configuration() {
    let clock: std::sync::Arc<ManualClock> = clock();
    let backend = MemoryBackend::new(MemoryStore::with_identity(Uuid::from_u128(5)), clock);
    let early = backend.take_partitions(node(1), 1, &[0], 0).await;
    assert!(matches!(early, Err(StoreError::Refused { .. })));
    let identity = backend.prepare(&config()).await.unwrap();
    assert_eq!(identity.store_id, Uuid::from_u128(5));
    assert_eq!(backend.prepare(&config()).await, Ok(identity));
    let other = PartitionConfig { num_budget_partitions: 7, ..config() };
    assert!(matches!(backend.prepare(&other).await, Err(StoreError::Refused { .. })));
    let empty = PartitionConfig { num_flow_partitions: 0, ..config() };
    assert!(matches!(backend.prepare(&empty).await, Err(StoreError::Refused { .. })));
}

#[tokio::test]
async fn loads_answer_in_the_order_asked_for() {
    let mut owner = Owner::alone().await;
    owner.create(id(0, 1)).await;
    owner.create(id(0, 2)).await;
    let key = |number| RecordKey::Execution(Uuid::from_u128(number));
    let payload = |number| BlobKey { execution: Uuid::from_u128(number), kind: BlobKind::Payload };
    let loaded = owner.backend.load(0, &[key(2), key(3), key(1)], &[payload(3), payload(1)]).await.unwrap();
    let found: Vec<_> = loaded.records.iter().map(|record| record.as_ref().map(Record::key)).collect();
    assert_eq!(found, [Some(key(2)), None, Some(key(1))]);
    assert_eq!(loaded.blobs, [None, Some(bytes::Bytes::from_static(b"payload"))]);
    let nowhere = owner.backend.load(3, &[key(1)], &[payload(1)]).await.unwrap();
    assert_eq!((nowhere.records, nowhere.blobs), (vec![None], vec![None]));
}

#[tokio::test]
async fn what_a_change_deletes_is_gone() {
    let mut owner = Owner::alone().await;
    owner.create(id(0, 1)).await;
    let mut deletion = owner.decided(creation(id(0, 2), "default")).await;
    let stored = owner.stored(id(0, 1)).await.map(Record::Execution);
    deletion.changes.truncate(1);
    deletion.changes[0].key = RecordKey::Execution(Uuid::from_u128(1));
    deletion.changes[0].old = stored;
    deletion.changes[0].new = None;
    deletion.blobs[0].key.execution = Uuid::from_u128(1);
    deletion.blobs[0].bytes = None;
    owner.commit(0, deletion).await.unwrap();
    assert_eq!(owner.stored(id(0, 1)).await, None);
    assert_eq!(owner.backend.stored_index(id(0, 1)).await, Ok(None));
    let payload = BlobKey { execution: Uuid::from_u128(1), kind: BlobKind::Payload };
    assert_eq!(owner.backend.load(0, &[], &[payload]).await.unwrap().blobs, [None]);
}

#[tokio::test]
async fn data_outlives_the_node_that_wrote_it() {
    let mut owner = Owner::alone().await;
    owner.create(id(0, 1)).await;
    let store = owner.backend.store().clone();
    owner.backend.close().await;
    drop(owner);
    let next = Owner::open(&store, clock(), 2).await;
    assert!(next.stored(id(0, 1)).await.is_some());
}

#[tokio::test]
async fn only_a_backend_that_was_told_so_is_exclusive() {
    let backend = MemoryBackend::new(MemoryStore::new(), clock());
    assert!(!backend.exclusive());
    assert!(backend.exclusively().exclusive());
}
