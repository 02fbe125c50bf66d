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

mod approve;
mod cancel;
mod connection;
mod demo;
pub mod doctor;
mod error;
mod flow;
pub mod http_client;
mod inspect;
mod keys;
mod list;
mod migrate;
pub mod output;
mod partitions;
mod payload;
mod priority;
mod replay;
mod serve;
mod signal;
mod submit;
mod table;
mod time;
mod waits;

pub use approve::ApproveArgs;
pub use cancel::CancelArgs;
pub use connection::{Connection, DEFAULT_URL};
pub use demo::{DemoArgs, DemoWorkerArgs};
pub use doctor::DoctorArgs;
pub use error::CliError;
pub use flow::FlowArgs;
pub use inspect::InspectArgs;
pub use keys::{KeysArgs, RotateKeyArgs, SeedKeyArgs};
pub use list::ListArgs;
pub use migrate::MigrateArgs;
pub use priority::PriorityArgs;
pub use replay::ReplayArgs;
pub use serve::ServeArgs;
pub use signal::SignalArgs;
pub use submit::SubmitArgs;
pub use table::Table;
pub use waits::{
    CloseWaitpointArgs, ExpireSuspensionArgs, ResumeArgs, SuspendedArgs, WaitpointTokenArgs, WaitpointsArgs,
};

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
    /// Submit, show, list and cancel flows, and build them step by step.
    Flow(FlowArgs),
    /// Send a signal to a waitpoint.
    Signal(SignalArgs),
    /// Approve what an execution waits for.
    Approve(ApproveArgs),
    /// Reject what an execution waits for.
    Reject(ApproveArgs),
    /// Let a suspended execution go on, whatever it waits for.
    Resume(ResumeArgs),
    /// Show where an execution takes signals.
    Waitpoints(WaitpointsArgs),
    /// Print the token of a waitpoint.
    WaitpointToken(WaitpointTokenArgs),
    /// Give up a pending waitpoint.
    CloseWaitpoint(CloseWaitpointArgs),
    /// List suspended executions.
    Suspended(SuspendedArgs),
    /// Let the deadline of a suspension act, if it is reached.
    ExpireSuspension(ExpireSuspensionArgs),
    /// Make another key mint waitpoint tokens.
    RotateKey(RotateKeyArgs),
    /// Install the first key that mints waitpoint tokens.
    SeedKey(SeedKeyArgs),
    /// Show which keys mint and verify waitpoint tokens.
    Keys(KeysArgs),
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
            Self::Flow(args) => args.connection(),
            Self::Approve(args) | Self::Reject(args) => &args.connection,
            Self::Signal(args) => &args.connection,
            Self::Resume(args) => &args.connection,
            Self::Waitpoints(args) => &args.connection,
            Self::WaitpointToken(args) => &args.connection,
            Self::CloseWaitpoint(args) => &args.connection,
            Self::Suspended(args) => &args.connection,
            Self::ExpireSuspension(args) => &args.connection,
            Self::RotateKey(args) => &args.connection,
            Self::SeedKey(args) => &args.connection,
            Self::Keys(args) => &args.connection,
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
        ClientCommand::Approve(args) => args.run("approved").await,
        ClientCommand::Reject(args) => args.run("rejected").await,
        ClientCommand::Flow(args) => args.run().await,
        ClientCommand::Signal(args) => args.run().await,
        ClientCommand::Resume(args) => args.run().await,
        ClientCommand::Waitpoints(args) => args.run().await,
        ClientCommand::WaitpointToken(args) => args.run().await,
        ClientCommand::CloseWaitpoint(args) => args.run().await,
        ClientCommand::Suspended(args) => args.run().await,
        ClientCommand::ExpireSuspension(args) => args.run().await,
        ClientCommand::RotateKey(args) => args.run().await,
        ClientCommand::SeedKey(args) => args.run().await,
        ClientCommand::Keys(args) => args.run().await,
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error.show(json);
            ExitCode::FAILURE
        }
    }
}
