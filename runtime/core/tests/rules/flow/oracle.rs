//! The engine against the interpreter, which works every answer out anew.

use super::fixture::shape;
use crate::fixture::World;
use leasehold_core::flow::{EdgeGroupPolicy, Interpreter, OnSatisfied, Shape, ShapeEdge, Standing};
use leasehold_core::ids::{ExecutionId, FlowId};
use leasehold_core::record::flow::CancellationPolicy;
use leasehold_core::state::{PublicState, TerminalOutcome};
use std::collections::HashSet;

const ANY: EdgeGroupPolicy = EdgeGroupPolicy::AnyOf { on_satisfied: OnSatisfied::LetRun };
const TWO: EdgeGroupPolicy = EdgeGroupPolicy::Quorum { k: 2, on_satisfied: OnSatisfied::LetRun };

fn standing(state: PublicState) -> Standing {
    match state {
        PublicState::WaitingChildren => Standing::Blocked,
        PublicState::Waiting => Standing::Ready,
        PublicState::Active => Standing::Running,
        PublicState::Completed => Standing::Ended(TerminalOutcome::Success),
        PublicState::Failed => Standing::Ended(TerminalOutcome::Failed),
        PublicState::Cancelled => Standing::Ended(TerminalOutcome::Cancelled),
        PublicState::Skipped => Standing::Ended(TerminalOutcome::Skipped),
        other => panic!("no member here is ever {other}"),
    }
}

#[track_caller]
fn assert_agrees(world: &World, members: &[ExecutionId], expected: &Interpreter, shape: &Shape) {
    for (node, (id, expected)) in members.iter().zip(expected.standings()).enumerate() {
        let found = standing(world.state(*id));
        assert!(found.agrees(*expected), "node {node} is {found:?}, expected {expected:?} in {shape:?}");
    }
}

fn end(world: &mut World, flow_id: FlowId, id: ExecutionId, outcome: TerminalOutcome) {
    match outcome {
        TerminalOutcome::Success => world.complete(id),
        _ => world.fail(id),
    }
    world.advance_all(flow_id);
    world.check(flow_id);
}

/// Ends the members of a graph in every order in which they can end, each
/// with its given outcome, and holds every state against the interpreter.
/// Orders that have ended the same members must have come to the same.
fn every_order(shape: &Shape, failing: u32) -> usize {
    fn go(
        world: &World,
        flow_id: FlowId,
        members: &[ExecutionId],
        expected: &Interpreter,
        case: (&Shape, u32),
        seen: &mut HashSet<u32>,
        done: u32,
    ) {
        for node in expected.ready() {
            let next = done | 1 << node;
            let outcome = match case.1 >> node & 1 {
                0 => TerminalOutcome::Success,
                _ => TerminalOutcome::Failed,
            };
            let mut expected = expected.clone();
            expected.end(node, outcome);
            let mut world = world.clone();
            end(&mut world, flow_id, members[node as usize], outcome);
            assert_agrees(&world, members, &expected, case.0);
            if seen.insert(next) {
                go(&world, flow_id, members, &expected, case, seen, next);
            }
        }
    }
    let mut world = World::new();
    world.hot = true;
    let (flow_id, members) = world.build(shape);
    world.check(flow_id);
    let expected = Interpreter::new(shape.clone());
    assert_agrees(&world, &members, &expected, shape);
    let mut seen = HashSet::new();
    go(&world, flow_id, &members, &expected, (shape, failing), &mut seen, 0);
    seen.len()
}

fn pairs(nodes: u32) -> Vec<(u32, u32)> {
    (0..nodes).flat_map(|from| (from + 1..nodes).map(move |to| (from, to))).collect()
}

fn chosen(pairs: &[(u32, u32)], mask: u32) -> Vec<(u32, u32)> {
    (0..pairs.len()).filter(|bit| mask >> bit & 1 == 1).map(|bit| pairs[bit]).collect()
}

/// Every graph of three nodes with every mixture of policies, and every graph
/// of four with each policy everywhere: all outcomes, all orders.
#[test]
fn all_small_graphs_come_to_what_the_interpreter_says_in_every_order() {
    let policies = [EdgeGroupPolicy::AllOf, ANY, TWO];
    let mut states = 0;
    for mask in 0..8 {
        for mixture in 0..9_usize {
            let mixed = vec![EdgeGroupPolicy::AllOf, policies[mixture % 3], policies[mixture / 3]];
            for failing in 0..8 {
                states += every_order(&shape(mixed.clone(), &chosen(&pairs(3), mask)), failing);
            }
        }
    }
    for mask in 0..64 {
        for policy in policies {
            // The last node's outcome reaches nobody.
            for failing in 0..8 {
                states += every_order(&shape(vec![policy; 4], &chosen(&pairs(4), mask)), failing);
            }
        }
    }
    assert!(states > 8_000, "{states} states were reached");
}

/// Numbers that a seed determines.
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: u32) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as u32 % bound
    }

    fn policy(&mut self) -> EdgeGroupPolicy {
        let on_satisfied = if self.below(2) == 0 { OnSatisfied::LetRun } else { OnSatisfied::CancelRemaining };
        match self.below(4) {
            0 | 1 => EdgeGroupPolicy::AllOf,
            2 => EdgeGroupPolicy::AnyOf { on_satisfied },
            _ => EdgeGroupPolicy::Quorum { k: 1 + self.below(3), on_satisfied },
        }
    }

    fn shape(&mut self, nodes: u32) -> Shape {
        let policies = (0..nodes).map(|_| self.policy()).collect();
        let edges = pairs(nodes).into_iter().filter(|_| self.below(3) == 0);
        let mut edges: Vec<_> = edges.map(|(upstream, downstream)| ShapeEdge { upstream, downstream }).collect();
        if let Some(edge) = edges.first().copied().filter(|_| self.below(4) == 0) {
            edges.push(edge);
        }
        Shape { policies, edges }
    }
}

/// Five to nine nodes of any policy, also such as cancel what remains; claims
/// and ends in any order, and a change set so small that nearly everything is
/// left for later turns; sometimes the flow is cancelled in the middle.
#[test]
fn random_flows_come_to_what_the_interpreter_says_in_bounded_turns() {
    let (mut turns, mut cancelled, mut skipped) = (0, 0, 0);
    for seed in 0..300 {
        let mut draw = Draw(seed);
        let nodes = 5 + draw.below(5);
        let shape = draw.shape(nodes);
        let mut world = World::new();
        world.hot = draw.below(2) == 0;
        let (flow_id, members) = world.build(&shape);
        let mut expected = Interpreter::new(shape.clone());
        world.limits.rows = 1 + draw.below(8) as usize;
        loop {
            let (ready, running) = (expected.ready(), expected.running());
            if ready.is_empty() && running.is_empty() {
                break;
            }
            if draw.below(12) == 0 {
                let policy = [CancellationPolicy::CancelAll, CancellationPolicy::CancelPending][draw.below(2) as usize];
                let args = super::fixture::cancel_flow(flow_id, policy);
                if world.flow(flow_id).cancelled.is_none() {
                    world.run(args).unwrap();
                    expected.cancel(policy);
                    cancelled += 1;
                }
            } else if !running.is_empty() && (ready.is_empty() || draw.below(2) == 0) {
                let node = running[draw.below(running.len() as u32) as usize];
                let (id, good) = (members[node as usize], draw.below(3) > 0);
                let fence = world.fence(id);
                if good {
                    world.complete_with(id, fence, None);
                } else {
                    world.run(crate::situation::fail_args(id, fence)).unwrap();
                }
                expected.end(node, if good { TerminalOutcome::Success } else { TerminalOutcome::Failed });
            } else {
                let node = ready[draw.below(ready.len() as u32) as usize];
                world.lease(members[node as usize]);
                expected.claim(node);
            }
            turns += world.advance_all(flow_id);
            world.check(flow_id);
            assert_agrees(&world, &members, &expected, &shape);
        }
        skipped += members.iter().filter(|id| world.state(**id) == PublicState::Skipped).count();
    }
    assert!(turns > 100 && cancelled > 30 && skipped > 300, "{turns} turns, {cancelled} cancelled, {skipped} skipped");
}
