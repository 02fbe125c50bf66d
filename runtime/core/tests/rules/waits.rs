//! The rules of suspensions, waitpoints and signals.

pub mod codec;
mod doors;
mod endings;
pub mod fixture;
mod invariant;
mod list;
mod mark;
mod pending;
mod settle;
mod signal;
mod suspend;
mod token;
mod walk;
