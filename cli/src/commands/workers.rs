//! `rechunk workers`: who is there, and what they can hold.

use crate::{
    args::{OutputArgs, OutputFormat, RemoteArgs},
    console::say,
    failure::Failure,
    report::{figure::grouped, table::table_of},
};

/// All workers of a coordinator.
pub(crate) async fn list(args: &RemoteArgs, output: &OutputArgs) -> Result<(), Failure> {
    let workers = args.connect(std::time::Duration::ZERO).await?.workers().await?;
    match output.output {
        OutputFormat::Json => {
            let value = serde_json::to_value(&workers).map_err(|error| Failure::internal(error.to_string()))?;
            say!("{value:#}");
        }
        OutputFormat::Text if workers.is_empty() => say!("no workers"),
        OutputFormat::Text => {
            let mut table = table_of(&["worker", "version", "slots", "memory", "free", "tasks", "state"]);
            for worker in &workers {
                table.add_row([
                    worker.id.to_string(),
                    worker.version.clone(),
                    worker.total.slots.to_string(),
                    worker.total.memory.to_string(),
                    worker.free.memory.to_string(),
                    grouped(worker.leased_tasks),
                    if worker.draining { "draining" } else { "ready" }.to_owned(),
                ]);
            }
            say!("{}", table.trim_fmt());
        }
    }
    Ok(())
}
