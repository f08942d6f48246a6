"""Floods elevation models a second time, by other means, and compares with the example program.

Usage: independent.py PROGRAM SHIPPED_DEM FOLDER. Heights and grids are read by GDAL (rasterio), connected cells found by SciPy,
areas computed by PROJ (equal-area projection on the model's ellipsoid, and geodesic polygons), polygons checked by GEOS.
"""

import json
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import rasterio
import shapely
from pyproj import CRS, Geod, Proj, Transformer
from rasterio.transform import Affine, from_origin
from rasterio.warp import Resampling, calculate_default_transform, reproject
from scipy import ndimage

warnings.filterwarnings("ignore")
PROGRAM, SHIPPED, FOLDER = Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])
LEVEL, SEED = 360.0, (-84.12417, 36.4925)
failures = 0
count = 0


def case(name):
    """Runs the function now and prints its outcome."""

    def run(function):
        global failures, count
        count += 1
        try:
            note = function() or ""
            print(f"ok    {name}  {note}", flush=True)
        except Exception as error:  # every case is to be told
            failures += 1
            print(f"FAIL  {name}: {type(error).__name__}: {error}", flush=True)

    return run


def program(dem, level, seed):
    out = FOLDER / f"out-{count}"
    out.mkdir(exist_ok=True)
    point = json.dumps({"type": "Point", "coordinates": list(seed)})
    command = [PROGRAM, "flood-extent", "--dem", dem, "--level", repr(level), "--seed", point, "--out", out]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=300)
    return ended, out


def refused(dem, level, seed, *words):
    ended, _ = program(dem, level, seed)
    assert ended.returncode == 1, f"exit code {ended.returncode}"
    assert ended.stderr.count("\n") == 1, ended.stderr
    for word in words:
        assert word in ended.stderr, f"{word!r} not in {ended.stderr!r}"
    return ended.stderr.strip()


def heights(path):
    with rasterio.open(path) as data:
        band = data.read(1, masked=True).astype("float64")
        known = ~np.ma.getmaskarray(band) & ~np.isnan(band.data)
        values = band.data * data.scales[0] + data.offsets[0]
        return values, known, data.transform, CRS.from_user_input(data.crs.to_wkt())


def lonlat(crs, geodetic_only=False):
    target = crs.geodetic_crs if geodetic_only else CRS.from_epsg(4326)
    return Transformer.from_crs(crs.to_2d(), target.to_2d(), always_xy=True)


def cell_areas(crs, transform, rows, cols):
    """Areas of cells by an equal-area projection on the ellipsoid of the geographic coordinates."""
    corners = []
    to_geodetic = lonlat(crs, geodetic_only=True)
    ellipsoid = crs.geodetic_crs.ellipsoid
    for down, right in ((0, 0), (1, 0), (1, 1), (0, 1)):
        x, y = transform @ (cols + right, rows + down) if hasattr(transform, "__matmul__") else transform * (cols + right, rows + down)
        corners.append((x, y) if crs.is_geographic else to_geodetic.transform(x, y))
    lons, lats = np.array([c[0] for c in corners]), np.array([c[1] for c in corners])
    lons = lons[0] + (lons - lons[0] + 180) % 360 - 180
    # Cylindrical equal-area: exact areas everywhere, and for a cell its chords are straight enough.
    equal = Proj(proj="cea", a=ellipsoid.semi_major_metre, b=ellipsoid.semi_minor_metre)
    radius = ellipsoid.semi_major_metre
    xs = np.radians(lons) * radius
    _, ys = equal(np.zeros_like(lats), lats)
    total = np.zeros(xs.shape[1])
    for i in range(4):
        j = (i + 1) % 4
        total += xs[i] * ys[j] - xs[j] * ys[i]
    return np.abs(total) / 2


def flooded(path, level, seed, metres=1.0):
    values, known, transform, crs = heights(path)
    open_cells = known & (values * metres <= level)
    x, y = Transformer.from_crs(CRS.from_epsg(4326), crs.to_2d(), always_xy=True).transform(*seed)
    if crs.is_geographic:
        x = seed[0] + 360 * round((transform.c + transform.a * values.shape[1] / 2 - seed[0]) / 360)
    col, row = (int(np.floor(v)) for v in ~transform * (x, y))
    label, _ = ndimage.label(open_cells, np.ones((3, 3)))
    wet = label == label[row, col] if label[row, col] else np.zeros_like(open_cells)
    rows, cols = np.nonzero(wet)
    areas = cell_areas(crs, transform, rows.astype(float), cols.astype(float)) if len(rows) else np.zeros(0)
    depth = level - values[wet] * metres
    return wet, areas, depth, transform, crs


def same(name, got, expected, tolerance):
    assert abs(got - expected) <= tolerance * max(abs(expected), 1e-12), f"{name} is {got}, expected {expected}"


def compare(path, level=LEVEL, seed=SEED, tolerance=1e-3, inside=1.0, metres=1.0):
    ended, out = program(path, level, seed)
    assert ended.returncode == 0, ended.stderr
    summary = json.loads((out / "summary.json").read_text())
    wet, areas, depth, transform, crs = flooded(path, level, seed, metres)

    assert summary["cells"] == wet.sum(), f"{summary['cells']} cells, expected {wet.sum()}"
    same("area", summary["areaKm2"], areas.sum() / 1e6, tolerance)
    same("volume", summary["volumeM3"], (areas * depth).sum(), tolerance)
    if len(depth):
        assert abs(summary["greatestDepthM"] - depth.max()) < 2e-3, (summary["greatestDepthM"], depth.max())

    with rasterio.open(out / "depth.tif") as data, rasterio.open(path) as dem:
        assert data.dtypes == ("float32",) and data.nodata == -9999 and data.compression is not None
        assert data.shape == dem.shape and data.crs == dem.crs, f"{data.crs} is not {dem.crs}"
        assert data.transform.almost_equals(dem.transform, 1e-12 * abs(dem.transform.c) + 1e-12)
        assert data.tags().get("AREA_OR_POINT") == dem.tags().get("AREA_OR_POINT")
        band = data.read(1, masked=True)
        assert (~np.ma.getmaskarray(band) == wet).all(), "other cells are flooded in depth.tif"
        assert np.allclose(band.data[wet], depth, atol=2e-4), "depths differ"

    geometry = check_extent(out, wet, transform, crs, inside)
    if len(areas) and inside:
        same("area of the polygons", geodesic_area(geometry) / 1e6, areas.sum() / 1e6, max(2e-3, tolerance))
    return f"{summary['cells']} cells, {summary['areaKm2']} km²"


def geodesic_area(geometry):
    """Area by geodesics along densified edges, since an edge in longitude and latitude is no geodesic."""
    step = max((geometry.bounds[2] - geometry.bounds[0]) / 500, 1e-4)
    return abs(Geod(ellps="WGS84").geometry_area_perimeter(shapely.segmentize(geometry, step))[0])


def check_extent(out, wet, transform, crs, inside):
    collection = json.loads((out / "extent.geojson").read_text())
    assert collection["type"] == "FeatureCollection" and len(collection["features"]) == 1
    geometry = shapely.geometry.shape(collection["features"][0]["geometry"])
    assert geometry.geom_type == "MultiPolygon"
    assert geometry.is_valid, shapely.is_valid_reason(geometry)
    for polygon in geometry.geoms:
        assert polygon.exterior.is_ccw and not any(ring.is_ccw for ring in polygon.interiors), "right-hand rule"
    if not wet.any():
        assert geometry.is_empty
        return geometry
    west, south, east, north = geometry.bounds
    assert -180 <= west <= east <= 180 and -90 <= south <= north <= 90, geometry.bounds
    if inside:
        for cells, expected in ((wet, True), (~wet, False)):
            rows, cols = np.nonzero(cells)
            pick = np.random.default_rng(1).permutation(len(rows))[:4000]
            if not len(pick):
                continue
            x, y = transform * (cols[pick] + 0.5, rows[pick] + 0.5)
            lon, lat = lonlat(crs).transform(x, y) if not crs.is_geographic else (x, y)
            lon = (np.asarray(lon) + 180) % 360 - 180
            shapely.prepare(geometry)
            beside = np.abs(lon) < 180 - 1e-9  # centres on the antimeridian lie on the cut, in neither part
            lon, lat = lon[beside], np.asarray(lat)[beside]
            right = (shapely.contains_xy(geometry, lon, lat) == expected).mean()
            assert right >= inside, f"only {right} of the cells lie on the right side of the extent"
    return geometry


def write(name, band, transform, crs, tags=None, scale=None, **options):
    path = FOLDER / name
    profile = dict(driver="GTiff", width=band.shape[1], height=band.shape[0], count=1, dtype=band.dtype)
    with rasterio.open(path, "w", **profile, transform=transform, crs=crs, **options) as data:
        data.write(band, 1)
        if tags:
            data.update_tags(**tags)
        if scale:
            data.scales, data.offsets = (scale[0],), (scale[1],)
    return path


def warped(name, crs, dtype="float32", resampling=Resampling.bilinear, **options):
    with rasterio.open(SHIPPED) as data:
        transform, width, height = calculate_default_transform(data.crs, crs, data.width, data.height, *data.bounds)
        band = np.full((height, width), -32768, dtype)
        reproject(
            rasterio.band(data, 1), band, dst_transform=transform, dst_crs=crs, dst_nodata=-32768, resampling=resampling
        )
    return write(name, band, transform, crs, nodata=-32768, **options)


with rasterio.open(SHIPPED) as shipped:
    BAND, TRANSFORM, WGS84 = shipped.read(1), shipped.transform, shipped.crs
    GRID_BOUNDS = shipped.bounds

case("shipped model")(lambda: compare(SHIPPED))

# The same model warped gives the same area within 0.5 %.
@case("EPSG:32616 float32 LZW has the area of the shipped model within 0.5 %")
def _():
    path = warped("utm.tif", "EPSG:32616", compress="lzw", predictor=3)
    compare(path)
    areas = []
    for dem in (SHIPPED, path):
        _, out = program(dem, LEVEL, SEED)
        areas.append(json.loads((out / "summary.json").read_text())["areaKm2"])
    same("area", areas[1], areas[0], 0.005)
    return f"{areas[0]} and {areas[1]} km²"


FORMATS = {
    "int16": ("int16", {}),
    "uint16 lzw predictor 2": ("uint16", {"compress": "lzw", "predictor": 2}),
    "int32 deflate tiled": ("int32", {"compress": "deflate", "tiled": True, "blockxsize": 64, "blockysize": 32, "predictor": 2}),
    "uint32 packbits": ("uint32", {"compress": "packbits"}),
    "int64 deflate": ("int64", {"compress": "deflate"}),
    "uint64": ("uint64", {}),
    "float32 deflate predictor 3": ("float32", {"compress": "deflate", "predictor": 3}),
    "float32 lzw predictor 2 tiled": ("float32", {"compress": "lzw", "predictor": 2, "tiled": True}),
    "float32 zstd predictor 3 tiled": ("float32", {"compress": "zstd", "predictor": 3, "tiled": True}),
    "int16 zstd predictor 2": ("int16", {"compress": "zstd", "predictor": 2}),
    "float64 deflate predictor 3 tiled": ("float64", {"compress": "deflate", "predictor": 3, "tiled": True}),
    "float64 lzw": ("float64", {"compress": "lzw"}),
    "int16 BigTIFF": ("int16", {"BIGTIFF": "YES", "compress": "deflate"}),
    "int16 big endian lzw predictor 2": ("int16", {"ENDIANNESS": "BIG", "compress": "lzw", "predictor": 2}),
    "float32 big endian tiled predictor 3": ("float32", {"ENDIANNESS": "BIG", "compress": "deflate", "predictor": 3, "tiled": True}),
    "float64 one strip": ("float64", {"blockysize": 344}),
    "int16 strips of 7 rows": ("int16", {"blockysize": 7, "compress": "packbits"}),
}
for number, (name, (dtype, options)) in enumerate(FORMATS.items()):
    case(name)(lambda: compare(write(f"format-{number}.tif", BAND.astype(dtype), TRANSFORM, WGS84, **options)))


@case("int8 heights below sea level")
def _():
    band = (BAND / 10 - 100).astype("int8")
    return compare(write("int8.tif", band, TRANSFORM, WGS84), level=-64.0)


@case("uint8")
def _():
    return compare(write("uint8.tif", (BAND / 5).astype("uint8"), TRANSFORM, WGS84), level=72.0)


@case("float64 cells that differ from the level by less than a float32 can tell")
def _():
    band = BAND.astype("float64")
    band[band == 360] = np.nextafter(360.0, 361.0)
    return compare(write("fine.tif", band, TRANSFORM, WGS84))


@case("NoData walls as number, as NaN, as a rounded float32, and as a sparse tile")
def _():
    band = BAND.astype("float32")
    wall = np.zeros_like(band, bool)
    wall[:, 320:322] = True
    notes = []
    for index, (value, nodata) in enumerate([(-9999, -9999), (np.nan, np.nan), (-3.4e38, -3.4e38), (np.nan, None)]):
        walled = np.where(wall, np.float32(value), band).astype("float32")
        notes.append(compare(write(f"wall-{index}.tif", walled, TRANSFORM, WGS84, nodata=nodata, compress="deflate")))
    walled = BAND.copy()
    walled[128:256, 128:256] = -32768
    options = dict(tiled=True, blockxsize=128, blockysize=128, SPARSE_OK=True, nodata=-32768, compress="lzw")
    notes.append(compare(write("sparse.tif", walled, TRANSFORM, WGS84, **options)))
    assert len({note for note in notes[:4]}) == 1 and not notes[0].startswith("22718"), notes
    return notes[0]


@case("an internal mask")
def _():
    path = FOLDER / "masked.tif"
    profile = dict(driver="GTiff", width=403, height=344, count=1, dtype="int16", crs=WGS84, transform=TRANSFORM)
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(path, "w", **profile, compress="deflate") as data:
        data.write(BAND, 1)
        mask = np.full(BAND.shape, 255, "uint8")
        mask[:, 320:322] = 0
        data.write_mask(mask)
    return refused(path, LEVEL, SEED, "mask", "-dstnodata")


@case("pixel is point")
def _():
    return compare(write("point.tif", BAND, TRANSFORM, WGS84, tags={"AREA_OR_POINT": "Point"}))


@case("rotated and south-up grids")
def _():
    notes = [compare(write("south-up.tif", BAND[::-1], TRANSFORM @ Affine(1, 0, 0, 0, -1, 344), WGS84))]
    utm = warped("for-rotation.tif", "EPSG:32616")
    with rasterio.open(utm) as data:
        x, y = data.transform * (data.width / 2, data.height / 2)
    rotated = Affine.translation(x, y) @ Affine.rotation(25) @ Affine.scale(90, -90) @ Affine.translation(-201, -172)
    seed = lonlat(CRS.from_epsg(32616)).transform(*(rotated * (350.5, 290.5)))
    notes.append(compare(write("rotated.tif", BAND, rotated, "EPSG:32616"), seed=seed, level=400.0))
    turned = Affine.translation(-84.2, 36.6) @ Affine.rotation(30) @ Affine.scale(0.0008, -0.0008) @ Affine.translation(-201, -172)
    seed = turned * (350.5, 290.5)
    notes.append(compare(write("rotated-degrees.tif", BAND, turned, WGS84), seed=seed, level=400.0))
    return "; ".join(notes)


@case("scale, offset and heights in feet")
def _():
    scaled = write("scaled.tif", ((BAND - 200) * 10).astype("int16"), TRANSFORM, WGS84, scale=(0.1, 200.0))
    notes = [compare(scaled, level=360.0001)]
    feet = (BAND / 0.3048).astype("float64")
    notes.append(compare(write("feet.tif", feet, TRANSFORM, "EPSG:4326+8228"), level=360.0001, metres=0.3048))
    us = (BAND / (1200 / 3937)).astype("float64")
    notes.append(compare(write("us-feet.tif", us, TRANSFORM, "EPSG:4326+6360"), level=360.0001, metres=1200 / 3937))
    return notes[1]


SYSTEMS = [
    "EPSG:32616", "EPSG:26716", "EPSG:26916", "EPSG:3857", "EPSG:3395", "EPSG:5070", "EPSG:2274", "EPSG:2246", "EPSG:3347",
    "EPSG:3978", "EPSG:6350", "EPSG:6933", "EPSG:3410", "EPSG:3413", "EPSG:3995", "EPSG:32661", "EPSG:4269", "EPSG:4267",
    "EPSG:4258", "EPSG:4979", "EPSG:32136", "EPSG:6576", "EPSG:3034", "EPSG:3035", "ESRI:102003", "ESRI:102008",
    "ESRI:54009", "ESRI:102039",
    "+proj=tmerc +lat_0=36 +lon_0=-84.5 +k=0.9999 +x_0=500000 +y_0=100000 +ellps=GRS80 +units=m",
    "+proj=tmerc +lat_0=36 +lon_0=-84.5 +k=1 +x_0=1000 +y_0=0 +datum=NAD83 +units=us-ft",
    "+proj=laea +lat_0=36 +lon_0=-84 +datum=WGS84",
    "+proj=lcc +lat_1=35 +lat_2=38 +lat_0=36.5 +lon_0=-84 +x_0=200000 +y_0=0 +datum=WGS84",
    "+proj=lcc +lat_1=36 +lat_0=36 +lon_0=-84 +k_0=0.9996 +ellps=clrk66 +towgs84=-8,160,176",
    "+proj=aea +lat_1=30 +lat_2=40 +lat_0=35 +lon_0=-90 +ellps=intl",
    "+proj=stere +lat_0=90 +lat_ts=70 +lon_0=-45 +datum=WGS84",
    "+proj=stere +lat_0=36 +lon_0=-84 +k=1 +datum=WGS84",
    "+proj=sterea +lat_0=36 +lon_0=-84 +k=0.9999 +x_0=5000 +y_0=5000 +datum=WGS84",
    "+proj=merc +lat_ts=36 +lon_0=-84 +datum=WGS84",
    "+proj=sinu +lon_0=-84 +datum=WGS84",
    "+proj=sinu +lon_0=0 +a=6371007.181 +b=6371007.181",
    "+proj=cea +lat_ts=30 +lon_0=0 +datum=WGS84",
    "+proj=eqc +lat_ts=36 +lon_0=-84 +datum=WGS84",
    "+proj=aeqd +lat_0=36 +lon_0=-84 +datum=WGS84",
    "+proj=eqdc +lat_0=36 +lon_0=-84 +lat_1=35 +lat_2=38 +datum=WGS84",
    "+proj=cass +lat_0=36 +lon_0=-84 +ellps=clrk66",
    "+proj=poly +lat_0=36 +lon_0=-84 +datum=WGS84",
    "+proj=ortho +lat_0=36 +lon_0=-84 +a=6371000 +b=6371000",
    "+proj=robin +lon_0=-84 +datum=WGS84",
    "+proj=utm +zone=16 +ellps=bessel",
    "+proj=longlat +ellps=bessel",
]
for number, system in enumerate(SYSTEMS):
    # The shift from NAD27 is the mean of the contiguous states: metres away from the grid that PROJ has.
    case(system)(lambda: compare(warped(f"crs-{number}.tif", system, compress="deflate"), inside=0.97))


@case("noise with walls and islands")
def _():
    random = np.random.default_rng(5)
    for number in range(120):
        shape = (int(random.integers(1, 90)), int(random.integers(1, 150)))
        band = random.integers(0, 10, shape).astype("int16")
        band[random.random(shape) < 0.05] = -1
        row, col = (int(random.integers(0, size)) for size in shape)
        band[row, col] = 0
        crs, origin, size = [("EPSG:4326", (10, 50), 0.01), ("EPSG:32633", (500000, 5500000), 10), ("EPSG:3413", (-9e5, 9e5), 500)][number % 3]
        transform = from_origin(*origin, size, size)
        x, y = transform * (col + 0.5, row + 0.5)
        seed = lonlat(CRS.from_user_input(crs)).transform(x, y)
        compare(write(f"noise-{number}.tif", band, transform, crs, nodata=-1), level=float(random.integers(3, 8)), seed=seed)


@case("one cell")
def _():
    return compare(write("one.tif", np.array([[5]], "int16"), from_origin(10, 50, 0.01, 0.01), "EPSG:4326"), level=7.0, seed=(10.005, 49.995))


@case("a grid from 0 to 360 degrees, flooded across the antimeridian, around islands on it")
def _():
    band = np.zeros((180, 360), "int16")
    band[:, :100] = band[:, 300:] = 100
    band[80:100, 170:190] = 100
    band[50:60, 179:180] = 100
    band[30:40, 100:110] = 100
    path = write("pacific.tif", band, from_origin(0, 90, 1, 1), "EPSG:4326")
    note = compare(path, level=10.0, seed=(-170, 0))
    assert note == compare(path, level=10.0, seed=(190, 0))
    return note


def polar(path, seed):
    """Cells near a pole are too curved for the cylindrical projection: areas are compared with geodesic polygons."""
    ended, out = program(path, 10.0, seed)
    assert ended.returncode == 0, ended.stderr
    summary = json.loads((out / "summary.json").read_text())
    with rasterio.open(path) as data:
        wet = data.read(1) == 0
        assert summary["cells"] == wet.sum()
        crs = CRS.from_user_input(data.crs.to_wkt())
        geometry = check_extent(out, wet, data.transform, crs, 0.999)
    ellipsoid = crs.geodetic_crs.ellipsoid
    geod = Geod(a=ellipsoid.semi_major_metre, b=ellipsoid.semi_minor_metre)
    area = abs(geod.geometry_area_perimeter(shapely.segmentize(geometry, 0.05))[0])
    same("area", summary["areaKm2"], area / 1e6, 2e-3)
    return f"{path.stem} {summary['areaKm2']} km²"


@case("polar seas: a cap with its pole, and an ocean around a continent, in both hemispheres")
def _():
    notes = []
    for system, pole in (("EPSG:3413", 90), ("EPSG:3031", -90), ("EPSG:3995", 90), ("EPSG:3571", 90), ("EPSG:3408", 90)):
        size = 101
        y, x = np.mgrid[0:size, 0:size] - size // 2
        distance = np.hypot(x, y)
        sea = np.where(distance < 45, 0, 500).astype("int16")
        continent = np.where(distance < 20, 300, sea).astype("int16")
        transform = Affine.translation(-50.25 * 40000, 50.7 * 40000) @ Affine.scale(40000, -40000)
        for name, band, row in (("cap", sea, size // 2), ("ocean", continent, size // 2 + 30)):
            x, y = transform * (size // 2 + 0.5, row + 0.5)
            seed = lonlat(CRS.from_user_input(system)).transform(x, y)
            path = write(f"{name}-{system[5:]}.tif", band, transform, system)
            notes.append(polar(path, seed))
    return "; ".join(notes)


case("a seed above the level floods nothing")(lambda: compare(SHIPPED, level=235.0))
case("a seed beside the model")(lambda: refused(SHIPPED, LEVEL, (10, 50), "outside the elevation model", "-84.41375"))


@case("a seed without data")
def _():
    return refused(write("hole.tif", np.where(BAND == 236, -1, BAND), TRANSFORM, WGS84, nodata=-1), LEVEL, SEED, "no data at the seed")


@case("no coordinate reference system")
def _():
    return refused(write("no-crs.tif", BAND, TRANSFORM, None), LEVEL, SEED, "coordinate reference system", "gdal_edit")


@case("no georeference")
def _():
    return refused(write("no-grid.tif", BAND, None, WGS84), LEVEL, SEED, "georeference")


@case("three bands")
def _():
    path = FOLDER / "bands.tif"
    with rasterio.open(path, "w", driver="GTiff", width=403, height=344, count=3, dtype="uint8", crs=WGS84, transform=TRANSFORM) as data:
        data.write(np.zeros((3, 344, 403), "uint8"))
    return refused(path, LEVEL, SEED, "3 bands", "-b 1")


@case("not a TIFF, an empty file, a truncated one, and a lying one")
def _():
    for name, content in (("text", b"hello"), ("empty", b""), ("cut", SHIPPED.read_bytes()[:60000]), ("head", b"II*\0\x08\0\0\0\xff\xff")):
        path = FOLDER / f"{name}.tif"
        path.write_bytes(content)
        refused(path, LEVEL, SEED, "GeoTIFF")


@case("unsupported projections")
def _():
    refused(warped("mill.tif", "+proj=mill +lon_0=-84 +datum=WGS84"), LEVEL, SEED, "method 20", "gdalwarp")
    return refused(warped("vandg.tif", "+proj=vandg +lon_0=-84 +datum=WGS84"), LEVEL, SEED, "gdalwarp")


@case("an unsupported compression")
def _():
    return refused(write("lerc.tif", BAND.astype("float32"), TRANSFORM, WGS84, compress="lerc"), LEVEL, SEED, "COMPRESS")


print(f"{count - failures} of {count} cases agree")
sys.exit(1 if failures else 0)
