//! Polygons in longitude and latitude, cut where they cross the antimeridian or hold a pole (RFC 7946, section 3.1.9).
//!
//! A ring is followed along the earth without jumps, then cut at every crossing of 180 degrees. Each piece runs through the
//! rectangle of the whole earth from side to side; pieces are joined along the rectangle's border, counter-clockwise, which
//! goes over a pole by itself where the area holds one.

use super::assemble::assemble;

/// Longitude and latitude in degrees.
pub type Point = [f64; 2];

/// A ring of points, not closed (the first point is not repeated).
pub type Ring = Vec<Point>;

/// An outer ring (counter-clockwise) and its holes (clockwise).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Polygon {
    /// The outer ring.
    pub exterior: Ring,
    /// Its holes.
    pub holes: Vec<Ring>,
}

/// Cuts a polygon whose rings have its area on their left. `jumps` says that longitudes may jump by a turn between two
/// neighbours (they come from a projection, and neighbours are near each other), otherwise they run on beyond 180 degrees.
pub fn cut(polygon: Polygon, jumps: bool) -> Vec<Polygon> {
    let mut rings = vec![polygon.exterior];
    rings.extend(polygon.holes);
    let turns: Vec<f64> = rings.iter_mut().map(|ring| if jumps { unroll(ring) } else { 0.0 }).collect();
    let inside = |ring: &Ring| ring.iter().all(|point| (-180.0..=180.0).contains(&point[0]));
    if turns.iter().all(|turn| *turn == 0.0) && rings.iter().all(inside) {
        let holes = rings.split_off(1);
        return vec![Polygon { exterior: rings.swap_remove(0), holes }];
    }
    let mut whole = Vec::new();
    let mut pieces = Vec::new();
    for (ring, turn) in rings.into_iter().zip(turns) {
        cut_ring(ring, turn, &mut whole, &mut pieces);
    }
    whole.extend(join(pieces));
    assemble(whole)
}

/// Follows a ring without jumps; answers by how many degrees it is off after one round (0, or ±360 around a pole).
fn unroll(ring: &mut Ring) -> f64 {
    let near = |longitude: f64, last: f64| longitude + ((last - longitude) / 360.0).round() * 360.0;
    let Some(first) = ring.first().map(|point| point[0]) else { return 0.0 };
    let mut last = first;
    for point in ring.iter_mut() {
        point[0] = near(point[0], last);
        last = point[0];
    }
    near(first, last) - first
}

/// Which turn around the earth a longitude lies in.
fn zone(longitude: f64) -> f64 {
    ((longitude + 180.0) / 360.0).floor()
}

/// Cuts a ring into parts between two crossings, moved into -180 to 180; without a crossing it stays whole.
fn cut_ring(ring: Ring, turn: f64, whole: &mut Vec<Ring>, pieces: &mut Vec<Ring>) {
    let Some(first) = ring.first().copied() else { return };
    let mut chains: Vec<Ring> = Vec::new();
    let mut chain: Ring = vec![moved(first, zone(first[0]))];
    let ends = ring.iter().skip(1).copied().chain([[first[0] + turn, first[1]]]);
    let mut from = first;
    for to in ends {
        let target = zone(to[0]);
        let mut current = zone(from[0]);
        while current != target {
            let east = target > current;
            let border = if east { 360.0 * current + 180.0 } else { 360.0 * current - 180.0 };
            let part = (border - from[0]) / (to[0] - from[0]);
            let latitude = from[1] + part * (to[1] - from[1]);
            let side = if east { 180.0 } else { -180.0 };
            chain.push([side, latitude]);
            chains.push(std::mem::replace(&mut chain, vec![[-side, latitude]]));
            current += if east { 1.0 } else { -1.0 };
        }
        let arrived = moved(to, target);
        chain.push(arrived);
        // A corner on the border ends a piece too, or the way along the border would pass over it.
        if arrived[0] == -180.0 {
            chains.push(std::mem::replace(&mut chain, vec![arrived]));
        }
        from = to;
    }
    if chains.is_empty() {
        chain.pop();
        whole.push(chain);
        return;
    }
    // The last chain runs into the start of the first.
    chain.extend(chains[0].drain(1..));
    chains[0] = chain;
    pieces.extend(chains);
}

fn moved(point: Point, zone: f64) -> Point {
    [point[0] - 360.0 * zone, point[1]]
}

const CORNERS: [(f64, Point); 4] =
    [(180.0, [180.0, 90.0]), (540.0, [-180.0, 90.0]), (720.0, [-180.0, -90.0]), (1080.0, [180.0, -90.0])];
const AROUND: f64 = 1080.0;

/// Way along the border of the rectangle, counter-clockwise from its south-eastern corner.
fn way(point: Point) -> f64 {
    if point[0] > 0.0 { point[1] + 90.0 } else { 540.0 + 90.0 - point[1] }
}

/// A place on the border: its way, and how that changes when the border is moved inwards. The second tells apart what meets in
/// one point, such as two cells that touch at a corner there.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
struct Place(f64, f64);

/// Where a chain of points that begins on the border meets it.
fn place<'a>(mut points: impl Iterator<Item = &'a Point>) -> Option<Place> {
    let begin = points.next()?;
    let inwards = points.find(|point| point[0] != begin[0])?;
    let slope = (inwards[1] - begin[1]) / (inwards[0] - begin[0]).abs();
    Some(Place(way(*begin), if begin[0] > 0.0 { slope } else { -slope }))
}

/// Joins pieces into rings: from the end of each along the border to the next start.
fn join(pieces: Vec<Ring>) -> Vec<Ring> {
    // What runs along the border only has no area on this side of it.
    let ends = |ring: &Ring| Some((place(ring.iter())?, place(ring.iter().rev())?));
    let pieces: Vec<(Ring, (Place, Place))> =
        pieces.into_iter().filter_map(|ring| ends(&ring).map(|ends| (ring, ends))).collect();
    let mut starts: Vec<(Place, usize)> = Vec::new();
    for (index, (_, (start, _))) in pieces.iter().enumerate() {
        starts.push((*start, index));
    }
    starts.sort_by(|a, b| a.0.0.total_cmp(&b.0.0).then(a.0.1.total_cmp(&b.0.1)));
    let mut used = vec![false; pieces.len()];
    let mut rings = Vec::new();
    for first in 0..pieces.len() {
        let mut ring = Ring::new();
        let mut index = first;
        while !used[index] {
            used[index] = true;
            let (points, (_, end)) = &pieces[index];
            ring.extend(points);
            // The border always leads to a start: there are as many as ends.
            let Some((start, next)) = following(&starts, &used, *end, first) else { break };
            let corners = CORNERS.iter().chain(&CORNERS).enumerate();
            let along = corners.map(|(turn, (at, corner))| (at + AROUND * (turn / 4) as f64, *corner));
            ring.extend(along.filter(|(at, _)| end.0 < *at && *at < start).map(|(_, corner)| corner));
            index = next;
        }
        if !ring.is_empty() {
            rings.push(ring);
        }
    }
    rings
}

/// The way to the next start on the border that is free, or that the ring itself began with.
fn following(starts: &[(Place, usize)], used: &[bool], end: Place, first: usize) -> Option<(f64, usize)> {
    let free = |(_, index): &&(Place, usize)| !used[*index] || *index == first;
    let ahead = starts.partition_point(|(start, _)| *start < end);
    let next = starts[ahead..].iter().find(free).map(|(start, index)| (start.0, *index));
    next.or_else(|| starts[..ahead].iter().find(free).map(|(start, index)| (start.0 + AROUND, *index)))
}

#[cfg(test)]
mod tests {
    use super::super::assemble::doubled_area;
    use super::*;

    fn square(west: f64, east: f64, south: f64, north: f64) -> Ring {
        vec![[west, south], [east, south], [east, north], [west, north]]
    }

    fn hole(west: f64, east: f64, south: f64, north: f64) -> Ring {
        square(west, east, south, north).into_iter().rev().collect()
    }

    fn total(polygons: &[Polygon]) -> f64 {
        let ring = |ring: &Ring| {
            assert!(ring.iter().all(|point| point[0].abs() <= 180.0 && point[1].abs() <= 90.0), "{ring:?}");
            doubled_area(ring) / 2.0
        };
        polygons
            .iter()
            .map(|polygon| ring(&polygon.exterior) + polygon.holes.iter().map(ring).sum::<f64>())
            .sum()
    }

    #[test]
    fn what_does_not_cross_is_left_as_it_is() {
        let polygon =
            Polygon { exterior: square(-10.0, 10.0, 0.0, 5.0), holes: vec![hole(1.0, 2.0, 1.0, 2.0)] };
        assert_eq!(cut(polygon.clone(), false), [polygon]);
    }

    #[test]
    fn a_grid_from_0_to_360_is_moved_and_cut() {
        let moved = cut(Polygon { exterior: square(200.0, 210.0, 0.0, 5.0), holes: vec![] }, false);
        assert_eq!(moved, [Polygon { exterior: square(-160.0, -150.0, 0.0, 5.0), holes: vec![] }]);
        let holes =
            vec![hole(172.0, 174.0, 1.0, 2.0), hole(179.0, 182.0, 3.0, 4.0), hole(184.0, 185.0, 1.0, 2.0)];
        let halves = cut(Polygon { exterior: square(170.0, 190.0, 0.0, 5.0), holes }, false);
        assert_eq!(halves.len(), 2);
        assert!(halves.iter().all(|half| half.holes.len() == 1));
        assert!((total(&halves) - (100.0 - 2.0 - 3.0 - 1.0)).abs() < 1e-9);
    }

    #[test]
    fn an_edge_on_the_antimeridian_leaves_no_sliver() {
        let whole = cut(Polygon { exterior: square(170.0, 180.0, 0.0, 5.0), holes: vec![] }, false);
        assert_eq!(whole.len(), 1);
        let east = cut(Polygon { exterior: square(180.0, 190.0, 0.0, 5.0), holes: vec![] }, false);
        assert_eq!((east.len(), total(&east)), (1, 50.0));
        assert_eq!(
            total(&cut(
                Polygon {
                    exterior: square(170.0, 190.0, 0.0, 5.0),
                    holes: vec![hole(180.0, 181.0, 1.0, 2.0)]
                },
                false
            )),
            99.0
        );
    }

    /// A circle of latitude around a pole, as a projection gives it.
    fn circle(latitude: f64, eastwards: bool) -> Ring {
        let mut ring: Ring = (0..36).map(|step| [f64::from(step) * 10.0 - 175.0, latitude]).collect();
        if !eastwards {
            ring.reverse();
        }
        ring
    }

    #[test]
    fn a_cap_holds_its_pole() {
        let north = cut(Polygon { exterior: circle(80.0, true), holes: vec![] }, true);
        assert_eq!((north.len(), total(&north)), (1, 3600.0));
        let south = cut(Polygon { exterior: circle(-70.0, false), holes: vec![] }, true);
        assert_eq!((south.len(), total(&south)), (1, 7200.0));
    }

    #[test]
    fn an_ocean_around_a_polar_continent_has_no_pole() {
        let ocean = cut(Polygon { exterior: circle(-60.0, false), holes: vec![circle(-75.0, true)] }, true);
        assert_eq!(total(&ocean), 360.0 * 15.0);
    }

    /// Cells whose corners lie on the antimeridian, as in a polar grid: triangles that touch each other in a point there.
    #[test]
    fn stairs_along_the_antimeridian_fall_into_triangles() {
        let up = [[180.0, 0.0], [182.0, 1.0], [180.0, 2.0], [182.0, 3.0], [180.0, 4.0]];
        let exterior = up.into_iter().chain([[178.0, 3.0], [180.0, 2.0], [178.0, 1.0]]).collect();
        let triangles = cut(Polygon { exterior, holes: vec![] }, false);
        assert_eq!((triangles.len(), total(&triangles)), (4, 8.0));
        assert!(triangles.iter().all(|triangle| triangle.exterior.len() == 3));
    }

    /// An island that touches the antimeridian in one point.
    #[test]
    fn a_hole_that_touches_the_antimeridian_stays_a_hole() {
        let island = vec![[179.0, 1.0], [178.0, 2.0], [179.0, 3.0], [180.0, 2.0]];
        let halves = cut(Polygon { exterior: square(170.0, 190.0, 0.0, 5.0), holes: vec![island] }, false);
        assert_eq!((halves.len(), total(&halves)), (2, 98.0));
        assert_eq!(halves.iter().map(|half| half.holes.len()).sum::<usize>(), 1);
    }

    #[test]
    fn a_projected_ring_across_the_antimeridian_is_cut() {
        let exterior = vec![[179.0, 0.0], [-179.0, 0.0], [-179.0, 2.0], [179.0, 2.0]];
        let hole = vec![[179.5, 1.5], [-179.5, 1.5], [-179.5, 1.0], [179.5, 1.0]];
        let halves = cut(Polygon { exterior, holes: vec![hole] }, true);
        assert_eq!((halves.len(), total(&halves)), (2, 3.5));
    }
}
