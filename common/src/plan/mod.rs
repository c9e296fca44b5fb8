//! Plans: what the planner answers, the scheduler runs, and the workers are given piece by piece.

mod exchange;
mod function;
mod listed;
mod outline;
mod pipelines;
mod summary;

pub use exchange::{BLOCK_TRAILER_BYTES, Block, Exchange};
pub use function::{
    CheckSource, ClearPrefix, CopyEncoded, CopyExchangeToWrite, CopyReadToExchange, CopyReadToWrite, CustomFunction,
    DeleteExchange, Document, FunctionId, GapPolicy, PinnedDocument, PrefixPart, PublishMetadata, StageFunction,
};
pub use listed::{ListedSource, PresenceBitmap};
pub use outline::{PhaseOutline, PipelineOutline, PlanOutline, StageOutline};
pub use pipelines::{MultiStagePipeline, ParallelPipelines, Phase, Plan, RetryPolicy, Stage, StageEffect};
pub use summary::{ArrayPlan, Assumed, MemoryModel, PlanSummary, RunnerUp, ShapeOfPlan, StageSummary};
