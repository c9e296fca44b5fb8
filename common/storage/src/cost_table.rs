//! The part of a `[[stores]]` table that is about speed and prices, and what it makes of the figures of its store's
//! kind.

use std::time::Duration;

use rechunk_common::{
    ByteCount, MicroUsd,
    cost_profile::{CostProfile, StoreKind},
};
use serde::Deserialize;

/// `speed = { … }`: what is not said is as for the store's kind.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SpeedTable {
    latency_ms: Option<f64>,
    bytes_per_second: Option<String>,
    requests_in_flight: Option<u64>,
    gets_per_second: Option<u64>,
    puts_per_second: Option<u64>,
}

/// `prices = { … }` of a store, in US dollars.
#[expect(clippy::struct_field_names, reason = "a price is for so many of something")]
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PriceTable {
    per_1000_put: Option<f64>,
    per_1000_get: Option<f64>,
    per_1000_list: Option<f64>,
    per_gb_out: Option<f64>,
    per_gb_month: Option<f64>,
}

/// A figure that is none: its key, and what it must be.
pub(crate) type BadFigure = (&'static str, &'static str);

const POSITIVE: &str = "a number above zero";
const PRICE: &str = "an amount of dollars, zero or more";

/// The figures of a store of `kind` with those of its table in their place.
pub(crate) fn profile(
    kind: StoreKind,
    speed: Option<&SpeedTable>,
    prices: Option<&PriceTable>,
) -> Result<CostProfile, BadFigure> {
    let mut profile = kind.profile();
    if let Some(speed) = speed {
        speed.put_into(&mut profile)?;
    }
    if let Some(prices) = prices {
        prices.put_into(&mut profile)?;
    }
    Ok(profile)
}

/// A price of the configuration.
pub(crate) fn price(key: &'static str, usd: f64) -> Result<MicroUsd, BadFigure> {
    MicroUsd::from_usd(usd).filter(|_| usd.is_finite()).ok_or((key, PRICE))
}

impl SpeedTable {
    fn put_into(&self, profile: &mut CostProfile) -> Result<(), BadFigure> {
        if let Some(milliseconds) = self.latency_ms {
            let latency = Duration::try_from_secs_f64(milliseconds / 1e3).ok();
            // Whole microseconds: that is what the wire carries.
            let latency = latency.and_then(|latency| u64::try_from(latency.as_micros()).ok());
            profile.latency = latency.map(Duration::from_micros).ok_or(("latency_ms", "a number, zero or more"))?;
        }
        if let Some(text) = &self.bytes_per_second {
            let bytes = text.parse::<ByteCount>().ok().map(|bytes| bytes.0).filter(|bytes| *bytes > 0);
            profile.bytes_per_second = bytes.ok_or(("bytes_per_second", "a size such as \"250MB\""))?;
        }
        if let Some(requests) = positive("requests_in_flight", self.requests_in_flight)? {
            profile.requests_in_flight = requests;
        }
        profile.gets_per_second = positive("gets_per_second", self.gets_per_second)?.or(profile.gets_per_second);
        profile.puts_per_second = positive("puts_per_second", self.puts_per_second)?.or(profile.puts_per_second);
        profile.kind = StoreKind::Custom;
        Ok(())
    }
}

impl PriceTable {
    fn put_into(&self, profile: &mut CostProfile) -> Result<(), BadFigure> {
        let prices = &mut profile.prices;
        for (key, usd, place) in [
            ("per_1000_put", self.per_1000_put, &mut prices.per_1000_put),
            ("per_1000_get", self.per_1000_get, &mut prices.per_1000_get),
            ("per_1000_list", self.per_1000_list, &mut prices.per_1000_list),
            ("per_gb_out", self.per_gb_out, &mut prices.per_gb_out),
            ("per_gb_month", self.per_gb_month, &mut prices.per_gb_month),
        ] {
            if let Some(usd) = usd {
                *place = price(key, usd)?;
            }
        }
        profile.kind = StoreKind::Custom;
        Ok(())
    }
}

fn positive(key: &'static str, figure: Option<u64>) -> Result<Option<u64>, BadFigure> {
    if figure == Some(0) { Err((key, POSITIVE)) } else { Ok(figure) }
}
