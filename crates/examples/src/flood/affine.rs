//! Where the cells of a grid lie: the transform from (column, row) to the model's coordinates.

/// `x = origin.x + col * column.x + row * row.x`, the same for y; (0, 0) is the outer corner of the first cell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Affine {
    /// Outer corner of the first cell.
    pub origin: [f64; 2],
    /// Step from one column to the next.
    pub column: [f64; 2],
    /// Step from one row to the next.
    pub row: [f64; 2],
}

impl Affine {
    /// Model coordinates of a place on the grid.
    pub fn apply(&self, col: f64, row: f64) -> [f64; 2] {
        let along = |axis: usize| self.origin[axis] + col * self.column[axis] + row * self.row[axis];
        [along(0), along(1)]
    }

    /// Column and row of model coordinates.
    pub fn invert(&self, [x, y]: [f64; 2]) -> [f64; 2] {
        let (dx, dy) = (x - self.origin[0], y - self.origin[1]);
        let det = self.determinant();
        [(dx * self.row[1] - dy * self.row[0]) / det, (dy * self.column[0] - dx * self.column[1]) / det]
    }

    /// Negative for the usual grid whose rows go down; zero if the cells have no area.
    pub fn determinant(&self) -> f64 {
        self.column[0] * self.row[1] - self.column[1] * self.row[0]
    }

    /// Whether columns run along x and rows along y.
    pub fn is_aligned(&self) -> bool {
        self.column[1] == 0.0 && self.row[0] == 0.0
    }

    /// Moved by half a cell, for files whose coordinates name the centre of a cell (pixel is point).
    #[must_use]
    pub fn from_centre(self) -> Self {
        Self { origin: self.apply(-0.5, -0.5), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inversion_undoes_a_rotated_transform() {
        let affine = Affine { origin: [500_000.0, 4_000_000.0], column: [30.0, 4.0], row: [5.0, -28.0] };
        let [x, y] = affine.apply(17.25, 3.5);
        let [col, row] = affine.invert([x, y]);
        assert!((col - 17.25).abs() < 1e-9 && (row - 3.5).abs() < 1e-9);
    }
}
