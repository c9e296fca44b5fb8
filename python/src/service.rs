//! A coordinator, in this process or behind gRPC, as a Python object. Calls block, without the interpreter.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::StreamExt;
use pyo3::{Py, PyAny, PyResult, Python, exceptions::PyValueError, pyclass, pymethods};
use rechunk_cli::{
    failure::Failure, local::LocalService, remote::RemoteService, report, service::Service as Coordinator,
};
use rechunk_common::{Refusal, RefusalCode, ids::JobId, job::JobView, request::RechunkRequest};
use rechunk_proto::client::CredentialFiles;

use crate::{failure::of_failure, machine::Machine, request::Rechunk, runtime};

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
        let credentials = CredentialFiles::of_environment().read();
        let credentials = credentials.map_err(|error| PyValueError::new_err(error.to_string()))?;
        let connected = runtime::wait(py, || RemoteService::connect(url, credentials, PATIENCE))?;
        Ok(Self::of(Home::Remote(connected.map_err(|failure| of_failure(py, &failure))?)))
    }

    /// What would be done: as JSON, as a table, and, of a coordinator in this process, as a page.
    fn plan(&self, py: Python<'_>, request: Rechunk) -> PyResult<(String, String, Option<String>)> {
        self.call(py, |home| async move {
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
    fn submit(&self, py: Python<'_>, request: Rechunk) -> PyResult<String> {
        self.call(py, |home| async move { Ok(home.coordinator().submit(request.try_into()?).await?.0) })
    }

    /// A job at this moment, as JSON.
    fn job(&self, py: Python<'_>, job: &str) -> PyResult<String> {
        self.call(py, |home| async move { Ok(told(&home.coordinator().job(&JobId::from(job)).await?)) })
    }

    /// All jobs, the newest first, without their plans.
    fn jobs(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        self.call(py, |home| async move { Ok(home.remote()?.jobs().await?.iter().map(told).collect()) })
    }

    /// Follows a job until it has ended, and shows it whenever it changes; its last view. Ctrl-C ends only this call.
    fn follow(&self, py: Python<'_>, job: &str, show: Option<Py<PyAny>>) -> PyResult<String> {
        self.call(py, |home| async move {
            let job = JobId::from(job);
            let mut views = home.coordinator().watch(&job).await?;
            while let Some(view) = views.next().await {
                let view = view?;
                if let Some(show) = &show
                    && let Err(raised) = Python::attach(|py| show.call1(py, (told(&view),)).map(drop))
                {
                    return Ok(Err(raised));
                }
                if view.state.is_terminal() {
                    break;
                }
            }
            Ok(Ok(told(&home.coordinator().job(&job).await?)))
        })?
    }

    /// Ends a job early; what it wrote is removed. Answers before that is done.
    fn cancel(&self, py: Python<'_>, job: &str) -> PyResult<()> {
        self.call(py, |home| async move { home.coordinator().cancel(&JobId::from(job)).await })
    }

    /// Lets a failed job go on, with what is done.
    fn retry(&self, py: Python<'_>, job: &str) -> PyResult<()> {
        self.call(py, |home| async move { home.remote()?.retry(&JobId::from(job)).await })
    }

    /// Forgets a job that has ended, and removes what it left if it failed.
    fn delete(&self, py: Python<'_>, job: &str) -> PyResult<()> {
        self.call(py, |home| async move { home.coordinator().delete(&JobId::from(job)).await })
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

    /// Makes a call, and raises its failure.
    fn call<T, F>(&self, py: Python<'_>, call: impl FnOnce(Arc<Home>) -> F + Send) -> PyResult<T>
    where
        T: Send,
        F: Future<Output = Result<T, Failure>>,
    {
        let home = self.home.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let closed = || Refusal::new(RefusalCode::FailedPrecondition, "CLOSED", "it is closed; make a new one");
        let home = home.ok_or_else(|| of_failure(py, &closed().into()))?;
        let called = runtime::wait(py, || call(home))?;
        called.map_err(|failure| of_failure(py, &failure))
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
