//! What waits for a commit: answers, tasks, events, watchers. Nothing escapes
//! before the change it rests on is durable.

use super::state::Parked;
use super::{ClaimRequest, ClaimSink, Submit};
use crate::committer::Blame;
use leasehold_contract::{EngineResult, Task};
use leasehold_core::command::Reply;
use leasehold_core::error::EngineError;
use leasehold_core::event::Event;
use leasehold_core::record::Execution;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Something that waits.
pub enum Release {
    /// An answer.
    Answer {
        /// To whom; kept whole so that the command can be decided again.
        submit: Box<Submit>,
        /// What.
        outcome: EngineResult<Reply>,
    },
    /// Tasks for a worker.
    Tasks {
        /// To whom.
        sink: ClaimSink,
        /// Which.
        tasks: Vec<Task>,
        /// What was asked.
        request: Box<ClaimRequest>,
    },
    /// Something happened.
    Event(Arc<Event>),
    /// An execution ended.
    Ended(Arc<Execution>),
}

impl Release {
    /// Tells whoever waits that it will not happen.
    pub fn fail(self, error: &EngineError) {
        match self {
            Self::Answer { submit, .. } => answer(*submit, Err(error.clone())),
            Self::Tasks { sink, .. } => {
                sink(Err(error.clone()));
            }
            Self::Event(_) | Self::Ended(..) => {}
        }
    }
}

/// Answers a command. A caller that has gone is no failure.
pub fn answer(submit: Submit, outcome: EngineResult<Reply>) {
    drop(submit.permit);
    drop(submit.port.send(outcome));
}

/// What becomes of those whose commit failed and who deserve another try.
#[derive(Default)]
pub struct Verdict {
    /// Commands to be decided again one by one.
    pub alone: Vec<Submit>,
    /// Commands and claims to be decided again together.
    pub together: Vec<Parked>,
}

/// Fails those who are to blame for a failed commit, and everybody if nobody
/// is. Events and ends that did not come to be are forgotten.
pub fn judge(waiting: Vec<Release>, error: &EngineError, blame: Blame) -> Verdict {
    let mut verdict = Verdict::default();
    let grows = |release: &Release| matches!(release, Release::Answer { submit, .. } if submit.command.grows());
    let growth = blame == Blame::Growth && waiting.iter().any(grows);
    for release in waiting {
        match release {
            release if growth && grows(&release) => release.fail(error),
            Release::Answer { submit, .. } if growth => verdict.together.push(Parked::Command(submit)),
            Release::Tasks { sink, request, .. } if growth => {
                verdict.together.push(Parked::Claim(request, sink, Vec::new()));
            }
            Release::Answer { submit, .. } if blame != Blame::Nothing => verdict.alone.push(*submit),
            other => other.fail(error),
        }
    }
    // A single command that failed alone is the one that causes it.
    if verdict.alone.len() == 1 {
        for submit in verdict.alone.drain(..) {
            answer(submit, Err(error.clone()));
        }
    }
    verdict
}

/// What waits, by the commit it waits for.
#[derive(Default)]
pub struct Waiting {
    by_commit: BTreeMap<u64, Vec<Release>>,
}

impl Waiting {
    /// Adds something.
    pub fn add(&mut self, commit: u64, release: Release) {
        self.by_commit.entry(commit).or_default().push(release);
    }

    /// Takes everything up to a durable commit, in order.
    pub fn take_until(&mut self, commit: u64) -> Vec<Release> {
        let later = self.by_commit.split_off(&(commit + 1));
        std::mem::replace(&mut self.by_commit, later).into_values().flatten().collect()
    }

    /// Takes everything.
    pub fn take_all(&mut self) -> Vec<Release> {
        std::mem::take(&mut self.by_commit).into_values().flatten().collect()
    }
}
