//! Seeded random walks: thousands of commands over a few executions, by
//! workers that hold, lose and forge fences, while the clock jumps. After each
//! command the rules of every change are checked, and those that need the
//! whole history; in the end everything must be able to finish.

mod cast;
mod draw;
mod ledger;
mod waits;

use crate::fixture::World;
use draw::{Drawn, Seed};
use leasehold_core::command::{
    CancelExecution, Claim, ClaimOutcome, Command, CommandSource, CompleteExecution, Delay, FailExecution, FenceTriple,
    Operation, RenewLease, Reply, ResumeExecution, Settle, Subject, UnblockExecution, UpdateProgress, WaitChildren,
};
use leasehold_core::decision::Decision;
use leasehold_core::ids::ExecutionId;
use leasehold_core::index::{Queue, index_entries};
use leasehold_core::record::{Execution, Holder, Record, RecordKey, ResumeTrigger};
use ledger::Ledger;
use std::collections::BTreeSet;
use std::sync::Arc;

const SEEDS: u64 = 40;
const STEPS: usize = 1500;

#[test]
fn every_rule_holds_along_random_walks() {
    let mut ended = 0;
    let mut leases = 0;
    let mut refusals = 0;
    let mut effective = BTreeSet::new();
    for seed in 0..SEEDS {
        let mut walk = Walk::new(seed);
        for step in 0..STEPS {
            walk.step(step);
        }
        walk.finish_everything();
        ended += walk.ledger.ends();
        leases += walk.ledger.leases();
        refusals += walk.refusals;
        effective.append(&mut walk.effective);
    }
    assert_eq!(effective, Command::NAMES.iter().copied().collect(), "every operation had its effect somewhere");
    // A walk that goes nowhere would pass in silence.
    assert!(ended > 20 * SEEDS as usize, "{ended} ends");
    assert!(leases > 50 * SEEDS as usize, "{leases} leases");
    assert!(refusals > 50 * SEEDS as usize, "{refusals} refusals");
}

#[test]
fn the_same_seed_gives_the_same_walk() {
    let run = || {
        let mut walk = Walk::new(7);
        (0..STEPS).for_each(|step| walk.step(step));
        let mut records: Vec<_> = walk.world.records.into_iter().collect();
        records.sort_by(|a, b| a.0.cmp(&b.0));
        records
    };
    assert_eq!(run(), run());
}

struct Walk {
    world: World,
    seed: Seed,
    ledger: Ledger,
    refusals: usize,
    effective: BTreeSet<&'static str>,
}

impl Walk {
    fn new(seed: u64) -> Self {
        Self {
            world: World::keyed(),
            seed: Seed::new(seed),
            ledger: Ledger::default(),
            refusals: 0,
            effective: BTreeSet::new(),
        }
    }

    fn step(&mut self, step: usize) {
        self.seed.let_time_pass(&mut self.world);
        let Drawn { command, promised_until } = self.seed.command(&mut self.world, &self.ledger);
        self.world.promised_until = promised_until;
        self.perform(&command);
        self.world.promised_until = None;
        if step.is_multiple_of(16) {
            assert_eligible_order(&self.world);
            ledger::check_attempts(&self.world);
        }
    }

    fn perform(&mut self, command: &Command) -> Decision {
        let Subject::Execution(id) = command.subject() else { panic!("{command:?} is about no execution") };
        let before = self.find(id);
        let decision = self.world.decide(command);
        self.refusals += usize::from(decision.outcome.is_err());
        if decision.outcome.is_ok() && !decision.changes.is_empty() {
            self.effective.insert(command.name());
        }
        self.assert_fenced(command, before.as_deref(), &decision);
        self.ledger.observe(command, before.as_deref(), &decision, self.world.now);
        self.world.apply(&decision.changes);
        assert_derived(&decision);
        self.assert_repeatable(command, &decision);
        decision
    }

    fn find(&self, id: ExecutionId) -> Option<Arc<Execution>> {
        let record = self.world.records.get(&RecordKey::Execution(id.uuid()));
        record.and_then(Record::as_execution).cloned().filter(|execution| execution.id == id)
    }

    /// Whoever does not hold the live lease changes nothing by a call that
    /// needs it; a lapsed lease may be marked, and cancelled by its holder.
    fn assert_fenced(&self, command: &Command, before: Option<&Execution>, decision: &Decision) {
        let Some((fence, source)) = fence_of(command) else { return };
        if source == CommandSource::OperatorOverride && fence == FenceTriple::NONE || decision.changes.is_empty() {
            return;
        }
        if decision.outcome.is_err() {
            return;
        }
        let lease = before.and_then(|execution| execution.lease.as_ref()).expect("a lease was held");
        assert_eq!(fence, lease.fence().into(), "{command:?}");
        let until = self.world.promised_until.map_or(lease.expires_at, |at| at.max(lease.expires_at));
        assert!(self.world.now < until || matches!(command, Command::CancelExecution(_)), "{command:?}");
    }

    /// A repeat at once leaves the state of one application. Renewals and
    /// progress only write the same once more.
    fn assert_repeatable(&self, command: &Command, first: &Decision) {
        let repeat = self.world.decide(command);
        if matches!(command, Command::RenewLease(_) | Command::UpdateProgress(_)) {
            for change in &repeat.changes.changes {
                assert_eq!(change.old, change.new, "{command:?}");
            }
            return;
        }
        if let Command::Admit(_) = command {
            // Its entry is gone already, and a refusal is told again.
            assert!(repeat.changes.changes.is_empty() && repeat.changes.blobs.is_empty(), "{command:?}");
            return;
        }
        assert!(repeat.changes.is_empty(), "{command:?} did {:#?}\nand again {:#?}", first.changes, repeat.changes);
    }

    /// Whatever state the walk left, capable workers bring it to its end.
    fn finish_everything(&mut self) {
        for _ in 0..20 {
            let open: Vec<_> = self.open().map(|execution| execution.id).collect();
            if open.is_empty() {
                return self.ledger.check_ends(&self.world);
            }
            for id in open {
                self.push(id);
            }
            self.world.pass(100_000_000);
        }
        panic!("still open: {:#?}", self.open().collect::<Vec<_>>());
    }

    fn open(&self) -> impl Iterator<Item = &Arc<Execution>> {
        self.world
            .records
            .values()
            .filter_map(Record::as_execution)
            .filter(|execution| !execution.vector().is_terminal())
    }

    fn push(&mut self, id: ExecutionId) {
        self.perform(&Settle { execution_id: id, holder_gone: None }.into_command());
        self.perform(&UnblockExecution { execution_id: id, expected_reason: None }.into_command());
        let trigger = ResumeTrigger::Operator;
        self.perform(&ResumeExecution { execution_id: id, trigger, resume_delay_ms: 0 }.into_command());
        let claim = Claim {
            execution_id: id,
            worker_id: cast::worker(3),
            worker_instance_id: cast::instance(3),
            holder: Holder::Remote,
            capabilities: cast::capabilities(3),
            request_id: None,
            lease_id: self.world.lease_id(),
            attempt_id: self.world.attempt_id(),
            lease_ttl_ms: 1000,
        };
        let decision = self.perform(&claim.into_command());
        if let Ok(Reply::Claim(ClaimOutcome::Claimed(claimed))) = decision.outcome {
            let complete = CompleteExecution {
                execution_id: id,
                fence: claimed.fence().into(),
                attempt_index: Some(claimed.attempt_index),
                result_payload: None,
                result_encoding: None,
                source: CommandSource::LeaseHolder,
            };
            assert!(self.perform(&complete.into_command()).outcome.is_ok());
        }
    }
}

/// The fence a call proves itself by, where it needs one.
fn fence_of(command: &Command) -> Option<(FenceTriple, CommandSource)> {
    let holder = CommandSource::LeaseHolder;
    match command {
        Command::RenewLease(args) => Some((args.fence, holder)),
        Command::UpdateProgress(args) => Some((args.fence, holder)),
        Command::CompleteExecution(args) => Some((args.fence, args.source.clone())),
        Command::FailExecution(args) => Some((args.fence, args.source.clone())),
        Command::Delay(args) => Some((args.fence, args.source.clone())),
        Command::WaitChildren(args) => Some((args.fence, args.source.clone())),
        Command::Suspend(args) => Some((args.fence, holder)),
        Command::CreateWaitpoint(args) => Some((args.fence, holder)),
        Command::CancelExecution(args) if args.source.is_worker() => Some((args.fence, holder)),
        _ => None,
    }
}

/// By score is by priority, highest first, then by age, lane by lane.
fn assert_eligible_order(world: &World) {
    let mut ready: Vec<_> = world
        .records
        .values()
        .filter_map(Record::as_execution)
        .filter_map(|execution| match index_entries(execution).queue {
            Queue::Ready { rank } => Some((rank, execution.priority, execution.spec.created_at)),
            _ => None,
        })
        .collect();
    ready.sort_unstable();
    let by_meaning = |entry: &(i64, i32, leasehold_core::time::TimestampMs)| (std::cmp::Reverse(entry.1), entry.2);
    assert!(ready.is_sorted_by_key(by_meaning), "{ready:?}");
}

/// What is derived from a record, and what is written of it, agree with it.
fn assert_derived(decision: &Decision) {
    for change in &decision.changes.changes {
        let Some(Record::Execution(execution)) = &change.new else { continue };
        let entries = index_entries(execution);
        if execution.vector().is_terminal() {
            assert_eq!((entries.due_at, entries.held_by, entries.queue.name()), (None, None, "terminal"));
            assert_eq!(execution.grant, None);
        }
        let bytes = leasehold_core::codec::encode(&**execution).unwrap();
        assert_eq!(leasehold_core::codec::decode::<Execution>(&bytes).unwrap(), **execution);
    }
    for event in &decision.changes.events {
        let bytes = leasehold_core::codec::encode(event).unwrap();
        assert_eq!(leasehold_core::codec::decode::<leasehold_core::event::Event>(&bytes).unwrap(), *event);
    }
}
