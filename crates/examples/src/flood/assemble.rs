//! From rings that were cut to polygons: rings that meet in points are linked and cut so that each goes around one connected
//! area and meets nothing, itself included, in more than a point; then holes are given to the polygon around them.

use std::collections::HashMap;

use super::antimeridian::{Point, Polygon, Ring};

/// Sorts rings into polygons by direction and place; slivers without area along the cut are left out.
pub(super) fn assemble(rings: Vec<Ring>) -> Vec<Polygon> {
    let mut polygons = Vec::new();
    let mut holes = Vec::new();
    for ring in relinked(rings).into_iter().flat_map(simple_rings) {
        let area = doubled_area(&ring);
        if ring.len() < 3 || area.abs() < 1e-18 {
            continue;
        }
        if area > 0.0 {
            polygons.push(Polygon { exterior: ring, holes: Vec::new() })
        } else {
            holes.push(ring)
        }
    }
    for hole in holes {
        // The middle of an edge: a corner may touch the outer ring.
        let middle = [(hole[0][0] + hole[1][0]) / 2.0, (hole[0][1] + hole[1][1]) / 2.0];
        let around = polygons.iter_mut().find(|polygon| contains(&polygon.exterior, middle));
        if let Some(polygon) = around {
            polygon.holes.push(hole);
        }
    }
    polygons
}

/// Cuts a ring wherever it comes to the same point again: where a hole touched the cut in one point, for one.
fn simple_rings(ring: Ring) -> Vec<Ring> {
    let mut found = Vec::new();
    let mut open = Ring::new();
    let mut positions = HashMap::new();
    for point in ring {
        if let Some(position) = positions.get(&id(&point)).copied() {
            let cut = open.split_off(position);
            for passed in &cut {
                positions.remove(&id(passed));
            }
            found.push(cut);
        }
        positions.insert(id(&point), open.len());
        open.push(point);
    }
    found.push(open);
    found
}

type Id = [u64; 2];

fn id(point: &Point) -> Id {
    // Adding zero makes one of the two zeros.
    point.map(|degrees| (degrees + 0.0).to_bits())
}

/// One ring coming by at a point: the points before, at and after it.
struct Pass {
    at: Point,
    before: usize,
    after: usize,
}

/// Links rings anew where several meet in a point, so that each then goes around one connected area: who arrives goes on along
/// the first way out on its left hand. Islands that touch each other and the cut can divide an area that was one before.
fn relinked(rings: Vec<Ring>) -> Vec<Ring> {
    let mut passes: Vec<Pass> = Vec::new();
    for mut ring in rings {
        ring.dedup_by_key(|point| id(point));
        while ring.len() > 1 && ring.first().map(id) == ring.last().map(id) {
            ring.pop();
        }
        let (first, count) = (passes.len(), ring.len());
        passes.extend(ring.into_iter().enumerate().map(|(index, at)| Pass {
            at,
            before: first + (index + count - 1) % count,
            after: first + (index + 1) % count,
        }));
    }
    let way_on = ways_on(&passes);
    let mut walked = vec![false; passes.len()];
    let mut found = Vec::new();
    for start in 0..passes.len() {
        let mut ring = Ring::new();
        let mut index = start;
        while !walked[index] {
            walked[index] = true;
            ring.push(passes[index].at);
            index = way_on[index];
        }
        if !ring.is_empty() {
            found.push(ring);
        }
    }
    found
}

/// The pass that follows each one.
fn ways_on(passes: &[Pass]) -> Vec<usize> {
    let mut meetings: HashMap<Id, Vec<usize>> = HashMap::new();
    for (index, pass) in passes.iter().enumerate() {
        meetings.entry(id(&pass.at)).or_default().push(index);
    }
    let mut way_on: Vec<usize> = passes.iter().map(|pass| pass.after).collect();
    for meeting in meetings.values().filter(|meeting| meeting.len() > 1) {
        let mut free: Vec<usize> = meeting.clone();
        for arriving in meeting {
            let back = angle(passes, *arriving, passes[*arriving].before);
            let turn = |leaving: &usize| clockwise(back, angle(passes, *leaving, passes[*leaving].after));
            let next = (0..free.len()).min_by(|a, b| turn(&free[*a]).total_cmp(&turn(&free[*b])));
            if let Some(next) = next {
                way_on[*arriving] = passes[free.swap_remove(next)].after;
            }
        }
    }
    way_on
}

fn angle(passes: &[Pass], from: usize, to: usize) -> f64 {
    let (from, to) = (passes[from].at, passes[to].at);
    (to[1] - from[1]).atan2(to[0] - from[0])
}

/// How far to turn clockwise from one direction to another; a whole turn if they are the same.
fn clockwise(from: f64, to: f64) -> f64 {
    let turn = (from - to).rem_euclid(std::f64::consts::TAU);
    if turn == 0.0 { std::f64::consts::TAU } else { turn }
}

/// Twice the area in square degrees, positive if the ring runs counter-clockwise.
pub(super) fn doubled_area(ring: &[Point]) -> f64 {
    let Some(origin) = ring.first() else { return 0.0 };
    let edges = ring.iter().zip(ring.iter().cycle().skip(1));
    edges
        .map(|(a, b)| (a[0] - origin[0]) * (b[1] - origin[1]) - (b[0] - origin[0]) * (a[1] - origin[1]))
        .sum()
}

fn contains(ring: &[Point], [x, y]: Point) -> bool {
    let edges = ring.iter().zip(ring.iter().cycle().skip(1));
    let crossed = edges
        .filter(|(a, b)| (a[1] > y) != (b[1] > y) && x < a[0] + (y - a[1]) / (b[1] - a[1]) * (b[0] - a[0]));
    crossed.count() % 2 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two islands that together reach from one side of a square to the other leave two squares.
    #[test]
    fn islands_that_touch_from_side_to_side_divide_the_area() {
        let exterior = vec![[0.0, 0.0], [4.0, 0.0], [4.0, 2.0], [4.0, 4.0], [0.0, 4.0], [0.0, 2.0]];
        let island = |west: f64| vec![[west, 2.0], [west + 1.0, 3.0], [west + 2.0, 2.0], [west + 1.0, 1.0]];
        let parts = assemble(vec![exterior, island(0.0), island(2.0)]);
        assert_eq!(parts.len(), 2);
        assert!(parts.iter().all(|part| part.holes.is_empty() && doubled_area(&part.exterior) == 12.0));
    }

    #[test]
    fn an_island_that_touches_one_side_is_a_hole() {
        let exterior = vec![[0.0, 0.0], [4.0, 0.0], [4.0, 4.0], [0.0, 4.0], [0.0, 2.0]];
        let parts = assemble(vec![exterior, vec![[0.0, 2.0], [1.0, 3.0], [2.0, 2.0], [1.0, 1.0]]]);
        assert_eq!((parts.len(), parts[0].holes.len()), (1, 1));
    }

    #[test]
    fn slivers_are_left_out() {
        assert!(
            assemble(vec![vec![[0.0, 0.0], [0.0, 1.0], [0.0, 0.0]], vec![[1.0, 1.0]], vec![]]).is_empty()
        );
    }
}
