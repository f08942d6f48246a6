//! Connected inundation: from a seed over all open cells that touch along an edge or at a corner.

use super::bits::Bits;

/// The cells of `open` (at or below the level) that are connected with `seed` (row, column). Empty if the seed is not open.
///
/// Works on whole runs of a row, so that the stack stays in proportion to the boundary.
pub fn connected(mut open: Bits, seed: (usize, usize)) -> Bits {
    let mut wet = Bits::new(open.width(), open.height());
    let mut stack = Vec::new();
    if open.get(seed.0, seed.1) {
        stack.push(take_run(&mut open, &mut wet, seed.0, seed.1));
    }
    while let Some(Run { row, start, end }) = stack.pop() {
        let above = row.checked_sub(1);
        let below = Some(row + 1).filter(|row| *row < open.height());
        for neighbour in [above, below].into_iter().flatten() {
            // One column more on each side: corners connect.
            let mut col = start.saturating_sub(1);
            while let Some(found) = open.next_set(neighbour, col).filter(|found| *found <= end) {
                let run = take_run(&mut open, &mut wet, neighbour, found);
                col = run.end;
                stack.push(run);
            }
        }
    }
    wet
}

/// Columns `start..end` of a row.
struct Run {
    row: usize,
    start: usize,
    end: usize,
}

/// Moves the whole run around a cell from `open` to `wet`, so that it is never found again.
fn take_run(open: &mut Bits, wet: &mut Bits, row: usize, col: usize) -> Run {
    let (start, end) = (open.run_start(row, col), open.next_clear(row, col));
    open.fill(row, start..end, false);
    wet.fill(row, start..end, true);
    Run { row, start, end }
}

#[cfg(test)]
mod tests {
    use super::super::bits::tests::picture;
    use super::*;

    fn shown(bits: &Bits) -> Vec<String> {
        let row = |row| (0..bits.width()).map(|col| if bits.get(row, col) { '#' } else { '.' }).collect();
        (0..bits.height()).map(row).collect()
    }

    #[test]
    fn water_passes_corners_but_not_walls() {
        let open = picture(&["##..#", "..#.#", ".#..#", "#...#"]);
        let wet = connected(open, (0, 0));
        assert_eq!(shown(&wet), ["##...", "..#..", ".#...", "#...."]);
    }

    #[test]
    fn water_comes_around_an_island() {
        let open = picture(&["####", "#..#", "#.##", "####"]);
        assert_eq!(connected(open.clone(), (3, 3)).count(), open.count());
    }

    #[test]
    fn a_dry_seed_floods_nothing() {
        assert_eq!(connected(picture(&["#.", ".."]), (1, 1)).count(), 0);
        assert_eq!(connected(picture(&["#"]), (0, 0)).count(), 1);
    }

    /// The same by the plainest method, on grids of many densities and widths around the word size.
    #[test]
    fn agrees_with_a_search_cell_by_cell() {
        let mut state = 7_u64;
        let mut random = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize
        };
        for round in 0..200 {
            let (width, height) = (1 + random() % 140, 1 + random() % 40);
            let mut open = Bits::new(width, height);
            for cell in 0..width * height {
                if random() % 100 < 20 + round % 70 {
                    open.set(cell / width, cell % width);
                }
            }
            let seed = (random() % height, random() % width);
            assert_eq!(shown(&connected(open.clone(), seed)), shown(&cell_by_cell(&open, seed)));
        }
    }

    fn cell_by_cell(open: &Bits, seed: (usize, usize)) -> Bits {
        let mut wet = Bits::new(open.width(), open.height());
        let mut stack = vec![(seed.0 as i64, seed.1 as i64)];
        while let Some((row, col)) = stack.pop() {
            if open.get_or_clear(row, col) && !wet.get(row as usize, col as usize) {
                wet.set(row as usize, col as usize);
                (-1..=1).for_each(|down| (-1..=1).for_each(|right| stack.push((row + down, col + right))));
            }
        }
        wet
    }
}
