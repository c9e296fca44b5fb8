//! `rechunk gc`: lists temporary spaces that look like ours, says of each what would become of it, and removes those that
//! were left behind where that is asked for.
//!
//! What lies in a space is listed before the coordinator is asked about its job: whoever wrote there had been accepted by
//! then, but for what a plan puts down before. Without an answer nothing is removed.

use std::collections::BTreeSet;

use futures::TryStreamExt;
use rechunk_common::{ByteCount, Refusal, RefusalCode, ids::JobId, job::JobView};
use rechunk_coordinator::surroundings::{Machine, Surroundings};
use rechunk_storage::{Access, ErrorClass, Prefix, Scheme, StorageError, StoreUrl, Stores, Unguarded};
use serde_json::{Value, json};

use crate::{
    args::{GcArgs, OutputArgs, OutputFormat},
    console::{say, tell},
    failure::Failure,
    garbage::{Contents, Space, Verdict, judge, place_of},
    machine::store_config,
    remote::RemoteService,
    report::{
        figure::{grouped, seconds},
        table::table_of,
    },
    service::Service,
};

/// A space, looked at.
struct Judged {
    space: Space,
    contents: Contents,
    verdict: Verdict,
}

/// Looks, says, and removes what may go.
pub(crate) async fn run(args: &GcArgs, output: &OutputArgs) -> Result<(), Failure> {
    let stores = Stores::new(store_config(&args.stores)?);
    let coordinator =
        if args.no_coordinator { None } else { Some(args.remote.connect(std::time::Duration::ZERO).await?) };
    let places = match (&args.url, &coordinator) {
        (Some(url), _) => BTreeSet::from([parse(url)?]),
        (None, Some(coordinator)) => places_of(&coordinator.jobs().await?),
        (None, None) => BTreeSet::new(),
    };
    let now_ms = Machine.unix_millis();
    let mut all = Vec::new();
    for place in &places {
        for space in spaces_in(&stores, place).await? {
            let contents = contents_of(&stores, &space).await?;
            // Only local files have directories that are there without an object.
            if contents.keys.is_empty() && place.scheme() != Scheme::File {
                continue;
            }
            let job = match &coordinator {
                Some(coordinator) => known(coordinator, &space.job).await?,
                None => None,
            };
            let verdict = judge(space.word_of(job.as_ref()), &contents, now_ms, args.unknown_older_than);
            if args.remove && verdict.removes() {
                remove(&stores, &space, contents.keys.clone()).await?;
            }
            all.push(Judged { space, contents, verdict });
        }
    }
    match output.output {
        OutputFormat::Json => say!("{:#}", in_json(&all, args.remove)),
        OutputFormat::Text => in_text(&all, args.remove, now_ms),
    }
    Ok(())
}

/// Where the temporary spaces of these jobs lie.
fn places_of(jobs: &[JobView]) -> BTreeSet<StoreUrl> {
    let place = |job: &JobView| place_of(&job.id, &StoreUrl::parse(&job.temp.as_ref()?.url).ok()?);
    jobs.iter().filter_map(place).collect()
}

async fn spaces_in(stores: &Stores, place: &StoreUrl) -> Result<Vec<Space>, Failure> {
    let prefix = open(stores, place, Access::Read)?;
    let found = prefix.list_directory("").await.map_err(|error| refused(&error))?;
    Ok(found.directories.iter().filter_map(|name| Space::named(place, name)).collect())
}

async fn contents_of(stores: &Stores, space: &Space) -> Result<Contents, Failure> {
    let prefix = open(stores, &space.url, Access::Read)?;
    let (mut contents, mut objects) = (Contents::default(), prefix.list(""));
    while let Some(object) = objects.try_next().await.map_err(|error| refused(&error))? {
        space.note(&mut contents, object.key, object.size, object.modified_ms);
    }
    Ok(contents)
}

/// The job as the coordinator sees it; `None`: it has no such job.
async fn known(coordinator: &RemoteService, job: &JobId) -> Result<Option<JobView>, Failure> {
    match coordinator.job(job).await {
        Ok(job) => Ok(Some(job)),
        Err(Failure::Refused(refusal)) if refusal.code == RefusalCode::NotFound => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// Removes what was listed, and nothing that came later.
async fn remove(stores: &Stores, space: &Space, keys: Vec<String>) -> Result<(), Failure> {
    let prefix = open(stores, &space.url, Access::ReadWrite)?;
    let removed = async {
        prefix.delete_many(keys, &Unguarded).await?;
        prefix.remove_unfinished_writes(&Unguarded, |_| true).await?;
        prefix.remove_empty_directories().await
    };
    removed.await.map_err(|error| refused(&error))
}

fn open(stores: &Stores, url: &StoreUrl, access: Access) -> Result<Prefix, Failure> {
    stores.open(url, access).map_err(|error| refused(&error))
}

fn parse(url: &str) -> Result<StoreUrl, Failure> {
    StoreUrl::parse(url).map_err(|error| Refusal::invalid("url", "MALFORMED_URL", error.to_string()).into())
}

fn refused(error: &StorageError) -> Failure {
    let (code, advice) = match error.class {
        ErrorClass::Denied => (RefusalCode::PermissionDenied, "grant it or use other credentials"),
        ErrorClass::Missing => (RefusalCode::NotFound, "create the bucket or correct the URL"),
        ErrorClass::TryAgain => (RefusalCode::Unavailable, "try again later"),
        ErrorClass::Invalid | ErrorClass::BadIndex | ErrorClass::Unsupported => {
            (RefusalCode::InvalidArgument, "correct the URL")
        }
        ErrorClass::Full | ErrorClass::LeaseLost | ErrorClass::Corrupt | ErrorClass::Other => {
            (RefusalCode::Internal, "see what the store says")
        }
    };
    Refusal::new(code, "STORE_ERROR", format!("{error}; {advice}")).at("url").into()
}

fn in_json(all: &[Judged], remove: bool) -> Value {
    let space = |judged: &Judged| {
        let Judged { space, contents, verdict } = judged;
        json!({
            "url": space.url.to_string(),
            "job": space.job,
            "objects": contents.keys.len(),
            "bytes": contents.bytes,
            "newest_ms": contents.newest_ms,
            "left_behind": verdict.removes(),
            "removed": remove && verdict.removes(),
            "reason": verdict.to_string(),
        })
    };
    json!({ "spaces": all.iter().map(space).collect::<Vec<_>>() })
}

fn in_text(all: &[Judged], remove: bool, now_ms: u64) {
    if all.is_empty() {
        say!("no temporary spaces");
        return;
    }
    let mut table = table_of(&["temporary space", "objects", "size", "last written", ""]);
    for Judged { space, contents, verdict } in all {
        let age = contents.newest_ms.map(|newest| now_ms.saturating_sub(newest) as f64 / 1000.0);
        table.add_row([
            space.url.to_string(),
            grouped(contents.keys.len() as u64),
            ByteCount(contents.bytes).to_string(),
            age.map_or("–".to_owned(), |age| format!("{} ago", seconds(age))),
            verdict.to_string(),
        ]);
    }
    say!("{}", table.trim_fmt());
    let left = all.iter().filter(|judged| judged.verdict.removes());
    let (count, bytes) = left.fold((0_u64, 0_u64), |(count, bytes), judged| (count + 1, bytes + judged.contents.bytes));
    let bytes = ByteCount(bytes);
    match (count, remove) {
        (0, _) => {}
        (_, true) => say!("removed {} with {bytes}", grouped(count)),
        (_, false) => tell!("nothing was removed; with --remove {} would be, with {bytes}", grouped(count)),
    }
}
