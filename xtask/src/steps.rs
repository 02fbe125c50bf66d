//! Named steps that run one after another, each with its duration.

use std::time::{Duration, Instant};

use crate::failure::{Failure, Outcome};
use crate::table;

/// What to do with the steps behind one that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFailure {
    /// Leave them out.
    Stop,
    /// Run them all the same; the whole fails in the end.
    GoOn,
}

/// One named step.
pub struct Step<'a> {
    name: &'static str,
    action: Box<dyn FnOnce() -> Outcome + 'a>,
}

impl<'a> Step<'a> {
    /// A step that is this action.
    pub fn new(name: &'static str, action: impl FnOnce() -> Outcome + 'a) -> Self {
        Self { name, action: Box::new(action) }
    }
}

/// Runs the steps and closes with a table of their durations.
pub fn run(title: &str, steps: Vec<Step<'_>>, on_failure: OnFailure) -> Outcome {
    let mut rows = Vec::new();
    let mut failures = Vec::new();
    let mut total = Duration::ZERO;
    for step in steps {
        if !failures.is_empty() && on_failure == OnFailure::Stop {
            rows.push(vec![step.name.into(), "-".into(), "not run".into()]);
            continue;
        }
        println!("\n== {}", step.name);
        let (outcome, took) = timed(step.action);
        total += took;
        let word = if outcome.is_ok() { "ok" } else { "FAILED" };
        println!("== {} {word} in {}", step.name, seconds(took));
        rows.push(vec![step.name.into(), seconds(took), word.into()]);
        if let Err(failure) = outcome {
            eprintln!("{}: {failure}", step.name);
            failures.push(step.name);
        }
    }
    rows.push(vec!["total".into(), seconds(total), String::new()]);
    println!("\n{}", table::render(&[title, "time", "result"], &rows));
    if failures.is_empty() { Ok(()) } else { Err(Failure::new(format!("{title}: {}", failures.join(", ")))) }
}

/// Runs something and tells how long it took.
#[expect(
    clippy::disallowed_methods,
    reason = "the duration of a step is real time, shown to a person and used for nothing else"
)]
pub fn timed<T>(action: impl FnOnce() -> T) -> (T, Duration) {
    let started = Instant::now();
    let result = action();
    (result, started.elapsed())
}

/// A duration with one decimal.
pub fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ran_after_a_failure(on_failure: OnFailure) -> (bool, Outcome) {
        let mut ran = false;
        let steps = vec![
            Step::new("first", || Err(Failure::new("broken"))),
            Step::new("second", || {
                ran = true;
                Ok(())
            }),
        ];
        let outcome = run("test", steps, on_failure);
        (ran, outcome)
    }

    #[test]
    fn a_failure_stops_or_is_remembered() {
        let (ran, outcome) = ran_after_a_failure(OnFailure::Stop);
        assert!(!ran && outcome.is_err());
        let (ran, outcome) = ran_after_a_failure(OnFailure::GoOn);
        assert!(ran);
        assert_eq!(outcome, Err(Failure::new("test: first")));
    }
}
