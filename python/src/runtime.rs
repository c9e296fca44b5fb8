//! The async threads behind every call: started by the first one, shared by all, and started anew in a process that was
//! forked, where threads do not follow. What was logged meanwhile is handed over by the thread that waits.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use pyo3::{PyErr, PyResult, Python, exceptions::PyRuntimeError};
use tokio::runtime::{Builder, Runtime};
use tokio_util::sync::CancellationToken;

use crate::logging;

/// How often a call that waits looks for Ctrl-C.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The threads of this process, with its number. They live as long as it does.
static RUNTIME: Mutex<Option<(u32, &'static Runtime)>> = Mutex::new(None);

/// The threads.
pub(crate) fn runtime() -> PyResult<&'static Runtime> {
    let mut known = RUNTIME.lock().unwrap_or_else(PoisonError::into_inner);
    let process = std::process::id();
    if let Some((owner, runtime)) = *known
        && owner == process
    {
        return Ok(runtime);
    }
    // Two TLS providers may be linked in; naming one keeps the choice from being made twice.
    let _already_named = rustls::crypto::aws_lc_rs::default_provider().install_default();
    logging::begin();
    let started = Builder::new_multi_thread().enable_all().thread_name("rechunk").build();
    let started = started.map_err(|error| PyRuntimeError::new_err(format!("cannot start threads: {error}")))?;
    let started: &'static Runtime = Box::leak(Box::new(started));
    *known = Some((process, started));
    Ok(started)
}

/// Waits for what `work` begins, without the interpreter, which other threads may have meanwhile. Ctrl-C drops it.
pub(crate) fn wait<T: Send, F: Future<Output = T>>(py: Python<'_>, work: impl FnOnce() -> F + Send) -> PyResult<T> {
    block(py, || async {
        tokio::select! {
            done = work() => Ok(done),
            interrupted = interrupted() => Err(interrupted),
        }
    })?
}

/// The same, but Ctrl-C cancels the work and lets it end before it is raised.
pub(crate) fn wait_to_the_end<T: Send>(
    py: Python<'_>,
    cancelled: &CancellationToken,
    work: impl Future<Output = T> + Send,
) -> PyResult<T> {
    block(py, || async {
        tokio::pin!(work);
        tokio::select! {
            done = &mut work => Ok(done),
            interrupted = interrupted() => {
                cancelled.cancel();
                let _unwanted = work.await;
                Err(interrupted)
            }
        }
    })?
}

/// The same for work that looks for Ctrl-C itself.
pub(crate) fn block<T: Send, F: Future<Output = T>>(py: Python<'_>, work: impl FnOnce() -> F + Send) -> PyResult<T> {
    logging::deliver(py)?;
    let done = py.detach(|| Ok(runtime()?.block_on(work())));
    logging::deliver(py)?;
    done
}

/// Ends when a signal handler of Python's raises, as that of Ctrl-C does; only the main thread has any.
pub(crate) async fn interrupted() -> PyErr {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let looked = Python::attach(|py| {
            logging::deliver(py)?;
            py.check_signals()
        });
        if let Err(raised) = looked {
            return raised;
        }
    }
}
