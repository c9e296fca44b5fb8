//! Boxes of unequal lengths. Behind this door there is an entry per axis or none at all, some axis has unequal boxes, and
//! these reach as far as they must.

use rechunk_common::{geometry::Edges, limits::MAX_UNEQUAL_BOXES};

use super::field::{each_by, lengths, of_rank, positive, within};
use crate::{
    fault::{Fault, Problem},
    v1,
};

/// What travels: nothing where all boxes are equal.
pub(super) fn to_wire(edges: &[Option<Edges>]) -> Vec<v1::Edges> {
    let of_axis = |edges: &Option<Edges>| {
        let (lengths, counts) = edges.as_ref().map(Edges::runs).unwrap_or_default().into_iter().unzip();
        v1::Edges { lengths, counts }
    };
    if edges.iter().all(Option::is_none) { Vec::new() } else { edges.iter().map(of_axis).collect() }
}

/// Edges of boxes of which the longest are as `longest` says, and which reach to `least` of their axis.
pub(super) fn from_wire(edges: Vec<v1::Edges>, longest: &[u64], least: &[u64]) -> Result<Vec<Option<Edges>>, Fault> {
    if edges.is_empty() {
        return Ok(Vec::new());
    }
    if edges.len() != longest.len() {
        return Err(Fault::at("edges", Problem::RankMismatch { expected: longest.len(), found: edges.len() }));
    }
    let read: Vec<Option<Edges>> = each_by(edges, "edges", of_axis)?;
    for (axis, ((edges, longest), least)) in read.iter().zip(longest).zip(least).enumerate() {
        let Some(edges) = edges else { continue };
        if edges.longest() != *longest {
            return Err(
                Fault::at("lengths", Problem::Disagrees { other: "the longest box" }).under(&format!("edges[{axis}]"))
            );
        }
        if edges.total() < *least {
            return Err(Fault::at("counts", Problem::Short).under(&format!("edges[{axis}]")));
        }
    }
    if read.iter().all(Option::is_none) {
        return Err(Fault::at("edges", Problem::Empty));
    }
    Ok(read)
}

fn of_axis(edges: v1::Edges) -> Result<Option<Edges>, Fault> {
    if edges.lengths.is_empty() && edges.counts.is_empty() {
        return Ok(None);
    }
    let lengths = lengths(edges.lengths, edges.counts.len(), "lengths")?;
    let counts = of_rank(edges.counts, lengths.len(), "counts")?;
    for count in &counts {
        positive(*count, "counts")?;
    }
    let sum = counts.iter().fold(0_u64, |sum, count| sum.saturating_add(*count));
    let most = u64::try_from(MAX_UNEQUAL_BOXES).unwrap_or(u64::MAX);
    within(sum, most, "MAX_UNEQUAL_BOXES", "counts")?;
    let runs: Vec<(u64, u64)> = lengths.into_iter().zip(counts).collect();
    Edges::of_runs(&runs).map(Some).ok_or_else(|| Fault::at("lengths", Problem::Overflow))
}
