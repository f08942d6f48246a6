//! Floods a model of 10,000 x 10,000 cells (or as many as the first argument says per side) and prints time and memory.
//!
//! `cargo run --release -p rutter-examples --example big [CELLS_PER_SIDE [FOLDER]]`: the figure that issue 4 asks for (60 s and 1.5 GiB).
//! Another model is flooded with `… --example big flood MODEL FOLDER LONGITUDE,LATITUDE`.
//! The terrain has valleys, ridges and noise, so that the water has a long shore with many islands.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

use rutter_examples::contract::Progress;
use rutter_examples::flood::{self, Request, Seed};
use tiff::encoder::{TiffEncoder, colortype::Gray32Float};
use tiff::tags::Tag;

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let first = args.next();
    if first.as_deref() == Some("flood") {
        return flood_only(&args.collect::<Vec<_>>());
    }
    let cells = first.and_then(|cells| cells.parse().ok()).unwrap_or(10_000);
    let folder = args.next().map_or_else(std::env::temp_dir, PathBuf::from).join("rutter-big");
    std::fs::create_dir_all(&folder).expect("cannot make the folder");
    let dem = folder.join("big.tif");
    write_model(&dem, cells);
    // A process of its own, so that its memory is that of the flood alone.
    let program = std::env::current_exe().expect("this program has no path");
    let status = Command::new(program)
        .arg("flood")
        .arg(&dem)
        .arg(&folder)
        .arg(valley(cells))
        .status()
        .expect("cannot start the flood");
    if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn flood_only(args: &[String]) -> ExitCode {
    let [dem, out, seed] = args else { return ExitCode::from(2) };
    let (dem, out) = (PathBuf::from(dem), PathBuf::from(out));
    let seed = Seed::parse(seed).expect("the seed is no place");
    let begin = Instant::now();
    let request = Request { dem, level: 100.0, seed, out: out.clone() };
    match flood::run(&request, &mut Progress::silent()) {
        Ok(summary) => println!("{summary}"),
        Err(error) => {
            println!("{error}");
            return ExitCode::FAILURE;
        }
    }
    println!("{:.1} s, {}", begin.elapsed().as_secs_f64(), peak_memory());
    for file in ["depth.tif", "extent.geojson"] {
        let size = std::fs::metadata(out.join(file)).map_or(0, |metadata| metadata.len());
        println!("{file}: {:.1} MB", size as f64 / 1e6);
    }
    ExitCode::SUCCESS
}

fn peak_memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or("VmHWM: unknown");
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn write_model(path: &Path, cells: usize) {
    let file = BufWriter::new(File::create(path).expect("cannot write the model"));
    let mut encoder = TiffEncoder::new(file).expect("no encoder");
    let mut image = encoder.new_image::<Gray32Float>(cells as u32, cells as u32).expect("no image");
    let size = 1.0 / cells as f64;
    let tags = image.encoder();
    tags.write_tag(Tag::ModelPixelScaleTag, &[size, size, 0.0][..]).expect("no tag");
    tags.write_tag(Tag::ModelTiepointTag, &[0.0, 0.0, 0.0, 10.0, 50.0, 0.0][..]).expect("no tag");
    let keys: [u16; 16] = [1, 1, 0, 3, 1024, 0, 1, 2, 1025, 0, 1, 1, 2048, 0, 1, 4326];
    tags.write_tag(Tag::GeoKeyDirectoryTag, &keys[..]).expect("no tag");
    image.rows_per_strip(16).expect("no strips");
    let mut strip = Vec::new();
    let mut row = 0;
    while row < cells {
        strip.clear();
        for row in row..(row + 16).min(cells) {
            strip.extend((0..cells).map(|col| height(col, row)));
        }
        image.write_strip(&strip).expect("cannot write the model");
        row += 16;
    }
    image.finish().expect("cannot write the model");
}

/// The bottom of the first valley, as `longitude,latitude`.
fn valley(cells: usize) -> String {
    let (col, row) = (97.0 * 1.5 * std::f64::consts::PI, 131.0 * std::f64::consts::PI);
    format!("{},{}", 10.0 + col / cells as f64, 50.0 - row / cells as f64)
}

/// Valleys that all lead to the middle, and noise of a few metres on their slopes.
fn height(col: usize, row: usize) -> f32 {
    let (x, y) = (col as f32 / 97.0, row as f32 / 131.0);
    let mut noise =
        (col as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ (row as u64).wrapping_mul(0xC2B2_AE3D_27D4_EB4F);
    noise = (noise ^ (noise >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    100.0 + 40.0 * (x.sin() + y.cos() - 0.3) + (noise >> 44) as f32 / 131_072.0
}
