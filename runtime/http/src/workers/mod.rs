//! Taking work: a worker asks for whatever it can do.

pub(crate) mod claim;
pub(crate) mod claim_for_worker;
pub(crate) mod claim_one;
pub(crate) mod poll_tasks;
