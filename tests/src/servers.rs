//! Servers other than S3, for one test each: a double of Google Cloud Storage, the emulator of Azure, a web server. They
//! are scripts in `servers/`, and end with this process whatever ends it.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use rechunk_storage::{Access, AzureSecret, Credentials, StoreConfig, StoreProfile, StoreUrl};

/// Names the program `azurite-blob`; `tests/run` installs it where Node.js is, and sets this.
pub const AZURITE_VARIABLE: &str = "RECHUNK_TEST_AZURITE";

const BUCKET: &str = "test";
const TOKEN: &str = "rechunk-token";
const ACCOUNT: &str = "lab";
const KEY: &str = "cmVjaHVuay1rZXk=";

/// A script under way. Its first line says where it is; it ends when its input does.
#[derive(Debug)]
struct Script {
    process: Child,
    endpoint: String,
}

impl Script {
    fn start(name: &str, arguments: &[&str]) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/servers").join(name);
        let mut process = Command::new("python3")
            .arg(script)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 runs the servers of the tests");
        let mut endpoint = String::new();
        let output = process.stdout.take().expect("its output is piped");
        BufReader::new(output).read_line(&mut endpoint).expect("its first line");
        assert!(!endpoint.trim().is_empty(), "{name} ended before it was ready: {:?}", process.wait());
        Self { process, endpoint: endpoint.trim().to_owned() }
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _reaped = self.process.wait();
    }
}

/// A double of Google Cloud Storage with one bucket.
#[derive(Debug)]
pub struct GcsDouble(Script);

impl GcsDouble {
    /// Starts one.
    pub fn start() -> Self {
        Self(Script::start("gcs.py", &[BUCKET, TOKEN]))
    }

    /// What programs need to use it.
    pub fn config(&self) -> StoreConfig {
        self.config_for(TOKEN)
    }

    /// The same with another token.
    pub fn config_for(&self, token: &str) -> StoreConfig {
        let mut profile = StoreProfile::new(place(&self.url("")), Access::ReadWrite);
        profile.settings.endpoint = Some(self.0.endpoint.clone());
        let token = token.to_owned();
        let variable = move |name: &str| (name == "CLOUDSDK_AUTH_ACCESS_TOKEN").then(|| token.clone());
        StoreConfig::of_profiles(vec![profile]).with_variables(variable)
    }

    /// The URL of `path` in the bucket.
    pub fn url(&self, path: &str) -> String {
        format!("gs://{BUCKET}/{path}")
    }
}

/// The emulator of Azure Blob Storage with one container.
#[derive(Debug)]
pub struct Azurite(Script);

impl Azurite {
    /// Starts one; `None` where it is not installed, because there is no Node.js: the test is left out then.
    pub fn start() -> Option<Self> {
        let Some(program) = std::env::var_os(AZURITE_VARIABLE).map(PathBuf::from) else {
            eprintln!("SKIPPED: {AZURITE_VARIABLE} is not set: this test needs Azurite; tests/run installs it");
            return None;
        };
        let program = program.display().to_string();
        Some(Self(Script::start("azurite.py", &[&program, ACCOUNT, KEY, BUCKET])))
    }

    /// What programs need to use it.
    pub fn config(&self) -> StoreConfig {
        self.config_for(KEY)
    }

    /// The same with another key.
    pub fn config_for(&self, key: &str) -> StoreConfig {
        let mut profile = StoreProfile::new(place(&self.url("")), Access::ReadWrite);
        profile.settings.endpoint = Some(self.0.endpoint.clone());
        profile.settings.credentials =
            Credentials::Azure { secret: AzureSecret::AccountKey, variable: "LAB_KEY".to_owned() };
        let key = key.to_owned();
        StoreConfig::of_profiles(vec![profile]).with_variables(move |name| (name == "LAB_KEY").then(|| key.clone()))
    }

    /// The URL of `path` in the container.
    pub fn url(&self, path: &str) -> String {
        format!("az://{BUCKET}/{path}")
    }
}

/// A web server for the files of a directory.
#[derive(Debug)]
pub struct WebServer(Script);

impl WebServer {
    /// Starts one.
    pub fn start(directory: &Path) -> Self {
        Self(Script::start("web.py", &[&directory.display().to_string()]))
    }

    /// Starts one that answers a request for a part of a file with all of it.
    pub fn without_ranges(directory: &Path) -> Self {
        Self(Script::start("web.py", &[&directory.display().to_string(), "--no-ranges"]))
    }

    /// The URL of `path` in the directory.
    pub fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.0.endpoint)
    }
}

fn place(url: &str) -> StoreUrl {
    StoreUrl::parse(url).expect("a URL")
}
