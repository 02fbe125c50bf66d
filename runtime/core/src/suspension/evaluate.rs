//! When a resume condition is satisfied.

use super::condition::{CompositeBody, CountKind, ResumeCondition};
use crate::ids::SignalId;
use serde::{Deserialize, Serialize};
use sha1::{Digest, Sha1};
use std::collections::{BTreeSet, HashSet};

/// How many different ids the counting nodes of one suspension remember, all
/// together; it bounds the record.
pub const COUNTED_IDS_MAX: usize = 16_384;

/// What a condition looks at in a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard<'a> {
    /// The signal.
    pub signal_id: SignalId,
    /// The key of the waitpoint it was sent to.
    pub waitpoint_key: &'a str,
    /// Its name.
    pub signal_name: &'a str,
    /// The kind of sender.
    pub source_type: &'a str,
    /// The sender.
    pub source_identity: &'a str,
}

/// Whether a condition holds after these signals. Their order is of no
/// matter, and another signal never takes back what holds.
pub fn satisfied(condition: &ResumeCondition, heard: &[Heard<'_>]) -> bool {
    match condition {
        ResumeCondition::OperatorOnly | ResumeCondition::TimeoutOnly => false,
        ResumeCondition::Single { .. } => heard.iter().any(|signal| matches(condition, signal)),
        ResumeCondition::Composite(CompositeBody::AllOf { members }) => {
            members.iter().all(|member| satisfied(member, heard))
        }
        ResumeCondition::Composite(CompositeBody::Count { n, count_kind, .. }) => {
            let matched = heard.iter().filter(|signal| matches(condition, signal));
            let distinct = match count_kind {
                CountKind::DistinctWaitpoints => {
                    matched.map(|signal| signal.waitpoint_key).collect::<HashSet<_>>().len()
                }
                CountKind::DistinctSignals => matched.map(|signal| signal.signal_id).collect::<HashSet<_>>().len(),
                CountKind::DistinctSources => {
                    matched.map(|signal| (signal.source_type, signal.source_identity)).collect::<HashSet<_>>().len()
                }
            };
            distinct >= *n as usize
        }
    }
}

/// Whether a node itself names the waitpoint of a signal.
fn names(node: &ResumeCondition, signal: &Heard<'_>) -> bool {
    node.own_keys().iter().any(|key| key == signal.waitpoint_key)
}

/// Whether a node itself names the waitpoint of a signal and accepts its name.
fn matches(node: &ResumeCondition, signal: &Heard<'_>) -> bool {
    names(node, signal) && node.own_matcher().is_none_or(|matcher| matcher.accepts(signal.signal_name))
}

/// What a signal did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, bincode::Encode, bincode::Decode)]
#[serde(rename_all = "snake_case")]
pub enum SignalEffect {
    /// The condition holds through it.
    ResumeConditionSatisfied,
    /// It counts; the condition does not hold yet.
    AppendedToWaitpoint,
    /// It matches, but what it stands for was there before.
    AppendedToWaitpointDuplicate,
    /// It is no part of a condition without members.
    NoOp,
    /// No node names its waitpoint.
    SignalIgnoredNotInCondition,
    /// Nodes name its waitpoint, and none accepts its name.
    SignalIgnoredMatcherFailed,
    /// The waitpoint is not part of a suspension yet.
    BufferedForPendingWaitpoint,
}

impl SignalEffect {
    /// The wire spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ResumeConditionSatisfied => "resume_condition_satisfied",
            Self::AppendedToWaitpoint => "appended_to_waitpoint",
            Self::AppendedToWaitpointDuplicate => "appended_to_waitpoint_duplicate",
            Self::NoOp => "no_op",
            Self::SignalIgnoredNotInCondition => "signal_ignored_not_in_condition",
            Self::SignalIgnoredMatcherFailed => "signal_ignored_matcher_failed",
            Self::BufferedForPendingWaitpoint => "buffered_for_pending_waitpoint",
        }
    }

    /// Whether a node accepted the signal.
    pub const fn is_match(self) -> bool {
        matches!(self, Self::ResumeConditionSatisfied | Self::AppendedToWaitpoint | Self::AppendedToWaitpointDuplicate)
    }
}

/// What one node that looks at signals has seen.
#[derive(Clone, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
enum Seen {
    /// Whether the signal of a single condition came.
    Single(bool),
    /// What a counting node has counted.
    Count(BTreeSet<[u8; 16]>),
}

/// A signal that brought a condition further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct Satisfier {
    /// The signal.
    pub signal_id: SignalId,
    /// The place of its waitpoint's key among those that the condition names.
    key_at: u32,
}

impl Satisfier {
    /// The key of the waitpoint it was sent to.
    pub fn waitpoint_key<'a>(&self, condition: &'a ResumeCondition) -> Option<&'a str> {
        condition.keys().nth(self.key_at as usize)
    }
}

/// How far a condition has come: [`satisfied`] over all signals heard so far,
/// without keeping these.
#[derive(Clone, Debug, Default, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct Progress {
    /// One per node that looks at signals, in the order of the nodes.
    seen: Vec<Seen>,
    /// The signals that brought the condition further, in order.
    satisfiers: Vec<Satisfier>,
}

impl Progress {
    /// Before the first signal.
    pub fn new(condition: &ResumeCondition) -> Self {
        Self { seen: listening(condition).map(untouched).collect(), satisfiers: Vec::new() }
    }

    /// The signals that made a single condition hold or were counted, in the
    /// order in which they came.
    pub fn satisfiers(&self) -> &[Satisfier] {
        &self.satisfiers
    }

    /// How many different ids are remembered.
    pub fn counted_ids(&self) -> usize {
        self.seen.iter().map(|seen| if let Seen::Count(ids) = seen { ids.len() } else { 0 }).sum()
    }

    /// Whether it remembers as much as the condition asks for: one entry for
    /// each node that looks at signals.
    pub fn fits(&self, condition: &ResumeCondition) -> bool {
        self.seen.len() == listening(condition).count()
            && listening(condition)
                .zip(&self.seen)
                .all(|(node, seen)| matches!(node, ResumeCondition::Single { .. }) == matches!(seen, Seen::Single(_)))
    }

    /// Whether the condition holds.
    pub fn is_satisfied(&self, condition: &ResumeCondition) -> bool {
        holds(condition, &mut self.seen.iter())
    }

    /// Takes a signal in and tells what it did.
    pub fn hear(&mut self, condition: &ResumeCondition, signal: &Heard<'_>) -> SignalEffect {
        let (mut named, mut matched, mut further) = (false, false, false);
        let before = self.is_satisfied(condition);
        for (node, seen) in listening(condition).zip(&mut self.seen) {
            named |= names(node, signal);
            if !matches(node, signal) {
                continue;
            }
            matched = true;
            further |= match seen {
                Seen::Single(came) => !std::mem::replace(came, true),
                Seen::Count(ids) => ids.insert(counted_as(node, signal)),
            };
        }
        if further {
            let key_at = condition.keys().take_while(|key| *key != signal.waitpoint_key).count() as u32;
            self.satisfiers.push(Satisfier { signal_id: signal.signal_id, key_at });
        }
        match (matched, further) {
            (false, _) if !condition.is_composite() => SignalEffect::NoOp,
            (false, _) if named => SignalEffect::SignalIgnoredMatcherFailed,
            (false, _) => SignalEffect::SignalIgnoredNotInCondition,
            (true, false) => SignalEffect::AppendedToWaitpointDuplicate,
            (true, true) if !before && self.is_satisfied(condition) => SignalEffect::ResumeConditionSatisfied,
            (true, true) => SignalEffect::AppendedToWaitpoint,
        }
    }
}

/// The nodes that look at signals.
fn listening(condition: &ResumeCondition) -> impl Iterator<Item = &ResumeCondition> {
    condition.nodes().filter(|node| {
        matches!(node, ResumeCondition::Single { .. } | ResumeCondition::Composite(CompositeBody::Count { .. }))
    })
}

const fn untouched(node: &ResumeCondition) -> Seen {
    if matches!(node, ResumeCondition::Single { .. }) { Seen::Single(false) } else { Seen::Count(BTreeSet::new()) }
}

/// Walks the tree in the order of its nodes, so that each node that looks at
/// signals takes its own entry; no member is left out for being unneeded.
fn holds(condition: &ResumeCondition, seen: &mut std::slice::Iter<'_, Seen>) -> bool {
    match condition {
        ResumeCondition::OperatorOnly | ResumeCondition::TimeoutOnly => false,
        ResumeCondition::Single { .. } => matches!(seen.next(), Some(Seen::Single(true))),
        ResumeCondition::Composite(CompositeBody::AllOf { members }) => {
            let mut all = true;
            for member in members {
                all &= holds(member, seen);
            }
            all
        }
        ResumeCondition::Composite(CompositeBody::Count { n, .. }) => {
            matches!(seen.next(), Some(Seen::Count(ids)) if ids.len() >= *n as usize)
        }
    }
}

/// What a counting node counts of a signal, in sixteen bytes. Senders are
/// told apart by a digest of type and identity, with the length of the type
/// first, so that no two pairs read alike.
fn counted_as(node: &ResumeCondition, signal: &Heard<'_>) -> [u8; 16] {
    let digest = |parts: [&str; 2]| {
        let mut hash = Sha1::new();
        hash.update((parts[0].len() as u64).to_le_bytes());
        hash.update(parts[0]);
        hash.update(parts[1]);
        let full = hash.finalize();
        let mut short = [0_u8; 16];
        short.copy_from_slice(&full[..16]);
        short
    };
    match node {
        ResumeCondition::Composite(CompositeBody::Count { count_kind: CountKind::DistinctSources, .. }) => {
            digest([signal.source_type, signal.source_identity])
        }
        ResumeCondition::Composite(CompositeBody::Count { count_kind: CountKind::DistinctWaitpoints, .. }) => {
            digest(["", signal.waitpoint_key])
        }
        _ => signal.signal_id.as_uuid().into_bytes(),
    }
}

#[cfg(test)]
mod tests;
