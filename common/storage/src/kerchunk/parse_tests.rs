use proptest::prelude::*;

use super::{super::index::Reference, *};

fn parsed(text: &str) -> Index {
    Index::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn refused(text: &str) -> String {
    Index::parse(text.as_bytes()).expect_err(text).to_string()
}

fn inline(data: &'static str) -> Reference<'static> {
    Reference::Inline(data.into())
}

fn part(url: &str, range: Range<u64>) -> Reference<'_> {
    Reference::Part { url, range }
}

#[test]
fn both_versions_say_where_each_key_is() {
    let refs = r#"{".zgroup":"{\"zarr_format\":2}","a/0.0":["s3://b/x.nc",100,20],"a/0.1":["s3:\/\/b\/x.nc",120,0],
        "a/.zattrs":{"units":"K", "n": 1.50},"b/0":["https://h/y%20z"],"b/1":"base64:AAH/","b/2":["/data/z",0,1]}"#;
    for text in [refs.to_owned(), format!(r#" {{"other":[1],"refs":{refs},"version":1,"gen":[],"templates":null}} "#)] {
        let index = parsed(&text);
        assert_eq!(index.len(), 7, "{text}");
        assert_eq!(index.get(".zgroup"), Some(inline(r#"{"zarr_format":2}"#)));
        assert_eq!(index.get("a/0.0"), Some(part("s3://b/x.nc", 100..120)));
        assert_eq!(index.get("a/0.1"), Some(part("s3://b/x.nc", 120..120)), "of one URL with the other");
        assert_eq!(index.get("a/.zattrs"), Some(inline(r#"{"units":"K", "n": 1.50}"#)));
        assert_eq!(index.get("b/0"), Some(Reference::Whole { url: "https://h/y%20z" }));
        assert_eq!(index.get("b/1"), Some(Reference::Inline(vec![0, 1, 255].into())));
        assert_eq!(index.get("b/2"), Some(part("/data/z", 0..1)));
        for absent in ["", "a", "a/0", "a/0.0/", "c", "version", "refs"] {
            assert_eq!(index.get(absent), None, "{absent}");
        }
    }
    assert_eq!(parsed("{}").len(), 0);
}

#[test]
fn of_two_references_for_one_key_the_last_counts() {
    let index = parsed(r#"{"k":"one","j":"other","k":["s3://b/x",0,1],"k":"last"}"#);
    assert_eq!((index.len(), index.get("k"), index.get("j")), (2, Some(inline("last")), Some(inline("other"))));
}

#[test]
fn keys_are_found_below_whole_segments() {
    let index = parsed(r#"{"a0":"","a/b/3":"","a":"","a-b/1":"","a/2":""}"#);
    let below = |prefix| {
        let keys = index.below(prefix).map(|place| index.at(place).unwrap().0.to_owned());
        keys.collect::<Vec<_>>()
    };
    assert_eq!(below(""), ["a", "a-b/1", "a/2", "a/b/3", "a0"]);
    assert_eq!(below("a"), ["a/2", "a/b/3"]);
    assert_eq!(below("a/b"), ["a/b/3"]);
    assert_eq!(below("a-b"), ["a-b/1"]);
    for none in ["a0", "a/2", "b", "0", "a/bc"] {
        assert_eq!(below(none), [""; 0], "{none}");
    }
    assert_eq!(index.at(index.after("a/2")).map(|(key, _)| key), Some("a/b/3"));
}

#[test]
fn templates_stand_for_parts_of_urls_wherever_they_are_written() {
    let index = parsed(
        r#"{"version":1,"refs":{"a":["{{u}}/x-{{ n }}.nc",0,1],"b":["{{u}}/x-{{ n }}.nc",1,1],"c":"{{u}}"},
            "templates":{"u":"s3://b/d","n":"7"}}"#,
    );
    assert_eq!(index.get("a"), Some(part("s3://b/d/x-7.nc", 0..1)));
    assert_eq!(index.get("b"), Some(part("s3://b/d/x-7.nc", 1..2)));
    assert_eq!(index.get("c"), Some(inline("{{u}}")), "data is data");
    assert_eq!(index.urls(&[index.below("")]), ["s3://b/d/x-7.nc"]);
}

#[test]
fn what_is_no_index_is_refused_with_its_reason_and_key() {
    for (text, expected) in [
        ("", "JSON"),
        ("[]", "JSON"),
        ("null", "JSON"),
        ("{", "JSON"),
        ("{} {}", "JSON"),
        ("{\"a\":\"\\x\"}", "JSON"),
        (r#"{"refs":{"a":"b"}}"#, "no \"version\""),
        (r#"{"version":1}"#, "no \"refs\""),
        (r#"{"version":1,"refs":[]}"#, "JSON"),
        (r#"{"version":2,"refs":{}}"#, "its version is 2"),
        (r#"{"version":"1","refs":{}}"#, "its version is \"1\""),
        (r#"{"version":1,"refs":{},"gen":[{"key":"a"}]}"#, "\"gen\""),
        (r#"{"version":1,"refs":{},"templates":["a"]}"#, "\"templates\" are no object"),
        (r#"{"version":1,"refs":{},"templates":{"f":1}}"#, "template \"f\" is no text"),
        (r#"{"k":1}"#, r#"key "k": it is neither data"#),
        (r#"{"k":null}"#, r#"key "k""#),
        (r#"{"k":[]}"#, r#"key "k""#),
        (r#"{"k":["s3://b/x",1]}"#, r#"key "k""#),
        (r#"{"k":["s3://b/x",1,2,3]}"#, r#"key "k""#),
        (r#"{"k":["s3://b/x",-1,2]}"#, r#"key "k""#),
        (r#"{"k":["s3://b/x",1.5,2]}"#, r#"key "k""#),
        (r#"{"k":["s3://b/x",null,null]}"#, r#"key "k""#),
        (r#"{"k":[null,0,1]}"#, r#"key "k""#),
        (r#"{"k":["s3://b/x",18446744073709551615,1]}"#, "beyond 64 bits"),
        (r#"{"k":["s3://b/x",18446744073709551616,1]}"#, r#"key "k""#),
        (r#"{"k":"base64:*"}"#, "base64"),
        (r#"{"a":"b","":"c"}"#, r#"key "": a key has no empty"#),
        (r#"{"a//b":"c"}"#, "empty"),
        (r#"{"/a":"c"}"#, "empty"),
        (r#"{"a/../b":"c"}"#, "`..`"),
        ("{\"a\\nb\":\"c\"}", "control"),
        (r#"{"a":["s3://b/x",0,1],"k":["x.nc",0,1]}"#, r#"key "k": it refers to "x.nc", which is no whole URL"#),
        (r#"{"k":["../x.nc"]}"#, "whole URL"),
        (r#"{"k":["ftp://h/x"]}"#, "ftp://"),
        (r#"{"k":["s3://b"]}"#, "no object"),
        (r#"{"k":["s3://key:secret@b/x"]}"#, "credentials"),
        (r#"{"k":["https://h/x?sig=secret"]}"#, "query"),
        (r#"{"k":["kerchunk+s3://b/r.json/k"]}"#, "no object of a store"),
        (r#"{"version":1,"refs":{"k":["{{u}}/x"]}}"#, r#"key "k": there is no template "u""#),
        (r#"{"version":1,"refs":{"k":["{{u"]}}"#, "has no end"),
        (r#"{"version":1,"refs":{"k":["{{f(c='x')}}"]},"templates":{"f":"s3://b/{{c}}"}}"#, "expression of jinja"),
        (r#"{"version":1,"refs":{"k":["{{f}}"]},"templates":{"f":"s3://b/{{c}}"}}"#, "template \"f\" has templates"),
        (r#"{"version":1,"refs":{"k":["{% if x %}"]},"templates":{}}"#, "program of jinja"),
    ] {
        let message = refused(text);
        assert!(message.contains(expected) && !message.contains("secret"), "{text}: {message}");
    }
    let long = format!(r#"{{"{}":1}}"#, "k".repeat(10_000));
    assert!(refused(&long).len() < 500);
    assert!(Index::parse(b"{\"a\":\"\xff\"}").unwrap_err().to_string().contains("UTF-8"));
}

#[test]
fn templates_make_no_more_of_an_index_than_it_may_have() {
    let long = "x".repeat(MAX_URL_BYTES + 1);
    let text = format!(r#"{{"version":1,"refs":{{"k":["{{{{u}}}}"]}},"templates":{{"u":"s3://b/{long}"}}}}"#);
    assert!(refused(&text).contains("at most 4096"), "{}", refused(&text));
    let long = "x".repeat(4_000);
    let refs: Vec<String> = (0..70_000).map(|n| format!(r#""{n}":["{{{{u}}}}{n}"]"#)).collect();
    let text = format!(r#"{{"version":1,"refs":{{{}}},"templates":{{"u":"s3://b/{long}"}}}}"#, refs.join(","));
    assert!(text.len() < 4 << 20 && refused(&text).contains("the URLs have more than"));
}

/// Parts of indexes, whole and broken, one after the other.
fn fragments() -> impl Strategy<Value = String> {
    let part = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\\",
        "\"version\":1",
        "\"refs\":{",
        "\"templates\":{",
        "\"gen\":[",
        "\"k\"",
        "\"a/0.0\":",
        "[\"s3://b/x\",1,2]",
        "[\"{{u}}\"]",
        "\"u\":\"s3://b/y\"",
        "\"base64:AA==\"",
        "\"base64:\"",
        "{{",
        "null",
        "18446744073709551615",
        "1e3",
        "-1",
        "\u{7f}",
        "ü",
        "\\u0000",
        "\\ud800",
    ]);
    prop::collection::vec(part, 0..24).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_text_is_an_index_or_refused(text in fragments(), cut in any::<prop::sample::Index>()) {
        for text in [text.clone(), format!("{{{text}}}"), format!(r#"{{"version":1,"refs":{{{text}}}}}"#)] {
            let bytes = text.as_bytes();
            for bytes in [bytes, &bytes[..cut.index(bytes.len() + 1)]] {
                match Index::parse(bytes) {
                    Ok(index) => {
                        for place in 0..index.len() {
                            let (key, reference) = index.at(place).unwrap();
                            prop_assert_eq!(index.get(key), Some(reference));
                        }
                    }
                    Err(error) => prop_assert!(!error.to_string().is_empty()),
                }
            }
        }
    }

    #[test]
    fn every_key_is_found_again_with_its_reference(
        keys in prop::collection::btree_map(
            "[a-c0.]{1,3}(/[a-c0.]{1,3}){0,2}", (0_u64..1000, 0_u64..1000, 0_usize..3), 0..40,
        )
    ) {
        let keys: Vec<_> = keys.into_iter().filter(|(key, _)| check_key(key).is_ok()).collect();
        let line = |(key, (offset, length, url)): &(String, (u64, u64, usize))| {
            format!(r#""{key}":["s3://b/{url}",{offset},{length}]"#)
        };
        let index = parsed(&format!("{{{}}}", keys.iter().rev().map(line).collect::<Vec<_>>().join(",")));
        prop_assert_eq!(index.len(), keys.len());
        for (place, (key, (offset, length, url))) in keys.iter().enumerate() {
            let url = format!("s3://b/{url}");
            let expected = Some(part(&url, *offset..offset + length));
            prop_assert_eq!(index.get(key), expected.clone());
            prop_assert_eq!(index.at(place).map(|(_, reference)| reference), expected, "in the order of keys");
        }
        for (prefix, _) in &keys {
            let below: Vec<_> = index.below(prefix).map(|place| index.at(place).unwrap().0).collect();
            let start = format!("{prefix}/");
            let all = keys.iter().map(|(key, _)| key.as_str());
            let expected: Vec<_> = all.filter(|key| key.starts_with(&start)).collect();
            prop_assert_eq!(below, expected);
        }
    }
}
