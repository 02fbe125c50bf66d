//! Scans and lists: their order, their places and their length.

use crate::{Engine, Place, START, create_command};
use bytes::Bytes;
use leasehold_backend::{Backend, Clock, ExpiredLeaseCursor, PAGE_MAX, ReadyGroup};
use leasehold_core::capability::CapabilitySet;
use leasehold_core::ids::{ExecutionId, LaneId};
use leasehold_core::record::Execution;
use std::sync::Arc;
use uuid::Uuid;

fn group(lane: &'static str, requirements: &[&str]) -> ReadyGroup {
    ReadyGroup {
        lane_id: LaneId::new(lane),
        requirements: CapabilitySet::parse_required(requirements.iter().copied()).unwrap(),
    }
}

/// Creates an execution of a group.
async fn create_in<B: Backend>(
    engine: &mut Engine<B>,
    lane: &'static str,
    requirements: &[&str],
    priority: i32,
) -> ExecutionId {
    let id = engine.id(1);
    let mut command = create_command(id);
    command.lane_id = LaneId::new(lane);
    command.priority = priority;
    if !requirements.is_empty() {
        let policy =
            format!(r#"{{"routing_requirements":{{"required_capabilities":["{}"]}}}}"#, requirements.join("\",\""));
        command.policy_json = Some(Bytes::from(policy));
    }
    let (partition, changes, _) = engine.decide(command);
    engine.commit(vec![(partition, changes)]).await;
    id
}

fn ids(executions: &[Arc<Execution>]) -> Vec<ExecutionId> {
    executions.iter().map(|execution| execution.id).collect()
}

pub async fn groups_are_listed_once_each_and_page_by_page<P: Place>() {
    let place = P::fresh();
    let mut engine = Engine::at(&place).await;
    for (lane, requirements) in
        [("b", &[][..]), ("a", &["gpu"]), ("a", &[]), ("a", &["gpu"]), ("b", &["cpu", "disk"]), ("b", &["cpu"])]
    {
        create_in(&mut engine, lane, requirements, 0).await;
    }
    let expected =
        [group("a", &[]), group("a", &["gpu"]), group("b", &[]), group("b", &["cpu"]), group("b", &["cpu", "disk"])];
    assert_eq!(engine.store.ready_groups(1, None, 100).await.unwrap(), expected);
    assert_eq!(engine.store.ready_groups(1, None, 2).await.unwrap(), expected[..2]);
    assert_eq!(engine.store.ready_groups(1, Some(&expected[1]), 2).await.unwrap(), expected[2..4]);
    assert_eq!(engine.store.ready_groups(1, Some(&expected[4]), 2).await.unwrap(), []);
    assert_eq!(engine.store.ready_groups(2, None, 2).await.unwrap(), []);
}

pub async fn ready_executions_come_by_rank_and_from_their_own_group<P: Place>() {
    let place = P::fresh();
    let mut engine = Engine::at(&place).await;
    let late = create_in(&mut engine, "a", &[], 0).await;
    engine.clock.advance(5);
    let later = create_in(&mut engine, "a", &[], 0).await;
    let urgent = create_in(&mut engine, "a", &[], 7).await;
    create_in(&mut engine, "a", &["gpu"], 9).await;
    create_in(&mut engine, "b", &[], 9).await;
    let group = group("a", &[]);
    let page = engine.store.scan_ready(1, &group, None, 100).await.unwrap();
    assert_eq!(ids(&page), [urgent, late, later]);
    assert_eq!(*page[0], *engine.execution(urgent));
    let place = |execution: &Execution| Some((execution.rank(), execution.id.uuid()));
    let rest = engine.store.scan_ready(1, &group, place(&page[0]), 1).await.unwrap();
    assert_eq!(ids(&rest), [late]);
    let claim = engine.claim(late);
    engine.commit(vec![claim]).await;
    assert_eq!(ids(&engine.store.scan_ready(1, &group, None, 100).await.unwrap()), [urgent, later]);
}

pub async fn what_is_eligible_in_a_lane_comes_by_rank_across_requirements<P: Place>() {
    let place = P::fresh();
    let mut engine = Engine::at(&place).await;
    let mut expected = Vec::new();
    for requirements in [&["gpu"][..], &[], &["cpu"], &["gpu"], &[]] {
        expected.push(create_in(&mut engine, "a", requirements, 0).await);
        engine.clock.advance(1);
    }
    create_in(&mut engine, "b", &[], 5).await;
    let lane = LaneId::new("a");
    assert_eq!(engine.store.scan_eligible(1, &lane, 100).await.unwrap(), expected);
    assert_eq!(engine.store.scan_eligible(1, &lane, 3).await.unwrap(), expected[..3]);
    assert_eq!(engine.store.scan_eligible(1, &LaneId::new("c"), 3).await.unwrap(), []);
}

pub async fn timers_come_by_time_and_go_with_their_cause<P: Place>() {
    let place = P::fresh();
    let mut engine = Engine::at(&place).await;
    let mut delayed = Vec::new();
    for after in [300, 100, 200] {
        let mut command = create_command(engine.id(1));
        command.delay_until = Some(START.plus(after));
        delayed.push((START.plus(after), command.execution_id.uuid()));
        let (partition, changes, _) = engine.decide(command);
        engine.commit(vec![(partition, changes)]).await;
    }
    engine.created([1]).await;
    delayed.sort();
    let place = |entry: &leasehold_backend::DueEntry| (entry.due_at, entry.execution);
    let all = engine.store.scan_due(1, None, 100).await.unwrap();
    assert_eq!(all.iter().map(place).collect::<Vec<_>>(), delayed);
    let rest = engine.store.scan_due(1, Some(delayed[0]), 1).await.unwrap();
    assert_eq!(rest.iter().map(place).collect::<Vec<_>>(), delayed[1..2]);
}

pub async fn active_executions_come_by_id_and_leave_when_they_end<P: Place>() {
    let place = P::fresh();
    let mut engine = Engine::at(&place).await;
    let mut created = engine.created([1; 5]).await;
    let claims = created.iter().map(|id| engine.claim(*id)).collect();
    engine.commit(claims).await;
    created.sort();
    assert_eq!(ids(&engine.store.scan_active(1, None, 100).await.unwrap()), created);
    let page = engine.store.scan_active(1, Some(created[1].uuid()), 2).await.unwrap();
    assert_eq!(ids(&page), created[2..4]);
    let complete = engine.complete(created[3]);
    engine.commit(vec![complete]).await;
    assert_eq!(engine.store.scan_active(1, None, 100).await.unwrap().len(), 4);
}

pub async fn expired_leases_come_by_expiry_over_all_partitions<P: Place>() {
    let place = P::fresh();
    let mut engine = Engine::at(&place).await;
    let created = engine.created([3, 1, 2, 1]).await;
    for id in &created {
        let claim = engine.claim(*id);
        engine.commit(vec![claim]).await;
        if id.partition() == 3 {
            engine.clock.advance(10);
        }
    }
    let store = &engine.store;
    let now = engine.clock.now();
    assert_eq!(store.list_expired_leases(now, None, 100).await.unwrap(), []);
    let all = store.list_expired_leases(now.plus(30_000), None, 100).await.unwrap();
    let mut others = created[1..].to_vec();
    others.sort();
    let expected: Vec<ExecutionId> = [created[0]].into_iter().chain(others).collect();
    assert_eq!(all.iter().map(|lease| lease.execution_id).collect::<Vec<_>>(), expected);
    let lease = engine.execution(created[0]).lease.clone().unwrap();
    assert_eq!((all[0].lease_id, all[0].expires_at), (lease.lease_id, lease.expires_at));
    assert_eq!(all[0].worker_instance_id, lease.worker_instance_id);

    let cursor = ExpiredLeaseCursor { expires_at: all[1].expires_at, execution_id: all[1].execution_id };
    let rest = store.list_expired_leases(now.plus(30_000), Some(&cursor), 1).await.unwrap();
    assert_eq!(rest, all[2..3]);
    assert_eq!(store.list_expired_leases(lease.expires_at, None, 100).await.unwrap(), all[..1]);
}

pub async fn executions_of_a_partition_come_by_id<P: Place>() {
    let place = P::fresh();
    let mut engine = Engine::at(&place).await;
    let mut created = engine.created([1, 1, 2, 1]).await;
    created.retain(|id| id.partition() == 1);
    created.sort();
    assert_eq!(ids(&engine.store.list_executions(1, None, 100).await.unwrap()), created);
    assert_eq!(ids(&engine.store.list_executions(1, Some(created[0].uuid()), 1).await.unwrap()), created[1..2]);
}

pub async fn lanes_come_by_name_once_each<P: Place>() {
    let place = P::fresh();
    let mut engine = Engine::at(&place).await;
    for lane in ["b", "a", "B", "b"] {
        create_in(&mut engine, lane, &[], 0).await;
    }
    engine.created([2]).await;
    let names = |lanes: Vec<LaneId>| lanes.iter().map(|lane| lane.as_str().to_owned()).collect::<Vec<_>>();
    assert_eq!(names(engine.store.list_lanes(None, 100).await.unwrap()), ["B", "a", "b", "default"]);
    let after = LaneId::new("a");
    assert_eq!(names(engine.store.list_lanes(Some(&after), 1).await.unwrap()), ["b"]);
}

pub async fn events_come_in_commit_order_across_epochs<P: Place>() {
    let place = P::fresh();
    let mut engine = Engine::at(&place).await;
    let created = engine.created([1, 1, 2]).await;
    let claims = created.iter().map(|id| engine.claim(*id)).collect();
    engine.commit(claims).await;
    engine.take(&[1]).await;
    let complete = engine.complete(created[0]);
    engine.commit(vec![complete]).await;
    let all = engine.store.read_events(1, None, 100).await.unwrap();
    let places: Vec<(u64, u64)> = all.iter().map(|event| (event.id.epoch, event.id.number)).collect();
    assert_eq!(places, [(1000, 1), (1000, 2), (1001, 1)]);
    assert_eq!(all[2].event.execution_id, created[0]);
    assert_eq!(engine.store.read_events(1, Some(all[0].id), 1).await.unwrap(), all[1..2]);
    assert_eq!(engine.store.read_events(1, Some(all[1].id), 5).await.unwrap(), all[2..]);
}

pub async fn no_page_is_longer_than_the_longest<P: Place>() {
    let place = P::fresh();
    let mut engine = Engine::at(&place).await;
    engine.created([1; PAGE_MAX + 10]).await;
    let page = engine.store.list_executions(1, None, usize::MAX).await.unwrap();
    assert_eq!(page.len(), PAGE_MAX);
    let last = page.last().map(|execution| execution.id.uuid());
    assert_eq!(engine.store.list_executions(1, last, usize::MAX).await.unwrap().len(), 10);
    assert_eq!(engine.store.list_executions(1, Some(Uuid::max()), 5).await.unwrap(), []);
    assert_eq!(engine.store.scan_ready(1, &group("default", &[]), None, usize::MAX).await.unwrap().len(), PAGE_MAX);
    assert_eq!(engine.store.scan_eligible(1, &LaneId::new("default"), usize::MAX).await.unwrap().len(), PAGE_MAX);
}
