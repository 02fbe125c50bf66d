//! The engine as a whole.

pub(crate) mod capabilities;
pub(crate) mod ping;
pub(crate) mod prepare;
pub(crate) mod server_time;
pub(crate) mod shutdown_prepare;
