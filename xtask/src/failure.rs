//! Why a command did not succeed: a sentence for the person at the terminal.

use std::fmt;

/// What every command returns.
pub type Outcome<T = ()> = Result<T, Failure>;

/// A failed command, told in one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure(String);

impl Failure {
    /// A failure with this message.
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }

    /// The refusal of arguments that a command does not know.
    pub fn usage(usage: &str) -> Self {
        Self(format!("usage: cargo xtask {usage}"))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Adds what was being done to an error that does not know it.
pub trait During<T> {
    /// Turns the error into a [`Failure`] that begins with `what`.
    fn during(self, what: impl fmt::Display) -> Outcome<T>;
}

impl<T, E: fmt::Display> During<T> for Result<T, E> {
    fn during(self, what: impl fmt::Display) -> Outcome<T> {
        self.map_err(|error| Failure(format!("{what}: {error}")))
    }
}
