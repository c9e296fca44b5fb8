//! Threads that plans are made on: resolving the links of local paths blocks, and the search for a plan takes up to 100 ms,
//! which is too long for a thread that serves calls.

use tokio::{runtime::Handle, select, task::spawn_blocking};
use tokio_util::sync::CancellationToken;

/// Runs what `begin` begins on a thread of its own. `None`: it panicked.
///
/// It ends at its next wait once nobody waits for this any more. A thread can't be ended from outside, and one that outlived
/// the runtime would panic at its next timer.
pub(super) async fn on_thread<T, W>(begin: impl FnOnce() -> W + Send + 'static) -> Option<T>
where
    T: Send + 'static,
    W: Future<Output = T>,
{
    let (runtime, nobody_waits) = (Handle::current(), CancellationToken::new());
    let _until_dropped = nobody_waits.clone().drop_guard();
    let thread = spawn_blocking(move || {
        let work = begin();
        runtime.block_on(async {
            select! {
                // Asked first, so that no timer of the work is touched any more.
                biased;
                () = nobody_waits.cancelled() => None,
                output = work => Some(output),
            }
        })
    });
    thread.await.ok().flatten()
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn what_was_asked_for_is_answered() {
        assert_eq!(on_thread(|| async { 7 }).await, Some(7));
    }

    #[tokio::test]
    async fn a_panic_is_no_answer() {
        let outcome = on_thread(|| async { assert!(std::env::args().count() == 0, "the thread of a plan") }).await;
        assert_eq!(outcome, None);
    }

    #[tokio::test]
    async fn a_thread_ends_when_nobody_waits_for_it_any_more() {
        let (started, has_started) = oneshot::channel();
        let (held, is_dropped) = oneshot::channel::<()>();
        let asked = tokio::spawn(on_thread(move || async move {
            let _held = held;
            started.send(()).expect("the test listens");
            pending::<()>().await;
        }));
        has_started.await.expect("the work has begun");
        asked.abort();
        assert!(is_dropped.await.is_err(), "what the work held is dropped");
    }
}
