//! The known answer: an interpreter is shown the ends of a flow's members in
//! the order of the log.

use super::Executions;
use crate::sim::kept::StoredFlow;
use leasehold_backend::LoggedEvent;
use leasehold_core::event::Fact;
use leasehold_core::flow::{Interpreter, Shape, ShapeEdge, Standing};
use leasehold_core::ids::ExecutionId;
use leasehold_core::state::TerminalOutcome;
use std::collections::BTreeMap;

/// Compares a flow with the interpreter; gives how many ends were compared.
///
/// An end that the interpreter did not foretell must be one that somebody
/// outside brought about; one that it foretold must have come.
pub fn compare(flow: &StoredFlow, executions: &Executions, log: &[LoggedEvent], found: &mut Vec<String>) -> u64 {
    let numbers: BTreeMap<ExecutionId, u32> =
        flow.members.iter().zip(0..).map(|(stored, number)| (stored.member.execution_id, number)).collect();
    let mut shape = Shape::default();
    for (stored, number) in flow.members.iter().zip(0..) {
        shape.policies.push(stored.member.inbound.policy());
        let edges = stored.inbound.iter().filter_map(|edge| numbers.get(&edge.upstream));
        shape.edges.extend(edges.map(|upstream| ShapeEdge { upstream: *upstream, downstream: number }));
    }
    let mut interpreter = Interpreter::new(shape);
    let mut compared = 0;
    for event in log.iter().map(|logged| &logged.event) {
        let Some(number) = numbers.get(&event.execution_id) else { continue };
        let end = event.facts.iter().find_map(|fact| match fact {
            Fact::Completed { outcome, .. } => Some(*outcome),
            _ => None,
        });
        let Some(outcome) = end else { continue };
        compared += 1;
        let foretold = interpreter.standings()[*number as usize];
        let by_engine = outcome == TerminalOutcome::Skipped
            || executions[&event.execution_id]
                .cancellation_reason
                .as_deref()
                .is_some_and(|reason| reason.starts_with("sibling_quorum_"));
        if foretold.has_ended() {
            if !foretold.agrees(Standing::Ended(outcome)) {
                found.push(format!("{} ended {outcome} and must have ended {foretold:?}", event.execution_id));
            }
        } else if by_engine {
            found.push(format!("{} ended {outcome} and stood at {foretold:?}", event.execution_id));
        } else {
            interpreter.end(*number, outcome);
        }
    }
    for (id, number) in &numbers {
        let stood = Standing::Ended(super::outcome(executions, *id));
        let must = interpreter.standings()[*number as usize];
        if !must.agrees(stood) {
            found.push(format!("{id} stands at {stood:?} and must stand at {must:?}"));
        }
    }
    compared
}
