//! Stores on which a batch goes through whole or not at all: its head is the
//! node's.

use crate::ownership::other_node;
use crate::{Engine, Place, TTL_MS};
use leasehold_backend::{Backend, PartOutcome, StoreError};
use leasehold_core::ids::NodeId;
use std::sync::Arc;

pub async fn every_part_of_a_buried_node_is_refused<P: Place>() {
    let place = P::fresh();
    let mut engine = Engine::at(&place).await;
    assert!(engine.store.bury_node(engine.node, true).await.unwrap());
    let (one, two) = (engine.id(1), engine.id(2));
    let changes = vec![engine.create(one), engine.create(two)];
    let batch = engine.batch(changes);
    assert_eq!(engine.store.commit(&batch).await.unwrap(), [PartOutcome::Refused, PartOutcome::Refused]);
    assert!(!engine.exists(one).await);
    assert_eq!(engine.store.landed(&batch).await.unwrap(), [false; 2]);
}

pub async fn a_node_nobody_registered_is_refused<P: Place>() {
    let place = P::fresh();
    let mut engine = Engine::at(&place).await;
    let id = engine.id(1);
    let changes = vec![engine.create(id)];
    let mut batch = engine.batch(changes);
    batch.node = NodeId::from_uuid(uuid::Uuid::from_u128(5));
    assert_eq!(engine.store.commit(&batch).await.unwrap(), [PartOutcome::Refused]);
}

pub async fn an_impossible_change_leaves_nothing_of_its_batch_and_the_rest_goes_through_alone<P: Place>() {
    let place = P::fresh();
    let mut engine = Engine::at(&place).await;
    let known = engine.created([1]).await[0];
    engine.forget_records();
    // Created again by an owner that forgot it: a create never overwrites.
    let fresh = engine.id(2);
    let (bad, good) = (engine.create(known), engine.create(fresh));
    let batch = engine.batch(vec![bad, good.clone()]);
    let error = engine.send(&batch).await.unwrap_err();
    assert!(matches!(error, StoreError::Permanent { .. }), "{error:?}");
    assert!(!engine.exists(fresh).await);
    assert_eq!(engine.store.landed(&batch).await.unwrap(), [false; 2]);

    engine.commit(vec![good]).await;
    assert!(engine.exists(fresh).await);
}

pub async fn a_caller_that_goes_away_leaves_no_open_transaction<P: Place>() {
    let place = P::fresh();
    let mut engine = Engine::at(&place).await;
    for steps in 1..6 {
        let id = engine.id(4);
        let changes = vec![engine.create(id)];
        let batch = engine.batch(changes);
        let store = Arc::clone(&engine.store);
        let sent = batch.clone();
        let mut call = Box::pin(async move { store.commit(&sent).await });
        // Polled a few times and dropped wherever that is, which may be behind its end.
        for _ in 0..steps {
            if futures::poll!(&mut call).is_ready() {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(call);
        engine.take(&[4]).await;
        let landed = engine.store.landed(&batch).await.unwrap();
        assert_eq!(landed, [engine.exists(id).await]);
        engine.batches += u64::from(landed[0]);
        engine.created([4]).await;
    }
}

pub async fn an_empty_batch_advances_the_head<P: Place>() {
    let place = P::fresh();
    let mut engine = Engine::at(&place).await;
    let batch = engine.batch(Vec::new());
    assert_eq!(engine.send(&batch).await.unwrap(), []);
    engine.created([1]).await;
}

pub async fn a_dead_node_that_owns_nothing_is_forgotten_in_time<P: Place>() {
    let place = P::fresh();
    let first = Engine::at(&place).await;
    first.store.register_node(other_node(), TTL_MS).await.unwrap();
    assert!(first.store.bury_node(other_node(), true).await.unwrap());
    assert!(first.store.bury_node(first.node, true).await.unwrap());
    first.clock.advance(30 * 86_400_000);
    let second = first.neighbour(3, &[]).await;
    let mut known: Vec<NodeId> = second.store.nodes().await.unwrap().into_iter().map(|row| row.node).collect();
    let mut expected = vec![first.node, second.node];
    known.sort();
    expected.sort();
    assert_eq!(known, expected);
}
