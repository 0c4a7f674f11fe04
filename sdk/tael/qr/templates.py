"""Templates: data objects whose value is again data objects, one level deep.

Source: EMVCo QRCPS Merchant-Presented Mode, Tables 3.6 and 3.9.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tael.errors import MalformedCodeError
from tael.qr.formats import GUID_RULE, check_value
from tael.qr.model import Template
from tael.qr.tlv import DataObject, join, split

if TYPE_CHECKING:
    from tael.qr.findings import Findings

__all__ = ["assemble_template", "read_template", "try_split"]


def try_split(item: DataObject) -> tuple[DataObject, ...] | None:
    """The objects inside, or None where the value is not made of objects."""
    try:
        return split(item.value, item.id)
    except MalformedCodeError:
        return None


def read_template(
    template_id: str, path: str, inner: tuple[DataObject, ...], findings: Findings
) -> Template:
    """Judge the objects of a template and keep them as one value.

    Args:
        template_id: The object that holds them.
        path: The same for messages, dotted when nested.
        inner: The objects inside.
        findings: Takes a missing identifier as a defect.

    Returns:
        The template.

    Raises:
        MalformedCodeError: The identifier is longer than 32 characters.
        NonConformingCodeError: A defect, when strict.
    """
    guid = next((item.value for item in inner if item.id == "00"), None)
    if guid is None:
        findings.defect("guid_missing", path, "The identifier 00 is missing inside")
    else:
        check_value(f"{path}.00", guid, GUID_RULE, findings)
    return Template(template_id, guid, tuple(item for item in inner if item.id != "00"))


def assemble_template(item: DataObject | Template) -> DataObject:
    """Turn a template back into the object that holds it; other objects stay as they are."""
    if isinstance(item, DataObject):
        return item
    guid = [] if item.guid is None else [DataObject("00", item.guid)]
    return DataObject(item.id, join([*guid, *item.values]))
