//! All that the stores say about a request, gathered; and the plan that follows from it.

use rechunk_common::{
    ByteCount, Refusal, RefusalCode,
    ids::JobId,
    plan::{CostBasis, MemoryModel},
    request::RechunkRequest,
};
use rechunk_planner::{ClearTarget, PartSizes, PlanInput, TempSpace};
use rechunk_storage::{Access, Scheme, StorageError, StoreUrl, Stores};

use super::{
    Door, Fleet, LiveSpace, Prepared, append,
    discovery::{self, Source},
    enclosing::{self, Enclosing},
    listing::Listings,
    memory,
    places::{self, Places, TempPlace},
    presence::{self, TempObjects},
    referred, refusals, selection,
    standing::{self, Standing},
    target::Target,
};

/// What was found at a request's places. Nothing more is read for its plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survey {
    pub(super) request: RechunkRequest,
    pub(super) fleet: Fleet,
    pub(super) memory: MemoryModel,
    basis: CostBasis,
    part_sizes: PartSizes,
    pub(super) source: Source,
    pub(super) target: StoreUrl,
    /// What stands there, to be appended to.
    pub(super) standing: Option<Standing>,
    /// Source and target lie in one store, which can copy objects by itself.
    pub(super) one_store: bool,
    pub(super) enclosing: Enclosing,
    temp: TempPlace,
    clears: bool,
    warnings: Vec<String>,
}

impl Door {
    /// Checks the places of a request and reads what lies there. Cheap refusals come before any request to a store.
    pub async fn survey(
        &self,
        request: &RechunkRequest,
        job: &JobId,
        fleet: &Fleet,
        live: &[LiveSpace],
    ) -> Result<Survey, Refusal> {
        if request.append.is_some() {
            append::refuse_beside(request)?;
        }
        let (memory, warning) = memory::model(request.max_mem, fleet)?;
        let places = Places::of(request)?;
        places::refuse_live(&places.target, "target", job, live)?;
        let source = discovery::discover(&self.stores, &places.source).await?;
        let source = selection::select(source, request)?;
        let enclosing = enclosing::find(&self.stores, &places.target).await?;
        enclosing.refuse_what_cannot_be_refreshed(source.is_group)?;
        let temp = places.temp_of(job, enclosing.outermost(&places.target))?;
        places::refuse_live(&temp.space, "temp", job, live)?;
        let written = [("target", &places.target), ("temp", &temp.space)];
        let referred = referred::example(&self.stores, &source, written).await?;
        let standing = match &request.append {
            Some(_) => Some(Box::pin(standing::find(&self.stores, &places.target, &source)).await?),
            None => None,
        };
        let clears = standing.is_none() && !is_free(&self.stores, &places.target).await?;
        if clears && !request.overwrite {
            let message = format!(
                "something lies at target {} already; choose another target, or replace all of it with --overwrite",
                places.target
            );
            return Err(Refusal::new(RefusalCode::AlreadyExists, "TARGET_EXISTS", message).at("target"));
        }
        refuse_unwritable(&self.stores, &temp.space, "temp")?;
        for group in enclosing.groups.iter().filter(|group| group.is_consolidated) {
            refuse_unwritable(&self.stores, &group.url, "target")?;
        }
        let mut warnings: Vec<String> = warning.into_iter().collect();
        if clears {
            warnings.push(format!(
                "what lies at target {} is deleted before the copy: a failure in between leaves neither old nor new",
                places.target
            ));
        }
        let stores = self.stores.config();
        let basis = CostBasis {
            source: stores.cost_profile(referred.as_ref().unwrap_or(&places.source)),
            target: stores.cost_profile(&places.target),
            temp: stores.cost_profile(&temp.space),
            worker_hour: stores.worker_hour(),
            workers: fleet.slots.max(1).div_ceil(fleet.threads.max(1)),
            prefer: request.prefer,
        };
        Ok(Survey {
            request: request.clone(),
            fleet: *fleet,
            memory,
            one_store: is_one_store(&self.stores, &source.url, &places.target),
            basis,
            part_sizes: PartSizes {
                usual: ByteCount(stores.upload_sizes().part),
                least: ByteCount(stores.upload_sizes().least_part_of(places.target.scheme())),
            },
            source,
            target: places.target,
            enclosing,
            temp,
            standing,
            clears,
            warnings,
        })
    }
}

impl Survey {
    /// Whether the target stands, and grows.
    pub(super) fn appends(&self) -> bool {
        self.standing.is_some()
    }

    /// The plan for a source of which `listings` tell what there is, or why there is none. Pure; takes up to 100 ms.
    pub(super) fn plan(self, mut target: Target, listings: Listings) -> Result<Prepared, Refusal> {
        let listing_warnings = listings.warnings.clone();
        let bitmaps = presence::tell(&mut target.copies, listings, &self.temp.generation)?;
        let url = self.target.to_string();
        let space = self.temp.space.to_string();
        let input = PlanInput {
            copies: target.copies,
            memory: self.memory,
            worker_slots: self.fleet.slots.max(1),
            threads_per_worker: self.fleet.threads.max(1),
            worker_scratch: self.fleet.worker_scratch,
            basis: self.basis,
            temp: TempSpace {
                space: space.clone(),
                url: self.temp.generation.to_string(),
                limit: self.request.temp_limit,
                keep: self.request.keep_temp,
                codec: self.request.exchange_codec,
            },
            part_sizes: self.part_sizes,
            clear: self.clears.then(|| ClearTarget { prefixes: vec![url.clone()] }),
            publish: target.publish,
            pinned: self.source.pins.into_iter().chain(target.pinned).collect(),
            // What stands is not this job's to remove.
            cleanup_prefixes: self.standing.is_none().then(|| url.clone()).into_iter().chain([space.clone()]).collect(),
        };
        let mut plan = rechunk_planner::plan(&input)?;
        if let Some(summary) = &mut plan.summary {
            summary.warnings.extend(self.warnings);
            summary.warnings.extend(self.source.warnings);
            summary.warnings.extend(self.enclosing.warnings);
            summary.warnings.extend(target.warnings);
            summary.warnings.extend(listing_warnings);
        }
        Ok(Prepared {
            plan,
            source: self.source.url.to_string(),
            target: url.clone(),
            spaces: vec![url, space.clone()],
            objects: TempObjects { space, objects: bitmaps },
            temp_limit: self.request.temp_limit,
        })
    }
}

/// Whether nothing lies under the target's prefix. Metadata alone does not decide: a chunk left behind by an older job
/// would show where a new one skips a fill-only chunk.
async fn is_free(stores: &Stores, target: &StoreUrl) -> Result<bool, Refusal> {
    let refuse = |error| refusals::of_storage(&error, "target");
    let prefix = stores.open(target, Access::ReadWrite).map_err(refuse)?;
    if !prefix.is_empty().await.map_err(refuse)? {
        return Ok(false);
    }
    // In a file system a file of the target's own name would be in the way; in a bucket such an object is no part of
    // the prefix.
    match (target.scheme(), target.parent(), target.file_name()) {
        (Scheme::File, Some(parent), Some(name)) => {
            let Ok(parent) = stores.open(&parent, Access::Read) else { return Ok(true) };
            let file = parent.head(name).await.map_err(refuse)?;
            if file.is_some() {
                let message = format!("target {target} is a file; choose another target");
                return Err(Refusal::new(RefusalCode::AlreadyExists, "TARGET_EXISTS", message).at("target"));
            }
            Ok(true)
        }
        (
            Scheme::File
            | Scheme::S3
            | Scheme::Gcs
            | Scheme::Azure
            | Scheme::Http
            | Scheme::Https
            | Scheme::Memory
            | Scheme::Kerchunk,
            _,
            _,
        ) => Ok(true),
    }
}

/// Whether workers, whose profiles are the same, reach both places through one store with the same credentials.
fn is_one_store(stores: &Stores, source: &StoreUrl, target: &StoreUrl) -> bool {
    let places = (stores.open(source, Access::Read), stores.open(target, Access::ReadWrite));
    matches!(places, (Ok(source), Ok(target)) if target.shares_store_with(&source))
}

/// A place that workers will write must be open for writing here too: the profiles are the same.
fn refuse_unwritable(stores: &Stores, place: &StoreUrl, field: &str) -> Result<(), Refusal> {
    let refuse = |error: StorageError| {
        let mut refusal = refusals::of_storage(&error, field);
        if field == "temp" {
            refusal.message.push_str(", or choose another place with --temp");
        }
        refusal
    };
    stores.open(place, Access::ReadWrite).map(|_| ()).map_err(refuse)
}
