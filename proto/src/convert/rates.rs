//! What workers may ask of the stores, on its way to them and back.

use rechunk_common::{
    limits::MAX_STORE_TABLES,
    request_rate::{RequestRate, RequestShares, StoreRates},
};

use super::{
    field::{each, length_within, url},
    time::{duration, of_duration},
};
use crate::{
    fault::{Fault, Problem},
    invalid::{InvalidRequestShares, InvalidStoreRates},
    worker::v1,
};

impl From<StoreRates> for v1::StoreRates {
    fn from(rates: StoreRates) -> Self {
        let StoreRates { prefix, gets, puts } = rates;
        let number = |rate: Option<RequestRate>| rate.map(|RequestRate(millionths)| millionths);
        Self { prefix, gets_per_million_seconds: number(gets), puts_per_million_seconds: number(puts) }
    }
}

impl TryFrom<v1::StoreRates> for StoreRates {
    type Error = InvalidStoreRates;

    fn try_from(rates: v1::StoreRates) -> Result<Self, InvalidStoreRates> {
        Ok(Self {
            prefix: url(rates.prefix, "prefix")?,
            gets: rates.gets_per_million_seconds.map(RequestRate),
            puts: rates.puts_per_million_seconds.map(RequestRate),
        })
    }
}

impl From<RequestShares> for v1::RequestShares {
    fn from(shares: RequestShares) -> Self {
        let RequestShares { rates, ask_within } = shares;
        Self { rates: rates.into_iter().map(Into::into).collect(), ask_within: Some(of_duration(ask_within)) }
    }
}

impl TryFrom<v1::RequestShares> for RequestShares {
    type Error = InvalidRequestShares;

    fn try_from(shares: v1::RequestShares) -> Result<Self, InvalidRequestShares> {
        length_within(shares.rates.len(), MAX_STORE_TABLES, "MAX_STORE_TABLES", "rates")?;
        let ask_within = duration(shares.ask_within, "ask_within")?;
        if ask_within.is_zero() {
            return Err(Fault::at("ask_within", Problem::Zero).into());
        }
        Ok(Self { rates: each(shares.rates, "rates")?, ask_within })
    }
}
