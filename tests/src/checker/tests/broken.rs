//! For each rule a store that is written so as to break it. What it breaks
//! besides does not matter.

use super::broken_by;
use super::workbench::{
    Workbench, alter, cancellation, completion, delay, failure, forget_old, keep_facts, promotion, renewal, replay,
    revocation, tell_twice,
};
use crate::checker::Rule;
use leasehold_core::command::{ChangePriority, ClaimedExecution, MarkLeaseExpired};
use leasehold_core::decision::ChangeSet;
use leasehold_core::event::{Fact, LeaseFact};
use leasehold_core::ids::{AttemptIndex, ExecutionId, LeaseEpoch, LeaseId};
use leasehold_core::record::{Record, RecordKey};
use leasehold_core::state::{AttemptLifecycle, TerminalOutcome};
use leasehold_core::time::TimestampMs;
use leasehold_memory::CallFault;
use std::sync::Arc;

/// A lease fact of one kind.
fn is(fact: &Fact, kind: &str) -> bool {
    fact.kind() == kind
}

fn each_fact(set: &mut ChangeSet, f: impl Fn(&mut Fact)) {
    set.events.iter_mut().flat_map(|event| &mut event.facts).for_each(f);
}

fn fact_of(claimed: &ClaimedExecution, what: LeaseFact) -> Fact {
    Fact::Lease {
        what,
        lease_id: claimed.lease_id,
        lease_epoch: claimed.lease_epoch,
        attempt_index: claimed.attempt_index,
        attempt_id: claimed.attempt_id,
        worker_instance_id: claimed.worker_instance_id.clone(),
    }
}

fn priority(execution_id: ExecutionId, new_priority: i32) -> ChangePriority {
    ChangePriority { execution_id, new_priority }
}

broken_by! {
    a_store_that_does_not_answer_is_found: Readable, async |bench: &mut Workbench| {
        bench.backend.faults().next_read(CallFault::Busy);
    };
    an_execution_in_the_wrong_partition_is_found: Home, async |bench: &mut Workbench| {
        let creation = bench.creation();
        let elsewhere = ExecutionId::from_parts(1, creation.execution_id.uuid());
        bench.run_but(creation, |set| alter(set, |execution| execution.id = elsewhere)).await;
    };
    a_record_that_cannot_be_encoded_is_found: Encoding, async |bench: &mut Workbench| {
        let creation = bench.creation();
        let overlong = "x".repeat(2 << 20);
        bench.run_but(creation, |set| alter(set, |execution| execution.failure_reason = Some(overlong.clone()))).await;
    };
    a_record_against_the_rules_is_found: Record, async |bench: &mut Workbench| {
        let creation = bench.creation();
        bench.run_but(creation, |set| alter(set, |execution| execution.priority = 10_000)).await;
    };
    a_missing_payload_is_found: Blobs, async |bench: &mut Workbench| {
        let creation = bench.creation();
        bench.run_but(creation, |set| set.blobs.clear()).await;
    };
    a_missing_large_result_is_found: Blobs, async |bench: &mut Workbench| {
        let claimed = bench.running().await;
        let mut completion = completion(&claimed);
        completion.result_payload = Some(vec![0; 4096].into());
        bench.run_but(completion, |set| set.blobs.clear()).await;
    };
    a_missing_attempt_row_is_found: AttemptRows, async |bench: &mut Workbench| {
        let failed = bench.ready_for_retry().await;
        let claim = bench.claim(failed.execution_id);
        let is_attempt = |key: &RecordKey| matches!(key, RecordKey::Attempt(_));
        bench.run_but(claim, |set| set.changes.retain(|change| !is_attempt(&change.key))).await;
    };
    a_followed_attempt_that_has_not_ended_is_found: AttemptEnded, async |bench: &mut Workbench| {
        let failed = bench.ready_for_retry().await;
        let claim = bench.claim(failed.execution_id);
        bench.run_but(claim, |set| {
            for change in &mut set.changes {
                if let Some(Record::Attempt(attempt)) = &mut change.new {
                    Arc::make_mut(attempt).lifecycle = AttemptLifecycle::Started;
                }
            }
        }).await;
    };
    retries_beyond_the_policy_are_found: RetryCap, async |bench: &mut Workbench| {
        let claimed = bench.running().await;
        bench.run_but(failure(&claimed), |set| alter(set, |execution| execution.retry_count = 4)).await;
    };
    an_execution_in_two_queues_is_found: StoredIndex, async |bench: &mut Workbench| {
        let claimed = bench.running().await;
        bench.run_but(completion(&claimed), forget_old).await;
    };
    an_execution_in_no_queue_is_found: StoredIndex, async |bench: &mut Workbench| {
        let creation = bench.creation();
        // A record that seems unchanged leaves the indexes as they are.
        bench.run_but(creation, |set| {
            for change in &mut set.changes {
                change.old = change.new.clone();
            }
        }).await;
    };
    a_ready_entry_left_behind_is_found: ReadyScan, async |bench: &mut Workbench| {
        let id = bench.created().await;
        bench.run_but(priority(id, 9), forget_old).await;
    };
    an_eligible_entry_left_behind_is_found: EligibleScan, async |bench: &mut Workbench| {
        let id = bench.created().await;
        let claim = bench.claim(id);
        bench.run_but(claim, forget_old).await;
    };
    a_timer_left_behind_is_found: DueScan, async |bench: &mut Workbench| {
        let claimed = bench.running().await;
        bench.run(failure(&claimed)).await;
        bench.clock.advance(10);
        bench.run_but(promotion(claimed.execution_id), forget_old).await;
    };
    an_active_entry_left_behind_is_found: ActiveScan, async |bench: &mut Workbench| {
        let claimed = bench.running().await;
        bench.run_but(completion(&claimed), forget_old).await;
    };
    a_lapse_entry_left_behind_is_found: LapseScan, async |bench: &mut Workbench| {
        let claimed = bench.running().await;
        bench.run_but(renewal(&claimed), forget_old).await;
    };
    a_lane_that_is_not_listed_is_found: LaneList, async |bench: &mut Workbench| {
        let creation = bench.creation();
        bench.run_but(creation, |set| set.changes.retain(|change| !matches!(change.key, RecordKey::Lane(_)))).await;
    };
    an_event_from_before_the_last_one_is_found: EventTime, async |bench: &mut Workbench| {
        let claimed = bench.running().await;
        bench.run_but(completion(&claimed), |set| set.events[0].at = TimestampMs(5)).await;
    };
    an_event_about_nobody_is_found: EventSubject, async |bench: &mut Workbench| {
        let nobody = ExecutionId::from_parts(0, bench.mint());
        let claimed = bench.running().await;
        bench.run_but(completion(&claimed), |set| set.events[0].execution_id = nobody).await;
    };
    an_end_nobody_was_told_of_is_found: CompletionCount, async |bench: &mut Workbench| {
        let claimed = bench.running().await;
        bench.run_but(completion(&claimed), |set| keep_facts(set, |fact| !is(fact, "completed"))).await;
    };
    an_end_told_twice_is_found: CompletionCount, async |bench: &mut Workbench| {
        let id = bench.created().await;
        bench.run_but(cancellation(id), tell_twice).await;
    };
    an_end_told_twice_over_a_replay_is_found: CompletionCount, async |bench: &mut Workbench| {
        let id = bench.created().await;
        bench.run_but(cancellation(id), tell_twice).await;
        bench.run(replay(id)).await;
    };
    an_end_told_with_another_outcome_is_found: CompletionOutcome, async |bench: &mut Workbench| {
        let id = bench.created().await;
        bench.run_but(cancellation(id), |set| each_fact(set, |fact| {
            if let Fact::Completed { outcome, .. } = fact {
                *outcome = TerminalOutcome::Success;
            }
        })).await;
    };
    a_lease_of_an_ended_execution_is_found: AfterEnd, async |bench: &mut Workbench| {
        let id = bench.completed().await;
        bench.run_but(replay(id), |set| set.events.clear()).await;
        bench.claimed(id).await;
    };
    a_lease_that_was_never_opened_is_found: LeaseOpening, async |bench: &mut Workbench| {
        let id = bench.created().await;
        let claim = bench.claim(id);
        bench.run_but(claim, |set| set.events.clear()).await;
        bench.run(cancellation(id)).await;
    };
    two_leases_with_one_id_are_found: LeaseIdentity, async |bench: &mut Workbench| {
        let failed = bench.ready_for_retry().await;
        let mut claim = bench.claim(failed.execution_id);
        claim.lease_id = failed.lease_id;
        bench.run(claim).await;
    };
    two_leases_with_one_epoch_are_found: LeaseIdentity, async |bench: &mut Workbench| {
        let failed = bench.ready_for_retry().await;
        let claim = bench.claim(failed.execution_id);
        bench.run_but(claim, |set| each_fact(set, |fact| {
            if let Fact::Lease { lease_epoch, .. } = fact {
                *lease_epoch = failed.lease_epoch;
            }
        })).await;
    };
    a_lease_beside_a_live_one_is_found: LeaseSuccession, async |bench: &mut Workbench| {
        let claimed = bench.running().await;
        bench.run_but(failure(&claimed), |set| set.events.clear()).await;
        bench.clock.advance(10);
        bench.run(promotion(claimed.execution_id)).await;
        bench.claimed(claimed.execution_id).await;
    };
    a_reclaim_of_a_lease_that_was_not_lost_is_found: LeaseSuccession, async |bench: &mut Workbench| {
        let claimed = bench.running().await;
        bench.clock.advance(claimed.lease_ttl_ms);
        let mark = MarkLeaseExpired { execution_id: claimed.execution_id };
        bench.run_but(mark, |set| set.events.clear()).await;
        bench.claimed(claimed.execution_id).await;
    };
    a_lease_that_lapses_twice_is_found: LeaseClosing, async |bench: &mut Workbench| {
        let claimed = bench.running().await;
        bench.clock.advance(claimed.lease_ttl_ms);
        bench.run_but(MarkLeaseExpired { execution_id: claimed.execution_id }, tell_twice).await;
    };
    a_lease_that_is_revoked_twice_is_found: LeaseClosing, async |bench: &mut Workbench| {
        let claimed = bench.running().await;
        bench.run_but(revocation(claimed.execution_id), tell_twice).await;
    };
    a_lease_that_is_given_back_twice_is_found: LeaseClosing, async |bench: &mut Workbench| {
        let claimed = bench.running().await;
        bench.run_but(delay(&claimed), tell_twice).await;
    };
    a_renewal_of_a_lapsed_lease_is_found: LeaseClosing, async |bench: &mut Workbench| {
        let claimed = bench.lapsed().await;
        bench.run_but(cancellation(claimed.execution_id), |set| each_fact(set, |fact| {
            if let Fact::Lease { what, .. } = fact {
                *what = LeaseFact::Renewed;
            }
        })).await;
    };
    a_lapse_nobody_was_told_of_is_found: LeaseRecord, async |bench: &mut Workbench| {
        let claimed = bench.running().await;
        bench.clock.advance(claimed.lease_ttl_ms);
        let mark = MarkLeaseExpired { execution_id: claimed.execution_id };
        bench.run_but(mark, |set| set.events.clear()).await;
    };
    a_lease_other_than_told_is_found: LeaseRecord, async |bench: &mut Workbench| {
        let id = bench.created().await;
        let claim = bench.claim(id);
        let other = LeaseId::from_uuid(bench.mint());
        bench.run_but(claim, |set| each_fact(set, |fact| {
            if let Fact::Lease { lease_id, .. } = fact {
                *lease_id = other;
            }
        })).await;
    };
    a_new_attempt_under_an_old_id_is_found: AttemptHistory, async |bench: &mut Workbench| {
        let failed = bench.ready_for_retry().await;
        let mut claim = bench.claim(failed.execution_id);
        claim.attempt_id = failed.attempt_id;
        bench.run(claim).await;
    };
    an_attempt_that_skips_a_number_is_found: AttemptHistory, async |bench: &mut Workbench| {
        let failed = bench.ready_for_retry().await;
        let claim = bench.claim(failed.execution_id);
        bench.run_but(claim, |set| each_fact(set, |fact| {
            if let Fact::Lease { attempt_index, .. } = fact {
                *attempt_index = AttemptIndex(2);
            }
        })).await;
    };
    a_retry_that_was_not_counted_is_found: RetryCount, async |bench: &mut Workbench| {
        let claimed = bench.running().await;
        bench.run_but(failure(&claimed), |set| alter(set, |execution| execution.retry_count = 0)).await;
    };
    a_reclaim_that_was_not_counted_is_found: ReclaimCount, async |bench: &mut Workbench| {
        let lapsed = bench.lapsed().await;
        let claim = bench.claim(lapsed.execution_id);
        bench.run_but(claim, |set| alter(set, |execution| execution.lease_reclaim_count = 0)).await;
    };
    a_replay_that_was_not_counted_is_found: ReplayCount, async |bench: &mut Workbench| {
        let id = bench.completed().await;
        bench.run_but(replay(id), |set| alter(set, |execution| execution.replay_count = 0)).await;
    };
    a_priority_other_than_told_is_found: Priority, async |bench: &mut Workbench| {
        let id = bench.created().await;
        bench.run_but(priority(id, 9), |set| alter(set, |execution| execution.priority = 7)).await;
    };
    a_ready_group_that_is_not_listed_is_found: ReadyScan, async |bench: &mut Workbench| {
        let creation = bench.creation();
        bench.run_but(creation, |set| {
            for change in &mut set.changes {
                change.old = change.new.clone();
            }
        }).await;
    };
    a_reclaim_of_a_lease_that_was_given_back_is_found: LeaseSuccession, async |bench: &mut Workbench| {
        let lapsed = bench.lapsed().await;
        let claim = bench.claim(lapsed.execution_id);
        bench.run_but(claim, |set| {
            let released = LeaseFact::Released { reason: "test".to_owned() };
            set.events[0].facts.insert(0, fact_of(&lapsed, released));
        }).await;
    };
    a_reclaim_of_another_epoch_is_found: LeaseSuccession, async |bench: &mut Workbench| {
        let lapsed = bench.lapsed().await;
        let claim = bench.claim(lapsed.execution_id);
        bench.run_but(claim, |set| each_fact(set, |fact| {
            if let Fact::Lease { what: LeaseFact::Reclaimed { old_lease_epoch }, .. } = fact {
                *old_lease_epoch = LeaseEpoch(0);
            }
        })).await;
    };
    an_epoch_other_than_told_is_found: LeaseRecord, async |bench: &mut Workbench| {
        let id = bench.created().await;
        let claim = bench.claim(id);
        bench.run_but(claim, |set| each_fact(set, |fact| {
            if let Fact::Lease { lease_epoch, .. } = fact {
                *lease_epoch = LeaseEpoch(2);
            }
        })).await;
    };
    an_epoch_that_does_not_ascend_is_found: LeaseIdentity, async |bench: &mut Workbench| {
        let id = bench.created().await;
        let claim = bench.claim(id);
        bench.run_but(claim, |set| each_fact(set, |fact| {
            if let Fact::Lease { lease_epoch, .. } = fact {
                *lease_epoch = LeaseEpoch(0);
            }
        })).await;
    };
    a_revocation_nobody_was_told_of_is_found: LeaseRecord, async |bench: &mut Workbench| {
        let claimed = bench.running().await;
        bench.run_but(revocation(claimed.execution_id), |set| set.events.clear()).await;
    };
    a_release_nobody_was_told_of_is_found: LeaseRecord, async |bench: &mut Workbench| {
        let claimed = bench.running().await;
        bench.run_but(delay(&claimed), |set| set.events.clear()).await;
    };
    an_end_that_leaves_a_lease_open_is_found: LeaseClosing, async |bench: &mut Workbench| {
        let claimed = bench.running().await;
        bench.run_but(completion(&claimed), |set| keep_facts(set, |fact| !is(fact, "released"))).await;
    };
    a_lease_that_changes_its_attempt_is_found: LeaseOpening, async |bench: &mut Workbench| {
        let claimed = bench.running().await;
        bench.run_but(delay(&claimed), |set| each_fact(set, |fact| {
            if let Fact::Lease { attempt_index, .. } = fact {
                *attempt_index = AttemptIndex(7);
            }
        })).await;
    };
    an_attempt_nobody_was_told_of_is_found: AttemptHistory, async |bench: &mut Workbench| {
        let id = bench.created().await;
        let claim = bench.claim(id);
        bench.run_but(claim, |set| alter(set, |execution| execution.total_attempt_count = 2)).await;
    };
    an_attempt_under_a_lease_other_than_told_is_found: AttemptHistory, async |bench: &mut Workbench| {
        let id = bench.created().await;
        let (claim, other) = (bench.claim(id), LeaseId::from_uuid(bench.mint()));
        bench.run_but(claim, |set| alter(set, |execution| {
            if let Some(attempt) = &mut execution.attempt {
                attempt.lease_id = other;
            }
        })).await;
    };
    a_replay_told_under_another_number_is_found: ReplayCount, async |bench: &mut Workbench| {
        let id = bench.completed().await;
        bench.run_but(replay(id), |set| each_fact(set, |fact| {
            if let Fact::Replayed { replay_count, .. } = fact {
                *replay_count = 5;
            }
        })).await;
    };
    a_priority_that_changes_from_another_than_told_is_found: Priority, async |bench: &mut Workbench| {
        let id = bench.created().await;
        bench.run(priority(id, 7)).await;
        bench.run_but(priority(id, 9), |set| each_fact(set, |fact| {
            if let Fact::PriorityChanged { old, .. } = fact {
                *old = 1;
            }
        })).await;
    };
}
