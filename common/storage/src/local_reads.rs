//! Reading local files away from the async threads: opened and read by a few blocking threads that take what waits
//! from one queue.
//!
//! A blocking task per call would wake a thread for each of many small chunks, which costs more than reading them;
//! for the same reason many requests can be *carried* to a reader together, which then makes their calls itself. A
//! single call reads into a buffer that the asking thread allocates, because a thread that ever allocated a large one
//! keeps some of that memory; what is carried should be small.
//! Knows nothing of keys, retries or time.

use std::{
    cell::Cell,
    collections::VecDeque,
    fs::File,
    io,
    ops::Range,
    os::fd::AsFd,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use object_store::{
    Attributes, Error as StoreError, Extensions, GetRange, GetResult, GetResultPayload, ObjectMeta,
    local::LocalFileSystem, path::Path as ObjectPath,
};
use rustix::{buffer::spare_capacity, io::Errno};
use tokio::{runtime::Handle, sync::oneshot};

/// Readers at a time: enough for disks that like many requests.
const MOST_READERS: usize = 16;

/// Another reader starts only where more than so many calls wait per reader.
const CALLS_PER_READER: usize = 4;

type Call = Box<dyn FnOnce() + Send>;

thread_local! {
    /// Whether this thread is a reader that carries requests: their calls are made at once.
    static CARRIES: Cell<bool> = const { Cell::new(false) };
}

/// The readers of local files. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct LocalReads {
    /// Knows what file a path means.
    files: Arc<LocalFileSystem>,
    queue: Arc<Mutex<Queue>>,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Call>,
    readers: usize,
}

impl LocalReads {
    /// Opens the file of `path` as `object_store` would, its `range` or all of it.
    pub(crate) async fn open(&self, path: &ObjectPath, range: Option<GetRange>) -> Result<GetResult, StoreError> {
        let location = path.clone();
        let path = self.files.path_to_filesystem(path)?;
        self.run(move || open(location, path, range)).await
    }

    /// The file that `path` means.
    pub(crate) fn file_of(&self, path: &ObjectPath) -> Result<PathBuf, StoreError> {
        self.files.path_to_filesystem(path)
    }

    /// Reads `range` of an open file; fewer bytes where it ends before.
    pub(crate) async fn read(&self, file: File, range: Range<u64>) -> Result<Bytes, StoreError> {
        let length = usize::try_from(range.end.saturating_sub(range.start)).map_err(fault)?;
        let buffer = Vec::with_capacity(length);
        self.run(move || read_at(&file, buffer, length, range.start).map(Bytes::from).map_err(fault)).await
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `requests` on one of the readers, where each call that they make is made at once. They end early once
    /// nobody waits for them.
    pub(crate) async fn carry<F>(&self, requests: F) -> Result<F::Output, StoreError>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let (mut sender, receiver) = oneshot::channel();
        let runtime = Handle::current();
        self.hand_over(move || {
            let _carrying = Carrying::begin();
            let answer = runtime.block_on(async {
                tokio::select! {
                    biased;
                    () = sender.closed() => None,
                    answer = requests => Some(answer),
                }
            });
            if let Some(answer) = answer {
                let _unwanted = sender.send(answer);
            }
        });
        receiver.await.map_err(|_| gone())
    }

    /// Runs `call` on one of the readers. It is not run any more once nobody waits for it.
    async fn run<T, F>(&self, call: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce() -> Result<T, StoreError> + Send + 'static,
    {
        if CARRIES.get() {
            return call();
        }
        let (sender, receiver) = oneshot::channel();
        self.hand_over(move || {
            if !sender.is_closed() {
                // Nobody waits any more: the request was given up meanwhile.
                let _unwanted = sender.send(call());
            }
        });
        receiver.await.unwrap_or_else(|_| Err(gone()))
    }

    fn hand_over(&self, call: impl FnOnce() + Send + 'static) {
        if let Some(reader) = self.ask(Box::new(call)) {
            tokio::task::spawn_blocking(move || reader.work());
        }
    }

    /// Lets a call wait for a reader; gives the reader that has to be started for it.
    fn ask(&self, call: Call) -> Option<Reader> {
        let mut queue = self.queue();
        queue.waiting.push_back(call);
        let enough = queue.readers.saturating_mul(CALLS_PER_READER);
        if queue.readers >= MOST_READERS || queue.waiting.len() <= enough {
            return None;
        }
        queue.readers += 1;
        Some(Reader { reads: self.clone(), is_counted: true })
    }
}

/// While it lives, this thread makes the calls of requests itself.
struct Carrying;

impl Carrying {
    fn begin() -> Self {
        CARRIES.set(true);
        Self
    }
}

impl Drop for Carrying {
    fn drop(&mut self) {
        CARRIES.set(false);
    }
}

/// A thread that runs what waits until nothing does.
struct Reader {
    reads: LocalReads,
    is_counted: bool,
}

impl Reader {
    fn work(mut self) {
        while let Some(call) = self.next() {
            // Whoever waits for it learns of a panic as its sender is gone; the other calls are still answered.
            let _panic = catch_unwind(AssertUnwindSafe(call));
        }
    }

    /// The next call. Where there is none the reader leaves under the same lock, so that no call waits for it.
    fn next(&mut self) -> Option<Call> {
        let mut queue = self.reads.queue();
        let call = queue.waiting.pop_front();
        if call.is_none() && self.is_counted {
            self.is_counted = false;
            queue.readers = queue.readers.saturating_sub(1);
        }
        call
    }
}

impl Drop for Reader {
    /// Where the runtime ended before the thread began.
    fn drop(&mut self) {
        if self.is_counted {
            let mut queue = self.reads.queue();
            queue.readers = queue.readers.saturating_sub(1);
        }
    }
}

fn open(location: ObjectPath, path: PathBuf, range: Option<GetRange>) -> Result<GetResult, StoreError> {
    let file = File::open(&path).map_err(fault)?;
    let metadata = file.metadata().map_err(fault)?;
    if metadata.is_dir() {
        return Err(fault(io::Error::from(io::ErrorKind::IsADirectory)));
    }
    let size = metadata.len();
    let last_modified = metadata.modified().map_err(fault)?.into();
    let range = match range {
        Some(range) => range.as_range(size).map_err(fault)?,
        None => 0..size,
    };
    Ok(GetResult {
        payload: GetResultPayload::File(file, path),
        meta: ObjectMeta { location, last_modified, size, e_tag: None, version: None },
        range,
        attributes: Attributes::default(),
        extensions: Extensions::default(),
    })
}

/// Fills `buffer`, which has the capacity, with up to `length` bytes; nothing is written twice.
fn read_at(file: impl AsFd, mut buffer: Vec<u8>, length: usize, start: u64) -> io::Result<Vec<u8>> {
    while buffer.len() < length {
        let offset = start.saturating_add(buffer.len() as u64);
        match rustix::io::pread(&file, spare_capacity(&mut buffer), offset) {
            Ok(0) => break,
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    buffer.truncate(length);
    Ok(buffer)
}

fn gone() -> StoreError {
    fault(io::Error::other("the reading thread is gone"))
}

fn fault(error: impl std::error::Error + Send + Sync + 'static) -> StoreError {
    StoreError::Generic { store: "local files", source: Box::new(error) }
}

#[cfg(test)]
mod tests {
    use std::{fs, sync::mpsc};

    use super::*;

    #[tokio::test]
    async fn a_file_is_read_in_its_range_and_as_far_as_it_goes() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("k");
        fs::write(&path, "0123456789").unwrap();
        let reads = LocalReads::default();
        for (range, expected) in [(2..5, "234"), (0..10, "0123456789"), (8..20, "89"), (10..12, "")] {
            let bytes = reads.read(File::open(&path).unwrap(), range).await.unwrap();
            assert_eq!(bytes, expected);
        }
    }

    #[tokio::test]
    async fn many_calls_share_few_readers_and_all_are_answered() {
        let reads = LocalReads::default();
        let (go, wait) = mpsc::channel::<()>();
        let held = reads.run(move || wait.recv().map_err(fault));
        let calls = (0..100).map(|number| reads.run(move || Ok(number)));
        let observed = reads.clone();
        let release = async move {
            let most = observed.queue().readers;
            go.send(()).unwrap();
            most
        };
        let (held, answers, readers) = tokio::join!(held, futures::future::join_all(calls), release);
        held.unwrap();
        assert_eq!(answers.into_iter().map(Result::unwrap).collect::<Vec<_>>(), (0..100).collect::<Vec<_>>());
        assert!((1..=MOST_READERS).contains(&readers), "{readers}");
    }

    #[tokio::test]
    async fn carried_requests_make_their_calls_on_one_reader() {
        let reads = LocalReads::default();
        let inner = reads.clone();
        let threads = reads.carry(async move {
            let mut threads = vec![std::thread::current().id()];
            for _ in 0..3 {
                threads.push(inner.run(|| Ok(std::thread::current().id())).await.unwrap());
            }
            threads
        });
        let threads = threads.await.unwrap();
        assert!(threads.iter().all(|thread| *thread == threads[0] && *thread != std::thread::current().id()));
        let after = reads.run(|| Ok(CARRIES.get())).await.unwrap();
        assert!(!after, "the reader takes single calls again");
    }

    #[tokio::test]
    async fn carried_requests_end_when_nobody_waits_for_them() {
        let reads = LocalReads::default();
        let (ended, mut end) = tokio::sync::mpsc::channel::<()>(1);
        let (started, start) = oneshot::channel();
        let carried = reads.carry(async move {
            let _ended = ended;
            started.send(()).unwrap();
            std::future::pending::<()>().await;
        });
        tokio::select! {
            _ = carried => panic!("it waits for ever"),
            answer = start => answer.unwrap(),
        }
        assert_eq!(end.recv().await, None, "it was dropped");
    }

    #[tokio::test]
    async fn a_reader_that_panics_takes_no_other_call_with_it() {
        let reads = LocalReads::default();
        let broken = reads.run(|| -> Result<(), StoreError> { panic!("a fault of the test") }).await;
        assert!(broken.is_err());
        assert_eq!(reads.run(|| Ok(7)).await.unwrap(), 7);
    }
}
