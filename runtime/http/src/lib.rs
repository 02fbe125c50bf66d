//! The engine over HTTP and JSON.
//!
//! [`router`] puts an [`Engine`](leasehold_contract::Engine) behind `/v1`;
//! [`serve()`] answers a listener with it until it is told to stop. Every
//! endpoint is a file of its own: its request, its answer, its handler and its
//! tests. What they share is named after what it is: the envelope of refusals
//! (`error`), bodies and their limits (`body`), bytes (`bytes`),
//! identifiers (`ids`), proofs of a lease (`lease`).
//!
//! # Conventions
//!
//! * Bytes are base64 strings in the standard alphabet, with padding.
//! * Outcomes are externally tagged in PascalCase (`{"Created": {…}}`, unit
//!   variants as strings), states are snake_case.
//! * An execution id stands in the path percent-encoded or as it is. A body
//!   may repeat it and must then name the same execution.
//! * A `now` in a request is accepted and not looked at: time is the store's.
//! * Every refusal is the envelope `{error, kind?, retryable?, …}`.

mod api;
mod auth;
mod body;
mod bytes;
mod cors;
mod error;
mod executions;
mod fallback;
mod flows;
mod health;
mod ids;
mod lease;
mod leases;
mod listener;
mod maintenance;
mod options;
mod path;
mod query;
mod reads;
mod router;
mod secret;
mod serve;
mod suspension;
mod workers;

#[cfg(test)]
mod testing;

pub use cors::{Cors, CorsError};
pub use listener::{InsecureListener, check_listener};
pub use options::{BodyLimits, HealthCheck, HttpOptions};
pub use router::router;
pub use secret::{Secret, SecretError};
pub use serve::serve;
