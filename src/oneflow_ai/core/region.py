"""A region of a cloud, as part of an address: `us-east-1`."""

from __future__ import annotations

import re

# docs.aws.amazon.com/general/latest/gr/rande.html, 2026-11-26; us-gov-west-1 and eusc-de-east-1 are some too.
_REGION = re.compile(r"[a-z]{2,4}(?:-[a-z]{2,12}){1,3}-[0-9]{1,2}")


def is_region(text: str) -> bool:
    """Whether a text has the form of a region, and so can be nothing but one label of a host's name."""
    return _REGION.fullmatch(text) is not None
