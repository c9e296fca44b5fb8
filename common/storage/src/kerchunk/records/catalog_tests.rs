use super::*;

const ZARRAY: &str = r#"{"shape":[50,7],"chunks":[1,4],"zarr_format":2,"fill_value":NaN}"#;

fn parsed(metadata: &str, record_size: u64) -> Catalog {
    let text = format!(r#"{{"metadata":{{{metadata}}},"record_size":{record_size}}}"#);
    Catalog::parse(text.clone().into()).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn refused(text: &str) -> String {
    Catalog::parse(text.to_owned().into()).expect_err(text).to_string()
}

#[test]
fn documents_are_as_they_are_written() {
    let attributes = r#"{"a":NaN, "b":[-Infinity,"NaN \" Infinity"],"c":1.50,"d":"ü\\"}"#;
    let catalog =
        parsed(&format!(r#"".zgroup":{{"zarr_format":2}},"g\/a\/.zattrs":{attributes},"g/a/.zarray":{ZARRAY}"#), 20);
    assert_eq!(catalog.document("g/a/.zattrs").as_deref(), Some(attributes.as_bytes()));
    assert_eq!(catalog.document("g/a/.zarray").as_deref(), Some(ZARRAY.as_bytes()));
    assert_eq!(catalog.document(".zgroup").as_deref(), Some(&br#"{"zarr_format":2}"#[..]));
    assert_eq!((catalog.document("g"), catalog.document(".zmetadata")), (None, None));
    let below = |prefix| catalog.documents_below(prefix).map(|(key, _)| key).collect::<Vec<_>>();
    assert_eq!(below(""), [".zgroup", "g/a/.zarray", "g/a/.zattrs"]);
    assert_eq!((below("g/a"), below("g/a/.zarray"), below("h").len()), (vec!["g/a/.zarray", "g/a/.zattrs"], vec![], 0));
}

#[test]
fn the_row_of_a_chunk_follows_from_its_place_in_c_order() {
    let scalar = r#"{"shape":[],"chunks":[]}"#;
    let empty = r#"{"shape":[0,5],"chunks":[2,5]}"#;
    let catalog = parsed(&format!(r#""a/.zarray":{ZARRAY},"s/.zarray":{scalar},"e/.zarray":{empty}"#), 30);
    let place = |key| catalog.place(key).map(|place| (place.array.to_owned(), place.record, place.row));
    assert_eq!(place("a/0.0"), Some(("a".to_owned(), 0, 0)));
    assert_eq!(place("a/0.1"), Some(("a".to_owned(), 0, 1)));
    assert_eq!(place("a/15.0"), Some(("a".to_owned(), 1, 0)));
    assert_eq!(place("a/49.1"), Some(("a".to_owned(), 3, 9)));
    assert_eq!(place("s/0"), Some(("s".to_owned(), 0, 0)));
    for none in
        ["a/50.0", "a/0.2", "a/0", "a/0.0.0", "a/00.0", "a/+1.0", "a/-1.0", "a/0/0", "a", "s/1", "s/", "e/0.0", "b/0.0"]
    {
        assert_eq!(place(none), None, "{none}");
    }
    let arrays: Vec<_> = catalog.arrays_within("").collect();
    assert_eq!(
        arrays.iter().map(|(path, array)| (*path, array.chunks(), array.records(30))).collect::<Vec<_>>(),
        [("a", 100, 4), ("e", 0, 0), ("s", 1, 1)]
    );
    for number in 0..100 {
        let name = arrays[0].1.name(number);
        assert_eq!(arrays[0].1.number(&name), Some(number), "{name}");
    }
    assert_eq!(arrays[2].1.name(0), "0");
}

#[test]
fn what_no_catalog_has_is_refused_by_name() {
    let of = |metadata: &str| refused(&format!(r#"{{"metadata":{{{metadata}}},"record_size":10}}"#));
    for (reason, expected) in [
        (refused("[]"), "not the .zmetadata"),
        (refused(r#"{"metadata":{}}"#), "record_size"),
        (refused(r#"{"metadata":{},"record_size":0}"#), "record_size is 0"),
        (refused(r#"{"metadata":{},"record_size":2000000}"#), "record_size is 2000000"),
        (of(r#"".zarray":{"shape":[1],"chunks":[1]}"#), "at the root"),
        (of(r#""a/.zarray":{"shape":[1,2],"chunks":[1]}"#), "key \"a/.zarray\": its shape"),
        (of(r#""a/.zarray":{"shape":[1],"chunks":[0]}"#), "key \"a/.zarray\": its shape"),
        (of(r#""a/.zarray":{"shape":[-1],"chunks":[1]}"#), "key \"a/.zarray\""),
        (of(r#""a/.zarray":{"shape":[1,1],"chunks":[1,1],"dimension_separator":"/"}"#), "dimension_separator"),
        (of(&format!(r#""a/.zarray":{{"shape":[{0},{0}],"chunks":[1,1]}}"#, u64::MAX)), "more chunks"),
        (of(&format!(r#""a/.zarray":{{"shape":[{}],"chunks":[1]}}"#, u64::MAX)), "more chunks"),
        (of(r#""a/../.zgroup":{}"#), "`..`"),
        (of(r#""a/.zgroup":"{}""#), "no object"),
    ] {
        assert!(reason.contains(expected), "{reason} instead of {expected}");
    }
    parsed(r#""a/.zarray":{"shape":[1],"chunks":[1],"dimension_separator":"/"}"#, 1);
}

#[test]
fn literals_of_python_become_numbers_of_the_same_length() {
    for (text, plain) in [
        (r#"{"a":1}"#, r#"{"a":1}"#),
        ("[NaN,-Infinity, Infinity]", "[0.0,-0.000000, 0.000000]"),
        (r#"["NaN","\"NaN",NaN,"\\",NaN]"#, r#"["NaN","\"NaN",0.0,"\\",0.0]"#),
        (r#"["üNaN",NaN,"\"#, r#"["üNaN",0.0,"\"#),
    ] {
        assert_eq!(without_literals(text), plain);
    }
}
