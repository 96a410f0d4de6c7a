"""Placeholder until admission's own report is merged."""


def fits_lines(room):
    return []


def fits_json(room):
    return {"fit": room.fit, "of": room.of}
