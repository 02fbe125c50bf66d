//! Progress while the demo runs: what the node's events say, for people to
//! watch. The closing table is made of none of it.

use leasehold::event::{Event, Fact, LeaseFact};
use leasehold::{Client, Received};
use leasehold_backend::Clock;
use leasehold_cli::output;
use leasehold_contract::EngineResult;
use leasehold_core::ids::{ExecutionId, WorkerInstanceId};
use leasehold_core::state::TerminalOutcome;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{IsTerminal, Write as _};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How often the line is drawn anew on a terminal.
const TICK_TERMINAL: Duration = Duration::from_millis(150);

/// How often a line is written elsewhere.
const TICK_PLAIN: Duration = Duration::from_secs(2);

/// What has been seen so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Live {
    submitted: u64,
    /// Leases by execution.
    leases: HashMap<ExecutionId, WorkerInstanceId>,
    completed: u64,
    failed: u64,
    others: u64,
    retries: u64,
    reclaims: u64,
    completed_by: HashMap<WorkerInstanceId, u64>,
    missed: u64,
}

impl Live {
    /// Leases a worker has now.
    pub fn held_by(&self, instance: &WorkerInstanceId) -> usize {
        self.leases.values().filter(|holder| *holder == instance).count()
    }

    /// Executions a worker has completed.
    pub fn completed_by(&self, instance: &WorkerInstanceId) -> u64 {
        self.completed_by.get(instance).copied().unwrap_or(0)
    }

    fn see(&mut self, event: &Event) {
        for fact in &event.facts {
            match fact {
                Fact::Lease { what, worker_instance_id, .. } => self.see_lease(event, what, worker_instance_id),
                Fact::Completed { outcome: TerminalOutcome::Success, .. } => self.completed += 1,
                Fact::Completed { outcome: TerminalOutcome::Failed, .. } => self.failed += 1,
                Fact::Completed { .. } => self.others += 1,
                Fact::PriorityChanged { .. }
                | Fact::Replayed { .. }
                | Fact::CreateRefused { .. }
                | Fact::SignalDelivered { .. } => {}
            }
        }
    }

    fn see_lease(&mut self, event: &Event, what: &LeaseFact, holder: &WorkerInstanceId) {
        match what {
            LeaseFact::Acquired { .. } => {
                self.leases.insert(event.execution_id, holder.clone());
            }
            LeaseFact::Reclaimed { .. } => {
                self.reclaims += 1;
                self.leases.insert(event.execution_id, holder.clone());
            }
            LeaseFact::Renewed => {}
            LeaseFact::Expired | LeaseFact::Revoked { .. } => {
                self.leases.remove(&event.execution_id);
            }
            LeaseFact::Released { reason } => {
                self.leases.remove(&event.execution_id);
                match reason.as_str() {
                    "failed_retry_scheduled" => self.retries += 1,
                    "completed" => *self.completed_by.entry(holder.clone()).or_default() += 1,
                    _ => {}
                }
            }
        }
    }

    fn line(&self, seconds: f64) -> String {
        let Self { submitted, leases, completed, failed, others, retries, reclaims, missed, .. } = self;
        let active = leases.len();
        let mut line = format!(
            "{seconds:5.1} s  submitted {submitted}  active {active}  done {completed}  failed {failed}  \
             expired or cancelled {others}  retries {retries}  reclaims {reclaims}"
        );
        if *missed > 0 {
            // Writing into a text does not fail.
            write!(line, "  ({missed} events not shown)").unwrap_or(());
        }
        line
    }
}

/// Follows a node's events and shows them.
pub(super) struct Progress {
    live: watch::Sender<Live>,
    clock: Arc<dyn Clock>,
    began: Duration,
    terminal: bool,
}

impl Progress {
    /// Nothing seen yet.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let began = clock.monotonic();
        Self { live: watch::Sender::default(), clock, began, terminal: std::io::stderr().is_terminal() }
    }

    /// How long it has been.
    pub fn elapsed(&self) -> Duration {
        self.clock.monotonic().saturating_sub(self.began)
    }

    /// So many more were submitted.
    pub fn submitted(&self, more: u64) {
        self.live.send_modify(|live| live.submitted += more);
    }

    /// Waits until what has been seen is so, at most `patience`. Whether it is.
    pub async fn until(&self, patience: Duration, mut is_so: impl FnMut(&Live) -> bool) -> bool {
        let mut seen = self.live.subscribe();
        tokio::select! {
            biased;
            seen = seen.wait_for(|live| is_so(live)) => seen.is_ok(),
            () = self.clock.sleep(patience) => false,
        }
    }

    /// Looks at what has been seen.
    pub fn now<T>(&self, look: impl FnOnce(&Live) -> T) -> T {
        look(&self.live.borrow())
    }

    /// Lets some time pass.
    pub async fn pause(&self, time: Duration) {
        self.clock.sleep(time).await;
    }

    /// Follows the events and draws the line until it is dropped.
    pub async fn follow(&self, client: &Client) -> EngineResult<()> {
        let mut events = client.subscribe()?;
        let tick = if self.terminal { TICK_TERMINAL } else { TICK_PLAIN };
        let mut draw = self.clock.sleep(tick);
        loop {
            tokio::select! {
                received = events.next() => match received {
                    Received::Event(event) => self.live.send_modify(|live| live.see(&event)),
                    Received::Lagged(lost) => self.live.send_modify(|live| live.missed += lost),
                    Received::Closed => return Ok(()),
                },
                () = &mut draw => {
                    self.draw();
                    draw = self.clock.sleep(tick);
                }
            }
        }
    }

    /// Says something without spoiling the line.
    pub fn say(&self, text: &str) {
        self.wipe();
        output::note(&format!("{:5.1} s  {text}", self.elapsed().as_secs_f64()));
    }

    /// Draws the line now.
    pub fn draw(&self) {
        let line = self.live.borrow().line(self.elapsed().as_secs_f64());
        if self.terminal {
            self.wipe();
            write_err(&line);
        } else {
            output::note(&line);
        }
    }

    /// Leaves the last line standing.
    pub fn close(&self) {
        self.draw();
        if self.terminal {
            output::note("");
        }
    }

    fn wipe(&self) {
        if self.terminal {
            write_err("\r\x1b[2K");
        }
    }
}

/// Progress is not worth failing for.
fn write_err(text: &str) {
    let mut err = std::io::stderr().lock();
    err.write_all(text.as_bytes()).and_then(|()| err.flush()).unwrap_or(());
}
