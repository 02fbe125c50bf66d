//! What a handler may return.

use super::category;
use bytes::Bytes;
use leasehold_actors::fleet::HandlerOutcome;
use leasehold_core::backoff::FailureClass;
use serde::Serialize;
use std::borrow::Cow;
use std::error::Error;
use std::fmt::Write;

/// A handler's return value.
pub trait IntoOutcome {
    /// What it tells the engine.
    fn into_outcome(self) -> HandlerOutcome;
}

/// A result as JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Json<T>(pub T);

impl IntoOutcome for HandlerOutcome {
    fn into_outcome(self) -> HandlerOutcome {
        self
    }
}

impl IntoOutcome for () {
    fn into_outcome(self) -> HandlerOutcome {
        HandlerOutcome::Complete(None)
    }
}

impl IntoOutcome for Bytes {
    fn into_outcome(self) -> HandlerOutcome {
        HandlerOutcome::Complete(Some(self))
    }
}

impl IntoOutcome for Vec<u8> {
    fn into_outcome(self) -> HandlerOutcome {
        Bytes::from(self).into_outcome()
    }
}

impl IntoOutcome for String {
    fn into_outcome(self) -> HandlerOutcome {
        Bytes::from(self).into_outcome()
    }
}

impl IntoOutcome for &'static str {
    fn into_outcome(self) -> HandlerOutcome {
        Bytes::from_static(self.as_bytes()).into_outcome()
    }
}

impl<T: Serialize> IntoOutcome for Json<T> {
    fn into_outcome(self) -> HandlerOutcome {
        match serde_json::to_vec(&self.0) {
            Ok(json) => json.into_outcome(),
            Err(error) => HandlerError::permanent(format!("the result is no JSON: {error}"))
                .with_category(category::HANDLER_RESULT)
                .into_outcome(),
        }
    }
}

impl<T: IntoOutcome, E: Into<HandlerError>> IntoOutcome for Result<T, E> {
    fn into_outcome(self) -> HandlerOutcome {
        match self {
            Ok(value) => value.into_outcome(),
            Err(error) => error.into().into_outcome(),
        }
    }
}

/// A handler's failure. Every error converts into one that is transient, of
/// the category `handler_error`, with the messages of all its sources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandlerError {
    message: String,
    category: Cow<'static, str>,
    class: FailureClass,
}

impl HandlerError {
    /// A failure of a class.
    pub fn new(message: impl Into<String>, class: FailureClass) -> Self {
        Self { message: message.into(), category: Cow::Borrowed(category::HANDLER_ERROR), class }
    }

    /// A failure that is likely to pass.
    pub fn transient(message: impl Into<String>) -> Self {
        Self::new(message, FailureClass::Transient)
    }

    /// A failure that will happen again: never retried.
    pub fn permanent(message: impl Into<String>) -> Self {
        Self::new(message, FailureClass::Permanent)
    }

    /// Names the category, which `retryable_categories` go by.
    #[must_use]
    pub fn with_category(mut self, category: impl Into<Cow<'static, str>>) -> Self {
        self.category = category.into();
        self
    }

    /// Changes the class.
    #[must_use]
    pub fn with_class(mut self, class: FailureClass) -> Self {
        self.class = class;
        self
    }
}

impl IntoOutcome for HandlerError {
    fn into_outcome(self) -> HandlerOutcome {
        HandlerOutcome::Fail { reason: self.message, category: self.category.into_owned(), class: self.class }
    }
}

impl<E: Error> From<E> for HandlerError {
    fn from(error: E) -> Self {
        let mut message = error.to_string();
        let mut source = error.source();
        while let Some(error) = source {
            // Writing into a text does not fail.
            write!(message, ": {error}").unwrap_or_default();
            source = error.source();
        }
        Self::transient(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_become_results() {
        assert_eq!(().into_outcome(), HandlerOutcome::Complete(None));
        assert_eq!(String::new().into_outcome(), HandlerOutcome::Complete(Some(Bytes::new())));
        assert_eq!(Json([1, 2]).into_outcome(), HandlerOutcome::Complete(Some(Bytes::from_static(b"[1,2]"))));
    }

    #[test]
    fn errors_carry_their_sources_and_a_chosen_category() {
        let parse = || -> Result<u8, HandlerError> { Ok("x".parse::<u8>()?) };
        let Err(error) = parse() else { panic!("x is no number") };
        let outcome = error.with_category("bad_number").with_class(FailureClass::Permanent).into_outcome();
        let HandlerOutcome::Fail { reason, category, class } = outcome else { panic!("not failed") };
        assert_eq!((reason.as_str(), category.as_str()), ("invalid digit found in string", "bad_number"));
        assert_eq!(class, FailureClass::Permanent);
    }
}
