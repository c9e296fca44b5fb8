use proptest::prelude::*;
use rechunk_common::geometry::{BoxGrid, Region};

use super::*;

/// One array: shape, piece, chunk, chunks per box, per axis.
fn cases() -> impl Strategy<Value = (Vec<[u64; 4]>, usize)> {
    (prop::collection::vec((1_u64..15, 1_u64..8, 1_u64..8, 1_u64..5), 1..4), 0_usize..4).prop_map(|(axes, slowest)| {
        let slowest = slowest % axes.len();
        (axes.into_iter().map(|(n, piece, chunk, per_box)| [n, piece, chunk, per_box]).collect(), slowest)
    })
}

/// Walks every box piece by piece and counts what is open.
fn counted(axes: &[[u64; 4]], order: &[usize]) -> u64 {
    let part = |i: usize| axes.iter().map(|axis| axis[i]).collect::<Vec<_>>();
    let shape = part(0);
    let pieces = BoxGrid::of_array(&shape, &part(1));
    let chunks = BoxGrid::of_array(&shape, &part(2));
    let boxes = BoxGrid::of_array(&shape, &axes.iter().map(|axis| axis[2] * axis[3]).collect::<Vec<_>>());
    let mut most = 0;
    for index in 0..boxes.len() {
        let bounds = boxes.region(index).expect("box");
        let mut visits: Vec<Vec<u64>> = BoxGrid::positions(&pieces.overlapping(&bounds)).collect();
        let key = |p: &Vec<u64>| order.iter().map(|axis| p[*axis]).collect::<Vec<_>>();
        visits.sort_by_key(key);
        let lives: Vec<(usize, usize)> = BoxGrid::positions(&chunks.overlapping(&bounds))
            .map(|chunk| {
                let region: Region = chunks.region_at(&chunk);
                let touching = |p: &Vec<u64>| pieces.region_at(p).intersection(&region).is_some();
                let first = visits.iter().position(touching).expect("touched");
                let last = visits.iter().rposition(touching).expect("touched");
                (first, last)
            })
            .collect();
        for at in 0..visits.len() {
            let open = lives.iter().filter(|(first, last)| *first <= at && at <= *last).count() as u64;
            most = most.max(open);
        }
    }
    most
}

fn modelled(axes: &[[u64; 4]], order: &[usize]) -> u64 {
    let touches: Vec<Touch> = axes.iter().map(|[n, piece, chunk, _]| Touch::of(*n, *piece, *chunk)).collect();
    let counts: Vec<u64> = axes.iter().map(|[n, _, chunk, per_box]| axis::boxes(*n, *chunk).min(*per_box)).collect();
    most_open(&touches, &counts, order).expect("small")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn the_model_is_never_below_what_is_open((axes, slowest) in cases()) {
        let order = order(axes.len(), slowest);
        let (counted, modelled) = (counted(&axes, &order), modelled(&axes, &order));
        prop_assert!(counted <= modelled, "{counted} open, {modelled} modelled");
        // Near: every axis may be above by the chunk at the end of a box, never by more.
        prop_assert!(modelled <= counted << axes.len(), "{counted} open, {modelled} modelled");
    }

    #[test]
    fn phases_stand_for_all_pieces(piece in 1_u64..40, chunk in 1_u64..40) {
        // Enough pieces that every phase occurs, once looked at one by one, once by their phases.
        let n = piece * chunk * 4;
        let mut one_by_one = Touch::default();
        for start in (0..n).step_by(usize::try_from(piece).expect("small")) {
            one_by_one.add(start, n, piece, chunk);
        }
        prop_assert_eq!(Touch::of(piece * chunk * FEW_PIECES * 2, piece, chunk), one_by_one);
    }
}

#[test]
fn a_reblocking_sweep_holds_one_layer_and_a_little() {
    let axes = [[512, 64, 100, 6], [1024, 64, 100, 11], [1024, 64, 100, 11]];
    assert_eq!(modelled(&axes, &[0, 1, 2]), 121 + 11 + 2);
    assert_eq!(modelled(&axes, &[1, 0, 2]), 66 + 11 + 2);
}

#[test]
fn maps_to_series_holds_every_series_open() {
    let axes = [[1024, 1, 1024, 1], [512, 512, 16, 32], [1024, 1024, 32, 32]];
    assert_eq!(modelled(&axes, &[0, 1, 2]), 1024);
}

#[test]
fn pieces_of_whole_chunks_hold_one_piece_open() {
    let axes = [[100, 20, 10, 10], [100, 50, 10, 10]];
    assert_eq!(modelled(&axes, &[0, 1]), 2 * 5);
}
