//! What it costs to sum the content of an array for `--verify`: elements of each width, in long runs and in runs as
//! short as those of small chunks; and chunks as they are stored.

use std::{hint::black_box, time::Duration};

use criterion::{Criterion, Throughput};
use rechunk_common::{ContentHash, ContentSum};

/// As much as stays in the second cache: pieces are summed right after they are decoded.
const BYTES: usize = 1 << 18;

fn elements() -> Vec<u8> {
    let mut state = 1_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    std::iter::repeat_with(&mut next).take(BYTES / 8).flatten().collect()
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let elements = elements();
    let mut group = criterion.benchmark_group("content");
    group.sample_size(20).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
    group.throughput(Throughput::Bytes(BYTES as u64));
    for width in [1_usize, 2, 3, 4, 8, 16] {
        let fill: Vec<u8> = (1_u8..).take(width).collect();
        let hash = ContentHash::new(&fill);
        let whole = &elements[..BYTES / width * width];
        group.bench_function(format!("width {width}"), |bencher| bencher.iter(|| hash.of_run(7, black_box(whole))));
    }
    for run in [1_u64, 4, 32] {
        let hash = ContentHash::new(&[0; 4]);
        let of_rows = |elements: &[u8]| -> ContentSum {
            let rows = elements.chunks(usize::try_from(run).unwrap_or(1).saturating_mul(4));
            (0_u64..).step_by(1024).zip(rows).map(|(first, row)| hash.of_run(first, row)).sum()
        };
        group.bench_function(format!("width 4, runs of {run}"), |bencher| {
            bencher.iter(|| of_rows(black_box(&elements)));
        });
    }
    group.bench_function("encoded", |bencher| bencher.iter(|| ContentSum::of_encoded(7, black_box(&elements))));
    group.finish();
    criterion.final_summary();
}
