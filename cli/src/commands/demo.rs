//! `rechunk demo`: a sample array is made, planned, rechunked, verified and shown; the first thing a new user types.

use std::{
    borrow::Cow,
    path::{Path, PathBuf},
};

use rechunk_common::{
    ByteCount,
    geometry::{BoxGrid, Region},
    layout::{ArrayLayout, ChunkLayout},
    request::RechunkRequest,
};
use rechunk_storage::{Access, Prefix, StoreConfig, StoreUrl, Stores, Unguarded};
use rechunk_zarr::{ArrayDocument, ChunkCodec};

use crate::{
    args::{DemoArgs, OutputArgs, OutputFormat, StoreArgs},
    console::say,
    failure::Failure,
    interrupt::Interrupts,
    machine,
    report::figure::grouped,
    service::Service,
};

/// A year of daily maps, each one chunk: quick to show, slow to read as a time series.
const SHAPE: [u64; 3] = [365, 360, 480];
const SERIES: &str = "time=-1,lat=30,lon=24";
/// Little enough that the array does not fit, so that the demo shows an exchange.
const MEMORY: ByteCount = ByteCount(192 << 20);

const METADATA: &str = r#"{
  "zarr_format": 3,
  "node_type": "array",
  "shape": [365, 360, 480],
  "data_type": "float32",
  "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [1, 360, 480]}},
  "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
  "fill_value": 0.0,
  "codecs": [
    {"name": "bytes", "configuration": {"endian": "little"}},
    {"name": "zstd", "configuration": {"level": 1, "checksum": false}}
  ],
  "attributes": {"units": "K", "long_name": "a made-up surface temperature"},
  "dimension_names": ["time", "lat", "lon"]
}"#;

/// Runs the demo.
pub(crate) async fn run(args: &DemoArgs, output: &OutputArgs, interrupts: &Interrupts) -> Result<(), Failure> {
    let directory = Directory::new(args.keep.clone())?;
    let result = demonstrate(args, output, interrupts, &directory.path).await;
    if args.keep.is_some() && result.is_ok() && output.output == OutputFormat::Text {
        say!("kept      {}", directory.path.display());
    }
    result
}

async fn demonstrate(
    args: &DemoArgs,
    output: &OutputArgs,
    interrupts: &Interrupts,
    directory: &Path,
) -> Result<(), Failure> {
    let step = |line: String| {
        if output.output == OutputFormat::Text && !output.quiet {
            say!("{line}");
        }
    };
    let stores = Stores::new(StoreConfig::environment());
    let source = url_of(&directory.join("maps.zarr"))?;
    let target = url_of(&directory.join("series.zarr"))?;

    step("making    a year of daily maps: 365×360×480 float32, a chunk a day\n".to_owned());
    let maps = stores.open(&source, Access::ReadWrite).map_err(stored)?;
    make(&maps).await?;
    // After the sample is made: what that took of the memory is not the job's to have.
    let service = machine::start(&StoreArgs::default(), &args.machine, Some(MEMORY))?;

    let request = RechunkRequest {
        source: source.to_string(),
        target: target.to_string(),
        chunks: vec![SERIES.to_owned()],
        max_mem: Some(MEMORY),
        ..RechunkRequest::default()
    };
    let summary = service.plan(request.clone()).await?;
    if output.output == OutputFormat::Text {
        super::plan::print(&summary, output.output);
        step(String::new());
    }
    let ended = super::run::execute(&service, request, output, interrupts).await?;
    super::run::print(&ended, output);

    let series = stores.open(&target, Access::Read).map_err(stored)?;
    let elements = verify(&series).await?;
    service.stop().await;
    step(format!("\nverified  {} elements, each equal bit for bit to what was made", grouped(elements)));
    step("gained    the time series of one point is 1 object to read; it was 365".to_owned());
    Ok(())
}

/// Where the arrays go, removed at the end unless it is to be kept.
struct Directory {
    path: PathBuf,
    is_temporary: bool,
}

impl Directory {
    fn new(keep: Option<PathBuf>) -> Result<Self, Failure> {
        let is_temporary = keep.is_none();
        let path = keep
            .unwrap_or_else(|| std::env::temp_dir().join(format!("rechunk-demo-{}", uuid::Uuid::new_v4().simple())));
        std::fs::create_dir_all(&path)
            .map_err(|error| Failure::internal(format!("cannot make {}: {error}", path.display())))?;
        Ok(Self { path, is_temporary })
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        if self.is_temporary {
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

/// The elements of a region, in C order.
fn elements_of(region: &Region) -> Vec<u8> {
    let range = |axis: usize| {
        let at = |corner: &[u64]| corner.get(axis).copied().unwrap_or_default();
        at(region.start())..at(region.end())
    };
    let mut bytes = Vec::with_capacity(usize::try_from(region.element_count()).unwrap_or_default().saturating_mul(4));
    for time in range(0) {
        let season = (time as f64 / 365.0 * std::f64::consts::TAU).cos();
        for lat in range(1) {
            let latitude = (lat as f64 - 180.0) / 180.0;
            let warmth = 3000.0 - 400.0 * latitude * latitude + 80.0 * season * latitude;
            for lon in range(2) {
                bytes.extend_from_slice(&element(warmth, time, lon).to_le_bytes());
            }
        }
    }
    bytes
}

/// Season and latitude, with a ripple, to the tenth of a kelvin as real data has it.
#[expect(clippy::cast_possible_truncation, reason = "a temperature to the tenth fits")]
fn element(tenths: f64, time: u64, lon: u64) -> f32 {
    let ripple = ((lon * 7 + time * 3) % 41) as f64;
    ((tenths + ripple).round() / 10.0) as f32
}

async fn make(maps: &Prefix) -> Result<(), Failure> {
    let document = ArrayDocument::parse_v3(METADATA).map_err(|error| Failure::internal(error.to_string()))?;
    let layout = document.layout(&maps.url().to_string()).map_err(|error| Failure::internal(error.to_string()))?;
    let codec = codec_of(&layout)?;
    let grid = layout.write_grid();
    for position in BoxGrid::positions(&Region::whole(&grid.counts())) {
        let decoded = elements_of(&grid.region_at(&position));
        let encoded = codec.encode(Cow::Owned(decoded)).map_err(|error| Failure::internal(error.to_string()))?;
        maps.put(&layout.keys.key(&position), encoded, &Unguarded).await.map_err(stored)?;
    }
    maps.put("zarr.json", METADATA.as_bytes().to_vec(), &Unguarded).await.map_err(stored)?;
    Ok(())
}

/// Reads every chunk of the target and compares every element with what was made; the number of elements.
async fn verify(series: &Prefix) -> Result<u64, Failure> {
    let text = series.get("zarr.json").await.map_err(stored)?;
    let text = text.ok_or_else(|| Failure::internal("the target has no zarr.json"))?;
    let document = ArrayDocument::parse_v3(&String::from_utf8_lossy(&text))
        .map_err(|error| Failure::internal(error.to_string()))?;
    let layout = document.layout(&series.url().to_string()).map_err(|error| Failure::internal(error.to_string()))?;
    let codec = codec_of(&layout)?;
    let grid = layout.write_grid();
    let mut verified: u64 = 0;
    for position in BoxGrid::positions(&Region::whole(&grid.counts())) {
        let key = layout.keys.key(&position);
        let encoded = series.get(&key).await.map_err(stored)?;
        let encoded = encoded.ok_or_else(|| Failure::internal(format!("chunk {key} is not there")))?;
        let decoded = codec.decode(encoded).map_err(|error| Failure::internal(format!("chunk {key}: {error}")))?;
        let region = grid.unclipped_at(&position);
        if decoded[..] != elements_of(&region)[..] {
            return Err(Failure::internal(format!("chunk {key} differs from what was made")));
        }
        verified = verified.saturating_add(region.element_count());
    }
    if verified != SHAPE.iter().product::<u64>() {
        return Err(Failure::internal(format!("{verified} elements came out, of {}", SHAPE.iter().product::<u64>())));
    }
    Ok(verified)
}

fn codec_of(layout: &ArrayLayout) -> Result<ChunkCodec, Failure> {
    let ChunkLayout::Plain { chunk_shape, codecs } = &layout.chunks else {
        return Err(Failure::internal("the demo's arrays have no shards"));
    };
    ChunkCodec::new(codecs, &layout.element, chunk_shape, &layout.fill)
        .map_err(|error| Failure::internal(error.to_string()))
}

fn url_of(path: &Path) -> Result<StoreUrl, Failure> {
    StoreUrl::parse(&path.to_string_lossy()).map_err(|error| Failure::internal(error.to_string()))
}

#[expect(clippy::needless_pass_by_value, reason = "the form that map_err asks for")]
fn stored(error: rechunk_storage::StorageError) -> Failure {
    Failure::internal(error.to_string())
}
