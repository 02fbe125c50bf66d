//! The checker: reads a store through its [`Backend`] trait and says which
//! invariants of the specification do not hold there.
//!
//! It knows nothing of how the store was written. Records are checked by the
//! rules of the core, indexes against what the core derives from the records,
//! and the log by folding each execution's events into the history they tell
//! and comparing that with the record. A store is checked at rest: while
//! somebody writes, pages of different moments contradict each other.
//!
//! Not found here, since no store shows it: who was refused and left nothing
//! behind (invariants 15, 16, 20, 23), what a record was before (13, 24 beyond
//! what the log tells), keys of creates (22), and what never happens (27).

pub(crate) mod contents;
pub mod flows;
mod history;
mod indexes;
mod records;
mod rule;
#[cfg(test)]
mod tests;
mod waits;

pub use rule::Rule;

use contents::Contents;
use leasehold_backend::Backend;
use leasehold_core::ids::ExecutionId;
use std::collections::BTreeSet;
use std::fmt;

/// A rule that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The execution it does not hold of, where it is about one.
    pub execution: Option<ExecutionId>,
    /// The rule.
    pub rule: Rule,
    /// What was found.
    pub detail: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.execution {
            Some(execution) => write!(f, "{execution}: {} Found: {}", self.rule, self.detail),
            None => write!(f, "{} Found: {}", self.rule, self.detail),
        }
    }
}

/// What was checked and what was found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// How many executions the store holds.
    pub executions: usize,
    /// How many events it holds.
    pub events: usize,
    /// What does not hold.
    pub violations: Vec<Violation>,
}

impl Report {
    /// The rules that do not hold.
    pub fn broken(&self) -> BTreeSet<Rule> {
        self.violations.iter().map(|violation| violation.rule).collect()
    }

    /// Fails with everything that was found, if there is anything.
    ///
    /// # Panics
    ///
    /// When a rule does not hold.
    pub fn assert_sound(&self) {
        let found: Vec<String> = self.violations.iter().map(ToString::to_string).collect();
        assert!(found.is_empty(), "the store is not sound:\n{}", found.join("\n"));
    }

    fn add(&mut self, execution: Option<ExecutionId>, rule: Rule, detail: impl Into<String>) {
        self.violations.push(Violation { execution, rule, detail: detail.into() });
    }

    /// Notes a violation unless the rule holds.
    fn ensure(&mut self, holds: bool, execution: ExecutionId, rule: Rule, detail: impl FnOnce() -> String) {
        if !holds {
            self.add(Some(execution), rule, detail());
        }
    }
}

/// What the checker takes for granted of those who wrote the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Assumptions {
    /// No failure was reported with a retry policy of its own, so that the
    /// stored one bounds the retries.
    pub stored_retry_policy_binds: bool,
}

impl Default for Assumptions {
    fn default() -> Self {
        Self { stored_retry_policy_binds: true }
    }
}

/// Checks partitions 0 to `partitions` - 1 of a store at rest.
pub async fn check_store(backend: &dyn Backend, partitions: u16) -> Report {
    check_store_assuming(backend, partitions, Assumptions::default()).await
}

/// As [`check_store`], taking less for granted.
pub async fn check_store_assuming(backend: &dyn Backend, partitions: u16, assumptions: Assumptions) -> Report {
    let mut report = Report::default();
    let global = contents::read_global(backend, &mut report).await;
    for partition in 0..partitions {
        let contents = Contents::read(backend, partition, &mut report).await;
        report.executions += contents.executions.len();
        report.events += contents.events.len();
        records::check(&contents, assumptions, &mut report);
        indexes::check(&contents, &global, &mut report);
        history::check(&contents, &mut report);
        flows::check(backend, &contents, &mut report).await;
        waits::check(backend, &contents, &mut report).await;
    }
    report
}
