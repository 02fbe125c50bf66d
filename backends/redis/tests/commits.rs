//! Parts that stand or fail by themselves, and what they cost.

#[path = "support/servers.rs"]
mod servers;
mod support;

use leasehold_backend::{Backend, PartOutcome, StoreError};
use support::{Node, Server, engine};

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
    assert!(!engine.exists(fresh).await);
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
    assert!(engine.exists(fresh).await);
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
    assert!(engine.exists(later).await);
}

async fn parts_out_of_order_are_refused(server: Server) {
    let mut engine = engine(server).await;
    let ids = [engine.id(1), engine.id(2)];
    let changes = ids.iter().map(|id| engine.create(*id)).collect();
    let mut batch = engine.batch(changes);
    batch.parts.reverse();
    assert!(matches!(engine.send(&batch).await, Err(StoreError::Permanent { .. })));
    assert!(!engine.exists(ids[0]).await);
}

async fn round_trips_do_not_grow_with_the_batch_and_keys_stay_few(server: Server) {
    let mut engine = engine(server).await;
    // Lanes are new only once.
    engine.created([1]).await;
    let mut trips = Vec::new();
    for size in [2_u64, 100] {
        let before = engine.store.stats();
        let ids = engine.created((0..size).map(|_| 1)).await;
        for step in [Node::claim, Node::complete] {
            let changes = ids.iter().map(|id| step(&mut engine, *id)).collect();
            engine.commit(changes).await;
        }
        let after = engine.store.stats();
        trips.push(after.round_trips - before.round_trips);
        assert_eq!((after.commits - before.commits, after.parts - before.parts), (3, 3));
        // Record and payload; record; record. The events of a commit share
        // entries, up to 64 of them.
        assert_eq!(after.keys_written - before.keys_written, 4 * size + 2 * size.div_ceil(64));
        // Id and ready entry; ready out and active in; that one out.
        assert_eq!(after.index_entries_written - before.index_entries_written, 5 * size);
    }
    assert_eq!(trips, [3, 3]);
}

servers::on_every_server!(
    an_impossible_change_alone_is_refused_for_good_and_leaves_nothing,
    a_part_that_is_impossible_fails_alone_and_the_others_stand,
    a_commit_is_found_to_have_landed_after_several_takeovers,
    parts_out_of_order_are_refused,
    round_trips_do_not_grow_with_the_batch_and_keys_stay_few,
);
