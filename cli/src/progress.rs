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

use crate::console::tell;
use crate::report::figure::grouped;

/// Between two lines without a terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Shows how a job gets on.
pub(crate) enum Progress {
    /// Nothing is shown.
    Quiet,
    /// A bar per stage.
    Bars { bars: MultiProgress, stages: BTreeMap<usize, ProgressBar>, waits: Option<ProgressBar> },
    /// A line every ten seconds, the first after ten.
    Lines { started: Instant, last: Instant },
}

impl Progress {
    /// Bars on a terminal, lines elsewhere.
    pub(crate) fn new(quiet: bool) -> Self {
        if quiet {
            Self::Quiet
        } else if std::io::stderr().is_terminal() {
            Self::Bars { bars: MultiProgress::new(), stages: BTreeMap::new(), waits: None }
        } else {
            Self::Lines { started: Instant::now(), last: Instant::now() }
        }
    }

    /// Shows the job as it is now.
    pub(crate) fn show(&mut self, job: &JobView) {
        match self {
            Self::Quiet => {}
            Self::Bars { bars, stages, waits } => {
                for (at, stage) in job.stages.iter().enumerate() {
                    let begun = stage.done > 0 || stage.leased > 0;
                    if begun || stages.contains_key(&at) {
                        let bar = stages.entry(at).or_insert_with(|| bars.add(bar(stage)));
                        update(bar, stage);
                    }
                }
                show_waiting(bars, waits, job.waits_for.as_deref());
            }
            Self::Lines { started, last } => {
                if last.elapsed() >= LINE_EVERY {
                    tell!("{:>6.0} s  {}", started.elapsed().as_secs_f64(), line(job));
                    *last = Instant::now();
                }
            }
        }
    }

    /// A sentence beside the bars.
    pub(crate) fn say(&self, sentence: &str) {
        match self {
            // Written over bars it would tear them; where that fails there is no terminal to tear.
            Self::Bars { bars, .. } => bars.println(sentence).unwrap_or_else(|_| tell!("{sentence}")),
            Self::Quiet | Self::Lines { .. } => tell!("{sentence}"),
        }
    }

    /// Leaves the last state on the screen.
    pub(crate) fn finish(&mut self) {
        if let Self::Bars { stages, waits, bars } = self {
            show_waiting(bars, waits, None);
            for bar in stages.values() {
                bar.abandon();
            }
        }
    }
}

/// A line below the bars that says what the job waits for, while it waits.
fn show_waiting(bars: &MultiProgress, line: &mut Option<ProgressBar>, waits_for: Option<&str>) {
    match waits_for {
        Some(waits_for) => {
            let style = ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
            let line = line.get_or_insert_with(|| bars.add(ProgressBar::new(1).with_style(style)));
            line.set_message(format!("waits for {waits_for}"));
        }
        None => {
            if let Some(line) = line.take() {
                line.finish_and_clear();
                bars.remove(&line);
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
        "{prefix:23} {wide_bar} {percent:>3}% {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec} eta {eta}"
    } else {
        "{prefix:23} {wide_bar} {percent:>3}% {pos}/{len} tasks"
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
    let name = job.state.as_str().to_lowercase();
    if what.is_empty() { name } else { format!("{name}: {what}") }
}
