//! The index of a packed exchange: tables of exchange objects, one part of each, become rows of writing tasks. Every
//! reading task has one object that counts; where it has several, the oldest that is intact.

use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use rechunk_common::{
    TaskFailure,
    geometry::{BoxGrid, Region},
    ids::{LeaseId, TaskIndex},
    plan::{Exchange, IndexExchange, ROW_ENTRY_BYTES, Rows, TABLE_ENTRY_BYTES},
};
use rechunk_storage::{Access, Prefix};

use super::{
    packed::{BlockEntry, Lost, RowEntry, copies_of},
    source::lost_or_failed,
};
use crate::{
    context::TaskContext,
    failure::{bug, invalid, of_storage, too_large},
    memory::Buffer,
};

/// Parts of tables that are read at a time, where memory is to spare: enough to hide the latency of an object store.
const MOST_IN_FLIGHT: u64 = 32;

/// What is kept of a reading task while its object is looked for.
const LEASE_BYTES: u64 = size_of::<Option<LeaseId>>() as u64;

/// One index object under way.
struct Indexer {
    prefix: Prefix,
    exchange: Exchange,
    /// The box of its writing tasks.
    region: Region,
    /// The reading tasks that overlap it: positions.
    readers: Region,
    rows: Rows,
}

/// Writes index object `task`.
pub async fn index_exchange(cx: &TaskContext, function: &IndexExchange, task: TaskIndex) -> Result<(), TaskFailure> {
    let exchange = &function.exchange;
    let packing = exchange.packing().ok_or_else(|| invalid("a raw exchange has no index"))?;
    let region = packing.indexers.region(task.0);
    let region = region.ok_or_else(|| invalid(format!("there is no task {task}: {} boxes", packing.indexers.len())))?;
    let readers = exchange.readers.overlapping(&region);
    let prefix = cx.open(&exchange.url, Access::ReadWrite)?;
    let beyond = || too_large("the index of an exchange");
    let bytes = exchange.index_entries(task).and_then(|entries| entries.checked_mul(ROW_ENTRY_BYTES));
    let bytes = bytes.and_then(|bytes| usize::try_from(bytes).ok()).ok_or_else(beyond)?;
    let count = usize::try_from(readers.element_count()).map_err(|_| beyond())?;
    let standing = (count as u64).saturating_mul(LEASE_BYTES);
    let part = largest_part(exchange, &region, &readers)?;
    let spare = cx.memory().limit().0.saturating_sub(standing).saturating_sub(bytes as u64);
    let parts = spare.checked_div(part).unwrap_or(1).clamp(1, MOST_IN_FLIGHT);
    let room = standing.saturating_add(part.saturating_mul(parts));
    let opened = cx.memory().try_open(room, 0, &[bytes]).ok_or_else(|| {
        bug(format!("an index of {bytes} bytes does not fit a task's memory of {}", cx.memory().limit()))
    })?;
    let buffer = opened.targets.into_iter().next().ok_or_else(|| bug("an index has no buffer"))?;

    let rows = exchange.rows(task).ok_or_else(beyond)?;
    let indexer = Arc::new(Indexer { prefix, exchange: exchange.clone(), region, readers, rows });
    let leases = indexer.leases(cx, count).await?;
    let buffer = indexer.fill(cx, buffer, leases, parts).await?;
    drop(opened.piece);
    // Its bytes are no elements: nothing is counted as encoded.
    super::sink::put(cx, &indexer.prefix, &Exchange::index_key(task), buffer.into_bytes(), 0).await
}

/// Bytes of the longest part of a table.
fn largest_part(exchange: &Exchange, region: &Region, readers: &Region) -> Result<u64, TaskFailure> {
    let mut largest = 0;
    for position in BoxGrid::positions(readers) {
        let run = exchange.table_run(&exchange.readers.region_at(&position), region);
        let run = run.ok_or_else(|| bug("a reading task and an index share no writing task"))?;
        largest = largest.max(run.end.saturating_sub(run.start));
    }
    Ok(largest.saturating_mul(TABLE_ENTRY_BYTES))
}

impl Indexer {
    /// The oldest object of every reading task, by their number among `readers`; from one listing of all.
    async fn leases(&self, cx: &TaskContext, count: usize) -> Result<Vec<Option<LeaseId>>, TaskFailure> {
        let mut leases: Vec<Option<LeaseId>> = vec![None; count];
        cx.tally().add(|counts| counts.metadata_requests += 1);
        let mut objects = self.prefix.list("");
        while let Some(object) = objects.try_next().await.map_err(|error| of_storage(&error))? {
            let Some((task, lease)) = Exchange::parse_packed_key(&object.key) else { continue };
            let place = self.number_of(task).and_then(|number| leases.get_mut(number));
            if let Some(place) = place {
                *place = Some(place.map_or(lease, |known| known.min(lease)));
            }
        }
        Ok(leases)
    }

    /// The number of a reading task among `readers`; `None` where it is none of them.
    fn number_of(&self, task: TaskIndex) -> Option<usize> {
        let number = self.readers.number_of(&self.exchange.readers.position(task.0)?)?;
        usize::try_from(number).ok()
    }

    /// Reads the parts of all tables and puts their entries where they belong.
    async fn fill(
        self: &Arc<Self>,
        cx: &TaskContext,
        mut buffer: Buffer,
        leases: Vec<Option<LeaseId>>,
        parts: u64,
    ) -> Result<Buffer, TaskFailure> {
        let in_flight = usize::try_from(parts).unwrap_or(1);
        let readers = BoxGrid::positions(&self.readers).zip(leases);
        let read = futures::stream::iter(readers)
            .map(|(position, lease)| async move {
                let (lease, part) = self.part(cx, &position, lease).await?;
                Ok::<_, TaskFailure>((position, lease, part))
            })
            .buffer_unordered(in_flight);
        let mut read = std::pin::pin!(read);
        while let Some((position, lease, part)) = read.try_next().await? {
            let indexer = Arc::clone(self);
            let place = move || {
                indexer.place(buffer.allocate(), &position, lease, &part)?;
                Ok(buffer)
            };
            buffer = cx.compute().run(place).await?;
        }
        Ok(buffer)
    }

    /// The part of the table of the reading task at `position` that is about this index, and the object it is from.
    async fn part(
        &self,
        cx: &TaskContext,
        position: &[u64],
        lease: Option<LeaseId>,
    ) -> Result<(LeaseId, Bytes), TaskFailure> {
        let reader = self.exchange.readers.index(position);
        let reader = TaskIndex(reader.ok_or_else(|| bug("a reading task is none of its exchange"))?);
        cx.tally().add(|counts| counts.get_requests += 1);
        let (url, reason) = match lease {
            None => {
                (format!("{}/{}", self.prefix.url(), Exchange::packed_directory(reader)), "it is not there".to_owned())
            }
            Some(lease) => match self.read(reader, position, lease).await? {
                Ok(part) => return Ok((lease, part)),
                Err(reason) => (format!("{}/{}", self.prefix.url(), Exchange::packed_key(reader, lease)), reason),
            },
        };
        for copy in copies_of(&self.prefix, reader).await? {
            cx.tally().add(|counts| counts.repeated_requests += 1);
            if Some(copy) != lease
                && let Ok(part) = self.read(reader, position, copy).await?
            {
                return Ok((copy, part));
            }
        }
        let what = if lease.is_none() { format!("of task {reader}: {reason}") } else { reason };
        Err(Lost::ObjectOfIndexer.failure(reader, &url, &what))
    }

    /// Reads and checks the part from one object; or says why it is lost.
    async fn read(
        &self,
        reader: TaskIndex,
        position: &[u64],
        lease: LeaseId,
    ) -> Result<Result<Bytes, String>, TaskFailure> {
        let run = self.exchange.table_run(&self.exchange.readers.region_at(position), &self.region);
        let run = run.ok_or_else(|| bug("a reading task and an index share no writing task"))?;
        let range = run.start.saturating_mul(TABLE_ENTRY_BYTES)..run.end.saturating_mul(TABLE_ENTRY_BYTES);
        let part = match self.prefix.get_range(&Exchange::packed_key(reader, lease), range).await {
            Ok(Some(part)) => part,
            Ok(None) => return Ok(Err("it is not there".to_owned())),
            Err(error) => return lost_or_failed(&error).map(Err),
        };
        let entry = usize::try_from(TABLE_ENTRY_BYTES).unwrap_or(usize::MAX);
        let is_intact = part.chunks(entry).all(|bytes| BlockEntry::decode(bytes).is_some());
        Ok(if is_intact { Ok(part) } else { Err("the checksum of an entry of its table does not match".to_owned()) })
    }

    /// Writes the entries of one reading task into the rows that they belong to.
    fn place(&self, rows: &mut [u8], position: &[u64], lease: LeaseId, part: &[u8]) -> Result<(), TaskFailure> {
        let odd = || bug("an entry of an exchange belongs to no row");
        let reader = self.exchange.readers.region_at(position);
        let first = self.exchange.table_run(&reader, &self.region).ok_or_else(odd)?.start;
        let blocks = self.exchange.writers.overlapping(&reader);
        let common = self.region.intersection(&reader).ok_or_else(odd)?;
        for writer in BoxGrid::positions(&self.exchange.writers.overlapping(&common)) {
            let number = blocks.number_of(&writer).and_then(|number| number.checked_sub(first));
            let from = number.and_then(|number| usize::try_from(number.checked_mul(TABLE_ENTRY_BYTES)?).ok());
            let block = from.and_then(|from| BlockEntry::decode(part.get(from..)?)).ok_or_else(odd)?;
            let number = self.rows.entry(&writer, position);
            let to = number.and_then(|number| usize::try_from(number.checked_mul(ROW_ENTRY_BYTES)?).ok());
            let to = to.ok_or_else(odd)?;
            let entry = RowEntry { lease, block }.encode();
            rows.get_mut(to..).and_then(|rows| rows.get_mut(..entry.len())).ok_or_else(odd)?.copy_from_slice(&entry);
        }
        Ok(())
    }
}
