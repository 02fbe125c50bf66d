//! The overlay a step of a flow works on: the overlay of commands, with the
//! records of flows, and a way to stop where something has to be loaded.
//!
//! A walk over a graph goes on from what it finds, so unlike a rule over a few
//! named records it stops at the first thing that is missing, after asking for
//! everything that it knows to need next.

use crate::decision::Rejection;
use crate::error::{ConflictKind, ContentionKind, EngineError, Entity, StateKind};
use crate::ids::{ExecutionId, FlowId};
use crate::record::flow::{
    Continuation, Edge, Flow, FlowBuild, FlowKey, FlowRecord, FlowSummary, InPage, Member, MemberPage, OutPage,
    PendingCancels, SiblingCancels,
};
use crate::record::{Blob, BlobKey, Execution, Record, RecordKey};
use crate::view::{Need, Source, View};
use std::sync::Arc;

/// Why a step stopped.
#[derive(Clone, Debug)]
pub enum Halt {
    /// Something has to be loaded; the overlay knows what.
    Missing,
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

/// An overlay for the time of one step.
pub struct FlowView<'a> {
    /// All records, blobs and events.
    pub(in crate::command) view: View<'a>,
    /// Bytes of blobs staged by this step.
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
    /// A step within a decision.
    pub(in crate::command) fn new(source: &'a dyn Source) -> Self {
        Self { view: View::new(source), blob_bytes: 0 }
    }

    /// How many rows the step writes so far.
    pub(super) fn rows(&self) -> usize {
        self.view.staged_set().rows()
    }

    /// Asks for everything that is not loaded, all at once.
    ///
    /// # Errors
    ///
    /// That something is missing.
    pub(super) fn need(&mut self, needs: impl IntoIterator<Item = Need>) -> Result<(), Halt> {
        self.view.expect(needs);
        self.go_on()
    }

    const fn go_on(&self) -> Result<(), Halt> {
        if self.view.is_missing_something() { Err(Halt::Missing) } else { Ok(()) }
    }

    fn get(&mut self, key: FlowKey) -> Result<Option<FlowRecord>, Halt> {
        let found = self.view.get(&RecordKey::Flow(key));
        self.go_on()?;
        match found {
            None => Ok(None),
            Some(Record::Flow(record)) => Ok(Some(record)),
            Some(other) => Err(EngineError::corruption(key.kind(), "key", other.key().kind()).into()),
        }
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
        /// How far the building of a flow has come.
        find_build: Build -> FlowBuild;
    }

    /// A flow's header.
    ///
    /// # Errors
    ///
    /// `flow_not_found`.
    pub(super) fn flow(&mut self, id: FlowId) -> Result<Arc<Flow>, Halt> {
        self.find_flow(FlowKey::Flow(id))?.ok_or_else(|| EngineError::not_found(Entity::Flow).into())
    }

    /// The header of a flow that takes members and dependencies.
    ///
    /// # Errors
    ///
    /// `flow_not_found`, `flow_already_terminal`, `invalid_input` while the
    /// flow is built from a declaration.
    pub(super) fn growing_flow(&mut self, id: FlowId) -> Result<Arc<Flow>, Halt> {
        let flow = self.flow(id)?;
        if flow.cancelled.is_some() {
            return Err(StateKind::FlowAlreadyTerminal.into());
        }
        if !flow.sealed {
            return Err(EngineError::invalid_input("flow_id: the flow is not sealed").into());
        }
        Ok(flow)
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
        let found = self.view.find_execution(id);
        self.go_on()?;
        Ok(found)
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
        let found = self.view.blob(key);
        self.go_on()?;
        Ok(found)
    }

    /// Stages bytes beside an execution.
    pub(super) fn put_blob(&mut self, key: BlobKey, bytes: Blob) {
        self.blob_bytes += bytes.len();
        self.view.put_blob(key, Some(bytes));
    }

    /// Stages a record. What is not in memory is new: whatever is changed was
    /// looked at before, or another record says that it does not exist.
    pub(super) fn put(&mut self, record: impl Into<FlowRecord>) {
        let record = record.into();
        self.view.set_proven(RecordKey::Flow(record.key()), Some(Record::Flow(record)));
    }

    /// Stages the deletion of a record.
    pub(super) fn delete(&mut self, key: FlowKey) {
        self.view.set_proven(RecordKey::Flow(key), None);
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
