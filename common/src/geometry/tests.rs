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
    prop::collection::vec((0_u64..5, 0_u64..9, 1_u64..5), 1..4).prop_map(|axes| {
        let start: Vec<u64> = axes.iter().map(|(start, ..)| *start).collect();
        let end = axes.iter().map(|(start, length, _)| start + length).collect();
        BoxGrid::new(Region::new(start, end), axes.iter().map(|(.., length)| *length).collect())
    })
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
