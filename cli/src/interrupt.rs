//! Ctrl-C, and SIGTERM as its equal: the first asks whoever follows a job to cancel it, a second ends the program at
//! once. Where nobody follows a job there is nothing to cancel, and the first one ends the program.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::Notify,
};

use crate::failure::Failure;

/// Who hears of the first interrupt.
#[derive(Debug, Clone, Default)]
pub(crate) struct Interrupts {
    listeners: Arc<AtomicUsize>,
    asked: Arc<Notify>,
}

/// Somebody who answers an interrupt; when it is dropped nobody does.
pub(crate) struct Listener(Interrupts);

impl Interrupts {
    /// From now until the listener is dropped, the first interrupt goes to it.
    pub(crate) fn listen(&self) -> Listener {
        self.listeners.fetch_add(1, Ordering::SeqCst);
        Listener(self.clone())
    }

    /// Runs `work` until it ends or the program must.
    pub(crate) async fn run<T>(&self, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        let no_signals = |error: std::io::Error| Failure::internal(format!("cannot listen for signals: {error}"));
        let interrupt = signal(SignalKind::interrupt()).map_err(no_signals)?;
        let terminate = signal(SignalKind::terminate()).map_err(no_signals)?;
        tokio::select! {
            ended = work => ended,
            is_cancelling = self.until_the_end(interrupt, terminate) => Err(Failure::interrupted(is_cancelling)),
        }
    }

    /// Waits until the program must end; says whether a job is being cancelled.
    async fn until_the_end(&self, mut interrupt: Signal, mut terminate: Signal) -> bool {
        let mut was_asked = false;
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if was_asked || self.listeners.load(Ordering::SeqCst) == 0 {
                return was_asked;
            }
            was_asked = true;
            self.asked.notify_one();
        }
    }
}

impl Listener {
    /// Waits for the first interrupt.
    pub(crate) async fn asked(&self) {
        self.0.asked.notified().await;
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.0.listeners.fetch_sub(1, Ordering::SeqCst);
    }
}
