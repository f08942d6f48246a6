//! Reading an elevation model: what the file says about its grid, then its cells chunk by chunk, so that no more than the
//! water depths and a few bits per cell are held in memory.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use thiserror::Error;
use tiff::decoder::{ChunkType, Decoder, DecodingResult, Limits};
use tiff::tags::Tag;
use tiff::{TiffError, TiffResult};

use super::affine::Affine;
use super::bits::Bits;
use super::definition::{self, Definition, DefinitionError};
use super::geokeys::{GeoTags, key};
use crate::contract::Progress;

/// An opened elevation model.
pub(super) struct Dem {
    decoder: Decoder<BufReader<File>>,
    /// Number of columns.
    pub width: usize,
    /// Number of rows.
    pub height: usize,
    /// Where the cells lie.
    pub grid: Affine,
    /// Its coordinate reference system.
    pub definition: Definition,
    /// Its georeferencing tags as they stand in the file.
    pub tags: GeoTags,
    values: Values,
}

/// What was read of an elevation model for one water level.
pub(super) struct Terrain {
    /// Depth of the water in metres where a cell is open, row by row; 0 elsewhere.
    pub depth: Vec<f32>,
    /// Cells at or below the level.
    pub open: Bits,
    /// Cells without data.
    pub unknown: Bits,
}

/// Why an elevation model cannot be read.
#[derive(Debug, Error)]
pub enum DemError {
    /// The file cannot be opened.
    #[error("cannot open the elevation model {path}: {source}")]
    Open {
        /// Its path.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// Not a TIFF, damaged, or compressed in a way that is not supported.
    #[error("the elevation model is not a readable GeoTIFF ({source}): {TRANSLATE}")]
    Tiff {
        /// What the decoder says.
        #[from]
        source: TiffError,
    },
    /// More than one band.
    #[error(
        "the elevation model has {bands} bands: give one with a single band (gdal_translate -b 1 in.tif out.tif)"
    )]
    Bands {
        /// How many.
        bands: u16,
    },
    /// Cells without data are told by a mask inside the file.
    #[error(
        "the elevation model has a mask for cells without data, which is not supported: use a NoData value instead \
         (gdalwarp -dstnodata -9999 in.tif out.tif)"
    )]
    Mask,
    /// No place on the map.
    #[error(
        "the elevation model has no usable georeference ({what}): give a GeoTIFF with pixel scale and tie point or a transform"
    )]
    Georeference {
        /// What is missing or wrong.
        what: &'static str,
    },
    /// More cells than can be counted with.
    #[error("the elevation model has {width} x {height} cells: cut it to at most 2,000,000,000")]
    TooLarge {
        /// Columns.
        width: usize,
        /// Rows.
        height: usize,
    },
    /// The coordinate reference system.
    #[error(transparent)]
    Definition(#[from] DefinitionError),
}

const TRANSLATE: &str = "give an uncompressed, LZW, Deflate, PackBits or ZSTD one (gdal_translate -co COMPRESS=DEFLATE in.tif out.tif)";
const MOST_CELLS: usize = 2_000_000_000;
const GDAL_METADATA: u16 = 42112;

impl Dem {
    /// Opens a GeoTIFF and reads its tags. Of several images in the file (overviews), the first is the model.
    pub(super) fn open(path: &Path) -> Result<Self, DemError> {
        let file =
            File::open(path).map_err(|source| DemError::Open { path: path.display().to_string(), source })?;
        let mut decoder = Decoder::new(BufReader::with_capacity(1 << 20, file))?.with_limits(limits());
        let (width, height) = decoder.dimensions()?;
        let (width, height) = (width as usize, height as usize);
        if width.saturating_mul(height) > MOST_CELLS {
            return Err(DemError::TooLarge { width, height });
        }
        let bands = decoder.find_tag_unsigned::<u16>(Tag::SamplesPerPixel)?.unwrap_or(1);
        if bands != 1 {
            return Err(DemError::Bands { bands });
        }
        if has_mask(&mut decoder)? {
            return Err(DemError::Mask);
        }
        let tags = geo_tags(&mut decoder)?;
        let values = Values::read(&mut decoder, &tags)?;
        let definition = definition::from_keys(&tags)?;
        Ok(Self { grid: grid(&tags)?, definition, width, height, tags, values, decoder })
    }

    /// Reads all cells, and compares them with `level` (metres) in full precision.
    pub(super) fn read(&mut self, level: f64, progress: &mut Progress) -> Result<Terrain, DemError> {
        let mut terrain = Terrain {
            // Zeroed pages are given by the system when they are first written: dry regions cost nothing.
            depth: vec![0.0; self.width * self.height],
            open: Bits::new(self.width, self.height),
            unknown: Bits::new(self.width, self.height),
        };
        let (chunk_width, chunk_height) = self.decoder.chunk_dimensions();
        let across = self.width.div_ceil(chunk_width.max(1) as usize);
        let down = self.height.div_ceil(chunk_height.max(1) as usize);
        let stored = self.stored_bytes()?;
        for index in 0..across * down {
            progress.step(2, 55, index, across * down, "reading the elevation model");
            let chunk = u32::try_from(index).map_err(|_| TiffError::IntSizeError)?;
            let (columns, rows) = self.decoder.chunk_data_dimensions(chunk);
            let place = Place {
                row: index / across * chunk_height as usize,
                col: index % across * chunk_width as usize,
                width: columns as usize,
                height: rows as usize,
            };
            // A chunk of no bytes is how sparse files leave out what has no data.
            if stored.get(index) == Some(&0) {
                self.values.absent(place, level, &mut terrain);
            } else {
                let values = self.decoder.read_chunk(chunk)?;
                self.values.place_any(&values, place, level, &mut terrain);
            }
        }
        Ok(terrain)
    }

    fn stored_bytes(&mut self) -> TiffResult<Vec<u64>> {
        let tag = match self.decoder.get_chunk_type() {
            ChunkType::Strip => Tag::StripByteCounts,
            ChunkType::Tile => Tag::TileByteCounts,
        };
        Ok(self.decoder.find_tag_unsigned_vec(tag)?.unwrap_or_default())
    }
}

/// Room for one strip that holds a whole model of 10,000 x 10,000 double values, and for the table of its chunks.
fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.decoding_buffer_size = 2 << 30;
    limits.intermediate_buffer_size = 2 << 30;
    limits.ifd_value_size = 256 << 20;
    limits
}

/// Whether a further image of the file is a mask of the first.
fn has_mask(decoder: &mut Decoder<BufReader<File>>) -> TiffResult<bool> {
    const TRANSPARENCY_MASK: u32 = 4;
    // Overviews have masks too: a file has far fewer images than this, unless its list goes in a circle.
    const MOST_IMAGES: usize = 100;
    let mut pointer = decoder.ifd_pointer();
    for _ in 0..MOST_IMAGES {
        let Some(at) = pointer else { break };
        let directory = decoder.read_directory(at)?;
        let kind = decoder.read_directory_tags(&directory).find_tag_unsigned::<u32>(Tag::NewSubfileType)?;
        if kind.is_some_and(|kind| kind & TRANSPARENCY_MASK != 0) {
            return Ok(true);
        }
        pointer = directory.next();
    }
    Ok(false)
}

fn geo_tags(decoder: &mut Decoder<BufReader<File>>) -> TiffResult<GeoTags> {
    let mut doubles = |tag: Tag| match decoder.find_tag(tag)? {
        Some(value) => value.into_f64_vec(),
        None => Ok(Vec::new()),
    };
    let mut tags = GeoTags {
        pixel_scale: doubles(Tag::ModelPixelScaleTag)?,
        tiepoints: doubles(Tag::ModelTiepointTag)?,
        transformation: doubles(Tag::ModelTransformationTag)?,
        doubles: doubles(Tag::GeoDoubleParamsTag)?,
        ..GeoTags::default()
    };
    tags.directory = decoder.find_tag_unsigned_vec(Tag::GeoKeyDirectoryTag)?.unwrap_or_default();
    tags.ascii = text(decoder, Tag::GeoAsciiParamsTag);
    Ok(tags)
}

/// Text of a tag; empty if it is absent or no text.
fn text(decoder: &mut Decoder<BufReader<File>>, tag: Tag) -> String {
    let value = decoder.find_tag(tag).ok().flatten();
    value.and_then(|value| value.into_string().ok()).unwrap_or_default().trim_end_matches('\0').to_owned()
}

fn grid(tags: &GeoTags) -> Result<Affine, DemError> {
    let affine =
        match (tags.transformation.as_slice(), tags.pixel_scale.as_slice(), tags.tiepoints.as_slice()) {
            ([a, b, _, c, d, e, _, f, ..], _, _) => {
                Affine { origin: [*c, *f], column: [*a, *d], row: [*b, *e] }
            }
            (_, [across, down, ..], [i, j, _, x, y, ..]) => {
                let origin = [x - i * across, y + j * down];
                Affine { origin, column: [*across, 0.0], row: [0.0, -down] }
            }
            (_, _, [_, _, _, _, _, _, _, ..]) => {
                return Err(DemError::Georeference {
                    what: "only ground control points: warp it first with gdalwarp",
                });
            }
            _ => {
                return Err(DemError::Georeference {
                    what: "no pixel scale with tie point and no transform",
                });
            }
        };
    let parts = [affine.origin, affine.column, affine.row].concat();
    if affine.determinant() == 0.0 || parts.iter().any(|part| !part.is_finite()) {
        return Err(DemError::Georeference { what: "cells without area" });
    }
    const PIXEL_IS_POINT: u16 = 2;
    let point = tags.short(key::RASTER_TYPE) == Some(PIXEL_IS_POINT);
    Ok(if point { affine.from_centre() } else { affine })
}

/// How stored numbers become heights in metres.
struct Values {
    nodata: Option<f64>,
    scale: f64,
    offset: f64,
}

/// Where a chunk lies in the grid.
#[derive(Clone, Copy)]
struct Place {
    row: usize,
    col: usize,
    width: usize,
    height: usize,
}

impl Values {
    fn read(decoder: &mut Decoder<BufReader<File>>, tags: &GeoTags) -> Result<Self, DemError> {
        let metadata = text(decoder, Tag::Unknown(GDAL_METADATA));
        let metres = definition::metres_per_height(tags)?;
        Ok(Self {
            nodata: text(decoder, Tag::GdalNodata).trim().parse().ok(),
            scale: metadata_item(&metadata, "scale").unwrap_or(1.0) * metres,
            offset: metadata_item(&metadata, "offset").unwrap_or(0.0) * metres,
        })
    }

    fn absent(&self, place: Place, level: f64, terrain: &mut Terrain) {
        let fill = self.nodata.unwrap_or(0.0);
        let row = vec![fill; place.width];
        for down in 0..place.height {
            self.place(&row, Place { row: place.row + down, height: 1, ..place }, level, terrain, |value| {
                value
            });
        }
    }

    fn place_any(&self, chunk: &DecodingResult, place: Place, level: f64, terrain: &mut Terrain) {
        match chunk {
            DecodingResult::U8(values) => self.place(values, place, level, terrain, f64::from),
            DecodingResult::U16(values) => self.place(values, place, level, terrain, f64::from),
            DecodingResult::U32(values) => self.place(values, place, level, terrain, f64::from),
            DecodingResult::U64(values) => self.place(values, place, level, terrain, |value| value as f64),
            DecodingResult::I8(values) => self.place(values, place, level, terrain, f64::from),
            DecodingResult::I16(values) => self.place(values, place, level, terrain, f64::from),
            DecodingResult::I32(values) => self.place(values, place, level, terrain, f64::from),
            DecodingResult::I64(values) => self.place(values, place, level, terrain, |value| value as f64),
            DecodingResult::F16(values) => self.place(values, place, level, terrain, |value| value.to_f64()),
            DecodingResult::F64(values) => self.place(values, place, level, terrain, f64::from),
            DecodingResult::F32(values) => {
                // Files write the value without data with all or with some of its digits: compare as it is stored.
                let nodata = self.nodata.map(|nodata| f64::from(nodata as f32));
                let values_as_stored = Self { nodata, ..*self };
                values_as_stored.place(values, place, level, terrain, f64::from);
            }
        }
    }

    fn place<T: Copy>(
        &self,
        values: &[T],
        place: Place,
        level: f64,
        terrain: &mut Terrain,
        number: impl Fn(T) -> f64,
    ) {
        let columns = terrain.open.width();
        for (down, line) in values.chunks_exact(place.width.max(1)).take(place.height).enumerate() {
            let row = place.row + down;
            let start = row * columns + place.col;
            let depths = &mut terrain.depth[start..start + place.width];
            for (right, (value, depth)) in line.iter().zip(depths).enumerate() {
                let stored = number(*value);
                if stored.is_nan() || stored == f64::NEG_INFINITY || Some(stored) == self.nodata {
                    terrain.unknown.set(row, place.col + right);
                    continue;
                }
                let height = stored * self.scale + self.offset;
                if height <= level {
                    *depth = (level - height) as f32;
                    terrain.open.set(row, place.col + right);
                }
            }
        }
    }
}

/// A number in GDAL's metadata of the first band: `<Item name="SCALE" sample="0" role="scale">0.1</Item>`.
fn metadata_item(xml: &str, role: &str) -> Option<f64> {
    let (_, rest) = xml.split_once(&format!("role=\"{role}\">"))?;
    rest.split('<').next()?.trim().parse().ok().filter(|number: &f64| number.is_finite() && *number != 0.0)
}
