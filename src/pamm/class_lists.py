"""Names and colours of the classes of the standard tasks."""

import math

Colour = tuple[int, int, int]


def hue_wheel(count: int) -> tuple[Colour, ...]:
    """Distinct colours: hues a golden angle apart at three levels of lightness."""
    colours = []
    for index in range(count):
        hue, level = index * 0.618034 % 1.0, (1.0, 0.72, 0.5)[index % 3]
        colours.append(
            tuple(
                round(255 * level * (0.55 + 0.45 * math.cos(2 * math.pi * (hue + shift))))
                for shift in (0, 1 / 3, 2 / 3)
            )
        )
    return tuple((r, g, b) for r, g, b in colours)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.replace("_", " ") for name in text.split())


NYUD_CLASSES = _names(
    "wall floor cabinet bed chair sofa table door window bookshelf picture counter blinds desk shelves curtain dresser "
    "pillow mirror floor_mat clothes ceiling books refridgerator television paper towel shower_curtain box whiteboard "
    "person night_stand toilet sink lamp bathtub bag otherstructure otherfurniture otherprop"
)
PASCAL_CLASSES = _names(
    "background aeroplane bicycle bird boat bottle bus car cat chair cow diningtable dog horse motorbike person "
    "pottedplant sheep sofa train tvmonitor"
)
PASCAL_COLOURS: tuple[Colour, ...] = ((24, 24, 32), *hue_wheel(20))
PART_CLASSES = _names("background head torso upper_arm lower_arm upper_leg lower_leg")
PART_COLOURS: tuple[Colour, ...] = (
    (24, 24, 32),
    (240, 196, 60),
    (214, 72, 72),
    (86, 160, 222),
    (52, 96, 190),
    (110, 196, 112),
    (46, 128, 72),
)
