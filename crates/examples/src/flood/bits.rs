//! One bit per cell: what is open, wet or unknown. A grid of 10,000 x 10,000 cells takes 12.5 MB.

use std::ops::Range;

/// A raster of bits; each row starts at a whole word.
#[derive(Debug, Clone)]
pub struct Bits {
    width: usize,
    height: usize,
    stride: usize,
    words: Vec<u64>,
}

impl Bits {
    /// A raster with every bit clear.
    pub fn new(width: usize, height: usize) -> Self {
        let stride = width.div_ceil(64);
        Self { width, height, stride, words: vec![0; stride * height] }
    }

    /// Number of columns.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Number of rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Whether the bit is set.
    pub fn get(&self, row: usize, col: usize) -> bool {
        self.words[row * self.stride + col / 64] >> (col % 64) & 1 == 1
    }

    /// Whether the cell lies in the raster and its bit is set; cells outside count as clear.
    pub fn get_or_clear(&self, row: i64, col: i64) -> bool {
        let inside = row >= 0 && col >= 0 && (row as usize) < self.height && (col as usize) < self.width;
        inside && self.get(row as usize, col as usize)
    }

    /// Sets the bit.
    pub fn set(&mut self, row: usize, col: usize) {
        self.words[row * self.stride + col / 64] |= 1 << (col % 64);
    }

    /// Sets or clears all bits of `columns` in a row.
    pub fn fill(&mut self, row: usize, columns: Range<usize>, value: bool) {
        let mut col = columns.start;
        while col < columns.end {
            let end = columns.end.min((col / 64 + 1) * 64);
            let mask = (u64::MAX >> (64 - (end - col))) << (col % 64);
            let word = &mut self.words[row * self.stride + col / 64];
            if value {
                *word |= mask
            } else {
                *word &= !mask
            }
            col = end;
        }
    }

    /// The first column at or after `from` whose bit is set.
    pub fn next_set(&self, row: usize, from: usize) -> Option<usize> {
        self.next(row, from, 0)
    }

    /// The first column at or after `from` whose bit is clear, or the width.
    pub fn next_clear(&self, row: usize, from: usize) -> usize {
        self.next(row, from, u64::MAX).unwrap_or(self.width)
    }

    /// The first column of the run of set bits that `col` lies in.
    pub fn run_start(&self, row: usize, col: usize) -> usize {
        let words = self.row(row);
        let mut index = col / 64;
        let mut clear = !words[index] & (u64::MAX >> (63 - col % 64));
        loop {
            if clear != 0 {
                return index * 64 + 64 - clear.leading_zeros() as usize;
            }
            if index == 0 {
                return 0;
            }
            index -= 1;
            clear = !words[index];
        }
    }

    /// The runs of set bits in a row, from left to right.
    pub fn runs(&self, row: usize) -> impl Iterator<Item = Range<usize>> + '_ {
        let mut from = 0;
        std::iter::from_fn(move || {
            let start = self.next_set(row, from)?;
            from = self.next_clear(row, start);
            Some(start..from)
        })
    }

    /// Number of set bits.
    pub fn count(&self) -> u64 {
        self.words.iter().map(|word| u64::from(word.count_ones())).sum()
    }

    fn row(&self, row: usize) -> &[u64] {
        &self.words[row * self.stride..(row + 1) * self.stride]
    }

    /// The first column at or after `from` whose bit differs from those of `skipped` (all clear or all set).
    fn next(&self, row: usize, from: usize, skipped: u64) -> Option<usize> {
        if from >= self.width {
            return None;
        }
        let words = self.row(row);
        let mut index = from / 64;
        let mut found = (words[index] ^ skipped) & (u64::MAX << (from % 64));
        while found == 0 {
            index += 1;
            found = words.get(index)? ^ skipped;
        }
        let col = index * 64 + found.trailing_zeros() as usize;
        (col < self.width).then_some(col)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A raster from a picture: `#` is set.
    pub(crate) fn picture(rows: &[&str]) -> Bits {
        let mut bits = Bits::new(rows[0].len(), rows.len());
        for (row, text) in rows.iter().enumerate() {
            text.bytes()
                .enumerate()
                .filter(|(_, byte)| *byte == b'#')
                .for_each(|(col, _)| bits.set(row, col));
        }
        bits
    }

    #[test]
    fn runs_are_found_across_words() {
        let mut bits = Bits::new(200, 2);
        bits.fill(1, 3..5, true);
        bits.fill(1, 60..131, true);
        bits.fill(1, 199..200, true);
        assert_eq!(bits.runs(1).collect::<Vec<_>>(), [3..5, 60..131, 199..200]);
        assert_eq!(bits.runs(0).count(), 0);
        assert_eq!((bits.run_start(1, 130), bits.run_start(1, 60), bits.run_start(1, 199)), (60, 60, 199));
        bits.fill(1, 64..128, false);
        assert_eq!(bits.runs(1).collect::<Vec<_>>(), [3..5, 60..64, 128..131, 199..200]);
        assert_eq!(bits.count(), 2 + 4 + 3 + 1);
    }

    #[test]
    fn a_row_of_whole_words_ends_at_the_width() {
        let mut bits = Bits::new(128, 1);
        bits.fill(0, 0..128, true);
        assert_eq!((bits.runs(0).next(), bits.runs(0).count()), (Some(0..128), 1));
        assert_eq!(bits.run_start(0, 127), 0);
        assert!(!bits.get_or_clear(0, 128) && !bits.get_or_clear(-1, 0) && bits.get_or_clear(0, 127));
    }
}
