//! Regions, grids and layouts.

use proptest::{collection::vec, option, prelude::*, sample::select};
use rechunk_common::{
    geometry::{BoxGrid, Edges, Region},
    layout::{ArrayLayout, ArrayPart, ChunkKeys, ChunkLayout, ElementType, IndexLocation, Separator},
};

use super::basics::{names, urls};

pub(crate) fn shapes() -> impl Strategy<Value = Vec<u64>> {
    vec(0_u64..50, 0..5)
}

/// A box length per axis.
pub(crate) fn lengths(rank: usize) -> impl Strategy<Value = Vec<u64>> {
    vec(1_u64..9, rank)
}

/// A region of an array of this shape.
pub(crate) fn regions_in(shape: &[u64]) -> impl Strategy<Value = Region> + use<> {
    let axes: Vec<_> =
        shape.iter().map(|length| (0..=*length, 0..=*length).prop_map(|(a, b)| (a.min(b), a.max(b)))).collect();
    axes.prop_map(|axes: Vec<(u64, u64)>| {
        Region::new(axes.iter().map(|a| a.0).collect(), axes.iter().map(|a| a.1).collect())
    })
}

pub(crate) fn regions() -> impl Strategy<Value = Region> {
    shapes().prop_flat_map(|shape| regions_in(&shape))
}

pub(crate) fn grids_over(bounds: Region) -> impl Strategy<Value = BoxGrid> {
    lengths(bounds.rank()).prop_map(move |lengths| BoxGrid::new(bounds.clone(), lengths))
}

pub(crate) fn grids() -> impl Strategy<Value = BoxGrid> {
    (regions().prop_flat_map(grids_over), any::<(bool, bool)>()).prop_map(|(grid, (is_ahead, is_unequal))| {
        let ahead = grid.bounds().start().to_vec();
        let grid = if is_ahead { grid.begun_ahead(ahead) } else { grid };
        let axes = grid.lengths().iter().enumerate();
        let of_axis = |(axis, length): (usize, &u64)| unequal(*length, grid.bounds().length(axis) + grid.ahead(axis));
        let edges: Vec<Option<Edges>> = axes.map(of_axis).collect();
        if is_unequal { grid.cut_at(&edges) } else { grid }
    })
}

pub(crate) fn codec_lists() -> impl Strategy<Value = String> {
    select(vec!["[]", r#"[{"name":"bytes","configuration":{"endian":"little"}}]"#, r#"["crc32c"]"#])
        .prop_map(str::to_owned)
}

pub(crate) fn chunk_layouts(rank: usize) -> impl Strategy<Value = ChunkLayout> {
    let location = select(vec![IndexLocation::Start, IndexLocation::End]);
    let parts = (lengths(rank), lengths(rank), codec_lists(), codec_lists(), location, any::<bool>());
    parts.prop_map(|(chunk_shape, times, codecs, index_codecs, index_location, sharded)| {
        if sharded {
            let shard_shape = chunk_shape.iter().zip(&times).map(|(length, times)| length * times).collect();
            ChunkLayout::Sharded { shard_shape, chunk_shape, codecs, index_codecs, index_location }
        } else {
            ChunkLayout::Plain { chunk_shape, codecs }
        }
    })
}

pub(crate) fn layouts_of(shape: Vec<u64>, width: usize) -> impl Strategy<Value = ArrayLayout> {
    let separator = select(vec![Separator::Slash, Separator::Dot]);
    let parts =
        (urls(), names(), vec(any::<u8>(), width), any::<bool>(), chunk_layouts(shape.len()), separator, any::<bool>());
    parts
        .prop_map(move |(url, data_type, fill, has_fill, chunks, separator, is_v2)| ArrayLayout {
            url,
            shape: shape.clone(),
            element: ElementType { data_type, width: width as u64 },
            fill,
            has_fill,
            chunks,
            keys: if is_v2 { ChunkKeys::V2 { separator } } else { ChunkKeys::Default { separator } },
            part: None,
            edges: Vec::new(),
        })
        .boxed()
}

/// Boxes of `longest` behind one of a single element, which reach to `least`; none where all would be alike.
fn unequal(longest: u64, least: u64) -> Option<Edges> {
    let count = usize::try_from(least / longest + 1).expect("small");
    (longest > 1).then(|| Edges::new(std::iter::once(1).chain(vec![longest; count])).expect("some boxes"))
}

fn cut_unequally(layout: ArrayLayout) -> ArrayLayout {
    let units = layout.chunks.write_unit().iter().zip(&layout.shape);
    let edges: Vec<Option<Edges>> = units.map(|(unit, length)| unequal(*unit, *length)).collect();
    let is_plain = !layout.chunks.is_sharded() && layout.part.is_none() && edges.iter().any(Option::is_some);
    if is_plain { ArrayLayout { edges, ..layout } } else { layout }
}

pub(crate) fn layouts() -> impl Strategy<Value = ArrayLayout> {
    let layouts = (shapes(), 1_usize..17).prop_flat_map(|(shape, width)| layouts_of(shape, width));
    let starts = option::of(vec((any::<u32>(), any::<u32>()), 5));
    (layouts, starts, any::<bool>()).prop_map(|(layout, starts, is_unequal)| {
        let of = |of: fn(&(u32, u32)) -> u64, starts: &[(u32, u32)]| {
            starts.iter().take(layout.shape.len()).map(of).collect()
        };
        let part = starts.map(|starts| ArrayPart {
            start: of(|(origin, more)| u64::from(*origin) + u64::from(*more), &starts),
            origin: of(|(origin, _)| u64::from(*origin), &starts),
        });
        let layout = ArrayLayout { part, ..layout };
        if is_unequal { cut_unequally(layout) } else { layout }
    })
}
