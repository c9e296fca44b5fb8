//! Exchanges and stage functions.

use proptest::{collection::vec, option, prelude::*, sample::select};
use rechunk_common::{
    ByteCount,
    geometry::{BoxGrid, Region},
    layout::ArrayLayout,
    limits::MAX_LISTED_OBJECTS,
    plan::{
        ArrayCopy, CheckSource, ClearPrefix, CopyEncoded, CopyExchangeToWrite, CopyReadToExchange, CopyReadToWrite,
        CopySmallArrays, CopyThroughScratch, CustomFunction, DeleteExchange, Document, Exchange, ExchangeCodec,
        ExchangeEncoding, FunctionId, GapPolicy, IndexExchange, ListedSource, Packing, PinnedDocument, PrefixPart,
        PresenceBitmap, PublishMetadata, ReadBackAs, ShardParts, SmallCopy, StageFunction, Verify,
    },
};

use super::{
    arrays::{grids_over, layouts_of, regions, regions_in, shapes},
    basics::{names, texts, urls},
};

pub(crate) fn exchanges_over(bounds: Region, width: usize) -> impl Strategy<Value = Exchange> {
    let grids = (grids_over(bounds.clone()), grids_over(bounds.clone()));
    let factors = vec(1_u64..4, bounds.rank());
    let codec = option::of(select(vec![ExchangeCodec::Lz4, ExchangeCodec::Zstd, ExchangeCodec::None]));
    (urls(), grids, factors, codec).prop_map(move |(url, (readers, writers), factors, codec)| {
        let lengths = writers.lengths().iter().zip(&factors).map(|(length, factor)| length * factor).collect();
        let indexers = BoxGrid::new(bounds.clone(), lengths);
        let encoding =
            codec.map_or(ExchangeEncoding::Raw, |codec| ExchangeEncoding::Packed(Packing { codec, indexers }));
        Exchange { url, width: width as u64, readers, writers, encoding }
    })
}

/// Boxes of `times` boxes of the exchange's writers along every axis, where it is raw.
pub(crate) fn writers_of(exchange: &Exchange, times: u64) -> BoxGrid {
    if exchange.packing().is_some() {
        return exchange.writers.clone();
    }
    let lengths = exchange.writers.lengths().iter().map(|length| length * times).collect();
    BoxGrid::new(exchange.writers.bounds().clone(), lengths)
}

pub(crate) fn exchanges() -> impl Strategy<Value = Exchange> {
    (regions(), 1_usize..17).prop_flat_map(|(bounds, width)| exchanges_over(bounds, width))
}

pub(crate) fn orders(rank: usize) -> impl Strategy<Value = Vec<usize>> {
    Just((0..rank).collect::<Vec<_>>()).prop_shuffle()
}

pub(crate) fn gap_policies() -> impl Strategy<Value = GapPolicy> {
    any::<(bool, bool)>().prop_map(|(strict, write_empty_chunks)| GapPolicy { strict, write_empty_chunks })
}

/// A bitmap of the objects of `source`, which the grids of samples may have more of than there may be.
pub(crate) fn bitmaps_of(source: ArrayLayout) -> impl Strategy<Value = Option<PresenceBitmap>> {
    (urls(), any::<u32>(), any::<bool>()).prop_map(move |(url, crc32c, is_there)| {
        let objects = source.write_grid();
        let size = ByteCount(objects.len().div_ceil(8));
        let bitmap = PresenceBitmap { url, size, crc32c, objects, fill: source.fill.clone() };
        (is_there && bitmap.objects.len() <= MAX_LISTED_OBJECTS).then_some(bitmap)
    })
}

/// What was listed of `source`.
pub(crate) fn listings_of(source: &ArrayLayout) -> impl Strategy<Value = Option<ListedSource>> + use<> {
    option::of(
        (any::<u64>(), bitmaps_of(source.clone()))
            .prop_map(|(longest, presence)| ListedSource { longest: ByteCount(longest), presence }),
    )
}

/// Parts for the shards of `target`, where it has shards that can be written so.
pub(crate) fn parts_of(target: &ArrayLayout) -> Option<ShardParts> {
    let bytes = ByteCount(1 + target.element.width);
    ShardParts::can_write(&target.chunks).then_some(ShardParts { bytes })
}

/// The shape, a region in it, and an element width that the parts of a function share.
pub(crate) fn frames() -> impl Strategy<Value = (Vec<u64>, Region, usize)> {
    (shapes(), 1_usize..17).prop_flat_map(|(shape, width)| (Just(shape.clone()), regions_in(&shape), Just(width)))
}

pub(crate) fn sweeps() -> impl Strategy<Value = StageFunction> {
    frames().prop_flat_map(|(shape, bounds, width)| {
        let (source, target) = (layouts_of(shape.clone(), width), layouts_of(shape.clone(), width));
        (source, target, grids_over(bounds), orders(shape.len()), gap_policies(), any::<bool>()).prop_flat_map(
            |(source, target, writers, order, gaps, is_summed)| {
                listings_of(&source).prop_map(move |listed| {
                    StageFunction::CopyReadToWrite(CopyReadToWrite {
                        source: source.clone(),
                        target: target.clone(),
                        writers: writers.clone(),
                        order: order.clone(),
                        gaps,
                        listed,
                        shard_parts: parts_of(&target),
                        is_summed,
                    })
                })
            },
        )
    })
}

/// The same chunks on both sides, whatever the rest.
pub(crate) fn pass_throughs() -> impl Strategy<Value = StageFunction> {
    frames().prop_flat_map(|(shape, bounds, width)| {
        let (source, keys) = (layouts_of(shape.clone(), width), layouts_of(shape, width));
        let rest = (grids_over(bounds), gap_policies(), any::<bool>(), any::<bool>());
        (source, keys, rest).prop_flat_map(|(source, other, (writers, gaps, by_store, is_summed))| {
            listings_of(&source).prop_map(move |listed| {
                let target = ArrayLayout { chunks: source.chunks.clone(), ..other.clone() };
                let (source, writers) = (source.clone(), writers.clone());
                let (shard_parts, is_summed) = (parts_of(&target), is_summed && !by_store);
                let copy = CopyEncoded { source, target, writers, gaps, by_store, listed, shard_parts, is_summed };
                StageFunction::CopyEncoded(copy)
            })
        })
    })
}

pub(crate) fn small_copies() -> impl Strategy<Value = StageFunction> {
    let copies = prop_oneof![sweeps().boxed(), pass_throughs().boxed()].prop_filter_map("a copy", ArrayCopy::of);
    let small = (copies, any::<u64>()).prop_map(|(copy, memory)| SmallCopy { copy, memory: ByteCount(memory) });
    vec(small, 0..3).prop_map(|copies| StageFunction::CopySmallArrays(CopySmallArrays { copies }))
}

pub(crate) fn through_scratch() -> impl Strategy<Value = StageFunction> {
    frames().prop_flat_map(|(shape, bounds, width)| {
        let layouts = (layouts_of(shape.clone(), width), layouts_of(shape.clone(), width));
        let grids = [grids_over(bounds.clone()), grids_over(bounds.clone()), grids_over(bounds)];
        let layouts = layouts.prop_flat_map(|(source, target)| {
            let listed = listings_of(&source);
            (Just(source), Just(target), listed)
        });
        (layouts, grids, orders(shape.len()), gap_policies(), any::<bool>()).prop_map(
            |((source, target, listed), [groups, readers, writers], order, gaps, is_summed)| {
                let lengths = [readers, writers].map(|grid| grid.lengths().to_vec());
                let [readers, writers] = lengths;
                let shard_parts = parts_of(&target);
                StageFunction::CopyThroughScratch(CopyThroughScratch {
                    source,
                    target,
                    groups,
                    readers,
                    writers,
                    order,
                    gaps,
                    listed,
                    shard_parts,
                    is_summed,
                })
            },
        )
    })
}

pub(crate) fn exchange_stages() -> impl Strategy<Value = StageFunction> {
    frames().prop_flat_map(|(shape, bounds, width)| {
        let array = layouts_of(shape.clone(), width);
        let array = array.prop_flat_map(|array| (Just(array.clone()), listings_of(&array)));
        (array, exchanges_over(bounds, width), orders(shape.len()), gap_policies(), 0..5, 1_u64..9).prop_map(
            |((array, listed), exchange, order, gaps, which, objects_per_task)| match which {
                0 => StageFunction::CopyReadToExchange(CopyReadToExchange {
                    sum_beside: (objects_per_task > 4).then(|| array.fill.clone()),
                    source: array,
                    exchange,
                    strict: gaps.strict,
                    listed,
                }),
                1 => StageFunction::CopyExchangeToWrite(CopyExchangeToWrite {
                    shard_parts: parts_of(&array),
                    writers: writers_of(&exchange, objects_per_task),
                    exchange,
                    target: array,
                    order,
                    gaps,
                    presence: listed.and_then(|listed| listed.presence),
                }),
                2 => StageFunction::Verify(Verify {
                    target: array,
                    boxes: exchange.writers,
                    read_back_as: match (gaps.strict, gaps.write_empty_chunks) {
                        (true, _) => ReadBackAs::Elements,
                        (false, true) => ReadBackAs::EncodedChunks,
                        (false, false) => ReadBackAs::EncodedInnerChunks,
                    },
                    presence: listed.and_then(|listed| listed.presence),
                }),
                3 if exchange.packing().is_some() => StageFunction::IndexExchange(IndexExchange { exchange }),
                _ => StageFunction::DeleteExchange(DeleteExchange { exchange, objects_per_task }),
            },
        )
    })
}

pub(crate) fn documents() -> impl Strategy<Value = Document> {
    prop_oneof![
        (urls(), texts()).prop_map(|(url, body)| Document::Write { url, body }),
        (urls(), names(), vec((names(), texts()), 0..3)).prop_map(|(group_url, node_path, documents)| {
            Document::Reconsolidate { group_url, node_path, documents }
        }),
    ]
}

pub(crate) fn pinned_documents() -> impl Strategy<Value = PinnedDocument> {
    (urls(), option::of(texts()), any::<u64>()).prop_map(|(url, etag, size)| PinnedDocument { url, etag, size })
}

pub(crate) fn custom_functions() -> impl Strategy<Value = StageFunction> {
    ("my_[a-z]{1,6}", any::<u32>(), vec(any::<u8>(), 0..20)).prop_map(|(name, version, parameters)| {
        StageFunction::Custom(CustomFunction { id: FunctionId { name, version }, parameters })
    })
}

/// In boxes: all of them by value would not fit the stack of a test's thread.
pub(crate) fn functions() -> impl Strategy<Value = StageFunction> {
    let part = select(vec![PrefixPart::Metadata, PrefixPart::Everything]);
    prop_oneof![
        (vec(urls(), 0..3), part)
            .prop_map(|(prefixes, part)| StageFunction::ClearPrefix(ClearPrefix { prefixes, part })),
        sweeps().boxed(),
        pass_throughs().boxed(),
        exchange_stages().boxed(),
        through_scratch().boxed(),
        small_copies().boxed(),
        vec(pinned_documents(), 0..3).prop_map(|documents| StageFunction::CheckSource(CheckSource { documents })),
        vec(documents(), 0..3).prop_map(|documents| StageFunction::PublishMetadata(PublishMetadata { documents })),
        custom_functions(),
    ]
}

pub(crate) fn function_ids() -> impl Strategy<Value = FunctionId> {
    (names(), any::<u32>()).prop_map(|(name, version)| FunctionId { name, version })
}
