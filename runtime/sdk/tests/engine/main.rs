//! Workers and clients against a whole engine over the memory store.

mod client;
mod flows;
mod handlers;
mod leases;
mod mistakes;
mod rig;
mod waits;
