//! The pipelines of one array's copy: its chosen shape as stages, with declared memory and exact counts.

use rechunk_common::{
    ByteCount, Counts, Refusal,
    geometry::{BoxGrid, Region},
    limits,
    plan::{
        CopyEncoded, CopyExchangeToWrite, CopyReadToExchange, CopyReadToWrite, DeleteExchange, Exchange,
        ExchangeEncoding, IndexExchange, ListedSource, MultiStagePipeline, Packing, RetryPolicy, Stage, StageEffect,
        StageFunction, TASKS_PER_DIRECTORY,
    },
};

use crate::{
    PlanInput,
    array::{Array, refuse_limit},
    choice::Shape,
    cost::Fleet,
    direct::DirectSweep,
    encoded::PassThrough,
    exchange::{self, ExchangeShape},
    fit::Room,
    group_local::GroupLocal,
    memory::{self, TaskMemory},
    packing, prediction, refusal,
    sparse::Sparse,
};

/// Exchange objects that one task deletes: a second or so of requests, and one listing where they are packed.
const OBJECTS_PER_DELETE: u64 = TASKS_PER_DIRECTORY;

/// What tasks hold that move no chunks: a listing's page, a few documents.
pub(crate) const SMALL_TASK_BYTES: u64 = 1 << 20;

/// Tasks of an exchange of elements of variable length get so many times what these are assumed to take, as far as a
/// worker has it.
pub(crate) const EXCHANGE_HEADROOM: u64 = 2;

/// One array's place in a plan.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Copier<'a> {
    pub(crate) input: &'a PlanInput,
    pub(crate) array: &'a Array<'a>,
    pub(crate) fleet: &'a Fleet,
    /// Index into the summary's arrays.
    pub(crate) index: u32,
}

impl Copier<'_> {
    /// One pipeline for a pass-through, a direct sweep or groups over local disk, one for each group of an exchange.
    pub(crate) fn pipelines(&self, shape: &Shape) -> Result<Vec<MultiStagePipeline>, Refusal> {
        match shape {
            Shape::Encoded(encoded) => Ok(vec![self.encoded(encoded)?]),
            Shape::Direct(direct) => Ok(vec![self.direct(direct)?]),
            Shape::GroupLocal(local) => Ok(vec![self.through_scratch(local)?]),
            Shape::Exchange(exchange) => {
                let groups = BoxGrid::new(self.array.spec.source.bounds(), exchange.groups.lengths.clone());
                let count = groups.len();
                (0..count)
                    .map(|group| {
                        let bounds = groups.region(group).ok_or_else(refusal::too_large)?;
                        self.group(exchange, group, count, bounds)
                    })
                    .collect()
            }
        }
    }

    /// The source's gaps within `bounds`, where a listing found any.
    pub(crate) fn sparse<'b>(&'b self, bounds: &'b Region) -> Option<Sparse<'b>> {
        let listed = self.array.spec.listed.as_ref().filter(|_| self.array.spec.has_gaps())?;
        Some(Sparse::new(&listed.presence, &self.array.spec.source, bounds))
    }

    /// Whether what is missing in the source is left out of the target.
    pub(crate) fn leaves_out_gaps(&self) -> bool {
        let spec = self.array.spec;
        spec.gaps.leaves_out_gaps(&spec.source.fill, &spec.target.fill)
    }

    /// What stages are told of the source.
    pub(crate) fn listed(&self) -> Option<ListedSource> {
        self.array.spec.listed.as_ref().map(|listed| listed.source.clone())
    }

    fn encoded(&self, shape: &PassThrough) -> Result<MultiStagePipeline, Refusal> {
        let spec = self.array.spec;
        let writers = spec.target.boxes_of_write_units(spec.source.bounds(), shape.writers.clone());
        let tasks = self.tasks(&writers)?;
        let function = CopyEncoded {
            source: spec.source.clone(),
            target: spec.target.clone(),
            writers,
            gaps: spec.gaps,
            by_store: shape.by_store,
            listed: self.listed(),
            shard_parts: shape.parts,
            is_summed: spec.verify,
        };
        let predicted = match self.sparse(function.writers.bounds()) {
            Some(sparse) => sparse.encoded(&function),
            None => prediction::encoded(&function),
        };
        let predicted = predicted.ok_or_else(refusal::too_large)?;
        let memory = memory::of_encoded(&function, spec.source_encoding, spec.target_encoding);
        let memory = self.declared(memory, shape.room, tasks)?;
        let stage = self.stage("copy_encoded", StageFunction::CopyEncoded(function), tasks, memory, predicted);
        Ok(MultiStagePipeline { name: spec.name.clone(), stages: vec![stage], temp_bytes: ByteCount(0) })
    }

    fn direct(&self, shape: &DirectSweep) -> Result<MultiStagePipeline, Refusal> {
        let spec = self.array.spec;
        let writers = spec.target.boxes_of_write_units(spec.source.bounds(), shape.writers.clone());
        let tasks = self.tasks(&writers)?;
        let predicted = match self.sparse(writers.bounds()) {
            Some(sparse) => sparse.read_to_write(&spec.target, &writers, self.leaves_out_gaps()),
            None => prediction::read_to_write(&spec.source, &spec.target, &writers),
        };
        let predicted = predicted.ok_or_else(refusal::too_large)?;
        let function = CopyReadToWrite {
            source: spec.source.clone(),
            target: spec.target.clone(),
            writers,
            order: shape.order.clone(),
            gaps: spec.gaps,
            listed: self.listed(),
            shard_parts: shape.parts,
            is_summed: spec.verify,
        };
        let memory = memory::of_read_to_write(&function, spec.source_encoding, spec.target_encoding);
        let memory = self.declared(memory, shape.room, tasks)?;
        let function = StageFunction::CopyReadToWrite(function);
        let stage = self.stage("copy_read_to_write", function, tasks, memory, predicted);
        Ok(MultiStagePipeline { name: spec.name.clone(), stages: vec![stage], temp_bytes: ByteCount(0) })
    }

    fn through_scratch(&self, shape: &GroupLocal) -> Result<MultiStagePipeline, Refusal> {
        let spec = self.array.spec;
        let function = shape.function(self.array);
        let tasks = self.tasks(&function.groups)?;
        let predicted = prediction::through_scratch(&function).ok_or_else(refusal::too_large)?;
        let halves = memory::of_through_scratch(&function, spec.source_encoding, spec.target_encoding);
        let memory = halves.and_then(|halves| shape.declared(&halves, self.fleet));
        let memory = memory.map(ByteCount).ok_or_else(refusal::too_large)?;
        let function = StageFunction::CopyThroughScratch(function);
        let mut stage = self.stage("copy_through_scratch", function, tasks, memory, predicted);
        stage.task_scratch = ByteCount(shape.scratch);
        Ok(MultiStagePipeline { name: spec.name.clone(), stages: vec![stage], temp_bytes: ByteCount(0) })
    }

    fn group(
        &self,
        shape: &ExchangeShape,
        group: u64,
        groups: u64,
        bounds: Region,
    ) -> Result<MultiStagePipeline, Refusal> {
        let spec = self.array.spec;
        let readers = spec.source.boxes_of_read_units(bounds.clone(), shape.readers.clone());
        let writers = spec.target.boxes_of_write_units(bounds, shape.cut.clone());
        let encoding = self.encoding(shape, &writers)?;
        let is_packed = encoding != ExchangeEncoding::Raw;
        let url = format!("{}/{}/{group}", self.input.temp.url, self.index);
        let exchange = Exchange { url, width: spec.source.element.width, readers, writers, encoding };
        let (read, temp_bytes) = self.read_stage(shape, &exchange)?;
        let mut stages = vec![read];
        if is_packed {
            stages.push(self.index_stage(&exchange)?);
        }
        stages.push(self.write_stage(shape, &exchange)?);
        if !self.input.temp.keep {
            stages.push(self.delete_stage(exchange)?);
        }
        let place = if groups == 1 { String::new() } else { format!("group {} of {groups}", group.saturating_add(1)) };
        let name = [spec.name.as_str(), place.as_str()].into_iter().filter(|part| !part.is_empty());
        Ok(MultiStagePipeline { name: name.collect::<Vec<_>>().join(", "), stages, temp_bytes })
    }

    /// How blocks are stored that boxes of `writers` cut, within a group.
    fn encoding(&self, shape: &ExchangeShape, writers: &BoxGrid) -> Result<ExchangeEncoding, Refusal> {
        let Some(codec) = shape.codec else { return Ok(ExchangeEncoding::Raw) };
        let (extents, shifted) = (writers.bounds().shape(), self.array.shifted);
        let lengths = packing::indexers(&extents, &shape.readers, &shape.writers, self.fleet.budget, shifted);
        let indexers = writers.with_lengths(lengths.ok_or_else(refusal::too_large)?);
        Ok(ExchangeEncoding::Packed(Packing { codec, indexers }))
    }

    fn index_stage(&self, exchange: &Exchange) -> Result<Stage, Refusal> {
        let indexers = exchange.packing().map(|packing| &packing.indexers).ok_or_else(refusal::too_large)?;
        let tasks = self.tasks(indexers)?;
        let predicted = prediction::index_exchange(&exchange.readers, indexers).ok_or_else(refusal::too_large)?;
        let function = IndexExchange { exchange: exchange.clone() };
        let memory = self.declared(memory::of_index_exchange(&function), Room::Least, tasks)?;
        let function = StageFunction::IndexExchange(function);
        Ok(self.stage("index_exchange", function, tasks, memory, predicted))
    }

    /// The stage, and the bytes of the objects that it writes.
    fn read_stage(&self, shape: &ExchangeShape, exchange: &Exchange) -> Result<(Stage, ByteCount), Refusal> {
        let spec = self.array.spec;
        let tasks = self.tasks(&exchange.readers)?;
        let is_packed = exchange.packing().is_some();
        let dense_bytes =
            exchange::temp_bytes(&exchange.readers, &exchange.writers, self.array.source.width, is_packed);
        let predicted = match self.sparse(exchange.readers.bounds()) {
            Some(sparse) if is_packed => sparse.read_to_packed_exchange(exchange).zip(dense_bytes),
            Some(sparse) => sparse.read_to_exchange(exchange),
            None => prediction::read_to_exchange(&spec.source, &exchange.readers).zip(dense_bytes),
        };
        let (predicted, bytes) = predicted.ok_or_else(refusal::too_large)?;
        let function = CopyReadToExchange {
            source: spec.source.clone(),
            exchange: exchange.clone(),
            strict: spec.gaps.strict,
            listed: self.listed(),
            sum_beside: spec.verify.then(|| spec.target.fill.clone()),
        };
        let memory = memory::of_read_to_exchange(&function, spec.source_encoding);
        let memory = self.declared_through_exchange(memory, shape.room, tasks)?;
        let function = StageFunction::CopyReadToExchange(function);
        Ok((self.stage("copy_read_to_exchange", function, tasks, memory, predicted), ByteCount(bytes)))
    }

    fn write_stage(&self, shape: &ExchangeShape, exchange: &Exchange) -> Result<Stage, Refusal> {
        let spec = self.array.spec;
        let writers = spec.target.boxes_of_write_units(exchange.writers.bounds().clone(), shape.writers.clone());
        let tasks = self.tasks(&writers)?;
        let predicted = match self.sparse(writers.bounds()) {
            Some(sparse) => sparse.exchange_to_write(&spec.target, exchange, self.leaves_out_gaps()),
            None => prediction::exchange_to_write(&spec.target, exchange),
        };
        let predicted = predicted.ok_or_else(refusal::too_large)?;
        let function = CopyExchangeToWrite {
            exchange: exchange.clone(),
            writers,
            target: spec.target.clone(),
            order: shape.order.clone(),
            gaps: spec.gaps,
            presence: self.listed().and_then(|listed| listed.presence),
            shard_parts: shape.parts,
        };
        let memory = if self.array.is_variable {
            // How long elements may be, the source's listing said.
            memory::of_exchange_into(&function, self.array.target.written(shape.parts))
        } else {
            memory::of_exchange_to_write(&function, spec.target_encoding)
        };
        let memory = self.declared_through_exchange(memory, shape.room, tasks)?;
        let function = StageFunction::CopyExchangeToWrite(function);
        Ok(self.stage("copy_exchange_to_write", function, tasks, memory, predicted))
    }

    fn delete_stage(&self, exchange: Exchange) -> Result<Stage, Refusal> {
        let objects = self.tasks(&exchange.readers)?;
        let tasks = objects.div_ceil(OBJECTS_PER_DELETE);
        let predicted = match exchange.packing() {
            None => Counts { delete_requests: objects, ..Counts::default() },
            Some(packing) => Counts {
                delete_requests: objects.checked_add(packing.indexers.len()).ok_or_else(refusal::too_large)?,
                // The listings that tell which lease wrote each object.
                metadata_requests: tasks,
                ..Counts::default()
            },
        };
        let function = StageFunction::DeleteExchange(DeleteExchange { exchange, objects_per_task: OBJECTS_PER_DELETE });
        let memory = ByteCount(SMALL_TASK_BYTES.min(self.fleet.budget));
        let mut stage = self.stage("delete_exchange", function, tasks, memory, predicted);
        stage.effect = StageEffect::Destroys;
        Ok(stage)
    }

    /// The number of boxes, within the limit of a stage.
    pub(crate) fn tasks(&self, grid: &BoxGrid) -> Result<u64, Refusal> {
        let tasks = grid.len();
        if tasks > limits::MAX_TASKS_PER_STAGE {
            let text = format!(
                "a stage of {tasks} tasks, {} at the most: choose larger chunks or a larger max_mem",
                limits::MAX_TASKS_PER_STAGE
            );
            return Err(refuse_limit(self.array.spec, "TOO_MANY_TASKS", &text));
        }
        Ok(tasks)
    }

    pub(crate) fn declared(&self, memory: Option<TaskMemory>, room: Room, tasks: u64) -> Result<ByteCount, Refusal> {
        // A group at the array's end is smaller in every part, but smaller blocks can mean more of them in flight.
        let declared = memory.and_then(|memory| {
            let with = |room: Room| room.declared(&memory, self.fleet, tasks);
            with(room).or_else(|| with(Room::Least))
        });
        let declared = declared.map(|declared| if self.array.is_variable { self.at_least(declared) } else { declared });
        declared.map(ByteCount).ok_or_else(refusal::too_large)
    }

    fn declared_through_exchange(
        &self,
        memory: Option<TaskMemory>,
        room: Room,
        tasks: u64,
    ) -> Result<ByteCount, Refusal> {
        let declared = self.declared(memory, room, tasks)?;
        if !self.array.is_variable {
            return Ok(declared);
        }
        Ok(ByteCount(declared.0.saturating_mul(EXCHANGE_HEADROOM).min(self.fleet.budget)))
    }

    /// How long elements of variable length are shows when they are there: tasks get what as many of them as a worker has
    /// threads may have.
    fn at_least(&self, declared: u64) -> u64 {
        declared.max(self.fleet.budget.checked_div(self.fleet.threads.max(1)).unwrap_or_default())
    }

    pub(crate) fn stage(
        &self,
        name: &str,
        function: StageFunction,
        task_count: u64,
        task_memory: ByteCount,
        predicted: Counts,
    ) -> Stage {
        Stage {
            name: name.to_owned(),
            array: Some(self.index),
            function,
            task_count,
            task_memory,
            task_scratch: ByteCount(0),
            retry: RetryPolicy::default(),
            effect: StageEffect::Writes,
            predicted,
        }
    }
}
