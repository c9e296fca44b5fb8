//! Groups over local disk, held against what an exchange of each group would do.

use rechunk_common::{
    Counts,
    ids::TaskIndex,
    plan::{CopyThroughScratch, Stage, StageFunction},
};

use super::{Small, Written, check_memory, check_read, check_write};
use crate::{memory, prediction, tests::bound};

/// Both halves of every group, as [`check_read`] and [`check_write`] see those of an exchange.
pub(super) fn check(stage: &Stage, function: &CopyThroughScratch, small: &Small, written: &mut Written) {
    let bounds = [&function.source, &function.target].map(|layout| bound(layout, small.hundredths));
    let halves = memory::of_through_scratch(function, bounds[0], bounds[1]).expect("small");
    for half in halves {
        check_memory(half, stage, small.budget);
    }
    assert!(stage.task_scratch.0 <= small.scratch);
    let mut counts = Counts::default();
    let mut largest = 0;
    for task in 0..stage.task_count {
        let (read, write) = function.halves(TaskIndex(task), String::new()).expect("a group");
        let half = |function: StageFunction, predicted: Option<Counts>, task_count: u64| Stage {
            function,
            task_count,
            predicted: predicted.expect("small"),
            ..stage.clone()
        };
        let predicted = prediction::read_to_exchange(&read.source, &read.exchange.readers);
        let first = half(StageFunction::CopyReadToExchange(read.clone()), predicted, read.exchange.readers.len());
        largest = largest.max(check_read(&first, &read, small));
        let writers = &write.exchange.writers;
        let predicted = prediction::exchange_to_write(&write.target, &write.exchange);
        let second = half(StageFunction::CopyExchangeToWrite(write.clone()), predicted, writers.len());
        check_write(&second, &write, small, written);
        counts.get_requests += first.predicted.get_requests;
        counts.bytes_decoded += first.predicted.bytes_decoded;
        counts.put_requests += second.predicted.put_requests;
        counts.bytes_encoded += second.predicted.bytes_encoded;
    }
    assert_eq!(largest, stage.task_scratch.0, "what the largest group needs, to the byte");
    assert_eq!(counts, stage.predicted);
}
