//! A coordinator, in this process or behind gRPC, as a Python object. Calls block, without the interpreter, or tell their
//! answer to a function.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::StreamExt;
use pyo3::{IntoPyObject, IntoPyObjectExt, Py, PyAny, PyErr, PyResult, Python, pyclass, pymethods};
use rechunk_cli::{
    failure::Failure, local::LocalService, remote::RemoteService, report, service::Service as Coordinator,
};
use rechunk_common::{Refusal, RefusalCode, ids::JobId, job::JobView, request::RechunkRequest};
use rechunk_proto::client::{CredentialFiles, Credentials};
use tokio::task::AbortHandle;

use crate::{failure::of_failure, logging, machine::Machine, pipelines::Pipelines, request::Rechunk, runtime};

/// How long a call is made again while a coordinator is away.
const PATIENCE: Duration = Duration::from_mins(5);

enum Home {
    Local(LocalService),
    Remote(RemoteService),
}

impl Home {
    fn coordinator(&self) -> &dyn Coordinator {
        match self {
            Self::Local(local) => local,
            Self::Remote(remote) => remote,
        }
    }

    fn remote(&self) -> Result<&RemoteService, Failure> {
        match self {
            Self::Remote(remote) => Ok(remote),
            Self::Local(_) => Err(Failure::internal("a job of this process ends with its call")),
        }
    }
}

/// A coordinator, in this process or behind gRPC.
#[pyclass(frozen, module = "rechunk._rechunk")]
pub(crate) struct Service {
    /// Gone once it is closed.
    home: Mutex<Option<Arc<Home>>>,
}

#[pymethods]
impl Service {
    /// A coordinator in this process; its workers start with the first job.
    #[staticmethod]
    #[expect(clippy::needless_pass_by_value, reason = "the form in which Python hands it over")]
    fn local(py: Python<'_>, machine: Machine) -> PyResult<Self> {
        let started = runtime::wait(py, || async { LocalService::start(machine.local()?) })?;
        Ok(Self::of(Home::Local(started.map_err(|failure| of_failure(py, &failure))?)))
    }

    /// The coordinator at a URL, which must answer at once. Certificates and a token come from the environment.
    #[staticmethod]
    fn remote(py: Python<'_>, url: &str) -> PyResult<Self> {
        let credentials = credentials().map_err(|failure| of_failure(py, &failure))?;
        let connected = runtime::wait(py, || RemoteService::connect(url, credentials, PATIENCE))?;
        Ok(Self::of(Home::Remote(connected.map_err(|failure| of_failure(py, &failure))?)))
    }

    /// What would be done: as JSON, as a table, and, of a coordinator in this process, as a page.
    #[pyo3(signature = (request, done=None))]
    fn plan(&self, py: Python<'_>, request: Rechunk, done: Option<Py<PyAny>>) -> PyResult<Py<PyAny>> {
        self.call(py, done, |home| async move {
            let request = RechunkRequest::try_from(request)?;
            let (summary, page) = match &*home {
                Home::Local(local) => {
                    let (plan, summary) = local.whole_plan(request.clone()).await?;
                    let page = report::html::page(&request, &plan, &summary);
                    (summary, Some(page))
                }
                Home::Remote(remote) => (remote.plan(request).await?, None),
            };
            Ok((report::json::plan(&summary).to_string(), report::table::plan(&summary), page))
        })
    }

    /// Takes a job on; its id.
    #[pyo3(signature = (request, done=None))]
    fn submit(&self, py: Python<'_>, request: Rechunk, done: Option<Py<PyAny>>) -> PyResult<Py<PyAny>> {
        self.call(py, done, |home| async move { Ok(home.coordinator().submit(request.try_into()?).await?.0) })
    }

    /// Takes pipelines on whose functions workers have registered; the job's id.
    #[pyo3(signature = (pipelines, done=None))]
    fn submit_pipelines(&self, py: Python<'_>, pipelines: Pipelines, done: Option<Py<PyAny>>) -> PyResult<Py<PyAny>> {
        self.call(py, done, |home| async move { Ok(home.remote()?.submit_pipelines(pipelines.try_into()?).await?.0) })
    }

    /// A job at this moment, as JSON.
    #[pyo3(signature = (job, done=None))]
    fn job(&self, py: Python<'_>, job: String, done: Option<Py<PyAny>>) -> PyResult<Py<PyAny>> {
        self.call(py, done, |home| async move { Ok(told(&home.coordinator().job(&JobId(job)).await?)) })
    }

    /// All jobs, the newest first, without their plans.
    #[pyo3(signature = (done=None))]
    fn jobs(&self, py: Python<'_>, done: Option<Py<PyAny>>) -> PyResult<Py<PyAny>> {
        self.call(
            py,
            done,
            |home| async move { Ok(home.remote()?.jobs().await?.iter().map(told).collect::<Vec<String>>()) },
        )
    }

    /// Follows a job until it has ended, and shows it whenever it changes; its last view. Ctrl-C ends only this call.
    #[pyo3(signature = (job, show, done=None))]
    fn follow(
        &self,
        py: Python<'_>,
        job: String,
        show: Option<Py<PyAny>>,
        done: Option<Py<PyAny>>,
    ) -> PyResult<Py<PyAny>> {
        self.call(py, done, |home| async move {
            let job = JobId(job);
            let mut views = home.coordinator().watch(&job).await?;
            while let Some(view) = views.next().await {
                let view = view?;
                if let Some(show) = &show {
                    let shown = Python::try_attach(|py| show.call1(py, (told(&view),)).map(drop));
                    shown.unwrap_or(Ok(())).map_err(NoAnswer::Raised)?;
                }
                if view.state.is_terminal() {
                    break;
                }
            }
            Ok(told(&home.coordinator().job(&job).await?))
        })
    }

    /// Ends a job early; what it wrote is removed. Answers before that is done.
    #[pyo3(signature = (job, done=None))]
    fn cancel(&self, py: Python<'_>, job: String, done: Option<Py<PyAny>>) -> PyResult<Py<PyAny>> {
        self.call(py, done, |home| async move { Ok(home.coordinator().cancel(&JobId(job)).await?) })
    }

    /// Lets a failed job go on, with what is done.
    #[pyo3(signature = (job, done=None))]
    fn retry(&self, py: Python<'_>, job: String, done: Option<Py<PyAny>>) -> PyResult<Py<PyAny>> {
        self.call(py, done, |home| async move { Ok(home.remote()?.retry(&JobId(job)).await?) })
    }

    /// Forgets a job that has ended, and removes what it left if it failed.
    #[pyo3(signature = (job, done=None))]
    fn delete(&self, py: Python<'_>, job: String, done: Option<Py<PyAny>>) -> PyResult<Py<PyAny>> {
        self.call(py, done, |home| async move { Ok(home.coordinator().delete(&JobId(job)).await?) })
    }

    /// Ends the workers and the coordinator of this process.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        let home = self.home.lock().unwrap_or_else(PoisonError::into_inner).take();
        match home.and_then(Arc::into_inner) {
            Some(Home::Local(local)) => runtime::wait(py, || local.stop()),
            Some(Home::Remote(_)) | None => Ok(()),
        }
    }
}

impl Service {
    fn of(home: Home) -> Self {
        Self { home: Mutex::new(Some(Arc::new(home))) }
    }

    /// Makes a call and waits for its answer; or, with `done`, begins it: `done(answer, None)` or `done(None, error)` is
    /// called when it has ended, on a thread of ours, unless it is cancelled first.
    fn call<T, F>(
        &self,
        py: Python<'_>,
        done: Option<Py<PyAny>>,
        call: impl FnOnce(Arc<Home>) -> F + Send + 'static,
    ) -> PyResult<Py<PyAny>>
    where
        T: for<'py> IntoPyObject<'py> + Send + 'static,
        F: Future<Output = Result<T, NoAnswer>> + Send + 'static,
    {
        let home = self.home.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let closed = || Refusal::new(RefusalCode::FailedPrecondition, "CLOSED", "it is closed; make a new one");
        let home = home.ok_or_else(|| of_failure(py, &closed().into()))?;
        let Some(done) = done else {
            return answer(py, runtime::wait(py, || call(home))?);
        };
        let running = runtime::runtime()?.spawn(async move {
            let ended = call(home).await;
            // Nobody waits in an interpreter that is ending.
            Python::try_attach(|py| {
                let told = match logging::deliver(py).and_then(|()| answer(py, ended)) {
                    Ok(value) => done.call1(py, (value, None::<Py<PyAny>>)),
                    Err(raised) => done.call1(py, (None::<Py<PyAny>>, raised)),
                };
                if let Err(raised) = told {
                    raised.write_unraisable(py, None);
                }
            });
        });
        Ok(Py::new(py, Call { running: running.abort_handle() })?.into_any())
    }
}

/// Whom we believe, and how we prove who we are, as the environment says it.
pub(crate) fn credentials() -> Result<Credentials, Failure> {
    Ok(CredentialFiles::of_environment().read().map_err(Refusal::from)?)
}

/// A call that was begun.
#[pyclass(frozen, module = "rechunk._rechunk")]
pub(crate) struct Call {
    running: AbortHandle,
}

#[pymethods]
impl Call {
    /// Stops asking; what a coordinator has been asked for it may do all the same.
    fn cancel(&self) {
        self.running.abort();
    }
}

/// Why a call has no answer.
enum NoAnswer {
    Failed(Failure),
    Raised(PyErr),
}

impl From<Failure> for NoAnswer {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

fn answer<T: for<'py> IntoPyObject<'py>>(py: Python<'_>, ended: Result<T, NoAnswer>) -> PyResult<Py<PyAny>> {
    match ended {
        Ok(value) => value.into_py_any(py),
        Err(NoAnswer::Failed(failure)) => Err(of_failure(py, &failure)),
        Err(NoAnswer::Raised(raised)) => Err(raised),
    }
}

/// A job as JSON text; one that has ended with its report.
fn told(job: &JobView) -> String {
    let mut value = report::json::job(job);
    let wall = job.ended_at_ms.map(|ended| ended.saturating_sub(job.accepted_at_ms) as f64 / 1000.0);
    if let (Some(summary), Some(wall), Some(fields)) = (&job.plan, wall, value.as_object_mut()) {
        fields.insert("report".into(), report::json::result(job, summary, wall));
    }
    value.to_string()
}
