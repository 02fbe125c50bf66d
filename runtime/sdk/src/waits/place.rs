//! Where an execution stands among its handler's steps, as its last
//! suspension tells.

use super::{Halt, Resumed};
use leasehold_contract::SuspensionView;
use leasehold_core::command::DOCUMENT_BYTES_MAX;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// What a suspension's continuation pointer holds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Pointer {
    /// The step that suspended.
    step: String,
    /// What the steps before it kept.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    kept: BTreeMap<String, Value>,
}

/// Where an execution stands.
#[derive(Clone, Debug, Default)]
pub(super) struct Place {
    /// The step that was just resumed, and by what.
    last: Option<(String, Resumed)>,
    /// What the steps that were passed have kept.
    kept: BTreeMap<String, Value>,
}

impl Place {
    /// The place behind a suspension. One that was not made by a step, or did
    /// not end with a resume, passes nothing.
    pub(super) fn after(view: SuspensionView) -> Self {
        let pointer = view.continuation_metadata_pointer.as_deref();
        let Some(Ok(pointer)) = pointer.map(serde_json::from_str::<Pointer>) else { return Self::default() };
        Self { last: Resumed::of(view).map(|resumed| (pointer.step, resumed)), kept: pointer.kept }
    }

    /// What a step kept that was passed before.
    pub(super) fn kept<V: DeserializeOwned>(&self, step: &str) -> Option<Result<V, Halt>> {
        self.kept.get(step).map(|kept| {
            V::deserialize(kept)
                .map_err(|error| Halt::Misused(format!("what step {step:?} kept cannot be read: {error}")))
        })
    }

    /// What resumed a step, if it is the one that was resumed.
    pub(super) fn resumed(&mut self, step: &str) -> Option<Resumed> {
        self.last.take_if(|(last, _)| last == step).map(|(_, resumed)| resumed)
    }

    /// Keeps what a step has to tell.
    pub(super) fn keep(&mut self, step: &str, value: &impl Serialize) -> Result<(), Halt> {
        let value = serde_json::to_value(value)
            .map_err(|error| Halt::Misused(format!("what step {step:?} keeps is no JSON: {error}")))?;
        self.kept.insert(step.to_owned(), value);
        Ok(())
    }

    /// The continuation pointer of a suspension at a step.
    pub(super) fn pointer(&self, step: &str) -> Result<String, Halt> {
        let pointer = Pointer { step: step.to_owned(), kept: self.kept.clone() };
        let pointer = serde_json::to_string(&pointer)
            .map_err(|error| Halt::Misused(format!("the place at step {step:?} is no JSON: {error}")))?;
        if pointer.len() > DOCUMENT_BYTES_MAX {
            return Err(Halt::Misused(format!(
                "the steps before {step:?} keep {} bytes, at most {DOCUMENT_BYTES_MAX}: keep less of them with Waits::step",
                pointer.len()
            )));
        }
        Ok(pointer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use leasehold_contract::ClosedView;
    use leasehold_core::record::{CloseReason, Requester, ResumeTrigger, SuspensionReason};
    use leasehold_core::time::TimestampMs;
    use uuid::Uuid;

    fn view(pointer: &str, reason: CloseReason, trigger: Option<ResumeTrigger>) -> SuspensionView {
        SuspensionView {
            suspension_id: Uuid::from_u128(1).into(),
            attempt_index: leasehold_core::ids::AttemptIndex(0),
            reason: SuspensionReason::WaitingForSignal,
            requested_by: Requester::Worker,
            created_at: TimestampMs(1),
            timeout: None,
            continuation_metadata_pointer: Some(pointer.to_owned()),
            satisfied_at: None,
            closed: Some(ClosedView { at: TimestampMs(2), reason, resume_trigger: trigger }),
            signals: Vec::new(),
        }
    }

    #[test]
    fn a_step_is_resumed_once_and_only_by_its_own_suspension() {
        let mut place = Place::default();
        place.keep("a", &7).unwrap();
        let pointer = place.pointer("b").unwrap();
        let mut place = Place::after(view(&pointer, CloseReason::TimedOutAutoResume, None));
        assert_eq!(place.kept::<u8>("a"), Some(Ok(7)));
        assert!(matches!(place.kept::<String>("a"), Some(Err(Halt::Misused(_)))));
        assert_eq!(place.resumed("a"), None);
        assert!(place.resumed("b").is_some_and(|resumed| resumed.is_timed_out()));
        assert_eq!(place.resumed("b"), None);
    }

    #[test]
    fn a_wait_that_nobody_was_told_of_begins_anew_and_keeps_what_was_passed() {
        let mut place = Place::default();
        place.keep("a", &7).unwrap();
        let pointer = place.pointer("b").unwrap();
        let untold = view(&pointer, CloseReason::Resumed, Some(ResumeTrigger::AutoResume));
        let mut place = Place::after(untold);
        assert_eq!((place.resumed("b"), place.kept::<u8>("a")), (None, Some(Ok(7))));
        let mut place = Place::after(view(&pointer, CloseReason::Resumed, Some(ResumeTrigger::Operator)));
        assert!(place.resumed("b").is_some_and(|resumed| !resumed.is_satisfied() && !resumed.is_timed_out()));
    }

    #[test]
    fn a_pointer_of_somebody_else_is_no_place_and_one_too_large_is_refused() {
        let mut place = Place::after(view("step-7", CloseReason::TimedOutAutoResume, None));
        assert_eq!(place.resumed("step-7"), None);
        place.keep("a", &"x".repeat(DOCUMENT_BYTES_MAX)).unwrap();
        assert!(matches!(place.pointer("b"), Err(Halt::Misused(text)) if text.contains("keep less")));
    }
}
