//! How `max_mem`, the resident set of one worker process, is shared out between the process itself and its tasks.

use rechunk_common::{ByteCount, MemoryShare, Refusal, plan::MemoryModel};

use super::Fleet;

/// What a worker process has where nobody says, as `rechunk-worker --memory`.
const DEFAULT_WORKER_MEMORY: ByteCount = ByteCount(4 << 30);

/// The memory that a plan is made for, and a warning where there is one.
pub(super) fn model(max_mem: Option<ByteCount>, fleet: &Fleet) -> Result<(MemoryModel, Option<String>), Refusal> {
    let reserve = fleet.reserve;
    let Some(max_mem) = max_mem else {
        return Ok(match fleet.worker_memory_budget {
            Some(budget) => (MemoryModel { max_mem: MemoryShare::limit_for(budget, reserve), reserve, budget }, None),
            None => unknown_workers(reserve),
        });
    };
    let MemoryShare { budget, bounds_buffers_only, .. } = MemoryShare::of(max_mem, reserve);
    if budget.0 == 0 {
        let message = format!("max_mem of {max_mem} leaves nothing for the data; give at least a few MiB");
        return Err(Refusal::invalid("max_mem", "MEMORY_TOO_SMALL", message));
    }
    if let Some(smallest) = fleet.worker_memory_budget.filter(|smallest| budget > *smallest) {
        let most = MemoryShare::limit_for(smallest, reserve);
        return Err(Refusal::invalid(
            "max_mem",
            "MEMORY_OVER_WORKER",
            format!("max_mem of {max_mem} is more than the smallest worker has; give {most} or less, or none"),
        ));
    }
    let warning = bounds_buffers_only.then(|| {
        format!(
            "max_mem of {max_mem} is below twice the {reserve} that a worker process itself takes: it bounds the data \
             buffers only"
        )
    });
    Ok((MemoryModel { max_mem, reserve, budget }, warning))
}

/// Workers may come after the job, as where they are scaled from zero: a plan for what each has by default.
fn unknown_workers(reserve: ByteCount) -> (MemoryModel, Option<String>) {
    let max_mem = DEFAULT_WORKER_MEMORY;
    let MemoryShare { budget, .. } = MemoryShare::of(max_mem, reserve);
    let warning = format!("no worker is connected: planned for workers of {max_mem}; max_mem says otherwise");
    (MemoryModel { max_mem, reserve, budget }, Some(warning))
}
