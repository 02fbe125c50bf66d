//! `add_execution_to_flow`: make an execution a member, for life.

use super::view::{FlowView, Halt, missing};
use super::{DecideFlow, On};
use crate::error::{ConflictKind, EngineError};
use crate::flow::{EdgeGroup, check_nodes};
use crate::ids::{ExecutionId, FlowId};
use crate::record::flow::{FlowKey, Member, MemberPage, PAGE_MEMBERS};
use std::sync::Arc;

/// Arguments of `add_execution_to_flow`.
///
/// Refused, in this order, with `invalid_input` (the execution lives in
/// another partition), `flow_not_found`, `flow_already_terminal`,
/// `execution_not_found`, `already_member_of_different_flow` and
/// `invalid_input` (the flow is full).
#[derive(Clone, Debug)]
pub struct AddExecutionToFlow {
    /// Which flow.
    pub flow_id: FlowId,
    /// The partition it hashes to.
    pub partition: u16,
    /// Which execution; one that has ended may join.
    pub execution_id: ExecutionId,
}

/// Answer of `add_execution_to_flow`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddOutcome {
    /// It is a member now.
    Added {
        /// The execution.
        execution_id: ExecutionId,
        /// How many members the flow has.
        new_node_count: u32,
    },
    /// It was a member before.
    AlreadyMember {
        /// The execution.
        execution_id: ExecutionId,
        /// How many members the flow has.
        node_count: u32,
    },
}

/// Refuses an execution that does not live where the flow does.
pub(super) fn check_home(partition: u16, execution_id: ExecutionId) -> Result<(), EngineError> {
    if execution_id.partition() != partition {
        return Err(EngineError::invalid_input(format!(
            "execution partition mismatch: expected {partition}, got {}",
            execution_id.partition()
        )));
    }
    Ok(())
}

impl DecideFlow for AddExecutionToFlow {
    fn flow_id(&self) -> FlowId {
        self.flow_id
    }

    fn decide(&self, view: &mut FlowView<'_>, on: &On<'_>) -> Result<AddOutcome, Halt> {
        let (flow_id, execution_id) = (self.flow_id, self.execution_id);
        check_home(self.partition, execution_id)?;
        let flow = view.growing_flow(flow_id)?;
        let execution = view.execution(execution_id)?;
        if let Some(other) = execution.flow_id.filter(|other| *other != flow_id) {
            return Err(ConflictKind::AlreadyMemberOfDifferentFlow(other).into());
        }
        if view.find_member(flow_id, execution_id)?.is_some() {
            return Ok(AddOutcome::AlreadyMember { execution_id, node_count: flow.node_count });
        }
        let ordinal = flow.node_count;
        check_nodes(ordinal as usize + 1)?;
        let now = on.context.now;
        let mut next = (*flow).clone();
        next.node_count += 1;
        next.graph_revision += 1;
        next.last_mutation_at = now;
        view.put(next);
        let key = FlowKey::MemberPage(flow_id, ordinal / PAGE_MEMBERS);
        let mut page = if ordinal.is_multiple_of(PAGE_MEMBERS) {
            MemberPage { flow_id, page: ordinal / PAGE_MEMBERS, members: Vec::new() }
        } else {
            (*view.find_member_page(key)?.ok_or_else(|| missing(key, flow_id))?).clone()
        };
        page.members.push(execution_id);
        view.put(page);
        view.put(Member {
            flow_id,
            execution_id,
            ordinal,
            out_edges: 0,
            inbound: EdgeGroup::default(),
            beneath: None,
            name: None,
            last_flow_graph_revision: 0,
            last_dependency_update_at: now,
        });
        let mut stamped = (*execution).clone();
        stamped.flow_id = Some(flow_id);
        stamped.last_mutation_at = now;
        view.view.put_execution(Arc::new(stamped));
        Ok(AddOutcome::Added { execution_id, new_node_count: ordinal + 1 })
    }
}
