//! The output `depth`: a tiled, compressed GeoTIFF in grid and coordinate reference system of the elevation model, whose
//! georeferencing tags are copied as they are. The directory stands before the data, so that viewers need few requests.

use std::io::{Seek, SeekFrom, Write};

use flate2::Compression;
use flate2::write::ZlibEncoder;

use super::bits::Bits;
use super::geokeys::GeoTags;
use crate::contract::Progress;

/// Stands where it is dry or nothing is known.
pub(super) const NODATA: f32 = -9999.0;

const TILE: usize = 256;
/// Beyond this raw size the offsets of a classic TIFF might not do.
const CLASSIC_LIMIT: u64 = 3_900_000_000;

/// Writes the depths (metres, row by row) of the cells that are `wet`.
pub(super) fn write(
    out: &mut (impl Write + Seek),
    wet: &Bits,
    depth: &[f32],
    tags: &GeoTags,
    progress: &mut Progress,
) -> std::io::Result<()> {
    let (across, down) = (wet.width().div_ceil(TILE), wet.height().div_ceil(TILE));
    let big = (wet.width() * wet.height()) as u64 * 4 > CLASSIC_LIMIT;
    let mut directory = Directory { big, entries: entries(wet, tags, across * down, big) };
    out.write_all(&directory.bytes())?;
    let mut offset = directory.bytes().len() as u64;
    let (mut offsets, mut sizes) = (Vec::new(), Vec::new());
    for row in 0..down {
        progress.step(65, 85, row, down, "writing the depth");
        for (tile, size) in compressed_row(wet, depth, row, across)? {
            out.write_all(&tile)?;
            offsets.push(offset);
            sizes.push(size);
            offset += size;
        }
    }
    directory.replace(TILE_OFFSETS, Field::offsets(offsets, big));
    directory.replace(TILE_BYTE_COUNTS, Field::offsets(sizes, big));
    out.seek(SeekFrom::Start(0))?;
    out.write_all(&directory.bytes())
}

/// The tiles of one row of tiles, compressed by as many threads as there are processors.
fn compressed_row(
    wet: &Bits,
    depth: &[f32],
    row: usize,
    across: usize,
) -> std::io::Result<Vec<(Vec<u8>, u64)>> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(across);
    let share = across.div_ceil(threads);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..across)
            .step_by(share)
            .map(|from| {
                let columns = from..(from + share).min(across);
                scope.spawn(move || columns.map(|col| compressed(wet, depth, row, col)).collect::<Vec<_>>())
            })
            .collect();
        let tiles = workers.into_iter().flat_map(|worker| worker.join().unwrap_or_default());
        tiles.collect()
    })
}

fn compressed(
    wet: &Bits,
    depth: &[f32],
    tile_row: usize,
    tile_col: usize,
) -> std::io::Result<(Vec<u8>, u64)> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::new(2));
    let mut line = [NODATA; TILE];
    let mut bytes = [0_u8; TILE * 4];
    for row in tile_row * TILE..(tile_row + 1) * TILE {
        line.fill(NODATA);
        if row < wet.height() {
            let start = tile_col * TILE;
            for col in start..(start + TILE).min(wet.width()) {
                if wet.get(row, col) {
                    line[col - start] = depth[row * wet.width() + col];
                }
            }
        }
        predict(&line, &mut bytes);
        encoder.write_all(&bytes)?;
    }
    let bytes = encoder.finish()?;
    let size = bytes.len() as u64;
    Ok((bytes, size))
}

/// Floating point predictor (TIFF Technical Note 3): the most significant bytes of all values first, then differences.
fn predict(line: &[f32; TILE], bytes: &mut [u8; TILE * 4]) {
    for (index, value) in line.iter().enumerate() {
        for (plane, byte) in value.to_be_bytes().into_iter().enumerate() {
            bytes[plane * TILE + index] = byte;
        }
    }
    for index in (1..bytes.len()).rev() {
        bytes[index] = bytes[index].wrapping_sub(bytes[index - 1]);
    }
}

const TILE_OFFSETS: u16 = 324;
const TILE_BYTE_COUNTS: u16 = 325;

/// The value of one tag.
#[derive(Clone)]
enum Field {
    Short(Vec<u16>),
    Long(Vec<u32>),
    Long8(Vec<u64>),
    Double(Vec<f64>),
    Ascii(String),
}

impl Field {
    fn offsets(values: Vec<u64>, big: bool) -> Self {
        if big {
            Self::Long8(values)
        } else {
            Self::Long(values.into_iter().map(|value| value as u32).collect())
        }
    }

    /// Type code, number of values, and their bytes.
    fn parts(&self) -> (u16, u64, Vec<u8>) {
        match self {
            Self::Short(values) => {
                (3, values.len() as u64, values.iter().flat_map(|v| v.to_le_bytes()).collect())
            }
            Self::Long(values) => {
                (4, values.len() as u64, values.iter().flat_map(|v| v.to_le_bytes()).collect())
            }
            Self::Long8(values) => {
                (16, values.len() as u64, values.iter().flat_map(|v| v.to_le_bytes()).collect())
            }
            Self::Double(values) => {
                (12, values.len() as u64, values.iter().flat_map(|v| v.to_le_bytes()).collect())
            }
            Self::Ascii(text) => (2, text.len() as u64 + 1, [text.as_bytes(), &[0]].concat()),
        }
    }
}

fn entries(wet: &Bits, tags: &GeoTags, tiles: usize, big: bool) -> Vec<(u16, Field)> {
    let mut entries = vec![
        (256, Field::Long(vec![wet.width() as u32])),
        (257, Field::Long(vec![wet.height() as u32])),
        (258, Field::Short(vec![32])),
        (259, Field::Short(vec![8])),
        (262, Field::Short(vec![1])),
        (277, Field::Short(vec![1])),
        (284, Field::Short(vec![1])),
        (317, Field::Short(vec![3])),
        (322, Field::Short(vec![TILE as u16])),
        (323, Field::Short(vec![TILE as u16])),
        (TILE_OFFSETS, Field::offsets(vec![0; tiles], big)),
        (TILE_BYTE_COUNTS, Field::offsets(vec![0; tiles], big)),
        (339, Field::Short(vec![3])),
        (42113, Field::Ascii(NODATA.to_string())),
    ];
    let doubles = [
        (33550, &tags.pixel_scale),
        (33922, &tags.tiepoints),
        (34264, &tags.transformation),
        (34736, &tags.doubles),
    ];
    entries.extend(
        doubles
            .into_iter()
            .filter(|(_, values)| !values.is_empty())
            .map(|(tag, values)| (tag, Field::Double(values.clone()))),
    );
    entries.push((34735, Field::Short(tags.directory.clone())));
    if !tags.ascii.is_empty() {
        entries.push((34737, Field::Ascii(tags.ascii.clone())));
    }
    entries.sort_by_key(|(tag, _)| *tag);
    entries
}

/// Header and image file directory of a little-endian TIFF or BigTIFF.
struct Directory {
    big: bool,
    entries: Vec<(u16, Field)>,
}

impl Directory {
    /// Gives a tag a value of the same size, so that nothing moves.
    fn replace(&mut self, tag: u16, field: Field) {
        self.entries.iter_mut().filter(|entry| entry.0 == tag).for_each(|entry| entry.1 = field.clone());
    }

    fn bytes(&self) -> Vec<u8> {
        let (header, count_size, entry_size, inline) = if self.big { (16, 8, 20, 8) } else { (8, 2, 12, 4) };
        let number = |value: u64| value.to_le_bytes()[..inline].to_vec();
        let mut bytes = b"II".to_vec();
        if self.big {
            bytes.extend([43, 0, 8, 0, 0, 0]);
        } else {
            bytes.extend([42, 0]);
        }
        bytes.extend(number(header));
        bytes.extend(&(self.entries.len() as u64).to_le_bytes()[..count_size]);
        let mut far_offset = header + (count_size + entry_size * self.entries.len() + inline) as u64;
        let mut far = Vec::new();
        for (tag, field) in &self.entries {
            let (kind, count, mut value) = field.parts();
            bytes.extend(tag.to_le_bytes());
            bytes.extend(kind.to_le_bytes());
            bytes.extend(number(count));
            if value.len() <= inline {
                value.resize(inline, 0);
                bytes.extend(value);
            } else {
                // Values start at even offsets, as the format asks.
                value.resize(value.len().next_multiple_of(2), 0);
                bytes.extend(number(far_offset));
                far_offset += value.len() as u64;
                far.extend(value);
            }
        }
        bytes.extend(number(0));
        bytes.extend(far);
        bytes
    }
}
