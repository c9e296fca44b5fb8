//! Which shape an array's copy takes: candidates are enumerated, costed, and the cheapest is chosen. All of them are
//! kept with their figures, and the one of another shape that came second is named with the reason why it lost.

use rechunk_common::{
    ByteCount, Counts, Refusal,
    plan::{
        Candidate, CandidateFigures, MultiStagePipeline, RunnerUp, ShapeOfPlan, ShardParts, Stage, StageEffect, Verdict,
    },
    request::ExchangeCodecChoice,
};

use crate::{
    array::{Array, named},
    copy::{Copier, EXCHANGE_HEADROOM},
    cost::{Fleet, Outlay, duration},
    direct::{self, DirectSweep},
    encoded::{self, PassThrough},
    exchange::{self, ExchangeShape, Within},
    further::{self, FurtherExchanges},
    group_local::{self, GroupLocal},
    groups::Groups,
    packing,
    parted::in_every_way,
    refusal, verdict,
};

/// A shape with its parameters.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Shape {
    Encoded(PassThrough),
    Direct(DirectSweep),
    GroupLocal(GroupLocal),
    Exchange(ExchangeShape),
}

/// What was chosen for an array, and all that was looked at.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Choice {
    pub(crate) kind: ShapeOfPlan,
    pub(crate) pipelines: Vec<MultiStagePipeline>,
    pub(crate) outlay: Outlay,
    pub(crate) reason: String,
    pub(crate) runner_up: Option<RunnerUp>,
    pub(crate) candidates: Vec<Candidate>,
    /// Candidates that would be cheaper, but that nothing runs.
    pub(crate) warnings: Vec<String>,
}

/// Why a candidate is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// Its smallest task holds this many bytes; `None`: beyond 2^64.
    Memory(Option<u64>),
    /// Its smallest group needs this many temporary bytes.
    Temp(u64),
    /// Its smallest group needs this many bytes of local disk.
    Scratch(u64),
    /// It passes another limit.
    Refused(Refusal),
}

/// A candidate that fits, put together.
struct Fitting {
    shape: Shape,
    pipelines: Vec<MultiStagePipeline>,
}

impl Shape {
    pub(crate) fn outlay(&self) -> &Outlay {
        match self {
            Self::Encoded(encoded) => &encoded.outlay,
            Self::Direct(direct) => &direct.outlay,
            Self::GroupLocal(local) => &local.outlay,
            Self::Exchange(exchange) => &exchange.outlay,
        }
    }

    /// In what shards are written that are not held whole.
    pub(crate) fn parts(&self) -> Option<ShardParts> {
        match self {
            Self::Encoded(encoded) => encoded.parts,
            Self::Direct(direct) => direct.parts,
            Self::GroupLocal(local) => local.parts,
            Self::Exchange(exchange) => exchange.parts,
        }
    }

    pub(crate) fn kind(&self) -> ShapeOfPlan {
        match self {
            Self::Encoded(_) => ShapeOfPlan::CopyEncoded,
            Self::Direct(_) => ShapeOfPlan::DirectSweep,
            Self::GroupLocal(_) => ShapeOfPlan::GroupLocal,
            Self::Exchange(_) => ShapeOfPlan::Exchange,
        }
    }
}

impl Fitting {
    fn figures(&self, fleet: &Fleet) -> CandidateFigures {
        let outlay = self.shape.outlay();
        let stages = || self.pipelines.iter().flat_map(|pipeline| &pipeline.stages);
        let moves_chunks = |stage: &&Stage| stage.effect == StageEffect::Writes;
        let sum = |figures: &mut dyn Iterator<Item = u64>| figures.fold(0, u64::saturating_add);
        CandidateFigures {
            cost: duration(outlay.cost(fleet.basis.prefer)),
            estimate: outlay.estimate(),
            counts: stages().map(|stage| stage.predicted).sum::<Counts>(),
            tasks: sum(&mut stages().filter(moves_chunks).map(|stage| stage.task_count)),
            peak_memory: stages().map(|stage| stage.task_memory).max().unwrap_or_default(),
            exchange_bytes: ByteCount(sum(&mut self.pipelines.iter().map(|pipeline| pipeline.temp_bytes.0))),
        }
    }
}

/// What was looked at: shapes that fit, and why others do not.
#[derive(Default)]
struct Found {
    fit: Vec<Fitting>,
    unfit: Vec<(ShapeOfPlan, Unfit)>,
}

impl Found {
    fn take(&mut self, work: &Copier, kind: ShapeOfPlan, found: Result<Vec<Shape>, Unfit>) {
        match found {
            Ok(shapes) => {
                for shape in shapes {
                    match work.pipelines(&shape) {
                        Ok(pipelines) => self.fit.push(Fitting { shape, pipelines }),
                        Err(refusal) => self.unfit.push((kind, Unfit::Refused(refusal))),
                    }
                }
            }
            Err(reason) => self.unfit.push((kind, reason)),
        }
    }
}

/// Whether any shape fits that decodes.
pub(crate) fn fits(work: &Copier) -> bool {
    let any = |found: Result<Vec<Shape>, Unfit>| {
        found.is_ok_and(|shapes| shapes.iter().any(|shape| work.pipelines(shape).is_ok()))
    };
    any(direct_candidates(work))
        || (!work.array.is_variable && any(local_candidates(work)))
        || any(exchange_candidates(work, 1))
}

/// The cheapest shape for an array, which may have `most_groups` pipelines.
pub(crate) fn choose(work: &Copier, most_groups: u64) -> Result<Choice, Refusal> {
    let (array, fleet) = (work.array, work.fleet);
    let mut found = Found::default();
    let encoded = encoded::is_eligible(array.spec).then(|| encoded_candidates(work));
    // What is passed on needs no figures of an exchange: it moves each encoded byte once, and no shape moves less.
    let is_passed_on = matches!(encoded, Some(Ok(_)));
    if let Some(encoded) = encoded {
        found.take(work, ShapeOfPlan::CopyEncoded, encoded);
    }
    found.take(work, ShapeOfPlan::DirectSweep, direct_candidates(work));
    if !is_passed_on {
        found.take(work, ShapeOfPlan::Exchange, exchange_candidates(work, most_groups));
        // What is on local disk is found by arithmetic, and so has a width.
        if fleet.scratch > 0 && !array.is_variable {
            found.take(work, ShapeOfPlan::GroupLocal, local_candidates(work));
        }
    }
    let Found { mut fit, unfit } = found;
    // One that is passed on comes first whatever the rest is estimated to take.
    let rank = |fitting: &Fitting| {
        let decodes = !matches!(fitting.shape, Shape::Encoded(_));
        (decodes, fitting.shape.outlay().cost(fleet.basis.prefer))
    };
    fit.sort_by(|one, other| {
        let (one, other) = (rank(one), rank(other));
        one.0.cmp(&other.0).then(one.1.total_cmp(&other.1))
    });
    decide(work, fit, unfit)
}

/// The first of those that fit, and why the others did not win; all reasons if none fits.
fn decide(work: &Copier, fit: Vec<Fitting>, unfit: Vec<(ShapeOfPlan, Unfit)>) -> Result<Choice, Refusal> {
    let (array, fleet, prefer) = (work.array, work.fleet, work.fleet.basis.prefer);
    let Some(best) = fit.first() else {
        let reasons: Vec<Unfit> = unfit.into_iter().map(|(_, reason)| reason).collect();
        return Err(refusal::nothing_fits(work, &reasons));
    };
    let (kind, outlay, reason) = (best.shape.kind(), *best.shape.outlay(), verdict::merit(&best.shape, array));
    let better = fit.iter().find_map(|fitting| cheaper_further(&fitting.shape, &outlay, work));
    let mut candidates: Vec<Candidate> = Vec::new();
    for (at, fitting) in fit.iter().enumerate() {
        let (verdict, reason) = if at == 0 {
            (Verdict::Chosen, reason.clone())
        } else {
            (Verdict::Dearer, verdict::demerit(&fitting.shape, array, &best.shape, prefer))
        };
        let figures = Some(fitting.figures(fleet));
        candidates.push(Candidate { shape_of_plan: fitting.shape.kind(), verdict, reason, figures });
    }
    candidates.extend(unfit.iter().map(|(shape_of_plan, unfit)| Candidate {
        shape_of_plan: *shape_of_plan,
        verdict: Verdict::DoesNotFit,
        reason: verdict::unfit(unfit),
        figures: None,
    }));
    let second = candidates.iter().find(|candidate| candidate.shape_of_plan != kind);
    let runner_up =
        second.map(|candidate| RunnerUp { shape_of_plan: candidate.shape_of_plan, reason: candidate.reason.clone() });
    let mut warnings: Vec<String> = stays_raw(work, kind).into_iter().collect();
    if let Some(further) = better {
        let why = verdict::further(&further, &outlay, prefer);
        warnings.push(format!("{}{why}; more max_mem makes them larger", named(array.spec)));
        let peak = candidates.first().and_then(|candidate| candidate.figures).map(|figures| figures.peak_memory);
        candidates.push(of_further(&further, why, peak.unwrap_or_default(), array, fleet));
    }
    let pipelines = fit.into_iter().next().map(|best| best.pipelines).unwrap_or_default();
    Ok(Choice { kind, pipelines, outlay, reason, runner_up, candidates, warnings })
}

/// Says so where blocks are raw although a codec was asked for.
fn stays_raw(work: &Copier, kind: ShapeOfPlan) -> Option<String> {
    let spec = work.array.spec;
    let is_asked = matches!(work.input.temp.codec, ExchangeCodecChoice::Lz4 | ExchangeCodecChoice::Zstd);
    let stays_raw = is_asked && kind == ShapeOfPlan::Exchange && spec.has_gaps() && !work.array.is_variable;
    stays_raw.then(|| format!("{}its exchange stays raw: the listing found chunks of the source missing", named(spec)))
}

/// Several exchanges instead of one, if that would be cheaper than what is chosen.
fn cheaper_further(shape: &Shape, chosen: &Outlay, work: &Copier) -> Option<FurtherExchanges> {
    let Shape::Exchange(one) = shape else { return None };
    let prefer = work.fleet.basis.prefer;
    further::instead_of(one, work.array, work.fleet).filter(|further| further.outlay.cost(prefer) < chosen.cost(prefer))
}

fn of_further(further: &FurtherExchanges, reason: String, peak: ByteCount, array: &Array, fleet: &Fleet) -> Candidate {
    Candidate {
        shape_of_plan: ShapeOfPlan::SeveralExchanges,
        verdict: Verdict::NotExecuted,
        reason,
        figures: Some(CandidateFigures {
            cost: duration(further.outlay.cost(fleet.basis.prefer)),
            estimate: further.outlay.estimate(),
            counts: further.counts,
            tasks: further.tasks,
            peak_memory: peak,
            exchange_bytes: ByteCount(array.bytes.saturating_mul(further.exchanges)),
        }),
    }
}

fn encoded_candidates(work: &Copier) -> Result<Vec<Shape>, Unfit> {
    let found = in_every_way(work, |array, room| encoded::search(array, work.fleet, room), encoded::least_memory);
    found.map(|found| found.into_iter().map(Shape::Encoded).collect())
}

fn direct_candidates(work: &Copier) -> Result<Vec<Shape>, Unfit> {
    let found = in_every_way(work, |array, room| direct::search(array, work.fleet, room), direct::least_memory);
    found.map(|found| found.into_iter().map(Shape::Direct).collect())
}

/// None for a source with gaps: what its groups take is not counted.
fn local_candidates(work: &Copier) -> Result<Vec<Shape>, Unfit> {
    let (array, fleet) = (work.array, work.fleet);
    if array.spec.has_gaps() || !array.spec.target.has_equal_chunks() {
        return Ok(Vec::new());
    }
    let least = group_local::least_scratch(array).unwrap_or(u64::MAX);
    if least > fleet.scratch {
        return Err(Unfit::Scratch(least));
    }
    let found = in_every_way(work, |array, room| group_local::search(array, fleet, room), group_local::least_memory);
    found.map(|found| found.into_iter().map(Shape::GroupLocal).collect())
}

/// None for a target whose chunks differ in length: its tasks do, and blocks are found by arithmetic. Boxes of elements of
/// variable length are cut for half of the memory where that is possible: they may turn out to be twice as long.
fn exchange_candidates(work: &Copier, most_groups: u64) -> Result<Vec<Shape>, Unfit> {
    if !work.array.spec.target.has_equal_chunks() {
        return Ok(Vec::new());
    }
    if work.array.is_variable {
        let half = Fleet { budget: work.fleet.budget.div_ceil(EXCHANGE_HEADROOM), ..*work.fleet };
        let found = exchanges(&Copier { fleet: &half, ..*work }, most_groups);
        if found.is_ok() {
            return found;
        }
    }
    exchanges(work, most_groups)
}

fn exchanges(work: &Copier, most_groups: u64) -> Result<Vec<Shape>, Unfit> {
    let limit = work.input.temp.limit.map(|limit| limit.0);
    let groups = |worth: u64| Groups::of(work.array, worth, limit, most_groups).ok_or(Unfit::Memory(None));
    let worthwhile = groups(work.fleet.budget)?;
    match exchanges_in(work, &worthwhile, limit) {
        Err(Unfit::Temp(least)) => {
            // What blocks hold beside their elements is known only with the boxes. Smaller groups may do.
            let smallest = groups(0)?;
            if smallest == worthwhile { Err(Unfit::Temp(least)) } else { exchanges_in(work, &smallest, limit) }
        }
        found => found,
    }
}

/// Exchanges of `groups`, of which each stays within the limit of temporary space.
fn exchanges_in(work: &Copier, groups: &Groups, limit: Option<u64>) -> Result<Vec<Shape>, Unfit> {
    let (array, fleet) = (work.array, work.fleet);
    let codecs = packing::candidates(&work.input.temp, array, fleet);
    let is_packed = !codecs.contains(&None);
    let within = Within { groups, may_cut: true };
    let least = |array: &Array| exchange::least_memory(array, &within, is_packed);
    let by = |codec| in_every_way(work, |array, room| exchange::search(array, &within, fleet, codec, room), least);
    let mut found = Err(Unfit::Memory(None));
    for codec in codecs {
        found = by(codec);
        if found.is_ok() {
            break;
        }
    }
    let found = found?;
    let bytes = |shape: &ExchangeShape| shape.largest_group_bytes(array).unwrap_or(u64::MAX);
    let least = found.iter().map(bytes).min().unwrap_or(u64::MAX);
    let within = found.into_iter().filter(|shape| limit.is_none_or(|limit| bytes(shape) <= limit));
    let within: Vec<Shape> = within.map(Shape::Exchange).collect();
    if within.is_empty() { Err(Unfit::Temp(least)) } else { Ok(within) }
}
