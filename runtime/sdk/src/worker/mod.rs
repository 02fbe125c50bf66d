//! Workers: handlers by the kind of execution, run by a fleet.

mod actor_handler;
pub mod category;
mod extract;
mod handler;
mod outcome;
mod runtime;

pub use actor_handler::{ActorHandler, ActorTask};
pub use extract::{Call, Cancel, Context, Data, FenceOf, FromCall, Payload, PayloadBytes, Rejection, TaskInfo};
pub(crate) use extract::{DataMap, Origin};
pub use handler::{IntoHandler, KindHandler};
pub use outcome::{HandlerError, IntoOutcome, Json};
pub use runtime::{Worker, WorkerBuilder, WorkerRuntime};
