//! The command line of `leasehold`: one file per subcommand.
//!
//! Most subcommands are a client of a running server ([`http_client`]) and
//! [`run`] carries them out. `serve`, `demo`, `migrate` and the part of `doctor`
//! that looks at the store need the engine; the binary carries those out, and
//! here are only their arguments.
//!
//! Data goes to standard output, a table for people or JSON for programs;
//! everything else goes to the standard error output. A refusal ends with exit
//! code 1 and is shown as the server put it; wrong usage ends with 2.

mod cancel;
mod connection;
mod demo;
pub mod doctor;
mod error;
pub mod http_client;
mod inspect;
mod list;
mod migrate;
pub mod output;
mod payload;
mod priority;
mod replay;
mod serve;
mod submit;
mod table;
mod time;

pub use cancel::CancelArgs;
pub use connection::{Connection, DEFAULT_URL};
pub use demo::{DemoArgs, DemoWorkerArgs};
pub use doctor::DoctorArgs;
pub use error::CliError;
pub use inspect::InspectArgs;
pub use list::ListArgs;
pub use migrate::MigrateArgs;
pub use priority::PriorityArgs;
pub use replay::ReplayArgs;
pub use serve::ServeArgs;
pub use submit::SubmitArgs;
pub use table::Table;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Durable executions: submit work, run it somewhere, lose none of it.
#[derive(Debug, Parser)]
#[command(name = "leasehold", version, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve a store over HTTP until told to stop.
    Serve(ServeArgs),
    /// Watch thousands of executions being submitted, retried, crashed and recovered.
    Demo(DemoArgs),
    /// A worker process of the demo.
    #[command(hide = true)]
    DemoWorker(DemoWorkerArgs),
    /// Find out what is wrong and how to mend it.
    Doctor(DoctorArgs),
    /// Bring the configured store up to date with this program.
    Migrate(MigrateArgs),
    /// What a running server is asked.
    #[command(flatten)]
    Client(ClientCommand),
}

/// What a running server is asked.
#[derive(Debug, Subcommand)]
pub enum ClientCommand {
    /// Submit an execution.
    Submit(SubmitArgs),
    /// Show an execution, its attempts and its result.
    Inspect(InspectArgs),
    /// List executions.
    List(ListArgs),
    /// Cancel an execution that has not ended.
    Cancel(CancelArgs),
    /// Run an ended execution once more.
    Replay(ReplayArgs),
    /// Move a waiting execution within its queue.
    Priority(PriorityArgs),
}

impl ClientCommand {
    const fn connection(&self) -> &Connection {
        match self {
            Self::Submit(args) => &args.connection,
            Self::Inspect(args) => &args.connection,
            Self::List(args) => &args.connection,
            Self::Cancel(args) => &args.connection,
            Self::Replay(args) => &args.connection,
            Self::Priority(args) => &args.connection,
        }
    }
}

/// Carries out what a running server is asked.
pub async fn run(command: ClientCommand) -> ExitCode {
    let json = command.connection().json;
    let ended = match &command {
        ClientCommand::Submit(args) => args.run().await,
        ClientCommand::Inspect(args) => args.run().await,
        ClientCommand::List(args) => args.run().await,
        ClientCommand::Cancel(args) => args.run().await,
        ClientCommand::Replay(args) => args.run().await,
        ClientCommand::Priority(args) => args.run().await,
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error.show(json);
            ExitCode::FAILURE
        }
    }
}
