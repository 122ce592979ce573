"""The questionnaires of the library."""

from __future__ import annotations

from api.deps import json_router
from api.v1.schemas.instruments import InstrumentOut
from instruments import catalogue

router = json_router(tags=["instruments"])


@router.get("/instruments")
def list_instruments() -> list[InstrumentOut]:
    """Codes, names, items with short labels of our own, options, licence, cut-off."""
    return [InstrumentOut.of(instrument) for instrument in catalogue()]
