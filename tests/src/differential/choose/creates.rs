//! Creates.

use super::{Chooser, NUL, TEXTS};
use crate::differential::call::Call;
use crate::sim::arguments;
use bytes::Bytes;
use leasehold_contract::CreateExecution;
use leasehold_core::ids::Namespace;
use std::collections::BTreeMap;

/// Policies beyond those of the simulation; the last ones are refused.
const POLICIES: &[&str] = &[
    r#"{"routing_requirements":{"required_capabilities":["gpu","cpu.big"]},"priority":3}"#,
    r#"{"routing_requirements":{"required_capabilities":["GPU"]}}"#,
    r#"{"routing_requirements":{"required_capabilities":["zone-a"]},"timeout_policy":{"attempt_timeout_ms":1500}}"#,
    r#"{"retry_policy":{"max_retries":4,"backoff":{"type":"exponential","initial_delay_ms":100,"max_delay_ms":900,"multiplier":1.5,"jitter":true}},"max_reclaim_count":1}"#,
    r#"{"timeout_policy":{"attempt_timeout_ms":800,"execution_deadline_ms":5000},"max_reclaim_count":0}"#,
    r#"{"routing_requirements":{"required_capabilities":["a,b"]}}"#,
    r#"{"retry_policy":{"max_retries":"#,
];

const TAG_KEYS: &[&str] = &["team.name", "team.name_2", "a.b.c", "z9.x", "Not A Key", "team"];

impl Chooser<'_> {
    /// One create, at times under an id that exists.
    pub(super) fn create(&mut self) -> Call {
        let args = self.creation();
        Call::CreateExecution(Box::new(args))
    }

    /// Several in one call.
    pub(super) fn create_many(&mut self) -> Call {
        let count = self.dice.below(7);
        Call::CreateExecutions((0..count).map(|_| self.creation()).collect())
    }

    fn creation(&mut self) -> CreateExecution {
        let dice = &self.dice;
        let mut args = arguments::create(dice.entropy(), self.now, &self.setup.config());
        if dice.one_in(15)
            && let Some(id) = dice.any(&self.seen.known)
        {
            args.execution_id = id;
        }
        args.lane_id = self.lane();
        if dice.one_in(4) {
            args.namespace = Namespace::new(dice.pick(&["Team", "Straße", "tenant b"]));
        }
        args.input_payload = Bytes::from(self.bytes());
        args.payload_encoding = (dice.one_in(3)).then(|| dice.pick(TEXTS).into());
        args.priority = match dice.below(12) {
            0 => -7,
            1 => 12_000,
            2 => 9000,
            _ => dice.below(3) as i32,
        };
        args.execution_kind = dice.pick(&["work", "mail.send", "größe", "a b"]).into();
        args.creator_identity = dice.pick(TEXTS).into();
        args.tags = self.tags();
        if dice.one_in(4) {
            args.policy_json = Some(Bytes::from_static(dice.pick(POLICIES).as_bytes()));
        }
        if dice.one_in(12) {
            args.execution_deadline_at = Some(self.now.plus(dice.below(8000)));
        }
        match dice.below(90) {
            0 => args.execution_kind = "".into(),
            1 => args.creator_identity = NUL.into(),
            2 => args.payload_encoding = Some(NUL.into()),
            3 => args.idempotency_key = Some("".into()),
            4 => args.input_payload = Bytes::from(vec![1; 1024 * 1024 + 1]),
            _ => {}
        }
        self.seen.creating(args.execution_id, &args.lane_id);
        args
    }

    fn tags(&self) -> BTreeMap<String, String> {
        let dice = &self.dice;
        if !dice.one_in(3) {
            return BTreeMap::new();
        }
        (0..dice.below(4)).map(|_| (dice.pick(&TAG_KEYS[..4]).to_owned(), self.text())).collect()
    }

    /// The key of a tag, at times one that is refused.
    pub(super) fn tag_key(&self) -> String {
        self.dice.pick(TAG_KEYS).to_owned()
    }
}

/// Several creates that run at once: without keys, whose winner would depend
/// on the order, and under ids of their own.
pub fn creates_together(chooser: &mut Chooser<'_>) -> Vec<Call> {
    let count = 2 + chooser.dice.below(5);
    let mut calls = Vec::new();
    for _ in 0..count {
        let mut args = arguments::create(chooser.dice.entropy(), chooser.now, &chooser.setup.config());
        args.idempotency_key = None;
        args.tags = chooser.tags();
        args.input_payload = Bytes::from(chooser.bytes());
        chooser.seen.creating(args.execution_id, &args.lane_id);
        calls.push(Call::CreateExecution(Box::new(args)));
    }
    calls
}
