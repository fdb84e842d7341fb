"""The concepts of drawn scenes: a table of their words, places and colours."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Concept:
    """One thing or one kind of stuff in a scene.

    Args:
        name: its word in class lists.
        synonyms: its other words in captions.
        place: ``"above"`` or ``"below"`` the horizon for stuff; ``"air"``, ``"ground"`` or ``"water"`` for things.
        colour: RGB in 0..255 in label maps.
    """

    name: str
    synonyms: tuple[str, ...]
    place: str
    colour: tuple[int, int, int]

    @property
    def is_stuff(self) -> bool:
        """Whether it is stuff, which fills a region, and not a thing."""
        return self.place in ("above", "below")

    @property
    def words(self) -> tuple[str, ...]:
        """The name and its synonyms."""
        return (self.name, *self.synonyms)


# The first edition. The position of a concept is its label in every drawn scene.
CONCEPTS: tuple[Concept, ...] = (
    Concept("sky", ("heaven",), "above", (120, 180, 235)),
    Concept("wall", ("brick wall", "bricks"), "above", (165, 75, 60)),
    Concept("mountain", ("hill", "peak"), "above", (120, 110, 130)),
    Concept("grass", ("meadow", "lawn"), "below", (70, 160, 60)),
    Concept("sand", ("beach", "desert"), "below", (230, 205, 140)),
    Concept("sea", ("water", "ocean"), "below", (30, 95, 170)),
    Concept("snow", ("snowfield",), "below", (215, 225, 245)),
    Concept("road", ("street", "asphalt"), "below", (95, 95, 100)),
    Concept("cloud", ("clouds",), "air", (185, 195, 210)),
    Concept("sun", ("sunshine",), "air", (255, 200, 0)),
    Concept("moon", ("crescent",), "air", (240, 240, 180)),
    Concept("star", ("stars",), "air", (255, 245, 120)),
    Concept("balloon", ("hot air balloon",), "air", (220, 40, 110)),
    Concept("kite", ("paper kite",), "air", (150, 60, 200)),
    Concept("bird", ("gull",), "air", (40, 40, 60)),
    Concept("tree", ("oak", "leafy tree"), "ground", (25, 100, 40)),
    Concept("pine", ("fir", "conifer"), "ground", (10, 70, 60)),
    Concept("house", ("home", "cottage"), "ground", (225, 120, 60)),
    Concept("tower", ("castle tower",), "ground", (150, 140, 120)),
    Concept("fence", ("picket fence",), "ground", (190, 140, 90)),
    Concept("car", ("automobile",), "ground", (200, 30, 40)),
    Concept("ball", ("beach ball",), "ground", (255, 110, 180)),
    Concept("mushroom", ("toadstool",), "ground", (170, 20, 70)),
    Concept("cactus", ("cacti",), "ground", (90, 140, 30)),
    Concept("flower", ("blossom", "daisy"), "ground", (250, 160, 220)),
    Concept("rock", ("stone", "boulder"), "ground", (110, 105, 95)),
    Concept("umbrella", ("parasol",), "ground", (60, 200, 200)),
    Concept("flag", ("banner",), "ground", (0, 60, 130)),
    Concept("boat", ("sailing ship", "sailboat"), "water", (140, 80, 30)),
    Concept("fish", ("fishes",), "water", (255, 140, 0)),
)

# The second edition knows these as well. Their labels follow those of the first edition.
MORE_CONCEPTS: tuple[Concept, ...] = (
    Concept("soil", ("ploughed field", "earth"), "below", (100, 60, 35)),
    Concept("floor", ("tiled floor", "tiles"), "below", (205, 180, 195)),
    Concept("aeroplane", ("airplane", "aircraft"), "air", (90, 130, 255)),
    Concept("rocket", ("spaceship",), "air", (255, 70, 0)),
    Concept("butterfly", ("moth",), "air", (200, 100, 255)),
    Concept("tent", ("marquee",), "ground", (0, 150, 130)),
    Concept("windmill", ("mill",), "ground", (245, 225, 190)),
    Concept("barrel", ("cask", "keg"), "ground", (120, 70, 0)),
    Concept("sheep", ("lamb",), "ground", (225, 240, 225)),
    Concept("pumpkin", ("gourd",), "ground", (235, 115, 20)),
    Concept("train", ("locomotive", "steam engine"), "ground", (70, 0, 90)),
    Concept("gift", ("present", "parcel"), "ground", (255, 0, 160)),
    Concept("robot", ("android",), "ground", (130, 160, 175)),
    Concept("duck", ("duckling",), "water", (255, 225, 30)),
)

ALL_CONCEPTS: tuple[Concept, ...] = CONCEPTS + MORE_CONCEPTS

# The editions of the drawn scenes, by the name that settings use.
EDITIONS: dict[str, tuple[Concept, ...]] = {"first": CONCEPTS, "all": ALL_CONCEPTS}

CONCEPT_INDEX: dict[str, int] = {concept.name: index for index, concept in enumerate(ALL_CONCEPTS)}
