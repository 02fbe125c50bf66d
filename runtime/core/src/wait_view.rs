//! The overlay over the records of suspension.
//!
//! A [`WaitView`] is a [`View`] that also reads and stages waitpoints,
//! signals and what goes with them. As there, a refused command leaves no
//! trace unless its rule keeps one.

use crate::decision::{ChangeSet, Context, Rejection};
use crate::error::EngineError;
use crate::ids::{ExecutionId, SignalId, WaitpointId};
use crate::record::{
    Blob, RecordKey, Signal, SignalDedup, SignalDedupKey, SignalKey, SuspendDedup, SuspendDedupKey, WaitKey,
    WaitRecord, Waitpoint, Waits,
};
use crate::suspension::SignalEffect;
use crate::time::TimestampMs;
use crate::token::Keyring;
use crate::view::{Source, View};
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

/// Where current records of suspension come from. Every record an operation
/// names has been loaded before; none means it does not exist.
pub trait WaitSource {
    /// The current version of a record.
    fn wait_record(&self, key: &WaitKey) -> Option<WaitRecord>;
}

/// One record before and after.
#[derive(Clone, Debug, PartialEq)]
pub struct WaitChange {
    /// Which record.
    pub key: WaitKey,
    /// Before; none when it did not exist.
    pub old: Option<WaitRecord>,
    /// After.
    pub new: WaitRecord,
}

/// The payload of a signal, written beside its record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PayloadWrite {
    /// Which signal.
    pub key: SignalKey,
    /// Its payload.
    pub bytes: Blob,
}

/// A signal reached an execution; told for every one that is accepted and
/// not merely kept for later.
#[derive(Clone, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct SignalDelivered {
    /// The signal.
    pub signal_id: SignalId,
    /// The execution.
    pub execution_id: ExecutionId,
    /// The waitpoint.
    pub waitpoint_id: WaitpointId,
    /// The sender.
    pub source_identity: String,
    /// What it did.
    pub effect: SignalEffect,
    /// When.
    pub delivered_at: TimestampMs,
}

/// Everything that one decision writes for one partition.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WaitChanges {
    /// Executions and their events.
    pub base: ChangeSet,
    /// Records of suspension, each at most once.
    pub waits: Vec<WaitChange>,
    /// Payloads.
    pub payloads: Vec<PayloadWrite>,
    /// Signals that were delivered, in order.
    pub delivered: Vec<SignalDelivered>,
}

impl WaitChanges {
    /// Whether nothing would be written.
    pub fn is_empty(&self) -> bool {
        self.base.is_empty() && self.waits.is_empty() && self.payloads.is_empty() && self.delivered.is_empty()
    }
}

/// The outcome of an operation: what to write, and what to say once it is
/// written.
#[derive(Clone, Debug)]
pub struct WaitDecision<O> {
    /// What to write.
    pub changes: WaitChanges,
    /// What to say.
    pub outcome: Result<O, EngineError>,
    /// The records the answer rests on.
    pub touched: Vec<RecordKey>,
    /// The records of suspension the answer rests on.
    pub touched_waits: Vec<WaitKey>,
}

/// An overlay over both kinds of sources for the time of one command.
pub struct WaitView<'a> {
    base: View<'a>,
    source: &'a dyn WaitSource,
    changes: WaitChanges,
    touched: Vec<WaitKey>,
}

impl<'a> Deref for WaitView<'a> {
    type Target = View<'a>;

    fn deref(&self) -> &View<'a> {
        &self.base
    }
}

impl<'a> DerefMut for WaitView<'a> {
    fn deref_mut(&mut self) -> &mut View<'a> {
        &mut self.base
    }
}

impl<'a> WaitView<'a> {
    /// An overlay without changes.
    pub fn new(records: &'a dyn Source, source: &'a dyn WaitSource) -> Self {
        Self { base: View::new(records), source, changes: WaitChanges::default(), touched: Vec::new() }
    }

    /// Closes the overlay over the result of a rule.
    pub(crate) fn finish_with<O>(self, result: Result<O, Rejection>) -> WaitDecision<O> {
        let (base, touched) = self.base.finish();
        let mut changes = self.changes;
        changes.base = base;
        let (changes, outcome) = match result {
            Ok(outcome) => (changes, Ok(outcome)),
            Err(Rejection { error, keeps_changes: true }) => (changes, Err(error)),
            Err(Rejection { error, keeps_changes: false }) => (WaitChanges::default(), Err(error)),
        };
        WaitDecision { changes, outcome, touched, touched_waits: self.touched }
    }

    fn wait_record(&mut self, key: &WaitKey) -> Option<WaitRecord> {
        if !self.touched.contains(key) {
            self.touched.push(key.clone());
        }
        match self.changes.waits.iter().find(|change| change.key == *key) {
            Some(change) => Some(change.new.clone()),
            None => self.source.wait_record(key),
        }
    }

    /// What an execution waits for, if it ever did. One whose stored id
    /// carries another partition is a different execution.
    pub fn find_waits(&mut self, id: ExecutionId) -> Option<Arc<Waits>> {
        match self.wait_record(&WaitKey::Waits(id.uuid())) {
            Some(WaitRecord::Waits(waits)) if waits.execution_id == id => Some(waits),
            _ => None,
        }
    }

    /// What an execution waits for, ready to be changed.
    pub fn waits(&mut self, id: ExecutionId) -> Waits {
        self.find_waits(id).map_or_else(|| Waits::new(id), |waits| (*waits).clone())
    }

    /// A waitpoint, or none.
    pub fn waitpoint(&mut self, id: WaitpointId) -> Option<Arc<Waitpoint>> {
        match self.wait_record(&WaitKey::Waitpoint(id)) {
            Some(WaitRecord::Waitpoint(waitpoint)) => Some(waitpoint),
            _ => None,
        }
    }

    /// A signal, or none.
    pub fn signal(&mut self, key: SignalKey) -> Option<Arc<Signal>> {
        match self.wait_record(&WaitKey::Signal(key)) {
            Some(WaitRecord::Signal(signal)) => Some(signal),
            _ => None,
        }
    }

    /// What an idempotency key of signals stands for, unless it has lapsed.
    pub fn signal_dedup(&mut self, key: &SignalDedupKey, now: TimestampMs) -> Option<Arc<SignalDedup>> {
        match self.wait_record(&WaitKey::SignalDedup(key.clone())) {
            Some(WaitRecord::SignalDedup(dedup)) if now < dedup.expires_at => Some(dedup),
            _ => None,
        }
    }

    /// What an idempotency key of suspends stands for, unless it has lapsed.
    pub fn suspend_dedup(&mut self, key: &SuspendDedupKey, now: TimestampMs) -> Option<Arc<SuspendDedup>> {
        match self.wait_record(&WaitKey::SuspendDedup(key.clone())) {
            Some(WaitRecord::SuspendDedup(dedup)) if now < dedup.expires_at => Some(dedup),
            _ => None,
        }
    }

    /// The key ring; one without keys where none is installed.
    pub fn keyring(&mut self) -> Arc<Keyring> {
        match self.wait_record(&WaitKey::Keyring) {
            Some(WaitRecord::Keyring(ring)) => ring,
            _ => Arc::default(),
        }
    }

    /// Stages a record of suspension.
    pub fn put_wait(&mut self, record: WaitRecord) {
        let key = record.key();
        if let Some(change) = self.changes.waits.iter_mut().find(|change| change.key == key) {
            change.new = record;
            return;
        }
        let old = self.source.wait_record(&key);
        if !self.touched.contains(&key) {
            self.touched.push(key.clone());
        }
        self.changes.waits.push(WaitChange { key, old, new: record });
    }

    /// Stages what an execution waits for.
    pub fn put_waits(&mut self, waits: Waits) {
        self.put_wait(WaitRecord::Waits(Arc::new(waits)));
    }

    /// Stages a waitpoint.
    pub fn put_waitpoint(&mut self, waitpoint: Waitpoint) {
        self.put_wait(WaitRecord::Waitpoint(Arc::new(waitpoint)));
    }

    /// Stages the payload of a signal.
    pub fn put_payload(&mut self, key: SignalKey, bytes: Blob) {
        self.changes.payloads.push(PayloadWrite { key, bytes });
    }

    /// Tells that a signal was delivered.
    pub fn tell_delivered(&mut self, delivered: SignalDelivered) {
        self.changes.delivered.push(delivered);
    }
}

/// An operation on suspensions, waitpoints or signals, with its arguments.
pub trait WaitOperation: Sized + Send + 'static {
    /// The answer.
    type Outcome: Send + 'static;
    /// The one name of the operation.
    const NAME: &'static str;

    /// The execution it is about.
    fn execution_id(&self) -> ExecutionId;

    /// The records of suspension that must be loaded first.
    fn keys(&self) -> Vec<WaitKey>;

    /// The records that those loaded first name.
    fn further_keys(&self, _loaded: &dyn WaitSource) -> Vec<WaitKey> {
        Vec::new()
    }

    /// The rule. Call [`decide_wait`], which keeps a refusal from leaving
    /// anything behind.
    ///
    /// # Errors
    ///
    /// As the operation says.
    fn decide(&self, view: &mut WaitView<'_>, context: &Context) -> Result<Self::Outcome, Rejection>;
}

/// Decides an operation over the records in the two sources.
pub fn decide_wait<O: WaitOperation>(
    operation: &O,
    records: &dyn Source,
    waits: &dyn WaitSource,
    context: &Context,
) -> WaitDecision<O::Outcome> {
    let mut view = WaitView::new(records, waits);
    let result = operation.decide(&mut view, context);
    view.finish_with(result)
}
