//! Progress on standard error: a bar per stage on a terminal, a line every ten seconds without one.

use std::{
    collections::BTreeMap,
    io::IsTerminal,
    time::{Duration, Instant},
};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use rechunk_common::{
    ByteCount,
    job::{JobView, StageProgressView},
};

use crate::report::table::grouped;

/// Between two lines without a terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Shows how a job gets on.
pub(crate) enum Progress {
    /// Nothing is shown.
    Quiet,
    /// A bar per stage.
    Bars { bars: MultiProgress, stages: BTreeMap<usize, ProgressBar> },
    /// A line every ten seconds.
    Lines { started: Instant, last: Option<Instant> },
}

impl Progress {
    /// Bars on a terminal, lines elsewhere.
    pub(crate) fn new(quiet: bool) -> Self {
        if quiet {
            Self::Quiet
        } else if std::io::stderr().is_terminal() {
            Self::Bars { bars: MultiProgress::new(), stages: BTreeMap::new() }
        } else {
            Self::Lines { started: Instant::now(), last: None }
        }
    }

    /// Shows the job as it is now.
    pub(crate) fn show(&mut self, job: &JobView) {
        match self {
            Self::Quiet => {}
            Self::Bars { bars, stages } => {
                for (at, stage) in job.stages.iter().enumerate() {
                    let begun = stage.done > 0 || stage.leased > 0;
                    if begun || stages.contains_key(&at) {
                        let bar = stages.entry(at).or_insert_with(|| bars.add(bar(stage)));
                        update(bar, stage);
                    }
                }
                if let (Some(waits), Some((_, bar))) = (&job.waits_for, stages.iter().next_back()) {
                    bar.set_message(format!("waits for {waits}"));
                }
            }
            Self::Lines { started, last } => {
                let due = last.is_none_or(|last| last.elapsed() >= LINE_EVERY);
                if due || job.state.is_terminal() {
                    eprintln!("{:>6.0} s  {}", started.elapsed().as_secs_f64(), line(job));
                    *last = Some(Instant::now());
                }
            }
        }
    }

    /// Leaves the last state on the screen.
    pub(crate) fn finish(&mut self) {
        if let Self::Bars { stages, .. } = self {
            for bar in stages.values() {
                bar.abandon();
            }
        }
    }
}

/// Bytes a stage handles in all: what it writes, or what it reads where it writes nothing.
fn bytes(stage: &StageProgressView) -> (u64, u64) {
    let predicted = stage.predicted.bytes_encoded.max(stage.predicted.bytes_decoded);
    let measured = if stage.predicted.bytes_encoded >= stage.predicted.bytes_decoded {
        stage.measured.bytes_encoded
    } else {
        stage.measured.bytes_decoded
    };
    (measured.min(predicted), predicted)
}

fn bar(stage: &StageProgressView) -> ProgressBar {
    let (_, total) = bytes(stage);
    let template = if total > 0 {
        "{prefix:24} {bar:30} {percent:>3}%  {bytes:>10}/{total_bytes:<10} {bytes_per_sec:>12}  eta {eta}  {msg}"
    } else {
        "{prefix:24} {bar:30} {percent:>3}%  {pos}/{len} tasks  {msg}"
    };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::new(if total > 0 { total } else { stage.tasks }).with_style(style);
    let name = if stage.array.is_empty() { stage.name.clone() } else { format!("{} {}", stage.array, stage.name) };
    bar.set_prefix(name);
    bar
}

fn update(bar: &ProgressBar, stage: &StageProgressView) {
    let (done, total) = bytes(stage);
    bar.set_position(if total > 0 { done } else { stage.done });
    if stage.done == stage.tasks && !bar.is_finished() {
        bar.set_position(bar.length().unwrap_or(0));
        bar.abandon();
    }
}

fn line(job: &JobView) -> String {
    let stage = job.stages.iter().filter(|stage| stage.done < stage.tasks).find(|stage| stage.leased > 0);
    let what = match (stage, &job.waits_for) {
        (Some(stage), _) => format!(
            "{} {}/{} tasks, {} read, {} written",
            stage.name,
            grouped(stage.done),
            grouped(stage.tasks),
            ByteCount(stage.measured.wire_bytes_read),
            ByteCount(stage.measured.wire_bytes_written),
        ),
        (None, Some(waits)) => format!("waits for {waits}"),
        (None, None) => String::new(),
    };
    format!("{} {what}", job.state.as_str().to_lowercase()).trim_end().to_owned()
}
