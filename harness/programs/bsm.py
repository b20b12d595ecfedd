"""Branch-Solve-Merge as a judge of two responses (Saha et al., https://arxiv.org/abs/2310.15123).

*Branch*: from the question alone, never the responses, a plan of up to five criteria. *Solve*: each criterion
on its own, 1 to 5 for A, then for B; `solve="pair"` asks for both scores in one call, as the paper does,
`solve="single"` scores one response a call. *Merge*: scores and reasons to a verdict, by the model
(`merge="neural"`, as in the paper) or by adding the scores (`merge="sum"`). The wording is ours.

The merge prompt holds the evaluations and not the responses again: the verdict follows from what was solved.
Solve prompts hold question and responses first and the criterion last, so the prompts of one item share a
long prefix that an engine can keep.

Where the model does not follow: no criterion parsed means DEFAULT_CRITERIA; a criterion that lacks a score
for one response is left out of the sum for both; no score at all gives a response without a verdict, which
the task scores as no answer, never as a tie.

A task's description and worked examples, which lm-eval puts before a prompt, reach none of the three steps:
they show whole judgements, and each step asks for a part of one.

The item's fields hold the parts: `response_a`, `response_b`, and `user_question` (where a task has none,
the item's own question).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from harness.errors import UserError
from harness.programs.base import Program, fill, method
from harness.programs.wording import DEFAULT, chosen
from harness.types import Ask, Completion, Item, user
from tasks.answers import own_reply

TINY: Mapping[str, str] = {
    "branch": (
        "Question:\n{question}\n\n"
        "Someone will judge answers to this question. List at most {max_criteria} criteria that tell a good "
        "answer from a bad one. Write one criterion a line, a few words each, and nothing else."
    ),
    "solve_pair": (
        "Question:\n{question}\n\nResponse A:\n{response_a}\n\nResponse B:\n{response_b}\n\n"
        "Judge both responses on one criterion alone, which stands in the last line. Give a short reason. "
        "Then give each response a whole number from 1 (poor) to 5 (excellent), in two lines that read "
        '"Score A:" and "Score B:" with the number behind.\n'
        "Criterion: {criterion}"
    ),
    "solve_single": (
        "Question:\n{question}\n\nResponse:\n{response}\n\n"
        "Judge the response on one criterion alone, which stands in the last line. Give a short reason. "
        'Then give it a whole number from 1 (poor) to 5 (excellent), in a line that reads "Score:" '
        "with the number behind.\n"
        "Criterion: {criterion}"
    ),
    "merge": (
        "Question:\n{question}\n\n"
        "A judge scored two responses, A and B, from 1 to 5, one criterion at a time.\n\n{evaluations}\n\n"
        "Scores for A: {scores_a}\nScores for B: {scores_b}\n\n"
        "Weigh this and say which response is better. {finish}"
    ),
}
WORDINGS: Mapping[str, Mapping[str, str]] = {"default": TINY, "tiny": TINY}
"""Templates of the four prompts; a task may replace any of them with the option `prompts`. {question} is
the user's question alone, so that a wording of `branch` cannot show the responses."""

DEFAULT_CRITERIA = ("relevance to the question", "correctness", "completeness", "clarity", "tone")
NO_SCORES = "No scores could be read, so there is no verdict."
SCORE = (
    r"(?<![\d.])(?P<score>[1-5](?:\.0+)?(?!\.?\d|[ \t]*(?:[/%]|or[ \t]+\d|out of[ \t]*\d|[-–][ \t]*\d))"
    r"|(?:one|two|three|four|five)\b(?=[ \t]*(?:[.,;(*]|$|\n|out of)))"
)
ENDS = r"(?=[ \t]*(?:[.,;:)\]*]|$|\n|(?:and|for|to|vs|points?|stars?|because|since|as)\b))"
"""Text behind a score without a label; another word would make it a count of something."""
SAYS = (
    r"(?:[ \t]*\([^)\n]{1,30}\))?[*_]*[ \t]*"
    r"(?:[:：=|–-]|\b(?:is|gets|scores|earns|an?|at)\b)[\s*:\[({|]*(?:an?[ \t]+)?"
)
"""Text between a label and its score."""
LABEL = re.compile(r"\bscore\b[^\d\n]{0,20}(?=\d)", re.IGNORECASE)
NEXT_CRITERION = re.compile(r"^[ \t*#]*criterion\b[ \t\d]*:", re.IGNORECASE | re.MULTILINE)
LATEX = re.compile(r"\\boxed\{|\\text\{|\$")
SHORT = 4
"""Most words of a criterion that shares a line with others."""
BULLET = re.compile(
    r"\s*(?:[-*•#>]+\s|\**(?:criterion\s*)?\(?\d{1,2}[.):]+(?!\d)|[a-z][.)]\s)\s*", re.IGNORECASE
)

Score = int | None


@method(
    "bsm",
    "Branch-Solve-Merge judge: criteria, scores for each, a verdict",
    steps=("branch", "solve", "merge"),
    without_turns=("branch", "solve", "merge"),
    paper="https://arxiv.org/abs/2310.15123",
)
def bsm(
    item: Item,
    solve: str = "pair",
    merge: str = "neural",
    max_criteria: int = 5,
    wording: str = DEFAULT,
    prompts: Mapping[str, str] = {},
) -> Program:
    """One call to branch, one per criterion (`pair`) or two (`single`) to solve, one or none to merge.

    `prompts` replaces templates of the wording by name. UserError for an unknown option value or a missing
    part.
    """
    templates, question, responses = _checked(item, solve, merge, max_criteria, wording, prompts)

    def ask(step: str, prompt: str, **values: str) -> Ask:
        return Ask(step, [user(fill(templates[prompt], item, question=question, **values))])

    plan: Completion = yield ask("branch", "branch", max_criteria=str(max_criteria))
    criteria = parse_criteria(plan.text, max_criteria) or list(DEFAULT_CRITERIA[:max_criteria])

    if solve == "pair":
        solved: list[Completion] = yield [
            ask(f"solve:{number}", "solve_pair", **responses, criterion=criterion)
            for number, criterion in enumerate(criteria, 1)
        ]
        reasons = [completion.text.strip() for completion in solved]
        scores = [parse_pair(reason) for reason in reasons]
    else:
        tasks = [(criterion, text) for criterion in criteria for text in responses.values()]
        solved = yield [
            ask(f"solve:{number}", "solve_single", response=text, criterion=criterion)
            for number, (criterion, text) in enumerate(tasks, 1)
        ]
        pairs = list(zip(solved[0::2], solved[1::2], strict=True))
        reasons = [f"A: {a.text.strip()}\nB: {b.text.strip()}" for a, b in pairs]
        scores = [(parse_score(a.text), parse_score(b.text)) for a, b in pairs]

    if merge == "sum":
        return add_scores(scores)
    verdict: Completion = yield ask(
        "merge",
        "merge",
        **responses,
        evaluations="\n\n".join(
            f"Criterion: {criterion}\n{reason}" for criterion, reason in zip(criteria, reasons, strict=True)
        ),
        scores_a=_listed(criteria, [a for a, _ in scores]),
        scores_b=_listed(criteria, [b for _, b in scores]),
    )
    return verdict.text


def parse_criteria(text: str, most: int) -> list[str]:
    """At most `most` criteria, one a line: numbering and emphasis stripped, duplicates dropped.

    Where some lines are numbered or bulleted, the others are talk around the list. A line that ends in a
    colon is a heading.
    """
    lines = text.splitlines()
    listed = [line[bullet.end() :] for line in lines if (bullet := BULLET.match(line))]
    criteria: dict[str, str] = {}
    if len(lines) == 1 and not listed:
        # "Clarity, relevance, tone.": a list in one line, if its parts are short.
        parts = re.split(r"[,;] (?:and )?", lines[0])
        lines = parts if all(len(part.split()) <= SHORT for part in parts) else lines
    for line in listed or lines:
        criterion = line.strip().strip("*_").strip().rstrip(".")
        if criterion and not criterion.endswith(":") and any(letter.isalpha() for letter in criterion):
            criteria.setdefault(criterion.casefold(), criterion)
    return list(criteria.values())[:most]


def parse_pair(text: str) -> tuple[Score, Score]:
    """Scores (A, B), 1 to 5; None where one is missing. Any text is fine.

    1. The last `Score A: 4` of each; where there is none, the last `A: 4` or `A gets 4`; `both get 4` is
       for both.
    2. A number other than 1, 2, 3, 4 or 5 (`4.5`, `4/10`, `3-4`) does not count, nor does the scale
       restated.
    3. Without any label, two numbers that are all of the text's numbers are those of A and of B.
    """
    text = _judged(text)
    pair = _by_label(
        r"score[ \t]+(?:for[ \t]+|of[ \t]+)?(?:response[ \t]+)?{0}|{0}(?:['’]s)?[ \t]+score", text
    )
    if pair:
        return pair
    both = re.findall(rf"\b(?:both|A (?:and|&) B)\b[^\d\n.;]{{0,30}}?[ \t*:=]{SCORE}", text, re.IGNORECASE)
    if both:
        return _number(both[-1]), _number(both[-1])
    pair = _by_label(r"{0}(?:['’]s)?", text)
    if pair:
        return pair
    numbers = re.findall(r"\d+(?:\.\d+)?", text)
    scores = [_number(found) for found in re.findall(SCORE + ENDS, text)]
    return (scores[0], scores[1]) if len(numbers) == len(scores) == 2 else (None, None)


def _by_label(label: str, text: str) -> tuple[Score, Score] | None:
    """The last score behind the label of A and of B ({0} in the pattern); None if neither has a number."""
    patterns = (re.compile(rf"(?<![A-Za-z])(?:{label.format(name)}){SAYS}", re.IGNORECASE) for name in "AB")
    a, b = (_labelled(pattern, text) for pattern in patterns)
    return (a[-1] if a else None, b[-1] if b else None) if a or b else None


def parse_score(text: str) -> Score:
    """The score of one response, 1 to 5, or None.

    1. The last one after `Score` or `Rating`, in the same sentence; a number there that is none (`3.5`,
       `4/10`) means that there is no score.
    2. Else a line that is a number alone, or the number that the text gives it (`I would give it a 4`).
    3. Other numbers (`it has 3 tips`) do not count.
    """
    text = _judged(text)
    said = re.compile(
        r"\b(?:score|rating|answer)\b[^\d\n.;]{0,60}?[\s:：=*\[({]{1,6}(?=\d|(?:one|two|three|four|five)\b)",
        re.IGNORECASE,
    )
    found = _labelled(said, text)
    if found:
        return found[-1]
    alone = re.findall(rf"^[ \t*\[]*{SCORE}[\]*. \t]*$", text, re.MULTILINE)
    given = re.findall(
        rf"\b(?:give|gives|deserves|earns|gets|rate)\b[^\d\n.;]{{0,30}}?\s{SCORE}{ENDS}", text, re.IGNORECASE
    )
    last = [*given, *alone][-1:]
    return _number(last[0]) if last else None


def _labelled(label: re.Pattern[str], text: str) -> list[Score]:
    """The value behind each label: a score, or None for another number. A word that is not a number is
    skipped."""
    found: list[Score] = []
    for match in label.finditer(text):
        score = re.compile(SCORE, re.IGNORECASE).match(text, match.end())
        if score:
            found.append(_number(score["score"]))
        elif text[match.end() : match.end() + 1].isdigit():
            found.append(None)
    return found


def add_scores(scores: list[tuple[Score, Score]]) -> str:
    """The symbolic merge: both sums and the verdict `[[A]]`, `[[B]]` or, for equal sums, `[[C]]`."""
    both = [(a, b) for a, b in scores if a is not None and b is not None]
    if not both:
        return NO_SCORES
    sums = [sum(column) for column in zip(*both, strict=True)]
    shown = [" + ".join(map(str, column)) for column in zip(*both, strict=True)]
    verdict = "A" if sums[0] > sums[1] else "B" if sums[1] > sums[0] else "C"
    return f"A: {shown[0]} = {sums[0]}. B: {shown[1]} = {sums[1]}. Verdict: [[{verdict}]]"


def _judged(text: str) -> str:
    """A reply to a solve prompt without thoughts, without a next criterion that the model made up, and
    without mentions of the scale: `4/5` becomes 4, `from 1 to 5` is removed."""
    text = own_reply(text, LABEL)
    scored = LABEL.search(text)
    asked = NEXT_CRITERION.search(text, scored.end()) if scored else None
    text = text[: asked.start()] if asked else text
    text = LATEX.sub("", text)
    text = re.sub(r"(?<=[1-5])[ \t]*(?:/|out of)[ \t]*5(?!\d)", "", text)
    return re.sub(
        r"(?<!\d)1[ \t]*(?:\([^)\n]{0,30}\)|=[ \t]*\w+)?,?[ \t]*(?:-|–|to"
        r"|and)?[ \t]*5[ \t]*(?:\([^)\n]{0,30}\)|=[ \t]*\w+)?(?!\d)",
        "",
        text,
    )


def _number(score: str) -> int:
    return (
        int(float(score))
        if score[0].isdigit()
        else 1 + ("one", "two", "three", "four", "five").index(score.lower())
    )


def _listed(criteria: list[str], scores: list[Score]) -> str:
    shown = ("no score" if score is None else str(score) for score in scores)
    return ", ".join(f"{criterion} {score}" for criterion, score in zip(criteria, shown, strict=True)) + "."


def judged_parts(item: Item, method: str) -> tuple[str, dict[str, str]]:
    """The user's question and both responses. UserError if the item lacks one."""
    missing = [name for name in ("response_a", "response_b") if not isinstance(item.fields.get(name), str)]
    if missing:
        lacking = " and no ".join(missing)
        raise UserError(
            f"Method {method} judges two responses, and item {item.item_id} has no {lacking}: "
            "use a judge task, or another method such as cot."
        )
    question = str(item.fields.get("user_question") or item.question)
    return question, {name: str(item.fields[name]) for name in ("response_a", "response_b")}


def _checked(
    item: Item, solve: str, merge: str, max_criteria: int, wording: str, prompts: Mapping[str, str]
) -> tuple[dict[str, str], str, dict[str, str]]:
    """The templates, the user's question and both responses. UserError that names what is wrong."""
    if solve not in ("pair", "single"):
        raise UserError(f"Method bsm: solve={solve!r} is unknown: use pair or single.")
    if merge not in ("neural", "sum"):
        raise UserError(f"Method bsm: merge={merge!r} is unknown: use neural or sum.")
    if not 1 <= max_criteria <= len(DEFAULT_CRITERIA):
        raise UserError(f"Method bsm: max_criteria={max_criteria!r} is out of range: use 3 to 5.")
    templates = dict(chosen(WORDINGS, wording, "bsm"))
    unknown = sorted(set(prompts) - set(templates))
    if unknown:
        raise UserError(f"Method bsm: prompts has unknown names {unknown}: use {', '.join(templates)}.")
    return {**templates, **prompts}, *judged_parts(item, "bsm")
