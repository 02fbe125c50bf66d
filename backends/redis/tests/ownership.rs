//! Nodes that are forgotten although they own partitions.

#[path = "support/servers.rs"]
mod servers;
mod support;

use leasehold_backend::Backend;
use leasehold_backend_suite::{TTL_MS, engine_node};
use leasehold_core::ids::NodeId;
use support::{Server, engine};

async fn a_dead_node_is_forgotten_in_time_and_what_it_owned_can_be_taken(server: Server) {
    let first = engine(server).await;
    let other = engine_node(77);
    first.store.register_node(other, TTL_MS).await.unwrap();
    assert!(first.store.bury_node(other, true).await.unwrap());
    assert!(first.store.bury_node(first.node, true).await.unwrap());
    first.clock.advance(30 * 86_400_000);
    let second = first.neighbour(3, &[]).await;
    let mut known: Vec<NodeId> = second.store.nodes().await.unwrap().into_iter().map(|row| row.node).collect();
    known.sort();
    assert_eq!(known, [second.node]);
    let taken = second.store.take_partitions(second.node, 4, &[1], 0).await.unwrap();
    assert_eq!(taken[0].previous_owner, Some(first.node));
}

servers::on_every_server!(a_dead_node_is_forgotten_in_time_and_what_it_owned_can_be_taken);
