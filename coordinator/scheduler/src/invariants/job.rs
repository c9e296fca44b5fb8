//! What must hold of every job.

use super::{OneJob, Verdict, hold};
use crate::{
    job::{Ending, Ghosts, Lifecycle},
    stage::{StagePlace, StageState},
};

pub(super) const RULES: &[fn(OneJob<'_>) -> Verdict] = &[
    a_job_that_ends_has_no_live_lease,
    a_terminal_job_has_no_lease_that_may_write,
    cleanup_runs_only_for_what_ends,
    nothing_but_cleanup_runs_for_a_cancelled_job,
    a_window_that_is_open_will_end,
    whatever_waits_for_an_earlier_reign_has_a_timer,
    a_job_counts_its_leased_tasks,
    temporary_bytes_stay_within_their_limit,
    a_stage_opens_when_the_one_before_is_complete,
    whoever_waits_is_told,
];

fn a_job_that_ends_has_no_live_lease(OneJob { id, job, .. }: OneJob<'_>) -> Verdict {
    let has_live = || job.open.values().flat_map(|pipeline| &pipeline.stages).any(|stage| !stage.leases.is_empty());
    let may_have_live = job.lifecycle.is_active() || matches!(job.lifecycle, Lifecycle::Deciding { .. });
    hold(may_have_live || !has_live(), "a job that ends has no live lease", || format!("{id}: {:?}", job.lifecycle))
}

fn a_terminal_job_has_no_lease_that_may_write(OneJob { id, job, .. }: OneJob<'_>) -> Verdict {
    let is_over = match job.lifecycle {
        Lifecycle::Settling(_) | Lifecycle::Ended(Ending::Succeeded | Ending::Cancelled) => true,
        Lifecycle::Submitted { .. }
        | Lifecycle::Running
        | Lifecycle::Deciding { .. }
        | Lifecycle::Ending(_)
        | Lifecycle::Cleaning
        | Lifecycle::Ended(Ending::Failed)
        | Lifecycle::Retrying
        | Lifecycle::Condemned { .. }
        | Lifecycle::Deleting { .. }
        | Lifecycle::Removing
        | Lifecycle::Forgetting(_) => false,
    };
    hold(!is_over || !job.may_be_written(), "a terminal job has no lease that may write", || id.to_string())
}

fn is_cleanup(OneJob { job, .. }: OneJob<'_>) -> bool {
    job.phase == job.cleanup_phase() && !job.plan.phases.is_empty()
}

fn cleanup_runs_only_for_what_ends(one: OneJob<'_>) -> Verdict {
    let may_clean = !matches!(one.job.lifecycle, Lifecycle::Submitted { .. } | Lifecycle::Running);
    hold(!is_cleanup(one) || may_clean, "cleanup runs only for what ends", || one.id.to_string())
}

fn nothing_but_cleanup_runs_for_a_cancelled_job(one: OneJob<'_>) -> Verdict {
    let is_cleaning = one.job.lifecycle == Lifecycle::Cleaning;
    hold(!is_cleaning || is_cleanup(one), "nothing but cleanup runs for a cancelled job", || {
        format!("{} is in phase {}", one.id, one.job.phase)
    })
}

fn a_window_that_is_open_will_end(OneJob { scheduler, id, job }: OneJob<'_>) -> Verdict {
    let has_timer = job.window.is_none_or(|due| scheduler.windows.contains(&(due, id.clone())));
    hold(has_timer, "a window that is open will end", || id.to_string())
}

fn whatever_waits_for_an_earlier_reign_has_a_timer(OneJob { scheduler, id, job }: OneJob<'_>) -> Verdict {
    let has_timer = scheduler.succession.is_some() || job.ghosts == Ghosts::Gone;
    hold(has_timer, "whatever waits for an earlier reign has a timer", || id.to_string())
}

fn a_job_counts_its_leased_tasks(OneJob { id, job, .. }: OneJob<'_>) -> Verdict {
    let leased: u64 = job.open.values().flat_map(|pipeline| &pipeline.stages).map(|stage| stage.indexed.leased).sum();
    hold(leased == job.leased, "a job counts its leased tasks", || format!("{id}: {leased}, {}", job.leased))?;
    let most = job.max_parallel_tasks.map_or(u64::MAX, |most| most.max(1));
    hold(leased <= most, "no more tasks are leased than the job allows", || format!("{id}: {leased} of {most}"))
}

fn temporary_bytes_stay_within_their_limit(OneJob { id, job, .. }: OneJob<'_>) -> Verdict {
    let is_ended = matches!(
        job.lifecycle,
        Lifecycle::Ended(_)
            | Lifecycle::Retrying
            | Lifecycle::Condemned { .. }
            | Lifecycle::Removing
            | Lifecycle::Forgetting(_)
    );
    let plans = job.open.keys().filter_map(|pipeline| job.pipeline_plan(job.phase, *pipeline));
    let temp: u64 = plans.map(|plan| plan.temp_bytes.0).sum();
    let limit = job.temp_limit.map_or(u64::MAX, |limit| limit.0);
    let is_within = temp == job.open_temp && (temp <= limit || job.open.len() == 1);
    hold(is_ended || is_within, "temporary bytes stay within their limit", || format!("{id}: {temp} of {limit}"))
}

fn a_stage_opens_when_the_one_before_is_complete(OneJob { id, job, .. }: OneJob<'_>) -> Verdict {
    for (pipeline, progress) in &job.open {
        let before_last = progress.stages.split_last().map_or(&[][..], |(_, before)| before);
        for (stage, progress) in (0_u32..).zip(before_last) {
            hold(progress.state == StageState::Complete, "a stage opens when the one before is complete", || {
                format!("{id} {:?}", StagePlace { phase: job.phase, pipeline: *pipeline, stage })
            })?;
        }
    }
    Ok(())
}

/// Callers of a cancel, a retry or a delete wait only while something will answer them.
fn whoever_waits_is_told(OneJob { id, job, .. }: OneJob<'_>) -> Verdict {
    let will_answer = match job.lifecycle {
        Lifecycle::Deciding { .. }
        | Lifecycle::Retrying
        | Lifecycle::Condemned { .. }
        | Lifecycle::Deleting { .. }
        | Lifecycle::Forgetting(_) => true,
        Lifecycle::Submitted { .. }
        | Lifecycle::Running
        | Lifecycle::Ending(_)
        | Lifecycle::Cleaning
        | Lifecycle::Settling(_)
        | Lifecycle::Ended(_)
        | Lifecycle::Removing => false,
    };
    hold(job.confirmations == 0 || will_answer, "whoever waits is told", || {
        format!("{id}: {} callers, {:?}", job.confirmations, job.lifecycle)
    })
}
