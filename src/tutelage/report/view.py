"""The layer atlas written down: results, pictures and a page, in the run's folder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tutelage.files import write_json, write_text
from tutelage.report.page import page
from tutelage.report.thumbnails import Pictures, pictured, write_pictures
from tutelage.report.view_charts import along_depth
from tutelage.run import Run
from tutelage.viewing import Atlas


def tell_atlas(atlas: Atlas, run: Run) -> dict[str, Any]:
    """Write ``results.json``, ``pictures.json`` and ``report.html``; what ``view --json`` prints."""
    seconds = {"total": round(sum(run.seconds.values()), 4), **{k: round(v, 4) for k, v in run.seconds.items()}}  # fmt: skip
    told = {"schema": 1, "run": str(run.folder), **atlas.told, "seconds": seconds}
    write_json(run.folder / "results.json", told)
    pictures = {name: pictured(data) for name, data in atlas.pictures.items()}
    write_pictures(run.folder, pictures)
    write_text(run.folder / "report.html", render(told, pictures))
    run.log({"done": True})
    return told


def render(told: Mapping[str, Any], pictures: Pictures) -> str:
    """The page as HTML; the same results and pictures always give the same page."""
    return page("view.html.jinja", f"What the layers of {told['teacher']} see", view=told, pictures=pictures, drawn={"atlas": along_depth(told)})  # fmt: skip
