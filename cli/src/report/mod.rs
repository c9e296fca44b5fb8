//! Plans and results as people and programs read them. The same shape before and after a run.

mod assumptions;
pub mod figure;
pub mod html;
pub mod json;
pub mod table;

use rechunk_common::plan::PlanSummary;

/// The name of the stages that read the target back.
const VERIFY: &str = "verify";

/// Whether the target is read back before it is published.
fn is_verified(summary: &PlanSummary) -> bool {
    summary.stages.iter().any(|stage| stage.name == VERIFY)
}
