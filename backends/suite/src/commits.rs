//! What a batch does to a store, and what it does not.

use crate::{Engine, Place, TTL_MS};
use leasehold_backend::{Backend, PartOutcome, StoreError};

pub async fn a_part_whose_partition_was_taken_is_refused_and_the_other_goes_through<P: Place>() {
    let place = P::fresh();
    let mut engine = Engine::at(&place).await;
    let (one, two) = (engine.id(1), engine.id(2));
    let changes = vec![engine.create(one), engine.create(two)];
    let batch = engine.batch(changes);
    engine.store.take_partitions(engine.node, 99, &[2], 0).await.unwrap();

    assert_eq!(engine.send(&batch).await.unwrap(), [PartOutcome::Applied, PartOutcome::Refused]);
    assert!(engine.exists(one).await);
    assert!(!engine.exists(two).await);
    assert_eq!(engine.store.landed(&batch).await.unwrap(), [true, false]);
}

pub async fn a_part_with_another_nonce_is_refused<P: Place>() {
    let place = P::fresh();
    let mut engine = Engine::at(&place).await;
    let id = engine.id(3);
    let changes = vec![engine.create(id)];
    let mut batch = engine.batch(changes);
    batch.parts[0].expected.nonce ^= 1;
    assert_eq!(engine.send(&batch).await.unwrap(), [PartOutcome::Refused]);
    assert!(!engine.exists(id).await);
}

pub async fn a_batch_sent_twice_is_applied_once<P: Place>() {
    let place = P::fresh();
    let mut engine = Engine::at(&place).await;
    let id = engine.id(1);
    let changes = vec![engine.create(id)];
    let batch = engine.batch(changes);
    assert_eq!(engine.store.commit(&batch).await.unwrap(), [PartOutcome::Applied]);
    assert_eq!(engine.store.commit(&batch).await.unwrap(), [PartOutcome::Refused]);
    assert_eq!(engine.store.landed(&batch).await.unwrap(), [true]);
}

pub async fn a_batch_that_never_arrived_has_not_landed<P: Place>() {
    let place = P::fresh();
    let mut engine = Engine::at(&place).await;
    engine.created([1]).await;
    let id = engine.id(1);
    let changes = vec![engine.create(id)];
    let batch = engine.batch(changes);
    engine.take(&[1]).await;
    assert_eq!(engine.store.landed(&batch).await.unwrap(), [false]);
    // And it cannot arrive any more.
    assert_eq!(engine.store.commit(&batch).await.unwrap(), [PartOutcome::Refused]);
}

pub async fn what_was_refused_unnoticed_can_be_sent_again_under_the_new_epoch<P: Place>() {
    let place = P::fresh();
    let mut engine = Engine::at(&place).await;
    let id = engine.id(1);
    let create = engine.create(id);
    let batch = engine.batch(vec![create.clone()]);
    engine.take(&[1]).await;
    // The answer gets lost on the way.
    engine.store.commit(&batch).await.unwrap();
    engine.take(&[1]).await;
    assert_eq!(engine.store.landed(&batch).await.unwrap(), [false]);
    engine.commit(vec![create]).await;
    assert!(engine.exists(id).await);
}

pub async fn an_event_number_that_exists_is_refused_for_good<P: Place>() {
    let place = P::fresh();
    let mut engine = Engine::at(&place).await;
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

pub async fn a_thousand_changes_fit_into_one_batch<P: Place>() {
    let place = P::fresh();
    let mut engine = Engine::at(&place).await;
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

pub async fn a_batch_may_span_every_partition<P: Place>() {
    let place = P::fresh();
    let all: Vec<u16> = (0..256).collect();
    let mut engine = Engine::with(&place, 1, &all).await;
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

pub async fn two_nodes_on_one_store_commit_to_their_own_partitions<P: Place>() {
    let place = P::fresh();
    let mut one = Engine::with(&place, 1, &[0, 1]).await;
    let mut two = one.neighbour(2, &[1, 2]).await;
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
    assert!(two.exists(id).await);
}
