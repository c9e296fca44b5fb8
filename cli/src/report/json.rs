//! The JSON object of `plan`, `run` and `submit --wait`: planned figures before, measured ones after; and that of a job
//! at one moment.

use rechunk_common::{
    Counts, Refusal,
    cost_profile::CostProfile,
    job::JobView,
    plan::{ArrayPlan, Candidate, CostBasis, Estimate, PlanSummary},
};
use serde_json::{Value, json};

/// Rises when a field changes its meaning or goes.
const SCHEMA_VERSION: u32 = 1;

/// A plan.
pub fn plan(summary: &PlanSummary) -> Value {
    let stages = summary
        .stages
        .iter()
        .map(|stage| stage_row(&stage.array, &stage.name, stage.tasks, Some(stage.task_memory.0), &stage.counts));
    object(summary, &stages.collect::<Vec<_>>(), &summary.totals)
}

/// A job that has ended: measured figures, and the plan beside them.
pub fn result(job: &JobView, summary: &PlanSummary, wall_seconds: f64) -> Value {
    let measured: Counts = job.stages.iter().map(|stage| stage.measured).sum();
    let stages = job.stages.iter().map(|stage| {
        let memory = summary.stages.iter().find(|planned| planned.array == stage.array && planned.name == stage.name);
        stage_row(&stage.array, &stage.name, stage.done, memory.map(|planned| planned.task_memory.0), &stage.measured)
    });
    let mut value = object(summary, &stages.collect::<Vec<_>>(), &measured);
    if let Value::Object(fields) = &mut value {
        fields.insert("job".into(), json!(job.id));
        fields.insert("state".into(), json!(job.state.as_str()));
        fields.insert("wall_seconds".into(), json!(wall_seconds));
        fields.insert("retries".into(), json!(job.retries));
        fields.insert("leases_expired".into(), json!(job.leases_expired));
        fields.insert("repeated_requests".into(), json!(measured.repeated_requests));
        fields.insert("upload_parts".into(), json!(measured.upload_parts));
        fields.insert("rate_wait_seconds".into(), json!(measured.rate_wait().as_secs_f64()));
        fields.insert("peak_rss_bytes".into(), json!(job.peak_rss.0));
        fields.insert("plan".into(), plan(summary));
    }
    value
}

/// A job at one moment, with its plan where the view has it.
pub fn job(job: &JobView) -> Value {
    let figures = |counts: &Counts| serde_json::to_value(counts).unwrap_or(Value::Null);
    json!({
        "job": job.id,
        "run": job.run,
        "state": job.state.as_str(),
        "source": job.source,
        "target": job.target,
        "accepted_at_ms": job.accepted_at_ms,
        "ended_at_ms": job.ended_at_ms,
        "waits_for": job.waits_for,
        "failure": job.failure,
        "retries": job.retries,
        "leases_expired": job.leases_expired,
        "peak_rss_bytes": job.peak_rss.0,
        "stages": job.stages.iter().map(|stage| json!({
            "array": stage.array,
            "name": stage.name,
            "tasks": stage.tasks,
            "done": stage.done,
            "leased": stage.leased,
            "predicted": figures(&stage.predicted),
            "measured": figures(&stage.measured),
        })).collect::<Vec<_>>(),
        "plan": job.plan.as_ref().map(plan),
    })
}

/// A failure.
pub fn error(refusal: &Refusal) -> Value {
    json!({"error": {
        "code": refusal.code.as_str(),
        "reason": refusal.reason,
        "field": refusal.field,
        "message": refusal.message,
    }})
}

fn object(summary: &PlanSummary, stages: &[Value], totals: &Counts) -> Value {
    json!({
        "schema_version": SCHEMA_VERSION,
        "arrays": summary.arrays.iter().map(array_row).collect::<Vec<_>>(),
        "stages": stages,
        "totals": {
            "get_requests": totals.get_requests,
            "put_requests": totals.put_requests,
            "delete_requests": totals.delete_requests,
            "bytes_decoded": totals.bytes_decoded,
            "bytes_encoded": totals.bytes_encoded,
            "exchange_bytes": summary.exchange_bytes.0,
            "skipped_fill_chunks": totals.skipped_fill_chunks,
            "missing_source_chunks": totals.missing_source_chunks,
            "wire_bytes_read": totals.wire_bytes_read,
            "wire_bytes_written": totals.wire_bytes_written,
        },
        "metadata_requests": totals.metadata_requests,
        "assumed": summary.assumed,
        "verify": super::is_verified(summary),
        "estimate": estimate(&summary.estimate),
        "basis": basis(&summary.basis),
        "peak_memory_bytes": summary.peak_memory.0,
        "memory": {
            "max_mem_bytes": summary.memory.max_mem.0,
            "reserve_bytes": summary.memory.reserve.0,
            "budget_bytes": summary.memory.budget.0,
        },
        "temp": summary.temp,
        "temp_bytes": summary.temp_bytes.0,
        "warnings": summary.warnings,
        "runner_up": super::table::largest(summary).and_then(|array| array.runner_up.as_ref()).map(|runner_up| json!({
            "shape_of_plan": runner_up.shape_of_plan.as_str(),
            "reason": runner_up.reason,
        })),
    })
}

fn array_row(array: &ArrayPlan) -> Value {
    json!({
        "name": array.name,
        "shape": array.shape,
        "dtype": array.dtype,
        "source_chunks": array.source_chunks,
        "source_shards": array.source_shards,
        "target_chunks": array.target_chunks,
        "target_shards": array.target_shards,
        "source_objects": array.source_objects,
        "listed_objects": array.listed_objects,
        "shape_of_plan": array.shape_of_plan.as_str(),
        "reason": array.reason,
        "pipelines": array.pipelines,
        "candidates": array.candidates.iter().map(candidate).collect::<Vec<_>>(),
    })
}

fn estimate(estimate: &Estimate) -> Value {
    json!({
        "seconds": estimate.duration.as_secs_f64(),
        "usd": estimate.usd.as_usd(),
        "wire_bytes": estimate.wire_bytes.0,
    })
}

fn basis(basis: &CostBasis) -> Value {
    json!({
        "prefer": basis.prefer,
        "seconds_per_usd": basis.prefer.seconds_per_usd(),
        "workers": basis.workers,
        "usd_per_worker_hour": basis.worker_hour.as_usd(),
        "source": store(&basis.source),
        "target": store(&basis.target),
        "temp": store(&basis.temp),
    })
}

fn store(profile: &CostProfile) -> Value {
    let prices = &profile.prices;
    json!({
        "kind": profile.kind,
        "latency_seconds": profile.latency.as_secs_f64(),
        "bytes_per_second": profile.bytes_per_second,
        "requests_in_flight": profile.requests_in_flight,
        "gets_per_second": profile.gets_per_second,
        "puts_per_second": profile.puts_per_second,
        "usd_per_1000_put": prices.per_1000_put.as_usd(),
        "usd_per_1000_get": prices.per_1000_get.as_usd(),
        "usd_per_1000_list": prices.per_1000_list.as_usd(),
        "usd_per_gb_out": prices.per_gb_out.as_usd(),
        "usd_per_gb_month": prices.per_gb_month.as_usd(),
    })
}

fn candidate(candidate: &Candidate) -> Value {
    let figures = candidate.figures.as_ref().map(|figures| {
        json!({
            "cost_seconds": figures.cost.as_secs_f64(),
            "estimate": estimate(&figures.estimate),
            "get_requests": figures.counts.get_requests,
            "put_requests": figures.counts.put_requests,
            "delete_requests": figures.counts.delete_requests,
            "bytes_decoded": figures.counts.bytes_decoded,
            "bytes_encoded": figures.counts.bytes_encoded,
            "exchange_bytes": figures.exchange_bytes.0,
            "tasks": figures.tasks,
            "peak_memory_bytes": figures.peak_memory.0,
        })
    });
    json!({
        "shape_of_plan": candidate.shape_of_plan.as_str(),
        "verdict": candidate.verdict.as_str(),
        "reason": candidate.reason,
        "figures": figures,
    })
}

fn stage_row(array: &str, name: &str, tasks: u64, memory: Option<u64>, counts: &Counts) -> Value {
    // What no task has measured, a plan's above all, is null.
    let measured_peak = (counts.peak_task_memory > 0).then_some(counts.peak_task_memory);
    json!({
        "array": array,
        "name": name,
        "tasks": tasks,
        "task_memory_bytes": memory,
        "peak_task_memory_bytes": measured_peak,
        "get_requests": counts.get_requests,
        "put_requests": counts.put_requests,
        "delete_requests": counts.delete_requests,
        "bytes_decoded": counts.bytes_decoded,
        "bytes_encoded": counts.bytes_encoded,
    })
}
