//! Parquet's small numbers: runs of one number, and groups of eight that are packed bit by bit.

use super::thrift::Cursor;

/// Gives `each` the first `count` numbers of `width` bits.
pub(super) fn read(data: &[u8], width: u32, count: usize, mut each: impl FnMut(u32)) -> Result<(), String> {
    if width > 32 {
        return Err(format!("its numbers have {width} bits"));
    }
    let mut cursor = Cursor::new(data);
    let mut left = count;
    while left > 0 {
        let head = cursor.varint()?;
        let length = usize::try_from(head >> 1).map_err(|_| "a run is too long")?;
        if head & 1 == 0 {
            let bytes = cursor.take(width.div_ceil(8) as usize)?;
            let number = bytes.iter().rev().fold(0, |number, byte| number << 8 | u32::from(*byte));
            let run = length.min(left);
            (0..run).for_each(|_| each(number));
            left -= run;
        } else {
            let packed = length.checked_mul(width as usize).ok_or("a run is too long")?;
            // Some writers leave away the end of the last group.
            let packed = cursor.take(packed.min(cursor.rest().len()))?;
            let run = length.saturating_mul(8).min(left);
            for place in 0..run {
                each(bits(packed, place, width).ok_or("it ends early")?);
            }
            left -= run;
        }
    }
    Ok(())
}

/// The number at `place` of packed ones.
fn bits(packed: &[u8], place: usize, width: u32) -> Option<u32> {
    let start = place.checked_mul(width as usize)?;
    let bytes = packed.get(start / 8..start.checked_add(width as usize)?.div_ceil(8))?;
    let number = bytes.iter().rev().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    let mask = (1_u64 << width) - 1;
    u32::try_from(number >> (start % 8) & mask).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(data: &[u8], width: u32, count: usize) -> Result<Vec<u32>, String> {
        let mut numbers = Vec::new();
        read(data, width, count, |number| numbers.push(number))?;
        Ok(numbers)
    }

    #[test]
    fn runs_and_groups_follow_one_another() {
        // The example of the format: 0 to 7 in three bits.
        assert_eq!(all(&[3, 0b1000_1000, 0b1100_0110, 0b1111_1010], 3, 8).unwrap(), [0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(all(&[8, 1, 3, 0b0000_0101], 1, 7).unwrap(), [1, 1, 1, 1, 1, 0, 1]);
        assert_eq!(all(&[4, 0x34, 0x12], 12, 2).unwrap(), [0x1234, 0x1234]);
        assert_eq!(all(&[3, 0xff, 0xff, 0xff, 0xff, 1, 0, 0, 0], 32, 2).unwrap(), [u32::MAX, 1]);
        assert_eq!(all(&[6], 0, 3).unwrap(), [0, 0, 0]);
        assert_eq!(all(&[], 5, 0).unwrap(), [0; 0]);
    }

    #[test]
    fn what_ends_early_is_refused() {
        for (data, width, count) in
            [(&[][..], 1, 1), (&[2], 8, 1), (&[3, 1], 2, 8), (&[4, 7], 8, 3), (&[0, 0, 0], 8, 1)]
        {
            assert!(all(data, width, count).is_err(), "{data:?}");
        }
        assert!(all(&[2, 0], 33, 1).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_give_as_many_numbers_or_none(
            data in prop::collection::vec(any::<u8>(), 0..60),
            width in 0_u32..=32,
            count in 0_usize..3000,
        ) {
            if let Ok(numbers) = all(&data, width, count) {
                prop_assert_eq!(numbers.len(), count);
            }
        }
    }
}
