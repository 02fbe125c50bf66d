//! What a batch does to the store, and what it does not.

#[path = "support/servers.rs"]
mod servers;
mod support;

use leasehold_backend::{Backend, PartOutcome, StoreError};
use leasehold_core::record::RecordKey;
use std::sync::Arc;
use support::{Engine, Server, TTL_MS, engine, engine_with, join, options};

async fn exists(engine: &Engine, id: leasehold_core::ids::ExecutionId) -> bool {
    let loaded = engine.store.load(id.partition(), &[RecordKey::Execution(id.uuid())], &[]).await.unwrap();
    loaded.records[0].is_some()
}

async fn a_part_whose_partition_was_taken_is_refused_and_the_other_goes_through(server: Server) {
    let mut engine = engine(server).await;
    let (one, two) = (engine.id(1), engine.id(2));
    let changes = vec![engine.create(one), engine.create(two)];
    let batch = engine.batch(changes);
    engine.store.take_partitions(engine.node, 99, &[2], 0).await.unwrap();

    assert_eq!(engine.send(&batch).await.unwrap(), [PartOutcome::Applied, PartOutcome::Refused]);
    assert!(exists(&engine, one).await);
    assert!(!exists(&engine, two).await);
    assert_eq!(engine.store.landed(&batch).await.unwrap(), [true, false]);
}

async fn a_part_with_another_nonce_is_refused(server: Server) {
    let mut engine = engine(server).await;
    let id = engine.id(3);
    let changes = vec![engine.create(id)];
    let mut batch = engine.batch(changes);
    batch.parts[0].expected.nonce ^= 1;
    assert_eq!(engine.send(&batch).await.unwrap(), [PartOutcome::Refused]);
    assert!(!exists(&engine, id).await);
}

async fn a_batch_sent_twice_is_applied_once(server: Server) {
    let mut engine = engine(server).await;
    let id = engine.id(1);
    let changes = vec![engine.create(id)];
    let batch = engine.batch(changes);
    assert_eq!(engine.store.commit(&batch).await.unwrap(), [PartOutcome::Applied]);
    assert_eq!(engine.store.commit(&batch).await.unwrap(), [PartOutcome::Refused]);
    assert_eq!(engine.store.landed(&batch).await.unwrap(), [true]);
}

async fn a_batch_that_never_arrived_has_not_landed(server: Server) {
    let mut engine = engine(server).await;
    engine.created([1]).await;
    let id = engine.id(1);
    let changes = vec![engine.create(id)];
    let batch = engine.batch(changes);
    engine.take(&[1]).await;
    assert_eq!(engine.store.landed(&batch).await.unwrap(), [false]);
    // And it cannot arrive any more.
    assert_eq!(engine.store.commit(&batch).await.unwrap(), [PartOutcome::Refused]);
}

async fn a_part_that_was_refused_unnoticed_can_be_sent_again_under_the_new_epoch(server: Server) {
    let mut engine = engine(server).await;
    let id = engine.id(1);
    let create = engine.create(id);
    let batch = engine.batch(vec![create.clone()]);
    engine.take(&[1]).await;
    // The answer gets lost on the way.
    engine.store.commit(&batch).await.unwrap();
    engine.take(&[1]).await;
    assert_eq!(engine.store.landed(&batch).await.unwrap(), [false]);
    engine.commit(vec![create]).await;
    assert!(exists(&engine, id).await);
}

async fn an_impossible_change_alone_is_refused_for_good_and_leaves_nothing(server: Server) {
    let mut engine = engine(server).await;
    let known = engine.created([1]).await[0];
    engine.forget_records();
    // Created again by an owner that forgot it: a create never overwrites.
    let fresh = engine.id(1);
    let changes = vec![engine.create(known), engine.create(fresh)];
    let batch = engine.batch(changes);
    let error = engine.send(&batch).await.unwrap_err();
    assert!(matches!(error, StoreError::Permanent { .. }), "{error:?}");
    assert!(error.to_string().contains(&known.to_string()), "{error}");
    assert!(!exists(&engine, fresh).await);
    assert_eq!(engine.store.landed(&batch).await.unwrap(), [false]);
}

async fn a_part_that_is_impossible_fails_alone_and_the_others_stand(server: Server) {
    let mut engine = engine(server).await;
    let known = engine.created([1]).await[0];
    engine.forget_records();
    let fresh = engine.id(2);
    let changes = vec![engine.create(known), engine.create(fresh)];
    let batch = engine.batch(changes);
    let outcomes = engine.send(&batch).await.unwrap();
    let [PartOutcome::Failed(StoreError::Permanent { message }), PartOutcome::Applied] = &outcomes[..] else {
        panic!("{outcomes:?}");
    };
    assert!(message.contains(&known.to_string()), "{message}");
    assert!(exists(&engine, fresh).await);
    // Neither partition has to be taken anew: both go on where they were.
    let claims = vec![engine.claim(known), engine.claim(fresh)];
    engine.commit(claims).await;
}

async fn a_commit_is_found_to_have_landed_after_several_takeovers(server: Server) {
    let mut engine = engine(server).await;
    let id = engine.id(1);
    let changes = vec![engine.create(id)];
    let batch = engine.batch(changes);
    engine.send(&batch).await.unwrap();
    engine.take(&[1]).await;
    engine.take(&[1]).await;
    assert_eq!(engine.store.landed(&batch).await.unwrap(), [true]);
    let later = engine.created([1]).await[0];
    assert!(exists(&engine, later).await);
}

async fn parts_out_of_order_are_refused(server: Server) {
    let mut engine = engine(server).await;
    let ids = [engine.id(1), engine.id(2)];
    let changes = ids.iter().map(|id| engine.create(*id)).collect();
    let mut batch = engine.batch(changes);
    batch.parts.reverse();
    assert!(matches!(engine.send(&batch).await, Err(StoreError::Permanent { .. })));
    assert!(!exists(&engine, ids[0]).await);
}

async fn round_trips_do_not_grow_with_the_batch_and_keys_stay_few(server: Server) {
    let mut engine = engine(server).await;
    // Lanes are new only once.
    engine.created([1]).await;
    let mut trips = Vec::new();
    for size in [2_u64, 100] {
        let before = engine.store.stats();
        let ids = engine.created((0..size).map(|_| 1)).await;
        for step in [Engine::claim, Engine::complete] {
            let changes = ids.iter().map(|id| step(&mut engine, *id)).collect();
            engine.commit(changes).await;
        }
        let after = engine.store.stats();
        trips.push(after.round_trips - before.round_trips);
        assert_eq!((after.commits - before.commits, after.parts - before.parts), (3, 3));
        // Record and payload; record; record. The events of a commit share
        // entries, up to 64 of them.
        assert_eq!(after.keys_written - before.keys_written, 4 * size + 2 * size.div_ceil(64));
        // Id and ready entry; ready out, active and the attempt's time limit in;
        // those two out.
        assert_eq!(after.index_entries_written - before.index_entries_written, 7 * size);
    }
    assert_eq!(trips, [3, 3]);
}

async fn an_event_number_that_exists_is_refused_for_good(server: Server) {
    let mut engine = engine(server).await;
    let ids = engine.created([1, 1]).await;
    let claim = engine.claim(ids[0]);
    engine.commit(vec![claim]).await;
    let claim = engine.claim(ids[1]);
    let mut batch = engine.batch(vec![claim]);
    batch.parts[0].first_event = 1;
    assert!(matches!(engine.send(&batch).await, Err(StoreError::Permanent { .. })));
    batch.parts[0].first_event = 2;
    engine.send(&batch).await.unwrap();
}

async fn a_thousand_changes_fit_into_one_batch(server: Server) {
    let mut engine = engine(server).await;
    let ids = engine.created((0..1000).map(|n| n % 8)).await;
    let claims = ids.iter().map(|id| engine.claim(*id)).collect();
    engine.commit(claims).await;
    let mut found = 0;
    for partition in 0..8 {
        found += engine.store.scan_active(partition, None, 1000).await.unwrap().len();
        assert_eq!(engine.store.read_events(partition, None, 1000).await.unwrap().len(), 125);
    }
    assert_eq!(found, 1000);
}

async fn a_batch_may_span_every_partition(server: Server) {
    let all: Vec<u16> = (0..256).collect();
    let mut engine = engine_with(options(server), 1, &all).await;
    let ids: Vec<_> = all.iter().map(|partition| engine.id(*partition)).collect();
    let changes = ids.iter().map(|id| engine.create(*id)).collect();
    let batch = engine.batch(changes);
    engine.store.take_partitions(engine.node, 7, &[3, 200], 0).await.unwrap();
    let outcomes = engine.send(&batch).await.unwrap();
    let refused: Vec<usize> = (0..256).filter(|partition| outcomes[*partition] == PartOutcome::Refused).collect();
    assert_eq!(refused, [3, 200]);
    let landed = engine.store.landed(&batch).await.unwrap();
    assert_eq!(landed.iter().filter(|landed| !**landed).count(), 2);
}

async fn two_nodes_on_one_store_commit_to_their_own_partitions(server: Server) {
    let mut one = engine_with(options(server), 1, &[0, 1]).await;
    let mut two = join(Arc::clone(&one.store), one.options.clone(), Arc::clone(&one.clock), 2, &[1, 2]).await;
    // The first node is alive and keeps partition 1.
    assert_eq!(two.epochs.keys().collect::<Vec<_>>(), [&2]);
    one.created([0, 1]).await;
    two.created([2]).await;
    let id = two.id(1);
    let create = two.create(id);
    let batch = two.batch(vec![create.clone()]);
    assert_eq!(two.send(&batch).await.unwrap(), [PartOutcome::Refused]);

    one.clock.advance(TTL_MS);
    assert!(two.store.bury_node(one.node, false).await.unwrap());
    two.take(&[0, 1]).await;
    two.commit(vec![create]).await;
    assert!(exists(&two, id).await);
}

servers::on_every_server!(
    a_part_whose_partition_was_taken_is_refused_and_the_other_goes_through,
    a_part_with_another_nonce_is_refused,
    a_batch_sent_twice_is_applied_once,
    a_batch_that_never_arrived_has_not_landed,
    a_part_that_was_refused_unnoticed_can_be_sent_again_under_the_new_epoch,
    an_impossible_change_alone_is_refused_for_good_and_leaves_nothing,
    a_part_that_is_impossible_fails_alone_and_the_others_stand,
    a_commit_is_found_to_have_landed_after_several_takeovers,
    parts_out_of_order_are_refused,
    round_trips_do_not_grow_with_the_batch_and_keys_stay_few,
    an_event_number_that_exists_is_refused_for_good,
    a_thousand_changes_fit_into_one_batch,
    a_batch_may_span_every_partition,
    two_nodes_on_one_store_commit_to_their_own_partitions,
);
