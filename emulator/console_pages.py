"""The console's pages, as HTML that needs no script: each state and each K is a link."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from html import escape
from typing import Any
from urllib.parse import quote, urlencode

from emulator.diagram import Mark, diagram
from emulator.history import Event, Status, Step, details_of, overall, read_steps

POLICY = (
    "default-src 'none'; img-src data:; style-src 'self'; script-src 'self'; connect-src 'self'"
)
STATUSES = ("RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED")
STYLES = {status: status.lower().replace(" ", "-") for status in Status}
NUMBERS = ("K", "Silhouette", "Error", "Seconds")
OUTCOMES = {
    "RUNNING": Status.RUNNING,
    "SUCCEEDED": Status.SUCCEEDED,
    "ABORTED": Status.CANCELED,
}
"""How an execution's status looks; the others have failed."""


def page(title: str, main: str) -> str:
    """Return a whole page."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title>"
        '<link rel="stylesheet" href="/console.css"><link rel="icon" href="data:,">'
        f'<script src="/console.js" defer></script></head><body><main>{main}</main></body></html>'
    )


def message(text: str) -> str:
    """Return the page that says why there is no other."""
    return page("Executions", f'<h1>{escape(text)}</h1><p><a href="/">Executions</a></p>')


# The list


def listing(
    machines: Sequence[str],
    machine: str,
    status: str,
    executions: Iterable[Mapping[str, Any]],
    following: str | None,
) -> str:
    """Return the page that lists executions, each by its image."""
    rows = "".join(map(_listed, executions))
    table = _with_heads(rows, "Image", "K", "Status", "Started", "Seconds")
    more = {"machine": machine, "status": status, "after": following}
    return page(
        "Executions",
        "<h1>Executions</h1>"
        + _choices("Machine", [(name, {"machine": name}, name == machine) for name in machines])
        + _choices(
            "Status",
            [("all", {"machine": machine}, not status)]
            + [(s.lower(), {"machine": machine, "status": s}, s == status) for s in STATUSES],
        )
        + (_scrolled("Executions", table) if rows else "<p>None yet.</p>")
        + (f'<p><a href="/?{escape(urlencode(more))}">Older ones</a></p>' if following else ""),
    )


def _choices(label: str, choices: Iterable[tuple[str, Mapping[str, str], bool]]) -> str:
    links = "".join(
        f'<a href="/?{escape(urlencode(query))}"{current}>{escape(name.replace("_", " "))}</a>'
        for name, query, is_current in choices
        for current in (' aria-current="page"' if is_current else "",)
    )
    return f'<nav aria-label="{label}"><span>{label}</span>{links}</nav>'


def _listed(execution: Mapping[str, Any]) -> str:
    link = f'<a href="/executions/{quote(execution["executionArn"], safe=":")}">'
    cells = (
        f'<th scope="row">{link}{escape(image(execution))}</a></th>',
        f'<td class="number">{chosen(execution) or ""}</td>',
        f"<td>{_outcome(execution)} {escape(execution.get('error') or '')}</td>",
        f'<td class="when">{_moment(execution["startDate"])}</td>',
        f'<td class="number">{_seconds(execution["startDate"], execution.get("stopDate"))}</td>',
    )
    return f"<tr>{''.join(cells)}</tr>"


def image(execution: Mapping[str, Any]) -> str:
    """Return the key of the image that an execution is about, or else its input."""
    match json.loads(execution["input"]):
        case {"detail": {"object": {"key": str(key)}}} | {"sampled": {"source": {"key": str(key)}}}:
            return key
        case {"again": {"source": {"key": str(key)}}}:
            return key
    return str(execution["input"])


def chosen(execution: Mapping[str, Any]) -> int | None:
    """Return the K that an execution chose, once it is known."""
    match json.loads(execution.get("output") or "null"):
        case {"k": int(k)}:
            return k
    return None


def _outcome(execution: Mapping[str, Any]) -> str:
    status = execution["status"]
    return _badge(OUTCOMES.get(status, Status.FAILED), status.replace("_", " ").capitalize())


def _badge(status: Status, text: str = "") -> str:
    return f'<span class="status {STYLES[status]}">{text or status}</span>'


# An execution


def execution(
    described: Mapping[str, Any],
    machine: dict[str, Any],
    events: Sequence[Event],
    state: str,
    event: int,
    endpoint: str,
) -> str:
    """Return the page of an execution.

    Parameters
    ----------
    described : mapping
        What DescribeExecution says.
    machine : dict
        Its machine, in Amazon States Language.
    events : sequence of Event
        Its history.
    state : str
        Name of the state to show; empty for none.
    event : int
        Id of the event that the run of a state to show begins with; 0 for none.
    endpoint : str
        Of S3, where the result's files are.

    """
    steps = read_steps(events)
    shown = [step for step in steps if step.event == event or (not event and step.name == state)]
    state = shown[0].name if shown else state
    key = image(described)
    return page(
        f"{key}: {described['status'].lower()}",
        f'<nav aria-label="Path"><a href="/">Executions</a></nav><h1>{escape(key)}</h1>'
        + _summary(described, endpoint)
        + '<div class="views"><section aria-label="State machine"><h2>State machine</h2>'
        + _scrolled("Graph", diagram(machine, mark=lambda name: _mark(name, steps, state)))
        + "</section>"
        + _panel(described, machine, steps, shown, state)
        + "</div><h2>Steps</h2>"
        + _scrolled("Steps", _table(steps, shown, chosen(described), described)),
    )


def _summary(described: Mapping[str, Any], endpoint: str) -> str:
    facts = {
        "Status": _outcome(described),
        "K": str(chosen(described) or ""),
        "Seconds": _seconds(described["startDate"], described.get("stopDate")),
        "Started": _moment(described["startDate"]),
        "Files": " ".join(_files(json.loads(described.get("output") or "null"), endpoint)),
        "Execution": f"<code>{escape(described['executionArn'])}</code>",
    }
    if described["status"] not in OUTCOMES:
        cause = _parsed(described.get("cause", ""))
        said = cause.get("errorMessage", cause) if isinstance(cause, dict) else cause
        facts["Error"] = escape(f"{described.get('error', '')}: {said}")
    rows = "".join(f"<div><dt>{n}</dt><dd>{text}</dd></div>" for n, text in facts.items() if text)
    return f'<dl class="facts" data-status="{described["status"]}">{rows}</dl>'


def _files(output: object, endpoint: str) -> Iterable[str]:
    """Yield links to what the execution wrote."""
    if not isinstance(output, dict):
        return
    for name, file in output.items():
        match file:
            case {"bucket": str(bucket), "key": str(key)}:
                yield f'<a href="{endpoint}/{bucket}/{quote(key)}">{escape(name)}</a>'


def _mark(name: str, steps: Iterable[Step], state: str) -> Mark:
    runs = [step for step in steps if step.name == name]
    status = overall(runs)
    times = f" ({len(runs)})" if len(runs) > 1 else ""
    style = STYLES[status] + (" current" if name == state else "")
    return Mark(style, f"{status}{times}", f"?{urlencode({'state': name})}")


def _panel(
    described: Mapping[str, Any],
    machine: Mapping[str, Any],
    steps: Sequence[Step],
    shown: Sequence[Step],
    state: str,
) -> str:
    """Show the run of a state, or the execution where none is asked for."""
    parts = [f"<h2>{escape(state or 'Execution')}</h2>"]
    if not state:
        parts.append(_json("Input", json.loads(described["input"])))
        parts.append(_json("Output", json.loads(described.get("output") or "null")))
        parts.append("<p>Choose a state, or one of the steps below.</p>")
    elif len(shown) == 1:
        (step,) = shown
        parts.append(f"<p>{_badge(step.status)} {_attempts(step)}</p>")
        parts += [
            f'<p><a href="/express/{quote(arn, safe=":")}">The Express execution</a></p>'
            for arn in express_executions(step)
        ]
        if step.error:
            parts.append(_json("Error", {"error": step.error, "cause": _parsed(step.cause)}))
        parts.append(_json("Input", step.input))
        parts.append(_json("Output", step.output))
        parts += [_json(f"{e['id']} {e['type']}", details_of(e)) for e in step.events]
    else:
        runs = ", ".join(map(_link, sorted(shown, key=lambda step: step.index or 0)))
        parts.append(f"<p>{runs or 'Not entered.'}</p>")
    if state:
        parts.append(_json("Definition", _definition(machine, state)))
    return f'<section aria-label="{escape(state or "Execution")}">{"".join(parts)}</section>'


def express_executions(step: Step) -> Iterable[str]:
    """Yield the ARNs of the Express executions that a step has called."""
    for event in step.events:
        details = details_of(event)
        if event["type"] == "TaskSucceeded" and details.get("resource") == "startSyncExecution":
            yield json.loads(details["output"])["ExecutionArn"]


def _parsed(cause: str) -> Any:
    """Return what a function's failure says in JSON, or a text that is none."""
    try:
        return json.loads(cause)
    except ValueError:
        return cause


def _definition(machine: Mapping[str, Any], name: str) -> Any:
    for own_name, state in machine["States"].items():
        if own_name == name:
            return state
        if found := _definition(state.get("ItemProcessor", {"States": {}}), name):
            return found
    return None


def _json(title: str, value: object) -> str:
    """Show a value, opened if it is the first that one looks for."""
    text = escape(json.dumps(value, indent=2, ensure_ascii=False, default=str))
    opened = " open" if title in ("Error", "Input", "Output") else ""
    name = escape(title)
    return (
        f'<details id="{name.split()[0].lower()}"{opened}><summary>{name}</summary>'
        f'<pre tabindex="0">{text}</pre></details>'
    )


# Its steps


def _table(
    steps: Sequence[Step], shown: Sequence[Step], k: int | None, described: Mapping[str, Any]
) -> str:
    start: datetime = described["startDate"]
    end = max((step.exited or step.entered for step in steps), default=start)
    total = max((end - start).total_seconds(), 0.001)
    # Iterations by their index, though they were entered as there was room.
    first = {step.name: step.event for step in reversed(steps) if step.index is not None}
    inner = min(first.values(), default=0)
    ordered = sorted(
        steps,
        key=lambda s: (s.event, 0, 0) if s.index is None else (inner, s.index, s.event),
    )
    rows = "".join(_row(step, step in shown, k, start, total) for step in ordered)
    heads = ("State", "Status", "Silhouette", "Error", "Seconds", "Time", "Palette")
    return _with_heads(rows, *heads)


def _row(step: Step, current: bool, chosen_k: int | None, start: datetime, total: float) -> str:
    k, score = of_k(step)
    star = ' <abbr title="chosen">★</abbr>' if k is not None and k == chosen_k else ""
    began = (step.entered - start).total_seconds() / total * 100
    took = ((step.exited or step.entered) - step.entered).total_seconds() / total * 100
    colors = score.get("palette") or []
    swatches = "".join(
        f'<rect x="{i}" width="1" height="1" fill="{escape(c)}"/>' for i, c in enumerate(colors)
    )
    inner = "" if step.index is None else ' class="inner"'
    cells = (
        f'<th scope="row"{inner}>{_link(step)}{star}</th>',
        f"<td>{_badge(step.status)} {_attempts(step)} {escape(step.error)}</td>",
        *(f'<td class="number">{_rounded(score.get(of))}</td>' for of in ("silhouette", "error")),
        f'<td class="number">{_seconds(step.entered, step.exited)}</td>',
        f'<td><svg class="bar" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect class="{STYLES[step.status]}" x="{began:.2f}" width="{max(took, 0.7):.2f}"'
        ' height="8"/></svg></td>',
        f'<td><svg class="palette" viewBox="0 0 {len(colors) or 1} 1" preserveAspectRatio="none"'
        f' aria-hidden="true">{swatches}</svg></td>',
    )
    return f"<tr{' class=current' if current else ''}>{''.join(cells)}</tr>"


def of_k(step: Step) -> tuple[int | None, Mapping[str, Any]]:
    """Return the K that a step in a Map is about, and its score so far."""
    k = step.input.get("k") if step.index is not None and isinstance(step.input, dict) else None
    return k, step.output if k is not None and isinstance(step.output, dict) else {}


def _link(step: Step) -> str:
    k, _ = of_k(step)
    which = f"&nbsp;{k}" if k is not None else ""
    return f'<a href="?step={step.event}">{escape(step.name)}{which}</a>'


def _attempts(step: Step) -> str:
    return f"{step.attempts} attempts" if step.attempts > 1 else ""


def _rounded(value: object) -> str:
    return f"{value:.4f}" if isinstance(value, int | float) else ""


def _moment(moment: datetime) -> str:
    here = moment.astimezone()
    return f'<time datetime="{here.isoformat()}">{here:%Y-%m-%d %H:%M:%S}</time>'


def _seconds(start: datetime, end: datetime | None) -> str:
    return f"{(end - start).total_seconds():.2f}" if end else ""


def _with_heads(rows: str, *heads: str) -> str:
    cells = "".join(
        f'<th scope="col"{number}>{head}</th>'
        for head in heads
        for number in (' class="number"' if head in NUMBERS else "",)
    )
    return f"<table><thead><tr>{cells}</tr></thead><tbody>{rows}</tbody></table>"


def _scrolled(label: str, content: str) -> str:
    return f'<div class="scrolled" role="region" aria-label="{label}" tabindex="0">{content}</div>'
