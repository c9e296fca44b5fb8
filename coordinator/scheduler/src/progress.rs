//! Whether leases move. A worker that hangs goes on renewing its leases, because renewal has a ticker of its own: so it says
//! of each how far it has come, and one that stands still for the progress deadline is taken away.

use rechunk_common::session::SyncRequest;

use crate::state::Scheduler;

impl Scheduler {
    /// Takes in how the live leases of a worker move.
    pub(crate) fn note_moves(&mut self, request: &SyncRequest) {
        let (now, progress_ms) = (self.now, self.progress_ms());
        for progress in &request.progress {
            let lease = self.leases.of(progress.lease, &request.worker, request.incarnation);
            if lease.is_some_and(|lease| lease.is_live() && lease.moved != progress.count) {
                self.leases.change(progress.lease, progress_ms, |lease| {
                    (lease.moved, lease.moved_at) = (progress.count, now);
                });
            }
        }
    }
}
