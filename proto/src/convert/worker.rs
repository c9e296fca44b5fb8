//! Workers as callers see them.

use rechunk_common::{ByteCount, ids::WorkerId, job::WorkerView, session::Capacity};

use super::{
    field::{each, name, required, text},
    time::{of_time, time},
};
use crate::{invalid::InvalidWorker, v1};

impl From<Capacity> for v1::Capacity {
    fn from(capacity: Capacity) -> Self {
        let Capacity { memory, scratch, slots } = capacity;
        Self { memory_bytes: memory.0, scratch_bytes: scratch.0, slots }
    }
}

impl From<v1::Capacity> for Capacity {
    fn from(capacity: v1::Capacity) -> Self {
        Self {
            memory: ByteCount(capacity.memory_bytes),
            scratch: ByteCount(capacity.scratch_bytes),
            slots: capacity.slots,
        }
    }
}

impl From<WorkerView> for v1::Worker {
    fn from(worker: WorkerView) -> Self {
        let WorkerView { id: WorkerId(id), version, total, free, leased_tasks, draining, functions, last_heard_at_ms } =
            worker;
        Self {
            id,
            version,
            total: Some(total.into()),
            free: Some(free.into()),
            leased_tasks,
            draining,
            functions: functions.into_iter().map(Into::into).collect(),
            last_heard_at: Some(of_time(last_heard_at_ms)),
        }
    }
}

impl TryFrom<v1::Worker> for WorkerView {
    type Error = InvalidWorker;

    fn try_from(worker: v1::Worker) -> Result<Self, InvalidWorker> {
        Ok(Self {
            id: WorkerId(name(worker.id, "id")?),
            version: text(worker.version, "version")?,
            total: required(worker.total, "total")?,
            free: required(worker.free, "free")?,
            leased_tasks: worker.leased_tasks,
            draining: worker.draining,
            functions: each(worker.functions, "functions")?,
            last_heard_at_ms: time(worker.last_heard_at, "last_heard_at")?,
        })
    }
}
