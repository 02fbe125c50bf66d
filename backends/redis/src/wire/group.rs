//! The pipelines of one turn: which calls go out together, and what their
//! answers mean for them.

use super::link::Cut;
use super::topology::{Primary, Topology};
use super::{Answer, COMMANDS_MAX, Call, How, error_of};
use crate::errors::{self, Remedy};
use redis::{Pipeline, Value};
use std::sync::Arc;

/// Calls that go to one primary in one pipeline, the wait behind them.
pub(super) struct Group {
    pub(super) primary: Arc<Primary>,
    /// Which calls, and how many commands of each.
    members: Vec<(usize, usize)>,
    pipeline: Pipeline,
}

/// What a pipeline was answered.
pub(super) struct Sent {
    values: Vec<Vec<Value>>,
    shortfall: Option<String>,
}

/// What has to be done before some calls are sent again.
#[derive(Default)]
pub(super) struct Again {
    pub(super) calls: Vec<usize>,
    /// The function library has to be loaded.
    pub(super) load: bool,
    /// Somebody has to say who serves what.
    pub(super) refresh: bool,
}

/// Calls by primary, each group short enough for one pipeline. Their
/// commands move into it.
pub(super) fn group(
    topology: &Topology,
    how: &How,
    calls: &mut [Call],
    open: &[usize],
    answers: &mut [Option<Answer>],
) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for &at in open {
        let call = &mut calls[at];
        let Some(primary) = topology.of(call.slot) else {
            answers[at] = Some(Answer::Unreached(format!("nobody serves slot {}", call.slot)));
            continue;
        };
        let commands = std::mem::take(&mut call.commands);
        let place = groups
            .iter()
            .rposition(|group| Arc::ptr_eq(&group.primary, primary))
            .filter(|place| groups[*place].pipeline.len() + commands.len() <= COMMANDS_MAX);
        let place = place.unwrap_or_else(|| {
            let primary = Arc::clone(primary);
            groups.push(Group { primary, members: Vec::new(), pipeline: Pipeline::with_capacity(open.len() + 1) });
            groups.len() - 1
        });
        let group = &mut groups[place];
        group.members.push((at, commands.len()));
        for command in commands {
            group.pipeline.add_command(command);
        }
    }
    if let Some(wait) = &how.wait {
        for group in &mut groups {
            group.pipeline.add_command(wait.command.clone());
        }
    }
    groups
}

impl Group {
    /// Sends it.
    pub(super) async fn send(&self, how: &How) -> Result<Sent, Cut> {
        let mut answers = self.primary.send_pipeline(how.lane, &self.pipeline).await?.into_iter();
        let values = self.members.iter().map(|(_, commands)| answers.by_ref().take(*commands).collect()).collect();
        let shortfall = how.wait.as_ref().zip(answers.next()).and_then(|(wait, answer)| wait.shortfall(&answer));
        Ok(Sent { values, shortfall })
    }

    /// Sorts the answers of one pipeline.
    pub(super) fn settle(&self, result: Result<Sent, Cut>, repeat: bool, answers: &mut [Option<Answer>]) -> Again {
        let mut again = Again::default();
        match result {
            Err(cut) => {
                again.refresh = true;
                let lost = matches!(cut, Cut::Lost(_));
                for &(at, _) in &self.members {
                    let text = cut.text().to_owned();
                    answers[at] = Some(if lost { Answer::Unknown(text) } else { Answer::Unreached(text) });
                }
                // Once: the answer may have been lost with an old connection. A
                // server that cannot be reached is the caller's to wait for.
                if lost && repeat {
                    again.calls.extend(self.members.iter().map(|(at, _)| *at));
                }
            }
            Ok(sent) => {
                for (&(at, _), values) in self.members.iter().zip(sent.values) {
                    let remedy = values.iter().find_map(error_of).and_then(errors::remedy);
                    if let Some(remedy) = remedy {
                        again.load |= remedy == Remedy::Load;
                        again.refresh |= remedy == Remedy::Refresh;
                        again.calls.push(at);
                        answers[at] = Some(Answer::Values(values));
                    } else {
                        let failed = values.iter().any(|value| error_of(value).is_some());
                        answers[at] = Some(match &sent.shortfall {
                            Some(text) if !failed => Answer::Unknown(text.clone()),
                            _ => Answer::Values(values),
                        });
                    }
                }
            }
        }
        again
    }

    /// Gives the commands of some of its calls back, so that they are sent
    /// again.
    pub(super) fn give_back(&self, calls: &mut [Call], wanted: &[usize]) {
        let mut commands = self.pipeline.cmd_iter();
        for (at, count) in &self.members {
            let own = commands.by_ref().take(*count);
            if wanted.contains(at) {
                calls[*at].commands = own.cloned().collect();
            } else {
                own.for_each(drop);
            }
        }
    }
}
