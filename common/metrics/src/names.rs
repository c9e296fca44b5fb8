//! Every metric of every program. `rechunk_coordinator_…` and `rechunk_worker_…` are of one program each, the others of
//! both; names end in their unit, and what only counts up in `_total`.

use crate::metric::{Kind, Metric, Shown};

/// A constant for each metric, and the list of them all.
macro_rules! metrics {
    ($($name:ident = $text:literal, $kind:ident, [$($label:literal),*], $shown:ident, $help:literal;)*) => {
        $(
            #[doc = $help]
            pub const $name: Metric = Metric {
                name: $text,
                kind: Kind::$kind,
                labels: &[$($label),*],
                shown: Shown::$shown,
                help: $help,
            };
        )*

        /// All of them, in the order of the table.
        pub const ALL: &[Metric] = &[$($name),*];
    };
}

metrics! {
    BUILD_INFO = "rechunk_build_info", Gauge, ["program", "version"], Both,
        "1; the labels say which program of which version this is";

    JOBS = "rechunk_coordinator_jobs", Gauge, ["state"], Coordinator,
        "jobs that are kept, by state";
    TASKS_READY = "rechunk_coordinator_tasks_ready", Gauge, [], Coordinator,
        "the queue: tasks that could run now and are not leased";
    TASKS_LEASED = "rechunk_coordinator_tasks_leased", Gauge, [], Coordinator,
        "tasks that workers hold and have not reported";
    TASKS_DONE = "rechunk_coordinator_tasks_done_total", Counter, [], Coordinator,
        "tasks that became done, each once";
    LEASES = "rechunk_coordinator_leases", Gauge, [], Coordinator,
        "live leases";
    LEASES_GRANTED = "rechunk_coordinator_leases_granted_total", Counter, [], Coordinator,
        "leases that were sent to workers";
    LEASES_REVOKED = "rechunk_coordinator_leases_revoked_total", Counter, [], Coordinator,
        "leases that workers were told to stop";
    LEASES_EXPIRED = "rechunk_coordinator_leases_expired_total", Counter, [], Coordinator,
        "leases that ran out without an answer, as seen at each scrape";
    TASKS_RETRIED = "rechunk_coordinator_tasks_retried_total", Counter, [], Coordinator,
        "attempts of tasks beyond the first, as seen at each scrape";
    WORKERS = "rechunk_coordinator_workers", Gauge, ["standing"], Coordinator,
        "workers that were heard lately: active, or draining and taking nothing new";
    WORKER_SLOTS = "rechunk_coordinator_worker_slots", Gauge, [], Coordinator,
        "tasks at a time that all active workers have room for";
    SLOTS_WANTED = "rechunk_coordinator_slots_wanted", Gauge, [], Coordinator,
        "tasks that could run now, leased ones too, in units of worker slots: what the KEDA scaler answers";
    EPOCH = "rechunk_coordinator_epoch", Gauge, [], Coordinator,
        "the number of this coordinator's reign";
    PLAN_SECONDS = "rechunk_coordinator_plan_seconds", Histogram, ["outcome"], Coordinator,
        "the time that a plan took: made, or refused";
    JOURNAL_WRITES = "rechunk_coordinator_journal_writes_total", Counter, ["kind", "outcome"], Coordinator,
        "writes to the journal: records, or a confirmation that nobody else reigns; done, or failed";
    JOURNAL_WRITE_SECONDS = "rechunk_coordinator_journal_write_seconds", Histogram, ["kind"], Coordinator,
        "the time that a write to the journal took";
    JOURNAL_RECORDS = "rechunk_coordinator_journal_records_total", Counter, [], Coordinator,
        "records that became durable";
    JOURNAL_WAITING = "rechunk_coordinator_journal_records_waiting", Gauge, [], Coordinator,
        "records that wait to be written";
    JOURNAL_CONFIRMED_AGE = "rechunk_coordinator_journal_confirmed_age_seconds", Gauge, [], Coordinator,
        "the time since the journal last showed that nobody else reigns; from the lease time on nothing is granted";

    WORKER_SLOTS_TOTAL = "rechunk_worker_slots", Gauge, [], Worker,
        "tasks at a time, if their memory fits";
    WORKER_TASKS_RUNNING = "rechunk_worker_tasks_running", Gauge, [], Worker,
        "tasks that run or wait for their memory";
    WORKER_TASKS = "rechunk_worker_tasks_total", Counter, ["function", "outcome"], Worker,
        "attempts of tasks that ended: done, failed, or stopped with their lease";
    WORKER_TASK_SECONDS = "rechunk_worker_task_seconds", Histogram, ["function"], Worker,
        "the time of an attempt that was not stopped, from when it had its memory";
    WORKER_FAILURES = "rechunk_worker_task_failures_total", Counter, ["class"], Worker,
        "attempts that failed, by what follows from it";
    WORKER_LEASES = "rechunk_worker_leases", Gauge, [], Worker,
        "leases that are held, those too that have ended while tasks of them are being stopped";
    WORKER_LEASES_LOST = "rechunk_worker_leases_lost_total", Counter, [], Worker,
        "leases that ended here before they were renewed";
    WORKER_SYNCS = "rechunk_worker_syncs_total", Counter, ["outcome"], Worker,
        "calls to the coordinator: answered, or failed";
    WORKER_CONNECTED = "rechunk_worker_connected", Gauge, [], Worker,
        "1 where the coordinator answered the latest call";
    WORKER_DRAINING = "rechunk_worker_draining", Gauge, [], Worker,
        "1 once the worker was told to end";
    WORKER_EPOCH = "rechunk_worker_epoch", Gauge, [], Worker,
        "the newest reign that answered";
    WORKER_CODEC_SECONDS = "rechunk_worker_codec_seconds", Histogram, ["work"], Worker,
        "the time of one thread for one chunk or exchange block: decode or encode";
    WORKER_MEMORY_BUDGET = "rechunk_worker_memory_budget_bytes", Gauge, [], Worker,
        "what tasks may hold together";
    WORKER_MEMORY_GRANTED = "rechunk_worker_memory_granted_bytes", Gauge, [], Worker,
        "what running tasks were granted of it";
    WORKER_MEMORY_KEPT = "rechunk_worker_memory_kept_bytes", Gauge, [], Worker,
        "free buffers that are kept for the next tasks";
    WORKER_RESIDENT = "rechunk_worker_resident_bytes", Gauge, [], Worker,
        "the resident set of the process";
    WORKER_RESIDENT_PEAK = "rechunk_worker_resident_peak_bytes", Gauge, [], Worker,
        "the largest resident set so far";
    WORKER_SCRATCH_BUDGET = "rechunk_worker_scratch_budget_bytes", Gauge, [], Worker,
        "local disk that tasks may use together";
    WORKER_SCRATCH_GRANTED = "rechunk_worker_scratch_granted_bytes", Gauge, [], Worker,
        "what running tasks were granted of it";

    STORE_REQUESTS = "rechunk_store_requests_total", Counter, ["store", "kind"], Both,
        "requests that were sent, repeated ones too; a bulk deletion counts its keys";
    STORE_REPEATED = "rechunk_store_repeated_requests_total", Counter, ["store", "kind"], Both,
        "those of them that were not the first attempt";
    STORE_BYTES = "rechunk_store_bytes_total", Counter, ["store", "kind"], Both,
        "bytes of bodies: received by get, sent by put and part";
    STORE_SECONDS = "rechunk_store_request_seconds", Histogram, ["store", "kind"], Both,
        "the time from sending a request to its answer, with the body that it reads";
    STORE_FAILURES = "rechunk_store_request_failures_total", Counter, ["store", "class"], Both,
        "requests that were answered with a fault, or not in time";
    STORE_WAIT_SECONDS = "rechunk_store_rate_wait_seconds", Histogram, ["store"], Both,
        "the time that a request beyond its request rate waited before it was sent";
}
