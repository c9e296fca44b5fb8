use proptest::prelude::*;

use super::*;

fn auto(axes: &[(u64, u64)], width: u64) -> Vec<u64> {
    let axes: Vec<ChunkAxis> = axes.iter().map(|&(length, source)| ChunkAxis { length, source, asked: None }).collect();
    chunks(&axes, width, AUTO_CHUNK_BYTES)
}

#[test]
fn auto_proposes_balanced_chunks_that_line_up_with_the_source() {
    for (axes, width, expected) in [
        // ERA5 in slabs of 31 hours: 35 cuts along every axis, 10,044 = 324 · 31.
        (vec![(350_640, 31), (721, 721), (1440, 1440)], 4, vec![10_044, 21, 40]),
        // Maps, one chunk each: time in whole maps is always lined up.
        (vec![(96_432, 1), (721, 721), (1440, 1440)], 4, vec![4_193, 32, 63]),
        (vec![(512, 64), (1024, 64), (1024, 64)], 4, vec![128, 256, 256]),
        // Small enough for one chunk.
        (vec![(365, 1), (180, 180)], 8, vec![365, 180]),
        (vec![(1_000_000_000, 1000)], 4, vec![8_404_000]),
        // A short axis is not cut below one element.
        (vec![(3, 3), (40_000, 1000), (40_000, 1000)], 1, vec![1, 6_000, 6_000]),
        (vec![(0, 10), (10_000_000, 10)], 8, vec![1, 5_000_000]),
        (vec![], 8, vec![]),
    ] {
        let found = auto(&axes, width);
        let bytes = found.iter().product::<u64>() * width;
        assert_eq!(found, expected, "{axes:?} × {width}: {}", ByteCount(bytes));
    }
}

#[test]
fn lengths_that_are_asked_for_stay_and_the_open_ones_fill_the_rest() {
    let axes = [
        ChunkAxis { length: 1000, source: 10, asked: None },
        ChunkAxis { length: 1024, source: 1024, asked: Some(16) },
        ChunkAxis { length: 2048, source: 2048, asked: Some(2048) },
    ];
    // 256 elements of 16 × 2048 × 4 bytes are the aim; 250 is a multiple of 10 that leaves four even chunks.
    assert_eq!(chunks(&axes, 4, AUTO_CHUNK_BYTES), [250, 16, 2048]);
    let large = [ChunkAxis { asked: Some(1 << 40), ..axes[1] }, axes[0]];
    assert_eq!(chunks(&large, 4, AUTO_CHUNK_BYTES), [1 << 40, 1], "one element at the least");
}

#[test]
fn a_size_lines_up_with_the_source_where_that_costs_little() {
    for (most, step, length, source, expected, why) in [
        (99, 1, 1000, 10, 90, "nine source chunks"),
        (19, 1, 1000, 10, 19, "one source chunk would be half"),
        (15, 1, 1000, 10, 10, "a factor of 1.5 is accepted"),
        (6, 1, 1000, 10, 5, "half a source chunk"),
        (9, 1, 1000, 10, 9, "5 is too far"),
        (1000, 1, 1000, 10, 1000, "the whole axis"),
        (99, 1, 100, 100, 99, "the source does not cut the axis"),
        (55, 5, 1000, 10, 50, "multiples of both"),
        (56, 7, 1000, 10, 56, "70 is longer than what fits"),
        (40, 4, 1000, 60, 40, "20 and 12 are too far"),
        (44, 4, 1000, 60, 44, "60 / 2 is no multiple of the step"),
    ] {
        assert_eq!(aligned(most, step, length, source), expected, "{why}");
    }
}

#[test]
fn shards_grow_until_they_are_large_and_few() {
    let shard = |axes: &[(u64, u64)], width| {
        let axes: Vec<_> = axes.iter().map(|&(length, chunk)| ShardAxis { length, chunk, asked: None }).collect();
        shards(&axes, width)
    };
    assert_eq!(shard(&[(1000, 10), (1000, 10)], 4), [1000, 1000], "the whole array is small");
    assert_eq!(shard(&[(100_000, 10), (100_000, 10)], 4), [5120, 5120]);
    assert_eq!(shard(&[(1 << 30, 1 << 20)], 1), [1 << 26], "64 MiB");
    assert_eq!(shard(&[(25, 10)], 8), [30], "not beyond the last chunk");
    let bytes = shard(&[(1 << 50, 1 << 20)], 1)[0];
    assert_eq!(bytes, LARGEST_SHARD_BYTES, "few objects are not worth any size");
    let asked =
        [ShardAxis { length: 1000, chunk: 10, asked: Some(20) }, ShardAxis { length: 99, chunk: 5, asked: None }];
    assert_eq!(shards(&asked, 1), [20, 100]);
}

fn axes() -> impl Strategy<Value = Vec<ChunkAxis>> {
    let length = prop_oneof![0_u64..40, 1_u64..5_000, 1_u64..3_000_000_000];
    let source = prop_oneof![1_u64..50, 1_u64..5_000, 1_u64..3_000_000_000];
    let asked = prop::option::weighted(0.3, 1_u64..300);
    let axis = (length, source, asked).prop_map(|(length, source, asked)| ChunkAxis { length, source, asked });
    prop::collection::vec(axis, 0..6)
}

proptest! {
    #[test]
    fn auto_stays_within_the_axis_and_within_the_stretch_of_the_aim(axes in axes(), width in 1_u64..64) {
        let found = chunks(&axes, width, AUTO_CHUNK_BYTES);
        prop_assert_eq!(found.len(), axes.len());
        for (axis, length) in axes.iter().zip(&found) {
            match axis.asked {
                Some(asked) => prop_assert_eq!(*length, asked),
                None => prop_assert!((1..=axis.length.max(1)).contains(length), "{:?} {}", axis, length),
            }
        }
        let bytes = found.iter().fold(width as f64, |bytes, length| bytes * *length as f64);
        let aim = AUTO_CHUNK_BYTES.0 as f64;
        let open = || axes.iter().zip(&found).filter(|(axis, _)| axis.asked.is_none());
        if open().any(|(_, length)| *length > 1) {
            prop_assert!(bytes <= aim * (STRETCH + 1e-6), "{} in {:?}", bytes, found);
        }
        if open().any(|(axis, length)| *length < axis.length) {
            prop_assert!(bytes >= aim / (STRETCH + 1e-6), "{} in {:?}", bytes, found);
        }
    }

    #[test]
    fn an_open_axis_lines_up_where_a_multiple_is_near(length in 1_u64..1_000_000, source in 1_u64..2_000, width in 1_u64..9) {
        let found = auto(&[(length, source), (100_000, 100_000)], width)[0];
        let is_lined_up = source >= length || found == length
            || found.is_multiple_of(source) || source.is_multiple_of(found);
        // From two units on there is always a multiple within a factor of 1.5, if the axis does not end before it.
        if found >= source * 2 && found + source <= length {
            prop_assert!(is_lined_up, "{} for {} in {}", found, source, length);
        }
    }

    #[test]
    fn an_aligned_size_is_never_longer_and_little_shorter(
        most in 1_u64..5_000, step in 1_u64..40, length in 1_u64..100_000, source in 1_u64..5_000,
    ) {
        let most = most.next_multiple_of(step);
        let found = aligned(most, step, length, source);
        prop_assert!(found <= most && found * 3 >= most * 2 && found.is_multiple_of(step));
    }

    #[test]
    fn shards_are_whole_chunks_that_do_not_pass_the_array(
        axes in prop::collection::vec((1_u64..100_000, 1_u64..200), 0..4), width in 1_u64..16,
    ) {
        let axes: Vec<_> = axes.iter().map(|&(length, chunk)| ShardAxis { length, chunk, asked: None }).collect();
        for (axis, length) in axes.iter().zip(shards(&axes, width)) {
            prop_assert!(length.is_multiple_of(axis.chunk) && length >= axis.chunk);
            prop_assert!(length < axis.length + axis.chunk || length == axis.chunk);
        }
    }
}
