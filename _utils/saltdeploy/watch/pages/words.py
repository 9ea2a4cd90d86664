"""What pictures, pages and texts say alike of a deploy that is shown."""

from __future__ import annotations

from typing import Any

from saltdeploy.watch.text import clean, count, moment, outcome


def heading(view: dict[str, Any]) -> str:
    """What the picture is of."""
    what = " ".join(clean(view.get(key), 200) for key in ("repo", "action", "tag"))
    word = clean(view.get("outcome"), 32)
    end = outcome(word, count(view.get("ok")), count(view.get("total"))) if word else "not ended"
    return f"{what}: {end}"


def failed(spans: list[dict[str, Any]]) -> bool:
    """Whether a host has failed a stage."""
    return any(span.get("status") not in (0, None) for span in spans)


def told(name: str, span: dict[str, Any]) -> str:
    """What a bar says to who points at it."""
    begin, end = moment(span.get("begin")) or 0.0, moment(span.get("end"))
    stage = clean(span.get("stage"), 32)
    if end is None:
        return f"{name}: {stage}: no answer"
    took = f"{name}: {stage}: {end - begin:.1f} s"
    cause = clean(span.get("cause"), 1000)
    return f"{took}, failed: {cause}" if cause else took


def said(marker: dict[str, Any]) -> str:
    """What a question, a pause, an abort or a resume was about, and what became of it."""
    text = f"{clean(marker.get('kind'), 32)}: {clean(marker.get('text'), 2000)}"
    answer, user = clean(marker.get("answer"), 64), clean(marker.get("user"), 64)
    if answer:
        return f"{text} - {user or 'nobody in time, so the default'}: {answer}"
    return f"{text} (by {user})" if user else text
