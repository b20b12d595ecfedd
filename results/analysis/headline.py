"""The first sentence of everything that is printed: was it worth it?

For each task and each distilled variant there are four answers: worth it (better than base, as good as System
2, and cheaper), partly (better than base, but short of System 2), not worth it, and the data cannot tell.
Tasks with the same answer share a sentence. Names are not escaped; the caller that prints them does this.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from results.analysis import undistilled
from results.analysis.cut import percent
from results.analysis.reasoning import between, figures
from results.analysis.verdicts import is_primary
from results.schema import Board, Comparison, NoReasoning

MOST_NAMED = 3
"""Up to this many tasks are listed by name; beyond, only their number is given."""


@dataclass(frozen=True)
class Answer:
    """Verdicts on one distilled variant on one task."""

    task: str
    better: Comparison
    good: Comparison
    cheaper: Comparison

    @property
    def kind(self) -> str:
        better, good, cheaper = (row["verdict"] for row in (self.better, self.good, self.cheaper))
        if better == good == cheaper == "yes":
            return "worth"
        if better == "yes" and good == "no" and cheaper == "yes":
            return "partly"
        return "not" if "no" in (better, good, cheaper) else "open"

    @property
    def reason(self) -> str:
        """Why it was not worth it, or what is still open."""
        words = {
            "not": {
                "better": {"no": "worse than base", "cannot_tell": "not shown to be better than base"},
                "good": {"no": "short of System 2"},
                "cheaper": {"no": "not cheaper than System 2"},
            },
            "open": {
                "better": {"cannot_tell": "better than base"},
                "good": {"cannot_tell": "as good as System 2"},
                "cheaper": {"cannot_tell": "cheaper than System 2"},
            },
        }[self.kind]
        rows = {"better": self.better, "good": self.good, "cheaper": self.cheaper}
        # Refuted claims come before claims that were not shown.
        order = sorted(rows, key=lambda name: rows[name]["verdict"] != "no")
        parts = [words[name][rows[name]["verdict"]] for name in order if rows[name]["verdict"] in words[name]]
        return listed(parts, "and" if self.kind == "not" else "or")


def headline(board: Board) -> str:
    """One to four short sentences; doubts about a System 2 come first."""
    answers = _answers(board)
    parts = [_unreasoned(board)]
    if answers:
        several = len(answers) > 1
        for variant, found in answers.items():
            parts += _of_variant(variant if several else None, found)
    else:
        parts.append(_without_distillation(board))
    return " ".join(part for part in [*parts, *_not_distilled(board, bool(answers)), _cut(board)] if part)


def _answers(board: Board) -> dict[str, list[Answer]]:
    """Distilled variant -> its answers, on the tasks on which all three claims were tested."""
    claims: dict[tuple[str | None, ...], Comparison] = {}
    for row in board["comparisons"]:
        if is_primary(row):
            claims[row["task"], row["claim"], row["a"], row["b"]] = row
    found: dict[str, list[Answer]] = {}
    for trio in board["trios"]:
        task, base, teacher, distilled = trio["task"], trio["base"], trio["teacher"], trio["distilled"]
        three = [
            claims.get((task, claim, other, distilled))
            for claim, other in (("superior", base), ("non_inferior", teacher), ("cheaper", teacher))
        ]
        better, good, cheaper = three
        if better and good and cheaper:
            found.setdefault(distilled, []).append(Answer(task, better, good, cheaper))
    return found


def _of_variant(name: str | None, found: Sequence[Answer]) -> list[str]:
    """The sentences on one distilled variant, with its name if there are several."""
    tasks = [answer.task for answer in found]
    kinds = {kind: [one for one in found if one.kind == kind] for kind in ("worth", "partly", "not", "open")}
    subject = f"{name} was" if name else "Distillation was"
    parts = []
    if worth := kinds["worth"]:
        where = _where(worth, tasks)
        parts.append(
            f"{subject} worth it on {where}: better than base, as good as System 2, {_tokens(worth)}."
        )
    if partly := kinds["partly"]:
        opening = "Partly on" if parts else f"{subject} partly worth it on"
        why = f"better than base but short of System 2, {_kept(partly, 'its')}{_tokens(partly)}"
        parts.append(f"{opening} {_where(partly, tasks)}: {why}.")
    if failed := kinds["not"]:
        opening = "Not on" if parts else f"{subject} not worth it on"
        grouped = _grouped(failed)
        reasons = "; ".join(f"{_where(some, tasks)} ({reason})" for reason, some in grouped.items())
        if len(grouped) > MOST_NAMED:
            reasons = _where(failed, tasks)
        parts.append(f"{opening} {reasons}.")
    if unsure := kinds["open"]:
        parts.append(_open(unsure, tasks, name, bool(parts)))
    return parts


def _open(unsure: Sequence[Answer], tasks: Sequence[str], name: str | None, behind: bool) -> str:
    grouped = _grouped(unsure)
    where = _where(unsure, tasks)
    if len(grouped) == 1:
        (reason,) = grouped
        it = "it is" if behind and not name else f"{name or 'the distilled model'} is"
        if all(one.better["verdict"] == "yes" for one in unsure):
            figures = f"{_kept(unsure, 'the')}{_tokens(unsure, 'System 2')}".strip()
            sure = f"better than base{', ' if figures else ''}{figures}"
            return f"On {where} {it} {sure}; the data cannot tell whether it is {reason}."
        return f"On {where} the data cannot tell whether {it} {reason}."
    return f"On {where} the data cannot tell{'' if behind else ' whether distillation was worth it'}."


def _grouped(found: Sequence[Answer]) -> dict[str, list[Answer]]:
    grouped: dict[str, list[Answer]] = {}
    for one in found:
        grouped.setdefault(one.reason, []).append(one)
    return grouped


def _tokens(found: Sequence[Answer], of: str = "") -> str:
    """The share of System 2's tokens; empty if it spent none."""
    ratios = [one.cheaper["token_ratio"] for one in found if one.cheaper["token_ratio"] is not None]
    whose = f"{of}'s" if of else "its"
    return f"at {between(ratios, percent)} of {whose} tokens" if ratios else ""


def _kept(found: Sequence[Answer], whose: str) -> str:
    """The kept share of System 2's gain; empty if the gain is 0 or too small to tell."""
    kept = [share for one in found if (share := one.better.get("gain_kept"))]
    ends = [end for share in kept for end in (share["low"], share["high"])]
    if not kept or None in ends:
        return ""
    values = between([share["value"] for share in kept], "{:.0%}".format).replace("%", " %")
    if len(kept) == 1:
        low, high = (100 * end for end in ends if end is not None)
        values += f" ({low:.0f} to {high:.0f})"
    return f"keeping {values} of {whose} gain "


def _unreasoned(board: Board) -> str:
    """The sentence that a System 2 did not reason, with the figures."""
    found: dict[str, list[tuple[str, NoReasoning]]] = {}
    for row in board["rows"]:
        if row["primary"] and (lacking := row.get("no_reasoning")):
            found.setdefault(row["variant"], []).append((row["task"], lacking))
    several = len({row["variant"] for row in board["rows"] if row["variant"].startswith("s2")}) > 1
    tasks = list(dict.fromkeys(row["task"] for row in board["rows"]))
    return " ".join(
        f"This System 2{f' ({name})' if several else ''} did not reason on "
        f"{_share([task for task, _ in cases], tasks)}: {figures([lacking for _, lacking in cases])}."
        for name, cases in found.items()
    )


def _cut(board: Board) -> str:
    """The tasks on which texts of the three variants were cut, and the largest share."""
    asked = {
        (trio["task"], name) for trio in board["trios"] for name in trio.values() if name != trio["task"]
    }
    rows = [
        row
        for row in board["rows"]
        if row["primary"] and row.get("cut") and ((row["task"], row["variant"]) in asked or not asked)
    ]
    if not rows:
        return ""
    names = listed(list(dict.fromkeys(row["variant"] for row in rows)))
    tasks = list(dict.fromkeys(row["task"] for row in board["rows"]))
    where = _share(list(dict.fromkeys(row["task"] for row in rows)), tasks)
    share = percent(max(found["share"] for row in rows if (found := row["cut"])))
    return f"Texts of {names} were cut on {where} ({'up to ' if len(rows) > 1 else ''}{share})."


def _without_distillation(board: Board) -> str:
    asked = [row for row in board["comparisons"] if row["claim"] == "superior" and row["primary"]]
    # Other distilled variants (for example a control) are not described as if System 2 had taught them.
    superior = [claim for claim in asked if not claim.get("named")] or asked
    if not superior:
        return "" if _not_distilled(board, False) else "This run compares no variants."
    first = superior[0]
    pair = [claim for claim in superior if (claim["a"], claim["b"]) == (first["a"], first["b"])]
    tasks = list(dict.fromkeys(claim["task"] for claim in pair))
    parts = []
    for verdict, words in (("yes", "is better"), ("no", "is worse"), ("cannot_tell", "")):
        some = list(dict.fromkeys(claim["task"] for claim in pair if claim["verdict"] == verdict))
        if some and words:
            parts.append(f"{first['b']} {words} than {first['a']} on {_share(some, tasks)}.")
        elif some and not parts:
            parts.append(
                f"On {_share(some, tasks)} the data cannot tell whether {first['b']} is better than "
                f"{first['a']}."
            )
        elif some:
            parts.append(f"On {_share(some, tasks)} the data cannot tell.")
    if not _not_distilled(board, False):
        parts.append(_uncompared(board))
    return " ".join(parts)


def _uncompared(board: Board) -> str:
    """Why the headline says nothing about a variant that System 2 taught."""
    untaught = [trio for trio in board["trios"] if trio["teacher"] is None]
    if untaught and untaught[0]["distilled"] in {row["variant"] for row in board["rows"]}:
        return f"The teacher of {untaught[0]['distilled']} is not in this run."
    return "No variant distilled from System 2 was compared."


def _not_distilled(board: Board, some: bool) -> list[str]:
    """The tasks on which a distilled variant of the headline has no score."""
    parts = []
    names = list(dict.fromkeys(trio["distilled"] for trio in board["trios"]))
    for name in names:
        rows = [row for row in board["rows"] if row["variant"] == name and row["primary"]]
        without = [row["task"] for row in rows if row["status"] == "not_distilled"]
        if without:
            where = (
                ""
                if len(without) == len(rows) and not some
                else f" on {_share(without, [r['task'] for r in rows])}"
            )
            whose = f" as {name}" if len(names) > 1 else ""
            parts.append(f"Nothing was distilled{whose}{where}: {_why_not(board, name, without)}.")
    return parts


def _why_not(board: Board, variant: str, tasks: Sequence[str]) -> str:
    """Why a variant was not distilled on some tasks: by task if they are few, else over all of them."""
    found = {task: undistilled.records(board["distillation"], variant, task) for task in tasks}
    if len(found) > MOST_NAMED:
        return undistilled.cause([row for rows in found.values() for row in rows])
    causes: dict[str, list[str]] = {}
    for task, rows in found.items():
        causes.setdefault(undistilled.cause(rows), []).append(task)
    if len(causes) == 1:
        return next(iter(causes))
    return "; ".join(f"{why} ({listed(of)})" for why, of in causes.items())


def _where(found: Sequence[Answer], tasks: Sequence[str]) -> str:
    return _share([one.task for one in found], tasks)


def _share(some: Sequence[str], of: Sequence[str]) -> str:
    """Some of the tasks in words: by name if they are few, else their number."""
    some = list(dict.fromkeys(some))
    count = len(dict.fromkeys(of))
    if len(some) <= MOST_NAMED:
        return listed(some)
    return f"all {count} tasks" if len(some) == count else f"{len(some)} of {count} tasks"


def listed(names: Sequence[str], last: str = "and") -> str:
    """`a`, `a and b`, `a, b and c`."""
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + f" {last} " + names[-1]
