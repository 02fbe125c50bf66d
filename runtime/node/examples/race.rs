//! A race: three executions each wait for a quote of another supplier; the
//! first that has one lets the purchase go on, and the others are cancelled
//! where they wait.

use leasehold::contract::{FlowEdgeSpec, FlowNodeSpec, FlowSpec, Flows};
use leasehold::{Client, Data, EngineError, HandlerError, Issued, Node, Payload, PayloadBytes, Wait, Waits};
use leasehold_core::flow::PolicySpec;
use leasehold_core::ids::{FlowId, Namespace};
use leasehold_core::partition::PartitionFamily;
use std::time::Duration;
use tokio::sync::mpsc;

const SUPPLIERS: [&str; 3] = ["north", "south", "west"];

/// Where requests for quotes go.
struct Requests(mpsc::UnboundedSender<(String, Issued)>);

async fn quote(
    Payload(supplier): Payload<String>,
    Data(requests): Data<Requests>,
    mut waits: Waits,
) -> Result<String, HandlerError> {
    let ask = supplier.clone();
    let wait = Wait::callback().telling(|issued: Vec<Issued>| async move {
        for callback in issued {
            requests.0.send((ask.clone(), callback))?;
        }
        Ok::<_, HandlerError>(())
    });
    let answer = waits.wait("quote", wait).await?;
    let price: u64 = answer.first().map(|signal| signal.json()).transpose()?.unwrap_or_default();
    Ok(format!("{supplier} for {price}"))
}

/// Gets the winner's result as its payload.
async fn buy(PayloadBytes(quote): PayloadBytes) -> Vec<u8> {
    [b"bought from ", &quote[..]].concat()
}

/// The race as a flow: any one quote is enough for the purchase.
fn race(client: &Client) -> Result<FlowSpec, EngineError> {
    let env = client.engine().env();
    let flow_id: FlowId = env.entropy.uuid().into();
    let partition = env.options.partitions.partition_of(PartitionFamily::Flow, flow_id.as_uuid().as_bytes()).index;
    let node = |name: &str, kind: &str, policy: Option<PolicySpec>| -> Result<FlowNodeSpec, EngineError> {
        let submission = client.submit_json(kind, &name).execution_id(FlowSpec::node_id(flow_id, partition, name));
        Ok(FlowNodeSpec { name: name.to_owned(), execution: submission.into_create()?, policy })
    };
    let any = PolicySpec { kind: "any_of".into(), on_satisfied: Some("cancel_remaining".into()), k: None };
    let mut nodes = vec![node("purchase", "buy", Some(any))?];
    let mut edges = Vec::new();
    for (index, supplier) in SUPPLIERS.into_iter().enumerate() {
        nodes.push(node(supplier, "quote", None)?);
        edges.push(FlowEdgeSpec {
            edge_id: FlowSpec::edge_id(flow_id, index),
            upstream: supplier.to_owned(),
            downstream: "purchase".to_owned(),
            data_passing_ref: Some("result".to_owned()),
        });
    }
    Ok(FlowSpec { flow_id, flow_kind: "purchase".to_owned(), namespace: Namespace::new("default"), nodes, edges })
}

#[expect(clippy::print_stdout, reason = "an example shows what it does")]
fn show(line: &str) {
    println!("{line}");
}

#[tokio::main]
async fn main() -> Result<(), EngineError> {
    let node = Node::builder().memory().open().await?;
    let client = node.client();
    let (requests, mut asked) = mpsc::unbounded_channel();
    let worker = node.worker("buyer").slots(1).data(Requests(requests)).on("quote", quote).on("buy", buy);
    worker.start().await?;

    let spec = race(&client)?;
    let ids: Vec<_> = spec.nodes.iter().map(|node| (node.name.clone(), node.execution.execution_id)).collect();
    node.engine().submit_flow(spec).await?;
    let mut callbacks = Vec::new();
    while callbacks.len() < SUPPLIERS.len() {
        callbacks.extend(asked.recv().await);
    }
    let (winner, callback) = &callbacks[1];
    show(&format!("all suppliers are asked; {winner} answers first"));
    client.signal(callback, "quoted").from("supplier", winner).json(&990).await?;

    for (name, id) in ids {
        let outcome = client.wait(id, Duration::from_secs(5)).await?;
        let result = outcome.result.unwrap_or_default();
        show(&format!("{name:8} {:9} {}", outcome.public_state.as_str(), String::from_utf8_lossy(&result)));
    }

    node.drain(Duration::from_secs(5)).await?;
    node.shutdown().await;
    Ok(())
}
