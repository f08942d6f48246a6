//! Area, volume and depth of a flood. Areas are true areas on the ellipsoid: closed formulas by row for grids of longitude
//! and latitude, and on the authalic sphere in blocks of cells for projected grids, where a cell's area changes slowly.

use super::affine::Affine;
use super::bits::Bits;
use super::crs::{Crs, CrsError};

/// What a flood amounts to.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Measure {
    /// Flooded cells.
    pub cells: u64,
    /// Area in m² on the ellipsoid.
    pub area: f64,
    /// Volume in m³.
    pub volume: f64,
    /// Greatest depth in metres.
    pub greatest_depth: f64,
    /// Column and row of the deepest cell.
    pub deepest: Option<(usize, usize)>,
}

/// Blocks per side of a grid: with so many, a cell's area changes by far less than a thousandth from one to the next.
const BLOCKS: usize = 128;
const LARGEST_BLOCK: usize = 64;
/// The area of a cell is a difference over at least so many metres, so that rounding does not show.
const LEAST_DISTANCE: f64 = 100.0;

/// Measures the flooded cells of `wet`, whose depths in metres stand row by row in `depth`.
pub(super) fn measure(wet: &Bits, depth: &[f32], grid: &Affine, crs: &Crs) -> Result<Measure, CrsError> {
    let mut measure = Measure::default();
    if crs.is_geographic() && grid.is_aligned() {
        by_rows(wet, depth, grid, crs, &mut measure)?;
    } else {
        by_blocks(wet, depth, grid, crs, &mut measure)?;
    }
    Ok(measure)
}

/// Number, summed depth and summed place of some cells.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    cells: u64,
    depth: f64,
    col: f64,
    row: f64,
}

impl Measure {
    /// Adds a cell to the sum and to what needs no area.
    fn visit(&mut self, sum: &mut Sum, (col, row): (usize, usize), depth: f32) {
        sum.cells += 1;
        sum.depth += f64::from(depth);
        sum.col += col as f64 + 0.5;
        sum.row += row as f64 + 0.5;
        if self.deepest.is_none() || f64::from(depth) > self.greatest_depth {
            self.greatest_depth = f64::from(depth);
            self.deepest = Some((col, row));
        }
    }

    fn add(&mut self, sum: &Sum, cell_area: f64) {
        self.cells += sum.cells;
        self.area += sum.cells as f64 * cell_area;
        self.volume += sum.depth * cell_area;
    }
}

fn by_rows(
    wet: &Bits,
    depth: &[f32],
    grid: &Affine,
    crs: &Crs,
    measure: &mut Measure,
) -> Result<(), CrsError> {
    let latitude = |row: f64| {
        let [_, latitude] = crs.to_own_lonlat(grid.apply(0.0, row))?;
        Ok::<_, CrsError>(latitude.clamp(-std::f64::consts::FRAC_PI_2, std::f64::consts::FRAC_PI_2))
    };
    let [west, _] = crs.to_own_lonlat(grid.apply(0.0, 0.0))?;
    let [east, _] = crs.to_own_lonlat(grid.apply(1.0, 0.0))?;
    for row in 0..wet.height() {
        let mut sum = Sum::default();
        for run in wet.runs(row) {
            let first = row * wet.width();
            run.for_each(|col| measure.visit(&mut sum, (col, row), depth[first + col]));
        }
        if sum.cells > 0 {
            let (top, bottom) = (latitude(row as f64)?, latitude(row as f64 + 1.0)?);
            let strip = crs.ellipsoid().area_from_equator(top) - crs.ellipsoid().area_from_equator(bottom);
            measure.add(&sum, ((east - west) * strip).abs());
        }
    }
    Ok(())
}

fn by_blocks(
    wet: &Bits,
    depth: &[f32],
    grid: &Affine,
    crs: &Crs,
    measure: &mut Measure,
) -> Result<(), CrsError> {
    let size = (wet.width().max(wet.height()) / BLOCKS).clamp(1, LARGEST_BLOCK);
    let mut sums = vec![Sum::default(); wet.width().div_ceil(size)];
    for top in (0..wet.height()).step_by(size) {
        sums.fill(Sum::default());
        for row in top..(top + size).min(wet.height()) {
            let first = row * wet.width();
            for run in wet.runs(row) {
                run.for_each(|col| measure.visit(&mut sums[col / size], (col, row), depth[first + col]));
            }
        }
        for sum in sums.iter().filter(|sum| sum.cells > 0) {
            let (col, row) = (sum.col / sum.cells as f64, sum.row / sum.cells as f64);
            measure.add(sum, cell_area(grid, crs, col, row)?);
        }
    }
    Ok(())
}

/// Area in m² of a cell around a place on the grid, from the vectors of one column and one row on the authalic sphere.
fn cell_area(grid: &Affine, crs: &Crs, col: f64, row: f64) -> Result<f64, CrsError> {
    let at = |col: f64, row: f64| {
        let own = crs.to_own_lonlat(grid.apply(col, row))?;
        Ok::<_, CrsError>(crs.ellipsoid().on_authalic_sphere(own))
    };
    let across = |half: f64| Ok::<_, CrsError>(minus(at(col + half, row)?, at(col - half, row)?));
    let down = |half: f64| Ok::<_, CrsError>(minus(at(col, row + half)?, at(col, row - half)?));
    let cell = length(across(0.5)?).min(length(down(0.5)?));
    let half = if cell > 0.0 { (0.5 * LEAST_DISTANCE / cell).clamp(0.5, 1e4) } else { 0.5 };
    let (across, down) = (across(half)?, down(half)?);
    let normal = [
        across[1] * down[2] - across[2] * down[1],
        across[2] * down[0] - across[0] * down[2],
        across[0] * down[1] - across[1] * down[0],
    ];
    Ok(length(normal) / (4.0 * half * half))
}

fn minus(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

fn length(vector: [f64; 3]) -> f64 {
    vector.iter().map(|part| part * part).sum::<f64>().sqrt()
}

/// Whether the water reached the edge of the grid or a cell without data: what lies beyond is not known then.
pub(super) fn reaches_edge(wet: &Bits, unknown: &Bits) -> bool {
    let (width, height) = (wet.width(), wet.height());
    let beside_unknown = |row: usize, from: usize, to: usize| {
        let rows = row.saturating_sub(1)..=(row + 1).min(height - 1);
        rows.into_iter().any(|row| unknown.next_set(row, from.saturating_sub(1)).is_some_and(|col| col <= to))
    };
    (0..height).any(|row| {
        wet.runs(row).any(|run| {
            let border = row == 0 || row + 1 == height || run.start == 0 || run.end == width;
            border || beside_unknown(row, run.start, run.end)
        })
    })
}
