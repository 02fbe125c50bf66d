//! The rules of executions, through the public face of the crate only.

mod admit;
mod asks;
mod cancel;
mod claim;
mod codec;
mod create;
mod fence;
mod finish;
mod fixture;
mod flow;
mod grant;
mod invariant;
mod kept;
mod keyring;
mod lost;
mod matrix;
mod park;
mod renew;
mod replay;
mod settle;
mod situation;
mod tag;
mod timeout;
mod waits;
mod walk;
