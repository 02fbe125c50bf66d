//! Grants, claims and reclaims.

use super::Chooser;
use crate::differential::call::Call;
use leasehold_contract::{
    ClaimExecution, ClaimForWorker, ClaimPolicy, ClaimResumedExecution, IssueClaimGrant, IssueGrantAndClaim,
    IssueReclaimGrant, ListExpiredLeases, PollTasks, PromoteDelayed, ReclaimExecution, ResumeGrant, ResumeToken,
    RevokeLease,
};
use leasehold_core::ids::{AttemptId, AttemptIndex, ExecutionId, LaneId, LeaseId, RequestId};
use leasehold_core::partition::Partition;

impl Chooser<'_> {
    /// Work changes hands, or is looked for.
    pub(super) fn claiming(&mut self) -> Vec<Call> {
        match self.dice.below(30) {
            0..=5 => vec![self.claim()],
            6..=12 => vec![self.poll()],
            13..=16 => self.scan_and_claim(),
            17..=20 => self.reclaim(),
            21..=24 => self.resume(),
            25 | 26 => vec![self.claim_for_worker()],
            27 => vec![self.operator_claim()],
            28 => vec![self.list_expired()],
            _ => vec![self.scan()],
        }
    }

    fn lease_id(&self) -> LeaseId {
        LeaseId::from_uuid(self.dice.entropy().uuid())
    }

    fn attempt_id(&self) -> AttemptId {
        AttemptId::from_uuid(self.dice.entropy().uuid())
    }

    /// None, a new one, or one that was used before.
    fn request_id(&mut self) -> Option<RequestId> {
        if self.dice.one_in(2) {
            return None;
        }
        let again = if self.dice.one_in(3) { self.dice.any(&self.seen.requests) } else { None };
        let id = again.unwrap_or_else(|| RequestId::from_uuid(self.dice.entropy().uuid()));
        self.seen.requests.push(id);
        Some(id)
    }

    fn claim(&mut self) -> Call {
        let (worker_id, worker_instance_id) = self.worker();
        let wait = self.wait();
        let policy = ClaimPolicy {
            worker_id,
            worker_instance_id,
            lease_ttl_ms: self.ttl_ms() as u32,
            max_wait_ms: self.dice.one_in(3).then_some(wait.as_millis() as u64),
            request_id: self.request_id(),
        };
        Call::Claim(self.lane(), self.offered(), Box::new(policy))
    }

    /// A poll that can take several takes them from one queue of the only
    /// partition, out of a window that holds the whole queue: what comes from
    /// two queues, or from a window that was refilled, comes in two commits,
    /// and the first ends the wait.
    pub(super) fn poll(&mut self) -> Call {
        let (worker_id, worker_instance_id) = self.worker();
        let several = self.setup.partitions == 1 && !self.setup.small && self.dice.one_in(2);
        let lanes = if several || self.dice.one_in(2) { vec![self.lane()] } else { self.two_lanes() };
        let capabilities = if several { leasehold_core::capability::CapabilitySet::EMPTY } else { self.offered() };
        Call::PollTasks(Box::new(PollTasks {
            lanes,
            worker_id,
            worker_instance_id,
            capabilities,
            credits: if several { 1 + self.dice.below(5) as u32 } else { u32::from(!self.dice.one_in(30)) },
            lease_ttl_ms: self.ttl_ms(),
            max_wait: self.wait(),
            request_id: self.request_id(),
        }))
    }

    fn two_lanes(&self) -> Vec<LaneId> {
        vec![LaneId::new("alpha"), LaneId::new("beta")]
    }

    fn partition(&self) -> Partition {
        Partition::flow(self.dice.below(u64::from(self.setup.partitions)) as u16)
    }

    fn scan(&self) -> Call {
        Call::ScanEligibleExecutions(self.lane(), self.partition(), self.dice.pick(&[0, 1, 3, 1000]))
    }

    fn grant(&self, execution_id: ExecutionId) -> IssueClaimGrant {
        let (worker_id, worker_instance_id) = self.worker();
        IssueClaimGrant {
            execution_id,
            lane_id: self.lane_of(execution_id),
            worker_id,
            worker_instance_id,
            capabilities: self.offered(),
            capability_hash: self.maybe_text(),
            route_snapshot_json: self.maybe_text(),
            admission_summary: self.maybe_text(),
            grant_ttl_ms: self.ttl_ms(),
        }
    }

    /// A scan, whose answer the next step can use, or a grant and a claim of
    /// what the last scan showed.
    fn scan_and_claim(&mut self) -> Vec<Call> {
        if self.seen.eligible.is_empty() {
            return vec![self.scan()];
        }
        let execution_id = self.seen.mostly(&self.dice, &self.seen.eligible);
        let grant = self.grant(execution_id);
        let claim = ClaimExecution {
            execution_id,
            worker_id: grant.worker_id.clone(),
            worker_instance_id: grant.worker_instance_id.clone(),
            lane_id: grant.lane_id.clone(),
            lease_id: self.lease_id(),
            lease_ttl_ms: self.ttl_ms(),
            attempt_id: self.attempt_id(),
            expected_attempt_index: self.dice.one_in(6).then(|| AttemptIndex(self.dice.below(2) as u32)),
            attempt_policy_json: self.maybe_text(),
            attempt_timeout_ms: self.dice.one_in(4).then(|| self.dice.below(3000)),
            execution_deadline_at: self.dice.one_in(8).then(|| self.now.plus(self.dice.below(9000))),
        };
        vec![Call::IssueClaimGrant(Box::new(grant)), Call::ClaimExecution(Box::new(claim))]
    }

    /// A grant and a reclaim of what was lost; where nothing was, a lease is
    /// taken away first.
    fn reclaim(&mut self) -> Vec<Call> {
        if self.seen.lost.is_empty()
            && let Some(held) = self.dice.any(&self.seen.held)
        {
            let execution_id = held.says.execution_id;
            let reason = self.text();
            let revoke = RevokeLease { execution_id, expected_lease_id: None, worker_instance_id: None, reason };
            return vec![Call::RevokeLease(revoke)];
        }
        let execution_id = self.seen.mostly(&self.dice, &self.seen.lost);
        let (worker_id, worker_instance_id) = self.worker();
        let grant = IssueReclaimGrant {
            execution_id,
            worker_id: worker_id.clone(),
            worker_instance_id: worker_instance_id.clone(),
            capabilities: self.offered(),
            capability_hash: self.maybe_text(),
            route_snapshot_json: None,
            admission_summary: self.maybe_text(),
            grant_ttl_ms: self.ttl_ms(),
        };
        let reclaim = ReclaimExecution {
            execution_id,
            worker_id,
            worker_instance_id,
            lease_id: self.lease_id(),
            lease_ttl_ms: self.ttl_ms(),
            attempt_id: self.attempt_id(),
            attempt_policy_json: self.maybe_text(),
            max_reclaim_count: self.dice.one_in(3).then(|| self.dice.below(3) as u32),
        };
        vec![Call::IssueReclaimGrant(Box::new(grant)), Call::ReclaimExecution(Box::new(reclaim))]
    }

    /// An interrupted attempt goes on; where there is none, a holder gives its
    /// lease back for a while.
    fn resume(&mut self) -> Vec<Call> {
        if self.seen.interrupted.is_empty()
            && let Some(held) = self.dice.any(&self.seen.held)
        {
            return vec![Call::Delay(held, self.now.plus(self.dice.below(60)))];
        }
        let execution_id = self.seen.mostly(&self.dice, &self.seen.interrupted);
        let grant = self.grant(execution_id);
        let use_it = if self.dice.one_in(2) {
            Call::ClaimResumedExecution(Box::new(ClaimResumedExecution {
                execution_id,
                worker_id: grant.worker_id.clone(),
                worker_instance_id: grant.worker_instance_id.clone(),
                lane_id: grant.lane_id.clone(),
                lease_id: self.lease_id(),
                lease_ttl_ms: self.ttl_ms(),
                current_attempt_index: None,
                remaining_attempt_timeout_ms: self.dice.one_in(3).then(|| self.dice.below(3000)),
            }))
        } else {
            Call::ClaimFromResumeGrant(Box::new(ResumeToken {
                grant: ResumeGrant {
                    execution_id,
                    partition_key: execution_id.home().into(),
                    grant_key: format!("{execution_id}:claim"),
                    expires_at_ms: self.now.plus(grant.grant_ttl_ms),
                    lane_id: grant.lane_id.clone(),
                },
                worker_id: grant.worker_id.clone(),
                worker_instance_id: grant.worker_instance_id.clone(),
                lease_ttl_ms: self.ttl_ms(),
            }))
        };
        let promote = Call::PromoteDelayed(PromoteDelayed { execution_id });
        vec![promote, Call::IssueClaimGrant(Box::new(grant)), use_it]
    }

    fn claim_for_worker(&self) -> Call {
        let (worker_id, worker_instance_id) = self.worker();
        Call::ClaimForWorker(Box::new(ClaimForWorker {
            lane_id: self.lane(),
            worker_id,
            worker_instance_id,
            worker_capabilities: self.offered(),
            grant_ttl_ms: self.ttl_ms(),
        }))
    }

    fn operator_claim(&self) -> Call {
        let execution_id = self.seen.mostly(&self.dice, &self.seen.eligible);
        Call::IssueGrantAndClaim(IssueGrantAndClaim {
            execution_id,
            lane_id: self.lane_of(execution_id),
            lease_id: self.lease_id(),
            attempt_id: self.attempt_id(),
            lease_duration_ms: self.ttl_ms(),
        })
    }

    fn list_expired(&self) -> Call {
        Call::ListExpiredLeases(ListExpiredLeases {
            as_of: self.dice.one_in(2).then(|| self.now.plus(self.dice.below(20_000))),
            after: self.dice.one_in(3).then(|| (self.now, self.seen.any(&self.dice))),
            limit: self.dice.pick(&[None, Some(0), Some(1), Some(2), Some(20_000)]),
            namespace: None,
        })
    }
}
