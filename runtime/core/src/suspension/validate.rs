//! What a suspension may ask for, checked before anything is read.

use super::condition::{CompositeBody, CountKind, MAX_COMPOSITE_DEPTH, ResumeCondition};
use crate::command::text;
use crate::error::EngineError;
use crate::ids::WaitpointId;
use crate::time::TimestampMs;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// How far in the past a deadline may lie, for clocks that disagree.
pub const PAST_TOLERANCE_MS: u64 = 600_000;

/// How many waitpoints a suspension may have.
pub const BINDINGS_MAX: usize = 256;

/// How many nodes and keys a condition may have, all together.
pub const CONDITION_ITEMS_MAX: usize = 1024;

/// The name of the signal that a deadline leaves.
pub const TIMEOUT_SIGNAL_NAME: &str = "__timeout__";

/// Names that no sender may use and no matcher may ask for.
pub const RESERVED_SIGNAL_NAMES: [&str; 3] = ["__operator_only__", "__timeout_only__", TIMEOUT_SIGNAL_NAME];

/// Where a waitpoint of a suspension comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitpointBinding {
    /// It is made with the suspension.
    Fresh {
        /// Minted by the caller.
        waitpoint_id: WaitpointId,
        /// What the condition calls it.
        waitpoint_key: String,
    },
    /// It was made before and has its key and token already.
    UsePending {
        /// Which one.
        waitpoint_id: WaitpointId,
    },
}

impl WaitpointBinding {
    /// Which waitpoint.
    pub const fn waitpoint_id(&self) -> WaitpointId {
        match self {
            Self::Fresh { waitpoint_id, .. } | Self::UsePending { waitpoint_id } => *waitpoint_id,
        }
    }

    /// The key of a fresh one.
    fn fresh_key(&self) -> Option<&str> {
        match self {
            Self::Fresh { waitpoint_key, .. } => Some(waitpoint_key),
            Self::UsePending { .. } => None,
        }
    }
}

/// Refuses a signal name that is too long, carries a NUL or is reserved.
///
/// # Errors
///
/// `invalid_input`.
pub fn check_signal_name(name: &str) -> Result<(), EngineError> {
    if RESERVED_SIGNAL_NAMES.contains(&name) {
        return Err(EngineError::invalid_input(format!("reserved_signal_name: {name}")));
    }
    text::label("signal_name", name)
}

/// Refuses a suspension that contradicts itself or could never end. `now` is
/// the caller's clock, which its deadline was computed from.
///
/// The order of the checks is part of the contract: bindings, their keys
/// against those of the condition, deadline, names, depth, the shape of each
/// composite node, then repeats, reserved names and sizes.
///
/// # Errors
///
/// `invalid_input` with the detail of the first check that fails.
pub fn validate(
    bindings: &[WaitpointBinding],
    condition: &ResumeCondition,
    timeout_at: Option<TimestampMs>,
    now: TimestampMs,
) -> Result<(), EngineError> {
    let refuse = |detail: String| Err(EngineError::invalid_input(detail));
    let Some(primary) = bindings.first() else {
        return refuse("waitpoints_empty".to_owned());
    };
    if let ResumeCondition::Single { waitpoint_key, .. } = condition
        && primary.fresh_key().is_some_and(|key| key != waitpoint_key)
    {
        return refuse("waitpoint_key_mismatch".to_owned());
    }
    keys(bindings, condition)?;
    if *condition == ResumeCondition::TimeoutOnly && timeout_at.is_none() {
        return refuse("timeout_only_without_deadline".to_owned());
    }
    if condition.names().any(str::is_empty) {
        return refuse("resume_condition: empty signal name (use Wildcard instead)".to_owned());
    }
    if timeout_at.is_some_and(|at| at.plus(PAST_TOLERANCE_MS) < now) {
        return refuse("timeout_at_in_past".to_owned());
    }
    each_composite(condition, depth)?;
    each_composite(condition, shape)?;
    repeats(bindings)?;
    sizes(bindings, condition)
}

/// Every key that the condition names has a waitpoint, and the other way
/// round. The key of a pending waitpoint is not known here.
fn keys(bindings: &[WaitpointBinding], condition: &ResumeCondition) -> Result<(), EngineError> {
    let refuse = |detail: String| Err(EngineError::invalid_input(detail));
    let several = bindings.len() > 1;
    let extras = || bindings.iter().enumerate().skip(1);
    if let Some((at, _)) = extras().find(|(_, extra)| extra.fresh_key().is_some_and(str::is_empty)) {
        return refuse(format!("additional_waitpoint_binding_empty_key at waitpoints[{at}]"));
    }
    if let Some((at, _)) = extras().find(|(_, extra)| extra.fresh_key().is_none()) {
        return refuse(format!("additional_waitpoint_binding_must_be_fresh at waitpoints[{at}]"));
    }
    let fresh: BTreeSet<&str> = bindings.iter().filter_map(WaitpointBinding::fresh_key).collect();
    if (several || (condition.is_composite() && !fresh.is_empty()))
        && let Some(key) = condition.keys().find(|key| !fresh.contains(key))
    {
        return refuse(format!("referenced_waitpoint_key_missing_binding: {key}"));
    }
    if !several {
        return Ok(());
    }
    let named: BTreeSet<&str> = condition.keys().collect();
    if let Some(key) = bindings.iter().filter_map(WaitpointBinding::fresh_key).find(|key| !named.contains(key)) {
        return refuse(format!("extra_binding_not_referenced_by_condition: {key}"));
    }
    if bindings[0].fresh_key().is_none() {
        // Only a condition that leaves the pending waitpoint out comes here.
        return refuse("use_pending_with_extras_unsupported".to_owned());
    }
    Ok(())
}

type NodeCheck = fn(&CompositeBody, usize, &str) -> Result<(), EngineError>;

/// Applies a check to every composite node, parents first. Stops at the first
/// failure, so that a tree of any depth costs no more than its first levels.
fn each_composite(condition: &ResumeCondition, check: NodeCheck) -> Result<(), EngineError> {
    let mut open = vec![(condition, 1_usize, String::new())];
    while let Some((node, level, path)) = open.pop() {
        let ResumeCondition::Composite(body) = node else { continue };
        check(body, level, if path.is_empty() { "<root>" } else { &path })?;
        if let CompositeBody::AllOf { members } = body {
            open.extend(members.iter().enumerate().rev().map(|(at, member)| {
                let dot = if path.is_empty() { "" } else { "." };
                (member, level + 1, format!("{path}{dot}members[{at}]"))
            }));
        }
    }
    Ok(())
}

fn depth(_body: &CompositeBody, level: usize, path: &str) -> Result<(), EngineError> {
    if level > MAX_COMPOSITE_DEPTH {
        let detail = format!("depth {level} exceeds cap {MAX_COMPOSITE_DEPTH} at path {path}");
        return Err(EngineError::invalid_input(detail));
    }
    Ok(())
}

fn shape(body: &CompositeBody, _level: usize, path: &str) -> Result<(), EngineError> {
    let refuse = |detail: String| Err(EngineError::invalid_input(detail));
    match body {
        CompositeBody::AllOf { members } if members.is_empty() => refuse(format!("allof_empty_members at path {path}")),
        CompositeBody::Count { n: 0, .. } => refuse(format!("count_n_zero at path {path}")),
        CompositeBody::Count { waitpoints, .. } if waitpoints.is_empty() => {
            refuse(format!("count_waitpoints_empty at path {path}"))
        }
        CompositeBody::Count { n, count_kind: CountKind::DistinctWaitpoints, waitpoints, .. }
            if *n as usize > waitpoints.len() =>
        {
            let size = waitpoints.len();
            refuse(format!("count_exceeds_waitpoint_set: n={n} > waitpoints.len()={size} at path {path}"))
        }
        CompositeBody::AllOf { .. } | CompositeBody::Count { .. } => Ok(()),
    }
}

fn repeats(bindings: &[WaitpointBinding]) -> Result<(), EngineError> {
    let refuse =
        |what: &dyn std::fmt::Display| Err(EngineError::invalid_input(format!("duplicate_waitpoint_binding: {what}")));
    let (mut ids, mut keys) = (BTreeSet::new(), BTreeSet::new());
    for binding in bindings {
        if !ids.insert(binding.waitpoint_id()) {
            return refuse(&binding.waitpoint_id());
        }
        if let Some(key) = binding.fresh_key()
            && !keys.insert(key)
        {
            return refuse(&key);
        }
    }
    Ok(())
}

fn sizes(bindings: &[WaitpointBinding], condition: &ResumeCondition) -> Result<(), EngineError> {
    condition.names().try_for_each(check_signal_name)?;
    condition.keys().try_for_each(|key| text::name("waitpoint_key", key))?;
    bindings.iter().filter_map(WaitpointBinding::fresh_key).try_for_each(|key| text::name("waitpoint_key", key))?;
    if bindings.len() > BINDINGS_MAX {
        let detail = format!("waitpoints: {}, at most {BINDINGS_MAX}", bindings.len());
        return Err(EngineError::invalid_input(detail));
    }
    let items = condition.nodes().map(|node| 1 + node.own_keys().len()).sum::<usize>();
    if items > CONDITION_ITEMS_MAX {
        let detail = format!("resume_condition: {items} nodes and keys, at most {CONDITION_ITEMS_MAX}");
        return Err(EngineError::invalid_input(detail));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
