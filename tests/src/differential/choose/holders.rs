//! What holders of leases do.

use super::Chooser;
use crate::differential::call::Call;
use bytes::Bytes;
use leasehold_contract::{CommandSource, CompleteExecution, FailExecution, FailureReason, FenceTriple, RenewLease};
use leasehold_core::backoff::FailureClass;

const CLASSES: &[FailureClass] = &[
    FailureClass::Transient,
    FailureClass::Permanent,
    FailureClass::InfraCrash,
    FailureClass::Timeout,
    FailureClass::Cancelled,
];

const RETRIES: &[&str] =
    &["", r#"{"max_retries":2,"backoff":{"type":"fixed","delay_ms":300}}"#, r#"{"max_retries":"many"}"#];

impl Chooser<'_> {
    /// A holder acts, or someone who was one.
    pub(super) fn holding(&self) -> Call {
        let dice = &self.dice;
        let Some(ticket) = self.seen.ticket(dice) else {
            return self.reading();
        };
        let says = &ticket.says;
        let fence: FenceTriple = match dice.below(12) {
            0 => FenceTriple::NONE,
            1 => FenceTriple { lease_epoch: None, ..says.fence().into() },
            _ => says.fence().into(),
        };
        let source = if dice.one_in(6) { CommandSource::OperatorOverride } else { CommandSource::LeaseHolder };
        let attempt_index = (!dice.one_in(3)).then_some(says.attempt_index);
        let result = (!dice.one_in(4)).then(|| Bytes::from(self.bytes()));
        match dice.below(34) {
            0..=6 => Call::Renew(ticket),
            7..=10 => Call::RenewLease(RenewLease {
                execution_id: says.execution_id,
                attempt_index: says.attempt_index,
                fence,
                lease_ttl_ms: self.ttl_ms(),
            }),
            11..=13 => {
                let percent = (!dice.one_in(4)).then(|| dice.below(110) as u8);
                Call::Progress(ticket, percent, self.maybe_text())
            }
            14..=17 => Call::Complete(ticket, result),
            18..=20 => Call::CompleteExecution(Box::new(CompleteExecution {
                execution_id: says.execution_id,
                fence,
                attempt_index,
                result_payload: result,
                result_encoding: self.maybe_text(),
                source,
            })),
            21..=23 => {
                let detail = dice.one_in(2).then(|| Bytes::from(self.bytes()));
                Call::Fail(ticket, FailureReason { message: self.text(), detail }, dice.pick(CLASSES))
            }
            24 | 25 => Call::FailExecution(Box::new(FailExecution {
                execution_id: says.execution_id,
                fence,
                attempt_index,
                failure_reason: self.text(),
                failure_category: self.text(),
                failure_class: dice.one_in(2).then(|| dice.pick(CLASSES)),
                retry_policy_json: dice.one_in(3).then(|| dice.pick(RETRIES).to_owned()),
                source,
            })),
            26..=29 => Call::Delay(ticket, self.now.plus(dice.below(if dice.one_in(2) { 100 } else { 2500 }))),
            30 | 31 => Call::WaitChildren(ticket),
            _ => Call::Cancel(ticket, self.text()),
        }
    }
}
