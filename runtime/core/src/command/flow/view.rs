//! The overlay a step of a flow works on: the execution overlay, the records
//! of the flow, and the list of what had to be loaded first.

use crate::decision::{ChangeSet, Rejection};
use crate::error::{ConflictKind, ContentionKind, EngineError, Entity, StateKind};
use crate::ids::{ExecutionId, FlowId};
use crate::record::flow::{
    Continuation, Edge, Flow, FlowKey, FlowRecord, FlowSummary, InPage, Member, MemberPage, OutPage, PendingCancels,
    SiblingCancels,
};
use crate::record::{Blob, BlobKey, Execution, Record, RecordKey};
use crate::view::{Source, View};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Something that must be in memory before a decision can be made.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Need {
    /// A record of an execution.
    Record(RecordKey),
    /// A record of a flow.
    Flow(FlowKey),
    /// Bytes beside an execution.
    Blob(BlobKey),
}

/// Where current records of flows come from.
///
/// A walk over a graph finds out on the way what it needs, so a decision may
/// come back asking for more; made again with that loaded, it comes to the
/// same point and further.
pub trait FlowSource: Source {
    /// Whether it is known, be it as absent.
    fn is_loaded(&self, need: &Need) -> bool;
    /// The current version of a record.
    fn flow_record(&self, key: &FlowKey) -> Option<FlowRecord>;
    /// Bytes beside an execution.
    fn blob(&self, key: &BlobKey) -> Option<Blob>;
}

/// One record of a flow before and after.
#[derive(Clone, Debug, PartialEq)]
pub struct FlowChange {
    /// Which record.
    pub key: FlowKey,
    /// Before; none when it did not exist.
    pub old: Option<FlowRecord>,
    /// After; none when it is deleted.
    pub new: Option<FlowRecord>,
}

/// Why a step stopped.
#[derive(Clone, Debug)]
pub enum Halt {
    /// More has to be loaded.
    Needs(Vec<Need>),
    /// It is refused.
    Refused(Rejection),
}

macro_rules! halts {
    ($($error:ty),+) => {
        $(impl From<$error> for Halt {
            fn from(error: $error) -> Self {
                Self::Refused(error.into())
            }
        })+
    };
}

halts!(Rejection, EngineError, StateKind, ConflictKind, ContentionKind);

/// Everything that was staged and looked at.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FlowSet {
    /// Executions, blobs and events.
    pub changes: ChangeSet,
    /// Records of flows, each at most once.
    pub flows: Vec<FlowChange>,
}

impl FlowSet {
    /// Whether nothing would be written.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.flows.is_empty()
    }

    /// How many rows or keys it writes.
    pub fn rows(&self) -> usize {
        self.changes.rows() + self.flows.len()
    }
}

/// An overlay for the time of one step.
pub struct FlowView<'a> {
    source: &'a dyn FlowSource,
    /// Executions, blobs and events.
    pub(super) view: View<'a>,
    flows: Vec<FlowChange>,
    position: HashMap<FlowKey, usize>,
    touched: HashSet<FlowKey>,
    /// Bytes of blobs staged by this overlay.
    pub(super) blob_bytes: usize,
}

macro_rules! finders {
    ($($(#[$meta:meta])* $name:ident: $record:ident -> $type:ty;)+) => {
        $(
            $(#[$meta])*
            ///
            /// # Errors
            ///
            /// That it has to be loaded first.
            pub(super) fn $name(&mut self, key: FlowKey) -> Result<Option<Arc<$type>>, Halt> {
                match self.get(key)? {
                    None => Ok(None),
                    Some(FlowRecord::$record(record)) => Ok(Some(record)),
                    Some(other) => Err(EngineError::corruption(key.kind(), "key", other.key().kind()).into()),
                }
            }
        )+
    };
}

impl<'a> FlowView<'a> {
    /// An overlay without changes.
    pub fn new(source: &'a dyn FlowSource) -> Self {
        Self {
            source,
            view: View::new(source),
            flows: Vec::new(),
            position: HashMap::new(),
            touched: HashSet::new(),
            blob_bytes: 0,
        }
    }

    /// What was staged, and which records were looked at.
    pub fn finish(self) -> (FlowSet, Vec<RecordKey>, Vec<FlowKey>) {
        let (changes, touched) = self.view.finish();
        let flows = self.flows.into_iter().filter(|change| change.old != change.new).collect();
        let mut touched_flows: Vec<FlowKey> = self.touched.into_iter().collect();
        touched_flows.sort_unstable();
        (FlowSet { changes, flows }, touched, touched_flows)
    }

    /// How many rows the step writes so far.
    pub(super) fn rows(&self) -> usize {
        self.view.staged_set().rows() + self.flows.len()
    }

    /// Asks for everything that is not loaded, all at once.
    ///
    /// # Errors
    ///
    /// What is missing.
    pub(super) fn need(&self, needs: impl IntoIterator<Item = Need>) -> Result<(), Halt> {
        let mut missing: Vec<Need> = needs.into_iter().filter(|need| !self.source.is_loaded(need)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        missing.sort_unstable();
        missing.dedup();
        Err(Halt::Needs(missing))
    }

    fn get(&mut self, key: FlowKey) -> Result<Option<FlowRecord>, Halt> {
        self.need([Need::Flow(key)])?;
        self.touched.insert(key);
        Ok(match self.position.get(&key) {
            Some(&at) => self.flows[at].new.clone(),
            None => self.source.flow_record(&key),
        })
    }

    finders! {
        /// A flow's header.
        find_flow: Flow -> Flow;
        /// A flow's counts.
        find_summary: Summary -> FlowSummary;
        /// A page of members.
        find_member_page: MemberPage -> MemberPage;
        /// A member.
        find_member_record: Member -> Member;
        /// A dependency.
        find_edge: Edge -> Edge;
        /// A page of outbound dependencies.
        find_out_page: OutPage -> OutPage;
        /// A page of inbound dependencies.
        find_in_page: InPage -> InPage;
        /// What is left to do.
        find_continuation: Continuation -> Continuation;
        /// What a fired join cancels.
        find_sibling_cancels: SiblingCancels -> SiblingCancels;
        /// What a cancelled flow still has to end.
        find_pending_cancels: PendingCancels -> PendingCancels;
    }

    /// A flow's header.
    ///
    /// # Errors
    ///
    /// `flow_not_found`.
    pub(super) fn flow(&mut self, id: FlowId) -> Result<Arc<Flow>, Halt> {
        self.find_flow(FlowKey::Flow(id))?.ok_or_else(|| EngineError::not_found(Entity::Flow).into())
    }

    /// A flow's counts.
    pub(super) fn summary(&mut self, id: FlowId) -> Result<Arc<FlowSummary>, Halt> {
        let key = FlowKey::Summary(id);
        self.find_summary(key)?.ok_or_else(|| missing(key, id))
    }

    /// A member, or none. An id with another partition names no member.
    pub(super) fn find_member(&mut self, flow: FlowId, id: ExecutionId) -> Result<Option<Arc<Member>>, Halt> {
        let found = self.find_member_record(FlowKey::Member(flow, id.uuid()))?;
        Ok(found.filter(|member| member.execution_id == id))
    }

    /// A member that other records name.
    pub(super) fn member(&mut self, flow: FlowId, id: ExecutionId) -> Result<Arc<Member>, Halt> {
        self.find_member(flow, id)?.ok_or_else(|| missing(FlowKey::Member(flow, id.uuid()), id))
    }

    /// An execution, or none.
    pub(super) fn find_execution(&mut self, id: ExecutionId) -> Result<Option<Arc<Execution>>, Halt> {
        self.need([Need::Record(RecordKey::Execution(id.uuid()))])?;
        Ok(self.view.find_execution(id))
    }

    /// An execution.
    ///
    /// # Errors
    ///
    /// `execution_not_found`.
    pub(super) fn execution(&mut self, id: ExecutionId) -> Result<Arc<Execution>, Halt> {
        self.find_execution(id)?.ok_or_else(|| EngineError::execution_not_found().into())
    }

    /// Bytes beside an execution, as this step leaves them.
    pub(super) fn blob(&mut self, key: BlobKey) -> Result<Option<Blob>, Halt> {
        let staged = self.view.staged_set().blobs.iter().rev().find(|write| write.key == key);
        if let Some(write) = staged {
            return Ok(write.bytes.clone());
        }
        self.need([Need::Blob(key)])?;
        Ok(self.source.blob(&key))
    }

    /// Stages bytes beside an execution.
    pub(super) fn put_blob(&mut self, key: BlobKey, bytes: Blob) {
        self.blob_bytes += bytes.len();
        self.view.put_blob(key, Some(bytes));
    }

    /// Stages a record.
    pub(super) fn put(&mut self, record: impl Into<FlowRecord>) {
        let record = record.into();
        self.set(record.key(), Some(record));
    }

    /// Stages the deletion of a record.
    pub(super) fn delete(&mut self, key: FlowKey) {
        self.set(key, None);
    }

    fn set(&mut self, key: FlowKey, new: Option<FlowRecord>) {
        self.touched.insert(key);
        if let Some(&at) = self.position.get(&key) {
            self.flows[at].new = new;
            return;
        }
        let old = self.source.flow_record(&key);
        self.position.insert(key, self.flows.len());
        self.flows.push(FlowChange { key, old, new });
    }

    /// Executions that this step changed, before and after.
    pub(super) fn changed_executions(&self) -> Vec<(Option<Arc<Execution>>, Arc<Execution>)> {
        let of = |record: &Option<Record>| record.as_ref().and_then(Record::as_execution).cloned();
        self.view
            .staged_set()
            .changes
            .iter()
            .filter_map(|change| of(&change.new).map(|new| (of(&change.old), new)))
            .collect()
    }
}

/// A record that others name does not exist.
pub(super) fn missing(key: FlowKey, name: impl std::fmt::Display) -> Halt {
    EngineError::corruption(key.kind(), "record", &format!("{name} is missing")).into()
}
