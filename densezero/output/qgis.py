"""Style files of QGIS, which reads NAME.qml beside NAME.tif or NAME.geojson by itself: class names and colours."""

from __future__ import annotations

from typing import Final
from xml.sax.saxutils import quoteattr

from densezero.vocabulary.classes import ClassList

_HEAD: Final = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
_OPACITY: Final = 0.6  # of polygons, so that the image below can be seen


def encode_raster_style(classes: ClassList) -> bytes:
    """Encode the style of a GeoTIFF of class indices: a line with name and colour for each class.

    Args:
        classes: the C classes.

    Returns:
        UTF-8 XML.
    """
    entries = "".join(
        f'    <paletteEntry value="{index}" color="{_hex(classes, index)}" alpha="255" label={quoteattr(name)}/>\n'
        for index, name in enumerate(classes.names)
    )
    return (
        f'{_HEAD}<qgis styleCategories="Symbology">\n <pipe>\n'
        '  <rasterrenderer type="paletted" band="1" opacity="1" alphaBand="-1" nodataColor="">\n'
        f"   <colorPalette>\n{entries}   </colorPalette>\n  </rasterrenderer>\n </pipe>\n</qgis>\n"
    ).encode()


def encode_polygon_style(classes: ClassList) -> bytes:
    """Encode the style of polygons by their property ``class``.

    Args:
        classes: the C classes.

    Returns:
        UTF-8 XML.
    """
    categories = "".join(
        f'   <category symbol="{index}" value={quoteattr(name)} label={quoteattr(name)} render="true"/>\n'
        for index, name in enumerate(classes.names)
    )
    symbols = "".join(_symbol(classes, index) for index in range(len(classes)))
    return (
        f'{_HEAD}<qgis styleCategories="Symbology">\n <renderer-v2 type="categorizedSymbol" attr="class">\n'
        f"  <categories>\n{categories}  </categories>\n  <symbols>\n{symbols}  </symbols>\n"
        " </renderer-v2>\n</qgis>\n"
    ).encode()


def _symbol(classes: ClassList, index: int) -> str:
    """A polygon filled and outlined in its colour. QGIS 3.26 and later read ``Option``, earlier ones ``prop``."""
    colour = ",".join(map(str, (*map(int, classes.colours[index]), 255)))
    values = {"color": colour, "outline_color": colour, "outline_width": "0.26", "style": "solid"}
    options = "".join(f'<Option type="QString" name="{key}" value="{value}"/>' for key, value in values.items())
    old = "".join(f'<prop k="{key}" v="{value}"/>' for key, value in values.items())
    return (
        f'   <symbol type="fill" name="{index}" alpha="{_OPACITY}">\n'
        f'    <layer class="SimpleFill" enabled="1" pass="0"><Option type="Map">{options}</Option>{old}</layer>\n'
        "   </symbol>\n"
    )


def _hex(classes: ClassList, index: int) -> str:
    return "#{:02x}{:02x}{:02x}".format(*map(int, classes.colours[index]))
