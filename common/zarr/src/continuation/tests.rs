use crate::{
    MetadataError,
    document::tests::{PLAIN, SHARDED, V2, v2, v3},
};

#[test]
fn an_array_that_grows_has_another_shape_and_all_else_as_it_was() {
    for (document, shape) in
        [(v3(PLAIN), vec![8, 12]), (v3(SHARDED), vec![100, 9]), (v2(V2, Some(r#"{"a":1e3}"#)), vec![9, 9])]
    {
        let grown = document.resized(&shape).expect("grown");
        assert_eq!(grown.shape(), shape);
        let back = grown.resized(document.shape()).expect("back");
        assert_eq!(back.documents(), document.documents(), "nothing but the shape differs");
    }
    assert!(matches!(v3(PLAIN).resized(&[8]), Err(MetadataError::ChunkShape { field: "shape", .. })));
}

#[test]
fn elements_go_behind_others_of_the_same_kind_in_either_format() {
    let of_type = |data_type: &str| v3(&PLAIN.replace("int32", data_type));
    let big = v2(V2, None);
    for (target, source) in [(v3(PLAIN), big.clone()), (big.clone(), v3(PLAIN)), (of_type("float32"), v3(SHARDED))] {
        target.check_elements_of(&source).expect("the same elements");
    }
    for data_type in ["uint32", "float32", "int64", "int16"] {
        let Err(MetadataError::UnsupportedDataType { data_type: named, problem }) =
            v3(PLAIN).check_elements_of(&of_type(data_type))
        else {
            panic!("{data_type} goes behind int32");
        };
        assert_eq!(named, data_type);
        assert!(problem.contains("int32"), "{problem}");
    }
}

#[test]
fn elements_that_would_be_rounded_are_refused() {
    let filter = r#"{"name":"numcodecs.bitround","configuration":{"keepbits":5}},{"name":"bytes"#;
    let rounded = SHARDED.replacen(r#"{"name":"bytes"#, filter, 1);
    assert_ne!(rounded, SHARDED);
    v3(&rounded).check_elements_of(&v3(&rounded)).expect("they are rounded already");
    let refused = v3(&rounded).check_elements_of(&v3(SHARDED));
    assert!(matches!(refused, Err(MetadataError::UnsupportedCodec { .. })), "{refused:?}");
    v3(SHARDED).check_elements_of(&v3(&rounded)).expect("nothing is rounded");
}

#[test]
fn what_numbers_mean_is_told_from_what_people_read() {
    let with = |attributes: &str| v2(V2, Some(attributes));
    let days = with(r#"{"units":"days since 2000-01-01","long_name":"time"}"#);
    assert_eq!(days.difference_of_meaning(&with(r#"{"long_name":"t","units":"days since 2000-01-01"}"#)), None);
    let (name, [own, others]) =
        days.difference_of_meaning(&with(r#"{"units":"hours since 2000-01-01"}"#)).expect("another unit");
    assert_eq!(name, "units");
    assert_eq!(own.as_deref(), Some(r#""days since 2000-01-01""#));
    assert_eq!(others.as_deref(), Some(r#""hours since 2000-01-01""#));
    let packed = with(r#"{"units":"days since 2000-01-01","scale_factor":0.1}"#);
    assert_eq!(packed.difference_of_meaning(&days), Some(("scale_factor", [Some("0.1".to_owned()), None])));
}
