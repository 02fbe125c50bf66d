//! Claims: choosing candidates from the ready windows, leasing them, and
//! handing them out once that is durable.

use super::release::Release;
use super::state::{Parked, State, Tried, group_of};
use super::{ClaimRequest, ClaimSink};
use leasehold_backend::ReadyGroup;
use leasehold_contract::Task;
use leasehold_core::command::{Claim, ClaimOutcome, ClaimedExecution, CommandSource, Delay, Operation, Reply};
use leasehold_core::ids::{AttemptId, ExecutionId, LeaseId, RequestId};
use leasehold_core::index::queue;
use leasehold_core::record::{BlobKey, BlobKind, Execution, RecordKey};
use std::collections::BTreeSet;
use tokio::sync::oneshot;
use uuid::Uuid;

/// What became of one candidate.
enum One {
    /// It is decided: the task, if there is one, waits for this commit.
    Decided(Option<Box<Task>>, u64),
    /// Records were missing and have been asked for.
    Missing,
}

impl State {
    /// A worker wants work.
    pub(super) fn claim(&mut self, request: Box<ClaimRequest>, sink: ClaimSink) {
        if self.lost {
            sink(Err(self.unavailable()));
            return;
        }
        if !self.recovered {
            self.parked.push_back(Parked::Claim(request, sink, Vec::new()));
            return;
        }
        let candidates = self.candidates(&request);
        if candidates.is_empty() {
            self.deliver(sink, Vec::new(), &request);
            return;
        }
        self.claim_candidates(request, sink, candidates);
    }

    /// Which executions a request has claimed and still holds. Before the
    /// leases are loaded nobody knows.
    pub(super) fn claimed_before(&mut self, request: RequestId, port: oneshot::Sender<Vec<Uuid>>) {
        if self.recovered {
            // Whoever asked may have gone.
            port.send(self.leases.of_request(request)).unwrap_or_default();
        } else {
            self.parked.push_back(Parked::ClaimedBefore(request, port));
        }
    }

    /// The best executions for a worker, over all groups it can do.
    fn candidates(&mut self, request: &ClaimRequest) -> Vec<Uuid> {
        let fits = |group: &ReadyGroup| {
            request.group.as_ref().is_none_or(|wanted| **wanted == *group)
                && request.lanes.contains(&group.lane_id)
                && group.requirements.is_subset_of(&request.capabilities)
        };
        let max = request.max as usize;
        let mut keys: Vec<(i64, Uuid)> = Vec::new();
        for (_, window) in self.ready.iter().filter(|(group, _)| fits(group)) {
            keys.extend(window.iter().filter(|(_, id)| !self.reserved.contains(id)).take(max));
        }
        for (_, waiting) in self.reclaimable.iter().filter(|(group, _)| fits(group)) {
            keys.extend(waiting.iter().filter(|(_, id)| !self.reserved.contains(id)).take(max).copied());
        }
        keys.sort_unstable();
        keys.truncate(max);
        keys.into_iter().map(|(_, id)| id).collect()
    }

    /// Leases candidates whose records and payloads are here; waits for the
    /// others.
    pub(super) fn claim_candidates(&mut self, request: Box<ClaimRequest>, sink: ClaimSink, candidates: Vec<Uuid>) {
        if candidates.is_empty() || !self.recovered {
            // Parked before the partition was loaded: choose now.
            self.claim(request, sink);
            return;
        }
        let mut missing = false;
        for id in &candidates {
            missing |= self.want(&[RecordKey::Execution(*id)]);
            let gone = self.hot.knows(&RecordKey::Execution(*id)) && self.hot.execution(*id).is_none();
            let payload = BlobKey { execution: *id, kind: BlobKind::Payload };
            if !gone && !self.hot.knows_blob(&payload) {
                missing = true;
                self.want_blob(payload);
            }
        }
        if missing {
            self.reserved.extend(candidates.iter().copied());
            self.mark_dirty(&candidates);
            self.parked.push_back(Parked::Claim(request, sink, candidates));
            return;
        }
        self.unreserve(&candidates);
        let mut tasks = Vec::with_capacity(candidates.len());
        let (mut commit, mut later) = (0, Vec::new());
        for id in candidates {
            match self.claim_one(id, &request) {
                One::Decided(task, waits_for) => {
                    commit = commit.max(waits_for);
                    tasks.extend(task.map(|task| *task));
                }
                One::Missing => later.push(id),
            }
        }
        if tasks.is_empty() && !later.is_empty() {
            self.reserved.extend(later.iter().copied());
            self.mark_dirty(&later);
            self.parked.push_back(Parked::Claim(request, sink, later));
            return;
        }
        // What is missing for the others is on its way; the next claim finds
        // it.
        self.mark_dirty(&later);
        self.hand_out(request, sink, tasks, commit);
    }

    fn claim_one(&mut self, id: Uuid, request: &ClaimRequest) -> One {
        let Some(payload) = self.hot.payload(id).cloned() else {
            tracing::error!(execution = %id, "the payload of a ready execution is missing");
            self.drop_from_windows(id);
            return One::Decided(None, 0);
        };
        let command = Claim {
            execution_id: ExecutionId::from_parts(self.partition, id),
            worker_id: request.worker_id.clone(),
            worker_instance_id: request.worker_instance_id.clone(),
            holder: request.holder,
            capabilities: request.capabilities.clone(),
            request_id: request.request_id,
            lease_id: LeaseId::from_uuid(self.env.entropy.uuid()),
            attempt_id: AttemptId::from_uuid(self.env.entropy.uuid()),
            lease_ttl_ms: request.lease_ttl_ms,
        }
        .into_command();
        let (outcome, commit) = match self.decide(&command) {
            Tried::Decided(outcome, commit) => (outcome, commit),
            Tried::Missing => return One::Missing,
        };
        match outcome {
            Ok(Reply::Claim(ClaimOutcome::Claimed(claimed))) => {
                let task = self.hot.execution(id).map(|execution| Box::new(task(execution, *claimed, payload)));
                return One::Decided(task, commit);
            }
            // A candidate that is not claimable does not stand in a window
            // for long; whatever made it so has been followed.
            Ok(_) => {}
            Err(error) => tracing::error!(execution = %id, %error, "a candidate could not be claimed"),
        }
        self.drop_from_windows(id);
        One::Decided(None, commit)
    }

    /// Takes an execution that is not what its window says out of it.
    fn drop_from_windows(&mut self, id: Uuid) {
        let commit = self.slot.commit();
        for (group, window) in &mut self.ready {
            let stale: Vec<_> = window.iter().filter(|(_, key)| *key == id).collect();
            for key in stale {
                window.remove(key, commit);
                self.dirty_groups.insert(group.clone());
            }
        }
        self.reclaimable.retain(|group, keys| {
            let before = keys.len();
            keys.retain(|(_, key)| *key != id);
            if keys.len() != before {
                self.dirty_groups.insert(group.clone());
            }
            !keys.is_empty()
        });
        // If it is claimable after all, it goes back where it belongs.
        if let Some(execution) = self.hot.execution(id).cloned() {
            tracing::debug!(execution = %execution.id, queue = queue(&execution).name(), "a window named a wrong candidate");
        }
    }

    fn hand_out(&mut self, request: Box<ClaimRequest>, sink: ClaimSink, tasks: Vec<Task>, commit: u64) {
        if commit <= self.durable {
            self.deliver(sink, tasks, &request);
        } else {
            self.waiting.add(commit, Release::Tasks { sink, tasks, request });
        }
    }

    /// Gives tasks to whoever asked. What cannot be delivered is given back
    /// at once: the same attempt goes on with the next worker, and it does
    /// not count as a reclaim.
    pub(super) fn deliver(&mut self, sink: ClaimSink, tasks: Vec<Task>, _request: &ClaimRequest) {
        for undelivered in sink(Ok(tasks)) {
            let give_back = Delay {
                execution_id: undelivered.claimed.execution_id,
                fence: undelivered.claimed.fence().into(),
                source: CommandSource::LeaseHolder,
                delay_until: self.env.time.now(),
            };
            self.act(give_back.into_command());
        }
    }

    /// Lets candidates be chosen again.
    pub(super) fn unreserve(&mut self, candidates: &[Uuid]) {
        let before = self.reserved.len();
        for id in candidates {
            self.reserved.remove(id);
        }
        if self.reserved.len() != before {
            self.mark_dirty(candidates);
        }
    }

    /// The groups of candidates have another head now.
    fn mark_dirty(&mut self, candidates: &[Uuid]) {
        let groups = self.ready.keys().chain(self.reclaimable.keys());
        let groups: Vec<_> = groups
            .filter(|group| {
                candidates.iter().any(|id| self.hot.execution(*id).is_none_or(|found| group_of(found) == **group))
            })
            .cloned()
            .collect();
        self.dirty_groups.extend(groups);
    }

    /// The dispatcher counts what it asks for as taken; so nothing has to be
    /// told where that comes true.
    pub(super) fn took(&mut self, request: &ClaimRequest) {
        let Some(group) = &request.group else { return };
        let Some((_, count)) = self.told.get_mut(&**group) else { return };
        *count = count.saturating_sub(request.max as usize);
        if *count == 0 {
            self.told.remove(&**group);
        }
        self.dirty_groups.insert((**group).clone());
    }

    /// Tells the dispatcher what became different about ready groups; whether
    /// it was offered more than before.
    pub(super) fn advertise_changes(&mut self) -> bool {
        let mut more = false;
        if self.dirty_groups.is_empty() || self.lost {
            return more;
        }
        for group in std::mem::take(&mut self.dirty_groups) {
            let head = self.recovered.then(|| self.head(&group)).flatten();
            let told = self.told.get(&group).copied();
            if told == head {
                continue;
            }
            more |= head.map(|(_, count)| count) > told.map(|(_, count)| count);
            match head {
                Some(told) => {
                    self.told.insert(group.clone(), told);
                }
                None => {
                    self.told.remove(&group);
                    if self.ready.get(&group).is_some_and(super::window::Window::is_exhausted) {
                        self.ready.remove(&group);
                    }
                }
            }
            self.dispatcher.head(self.partition, group, head);
        }
        more
    }

    /// Tells the dispatcher everything again, so that a lost message costs
    /// nothing for long.
    pub(super) fn advertise_all(&mut self) {
        for (group, told) in &self.told {
            self.dispatcher.head(self.partition, group.clone(), Some(*told));
        }
    }

    /// The best rank of a group and how many are known to be ready. What a
    /// claim under way has chosen is not offered again.
    fn head(&self, group: &ReadyGroup) -> Option<(i64, usize)> {
        let mut window = self.ready.get(group).map(super::window::Window::iter).into_iter().flatten();
        let mut waiting = self.reclaimable.get(group).into_iter().flatten().copied();
        if self.reserved.is_empty() {
            // A window may hold thousands, and this is asked after every claim.
            let held = self.ready.get(group).map_or(0, super::window::Window::len);
            let count = held + self.reclaimable.get(group).map_or(0, BTreeSet::len);
            let best = window.next().into_iter().chain(waiting.next()).map(|(rank, _)| rank).min();
            return best.map(|best| (best, count));
        }
        let free = |(_, id): &(i64, Uuid)| !self.reserved.contains(id);
        let (mut best, mut count) = (None, 0);
        for (rank, _) in window.filter(free).chain(waiting.filter(free)) {
            best = Some(best.map_or(rank, |best: i64| best.min(rank)));
            count += 1;
        }
        best.map(|best| (best, count))
    }
}

/// A task as its worker gets it.
pub fn task(execution: &Execution, claimed: ClaimedExecution, payload: bytes::Bytes) -> Task {
    Task {
        claimed,
        namespace: execution.spec.namespace.clone(),
        execution_kind: execution.spec.kind.clone(),
        payload,
        payload_encoding: execution.spec.payload_encoding.clone(),
        tags: execution.tags.clone(),
        priority: execution.priority,
        created_at: execution.spec.created_at,
        retry_count: execution.retry_count,
        lease_reclaim_count: execution.lease_reclaim_count,
    }
}
