//! `cascade_completion`: what the end of a member does to the others. The
//! commit that ends it does all of it; the operation finds what is left.

mod data;
mod joins;
mod skips;
mod turns;

pub use data::*;
pub use joins::*;
pub use skips::*;
pub use turns::*;

use super::graph::{all_of, flow, flow_id, home, join, lease, member, member_record, neighbour, succeed, unheard};
use crate::case::Case;
use crate::states::{WAITING, awaiting};
use leasehold_contract::CascadeOutcome;
use leasehold_core::flow::GroupState;
use leasehold_tests::harness::act;

const NOTHING: CascadeOutcome = CascadeOutcome { resolved: 0, cascaded_children: 0, synchronous: true };

pub async fn the_end_itself_has_done_everything(case: &mut Case) {
    let join = join(case, all_of(), 1).await;
    case.advance(5);
    succeed(case, join.upstreams[0]).await;
    assert_eq!(case.vector(join.child).await, WAITING);
    let group = member_record(case, join.flow, join.child).await.inbound.clone();
    assert_eq!((group.state, group.succeeded, group.satisfied_at), (GroupState::Satisfied, 1, Some(case.now())));
    let entry = case.entry(join.child).await;
    assert_eq!((entry.queue.as_str(), entry.due_at), ("ready", None));
    let record = case.record(join.child).await;
    assert_eq!((record.blocking_detail.as_ref(), record.last_transition_at), (None, case.now()));
    for flow in [Some(join.flow), None] {
        let call = case.engine.cascade_completion(join.upstreams[0], flow);
        assert_eq!(unheard(case, join.flow, call).await, Ok(NOTHING));
    }
}

pub async fn without_an_end_nothing_is_resolved(case: &mut Case) {
    let join = join(case, all_of(), 2).await;
    let [waiting, running] = [join.upstreams[0], join.upstreams[1]];
    lease(case, running).await;
    for id in [waiting, running, case.id_in(home(case, join.flow)), case.id_in((home(case, join.flow) + 1) % 4)] {
        let call = case.engine.cascade_completion(id, Some(join.flow));
        assert_eq!(unheard(case, join.flow, call).await, Ok(NOTHING));
    }
    assert_eq!(case.vector(join.child).await, awaiting("pending_first_attempt"));
}

pub async fn what_is_no_member_resolves_nothing(case: &mut Case) {
    let flow = flow(case).await;
    let member = member(case, flow).await;
    let stranger = neighbour(case, flow).await;
    succeed(case, stranger).await;
    succeed(case, member).await;
    for (id, named) in [(stranger, flow), (member, flow_id(case)), (stranger, flow_id(case))] {
        let call = case.engine.cascade_completion(id, Some(named));
        assert_eq!(unheard(case, flow, call).await, Ok(NOTHING));
    }
}

pub async fn a_retry_is_no_end(case: &mut Case) {
    let flow = flow(case).await;
    let policy = r#"{"retry_policy":{"max_retries":1,"backoff":{"type":"fixed","delay_ms":10}}}"#;
    let up = super::graph::member_with(case, flow, |args| args.policy_json = act::policy(policy)).await;
    let down = member(case, flow).await;
    super::graph::link(case, flow, up, down).await;
    super::graph::fail(case, up).await;
    assert_eq!(case.vector(down).await, awaiting("pending_first_attempt"));
    case.advance(10);
    case.promote(up).await;
    succeed(case, up).await;
    assert_eq!(case.vector(down).await, WAITING);
}
