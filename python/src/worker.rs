//! A worker whose functions are Python's, of a coordinator elsewhere.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use pyo3::{FromPyObject, Py, PyAny, PyResult, Python, pyclass, pymethods, types::PyBytes};
use rechunk_cli::failure::Failure;
use rechunk_common::{Counts, FailureClass, Refusal, TaskFailure, ids::TaskIndex, plan::FunctionId};
use rechunk_storage::{StoreConfig, Stores};
use rechunk_worker::{GrpcLink, TaskContext, TaskFunction, WorkerBuilder};
use tokio_util::sync::CancellationToken;

use crate::{
    failure::of_failure,
    machine::Machine,
    runtime::{self, interrupted},
    service::credentials,
};

/// A function that has not returned says so often that it is alive: it asks nothing of our stores, and a lease in which
/// nothing moves is taken for stuck.
const ALIVE_EVERY: Duration = Duration::from_secs(5);

/// What a worker offers.
#[derive(FromPyObject)]
pub(crate) struct WorkerOptions {
    url: String,
    name: Option<String>,
    machine: Machine,
    slots: u32,
    grace_seconds: f64,
    /// Functions of ours too; else only those that are registered.
    offers_rechunks: bool,
    functions: Vec<Offer>,
}

/// A function: called with its parameters and the number of a task, it returns counts as JSON, or raises.
#[derive(FromPyObject)]
struct Offer {
    name: String,
    version: u32,
    call: Py<PyAny>,
}

/// A worker that runs until it is stopped.
#[pyclass(frozen, module = "rechunk._rechunk")]
pub(crate) struct Worker {
    stopped: CancellationToken,
}

#[pymethods]
impl Worker {
    #[new]
    fn new() -> Self {
        Self { stopped: CancellationToken::new() }
    }

    /// Works until it is stopped; then it takes no more leases, and returns when what it holds is done and reported.
    /// Ctrl-C stops it too, and is raised then; a second one is raised at once.
    #[expect(clippy::needless_pass_by_value, reason = "the form in which Python hands it over")]
    fn run(&self, py: Python<'_>, options: WorkerOptions) -> PyResult<()> {
        let worker = runtime::wait(py, || async { built(&options) })?;
        let worker = worker.map_err(|failure| of_failure(py, &failure))?;
        let stopped = self.stopped.clone();
        let ended = runtime::block(py, || async {
            let work = worker.run(stopped.clone());
            tokio::pin!(work);
            tokio::select! {
                () = &mut work => None,
                raised = interrupted() => {
                    stopped.cancel();
                    tokio::select! {
                        () = work => {}
                        _again = interrupted() => {}
                    }
                    Some(raised)
                }
            }
        })?;
        ended.map_or(Ok(()), Err)
    }

    /// Lets `run` return. May be called from any thread, and from a signal handler.
    fn stop(&self) {
        self.stopped.cancel();
    }
}

fn built(options: &WorkerOptions) -> Result<rechunk_worker::Worker, Failure> {
    let refused = |field: &str, message: String| Failure::from(Refusal::invalid(field, "BAD_ARGUMENTS", message));
    let threads = options.machine.threads()?;
    let stores =
        if options.offers_rechunks { options.machine.stores.config()? } else { StoreConfig::of_profiles(Vec::new()) };
    let share = options.machine.memory_share()?;
    let link = GrpcLink::new(&options.url, credentials()?).map_err(|error| refused("url", error.to_string()))?;
    let grace =
        Duration::try_from_secs_f64(options.grace_seconds).map_err(|error| refused("grace", error.to_string()))?;
    let mut builder = WorkerBuilder::new()
        .stores(Stores::new(stores))
        .memory(share.budget)
        .threads(threads)
        .slots(options.slots)
        .grace(grace)
        .link(link);
    if let Some(name) = &options.name {
        builder = builder.name(name.clone());
    }
    if !options.offers_rechunks {
        builder = builder.only_registered();
    }
    for offer in &options.functions {
        let call = Python::attach(|py| offer.call.clone_ref(py));
        builder = builder
            .register(PythonFunction { id: FunctionId::new(offer.name.clone(), offer.version), call: Arc::new(call) });
    }
    builder.build().map_err(|error| refused("functions", error.to_string()))
}

/// A function of Python's, called on a thread of its own. Threads of Python cannot be stopped: where a lease ends first,
/// it is given back when the function has returned, as with a write that is under way.
struct PythonFunction {
    id: FunctionId,
    call: Arc<Py<PyAny>>,
}

#[async_trait]
impl TaskFunction for PythonFunction {
    fn id(&self) -> FunctionId {
        self.id.clone()
    }

    async fn run(&self, cx: &TaskContext, parameters: &[u8], task: TaskIndex) -> Result<Counts, TaskFailure> {
        let (call, parameters) = (Arc::clone(&self.call), parameters.to_vec());
        let under_way = cx.guard().begin_write();
        let running = tokio::task::spawn_blocking(move || {
            let _under_way = under_way;
            called(&call, &parameters, task)
        });
        tokio::pin!(running);
        loop {
            tokio::select! {
                ended = &mut running => {
                    return ended.unwrap_or_else(|error| Err(TaskFailure::new(FailureClass::Bug, error.to_string())));
                }
                () = tokio::time::sleep(ALIVE_EVERY) => cx.note_progress(),
            }
        }
    }
}

fn called(call: &Py<PyAny>, parameters: &[u8], task: TaskIndex) -> Result<Counts, TaskFailure> {
    let called = Python::try_attach(|py| -> PyResult<Result<Counts, TaskFailure>> {
        let (counts, failure): (Option<String>, Option<(String, String)>) =
            call.call1(py, (PyBytes::new(py, parameters), task.0))?.extract(py)?;
        Ok(match failure {
            Some((class, message)) => Err(TaskFailure::new(class_of(&class), message)),
            None => counted(counts.as_deref()),
        })
    });
    match called {
        Some(Ok(outcome)) => outcome,
        Some(Err(raised)) => Err(TaskFailure::new(FailureClass::Bug, raised.to_string())),
        None => Err(TaskFailure::new(FailureClass::TryElsewhere, "the interpreter of this worker is ending")),
    }
}

/// Counts by name, as far as they are known here.
fn counted(given: Option<&str>) -> Result<Counts, TaskFailure> {
    let counts = || -> serde_json::Result<Counts> {
        let mut all = serde_json::to_value(Counts::default())?;
        let given: serde_json::Map<String, serde_json::Value> = serde_json::from_str(given.unwrap_or("{}"))?;
        if let Some(all) = all.as_object_mut() {
            all.extend(given);
        }
        serde_json::from_value(all)
    };
    counts()
        .map_err(|error| TaskFailure::new(FailureClass::GiveUpTask, format!("these counts cannot be taken: {error}")))
}

fn class_of(reason: &str) -> FailureClass {
    match reason {
        "TRY_AGAIN" => FailureClass::TryAgain,
        "TRY_ELSEWHERE" => FailureClass::TryElsewhere,
        "INVALID_REQUEST" => FailureClass::InvalidRequest,
        _ => FailureClass::GiveUpTask,
    }
}
