//! The records of a flow, and the keys that name them.
//!
//! A flow is kept in small pieces, so that no step rewrites what it does not
//! change: a header, counts that move with every member, one record per
//! member with its edge group, one per dependency, and pages of a bounded
//! number of entries for everything that grows (members, the dependencies
//! that leave or enter a member). All pieces can be named by what other pieces
//! say, so a flow is walked by loading keys and never by scanning.

mod edge;
mod header;
mod member;
mod work;

pub use edge::{Edge, InEdge, InPage, OutEdge, OutPage, PAGE_EDGES};
pub use header::{CancellationPolicy, Flow, FlowBuild, FlowCancellation, FlowSummary};
pub use member::{Beneath, Member, MemberPage, PAGE_MEMBERS};
pub use work::{Continuation, Ordinals, PendingCancels, SiblingCancels, Work};

use crate::codec::Stored;
use crate::ids::{EdgeId, FlowId};
use std::sync::Arc;
use uuid::Uuid;

/// Names a record of a flow within its partition. Members are named by the
/// uuids of their executions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FlowKey {
    /// The header.
    Flow(FlowId),
    /// The counts.
    Summary(FlowId),
    /// A page of members in the order in which they joined.
    MemberPage(FlowId, u32),
    /// A member.
    Member(FlowId, Uuid),
    /// A dependency.
    Edge(FlowId, EdgeId),
    /// A page of the dependencies that leave a member.
    OutPage(FlowId, Uuid, u32),
    /// A page of the dependencies that enter a member.
    InPage(FlowId, Uuid, u32),
    /// What is left to do about the flow.
    Continuation(FlowId),
    /// The upstreams that a fired join of this member cancels.
    SiblingCancels(FlowId, Uuid),
    /// The members that the cancellation of the flow still has to end.
    PendingCancels(FlowId),
    /// How far the building of the flow has come.
    Build(FlowId),
}

impl FlowKey {
    /// The flow it belongs to.
    pub const fn flow_id(&self) -> FlowId {
        match self {
            Self::Flow(id)
            | Self::Summary(id)
            | Self::MemberPage(id, _)
            | Self::Member(id, _)
            | Self::Edge(id, _)
            | Self::OutPage(id, ..)
            | Self::InPage(id, ..)
            | Self::Continuation(id)
            | Self::SiblingCancels(id, _)
            | Self::PendingCancels(id)
            | Self::Build(id) => *id,
        }
    }

    /// The kind of record, as stores and errors name it.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Flow(_) => Flow::KIND,
            Self::Summary(_) => FlowSummary::KIND,
            Self::MemberPage(..) => MemberPage::KIND,
            Self::Member(..) => Member::KIND,
            Self::Edge(..) => Edge::KIND,
            Self::OutPage(..) => OutPage::KIND,
            Self::InPage(..) => InPage::KIND,
            Self::Continuation(_) => Continuation::KIND,
            Self::SiblingCancels(..) => SiblingCancels::KIND,
            Self::PendingCancels(_) => PendingCancels::KIND,
            Self::Build(_) => FlowBuild::KIND,
        }
    }
}

macro_rules! flow_records {
    ($($name:ident, $type:ident, $kind:literal, $doc:literal, |$record:ident| $key:expr;)+) => {
        /// A record of a flow, of any kind.
        #[derive(Clone, Debug, PartialEq)]
        pub enum FlowRecord {
            $(#[doc = $doc] $name(Arc<$type>),)+
        }

        impl FlowRecord {
            /// The key of the record.
            pub fn key(&self) -> FlowKey {
                match self { $(Self::$name($record) => $key,)+ }
            }
        }

        $(
            impl Stored for $type {
                const KIND: &'static str = $kind;
            }

            impl From<$type> for FlowRecord {
                fn from(record: $type) -> Self {
                    Self::$name(Arc::new(record))
                }
            }
        )+
    };
}

flow_records! {
    Flow, Flow, "flow", "The header.", |record| FlowKey::Flow(record.flow_id);
    Summary, FlowSummary, "flow_summary", "The counts.", |record| FlowKey::Summary(record.flow_id);
    MemberPage, MemberPage, "flow_member_page", "A page of members.",
        |record| FlowKey::MemberPage(record.flow_id, record.page);
    Member, Member, "flow_member", "A member.",
        |record| FlowKey::Member(record.flow_id, record.execution_id.uuid());
    Edge, Edge, "edge", "A dependency.", |record| FlowKey::Edge(record.flow_id, record.edge_id);
    OutPage, OutPage, "edge_out_page", "A page of the dependencies that leave a member.",
        |record| FlowKey::OutPage(record.flow_id, record.upstream.uuid(), record.page);
    InPage, InPage, "edge_in_page", "A page of the dependencies that enter a member.",
        |record| FlowKey::InPage(record.flow_id, record.downstream.uuid(), record.page);
    Continuation, Continuation, "continuation", "What is left to do.",
        |record| FlowKey::Continuation(record.flow_id);
    SiblingCancels, SiblingCancels, "sibling_cancels", "What a fired join cancels.",
        |record| FlowKey::SiblingCancels(record.flow_id, record.downstream.uuid());
    PendingCancels, PendingCancels, "pending_cancels", "What a cancelled flow still has to end.",
        |record| FlowKey::PendingCancels(record.flow_id);
    Build, FlowBuild, "flow_build", "How far the building has come.", |record| FlowKey::Build(record.flow_id);
}
