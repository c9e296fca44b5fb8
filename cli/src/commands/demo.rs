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
use rechunk_storage::{Access, Prefix, StoreUrl, Unguarded};
use rechunk_zarr::{ArrayDocument, ChunkCodec};

use crate::{
    args::{DemoArgs, OutputArgs, OutputFormat, StoreArgs},
    failure::Failure,
    local::LocalService,
    report::table::grouped,
    service::Service,
};

/// A year of daily maps, each one chunk: quick to show, slow to read as a time series.
const SHAPE: [u64; 3] = [365, 180, 360];
const SERIES: &str = "365,18,36";
/// Little enough that the array does not fit, so that the demo shows an exchange.
const MEMORY: ByteCount = ByteCount(96 << 20);

const METADATA: &str = r#"{
  "zarr_format": 3,
  "node_type": "array",
  "shape": [365, 180, 360],
  "data_type": "float32",
  "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [1, 180, 360]}},
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
pub(crate) async fn run(args: &DemoArgs, output: &OutputArgs) -> Result<(), Failure> {
    let directory = Directory::new(args.keep.clone())?;
    let result = demonstrate(args, output, &directory.path).await;
    if args.keep.is_some() && result.is_ok() && output.output == OutputFormat::Text {
        println!("kept     {}", directory.path.display());
    }
    result
}

async fn demonstrate(args: &DemoArgs, output: &OutputArgs, directory: &Path) -> Result<(), Failure> {
    let say = |line: String| {
        if output.output == OutputFormat::Text && !output.quiet {
            println!("{line}");
        }
    };
    let service = LocalService::start(&StoreArgs::default(), &args.machine, Some(MEMORY))?;
    let source = url_of(&directory.join("maps.zarr"))?;
    let target = url_of(&directory.join("series.zarr"))?;

    say("making   a year of daily maps, 365×180×360 float32, one chunk a day\n".to_owned());
    let maps = service.stores().open(&source, Access::ReadWrite).map_err(stored)?;
    make(&maps).await?;

    let request = RechunkRequest {
        source: source.to_string(),
        target: target.to_string(),
        chunks: vec![SERIES.to_owned()],
        max_mem: Some(MEMORY),
        ..RechunkRequest::default()
    };
    let summary = service.plan(request.clone()).await?;
    if output.output == OutputFormat::Text {
        super::plan::print(&summary, output);
        say(String::new());
    }
    let ended = super::run::execute(&service, request, output).await?;
    super::run::print(&ended, output);

    let series = service.stores().open(&target, Access::Read).map_err(stored)?;
    let elements = verify(&series).await?;
    service.stop().await;
    say(format!("\nverified {} elements, each equal bit for bit", grouped(elements)));
    say("gained   the series of one point: 365 objects to read before, 1 now".to_owned());
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

/// The element at a place: a season, a latitude, and a ripple, to the tenth of a kelvin as real data has it.
#[expect(clippy::cast_possible_truncation, reason = "a temperature to the tenth fits")]
fn element(time: u64, lat: u64, lon: u64) -> f32 {
    let season = (time as f64 / 365.0 * std::f64::consts::TAU).cos();
    let latitude = (lat as f64 - 90.0) / 90.0;
    let ripple = ((lon * 7 + time * 3) % 41) as f64 / 10.0;
    (((300.0 - 40.0 * latitude * latitude + 8.0 * season * latitude + ripple) * 10.0).round() / 10.0) as f32
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

fn elements_of(region: &Region) -> Vec<u8> {
    BoxGrid::positions(region)
        .flat_map(|at| match at[..] {
            [time, lat, lon] => element(time, lat, lon).to_le_bytes(),
            _ => [0; 4],
        })
        .collect()
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
