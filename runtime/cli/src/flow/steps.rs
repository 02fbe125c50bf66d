//! The steps flows are made of, one by one. Each prints the server's answer.

use super::{flow_id, flow_path};
use crate::connection::{Connection, execution_id};
use crate::error::CliError;
use crate::http_client::{encoded, execution_path};
use crate::output;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

/// A step on a flow.
#[derive(Args, Debug)]
pub struct OfFlow {
    /// The flow.
    pub flow: String,
    /// The server.
    #[command(flatten)]
    pub connection: Connection,
}

/// A step on a member of a flow.
#[derive(Args, Debug)]
pub struct OfMember {
    /// The flow.
    pub flow: String,
    /// The member.
    pub execution: String,
    /// The server.
    #[command(flatten)]
    pub connection: Connection,
}

/// A step on an execution.
#[derive(Args, Debug)]
pub struct OfExecution {
    /// The execution.
    pub execution: String,
    /// The server.
    #[command(flatten)]
    pub connection: Connection,
}

/// A new flow without members.
#[derive(Args, Debug)]
pub struct Create {
    /// What this kind of flow is called.
    pub kind: String,
    /// Whom it belongs to.
    #[arg(long, default_value = "default")]
    pub namespace: String,
    /// Its id.
    #[arg(long)]
    pub flow_id: Option<String>,
    /// The server.
    #[command(flatten)]
    pub connection: Connection,
}

/// The ends of a dependency.
#[derive(Args, Debug)]
pub struct Ends {
    /// The flow.
    pub flow: String,
    /// What must succeed.
    pub upstream: String,
    /// What waits for it.
    pub downstream: String,
    /// Pass the upstream's result on as the downstream's payload.
    #[arg(long)]
    pub data_passing_ref: Option<String>,
    /// The dependency's id; made unless given, where it is staged.
    #[arg(long)]
    pub edge_id: Option<String>,
    /// The revision of the graph that is known.
    #[arg(long)]
    pub revision: u64,
    /// The server.
    #[command(flatten)]
    pub connection: Connection,
}

/// How an upstream ended.
#[derive(Args, Debug)]
pub struct Resolve {
    /// The flow.
    pub flow: String,
    /// The dependency.
    pub edge: String,
    /// What must succeed.
    pub upstream: String,
    /// What waits for it.
    pub downstream: String,
    /// `success`, `failed`, `cancelled`, `expired` or `skipped`.
    pub outcome: String,
    /// The server.
    #[command(flatten)]
    pub connection: Connection,
}

/// A join.
#[derive(Args, Debug)]
pub struct Policy {
    /// The flow.
    pub flow: String,
    /// The member that waits.
    pub execution: String,
    /// `all_of`, `any_of` or `quorum`.
    pub kind: String,
    /// The size of a quorum.
    #[arg(long)]
    pub k: Option<u64>,
    /// What becomes of the others: `cancel_remaining` or `let_run`.
    #[arg(long)]
    pub on_satisfied: Option<String>,
    /// The server.
    #[command(flatten)]
    pub connection: Connection,
}

/// A dependency.
#[derive(Args, Debug)]
pub struct OfEdge {
    /// The flow.
    pub flow: String,
    /// The dependency.
    pub edge: String,
    /// The server.
    #[command(flatten)]
    pub connection: Connection,
}

/// The dependencies of a member.
#[derive(Args, Debug)]
pub struct Edges {
    /// The flow.
    pub flow: String,
    /// The member.
    pub execution: String,
    /// Those that leave it rather than those that enter it.
    #[arg(long)]
    pub outgoing: bool,
    /// The server.
    #[command(flatten)]
    pub connection: Connection,
}

/// The header of a cancellation.
#[derive(Args, Debug)]
pub struct CancelHeader {
    /// The flow.
    pub flow: String,
    /// Why, for people.
    #[arg(long, default_value = "")]
    pub reason: String,
    /// Whom it ends.
    #[arg(long, default_value = "cancel_all")]
    pub policy: String,
    /// When the engine ends them by itself.
    #[arg(long)]
    pub grace_ms: Option<u64>,
    /// The server.
    #[command(flatten)]
    pub connection: Connection,
}

/// A label of a flow.
#[derive(Args, Debug)]
pub struct Tag {
    /// The flow.
    pub flow: String,
    /// The label, `namespace.name`.
    pub key: String,
    /// What it becomes; without one it is read.
    pub value: Option<String>,
    /// The server.
    #[command(flatten)]
    pub connection: Connection,
}

/// One step of building or driving a flow by hand.
#[derive(Debug, Subcommand)]
pub enum Step {
    /// Create a flow without members.
    Create(Create),
    /// Make an execution a member.
    Add(OfMember),
    /// Add a dependency to the graph; it holds nothing back yet.
    Stage(Ends),
    /// Make a member wait for a staged dependency.
    Apply(Ends),
    /// Say how many of its dependencies a member needs.
    Policy(Policy),
    /// Show one dependency.
    Edge(OfEdge),
    /// List the dependencies of a member.
    Edges(Edges),
    /// Resolve one dependency.
    Resolve(Resolve),
    /// Resolve what depends on an ended execution.
    Cascade(OfExecution),
    /// Tell whether its dependencies let an execution run.
    Eligibility(OfExecution),
    /// Tell the flow of an execution.
    Of(OfExecution),
    /// Mark a flow as cancelled without ending its members at once.
    CancelHeader(CancelHeader),
    /// Note that a member of a cancelled flow needs no ending.
    AckCancel(OfMember),
    /// Drop the list of upstreams that a fired join cancels.
    DrainSiblings(OfMember),
    /// Drop that list if it is done with.
    ReconcileSiblings(OfMember),
    /// Tell whether a flow has anything to sum up.
    Project(OfFlow),
    /// Read or set a label of a flow.
    Tag(Tag),
}

/// What is asked of the server.
enum Request {
    Get(String),
    Post(String, Value),
    Put(String, Value),
}

/// Checks an execution's id before it stands in a body.
fn execution(text: &str) -> Result<String, CliError> {
    execution_id(text).map(|id| id.to_string())
}

fn of_flow(flow: &str, rest: &str) -> Result<String, CliError> {
    Ok(flow_path(flow_id(flow)?, rest))
}

fn of_member(member: &OfMember, action: &str) -> Result<Request, CliError> {
    let rest = format!("/members/{}/{action}", encoded(&execution(&member.execution)?));
    Ok(Request::Post(of_flow(&member.flow, &rest)?, json!({})))
}

fn ends(ends: &Ends, action: &str, revision: &str) -> Result<Request, CliError> {
    let mut body = json!({
        "upstream_execution_id": execution(&ends.upstream)?,
        "downstream_execution_id": execution(&ends.downstream)?,
        "data_passing_ref": ends.data_passing_ref,
    });
    if let Some(id) = &ends.edge_id {
        body["edge_id"] = id.as_str().into();
    }
    body[revision] = ends.revision.into();
    Ok(Request::Post(of_flow(&ends.flow, action)?, body))
}

impl Step {
    pub(super) const fn connection(&self) -> &Connection {
        match self {
            Self::Create(args) => &args.connection,
            Self::Add(args) | Self::AckCancel(args) | Self::DrainSiblings(args) | Self::ReconcileSiblings(args) => {
                &args.connection
            }
            Self::Stage(args) | Self::Apply(args) => &args.connection,
            Self::Policy(args) => &args.connection,
            Self::Edge(args) => &args.connection,
            Self::Edges(args) => &args.connection,
            Self::Resolve(args) => &args.connection,
            Self::Cascade(args) | Self::Eligibility(args) | Self::Of(args) => &args.connection,
            Self::CancelHeader(args) => &args.connection,
            Self::Project(args) => &args.connection,
            Self::Tag(args) => &args.connection,
        }
    }

    fn request(&self) -> Result<Request, CliError> {
        Ok(match self {
            Self::Create(args) => {
                let mut body = json!({"flow_kind": args.kind, "namespace": args.namespace});
                if let Some(id) = &args.flow_id {
                    body["flow_id"] = id.as_str().into();
                }
                Request::Post("/v1/flows".to_owned(), body)
            }
            Self::Add(args) => {
                Request::Post(of_flow(&args.flow, "/members")?, json!({"execution_id": execution(&args.execution)?}))
            }
            Self::Stage(args) => ends(args, "/edges", "expected_graph_revision")?,
            Self::Apply(args) => ends(args, "/edges/apply", "graph_revision")?,
            Self::Policy(args) => {
                let rest = format!("/members/{}/policy", encoded(&execution(&args.execution)?));
                let body = json!({"kind": args.kind, "k": args.k, "on_satisfied": args.on_satisfied});
                Request::Put(of_flow(&args.flow, &rest)?, body)
            }
            Self::Edge(args) => Request::Get(of_flow(&args.flow, &format!("/edges/{}", encoded(&args.edge)))?),
            Self::Edges(args) => {
                let direction = if args.outgoing { "outgoing" } else { "incoming" };
                let rest = format!("/edges?{direction}={}", encoded(&execution(&args.execution)?));
                Request::Get(of_flow(&args.flow, &rest)?)
            }
            Self::Resolve(args) => {
                let body = json!({
                    "upstream_execution_id": execution(&args.upstream)?,
                    "downstream_execution_id": execution(&args.downstream)?,
                    "upstream_outcome": args.outcome,
                });
                Request::Post(of_flow(&args.flow, &format!("/edges/{}/resolve", encoded(&args.edge)))?, body)
            }
            Self::Cascade(args) => Request::Post(execution_path(execution_id(&args.execution)?, "/cascade"), json!({})),
            Self::Eligibility(args) => {
                Request::Get(execution_path(execution_id(&args.execution)?, "/flow-eligibility"))
            }
            Self::Of(args) => Request::Get(execution_path(execution_id(&args.execution)?, "/flow")),
            Self::CancelHeader(args) => {
                let body =
                    json!({"reason": args.reason, "cancellation_policy": args.policy, "grace_ms": args.grace_ms});
                Request::Post(of_flow(&args.flow, "/cancel-header")?, body)
            }
            Self::AckCancel(args) => of_member(args, "ack-cancel")?,
            Self::DrainSiblings(args) => of_member(args, "drain-siblings")?,
            Self::ReconcileSiblings(args) => of_member(args, "reconcile-siblings")?,
            Self::Project(args) => Request::Post(of_flow(&args.flow, "/project")?, json!({})),
            Self::Tag(args) => {
                let path = of_flow(&args.flow, &format!("/tags/{}", encoded(&args.key)))?;
                match &args.value {
                    Some(value) => Request::Put(path, json!({"value": value})),
                    None => Request::Get(path),
                }
            }
        })
    }

    pub(super) async fn run(&self) -> Result<(), CliError> {
        let request = self.request()?;
        let client = self.connection().client()?;
        let answer = match request {
            Request::Get(path) => client.get(&path).await?,
            Request::Post(path, body) => client.post(&path, &body).await?,
            Request::Put(path, body) => client.put(&path, &body).await?,
        };
        let answer = if answer.is_empty() { json!("ok") } else { answer.json()? };
        output::step(&answer, self.connection().json);
        Ok(())
    }
}
