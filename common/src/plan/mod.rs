//! Plans: what the planner answers, the scheduler runs, and the workers are given piece by piece.

mod candidate;
mod exchange;
mod function;
mod listed;
mod outline;
mod packing;
mod pipelines;
mod scratch;
mod shard_parts;
mod small_copies;
mod summary;
mod verify;

pub use candidate::{Candidate, CandidateFigures, CostBasis, Estimate, Verdict};
pub use exchange::{BLOCK_TRAILER_BYTES, Block, Exchange};
pub use function::{
    CheckSource, ClearPrefix, CopyEncoded, CopyExchangeToWrite, CopyReadToExchange, CopyReadToWrite, CustomFunction,
    DeleteExchange, Document, FunctionId, GapPolicy, IndexExchange, PinnedDocument, PrefixPart, PublishMetadata,
    StageFunction,
};
pub use listed::{ListedSource, PresenceBitmap};
pub use outline::{PhaseOutline, PipelineOutline, PlanOutline, StageOutline};
pub use packing::{
    BLOCK_HEADER_BYTES, BLOCK_LENGTH_BYTES, ExchangeCodec, ExchangeEncoding, Packing, ROW_ENTRY_BYTES, Row, Rows,
    TABLE_ENTRY_BYTES, TASKS_PER_DIRECTORY,
};
pub use pipelines::{MultiStagePipeline, ParallelPipelines, Phase, Plan, RetryPolicy, Stage, StageEffect};
pub use scratch::CopyThroughScratch;
pub use shard_parts::ShardParts;
pub use small_copies::{ArrayCopy, CopySmallArrays, SmallCopy};
pub use summary::{ArrayPlan, Assumed, MemoryModel, PlanSummary, RunnerUp, ShapeOfPlan, StageSummary};
pub use verify::{ReadBackAs, Verify};
