//! Who watches which job. Views coalesce: a slow watcher sees the latest, and a job that changes a thousand times a
//! second is looked at ten times a second.

use std::{collections::BTreeMap, time::Duration};

use rechunk_common::{ids::JobId, job::JobView};
use tokio::{sync::watch, time::Instant};

/// The shortest time between two views of a job, but for the last.
const VIEW_EVERY: Duration = Duration::from_millis(100);

/// The watched jobs.
#[derive(Default)]
pub(super) struct Watchers {
    watched: BTreeMap<JobId, Watched>,
}

struct Watched {
    views: watch::Sender<JobView>,
    // When the next view may be shown, and whether there is something to show.
    next_at: Instant,
    has_changed: bool,
}

impl Watchers {
    /// A view of `job` as it changes, from `view` on.
    pub(super) fn watch(&mut self, job: &JobId, view: JobView, now: Instant) -> watch::Receiver<JobView> {
        if let Some(watched) = self.watched.get(job) {
            watched.views.send_replace(view);
            return watched.views.subscribe();
        }
        let is_terminal = view.state.is_terminal();
        let (views, receiver) = watch::channel(view);
        if !is_terminal {
            self.watched.insert(job.clone(), Watched { views, next_at: now + VIEW_EVERY, has_changed: false });
        }
        receiver
    }

    /// `job` has changed.
    pub(super) fn mark(&mut self, job: &JobId) {
        if let Some(watched) = self.watched.get_mut(job) {
            watched.has_changed = true;
        }
    }

    /// `job` is terminal: its last view may be shown at once.
    pub(super) fn mark_terminal(&mut self, job: &JobId, now: Instant) {
        if let Some(watched) = self.watched.get_mut(job) {
            watched.has_changed = true;
            watched.next_at = now;
        }
    }

    /// When [`Self::take_due`] has something; `None` while nothing has changed.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.watched.values().filter(|watched| watched.has_changed).map(|watched| watched.next_at).min()
    }

    /// The jobs of which a new view is due. Jobs that nobody watches any more are dropped.
    pub(super) fn take_due(&mut self, now: Instant) -> Vec<JobId> {
        self.watched.retain(|_, watched| watched.views.receiver_count() > 0);
        let mut due = Vec::new();
        for (job, watched) in &mut self.watched {
            if watched.has_changed && watched.next_at <= now {
                watched.has_changed = false;
                watched.next_at = now + VIEW_EVERY;
                due.push(job.clone());
            }
        }
        due
    }

    /// Shows `view`; a terminal one is the last. `None`: the job is forgotten, its watchers end.
    pub(super) fn show(&mut self, job: &JobId, view: Option<JobView>) {
        let Some(view) = view else {
            self.watched.remove(job);
            return;
        };
        let is_terminal = view.state.is_terminal();
        if let Some(watched) = self.watched.get(job) {
            watched.views.send_replace(view);
        }
        if is_terminal {
            self.watched.remove(job);
        }
    }
}
