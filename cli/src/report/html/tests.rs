use rechunk_common::{
    geometry::{BoxGrid, Region},
    plan::{Exchange, ExchangeEncoding},
};

use super::{
    drawing::{Block, Drawing, Role},
    markup::Markup,
    scene::Scene,
    *,
};

const SHAPE: [u64; 3] = [365, 180, 360];

#[test]
fn text_of_others_never_becomes_markup() {
    let mut markup = Markup::default();
    markup.raw("<p title=\"").text("a\"b'c").raw("\">").text("<script>&\u{1b}[31m").raw("</p>");
    assert_eq!(
        markup.into_string(),
        "<p title=\"a&quot;b&#39;c\">&lt;script&gt;&amp;\u{fffd}[31m</p>",
        "quotes, brackets, ampersands and control characters"
    );
}

#[test]
fn coordinates_are_rounded_and_never_minus_zero() {
    let mut markup = Markup::default();
    markup.px(1.0 / 3.0).raw(" ").px(-0.01).raw(" ").px(12.0);
    assert_eq!(markup.into_string(), "0.3 0 12");
}

#[test]
fn the_first_axis_goes_into_the_page_and_the_last_across() {
    let scene = Scene::of(&SHAPE, &[1, 180, 360], &[365, 18, 36]);
    assert_eq!(scene.sides.each_ref().map(|side| side.axis), [Some(0), Some(1), Some(2)]);
    let flat = Scene::of(&[10, 20], &[1, 1], &[1, 1]);
    assert_eq!(flat.sides.each_ref().map(|side| side.axis), [None, Some(0), Some(1)]);
    assert_eq!(Scene::of(&[], &[], &[]).sides.each_ref().map(|side| side.axis), [None; 3]);
}

#[test]
fn of_more_than_three_axes_those_with_most_cuts_are_drawn() {
    let scene = Scene::of(&[5, 60, 90, 80], &[5, 1, 90, 80], &[1, 60, 10, 80]);
    assert_eq!(scene.sides.each_ref().map(|side| side.axis), [Some(0), Some(1), Some(2)]);
    assert_eq!(scene.hidden, [3]);
}

#[test]
fn lines_between_chunks_are_to_scale_and_thinned_out() {
    let scene = Scene::of(&SHAPE, &[1, 180, 360], &[365, 18, 36]);
    let across = scene.cuts(2, 36, 0, 360);
    assert_eq!((across.every, across.at.len()), (1, 9));
    let width = scene.sides[2].pixels;
    assert!((across.at[0] - width / 10.0).abs() < 1e-9, "a tenth of the side");
    for length in [1, 7, 1_000_000] {
        let huge = Scene::of(&[u64::MAX], &[length], &[length]);
        let cuts = huge.cuts(2, length, 0, u64::MAX);
        assert!(cuts.every > 1 && cuts.at.len() < 100, "{} lines", cuts.at.len());
    }
}

#[test]
fn a_region_too_thin_to_see_is_drawn_three_pixels_thick() {
    let scene = Scene::of(&[1_000_000, 100, 100], &[1, 100, 100], &[1, 100, 100]);
    for at in [0, 500_000, 999_999] {
        let [(from, to), _, across] = scene.span(&[at, 0, 0], &[at + 1, 100, 100]);
        assert!((to - from - 3.0).abs() < 1e-9 && from >= 0.0 && to <= scene.sides[0].pixels + 1e-9, "{from}..{to}");
        assert!((across.1 - scene.sides[2].pixels).abs() < 1e-9);
    }
}

#[test]
fn a_drawing_says_what_it_left_out() {
    let scene = Scene::of(&SHAPE, &[1, 180, 360], &[365, 18, 36]);
    let names = ["time", "lat", "<lon>"].map(str::to_owned);
    let block = Block { role: Role::Source, start: vec![0; 3], end: vec![1, 180, 360], cut_by: None };
    let drawing = Drawing {
        scene: &scene,
        names: &names,
        role: Role::Source,
        grid: &[1, 180, 360],
        shards: None,
        blocks: vec![block],
        label: "a \"quoted\" label".to_owned(),
    };
    let (svg, notes) = drawing.svg();
    let svg = svg.into_string();
    assert_eq!(notes, ["along time one line stands for 20 chunks"]);
    assert!(svg.contains("&lt;lon&gt;") && svg.contains("a &quot;quoted&quot; label"), "{svg}");
    assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
}

#[test]
fn numbers_come_with_their_nouns() {
    assert_eq!(counted(1, "chunk"), "1 chunk");
    assert_eq!(counted(96_432, "chunk"), "96,432 chunks");
    assert_eq!(lengths(&[1, 1440]), "1 × 1,440");
    assert_eq!(last_name("s3://bucket/a/b.zarr/"), "b.zarr");
}

#[test]
fn a_block_of_an_exchange_is_counted_as_the_worker_fetches_it() {
    let bounds = Region::whole(&SHAPE);
    let exchange = Exchange {
        url: "memory://t/x".to_owned(),
        width: 4,
        readers: BoxGrid::new(bounds.clone(), vec![50, 180, 360]),
        writers: BoxGrid::new(bounds, vec![365, 18, 36]),
        encoding: ExchangeEncoding::Raw,
    };
    let own = exchange.writers.region(0).expect("a task");
    assert_eq!(sample::overlapped(&exchange.readers, &own).0, 8);
    let own = exchange.readers.region(0).expect("a task");
    let (blocks, covered) = sample::overlapped(&exchange.writers, &own);
    assert_eq!((blocks, covered.shape()), (100, SHAPE.to_vec()));
}
