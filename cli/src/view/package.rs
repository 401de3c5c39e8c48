//! Packages.

use isthmus_model::order::UnixMillis;
use isthmus_proto::package::v1::Package;
use serde_json::json;

use super::{age, bytes, lean, moment, or_dash};
use crate::output::{Column, Listing, Record};

const COLUMNS: &[Column] = &[
    Column::text("LOCATION"),
    Column::text("FILE"),
    Column::number("SIZE"),
    Column::text("UPLOADER"),
    Column::text("AGE"),
];

/// All of them.
pub(crate) fn listing(packages: &[Package], now: UnixMillis, single: bool) -> Listing {
    Listing {
        columns: COLUMNS,
        records: packages.iter().map(|package| record(package, now)).collect(),
        single,
    }
}

fn record(package: &Package, now: UnixMillis) -> Record {
    let Package { location, file, size_bytes, create_time, uploader } = package;
    let cells = vec![
        location.clone(),
        or_dash(file),
        bytes(*size_bytes),
        or_dash(uploader),
        age(create_time.as_ref(), now),
    ];
    let value = lean(json!({
        "location": location,
        "file": file,
        "sizeBytes": size_bytes,
        "uploader": uploader,
        "createdAt": moment(create_time.as_ref()),
    }));
    // A location is what every command takes, so it stands alone.
    Record { name: location.clone(), cells, value }
}
