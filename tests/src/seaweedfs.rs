//! A real S3 server for one test: SeaweedFS with one bucket, killed when dropped.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use rechunk_storage::{Access, RetryPolicy, StoreConfig, StoreUrl, Stores, Unguarded};
use tempfile::TempDir;

use crate::s3_profile;

/// Names the program `weed`; `tests/run` installs it and sets this.
pub const WEED_VARIABLE: &str = "RECHUNK_TEST_WEED";

const BUCKET: &str = "test";
const KEY: &str = "rechunk-key";
const SECRET: &str = "rechunk-secret";

/// A start takes 4 s on a quiet machine.
const START_DEADLINE: Duration = Duration::from_secs(90);

/// Between two questions to a process that cannot tell when it is ready.
const POLL: Duration = Duration::from_millis(50);

/// A running server. Its data is in a directory of its own, which goes with it.
#[derive(Debug)]
pub struct SeaweedFs {
    directory: TempDir,
    ports: Ports,
    process: Child,
}

#[derive(Debug, Clone, Copy)]
struct Ports {
    master: u16,
    volume: u16,
    filer: u16,
    s3: u16,
}

impl SeaweedFs {
    /// Starts a server and waits until it takes an object.
    ///
    /// # Panics
    /// Where the server is not installed or does not start.
    pub async fn start() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        write_identities(directory.path());
        std::fs::create_dir(directory.path().join("data")).expect("a new directory");
        let ports = Ports::free();
        let process = spawn(directory.path(), ports);
        let mut server = Self { directory, ports, process };
        server.wait_until_ready().await;
        server
    }

    /// What programs need to use the server: everything in the bucket may be read and written.
    pub fn config(&self) -> StoreConfig {
        self.config_for(KEY, SECRET)
    }

    /// The same with other credentials.
    pub fn config_for(&self, key: &str, secret: &str) -> StoreConfig {
        s3_profile::config(BUCKET, self.ports.s3, key, secret)
    }

    /// The URL of `path` in the bucket.
    pub fn url(&self, path: &str) -> String {
        format!("s3://{BUCKET}/{path}")
    }

    /// Kills the server as a crash would; its data stays.
    ///
    /// # Panics
    /// Where the process cannot be killed.
    pub fn kill(&mut self) {
        self.process.kill().expect("the server can be killed");
        self.process.wait().expect("the server ends");
    }

    /// Starts the server again on the same data and ports, after [`kill`](Self::kill).
    ///
    /// # Panics
    /// Where it does not start.
    pub async fn restart(&mut self) {
        self.process = spawn(self.directory.path(), self.ports);
        self.wait_until_ready().await;
    }

    async fn wait_until_ready(&mut self) {
        let retry = RetryPolicy::never();
        let stores = Stores::new(self.config().with_retry(retry).with_request_timeout(Duration::from_secs(5)));
        let url = StoreUrl::parse(&self.url("ready")).expect("a URL");
        let probe = stores.open(&url, Access::ReadWrite).expect("the profile covers it");
        let begun = Instant::now();
        loop {
            let made = make_bucket(self.ports.filer);
            let last = match made {
                Err(error) => error.to_string(),
                Ok(()) => match probe.put("probe", "1", &Unguarded).await {
                    Ok(()) => match probe.delete("probe", &Unguarded).await {
                        Ok(()) => return,
                        Err(error) => error.to_string(),
                    },
                    Err(error) => error.to_string(),
                },
            };
            let ended = self.process.try_wait().expect("the state of a child");
            assert!(ended.is_none(), "the S3 server has ended: {ended:?}\n{}", self.log());
            assert!(begun.elapsed() < START_DEADLINE, "the S3 server is not ready: {last}\n{}", self.log());
            tokio::time::sleep(POLL).await;
        }
    }

    /// The end of the server's log.
    fn log(&self) -> String {
        let text = std::fs::read_to_string(self.directory.path().join("weed.log")).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines.get(lines.len().saturating_sub(30)..).unwrap_or_default().join("\n")
    }
}

impl Drop for SeaweedFs {
    fn drop(&mut self) {
        // It takes ten seconds to stop when asked, and nothing of it is kept.
        let _ended = self.process.kill();
        let _reaped = self.process.wait();
    }
}

impl Ports {
    /// Ports nobody listens on. The server also opens each + 10000.
    fn free() -> Self {
        let mut found: Vec<u16> = Vec::new();
        while found.len() < 4 {
            let probe = TcpListener::bind("127.0.0.1:0").expect("a free port");
            let port = probe.local_addr().expect("its address").port() % 30_000 + 20_000;
            drop(probe);
            let is_free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
            if is_free(port) && is_free(port + 10_000) && !found.iter().any(|other| other.abs_diff(port) % 10_000 == 0)
            {
                found.push(port);
            }
        }
        Self { master: found[0], volume: found[1], filer: found[2], s3: found[3] }
    }
}

fn program() -> PathBuf {
    let program = std::env::var_os(WEED_VARIABLE).unwrap_or_else(|| {
        panic!("{WEED_VARIABLE} is not set: this test needs the S3 server SeaweedFS; run it with tests/run, which installs it")
    });
    PathBuf::from(program)
}

fn write_identities(directory: &Path) {
    let identities = serde_json::json!({"identities": [{
        "name": "tests",
        "credentials": [{"accessKey": KEY, "secretKey": SECRET}],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    }]});
    std::fs::write(directory.join("s3.json"), identities.to_string()).expect("a file in a new directory");
}

fn spawn(directory: &Path, ports: Ports) -> Child {
    let log = std::fs::OpenOptions::new().create(true).append(true).open(directory.join("weed.log")).expect("a log");
    let path = |name: &str| directory.join(name).display().to_string();
    let flags = [
        format!("-dir={}", path("data")),
        "-ip=127.0.0.1".to_owned(),
        "-ip.bind=127.0.0.1".to_owned(),
        format!("-master.port={}", ports.master),
        format!("-volume.port={}", ports.volume),
        "-filer".to_owned(),
        format!("-filer.port={}", ports.filer),
        "-s3".to_owned(),
        format!("-s3.port={}", ports.s3),
        format!("-s3.config={}", path("s3.json")),
        // Without these zeros it also takes fixed ports, and ends where they are taken.
        "-s3.port.iceberg=0".to_owned(),
        "-s3.port.lance=0".to_owned(),
        "-master.volumeSizeLimitMB=1024".to_owned(),
        "-volume.max=30".to_owned(),
        "-master.telemetry=false".to_owned(),
    ];
    Command::new(program())
        .arg("server")
        .args(flags)
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("a second handle"))
        .stderr(log)
        .spawn()
        .unwrap_or_else(|error| panic!("cannot start {}: {error}; run the test with tests/run", program().display()))
}

/// A POST to a directory of the filer makes it, and a directory under /buckets is a bucket.
fn make_bucket(filer: u16) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(("127.0.0.1", filer))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let request = format!(
        "POST /buckets/{BUCKET}/ HTTP/1.1\r\nHost: 127.0.0.1:{filer}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let status = answer.lines().next().unwrap_or_default();
    // 409: it is there already, from an attempt before.
    let is_made = [" 200 ", " 201 ", " 409 "].iter().any(|code| status.contains(code));
    if is_made { Ok(()) } else { Err(std::io::Error::other(format!("the filer answered {status:?}"))) }
}
