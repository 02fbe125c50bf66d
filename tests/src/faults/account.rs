//! What a round, or all rounds of a fault, came to.

use crate::kills::acks::Ack;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// Counts of outcomes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Account {
    /// Calls that were carried out, as their callers were told.
    pub acknowledged: u64,
    /// Calls of which nobody said what became of them; repeated until
    /// somebody did.
    pub in_doubt: u64,
    /// Calls that were told to come back; repeated.
    pub retried: u64,
    /// Calls that were refused for good.
    pub refused: u64,
    /// Acknowledged writes that are gone where the declared durability allows
    /// it.
    pub lost: u64,
    /// Executions in the store in the end.
    pub executions: usize,
    /// The longest from the end of a fault to the next acknowledged create.
    #[serde(rename = "slowest_ms", serialize_with = "as_ms")]
    pub slowest: Duration,
    /// What else is worth telling.
    pub notes: BTreeMap<String, u64>,
    /// What must not be.
    pub problems: Vec<String>,
}

fn as_ms<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

impl Account {
    /// Counts what a client was told.
    pub fn add(&mut self, ack: &Ack) {
        match ack {
            Ack::Unknown { .. } => self.in_doubt += 1,
            Ack::Retried { .. } => self.retried += 1,
            Ack::Refused { .. } => self.refused += 1,
            // The account of the round tells.
            Ack::Fault { .. } => {}
            _ => self.acknowledged += 1,
        }
    }

    /// Adds a round to those before it.
    pub fn merge(&mut self, round: Self) {
        self.acknowledged += round.acknowledged;
        self.in_doubt += round.in_doubt;
        self.retried += round.retried;
        self.refused += round.refused;
        self.lost += round.lost;
        self.executions += round.executions;
        self.slowest = self.slowest.max(round.slowest);
        for (what, times) in round.notes {
            *self.notes.entry(what).or_default() += times;
        }
        self.problems.extend(round.problems);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_has_its_count_and_rounds_add_up() {
        let op = || "op".to_owned();
        let mut account = Account::default();
        for ack in [
            Ack::Cancelled { id: op() },
            Ack::Unknown { op: op() },
            Ack::Retried { op: op(), code: op() },
            Ack::Refused { op: op(), code: op() },
        ] {
            account.add(&ack);
        }
        account.notes.insert("kills".to_owned(), 2);
        account.slowest = Duration::from_millis(5);
        let mut sum = account.clone();
        sum.merge(account);
        assert_eq!((sum.acknowledged, sum.in_doubt, sum.retried, sum.refused), (2, 2, 2, 2));
        assert_eq!((sum.notes["kills"], sum.slowest), (4, Duration::from_millis(5)));
        assert!(serde_json::to_string(&sum).unwrap().contains("\"slowest_ms\":5"));
    }
}
