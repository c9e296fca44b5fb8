use proptest::prelude::*;

use super::Json;

#[test]
fn what_python_writes_keeps_its_spelling() {
    for text in [
        r#"{"nan":NaN,"inf":Infinity,"minus":-Infinity}"#,
        r#"{"big":1000000000000000000000000000000,"one":1,"float":1.0,"e":1e+30,"E":-0.0E5}"#,
        r#"{"z":1,"a":2,"\u00e9":"\u00fc\ud800\n\/"}"#,
        "[[],{},null,true,false,\"\"]",
    ] {
        assert_eq!(Json::parse("it", text).expect(text).compact(), text);
    }
}

#[test]
fn pretty_text_is_indented_as_python_does() {
    let value = Json::parse("it", r#"{"a":[1,{"b":[]}],"c":{}}"#).expect("valid");
    assert_eq!(value.pretty(), "{\n  \"a\": [\n    1,\n    {\n      \"b\": []\n    }\n  ],\n  \"c\": {}\n}");
    assert_eq!(Json::parse("it", &value.pretty()), Ok(value));
}

#[test]
fn what_is_not_json_is_named_with_its_place() {
    for text in [
        "",
        "{",
        "[1,]",
        "{\"a\" 1}",
        "{a:1}",
        "01",
        "1.",
        "1e",
        "-",
        "--1",
        "nan",
        "\"\u{1}\"",
        "\"\\x\"",
        "\"\\u12g4\"",
        "\"",
        "1 2",
        "+1",
        ".5",
        "Infinit",
        "-Inf",
        "{\"a\":1,}",
        "\u{feff}{}",
    ] {
        assert!(Json::parse("it", text).is_err(), "{text:?}");
    }
    let error = Json::parse(".zattrs", "{\n  \"a\": ?\n}").expect_err("invalid");
    assert_eq!(error.to_string(), "corrupt metadata: .zattrs: no JSON value at line 2 column 8");
}

#[test]
fn deep_nesting_is_refused_and_does_not_overflow() {
    assert!(Json::parse("it", &"[".repeat(100_000)).is_err());
    assert!(Json::parse("it", &format!("{}1{}", "[".repeat(100), "]".repeat(100))).is_ok());
}

#[test]
fn the_last_of_repeated_keys_counts_and_setting_leaves_one() {
    let Json::Object(mut object) = Json::parse("it", r#"{"a":1,"b":2,"a":3,"\u0061":4}"#).expect("valid") else {
        panic!("not an object");
    };
    assert_eq!(object.get("a"), Some(&Json::number(4)));
    object.set("a", Json::number(5));
    assert_eq!(Json::Object(object.clone()).compact(), r#"{"a":5,"b":2}"#);
    assert_eq!(object.remove("a"), Some(Json::number(5)));
    assert_eq!(Json::Object(object).compact(), r#"{"b":2}"#);
}

#[test]
fn escapes_are_resolved() {
    let value = Json::parse("it", r#""\ud83d\ude00\t\"\\\u0041\ud800""#).expect("valid");
    assert_eq!(value.as_text().as_deref(), Some("\u{1f600}\t\"\\A\u{fffd}"));
    assert_eq!(Json::text("a\"\\\n\u{1}").as_text().as_deref(), Some("a\"\\\n\u{1}"));
}

proptest! {
    #[test]
    fn any_text_is_parsed_or_refused(text in "\\PC*") {
        let _ = Json::parse("it", &text);
    }

    #[test]
    fn text_of_json_characters_is_parsed_or_refused(text in "[\\[\\]{}:,\"\\\\0-9eE+.aNu-]{0,40}") {
        if let Ok(value) = Json::parse("it", &text) {
            prop_assert_eq!(Json::parse("it", &value.compact()), Ok(value.clone()));
            prop_assert_eq!(Json::parse("it", &value.pretty()), Ok(value));
        }
    }

    #[test]
    fn any_string_survives_escaping(text in any::<String>()) {
        prop_assert_eq!(Json::text(&text).as_text(), Some(text));
    }
}
