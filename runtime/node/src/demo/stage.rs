//! The run itself, from the first submission to the account.

use super::audit::{self, Audit};
use super::child::RemoteProcess;
use super::fleets;
use super::live::Progress;
use super::workload::{self, Kind, REPAIR};
use leasehold::{Client, Node};
use leasehold_cli::output;
use leasehold_contract::{EngineResult, Work};
use leasehold_core::ids::{ExecutionId, WorkerInstanceId};
use leasehold_core::state::PublicState;
use leasehold_http::{HttpOptions, Secret};
use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// How many executions are submitted together.
const BULK: usize = 500;

/// How long the whole run may take before the account is made regardless.
const PATIENCE: Duration = Duration::from_secs(90);

/// How long the remote worker may take to get into the middle of its work.
const KILL_PATIENCE: Duration = Duration::from_secs(20);

/// How many leases the remote worker holds, at least, when it is killed.
const HELD_MIN: usize = 4;

/// What came of it.
#[derive(Debug)]
pub(super) struct Played {
    pub audit: Audit,
    pub acknowledged: usize,
    pub elapsed: Duration,
}

/// Executions whose submission was acknowledged, with their kinds.
type Acknowledged = Vec<(ExecutionId, &'static str)>;

/// Where the remote worker finds the node.
struct Door {
    address: SocketAddr,
    token: String,
}

/// Plays everything.
pub(super) async fn play(node: &Node, executions: u32) -> Result<Played, Box<dyn Error>> {
    let client = node.client();
    let progress = Progress::new(node.engine().env().clock.clone());
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let door = Door { address: listener.local_addr()?, token: node.engine().env().entropy.uuid().to_string() };
    output::note(&format!("The API listens on http://{}", door.address));
    let (stop, stopped) = oneshot::channel::<()>();
    let server = tokio::spawn(serve(node.clone(), listener, Secret::try_new(door.token.clone())?, stopped));

    let acts = async {
        let killed = WorkerInstanceId::try_new("render-1")?;
        let remote = RemoteProcess::start(door.address, &door.token, killed.as_str())?;
        progress.say("the remote worker render-1 is started");
        let (acknowledged, remote) = tokio::try_join!(
            submit_all(node, &client, &progress, executions),
            replace_in_the_middle(&door, &progress, remote, &killed, executions),
        )?;
        wait_for_all(&client, &progress, &acknowledged).await;
        remote.end().await?;
        progress.close();
        let audit = audit::audit(client.engine(), &acknowledged, &killed).await?;
        Ok::<_, Box<dyn Error>>(Played { audit, acknowledged: acknowledged.len(), elapsed: progress.elapsed() })
    };
    let played = tokio::select! {
        played = acts => played?,
        followed = progress.follow(&client) => {
            followed?;
            return Err("the node ended before the demo did".into());
        }
    };
    // The server may have gone by itself.
    stop.send(()).unwrap_or(());
    server.await??;
    Ok(played)
}

async fn serve(
    node: Node,
    listener: TcpListener,
    token: Secret,
    stopped: oneshot::Receiver<()>,
) -> std::io::Result<()> {
    let env = node.engine().env();
    let mut options = HttpOptions::new(env.options.partitions, env.entropy.clone());
    options.token = Some(token);
    let router = leasehold_http::router(std::sync::Arc::new(node.engine().clone()), options);
    // Being dropped tells it as well.
    leasehold_http::serve(listener, router, async { drop(stopped.await) }).await
}

/// Submits everything, starts the fleets after the first part, and does what
/// an operator does.
async fn submit_all(
    node: &Node,
    client: &Client,
    progress: &Progress,
    executions: u32,
) -> Result<Acknowledged, Box<dyn Error>> {
    let plan = workload::plan(executions);
    let mut acknowledged = Acknowledged::with_capacity(plan.len());
    let mut refused = 0_usize;
    for (round, part) in plan.chunks(BULK).enumerate() {
        let now = node.engine().env().time.now();
        let submissions: EngineResult<Vec<_>> =
            part.iter().map(|(kind, number)| workload::submission(client, kind, *number, now)).collect();
        let answers = client.submit_many(submissions?).await;
        let before = acknowledged.len();
        for ((kind, _), answer) in part.iter().zip(answers) {
            match answer {
                Ok(submitted) => acknowledged.push((submitted.execution_id, kind.name)),
                Err(error) => {
                    refused += 1;
                    progress.say(&format!("a submission was refused: {error}"));
                }
            }
        }
        progress.submitted((acknowledged.len() - before) as u64);
        if round == 0 {
            fleets::start(node).await?;
        }
    }
    if refused > 0 {
        return Err(format!("{refused} of {executions} submissions were refused").into());
    }
    operate(client, progress, &acknowledged).await?;
    Ok(acknowledged)
}

/// Cancels what was submitted by mistake and runs once more what has failed.
async fn operate(client: &Client, progress: &Progress, acknowledged: &Acknowledged) -> Result<(), Box<dyn Error>> {
    let of = |name: &'static str| acknowledged.iter().filter(move |(_, kind)| *kind == name).map(|(id, _)| *id);
    let mut cancelled = 0;
    for id in of("recall") {
        client.cancel(id, "submitted by mistake").await?;
        cancelled += 1;
    }
    progress.say(&format!("an operator has cancelled {cancelled} executions"));
    for id in of(REPAIR.name) {
        let first = client.wait(id, PATIENCE).await?;
        if first.public_state != PublicState::Failed {
            return Err(format!("{id} should have failed first, it is {}", first.public_state).into());
        }
        client.replay(id, "the account exists now").await?;
        progress.say(&format!("an operator replays {id}, which had failed"));
    }
    Ok(())
}

/// Kills the remote worker while it holds leases and starts another one.
async fn replace_in_the_middle(
    door: &Door,
    progress: &Progress,
    mut remote: RemoteProcess,
    instance: &WorkerInstanceId,
    executions: u32,
) -> Result<RemoteProcess, Box<dyn Error>> {
    let enough = executions_of_remote(executions) / 3;
    let in_the_middle = tokio::select! {
        so = progress.until(KILL_PATIENCE, |live| {
            live.completed_by(instance) >= enough && live.held_by(instance) >= HELD_MIN
        }) => so,
        status = remote.ended() => return Err(format!("the remote worker ended by itself: {}", status?).into()),
    };
    remote.kill().await?;
    let (done, held) = progress.now(|live| (live.completed_by(instance), live.held_by(instance)));
    let when = if in_the_middle { "" } else { ", later than planned" };
    progress.say(&format!("the remote worker is killed{when}: it had completed {done} and holds {held} leases"));
    progress.pause(Duration::from_millis(500)).await;
    let again = RemoteProcess::start(door.address, &door.token, "render-2")?;
    progress.say("the remote worker is started again, as render-2");
    Ok(again)
}

fn executions_of_remote(executions: u32) -> u64 {
    let is_remote = |kind: &Kind| kind.lane == workload::REMOTE_LANE;
    workload::plan(executions).iter().filter(|(kind, _)| is_remote(kind)).count() as u64
}

/// Waits until everything has ended, or patience has. The account says which.
async fn wait_for_all(client: &Client, progress: &Progress, acknowledged: &Acknowledged) {
    for (id, _) in acknowledged {
        let left = PATIENCE.saturating_sub(progress.elapsed());
        match client.engine().wait_terminal(*id, left).await {
            Ok(Some(_)) => {}
            Ok(None) => {
                progress.say(&format!("{id} has not ended within {} s", PATIENCE.as_secs()));
                return;
            }
            Err(error) => progress.say(&format!("{id}: {error}")),
        }
    }
}
