//! A flow, declared in one expression and submitted as one.

use super::{Client, Submission};
use futures::future::{BoxFuture, FutureExt};
use leasehold_contract::{EngineResult, FlowEdgeSpec, FlowNodeSpec, FlowSpec, Flows, SubmitFlowOutcome};
use leasehold_core::error::EngineError;
use leasehold_core::flow::{EdgeGroupPolicy, OnSatisfied};
use leasehold_core::ids::{ExecutionId, FlowId, Namespace};
use leasehold_core::partition::PartitionFamily;
use std::collections::BTreeMap;

/// How a dependency says that the upstream's result becomes the payload.
const RESULT: &str = "result";

/// A flow that is not submitted yet; await it, or [`Self::send`] it.
///
/// [`Self::node`] adds a node, and what follows speaks of that node: what it
/// waits for and how many of these it needs. Nodes may be named before they
/// are declared. At most 10,000 nodes and 50,000 dependencies; a large flow is
/// built in parts, and nothing of it runs before all of it is there.
///
/// ```no_run
/// # use leasehold_sdk::{Client, OnSatisfied};
/// # use std::time::Duration;
/// # async fn order(client: &Client) -> Result<(), Box<dyn std::error::Error>> {
/// let flow = client
///     .flow("purchase")
///     .node("north", client.submit_json("quote", &"north"))
///     .node("south", client.submit_json("quote", &"south"))
///     .node("buy", client.submit("buy", Vec::new()))
///     .takes(["north", "south"])
///     .any_of(OnSatisfied::CancelRemaining)
///     .await?;
/// let bought = client.wait(flow.members["buy"], Duration::from_secs(60)).await?;
/// # Ok(())
/// # }
/// ```
#[must_use = "a flow does nothing until it is awaited"]
#[derive(Clone, Debug)]
pub struct Flow {
    client: Client,
    kind: String,
    namespace: Namespace,
    given_id: Option<FlowId>,
    nodes: Vec<Declared>,
    /// The first refused argument.
    refused: Option<EngineError>,
}

/// A node as it is filled in.
#[derive(Clone, Debug)]
struct Declared {
    name: String,
    submission: Submission,
    /// What it waits for, and whether it takes the result.
    upstreams: Vec<(String, bool)>,
    policy: Option<EdgeGroupPolicy>,
}

/// What the submission of a flow came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubmittedFlow {
    /// The flow.
    pub flow_id: FlowId,
    /// The executions of its nodes, by name.
    pub members: BTreeMap<String, ExecutionId>,
    /// Whether it had been submitted before, exactly so.
    pub duplicate: bool,
}

impl Flow {
    pub(super) fn new(client: Client, kind: String) -> Self {
        let namespace = client.inner.namespace.clone();
        Self { client, kind, namespace, given_id: None, nodes: Vec::new(), refused: None }
    }

    fn refuse(mut self, error: EngineError) -> Self {
        self.refused = self.refused.or(Some(error));
        self
    }

    /// The tenant of the flow and of every node that names none; `default`
    /// unless said.
    pub fn namespace(mut self, namespace: impl AsRef<str>) -> Self {
        match Namespace::try_new(namespace) {
            Ok(namespace) => {
                self.namespace = namespace;
                self
            }
            Err(error) => self.refuse(error.into()),
        }
    }

    /// Under this id instead of a minted one, so that a submission whose
    /// outcome is unknown can be repeated: exactly the same flow is recognised,
    /// another one refused.
    pub fn flow_id(mut self, id: FlowId) -> Self {
        self.given_id = Some(id);
        self
    }

    /// Adds a node, 1 to 256 bytes of a name that no other node has. It has no
    /// idempotency key; the flow's id makes a repeat safe.
    pub fn node(mut self, name: impl Into<String>, submission: Submission) -> Self {
        self.nodes.push(Declared { name: name.into(), submission, upstreams: Vec::new(), policy: None });
        self
    }

    /// The node waits until these have succeeded.
    pub fn after<N: Into<String>>(self, upstreams: impl IntoIterator<Item = N>) -> Self {
        self.depends(upstreams, false)
    }

    /// The node waits until these have succeeded, and a result becomes its
    /// payload: that of the last to succeed where it needs all of them, of the
    /// one that lets it run otherwise.
    pub fn takes<N: Into<String>>(self, upstreams: impl IntoIterator<Item = N>) -> Self {
        self.depends(upstreams, true)
    }

    /// One of what the node waits for is enough.
    pub fn any_of(self, on_satisfied: OnSatisfied) -> Self {
        self.policy(EdgeGroupPolicy::AnyOf { on_satisfied })
    }

    /// So many of what the node waits for are enough, at least one.
    pub fn quorum(self, k: u32, on_satisfied: OnSatisfied) -> Self {
        self.policy(EdgeGroupPolicy::Quorum { k, on_satisfied })
    }

    fn depends<N: Into<String>>(mut self, upstreams: impl IntoIterator<Item = N>, takes: bool) -> Self {
        match self.nodes.last_mut() {
            Some(node) => {
                node.upstreams.extend(upstreams.into_iter().map(|name| (name.into(), takes)));
                self
            }
            None => self.refuse(no_node("after")),
        }
    }

    fn policy(mut self, policy: EdgeGroupPolicy) -> Self {
        match self.nodes.last_mut() {
            Some(node) => {
                node.policy = Some(policy);
                self
            }
            None => self.refuse(no_node("policy")),
        }
    }

    /// Submits it; the answer is durable.
    ///
    /// # Errors
    ///
    /// `invalid_input` and its kin for what it was filled with,
    /// `self_referencing_edge` and `cycle_detected`, and the retryable errors
    /// of the machinery.
    pub async fn send(self) -> EngineResult<SubmittedFlow> {
        let client = self.client.clone();
        // A node's own id was not minted for this call.
        let minted = self.given_id.is_none() && self.nodes.iter().all(|node| !node.submission.has_id());
        let spec = self.into_spec()?;
        let flow_id = spec.flow_id;
        let member = |node: &FlowNodeSpec| (node.name.clone(), node.execution.execution_id);
        let members = spec.nodes.iter().map(member).collect();
        let engine = client.engine();
        let outcome = if minted { engine.submit_new_flow(spec).await? } else { engine.submit_flow(spec).await? };
        let duplicate = matches!(outcome, SubmitFlowOutcome::AlreadySatisfied { .. });
        Ok(SubmittedFlow { flow_id, members, duplicate })
    }

    /// The declaration it would be submitted as.
    ///
    /// # Errors
    ///
    /// The first argument that was refused. What concerns the flow as a whole
    /// is told when it is submitted.
    pub fn into_spec(self) -> EngineResult<FlowSpec> {
        if let Some(error) = self.refused {
            return Err(error);
        }
        let env = self.client.engine().env();
        let flow_id = self.given_id.unwrap_or_else(|| env.entropy.uuid().into());
        let config = &env.options.partitions;
        let partition = config.partition_of(PartitionFamily::Flow, flow_id.as_uuid().as_bytes()).index;
        let (mut nodes, mut edges) = (Vec::with_capacity(self.nodes.len()), Vec::new());
        for Declared { name, submission, upstreams, policy } in self.nodes {
            let id = FlowSpec::node_id(flow_id, partition, &name);
            let execution = submission.into_member(id, &self.namespace)?;
            for (upstream, takes) in upstreams {
                edges.push(FlowEdgeSpec {
                    edge_id: FlowSpec::edge_id(flow_id, edges.len()),
                    upstream,
                    downstream: name.clone(),
                    data_passing_ref: takes.then(|| RESULT.to_owned()),
                });
            }
            nodes.push(FlowNodeSpec { name, execution, policy: policy.map(EdgeGroupPolicy::spec) });
        }
        Ok(FlowSpec { flow_id, flow_kind: self.kind, namespace: self.namespace, nodes, edges })
    }
}

fn no_node(argument: &str) -> EngineError {
    EngineError::invalid_input(format!("{argument}: no node is declared before it"))
}

impl IntoFuture for Flow {
    type Output = EngineResult<SubmittedFlow>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        self.send().boxed()
    }
}
