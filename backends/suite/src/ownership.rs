//! Nodes, their leases, and takeovers.

use crate::{Engine, Place, START, TTL_MS, engine_node};
use leasehold_backend::{Backend, Clock};
use leasehold_core::ids::NodeId;
use leasehold_core::time::TimestampMs;

pub(crate) fn other_node() -> NodeId {
    engine_node(77)
}

pub async fn a_lapsed_lease_is_not_renewed<P: Place>() {
    let place = P::fresh();
    let engine = Engine::at(&place).await;
    engine.clock.advance(TTL_MS - 1);
    assert_eq!(engine.store.heartbeat_node(engine.node, TTL_MS).await.unwrap(), Some(engine.clock.now()));
    engine.clock.advance(TTL_MS - 1);
    assert_eq!(engine.store.heartbeat_node(engine.node, TTL_MS).await.unwrap(), Some(engine.clock.now()));
    engine.clock.advance(TTL_MS);
    assert_eq!(engine.store.heartbeat_node(engine.node, TTL_MS).await.unwrap(), None);
    assert_eq!(engine.store.heartbeat_node(other_node(), TTL_MS).await.unwrap(), None);
}

pub async fn only_a_lapsed_node_is_buried_without_proof<P: Place>() {
    let place = P::fresh();
    let engine = Engine::at(&place).await;
    assert!(!engine.store.bury_node(engine.node, false).await.unwrap());
    engine.clock.advance(TTL_MS);
    assert!(engine.store.bury_node(engine.node, false).await.unwrap());
    assert!(engine.store.bury_node(engine.node, false).await.unwrap());
    assert_eq!(engine.store.heartbeat_node(engine.node, TTL_MS).await.unwrap(), None);
    let rows = engine.store.nodes().await.unwrap();
    assert_eq!(rows.len(), 1);
    assert!(rows[0].dead);
    assert_eq!(rows[0].expires_at, START.plus(TTL_MS));
}

pub async fn a_buried_node_does_not_come_back_by_registering<P: Place>() {
    let place = P::fresh();
    let engine = Engine::at(&place).await;
    assert!(engine.store.bury_node(engine.node, true).await.unwrap());
    engine.store.register_node(engine.node, TTL_MS).await.unwrap();
    assert!(engine.store.nodes().await.unwrap()[0].dead);
    assert_eq!(engine.store.take_partitions(engine.node, 1, &[1], 0).await.unwrap(), []);
}

pub async fn every_takeover_has_a_greater_epoch_at_least_the_floor<P: Place>() {
    let place = P::fresh();
    let engine = Engine::at(&place).await;
    assert_eq!(engine.epochs[&1], 1000);
    let taken = engine.store.take_partitions(engine.node, 5, &[1], 3).await.unwrap();
    assert_eq!((taken[0].epoch, taken[0].previous_owner), (1001, Some(engine.node)));
    let taken = engine.store.take_partitions(engine.node, 5, &[1, 20], 5000).await.unwrap();
    assert_eq!((taken[0].partition, taken[0].epoch), (1, 5000));
    assert_eq!((taken[1].partition, taken[1].epoch, taken[1].previous_owner), (20, 5000, None));
}

pub async fn a_partition_that_does_not_exist_is_not_taken<P: Place>() {
    let place = P::fresh();
    let engine = Engine::at(&place).await;
    assert_eq!(engine.store.take_partitions(engine.node, 5, &[256, 9000], 0).await.unwrap(), []);
}

pub async fn a_live_owner_keeps_its_partition_even_when_its_lease_lapsed<P: Place>() {
    let place = P::fresh();
    let engine = Engine::at(&place).await;
    engine.clock.advance(TTL_MS * 2);
    engine.store.register_node(other_node(), TTL_MS).await.unwrap();
    let take = || engine.store.take_partitions(other_node(), 1, &[0, 9], 0);
    let taken: Vec<u16> = take().await.unwrap().into_iter().map(|taken| taken.partition).collect();
    assert_eq!(taken, [9]);
    assert!(engine.store.bury_node(engine.node, false).await.unwrap());
    let taken = take().await.unwrap();
    assert_eq!(taken.iter().map(|taken| taken.partition).collect::<Vec<_>>(), [0, 9]);
    assert_eq!(taken[0].previous_owner, Some(engine.node));
}

pub async fn partition_time_never_decreases_across_owners<P: Place>() {
    let place = P::fresh();
    let mut first = Engine::at(&place).await;
    first.clock.advance(500);
    first.created([2]).await;
    let written = first.clock.now();
    assert!(first.store.bury_node(first.node, true).await.unwrap());
    // The clock of the next owner is behind.
    first.clock.step_wall(-10_000);
    let mut second = first.neighbour(2, &[]).await;
    let taken = second.store.take_partitions(second.node, 1, &[2], 0).await.unwrap();
    assert_eq!(taken[0].time, written);
    // A node that took it without writing anything passes it on.
    assert!(second.store.bury_node(second.node, true).await.unwrap());
    second = first.neighbour(3, &[]).await;
    let taken = second.store.take_partitions(second.node, 1, &[2, 200], 0).await.unwrap();
    assert_eq!(taken[0].time, written);
    assert_eq!(taken[1].time, TimestampMs(0));
}

pub async fn all_partitions_can_be_taken_at_once<P: Place>() {
    let place = P::fresh();
    let engine = Engine::at(&place).await;
    let all: Vec<u16> = (0..256).collect();
    let taken = engine.store.take_partitions(engine.node, 5, &all, 0).await.unwrap();
    assert_eq!(taken.iter().map(|taken| taken.partition).collect::<Vec<_>>(), all);
}
