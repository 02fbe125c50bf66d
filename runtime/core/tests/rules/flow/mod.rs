//! The rules of flows, through the public face of the crate only.

mod build;
mod cancel;
mod cascade;
pub mod codec;
pub mod fixture;
mod graph;
mod invariant;
mod join;
mod oracle;
mod replay;
mod suspended;
