//! Media types by file name, and file names that are safe to give to people.

use std::path::Path;

pub(super) const UNKNOWN: &str = "application/octet-stream";
pub(super) const ZIP: &str = "application/zip";

/// Extensions and what they stand for; the first of a type is the one given to files that have none.
const TABLE: &[(&str, &str)] = &[
    ("json", "application/json"),
    ("geojson", "application/geo+json"),
    ("tif", "image/tiff; application=geotiff"),
    ("tiff", "image/tiff; application=geotiff"),
    ("nc", "application/netcdf"),
    ("csv", "text/csv"),
    ("txt", "text/plain"),
    ("log", "text/plain"),
    ("md", "text/markdown"),
    ("html", "text/html"),
    ("htm", "text/html"),
    ("xml", "application/xml"),
    ("gml", "application/gml+xml"),
    ("kml", "application/vnd.google-earth.kml+xml"),
    ("kmz", "application/vnd.google-earth.kmz"),
    ("png", "image/png"),
    ("jpg", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("svg", "image/svg+xml"),
    ("pdf", "application/pdf"),
    ("zip", ZIP),
    ("gz", "application/gzip"),
    ("tar", "application/x-tar"),
    ("gpkg", "application/geopackage+sqlite3"),
    ("parquet", "application/vnd.apache.parquet"),
    ("fgb", "application/flatgeobuf"),
    ("h5", "application/x-hdf5"),
    ("hdf", "application/x-hdf5"),
    ("grib", "application/x-grib"),
    ("grib2", "application/x-grib2"),
    ("jp2", "image/jp2"),
    ("las", "application/vnd.las"),
    ("laz", "application/vnd.laszip"),
    ("yaml", "application/yaml"),
];

/// The media type of a file name.
pub(super) fn of_name(name: &str) -> Option<&'static str> {
    let (_, extension) = name.rsplit_once('.')?;
    TABLE.iter().find(|(known, _)| known.eq_ignore_ascii_case(extension)).map(|(_, media_type)| *media_type)
}

/// A name with the extension that its media type has.
pub(super) fn with_extension(name: &str, media_type: &str) -> String {
    let essence = |text: &str| text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let wanted = essence(media_type);
    match TABLE.iter().find(|(_, known)| essence(known) == wanted) {
        Some((extension, _)) => format!("{name}.{extension}"),
        None => name.to_owned(),
    }
}

/// The last component of a path as a name that shows on every screen.
pub(super) fn clean_name(path: &Path, otherwise: &str) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name: String = name.chars().map(|c| if c.is_control() { '_' } else { c }).collect();
    if name.is_empty() { otherwise.to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_and_names() {
        assert_eq!(of_name("a.b.TIF"), Some("image/tiff; application=geotiff"));
        assert_eq!(of_name("tif"), None);
        assert_eq!(of_name("a.xyz"), None);
        assert_eq!(with_extension("out", "application/json; charset=utf-8"), "out.json");
        assert_eq!(with_extension("out", "a/b"), "out");
        assert_eq!(clean_name(Path::new("d/a\nb\x1b.txt"), "x"), "a_b_.txt");
    }
}
