"""Compares a run with the paper: published figures next to the run's, and which findings the run shows.

`published/paper.json` holds the figures of "Distilling System 2 into System 1" (arXiv 2407.06023), each with
how certain it is. This file decides for each finding whether the run shows it, contradicts it or cannot tell.
It uses only the paired comparisons of the leaderboard: a difference without an interval shows nothing.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

from results.analysis.verdicts import known, p_text
from results.paper_figures import (
    Beside,
    Finding,
    Line,
    PaperFigure,
    PaperFinding,
    PaperSystem,
    PaperTask,
    Seen,
    TaskBeside,
    published,
)
from results.schema import MARGIN_POINTS, ClaimName, Comparison, Leaderboard, ScoreRow, Verdict
from results.tables.cells import plain

WORDS: dict[Seen, str] = {"shows": "shows", "contradicts": "contradicts", "cannot_tell": "cannot tell"}
LEGEND = (
    "Only figures that were checked in the paper are shown, with table and page; its findings are described "
    "in words."
)
COLUMNS = 100


def beside(leaderboard: Leaderboard) -> Beside:
    """Compare the paper's rows with those of a run.

    Tasks that the paper does not have are left out.
    """
    paper = published()
    tasks: list[TaskBeside] = []
    findings: list[Finding] = []
    for task in dict.fromkeys(row["task"] for row in leaderboard["rows"]):
        name = _paper_task(task, paper["tasks"])
        if name is None:
            continue
        entry = paper["tasks"][name]
        metrics = _metric_names(task, entry, leaderboard)
        # Rows with votes of many samples are only compared with a run that took such votes.
        ours = {row["variant"] for row in leaderboard["rows"] if row["task"] == task}
        rows = [
            _line(system, metric, metrics.get(metric), task, leaderboard, entry["method"])
            for system in entry["rows"]
            if not system.get("wording") and (system.get("votes", 1) == 1 or system["variant"] in ours)
            for metric in system["metrics"]
        ]
        tasks.append(
            {
                "task": task,
                "paper_task": name,
                "title": entry["title"],
                "stand_in": task != name,
                "rows": rows,
            }
        )
        findings += [
            _finding(finding, task, entry, metrics, leaderboard)
            for finding in paper["findings"]
            if finding["task"] == name
        ]
    return {"source": paper["source"], "certainty": paper["certainty"], "tasks": tasks, "findings": findings}


def render(laid: Beside) -> str:
    """The result of `beside` as text for a terminal of 100 columns."""
    from tabulate import tabulate

    source = laid["source"]
    lines = [
        f"{source['title']} ({source['year']}, arXiv {source['arxiv']}, {source['model']}) beside this run",
        "",
    ]
    if not laid["tasks"]:
        return "\n".join([*lines, "The run has none of the paper's tasks."])
    for task in laid["tasks"]:
        table = [
            [
                row["system"] + (f", {row['votes']} votes" if row["votes"] > 1 else ""),
                row["metric"],
                cited(row["paper_score"]),
                _number(row["run_score"], row["run_interval"]),
                cited(row["paper_tokens"]),
                _number(row["run_tokens"]),
            ]
            for row in task["rows"]
            if row["model"] is None and is_cited(row)
        ]
        if not table and not task["stand_in"]:
            continue
        headers = ["system", "metric", "paper, %", "run, %", "paper,\ntokens", "run,\ntokens"]
        stand_in = f" (the paper used {task['title']})" if task["stand_in"] else ""
        lines += [plain(task["task"]) + stand_in, ""]
        if table:
            lines += tabulate(
                table,
                headers,
                disable_numparse=True,
                colalign=["left", "left"] + ["right"] * 4,
                maxcolwidths=[28, 20] + [None] * 4,
            ).splitlines()
            lines.append("")
    lines += [*textwrap.wrap(LEGEND, COLUMNS), "", "Findings of the paper:"]
    for finding in (found for found in laid["findings"] if found["compared"]):
        head = f"  {WORDS[finding['verdict']]:<12} {plain(finding['task'])}: {finding['text']}"
        head += f" (paper: {finding['paper']})" if finding["paper"] else ""
        lines += textwrap.wrap(head, COLUMNS, subsequent_indent=" " * 15)
        lines += textwrap.wrap(finding["why"], COLUMNS, initial_indent=" " * 15, subsequent_indent=" " * 15)
    silent = [found for found in laid["findings"] if not found["compared"]]
    if silent:
        named = " ".join(f"{plain(found['task'])}: {found['text']}" for found in silent)
        text = f"  {WORDS['cannot_tell']:<12} On pairs that this run does not compare: {named}"
        lines += textwrap.wrap(text, COLUMNS, subsequent_indent=" " * 15)
    return "\n".join(lines)


def cited(figure: PaperFigure | None) -> str:
    """A published figure with its table and page; empty if the paper has none, or if it was not checked."""
    if figure is None or "table" not in figure or "page" not in figure:
        return ""
    return f"{figure['value']} (Table {figure['table']}, p. {figure['page']})"


def is_cited(row: Line) -> bool:
    """Whether any of a row's published figures is shown."""
    return bool(cited(row["paper_score"]) or cited(row["paper_tokens"]))


def _paper_task(task: str, tasks: Mapping[str, PaperTask]) -> str | None:
    if task in tasks:
        return task
    return next((name for name, entry in tasks.items() if task in entry["also"]), None)


def _metric_names(task: str, entry: PaperTask, leaderboard: Leaderboard) -> dict[str, str]:
    """Paper metric -> metric of the run. The primary one is the first row's; others go by a part of their
    name."""
    ours = list(dict.fromkeys(row["metric"] for row in leaderboard["rows"] if row["task"] == task))
    names = {entry["primary"]: ours[0]}
    for metric, part in entry["other_metrics"].items():
        found = next((name for name in ours[1:] if part in name), None)
        if found is not None:
            names[metric] = found
    return names


def _line(
    system: PaperSystem,
    metric: str,
    ours: str | None,
    task: str,
    leaderboard: Leaderboard,
    method: str,
) -> Line:
    """`method` is the paper's System 2 on this task."""
    row = _row(leaderboard, task, system["variant"], ours)
    other = _other_method(row, method, task, leaderboard)
    score, ends = (None, []) if row is None else (row["score"], [row["ci_low"], row["ci_high"]])
    return {
        "system": system["system"] + (f" (this run: {other})" if other else ""),
        "variant": system["variant"],
        "model": system.get("model"),
        "votes": system.get("votes", 1),
        "metric": metric,
        "paper_score": system["metrics"][metric],
        "paper_tokens": system["generated_tokens"],
        "run_score": None if score is None else 100 * score,
        "run_interval": [100 * end for end in ends if end is not None],
        "run_tokens": None if row is None else row["generated_tokens"],
    }


def _row(leaderboard: Leaderboard, task: str, variant: str | None, metric: str | None) -> ScoreRow | None:
    """The run's row; None if it has none."""
    of_run = (row for row in leaderboard["rows"] if row["task"] == task)
    return next((row for row in of_run if (row["variant"], row["metric"]) == (variant, metric)), None)


def _other_method(row: ScoreRow | None, method: str, task: str, leaderboard: Leaderboard) -> str | None:
    """The System 2 of the run's row, or its teacher, if it is not the paper's."""
    if row is None:
        return None
    of_teacher = _row(leaderboard, task, row["teacher"], row["metric"]) or row
    used = of_teacher["method"] or method
    asked = row["variant"] == "s2" or row["teacher"] is not None
    return used if asked and used.removesuffix("_paper") != method and used != "direct" else None


def _finding(
    finding: PaperFinding,
    task: str,
    entry: PaperTask,
    metrics: Mapping[str, str],
    leaderboard: Leaderboard,
) -> Finding:
    expects, metric = finding["expects"], finding.get("metric", entry["primary"])
    claims = {
        claim["claim"]: claim
        for claim in leaderboard["comparisons"]
        if (claim["task"], claim["a"], claim["b"]) == (task, finding["a"], finding["b"])
        and (claim["claim"] == "cheaper" or claim["metric"] == metrics.get(metric))
    }
    verdict, why = _decide(expects, claims, finding["a"], finding["b"])
    rows = (_row(leaderboard, task, side, metrics.get(metric)) for side in (finding["a"], finding["b"]))
    other = next(filter(None, (_other_method(row, entry["method"], task, leaderboard) for row in rows)), None)
    if other and claims:
        why += f" System 2 is {other} here, {entry['method']} in the paper."
    sides = [
        next(
            row["generated_tokens"] if expects == "cheaper" else row["metrics"][metric]
            for row in entry["rows"]
            if row["variant"] == side
        )
        for side in (finding["a"], finding["b"])
    ]
    unit = "\N{NO-BREAK SPACE}tokens" if expects == "cheaper" else "\N{NO-BREAK SPACE}%"
    told = [cited(side) for side in sides]
    paper = f"{told[0]} to {told[1]}{unit}" if all(told) else ""
    return {
        "task": task,
        "text": finding["text"],
        "paper": paper,
        "verdict": verdict,
        "why": why,
        "compared": bool(claims),
    }


def _decide(expects: str, claims: Mapping[ClaimName, Comparison], a: str, b: str) -> tuple[Seen, str]:
    """Verdict and its reason. `lower` and `no_gain` read the interval of the difference."""
    wanted: dict[str, ClaimName] = {"cheaper": "cheaper", "as_good": "non_inferior"}
    in_turn: tuple[ClaimName, ...] = (wanted[expects],) if expects in wanted else ("superior", "non_inferior")
    claim = next((claims[name] for name in in_turn if name in claims), None)
    if claim is None:
        return "cannot_tell", f"{a} and {b} are not compared."
    if expects == "cheaper":
        ratio, least, most = claim["token_ratio"], claim["token_ratio_low"], claim["token_ratio_high"]
        if ratio is None or least is None or most is None:
            return "cannot_tell", f"no token ratio of {b} over {a} with an interval."
        why = f"tokens of {b} over those of {a}: {ratio:.2f} [{least:.2f}, {most:.2f}]."
        return _as_finding(claim["verdict"]), why
    low, high = claim["ci_low_adjusted"], claim["ci_high_adjusted"]
    why = f"{b} minus {a}: {100 * claim['difference']:+.1f} points [{100 * low:+.1f}, {100 * high:+.1f}]"
    if expects == "as_good":
        return _as_finding(claim["verdict"]), why + f", margin {100 * known(claim['margin']):g} points."
    mde = claim["mde"]
    seen = f"; a difference of {100 * mde:.1f} points could have been seen" if mde else ""
    if expects == "no_gain":
        margin = claims.get("non_inferior", claim)["margin"] or MARGIN_POINTS / 100
        if claim["verdict"] == "yes" if claim["claim"] == "superior" else low > 0:
            return "contradicts", why + "."
        if high < margin:
            return "shows", why + f": a gain of {100 * margin:g} points is ruled out."
        return "cannot_tell", why + f": a gain of {100 * margin:g} points is not ruled out."
    verdict: Seen
    if expects == "lower":
        verdict = "shows" if high < 0 else "contradicts" if low > 0 else "cannot_tell"
    elif claim["claim"] == "superior":
        verdict = "contradicts" if high < 0 else _as_finding(claim["verdict"])
        p = claim["p_adjusted"]
        if verdict == "cannot_tell" and low > 0 and p is not None:
            seen = f"; {p_text(p)} after Holm's correction over the whole leaderboard"
    else:
        # This pair has only the non-inferiority claim; its interval is for the same difference.
        verdict = "contradicts" if high < 0 else "shows" if low > 0 else "cannot_tell"
    return verdict, why + (seen if verdict == "cannot_tell" else "") + "."


def _as_finding(verdict: Verdict) -> Seen:
    seen: dict[Verdict, Seen] = {"yes": "shows", "no": "contradicts", "cannot_tell": "cannot_tell"}
    return seen[verdict]


def _number(value: float | None, interval: Sequence[float] = ()) -> str:
    if value is None:
        return ""
    return f"{value:.1f}" + (f" [{interval[0]:.0f}, {interval[1]:.0f}]" if interval else "")
