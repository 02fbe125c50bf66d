//! `set_edge_group_policy`: how many upstreams of a member must succeed.

use super::graph::{
    all_of, any_of, flow, flow_id, member, member_record, members, neighbour, quorum, refused, refused_as, setting,
    stage, unheard,
};
use crate::case::Case;
use leasehold_contract::SetPolicyOutcome;
use leasehold_core::flow::{EdgeGroupPolicy, OnSatisfied, PolicySpec};

pub async fn it_is_kept_with_the_member(case: &mut Case) {
    let flow = flow(case).await;
    let id = member(case, flow).await;
    for (spec, policy) in [
        (all_of(), EdgeGroupPolicy::AllOf),
        (any_of("let_run"), EdgeGroupPolicy::AnyOf { on_satisfied: OnSatisfied::LetRun }),
        (quorum(2, "cancel_remaining"), EdgeGroupPolicy::Quorum { k: 2, on_satisfied: OnSatisfied::CancelRemaining }),
        (
            quorum((1 << 31) - 1, "let_run"),
            EdgeGroupPolicy::Quorum { k: i32::MAX as u32, on_satisfied: OnSatisfied::LetRun },
        ),
    ] {
        case.advance(5);
        let set = case.engine.set_edge_group_policy(setting(flow, id, spec)).await;
        assert_eq!(set, Ok(SetPolicyOutcome::Set));
        let member = member_record(case, flow, id).await;
        assert_eq!((member.inbound.policy, member.last_dependency_update_at), (Some(policy), case.now()));
    }
}

pub async fn the_same_policy_is_set_already(case: &mut Case) {
    let flow = flow(case).await;
    let id = member(case, flow).await;
    case.engine.set_edge_group_policy(setting(flow, id, quorum(2, "let_run"))).await.unwrap();
    case.advance(5);
    let again = case.engine.set_edge_group_policy(setting(flow, id, quorum(2, "let_run")));
    assert_eq!(unheard(case, flow, again).await, Ok(SetPolicyOutcome::AlreadySet));
    for other in [quorum(3, "let_run"), quorum(3, "cancel_remaining"), any_of("let_run")] {
        let set = case.engine.set_edge_group_policy(setting(flow, id, other)).await;
        assert_eq!(set, Ok(SetPolicyOutcome::Set));
    }
}

pub async fn policies_that_are_none_are_refused(case: &mut Case) {
    let flow = flow(case).await;
    let id = member(case, flow).await;
    let bare = |kind: &str, k| PolicySpec { kind: kind.to_owned(), on_satisfied: None, k };
    let needed = "on_satisfied required for any_of/quorum: cancel_remaining | let_run";
    for (spec, detail) in [
        (bare("none_of", None), "unsupported_policy_variant: none_of"),
        (bare("", None), "unsupported_policy_variant: "),
        (bare("quorum", None), "quorum k must be >= 1"),
        (quorum(0, "let_run"), "quorum k must be >= 1"),
        (quorum(1 << 31, "let_run"), "quorum k exceeds supported maximum"),
        (quorum(u64::MAX, "let_run"), "quorum k exceeds supported maximum"),
        (bare("quorum", Some(1)), needed),
        (quorum(1, "drop"), needed),
        (bare("any_of", None), needed),
        (any_of("drop"), needed),
    ] {
        let set = case.engine.set_edge_group_policy(setting(flow, id, spec));
        refused_as(case, flow, set, "invalid_input", detail).await;
    }
}

pub async fn checks_come_in_their_order(case: &mut Case) {
    let unknown = flow_id(case);
    let stranger = neighbour(case, unknown).await;
    let odd = any_of("drop");
    let set = case.engine.set_edge_group_policy(setting(unknown, stranger, odd.clone()));
    refused(case, unknown, set, "flow_not_found").await;
    let flow = flow(case).await;
    let stranger = neighbour(case, flow).await;
    let set = case.engine.set_edge_group_policy(setting(flow, stranger, odd));
    refused(case, flow, set, "invalid_input").await;
    let set = case.engine.set_edge_group_policy(setting(flow, stranger, all_of()));
    refused(case, flow, set, "execution_not_in_flow").await;
}

pub async fn once_a_dependency_is_staged_it_stands(case: &mut Case) {
    let flow = flow(case).await;
    let [up, down] = members(case, flow).await;
    case.engine.set_edge_group_policy(setting(flow, down, any_of("let_run"))).await.unwrap();
    stage(case, flow, up, down).await;
    let fixed = "edge_group_policy_already_fixed: dependencies already staged";
    for spec in [any_of("let_run"), all_of()] {
        let set = case.engine.set_edge_group_policy(setting(flow, down, spec));
        refused_as(case, flow, set, "invalid_input", fixed).await;
    }
    // Where dependencies leave, nothing is fixed.
    case.engine.set_edge_group_policy(setting(flow, up, all_of())).await.unwrap();
}
