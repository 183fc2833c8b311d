"""Identity marks: what tells two vehicles of one model and colour apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vreid_common.synthetic.charts import RGB

__all__ = ["RIM_STYLES", "Decal", "Marks", "sample_marks"]

RIM_STYLES = 6
DECAL_KINDS = ("text", "stripe", "patch", "disc", "checker")
_BRIGHT: tuple[RGB, ...] = (
    (235, 235, 230), (200, 30, 35), (30, 70, 180), (240, 190, 30), (25, 25, 28), (35, 140, 70), (230, 110, 25), (110, 50, 130),
)  # fmt: skip
_PLATES: tuple[RGB, ...] = ((235, 235, 230), (30, 70, 170), (235, 195, 40), (40, 130, 70))
_LETTERS = "ABCDEFGHJKLMNPRSTUVWXYZ0123456789"

# Zone of the body → (weight, decals that fit there). Bonnet, roof and windows are seen from several sides, doors from one.
_ZONES: dict[str, tuple[float, tuple[str, ...]]] = {
    "doors": (3.0, DECAL_KINDS),
    "sill": (1.5, ("stripe", "checker")),
    "bonnet": (1.5, ("stripe", "patch", "disc")),
    "roof": (1.5, ("stripe", "text", "patch")),
    "windscreen": (1.2, ("patch", "stripe", "text")),
    "rear_window": (1.2, ("patch", "disc", "text")),
    "tail": (1.5, ("text", "patch", "disc")),
    "nose": (1.0, ("patch", "disc", "stripe")),
}


@dataclass(frozen=True)
class Decal:
    """A sticker or painted sign. ``x`` and ``y`` place it in its zone and ``size`` scales it, all in 0..1."""

    zone: str
    kind: str
    rgb: RGB
    accent: RGB
    text: str
    x: float
    y: float
    size: float


@dataclass(frozen=True)
class Marks:
    """Everything individual about one vehicle.

    Attributes:
        rims, rim_rgb: wheel style (0 .. RIM_STYLES - 1) and colour.
        trim: bumpers, sills and door strips: "body" colour, "black" plastic or "chrome".
        roof: what is on the roof: "plain", "rack", "sunroof" or "box".
        roof_rgb: colour of a roof painted apart, or None.
        tint: darkness of the rear side windows, 0 clear .. 1 black.
        plate, plate_blocks: colour of the number plate and which of its seven places are dark (it has no readable letters).
        spoiler, spare_wheel: fitted at the rear (cars; the spare wheel on upright tails).
        dirt, dirt_seed: see :class:`~vreid_common.synthetic.shading.Wear`.
        dents: places of dents as (chart 0 left, 1 right, 2 front, 3 rear; along 0..1; up 0..1; radius m; depth).
    """

    rims: int
    rim_rgb: RGB
    trim: str
    roof: str
    roof_rgb: RGB | None
    tint: float
    plate: RGB
    plate_blocks: tuple[bool, ...]
    spoiler: bool
    spare_wheel: bool
    decals: tuple[Decal, ...]
    dirt: float
    dirt_seed: int
    dents: tuple[tuple[int, float, float, float, float], ...]


def sample_marks(rng: np.random.Generator) -> Marks:
    """Draws the marks of one vehicle."""
    shade = int(rng.integers(90, 215))
    return Marks(
        rims=int(rng.integers(RIM_STYLES)),
        rim_rgb=(shade, shade, shade + 4) if rng.random() < 0.75 else (45, 45, 48),
        trim=str(rng.choice(["body", "black", "chrome"], p=[0.5, 0.3, 0.2])),
        roof=str(rng.choice(["plain", "rack", "sunroof", "box"], p=[0.50, 0.22, 0.20, 0.08])),
        roof_rgb=((24, 24, 26) if rng.random() < 0.6 else (232, 232, 228)) if rng.random() < 0.25 else None,
        tint=float(rng.uniform()),
        plate=_PLATES[int(rng.choice(len(_PLATES), p=[0.4, 0.3, 0.2, 0.1]))],
        plate_blocks=tuple(bool(b) for b in rng.random(7) < 0.6),
        spoiler=bool(rng.random() < 0.15),
        spare_wheel=bool(rng.random() < 0.25),
        decals=tuple(_sample_decal(rng) for _ in range(min(1 + int(rng.poisson(2.0)), 6))),
        dirt=float(rng.beta(1.2, 2.4)),
        dirt_seed=int(rng.integers(1 << 30)),
        dents=tuple(
            (int(rng.integers(4)), *(float(v) for v in rng.uniform([0.15, 0.2, 0.18, 0.4], [0.85, 0.8, 0.40, 1.0])))
            for _ in range(int(rng.integers(3)))
        ),
    )


def _sample_decal(rng: np.random.Generator) -> Decal:
    weights = np.array([weight for weight, _ in _ZONES.values()])
    zone = list(_ZONES)[int(rng.choice(len(_ZONES), p=weights / weights.sum()))]
    kinds = _ZONES[zone][1]
    first, second = rng.choice(len(_BRIGHT), size=2, replace=False)
    return Decal(
        zone=zone,
        kind=kinds[int(rng.integers(len(kinds)))],
        rgb=_BRIGHT[first],
        accent=_BRIGHT[second],
        text="".join(_LETTERS[int(i)] for i in rng.integers(len(_LETTERS), size=int(rng.integers(2, 6)))),
        x=float(rng.uniform()),
        y=float(rng.uniform()),
        size=float(rng.uniform(0.6, 1.0)),
    )
