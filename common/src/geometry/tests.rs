use proptest::prelude::*;

use super::*;

#[test]
fn a_zero_d_region_has_one_element_and_one_box() {
    let grid = BoxGrid::of_array(&[], &[]);
    assert_eq!(grid.len(), 1);
    assert_eq!(grid.region(0), Some(Region::whole(&[])));
    assert_eq!(Region::whole(&[]).element_count(), 1);
    assert_eq!(BoxGrid::positions(&grid.overlapping(&Region::whole(&[]))).count(), 1);
}

#[test]
fn an_empty_axis_leaves_no_box() {
    let grid = BoxGrid::of_array(&[4, 0], &[2, 3]);
    assert!(grid.is_empty());
    assert_eq!(grid.region(0), None);
    assert_eq!(BoxGrid::positions(&grid.overlapping(&Region::whole(&[4, 0]))).count(), 0);
}

/// Boxes that differ in length, which reach to `least` at the least.
fn edges(seed: u64, longest: u64, least: u64) -> Edges {
    let mut lengths = Vec::new();
    while lengths.is_empty() || lengths.iter().sum::<u64>() < least {
        let at = lengths.len() as u64 + 1;
        lengths.push(1 + ((seed ^ at).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 33) % longest);
    }
    Edges::new(lengths).expect("some boxes")
}

fn grids() -> impl Strategy<Value = BoxGrid> {
    let unequal = prop::option::of(any::<u64>());
    (equal_grids(), unequal).prop_map(|(grid, seed)| {
        let Some(seed) = seed else { return grid };
        let of_axis = |axis: usize| {
            let least = grid.ahead(axis) + grid.bounds().length(axis);
            (seed >> axis & 1 == 1).then(|| edges(seed, grid.lengths()[axis], least))
        };
        let all: Vec<Option<Edges>> = (0..grid.lengths().len()).map(of_axis).collect();
        grid.cut_at(&all)
    })
}

fn equal_grids() -> impl Strategy<Value = BoxGrid> {
    prop::collection::vec((0_u64..9, 0_u64..9, 1_u64..5, any::<bool>()), 1..4).prop_map(|axes| {
        let start: Vec<u64> = axes.iter().map(|(start, ..)| *start).collect();
        let end = axes.iter().map(|(start, length, ..)| start + length).collect();
        let ahead = axes.iter().map(|(start, .., is_ahead)| if *is_ahead { *start } else { 0 }).collect();
        BoxGrid::new(Region::new(start, end), axes.iter().map(|(_, _, length, _)| *length).collect()).begun_ahead(ahead)
    })
}

proptest! {
    #[test]
    fn cuts_that_begin_anywhere_meet_where_enumeration_says(
        n in 0_u64..200, a in 1_u64..40, b in 1_u64..40, a_ahead in 0_u64..40, b_ahead in 0_u64..40, at in 0_u64..200,
    ) {
        let (one, other) = (Cut::equal(a, a_ahead % a), Cut::equal(b, b_ahead % b));
        let begins = |cut: Cut, at: u64| at == 0 || (at + cut.ahead).is_multiple_of(cut.length);
        let count = |begins: &dyn Fn(u64) -> bool| (0..n).filter(|at| begins(*at)).count() as u64;
        prop_assert_eq!(one.boxes(n), count(&|at| begins(one, at)));
        prop_assert_eq!(meetings(n, one, other), count(&|at| begins(one, at) && begins(other, at)));
        prop_assert_eq!(pairs(n, one, other), Some(count(&|at| begins(one, at) || begins(other, at))));
        prop_assert_eq!(Some(one.start_of(at)), (0..=at).rev().find(|at| begins(one, *at)));
        prop_assert_eq!(one.first_from(at), (at..=at + a).find(|at| begins(one, *at)));
    }

    #[test]
    fn cuts_of_boxes_that_differ_meet_where_enumeration_says(
        n in 1_u64..120, seed in any::<u64>(), longest in 1_u64..30, ahead in 0_u64..40, other in (1_u64..30, 0_u64..30, any::<bool>()),
        at in 0_u64..120,
    ) {
        let (edges, others) = (edges(seed, longest, n + ahead), edges(!seed, other.0, n + other.1));
        let one = Cut::unequal(&edges, ahead);
        let other = if other.2 { Cut::unequal(&others, other.1) } else { Cut::equal(other.0, other.1 % other.0) };
        let begins = |cut: Cut, at: u64| at == 0 || match cut.edges {
            Some(edges) => edges.lengths().scan(0, |end, length| { *end += length; Some(*end) }).any(|end| end == at + cut.ahead),
            None => (at + cut.ahead).is_multiple_of(cut.length),
        };
        let count = |begins: &dyn Fn(u64) -> bool| (0..n).filter(|at| begins(*at)).count() as u64;
        prop_assert_eq!(one.boxes(n), count(&|at| begins(one, at)));
        prop_assert_eq!(meetings(n, one, other), count(&|at| begins(one, at) && begins(other, at)));
        prop_assert_eq!(pairs(n, one, other), Some(count(&|at| begins(one, at) || begins(other, at))));
        let at = at % n;
        prop_assert_eq!(Some(one.start_of(at)), (0..=at).rev().find(|at| begins(one, *at)));
        prop_assert_eq!(one.first_from(at).filter(|first| *first < n), (at..n).find(|at| begins(one, *at)));
        for (units, boxes) in [(one, other), (other, one)] {
            let ends = |cut: Cut, start: u64| (start + 1..n).find(|at| begins(cut, *at)).unwrap_or(n);
            let all = |cut: Cut| (0..n).filter(|at| begins(cut, *at)).map(|start| start..ends(cut, start)).collect::<Vec<_>>();
            let overlapped = |of_box: &std::ops::Range<u64>| -> u64 {
                let shares = |unit: &&std::ops::Range<u64>| unit.start < of_box.end && of_box.start < unit.end;
                all(units).iter().filter(shares).map(|unit| unit.end - unit.start).sum()
            };
            prop_assert_eq!(covered(n, units, boxes), Some(all(boxes).iter().map(overlapped).sum()));
        }
    }

    #[test]
    fn boxes_that_differ_are_put_together_and_cut_off(seed in any::<u64>(), longest in 1_u64..9, from in 0_u64..20, n in 1_u64..40, most in 1_u64..30) {
        let edges = edges(seed, longest, from + n);
        let runs = edges.runs();
        prop_assert_eq!(Edges::of_runs(&runs), Some(edges.clone()));
        prop_assert!(runs.windows(2).all(|pair| pair[0].0 != pair[1].0));
        let (groups, ahead) = edges.grouped(from, from + n, most).expect("there are boxes");
        let first = from - ahead;
        let is_edge = |at: u64| (0..edges.count()).any(|index| edges.start(index) == at) || at == edges.total();
        prop_assert!(is_edge(first) && (0..groups.count()).all(|index| is_edge(first + groups.end(index))));
        prop_assert!(first + groups.total() >= from + n && first + groups.start(groups.count() - 1) < from + n);
        prop_assert!(groups.lengths().all(|length| length <= most.max(edges.longest())));
        let within = edges.within(from, from + n).expect("there are boxes");
        prop_assert_eq!(within.total(), n);
        prop_assert!((0..within.count()).all(|index| index == 0 || is_edge(from + within.start(index))));
        let up_to = edges.up_to(from + n);
        prop_assert!(up_to.total() >= from + n && up_to.start(up_to.count() - 1) < from + n);
    }

    #[test]
    fn cuts_of_any_size_do_not_panic(n in any::<u64>(), a in 1_u64.., b in 1_u64.., ahead in any::<u64>()) {
        let _ = pairs(n, Cut::equal(a, ahead % a), Cut::equal(b, ahead % b));
    }
}

proptest! {
    #[test]
    fn boxes_cover_the_bounds_once(grid in grids()) {
        let mut elements = 0;
        for index in 0..grid.len() {
            let region = grid.region(index).expect("index below len");
            prop_assert!(grid.bounds().contains(&region) && !region.is_empty());
            prop_assert_eq!(grid.index(&grid.position(index).expect("position")), Some(index));
            elements += region.element_count();
            for other in 0..index {
                prop_assert_eq!(region.intersection(&grid.region(other).expect("other")), None);
            }
        }
        prop_assert_eq!(elements, grid.bounds().element_count());
        prop_assert_eq!(grid.region(grid.len()), None);
    }

    #[test]
    fn overlapping_names_exactly_the_boxes_that_share_an_element(grid in grids(), from in prop::collection::vec(0_u64..9, 3), len in prop::collection::vec(0_u64..9, 3)) {
        let rank = grid.lengths().len();
        let end = from.iter().zip(&len).map(|(a, b)| a + b).take(rank).collect();
        let region = Region::new(from[..rank].to_vec(), end);
        let named: Vec<u64> = BoxGrid::positions(&grid.overlapping(&region)).map(|p| grid.index(&p).expect("in grid")).collect();
        let shared: Vec<u64> = (0..grid.len()).filter(|i| grid.region(*i).expect("box").intersection(&region).is_some()).collect();
        prop_assert_eq!(named, shared);
    }
}
