//! What the checker looks for.

use std::fmt;

macro_rules! rules {
    ($($name:ident: $text:literal,)+) => {
        /// Something that holds of every store, whatever happened to the nodes
        /// that wrote it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Rule {
            $(#[doc = $text] $name,)+
        }

        impl Rule {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The rule in words.
            pub const fn text(self) -> &'static str {
                match self { $(Self::$name => $text),+ }
            }
        }
    };
}

rules! {
    // Reading.
    Readable: "Everything in the store can be read.",
    PageOrder: "Pages are as long as asked for at most, ascend and do not repeat.",
    Home: "An execution lies in the partition its id names.",
    Encoding: "A record survives being encoded and decoded.",
    // Records.
    Record: "Every record keeps the rules of an execution at rest.",
    Blobs: "An execution has its payload, and its result where it says so.",
    AttemptRows: "Attempts are numbered from 0, and there are as many as are counted.",
    AttemptEnded: "An attempt that another one followed has ended.",
    RetryCap: "Retries stay within the stored policy.",
    // Indexes.
    StoredIndex: "What the store keeps of an execution's index entries is derived from its record.",
    ReadyScan: "The ready scans show each ready execution once, in its group, by rank.",
    EligibleScan: "The scan of a lane shows its ready executions by rank.",
    DueScan: "The timers are those of the records, and all of them.",
    ActiveScan: "The scan of the active shows every active execution once.",
    LapseScan: "The list of lapsing leases shows the stored expiry of every lease not revoked.",
    LaneList: "Every lane in use is listed.",
    // The log as such.
    EventOrder: "Event ids ascend.",
    EventTime: "The time of events never runs backwards.",
    EventSubject: "An event is about an execution of its partition that exists.",
    // Ends.
    CompletionCount: "Each entry into a terminal state is told exactly once.",
    CompletionOutcome: "What is told of an end is the outcome that is stored.",
    AfterEnd: "Only a replay moves an ended execution.",
    // Leases.
    LeaseOpening: "Each lease has exactly one opening event, before anything else is told of it.",
    LeaseIdentity: "No two leases of an execution share their id or epoch, and epochs ascend.",
    LeaseSuccession: "A lease follows one that was given back, or reclaims one that was lost.",
    LeaseClosing: "A lease lapses, is revoked and is given back once at most; nothing revives it.",
    LeaseRecord: "Record and log agree about the last lease.",
    // Attempts and counters.
    AttemptHistory: "Record and log agree about attempts: a new one has a new id, a continued one its own.",
    RetryCount: "Retries are counted as they were told.",
    ReclaimCount: "Reclaims are counted as they were told.",
    ReplayCount: "Replays are counted as they were told.",
    Priority: "Changes of priority lead to the priority that is stored.",
    // Flows.
    Flow: "A flow counts its members and its dependencies, and its revision both.",
    FlowMember: "A flow lists each of its members once, and each keeps the rules of its join.",
    FlowCounts: "The counts of a flow are those of its members.",
    FlowGraph: "A dependency leaves one member, enters another, and none leads back.",
    FlowWork: "What a flow has left to do is written down exactly while it says so.",
    FlowResolved: "Nothing waits for a member that has ended.",
    FlowCancelled: "Every member of a flow that was cancelled as a whole has ended.",
    // Suspensions and signals.
    Waits: "What an execution waits for keeps its rules, and agrees with the execution.",
    Waitpoint: "A waitpoint keeps its rules, and is listed and bound as long as it is open.",
    Token: "Every waitpoint has a token that its partition's key ring minted for it.",
    KeyRing: "A key ring has one key in use, which does not expire, and the others do.",
    SuspendedList: "The list of suspended executions shows each of them once, the longest suspended first.",
    SignalRecord: "Signals are counted, and stored as they were told, observed or kept.",
    SignalHistory: "Signals are told while a suspension is open, and the one that satisfies it is the last.",
    Secrecy: "What is shown of a record shows no token.",
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}
