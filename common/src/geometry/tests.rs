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

fn grids() -> impl Strategy<Value = BoxGrid> {
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
        let (one, other) = (Cut { length: a, ahead: a_ahead % a }, Cut { length: b, ahead: b_ahead % b });
        let begins = |cut: Cut, at: u64| at == 0 || (at + cut.ahead).is_multiple_of(cut.length);
        let count = |begins: &dyn Fn(u64) -> bool| (0..n).filter(|at| begins(*at)).count() as u64;
        prop_assert_eq!(one.boxes(n), count(&|at| begins(one, at)));
        prop_assert_eq!(meetings(n, one, other), count(&|at| begins(one, at) && begins(other, at)));
        prop_assert_eq!(pairs(n, one, other), Some(count(&|at| begins(one, at) || begins(other, at))));
        prop_assert_eq!(Some(one.start_of(at)), (0..=at).rev().find(|at| begins(one, *at)));
        prop_assert_eq!(one.first_from(at), (at..=at + a).find(|at| begins(one, *at)));
    }

    #[test]
    fn cuts_of_any_size_do_not_panic(n in any::<u64>(), a in 1_u64.., b in 1_u64.., ahead in any::<u64>()) {
        let _ = pairs(n, Cut { length: a, ahead: ahead % a }, Cut { length: b, ahead: ahead % b });
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
