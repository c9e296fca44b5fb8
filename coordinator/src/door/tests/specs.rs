//! The grammar of `--chunks`, `--shards` and `--codec`.

use rechunk_common::{ByteCount, Refusal, geometry::Edges};

use super::super::{
    chunk_spec, codec_spec, shard_spec,
    subject::{Subject, Subjects},
};

/// What `auto` aims at here: 10,000 elements of 4 bytes.
const AIM: ByteCount = ByteCount(40_000);

fn subject(name: &str, axes: &[(&str, u64, u64)], width: u64) -> Subject {
    Subject {
        edges: Vec::new(),
        name: name.to_owned(),
        shape: axes.iter().map(|axis| axis.1).collect(),
        dimensions: axes.iter().map(|axis| (!axis.0.is_empty()).then(|| axis.0.to_owned())).collect(),
        chunks: axes.iter().map(|axis| axis.2).collect(),
        shards: None,
        width,
    }
}

fn array() -> Vec<Subject> {
    vec![subject("", &[("time", 1000, 10), ("lat", 100, 100), ("lon", 50, 50)], 4)]
}

fn group() -> Vec<Subject> {
    vec![
        subject("count", &[], 4),
        subject("mask", &[("lat", 100, 100), ("lon", 50, 50)], 1),
        subject("odd:name", &[("a:b", 12, 5)], 2),
        subject("sub/tas", &[("time", 1000, 10), ("lat", 100, 100)], 4),
        subject("tas", &[("time", 1000, 10), ("lat", 100, 100), ("lon", 50, 50)], 4),
        subject("time", &[("time", 1000, 1000)], 8),
    ]
}

fn chunks(arrays: &[Subject], is_group: bool, specs: &[&str]) -> Result<Vec<Vec<u64>>, Refusal> {
    let specs: Vec<String> = specs.iter().map(|&spec| spec.to_owned()).collect();
    let choices = chunk_spec::choose(&specs, Subjects { arrays, is_group }, AIM)?;
    Ok(choices.arrays.into_iter().map(|choice| choice.chunks).collect())
}

fn of_array(spec: &str) -> Vec<u64> {
    chunks(&array(), false, &[spec]).unwrap_or_else(|refusal| panic!("{spec}: {refusal}")).remove(0)
}

#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T, Refusal>, field: &str, reason: &str) -> String {
    let refusal = result.expect_err("a refusal");
    assert_eq!((refusal.field.as_deref(), refusal.reason.as_str()), (Some(field), reason), "{refusal}");
    refusal.message
}

#[test]
fn a_spec_of_an_array_reads_as_the_interface_says() {
    for (spec, expected) in [
        ("5,6,7", [5, 6, 7]),
        (" 5 , 6, 7 ", [5, 6, 7]),
        ("-1,keep,7", [1000, 100, 7]),
        ("keep,keep,keep", [10, 100, 50]),
        ("5000,6,70", [1000, 6, 50]),
        ("5000!,6!,70!", [5000, 6, 70]),
        ("time=100", [100, 100, 50]),
        ("lon=-1,time=3", [3, 100, 50]),
        ("time=8760!,lat=16", [8760, 16, 50]),
        ("time=keep,lat=1", [10, 1, 50]),
        // 100 × 50 elements of 4 bytes a step: 20,000 bytes.
        ("time=1MB", [50, 100, 50]),
        ("time=1MB,lat=10", [500, 100, 50].map(|n| if n == 100 { 10 } else { n })),
        // 99 fit; 90 are nine chunks of the source.
        ("time=1.9999MB", [90, 100, 50]),
        ("time=399999B", [19, 100, 50]),
        ("time=1GiB", [1000, 100, 50]),
        ("1MB,10,5", [1000, 10, 5]),
        ("time=20000B", [1, 100, 50]),
    ] {
        assert_eq!(of_array(spec), expected, "{spec}");
    }
}

/// The lengths of chunks along the axes where they differ.
fn lengths(arrays: &[Subject], spec: &str) -> Vec<Option<Vec<u64>>> {
    let choices = chunk_spec::choose(&[spec.to_owned()], Subjects { arrays, is_group: false }, AIM);
    let choice = choices.unwrap_or_else(|refusal| panic!("{spec}: {refusal}")).arrays.remove(0);
    choice.edges.iter().map(|edges| edges.as_ref().map(|edges| edges.lengths().collect())).collect()
}

#[test]
fn chunks_that_differ_in_length_are_asked_for_or_kept() {
    let asked = |spec: &str| (lengths(&array(), spec), of_array(spec));
    let months = vec![31, 28, 31, 910];
    assert_eq!(asked("time=31+28+31+910"), (vec![Some(months.clone()), None, None], vec![910, 100, 50]));
    assert_eq!(asked("400*2 + 500+9, 6, 7"), (vec![Some(vec![400, 400, 500]), None, None], vec![500, 6, 7]));
    // All alike, or for as far as the axis goes.
    assert_eq!(asked("lon=20*3"), (vec![None, None, None], vec![10, 100, 20]));
    assert_eq!(asked("lon=10*5+7"), (vec![None, None, None], vec![10, 100, 10]));
    let mut unequal = array();
    unequal[0].edges = vec![Edges::new(months.clone()), None, None];
    unequal[0].chunks[0] = 910;
    for (spec, expected) in
        [("lat=10", Some(months.clone())), ("keep,5,5", Some(months.clone())), ("time=5", None), ("auto", None)]
    {
        assert_eq!(lengths(&unequal, spec).first().cloned().flatten(), expected, "{spec}");
    }
    unequal[0].restrict(&[40, 0, 0], &[50, 100, 50]);
    assert_eq!(lengths(&unequal, "lat=10")[0], Some(vec![19, 31]), "a part keeps what it has of them");
    unequal[0].restrict(&[0, 0, 0], &[19, 100, 50]);
    assert_eq!(
        (lengths(&unequal, "lat=10")[0].clone(), chunks(&unequal, false, &["lat=10"]).expect("one")),
        (None, vec![vec![19, 10, 50]])
    );
    for (spec, reason, word) in [
        ("time=500+499", "CHUNKS_TOO_SHORT", "add up to 999, and it has 1000 elements"),
        ("time=500+0+500", "INVALID_CHUNK_LENGTH", "31+28+31*2"),
        ("time=500+", "INVALID_CHUNK_LENGTH", "500+"),
        ("time=1*32769", "INVALID_CHUNK_LENGTH", "32768"),
        ("time=500*2*2", "INVALID_CHUNK_LENGTH", "500*2*2"),
        ("time=500+1MB", "INVALID_CHUNK_SPEC", "lengths that differ"),
    ] {
        let message = refused(chunks(&array(), false, &[spec]), "chunks[0]", reason);
        assert!(message.contains(word), "{message}");
    }
}

#[test]
fn auto_is_for_every_axis_or_for_single_ones() {
    for (spec, expected) in [
        // 10,000 elements are aimed at: about 8 cuts along every axis.
        ("auto", [120, 12, 7]),
        ("auto,auto,auto", [120, 12, 7]),
        // 125 × 80 elements; 130 are thirteen chunks of the source.
        ("time=auto,lat=16,lon=5", [130, 16, 5]),
        ("-1,auto,1", [1000, 10, 1]),
        // Nothing is left: one element.
        ("auto,100,50", [2, 100, 50]),
        ("5000!,-1,auto", [5000, 100, 1]),
    ] {
        assert_eq!(of_array(spec), expected, "{spec}");
    }
    let scalar = [subject("", &[], 8)];
    assert_eq!(chunks(&scalar, false, &["auto"]).expect("0-d"), [Vec::<u64>::new()]);
}

#[test]
fn auto_in_a_group_spares_coordinates_and_named_arrays() {
    let all = chunks(&group(), true, &["auto"]).expect("all");
    assert_eq!(all[5], [1000], "the coordinate stays whole");
    assert_eq!((&all[0], &all[2]), (&vec![], &vec![12]), "what is small is one chunk");
    assert_eq!(all[4], of_array("auto"));
    let some = chunks(&group(), true, &["auto", "tas:5,6,7", "time:auto"]).expect("named");
    assert_eq!((&some[4], &some[5], &some[3]), (&vec![5, 6, 7], &vec![1000], &all[3]));
    assert_eq!(chunks(&group(), true, &["tas:auto"]).expect("one")[3], [10, 100], "others keep their chunks");
    refused(chunks(&group(), true, &["auto", "time=5"]), "chunks[1]", "DUPLICATE_ARRAY");
}

#[test]
fn several_specs_of_an_array_add_up_by_dimension() {
    assert_eq!(chunks(&array(), false, &["time=5", "lat=6"]).expect("two dimensions"), [[5, 6, 50]]);
    assert_eq!(chunks(&array(), false, &[]).expect("none"), [[10, 100, 50]]);
}

#[test]
fn the_empty_spec_is_that_of_a_0_d_array() {
    let scalar = [subject("", &[], 8)];
    assert_eq!(chunks(&scalar, false, &[""]).expect("0-d"), [Vec::<u64>::new()]);
    refused(chunks(&scalar, false, &["5"]), "chunks[0]", "RANK_MISMATCH");
    refused(chunks(&array(), false, &[""]), "chunks[0]", "RANK_MISMATCH");
}

#[test]
fn an_axis_without_elements_has_chunks_of_one() {
    let empty = [subject("", &[("x", 0, 4)], 8)];
    assert_eq!(chunks(&empty, false, &["-1"]).expect("whole"), [[1]]);
    assert_eq!(chunks(&empty, false, &["7"]).expect("clamped"), [[1]]);
    assert_eq!(chunks(&empty, false, &["7!"]).expect("kept"), [[7]]);
    assert_eq!(chunks(&empty, false, &["keep"]).expect("kept"), [[4]]);
}

#[test]
fn wrong_specs_of_an_array_are_refused_by_reason() {
    for (spec, reason) in [
        ("5,6", "RANK_MISMATCH"),
        ("5,6,7,8", "RANK_MISMATCH"),
        ("0,6,7", "INVALID_CHUNK_LENGTH"),
        ("-2,6,7", "INVALID_CHUNK_LENGTH"),
        ("time=0", "INVALID_CHUNK_LENGTH"),
        ("time=0!", "INVALID_CHUNK_LENGTH"),
        ("time=0MB", "INVALID_CHUNK_LENGTH"),
        ("time=99999999999999999999", "INVALID_CHUNK_LENGTH"),
        ("time=", "INVALID_CHUNK_SPEC"),
        ("time=-1!", "INVALID_CHUNK_LENGTH"),
        ("time=five", "INVALID_CHUNK_SPEC"),
        ("5,,7", "INVALID_CHUNK_SPEC"),
        ("time=5,6", "INVALID_CHUNK_SPEC"),
        ("1MB,1MB,5", "INVALID_CHUNK_SPEC"),
        ("auto,auto", "RANK_MISMATCH"),
        ("auto!", "INVALID_CHUNK_SPEC"),
        ("time=auto,lat=1MB", "INVALID_CHUNK_SPEC"),
        ("auto,1MB,keep", "INVALID_CHUNK_SPEC"),
        ("depth=5", "UNKNOWN_DIMENSION"),
        ("time=5,time=6", "DUPLICATE_DIMENSION"),
        ("tas:5,6,7", "UNKNOWN_ARRAY"),
        ("time=19999B", "CHUNK_SIZE_TOO_SMALL"),
    ] {
        refused(chunks(&array(), false, &[spec]), "chunks[0]", reason);
    }
    refused(chunks(&array(), false, &["5,6,7", "5,6,7"]), "chunks[1]", "DUPLICATE_ARRAY");
    refused(chunks(&array(), false, &["time=5", "5,6,7"]), "chunks[0]", "DUPLICATE_ARRAY");
    refused(chunks(&array(), false, &["time=5", "time=6"]), "chunks[1]", "DUPLICATE_DIMENSION");
    refused(chunks(&array(), false, &["time=1MB", "lat=1MB"]), "chunks[1]", "INVALID_CHUNK_SPEC");
    refused(chunks(&array(), false, &["time=1MB", "lat=auto"]), "chunks[0]", "INVALID_CHUNK_SPEC");
    refused(chunks(&array(), false, &["auto", "auto"]), "chunks[1]", "DUPLICATE_ARRAY");
    refused(chunks(&array(), false, &["auto", "time=5"]), "chunks[1]", "DUPLICATE_ARRAY");
}

#[test]
fn a_dimension_name_that_two_axes_share_names_neither() {
    let square = [subject("", &[("x", 5, 5), ("x", 5, 5)], 8)];
    refused(chunks(&square, false, &["x=2"]), "chunks[0]", "AMBIGUOUS_DIMENSION");
    assert_eq!(chunks(&square, false, &["2,3"]).expect("by position"), [[2, 3]]);
}

#[test]
fn in_a_group_a_spec_without_a_name_goes_by_dimension_and_spares_coordinates() {
    let expected: [&[u64]; 6] = [&[], &[16, 50], &[5], &[100, 16], &[100, 16, 50], &[1000]];
    assert_eq!(chunks(&group(), true, &["time=100,lat=16"]).expect("by dimension"), expected);
    assert_eq!(chunks(&group(), true, &["time=100", "lat=16"]).expect("two specs"), expected);
}

#[test]
fn a_named_spec_wins_as_a_whole() {
    let expected: [&[u64]; 6] = [&[], &[16, 50], &[3], &[100, 16], &[10, 100, 7], &[20]];
    let specs = ["time=100,lat=16", "tas:lon=7", "odd:name:3", "time:20", "count:"];
    assert_eq!(chunks(&group(), true, &specs).expect("named"), expected);
    let expected: [&[u64]; 6] = [&[], &[100, 50], &[4], &[1, 2], &[10, 100, 50], &[1000]];
    assert_eq!(chunks(&group(), true, &["sub/tas:1,2", "a:b=4"]).expect("colons in names"), expected);
}

#[test]
fn wrong_specs_of_a_group_are_refused_by_reason() {
    for (spec, reason) in [
        ("5,6,7", "ARRAY_NAME_NEEDED"),
        ("-1", "ARRAY_NAME_NEEDED"),
        ("", "ARRAY_NAME_NEEDED"),
        ("pr:5,6", "UNKNOWN_ARRAY"),
        ("pr:time=5", "UNKNOWN_ARRAY"),
        ("sub:time=5", "UNKNOWN_ARRAY"),
        ("depth=5", "UNKNOWN_DIMENSION"),
        ("mask:time=5", "UNKNOWN_DIMENSION"),
        ("tas:5,6", "RANK_MISMATCH"),
        ("count:5", "RANK_MISMATCH"),
        ("tas:time=0", "INVALID_CHUNK_LENGTH"),
    ] {
        refused(chunks(&group(), true, &[spec]), "chunks[0]", reason);
    }
    refused(chunks(&group(), true, &["tas:5,6,7", "tas:time=1"]), "chunks[1]", "DUPLICATE_ARRAY");
    refused(chunks(&group(), true, &["time=5", "lat=1,time=6"]), "chunks[1]", "DUPLICATE_DIMENSION");
    let message = refused(chunks(&group(), true, &["pr:5"]), "chunks[0]", "UNKNOWN_ARRAY");
    assert!(message.contains("sub/tas"), "it says what there is: {message}");
}

#[test]
fn a_dimension_of_coordinates_only_changes_nothing_and_is_said() {
    let arrays = [subject("x", &[("x", 100, 100)], 8)];
    let specs = ["x=5".to_owned()];
    let choices = chunk_spec::choose(&specs, Subjects { arrays: &arrays, is_group: true }, AIM).expect("a coordinate");
    assert_eq!(choices.arrays[0].chunks, [100]);
    assert!(choices.warnings[0].contains("\"x\""), "{:?}", choices.warnings);
    assert_eq!(chunks(&arrays, true, &["x:5"]).expect("named"), [[5]]);
}

/// Target shards for chunk specs and shard specs.
fn shards(
    arrays: &[Subject],
    is_group: bool,
    chunk_specs: &[&str],
    shard_specs: &[&str],
) -> Result<Vec<Option<Vec<u64>>>, Refusal> {
    let owned = |specs: &[&str]| specs.iter().map(|&spec| spec.to_owned()).collect::<Vec<_>>();
    let subjects = Subjects { arrays, is_group };
    let chunks = chunk_spec::choose(&owned(chunk_specs), subjects, AIM)?;
    let (choices, _) = shard_spec::choose(&owned(shard_specs), subjects, &chunks.arrays)?;
    Ok(choices.into_iter().map(|choice| choice.shards).collect())
}

fn sharded() -> Vec<Subject> {
    let mut arrays = array();
    arrays[0].shards = Some(vec![100, 100, 50]);
    arrays
}

#[test]
fn shards_of_an_array_read_as_the_interface_says() {
    let one = |arrays: &[Subject], chunks: &[&str], specs: &[&str]| {
        shards(arrays, false, chunks, specs).unwrap_or_else(|refusal| panic!("{specs:?}: {refusal}")).remove(0)
    };
    assert_eq!(one(&array(), &["5,6,7"], &["50,60,49"]), Some(vec![50, 60, 49]));
    assert_eq!(one(&array(), &["5,6,7"], &["-1,-1,-1"]), Some(vec![1000, 102, 56]), "rounded up to whole chunks");
    assert_eq!(one(&array(), &["5,6,7"], &["2000,6,700"]), Some(vec![1000, 6, 56]), "clamped");
    assert_eq!(one(&array(), &["5,6,7"], &["2000!,6,700!"]), Some(vec![2000, 6, 700]), "kept");
    assert_eq!(one(&array(), &["5,6,7"], &["time=50"]), Some(vec![50, 6, 7]), "else one chunk");
    assert_eq!(one(&array(), &["5,6,7"], &["time=10kB"]), Some(vec![50, 6, 7]), "a size, in whole chunks");
    assert_eq!(one(&array(), &["4,6,7"], &["time=10kB"]), Some(vec![40, 6, 7]), "… of the source too");
    assert_eq!(one(&array(), &["5,6,7"], &["auto"]), Some(vec![1000, 102, 56]), "all is less than a shard may be");
    assert_eq!(one(&array(), &["5,6,7"], &["time=auto"]), Some(vec![1000, 6, 7]));
    assert_eq!(one(&array(), &["-1,-1,-1"], &["auto"]), None, "a shard of one chunk is no use");
    assert_eq!(one(&array(), &["5,6,7"], &["none"]), None);
    assert_eq!(one(&array(), &["5,6,7"], &["keep"]), None, "there was none to keep");
    assert_eq!(one(&sharded(), &["time=5"], &["keep"]), Some(vec![100, 100, 50]));
    assert_eq!(one(&sharded(), &["time=5"], &["lat=100"]), Some(vec![100, 100, 50]), "others keep their length");
    assert_eq!(one(&sharded(), &[], &["none"]), None);
}

#[test]
fn without_a_shard_spec_changed_arrays_lose_their_shards_and_unchanged_ones_keep_them() {
    assert_eq!(shards(&sharded(), false, &["time=5"], &[]).expect("changed"), [None]);
    assert_eq!(shards(&sharded(), false, &[], &[]).expect("unchanged"), [Some(vec![100, 100, 50])]);
    assert_eq!(shards(&sharded(), false, &["time=10"], &[]).expect("the same"), [Some(vec![100, 100, 50])]);
}

#[test]
fn shards_of_a_group_go_by_name_and_dimension() {
    let none = None;
    let expected = [none.clone(), none.clone(), none.clone(), Some(vec![200, 100]), Some(vec![20, 100, 50]), none];
    assert_eq!(shards(&group(), true, &[], &["time=200", "tas:20,100,50"]).expect("both"), expected);
    let specs = ["time=200", "tas:none", "sub/tas:keep"];
    assert_eq!(shards(&group(), true, &[], &specs).expect("words by name win"), vec![None; 6]);
}

#[test]
fn wrong_shard_specs_are_refused_by_reason() {
    for (chunk_spec, shard_spec, reason) in [
        ("5,6,7", "51,60,49", "SHARDS_NOT_A_MULTIPLE"),
        ("5,6,7", "5,6,50", "SHARDS_NOT_A_MULTIPLE"),
        ("5,6,7", "50,60", "RANK_MISMATCH"),
        ("5,6,7", "0,6,7", "INVALID_CHUNK_LENGTH"),
        ("5,6,7", "depth=7", "UNKNOWN_DIMENSION"),
        ("5,6,7", "time=auto,lat=1MB", "INVALID_CHUNK_SPEC"),
        ("5,6,7", "time=839B", "CHUNK_SIZE_TOO_SMALL"),
    ] {
        refused(shards(&array(), false, &[chunk_spec], &[shard_spec]), "shards[0]", reason);
    }
    refused(shards(&sharded(), false, &["time=7"], &["keep"]), "shards[0]", "SHARDS_NOT_A_MULTIPLE");
    refused(shards(&array(), false, &[], &["keep", "none"]), "shards[1]", "DUPLICATE_ARRAY");
    refused(shards(&array(), false, &[], &["10,100,50", "keep"]), "shards[0]", "DUPLICATE_ARRAY");
    refused(shards(&group(), true, &[], &["tas:20,100,50", "tas:none"]), "shards[0]", "DUPLICATE_ARRAY");
    refused(shards(&group(), true, &[], &["pr:keep"]), "shards[0]", "UNKNOWN_ARRAY");
    refused(shards(&array(), false, &[], &["time=1MB", "lat=1MB"]), "shards[1]", "INVALID_CHUNK_SPEC");
    refused(shards(&group(), true, &[], &["5"]), "shards[0]", "ARRAY_NAME_NEEDED");
}

fn codecs(arrays: &[Subject], is_group: bool, specs: &[&str]) -> Result<Vec<Option<String>>, Refusal> {
    let specs: Vec<String> = specs.iter().map(|&spec| spec.to_owned()).collect();
    let chosen = codec_spec::choose(&specs, Subjects { arrays, is_group })?;
    Ok(chosen.into_iter().map(|chosen| chosen.map(|chosen| chosen.field)).collect())
}

#[test]
fn a_codec_without_a_name_is_for_every_array_and_a_named_one_wins() {
    let all = Some("codecs[0]".to_owned());
    let named = Some("codecs[1]".to_owned());
    let expected = [all.clone(), all.clone(), named, all.clone(), Some("codecs[2]".to_owned()), all];
    assert_eq!(codecs(&group(), true, &["zstd:3", "odd:name:blosc:lz4:5", "tas:none"]).expect("codecs"), expected);
    assert_eq!(codecs(&array(), false, &["blosc:zstd:5:shuffle"]).expect("one"), [Some("codecs[0]".to_owned())]);
    assert_eq!(codecs(&array(), false, &[]).expect("none"), [None]);
    assert!(codecs(&group(), true, &[r#"tas:[{"name": "bytes"}]"#]).is_ok(), "colons within JSON");
}

#[test]
fn wrong_codecs_are_refused_by_name() {
    for (spec, named) in [("snappy", "snappy"), ("zstd:high", "zstd:high"), ("[", "[")] {
        let refusal = codecs(&array(), false, &[spec]).expect_err("a refusal");
        assert_eq!(refusal.field.as_deref(), Some("codecs[0]"), "{refusal}");
        assert!(refusal.message.contains(named), "{refusal}");
    }
    let refusal = codecs(&group(), true, &["pr:zstd"]).expect_err("a refusal");
    assert!(refusal.message.contains("no array of the source"), "{refusal}");
    refused(codecs(&array(), false, &["zstd", "gzip"]), "codecs[1]", "DUPLICATE_ARRAY");
    refused(codecs(&group(), true, &["tas:zstd", "tas:gzip"]), "codecs[1]", "DUPLICATE_ARRAY");
}
