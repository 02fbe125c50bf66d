//! `leasehold flow`: flows as a whole, and the steps they are made of.

mod cancel;
mod list;
mod show;
mod steps;
mod submit;

use crate::connection::Connection;
use crate::error::CliError;
use crate::http_client::encoded;
use clap::{Args, Subcommand};
use leasehold_core::error::EngineError;
use leasehold_core::ids::FlowId;

/// Submit, show, list and cancel flows, and build them step by step.
#[derive(Args, Debug)]
pub struct FlowArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: FlowCommand,
}

/// What to do with a flow.
#[derive(Debug, Subcommand)]
pub enum FlowCommand {
    /// Submit a whole flow from a file.
    Submit(submit::SubmitFlowArgs),
    /// Draw a flow as a tree with states.
    Show(show::ShowFlowArgs),
    /// List flows.
    List(list::ListFlowsArgs),
    /// Cancel a flow.
    Cancel(cancel::CancelFlowArgs),
    /// One step of building or driving a flow by hand.
    #[command(flatten)]
    Step(steps::Step),
}

impl FlowArgs {
    pub(crate) const fn connection(&self) -> &Connection {
        match &self.command {
            FlowCommand::Submit(args) => &args.connection,
            FlowCommand::Show(args) => &args.connection,
            FlowCommand::List(args) => &args.connection,
            FlowCommand::Cancel(args) => &args.connection,
            FlowCommand::Step(step) => step.connection(),
        }
    }

    pub(crate) async fn run(&self) -> Result<(), CliError> {
        match &self.command {
            FlowCommand::Submit(args) => args.run().await,
            FlowCommand::Show(args) => args.run().await,
            FlowCommand::List(args) => args.run().await,
            FlowCommand::Cancel(args) => args.run().await,
            FlowCommand::Step(step) => step.run().await,
        }
    }
}

/// Reads a flow id, refusing it as the server would.
fn flow_id(text: &str) -> Result<FlowId, CliError> {
    text.parse().map_err(|error| EngineError::invalid_input(format!("flow_id: {error}")).into())
}

/// The path of a flow, with what follows it: `""` or `"/cancel"`.
fn flow_path(id: FlowId, rest: &str) -> String {
    format!("/v1/flows/{}{rest}", encoded(&id.to_string()))
}
