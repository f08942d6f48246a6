//! From flooded cells to polygons along the edges of cells.
//!
//! Water spreads over corners, but polygons that touch themselves are not valid. So the cells are split into parts that are
//! connected over edges: each part is one polygon, parts that touch at a corner only are neighbours in a multipolygon, and a
//! ring that meets itself at a corner is cut there. Memory stays in proportion to the boundary: runs of cells and one ring.

use std::collections::HashMap;

use super::bits::Bits;

/// A corner of cells: (column, row).
pub type Corner = (u32, u32);

/// The area between an outer ring and its holes. Rings are not closed (the first corner is not repeated), and have the water
/// on their left where rows go down: the outer ring runs counter-clockwise on a map with north up, holes clockwise.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GridPolygon {
    /// The outer ring.
    pub exterior: Vec<Corner>,
    /// Its holes: islands.
    pub holes: Vec<Vec<Corner>>,
}

/// Traces all polygons and hands each on. On straight edges a corner is kept at least every `longest_edge` cells.
pub fn polygons<E>(
    wet: &Bits,
    longest_edge: u32,
    mut each: impl FnMut(GridPolygon) -> Result<(), E>,
) -> Result<(), E> {
    let parts = Parts::of(wet);
    let mut tracer = Tracer { wet, longest_edge, traced: Bits::new(wet.width(), wet.height()) };
    let mut first = 0;
    while first < parts.order.len() {
        let part = parts.root_of(first);
        let mut polygon = GridPolygon::default();
        while first < parts.order.len() && parts.root_of(first) == part {
            let run = parts.runs[parts.order[first] as usize];
            if !tracer.traced.get(run.row as usize, run.start as usize) {
                tracer.trace((run.start, run.row), &mut polygon);
            }
            first += 1;
        }
        each(polygon)?;
    }
    Ok(())
}

#[derive(Clone, Copy)]
struct Run {
    row: u32,
    start: u32,
    end: u32,
}

/// Runs of flooded cells, grouped by the part (connected over edges) they belong to.
struct Parts {
    runs: Vec<Run>,
    roots: Vec<u32>,
    /// Runs by part; within one from top to bottom, left to right.
    order: Vec<u32>,
}

impl Parts {
    fn of(wet: &Bits) -> Self {
        let mut runs: Vec<Run> = Vec::new();
        let mut roots: Vec<u32> = Vec::new();
        let mut above = 0..0;
        for row in 0..wet.height() {
            let begin = runs.len();
            let mut candidate = above.start;
            for run in wet.runs(row) {
                let run = Run { row: row as u32, start: run.start as u32, end: run.end as u32 };
                let index = runs.len() as u32;
                runs.push(run);
                roots.push(index);
                while candidate < above.end && runs[candidate].end <= run.start {
                    candidate += 1;
                }
                let touching = (candidate..above.end).take_while(|other| runs[*other].start < run.end);
                touching.for_each(|other| join(&mut roots, other as u32, index));
            }
            above = begin..runs.len();
        }
        (0..roots.len()).for_each(|index| roots[index] = root(&mut roots, index as u32));
        let mut order: Vec<u32> = (0..runs.len() as u32).collect();
        order.sort_unstable_by_key(|index| (roots[*index as usize], *index));
        Self { runs, roots, order }
    }

    fn root_of(&self, position: usize) -> u32 {
        self.roots[self.order[position] as usize]
    }
}

/// The smallest run of a part, so that parts come in the order of their first runs.
fn root(roots: &mut [u32], mut index: u32) -> u32 {
    while roots[index as usize] != index {
        let parent = roots[index as usize];
        roots[index as usize] = roots[parent as usize];
        index = parent;
    }
    index
}

fn join(roots: &mut [u32], a: u32, b: u32) {
    let (a, b) = (root(roots, a), root(roots, b));
    roots[a.max(b) as usize] = a.min(b);
}

#[derive(Clone, Copy, PartialEq)]
enum Heading {
    South,
    East,
    North,
    West,
}

impl Heading {
    fn step(self) -> (i64, i64) {
        match self {
            Self::South => (0, 1),
            Self::East => (1, 0),
            Self::North => (0, -1),
            Self::West => (-1, 0),
        }
    }

    fn left(self) -> Self {
        match self {
            Self::South => Self::East,
            Self::East => Self::North,
            Self::North => Self::West,
            Self::West => Self::South,
        }
    }

    fn right(self) -> Self {
        self.left().left().left()
    }

    /// The cells ahead of a corner, on the left and on the right hand.
    fn ahead(self, (col, row): (i64, i64)) -> [(i64, i64); 2] {
        match self {
            Self::South => [(col, row), (col - 1, row)],
            Self::East => [(col, row - 1), (col, row)],
            Self::North => [(col - 1, row - 1), (col, row - 1)],
            Self::West => [(col - 1, row), (col - 1, row - 1)],
        }
    }
}

struct Tracer<'a> {
    wet: &'a Bits,
    longest_edge: u32,
    /// Cells whose left edge has been walked along.
    traced: Bits,
}

impl Tracer<'_> {
    /// Walks along the boundary from the upper left corner of a cell, downwards, the water on the left hand.
    fn trace(&mut self, start: Corner, polygon: &mut GridPolygon) {
        let mut ring = Ring::default();
        let mut at = (i64::from(start.0), i64::from(start.1));
        let begin = at;
        let mut heading = Heading::South;
        ring.turn(start, self.is_wet((at.0 - 1, at.1 - 1)) && !self.is_wet((at.0, at.1 - 1)), polygon);
        let mut straight = 0;
        loop {
            if heading == Heading::South {
                self.traced.set(at.1 as usize, at.0 as usize);
            }
            let (right, down) = heading.step();
            at = (at.0 + right, at.1 + down);
            straight += 1;
            let [left_cell, right_cell] = heading.ahead(at).map(|cell| self.is_wet(cell));
            let next = match (left_cell, right_cell) {
                // The part ends here. If the cell across the corner is wet, the ring may come by once more.
                (false, _) => heading.left(),
                (true, false) => heading,
                (true, true) => heading.right(),
            };
            let over = at == begin && next == Heading::South;
            if over || next != heading || straight >= self.longest_edge {
                let meets_itself = !left_cell && right_cell;
                if !over || meets_itself {
                    ring.turn((at.0 as u32, at.1 as u32), meets_itself, polygon);
                }
                straight = 0;
            }
            if over {
                return ring.close(polygon);
            }
            heading = next;
        }
    }

    fn is_wet(&self, (col, row): (i64, i64)) -> bool {
        self.wet.get_or_clear(row, col)
    }
}

/// A ring in the making, cut wherever it comes to the same corner again.
#[derive(Default)]
struct Ring {
    corners: Vec<Corner>,
    /// Positions in `corners` of those that may come again.
    crossings: HashMap<Corner, usize>,
}

impl Ring {
    fn turn(&mut self, corner: Corner, may_come_again: bool, polygon: &mut GridPolygon) {
        if may_come_again {
            if let Some(position) = self.crossings.get(&corner).copied() {
                let cut = self.corners.split_off(position);
                for passed in &cut[1..] {
                    self.crossings.remove(passed);
                }
                polygon.take(cut);
            }
            self.crossings.insert(corner, self.corners.len());
        }
        self.corners.push(corner);
    }

    fn close(self, polygon: &mut GridPolygon) {
        polygon.take(self.corners);
    }
}

impl GridPolygon {
    /// Takes a ring as the outer one or as a hole, by its direction.
    fn take(&mut self, ring: Vec<Corner>) {
        if ring.len() < 4 {
            return;
        }
        if encloses_left(&ring) { self.exterior = ring } else { self.holes.push(ring) }
    }
}

fn encloses_left(ring: &[Corner]) -> bool {
    let next = ring.iter().cycle().skip(1);
    let doubled: i64 = ring
        .iter()
        .zip(next)
        .map(|(a, b)| i64::from(b.0) * i64::from(a.1) - i64::from(a.0) * i64::from(b.1))
        .sum();
    doubled > 0
}

#[cfg(test)]
mod tests {
    use super::super::bits::tests::picture;
    use super::*;

    fn traced(rows: &[&str], longest_edge: u32) -> Vec<GridPolygon> {
        let mut all = Vec::new();
        polygons(&picture(rows), longest_edge, |polygon| {
            all.push(polygon);
            Ok::<_, ()>(())
        })
        .unwrap();
        all
    }

    /// Twice the area that a ring has on its left.
    fn area(ring: &[Corner]) -> i64 {
        let next = ring.iter().cycle().skip(1);
        ring.iter()
            .zip(next)
            .map(|(a, b)| i64::from(b.0) * i64::from(a.1) - i64::from(a.0) * i64::from(b.1))
            .sum()
    }

    /// What must hold for any flood: right directions, simple rings, and areas that add up to the cells.
    fn check(rows: &[&str], longest_edge: u32) -> Vec<GridPolygon> {
        let all = traced(rows, longest_edge);
        let mut doubled = 0;
        for polygon in &all {
            assert!(area(&polygon.exterior) > 0, "{rows:?}");
            assert!(polygon.holes.iter().all(|hole| area(hole) < 0), "{rows:?}");
            for ring in polygon.holes.iter().chain([&polygon.exterior]) {
                let mut corners = ring.clone();
                corners.sort_unstable();
                corners.dedup();
                assert_eq!(corners.len(), ring.len(), "a ring meets itself in {rows:?}");
                doubled += area(ring);
            }
        }
        let cells = rows.iter().flat_map(|row| row.bytes()).filter(|byte| *byte == b'#').count();
        assert_eq!(doubled, 2 * cells as i64, "{rows:?}");
        all
    }

    #[test]
    fn one_cell_is_a_square_that_runs_counter_clockwise() {
        let all = check(&["#"], 1000);
        assert_eq!(all, [GridPolygon { exterior: vec![(0, 0), (0, 1), (1, 1), (1, 0)], holes: vec![] }]);
        assert!(traced(&["."], 1000).is_empty());
    }

    #[test]
    fn an_island_is_a_hole_and_a_lake_on_it_a_polygon_of_its_own() {
        let all = check(&["#####", "#...#", "#.#.#", "#...#", "#####"], 1000);
        assert_eq!(all.len(), 2);
        assert_eq!((all[0].holes.len(), all[1].holes.len()), (1, 0));
    }

    #[test]
    fn cells_that_touch_at_corners_are_polygons_of_their_own() {
        assert_eq!(check(&["#.#", ".#.", "#.#"], 1000).len(), 5);
    }

    #[test]
    fn a_ring_of_cells_closed_at_a_corner_has_a_hole_that_touches_it() {
        let all = check(&[".##", "#.#", "###"], 1000);
        assert_eq!(all.len(), 1);
        assert_eq!(all[0].holes.len(), 1);
    }

    #[test]
    fn islands_that_touch_at_a_corner_are_two_holes() {
        let all = check(&["####", "#.##", "##.#", "####"], 1000);
        assert_eq!(all[0].holes.len(), 2);
        let all = check(&["#####", "#.#.#", "##.##", "#.#.#", "#####"], 1000);
        assert_eq!(all.iter().map(|polygon| polygon.holes.len()).sum::<usize>(), 5);
    }

    #[test]
    fn long_edges_keep_corners_on_the_way() {
        assert_eq!(check(&["##########"], 4)[0].exterior.len(), 4 + 2 + 2);
    }

    #[test]
    fn any_pattern_gives_valid_rings() {
        let mut state = 3_u64;
        for round in 0..400 {
            let rows: Vec<String> = (0..1 + round % 17)
                .map(|_| {
                    (0..1 + round % 23)
                        .map(|_| {
                            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                            if (state >> 40) % 100 < 30 + round % 50 { '#' } else { '.' }
                        })
                        .collect()
                })
                .collect();
            check(&rows.iter().map(String::as_str).collect::<Vec<_>>(), 1 + (round % 5) as u32);
        }
    }
}
