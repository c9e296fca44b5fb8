use proptest::prelude::*;

use super::{
    super::written::{self, BYTES, Column as Written, Fields, Row as Given, columns, file, page, with_footer},
    *,
};

fn part(url: &str, range: Range<u64>) -> Reference<'_> {
    Reference::Part { url, range }
}

/// Rows of every kind, over many pages.
fn given() -> Vec<Given> {
    let row = |number: usize| match number % 5 {
        0 => Given::Part(format!("s3://b/{}.nc", number / 50), 1000 + i64::try_from(number).unwrap(), 16),
        1 => Given::Missing,
        2 => Given::Inline(if number == 2 { b"" } else { b"data" }),
        3 => Given::Whole("https://h/whole".to_owned()),
        _ => Given::Part("/data/x".to_owned(), 0, 7),
    };
    (0..200).map(row).collect()
}

fn is_as_given(record: &Record) {
    assert_eq!(record.len(), 200);
    assert_eq!(record.get(0), Some(part("s3://b/0.nc", 1000..1016)));
    assert_eq!(record.get(1), None);
    assert_eq!(record.get(2), Some(Reference::Inline(Bytes::new())), "no bytes are inline data too");
    assert_eq!(record.get(7), Some(Reference::Inline("data".into())));
    assert_eq!(record.get(103), Some(Reference::Whole { url: "https://h/whole" }));
    assert_eq!(record.get(155), Some(part("s3://b/3.nc", 1155..1171)));
    assert_eq!(record.get(199), Some(part("/data/x", 0..7)));
    assert_eq!(record.get(200), None);
    assert_eq!(record.present().count(), 160);
    assert_eq!(record.present().take(3).collect::<Vec<_>>(), [0, 2, 3]);
    let urls: Vec<_> = record.urls().collect();
    assert_eq!(urls.len(), 6, "each once: {urls:?}");
}

#[test]
fn every_way_of_writing_gives_the_same_references() {
    for (codec, has_dictionary, is_second, is_optional) in [
        (6, false, false, false),
        (6, true, false, false),
        (1, true, true, true),
        (0, false, true, false),
        (0, true, false, true),
        (1, false, false, true),
        (6, true, true, true),
    ] {
        let write = |column: Written| Written {
            codec,
            has_dictionary,
            is_second,
            is_optional: is_optional || column.physical == BYTES,
            rows_of_page: 30,
            ..column
        };
        let columns: Vec<_> = columns(&given()).into_iter().map(write).collect();
        for rows_of_group in [200, 70] {
            is_as_given(&Record::parse(&file(&columns, rows_of_group)).unwrap());
        }
    }
}

#[test]
fn columns_that_nobody_needs_may_be_left_out_or_be_there() {
    let all = columns(&[Given::Inline(b"ab"), Given::Missing]);
    let record = Record::parse(&file(&all[3..], 2)).unwrap();
    assert_eq!((record.get(0), record.get(1), record.len()), (Some(Reference::Inline("ab".into())), None, 2));
    let all = columns(&[Given::Part("s3://b/x".to_owned(), 1, 2)]);
    let other = Written { physical: 5, ..Written::numbers("other", &[3]) };
    let record = Record::parse(&file(&[all[..3].to_vec(), vec![other]].concat(), 1)).unwrap();
    assert_eq!(record.get(0), Some(part("s3://b/x", 1..3)));
    // As pyarrow writes a column without any value.
    let mut all = columns(&[Given::Inline(b"ab"), Given::Missing]);
    all[0].physical = 1;
    assert_eq!(Record::parse(&file(&all, 2)).unwrap().get(1), None);
}

#[test]
fn rows_behind_the_last_reference_take_no_memory() {
    let mut rows = vec![Given::Missing; 10_000];
    rows[3] = Given::Inline(b"x");
    let record = Record::parse(&written::record(&rows)).unwrap();
    assert_eq!((record.len(), record.present().collect::<Vec<_>>()), (10_000, vec![3]));
    assert!(record.bytes() < 200, "{}", record.bytes());
}

fn refused(data: &[u8]) -> String {
    Record::parse(data).expect_err("refused")
}

#[test]
fn what_no_record_has_is_refused_by_name() {
    let whole = columns(&[Given::Part("s3://b/x".to_owned(), 1, 2)]);
    let with = |change: &dyn Fn(&mut Vec<Written>)| {
        let mut columns = whole.clone();
        change(&mut columns);
        refused(&file(&columns, 1))
    };
    for (reason, expected) in [
        (with(&|all| _ = all.drain(1..2)), "\"offset\""),
        (with(&|all| _ = all.drain(2..)), "\"size\""),
        (with(&|all| all[0].physical = 7), "its column \"path\": its values are"),
        (with(&|all| all[1].physical = 1), "its column \"offset\": its values are"),
        (with(&|all| all[1] = Written::numbers("offset", &[-1])), "its row 0: its offset is missing or below zero"),
        (with(&|all| all[2] = Written::numbers("size", &[-7])), "its row 0: its size"),
        (with(&|all| all[0] = Written::texts("path", vec![Some(b"x.nc".to_vec())])), "whole URL"),
        (with(&|all| all[0] = Written::texts("path", vec![Some(b"\xff".to_vec())])), "UTF-8"),
        (with(&|all| all[0] = Written::texts("path", vec![Some(Vec::new())])), "whole URL"),
        (with(&|all| all[0] = Written::texts("path", vec![Some(b"s3://b/r.json/../x".to_vec())])), "`..`"),
    ] {
        assert!(reason.contains(expected), "{reason}");
    }
    let none = [Written::numbers("offset", &[1])];
    assert!(refused(&file(&none, 1)).contains("neither a column \"path\" nor \"raw\""));
}

#[test]
fn what_is_no_file_of_parquet_is_refused() {
    let good = written::record(&given());
    let cut = |end: usize| refused(&good[..end]);
    for reason in [refused(b""), refused(b"PAR1"), refused(b"{\"metadata\":{}}"), cut(4), cut(good.len() - 1)] {
        assert_eq!(reason, "it is no Parquet file");
    }
    let encrypted = [&good[..good.len() - 4], b"PARE"].concat();
    assert!(refused(&encrypted).contains("encrypted"));
    let long = [&b"PAR1"[..], &[0; 100], &(1_u32 << 30).to_le_bytes(), b"PAR1"].concat();
    assert!(refused(&long).contains("footer has 1073741824 bytes"));
    let longer = [&b"PAR1"[..], &[0; 100], &2000_u32.to_le_bytes(), b"PAR1"].concat();
    assert!(refused(&longer).contains("longer than the file"));
}

/// A file of one column "raw" of one row, whose pages and chunk say what they like.
fn of_pages(pages: &[u8], chunk: Fields, rows: i64) -> Vec<u8> {
    let chunk = chunk.integer(1, BYTES).integer(7, i64::try_from(pages.len()).unwrap()).integer(9, 4);
    let schema = [Fields::default().integer(5, 1), Fields::default().integer(1, BYTES).integer(3, 0).bytes(4, b"raw")];
    let group = Fields::default().structures(1, [Fields::default().structure(3, chunk)]).integer(3, rows);
    let footer = Fields::default().structures(2, schema).integer(3, rows).structures(4, [group]);
    with_footer([b"PAR1", pages].concat(), footer)
}

#[test]
fn what_a_hostile_file_says_of_itself_is_not_allocated() {
    let codec = |number| Fields::default().integer(4, number);
    let values =
        |count: i64, encoding| Fields::default().integer(1, count).integer(2, encoding).integer(3, 3).integer(4, 3);
    let value = [&2_u32.to_le_bytes()[..], b"ok"].concat();
    let plain = page(0, 6, &value, 5, values(1, 0));
    let good = Record::parse(&of_pages(&plain, codec(0), 1)).unwrap();
    assert_eq!(good.get(0), Some(Reference::Inline("ok".into())));
    let bomb = written::compressed(6, &vec![0; 200 << 20]);
    let dictionary = |count| page(2, 6, &value, 7, Fields::default().integer(1, count).integer(2, 0));
    let indexed = |data: &[u8]| [dictionary(1), page(0, data.len(), data, 5, values(1, 8))].concat();
    for (pages, chunk, rows, expected) in [
        (page(0, 200 << 20, &bomb, 5, values(1, 0)), codec(6), 1, "larger than what is read"),
        (page(0, 6, &bomb, 5, values(1, 0)), codec(6), 1, "can't be decompressed"),
        (page(0, 1 << 20, &written::compressed(6, &value), 5, values(1, 0)), codec(6), 1, "not as many bytes"),
        (page(0, 7, &written::compressed(1, &value), 5, values(1, 0)), codec(1), 1, "not as many bytes"),
        (page(0, 6, b"\x06junk", 5, values(1, 0)), codec(1), 1, "can't be decompressed"),
        (page(0, 6, &value, 5, values(i64::MAX, 0)), codec(0), 1, "more rows than its group"),
        (page(0, 6, &value, 5, values(-1, 0)), codec(0), 1, "below zero"),
        (page(0, 6, &value, 5, values(1, 0)), codec(0), 1 << 20, "before its last row"),
        (page(0, 6, &value, 5, values(2, 0)), codec(0), 2, "ends early"),
        (page(0, 6, &value, 5, values(1, 7)), codec(0), 1, "encoding 7"),
        (page(9, 6, &value, 5, values(1, 0)), codec(0), 1, "unknown kind"),
        (page(3, 6, &value, 5, values(1, 0)), codec(0), 1, "no header of its kind"),
        (page(0, 4, &u32::MAX.to_le_bytes(), 5, values(1, 0)), codec(0), 1, "ends early"),
        (plain[..plain.len() - 1].to_vec(), codec(0), 1, "longer than its column"),
        (indexed(&[1, 2, 1]), codec(0), 1, "beyond its dictionary"),
        (indexed(&[40, 2, 1]), codec(0), 1, "40 bits"),
        (indexed(&[]), codec(0), 1, "ends early"),
        ([dictionary(1), dictionary(1), plain.clone()].concat(), codec(0), 1, "two dictionaries"),
        ([dictionary(i64::MAX), plain.clone()].concat(), codec(0), 1, "ends early"),
        (page(0, 2, &[1, 0], 5, values(1, 8)), codec(0), 1, "no dictionary"),
        (plain.clone(), codec(4), 1, "brotli"),
        (plain.clone(), codec(99), 1, "99"),
        (plain.clone(), codec(0), (1 << 20) + 1, "1048577 rows; at most 1048576"),
        (plain.clone(), codec(0), -1, "number of rows"),
        (plain.clone(), codec(0).integer(11, i64::MAX), 1, ""),
    ] {
        let read = Record::parse(&of_pages(&pages, chunk, rows));
        if expected.is_empty() {
            assert_eq!(read.as_ref(), Ok(&good));
        } else {
            let reason = read.expect_err(expected);
            assert!(reason.contains(expected), "{reason} instead of {expected}");
        }
    }
}

#[test]
fn a_schema_that_is_deep_or_wide_is_refused() {
    let raw = || Fields::default().integer(1, BYTES).integer(3, 0).bytes(4, b"raw");
    let of = |schema: Vec<Fields>| {
        let group = Fields::default().structures(1, []).integer(3, 0);
        with_footer(b"PAR1".to_vec(), Fields::default().structures(2, schema).integer(3, 0).structures(4, [group]))
    };
    let nested = Fields::default().integer(3, 0).bytes(4, b"n").integer(5, i64::from(i32::MAX));
    for (schema, expected) in [
        (vec![Fields::default(), nested], "columns in it"),
        (vec![Fields::default(), raw().integer(3, 2)], "has not the columns"),
        (vec![Fields::default(), Fields::default().integer(1, BYTES).integer(3, 2).bytes(4, b"raw")], "lists in it"),
        (vec![Fields::default(), raw(), raw()], "has not the columns"),
        (vec![], "schema is empty"),
    ] {
        let reason = refused(&of(schema));
        assert!(reason.contains(expected), "{reason} instead of {expected}");
    }
}

proptest! {
    #[test]
    fn a_file_that_was_tampered_with_is_read_or_refused(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        has_dictionary in any::<bool>(),
        codec in prop::sample::select(vec![0_i64, 1, 6]),
    ) {
        let change = |column| Written { has_dictionary, codec, rows_of_page: 30, ..column };
        let columns: Vec<_> = columns(&given()).into_iter().map(change).collect();
        let mut data = file(&columns, 70);
        for (place, byte) in changes {
            let place = place.index(data.len());
            data[place] = byte;
        }
        if let Ok(record) = Record::parse(&data) {
            for row in 0..record.len() {
                let _ = record.get(row);
            }
        }
    }
}
