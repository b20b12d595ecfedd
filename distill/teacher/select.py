"""From the teacher's samples to training examples: one filter per task, every drop counted by reason.

filter_kinds.py has the filters. Only `label_accuracy` reads labels, after the examples are fixed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from distill.teacher.filter_kinds import FILTERS, Filter, asked_for
from distill.teacher.filters import Vote, majority, parse_usc, usc_fit, usc_prompt
from distill.teacher.sample import Draws
from harness.errors import UserError
from harness.lm.task import TaskData
from harness.programs.base import Method, Program
from harness.session import Session
from harness.types import Ask, Item, Message, Response, user
from results.schema import ReplyTokens

USC_TOKENS = 16
"""Enough for `Candidate: 3` and the end."""


@dataclass(frozen=True)
class FilterChoice:
    """A filter and the share of all samples that a majority must pass."""

    name: str
    threshold: float = 0.5

    @property
    def kind(self) -> Filter:
        """The filter itself, with its texts."""
        return FILTERS[self.name]


@dataclass(frozen=True)
class Reply:
    """A call of the teacher whose reply is taught, prompt and reply as the engine had them."""

    messages: list[Message]
    prompt_ids: tuple[int, ...]
    ids: tuple[int, ...]
    """What was generated, the end of the turn last."""
    text: str


@dataclass(frozen=True)
class Example:
    """A training example before tokenisation: System 1's prompt and the answer it should give."""

    item: Item
    answer: str
    margin: float
    """Share of the winner less share of the runner-up, of all samples drawn."""
    reply: Reply | None = None
    """Taught in place of the answer, behind its own prompt."""
    reasoning: str = ""
    """Taught before the answer at first, and then less and less of it (`distill.training.stages`)."""


@dataclass(frozen=True)
class Drawn:
    """One prompt that the teacher was asked about, with the result, kept or dropped."""

    item: Item
    texts: tuple[str, ...]
    """The teacher's responses, one per sample."""
    answers: tuple[str | None, ...]
    """Parsed answers; None is a failure."""
    answer: str | None
    """The answer used as target; None if dropped."""
    margin: float
    """Share of the winner less share of the runner-up, of all samples; at least this where some were not
    drawn."""
    reason: str | None
    """Why it was dropped; None if kept."""
    undrawn: int = 0
    """Samples that were not drawn, because the vote was certain without them."""
    reply: Reply | None = None
    """What is taught in place of the answer, where replies are."""
    reasoning: str = ""
    """What is taught before the answer at first, where reasoning is removed in stages."""

    @property
    def margin_at_most(self) -> float:
        """The margin, had all samples that were not drawn gone to the winner."""
        return min(self.margin + 2 * self.undrawn / max(len(self.answers) + self.undrawn, 1), 1.0)

    @property
    def prompt(self) -> str:
        """The user turn that the target is taught behind."""
        return self.item.prompt if self.reply is None else self.reply.messages[-1]["content"]

    def target(self, write: Callable[[str], str]) -> str | None:
        """The text that is taught; `write` makes an answer a target. None where the prompt was dropped."""
        if self.answer is None:
            return None
        return write(self.answer) if self.reply is None else self.reply.text


@dataclass
class Sampled:
    """The result of sampling and filtering a task, with every drop counted."""

    task: str
    method: str
    filter: FilterChoice
    inputs: int
    samples_per_input: int
    drawn: list[Drawn]
    dropped: Counter[str] = field(default_factory=Counter)
    """Inputs (pairs, if both orders are asked) by reason."""
    generated_tokens: int = 0
    prompt_tokens: int = 0
    samples_drawn: int = 0
    samples_planned: int = 0
    first: Response | None = None
    """The first sample of the first prompt, step by step."""
    reply_tokens: ReplyTokens | None = None
    """How long the replies are that were picked, where replies are taught."""

    @property
    def examples(self) -> list[Example]:
        """The examples to train on."""
        return [
            Example(each.item, each.answer, each.margin, each.reply, each.reasoning)
            for each in self.drawn
            if each.answer is not None
        ]

    def drop(self, unit: str, reason: str, by_cluster: bool) -> None:
        """Drops an input that was kept, both orders of a pair together."""
        names = [each.item.cluster_id if by_cluster else each.item.item_id for each in self.drawn]
        self.drawn = [
            replace(each, answer=None, reply=None, reason=reason) if name == unit else each
            for name, each in zip(names, self.drawn, strict=True)
        ]
        self.dropped[reason] += 1


def parse_filter(text: str) -> FilterChoice:
    """`NAME` or `NAME:SHARE` as a filter. UserError for an unknown name or a wrong share."""
    name, colon, share = text.partition(":")
    if name not in asked_for():
        raise UserError(f"--filter {text}: not known; choose {', '.join(asked_for())}, such as majority:0.6")
    try:
        threshold = float(share) if colon else 0.5
        majority([None], threshold)
    except (ValueError, UserError) as error:
        raise UserError(
            f"--filter {text}: the share of a majority is a number from 0 to below 1, such as majority:0.6"
        ) from error
    return FilterChoice(name, threshold)


def choose_filter(task: TaskData, asked: str | None, preset: str | None) -> FilterChoice:
    """The filter of a task: from `--filter`, else from the preset, else a majority. Both orders of a pair
    are always compared. UserError for `perturbation` on a task that has no other form of its questions."""
    paper = task.spec.paper.filter if task.spec.paper and preset == "paper" else "majority"
    chosen = parse_filter(asked or paper)
    if task.spec.swap is not None:
        return replace(chosen, name="swap")
    if chosen.kind.other_forms and task.spec.perturb is None:
        raise UserError(
            f"--filter {chosen.name}: task {task.name} has no other form of its questions "
            "(TaskSpec.perturb); choose majority or usc, or leave the task out"
        )
    return chosen


def keep(
    context: Session, draws: Sequence[Draws], filters: Sequence[FilterChoice], seed: int, phase: str
) -> list[Sampled]:
    """Examples of each task, and what was dropped."""
    choices = _universal_choices(
        context,
        [each for each, chosen in zip(draws, filters, strict=True) if chosen.kind.model_chooses],
        seed,
        f"{phase}, choosing",
    )
    return [_keep(each, chosen, choices) for each, chosen in zip(draws, filters, strict=True)]


Choices = Mapping[tuple[str, str], tuple[str | None, list[Response]]]
"""(task, item id) -> the chosen answer, or None, and its calls."""


def _keep(draws: Draws, chosen: FilterChoice, choices: Choices) -> Sampled:
    task = draws.ask.inputs.task
    generated, prompt = draws.tokens()
    sampled = Sampled(
        task.name, draws.ask.method, chosen, len(draws.ask.inputs.units), draws.ask.samples, [],
        generated_tokens=generated, prompt_tokens=prompt,
        samples_drawn=draws.counts[0], samples_planned=draws.counts[1],
        first=next((each[0] for each in draws.responses.values()), None),
    )  # fmt: skip
    for unit in draws.ask.inputs.units:
        answers = [[answer for _, answer in draws.votes(item)] for item in unit]
        undrawn = [draws.ask.samples - len(each) for each in answers]
        # A sample that was not drawn counts as a failed one: the vote was certain without it.
        votes = [
            _vote(task, [*each, *[None] * left], chosen) for each, left in zip(answers, undrawn, strict=True)
        ]
        if chosen.kind.model_chooses:
            picked, calls = choices[task.name, unit[0].item_id]
            votes[0] = _picked(votes[0], picked)
            steps = [step.completion for call in calls for step in call.steps]
            sampled.generated_tokens += sum(step.generated_tokens for step in steps)
            sampled.prompt_tokens += sum(step.prompt_tokens for step in steps)
        reason = chosen.kind.agree(votes, task.spec)
        if reason is not None:
            sampled.dropped[reason] += 1
        for index, item in enumerate(unit):
            # Other forms of a question are only for comparison.
            trained = index == 0 or task.spec.swap is not None
            sampled.drawn.append(
                Drawn(
                    item,
                    tuple(each.text for each in draws.responses[item.item_id]),
                    tuple(answers[index]),
                    votes[index].answer if reason is None and trained else None,
                    max(float(votes[index].margin) - undrawn[index] / draws.ask.samples, 0.0),
                    reason or votes[index].reason or (None if trained else "other_form"),
                    undrawn[index],
                )
            )
    return sampled


def _vote(task: TaskData, answers: Sequence[str | None], chosen: FilterChoice) -> Vote:
    """The vote over the meanings of answers (`vote_key`). The winner is its most common spelling, or the
    first of equally common ones."""
    keys = [None if answer is None else task.spec.vote_key(answer) for answer in answers]
    vote = chosen.kind.vote(keys, chosen.threshold)
    if vote.answer is None:
        return vote
    spellings = Counter(answer for answer, key in zip(answers, keys, strict=True) if key == vote.answer)
    return replace(vote, answer=spellings.most_common(1)[0][0])


def _picked(vote: Vote, picked: str | None) -> Vote:
    """A vote whose winner the model chose; the counted agreement of the samples does not change."""
    if picked is not None:
        return replace(vote, answer=picked, reason=None)
    return replace(vote, answer=None, reason=vote.reason if vote.reason == "all_failed" else "usc_no_choice")


def _universal_choices(context: Session, draws: Sequence[Draws], seed: int, phase: str) -> Choices:
    """Universal Self-Consistency (arXiv 2311.17311): the answer of the text that the model picks. Only
    texts with an answer are candidates; a single one needs no call."""
    jobs, places = [], []
    found: dict[tuple[str, str], tuple[str | None, list[Response]]] = {}
    room = context.engine.model.context_length - USC_TOKENS
    for drawn in draws:
        task = drawn.ask.inputs.task
        for unit in drawn.ask.inputs.units:
            item = unit[0]
            read = zip(drawn.responses[item.item_id], drawn.votes(item), strict=True)
            texts = [response.text for response, (_, answer) in read if answer is not None]
            shown = usc_fit(
                item.question, texts, lambda prompt: len(context.engine.prompt_ids([user(prompt)])) <= room
            )
            if len(shown) < 2:
                answer = task.spec.answer_of(shown[0], item.fields) if shown else None
                found[task.name, item.item_id] = answer, []
                continue
            method = Method(
                "usc", "picks the most consistent", ("usc",), _asks(usc_prompt(item.question, shown))
            )
            jobs.append(context.job(task, item, method, seed))
            places.append((task, item, shown))
    responses = context.scheduler.run(jobs, phase) if jobs else []
    for (task, item, shown), response in zip(places, responses, strict=True):
        index = None if response.error is not None else parse_usc(response.text, len(shown))
        answer = None if index is None else task.spec.answer_of(shown[index], item.fields)
        found[task.name, item.item_id] = answer, [response]
    return found


def _asks(prompt: str) -> Any:
    def program(item: Item) -> Program:
        reply = yield Ask("usc", [user(prompt)], max_tokens=USC_TOKENS)
        return str(reply.text)

    return program


def label_accuracy(task: TaskData, examples: Sequence[Example]) -> float | None:
    """Share of kept answers that the task's own metric scores as right; None if rows have no label.

    Computed after the examples are fixed, and only for the report.
    """
    right: list[float] = []
    for example in examples:
        scores = task.score_of(task.spec.target(example.answer), example.item.fields)
        for metric in task.spec.metrics:
            if metric.aggregation == "mean" and isinstance(scores.get(metric.name), int | float):
                right.append(float(scores[metric.name]))
                break
    return sum(right) / len(right) if right else None
