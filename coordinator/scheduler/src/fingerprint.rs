//! What tells two jobs apart by their hash: all that decides what comes next. An exhaustive search counts states by it.

use std::hash::{Hash, Hasher};

use crate::job::Job;

impl Hash for Job {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // Every field is named: a new one is decided on here.
        let Self {
            run,
            plan: _, // the same for one id
            request_id,
            source: _,
            target,
            temp_limit,
            weight,
            max_parallel_tasks,
            lifecycle,
            accepted_at,
            ended_at,
            has_started,
            is_publishing,
            phase,
            next_pipeline,
            open,
            permits,
            open_temp,
            rows: _, // figures for people, as far as `open` does not say them
            row_of: _,
            ready,
            late,
            cursor,
            leased,
            leases,
            pass,
            is_queued,
            confirmations,
            failure,
            remains,
            window,
            ghosts,
            leases_expired: _, // figures for people
            retries: _,
            peak_rss: _,
        } = self;
        (run, request_id, target, temp_limit, weight, max_parallel_tasks).hash(state);
        (lifecycle, accepted_at, ended_at, has_started, is_publishing).hash(state);
        (phase, next_pipeline, open, permits, open_temp).hash(state);
        (ready, late, cursor, leased, leases, pass, is_queued).hash(state);
        (confirmations, failure, remains, window, ghosts).hash(state);
    }
}
