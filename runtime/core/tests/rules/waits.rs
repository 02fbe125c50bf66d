//! The rules of suspensions, waitpoints and signals.

mod codec;
mod doors;
mod fixture;
mod invariant;
mod list;
mod pending;
mod signal;
mod suspend;
mod token;
mod walk;
