"""What a System 2 method is: a registered generator that asks, is answered, and ends in a response.

    @method("twice", "asks, then asks again", steps=("first", "second"))
    def twice(item: Item) -> Program:
        draft = yield Ask("first", [user(item.question)])
        final = yield Ask("second", [user(f"{item.question} {draft.text}")])
        return final.text

A program yields one `Ask` and gets one `Completion`, or a list of them and gets a list in the same order.
Step names are unique within one list: `solve:1`, `solve:2`. The text before `:` and after the last `/`
is the step's kind, and a task sets token limits by kind.
"""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from harness.errors import UserError
from harness.types import Ask, Completion, Item

Program = Generator[Ask | list[Ask], Any, str]
"""A running program. It is sent what it asked for: a `Completion`, or a list of them."""

Vote = Callable[[str], str | None]
"""A task's rule for the answer in a text: texts with equal keys have the same answer; None without an
answer."""


@dataclass(frozen=True)
class Method:
    """A registered method. `start` creates its program for one item."""

    name: str
    description: str
    """One line for `s2d-bench ls methods`."""
    steps: tuple[str, ...]
    """Kinds of its steps in order; a task sets token limits by these names."""
    function: Callable[..., Program]
    paper: str = ""
    """Link to the paper that the structure follows; empty if there is none."""
    visible: bool = True
    """Whether `ls methods` shows it."""
    thinking: bool = False
    """Whether the engine layer switches thinking on in the chat template."""
    votes: bool = False
    """Whether the program counts answers and so needs the task's answer rule."""
    shows_examples: bool = False
    """Whether the program shows worked examples. If so, its option `turns` says whether the task already
    has turns of examples before its prompt."""
    inner: str | None = None
    """Name of the method that this one wraps; None if it wraps none."""
    without_turns: tuple[str, ...] = ()
    """Kinds of its steps that do not get the turns that a task puts before its prompt (a description,
    worked examples), because they do not ask the task's question."""
    fixed: Mapping[str, Any] = field(default_factory=dict)
    """Options that the name itself sets, such as k in `cot*5`."""

    @property
    def options_name(self) -> str:
        """The name under which a task keeps this method's options: its own, or that of `inner`."""
        return self.inner or self.name

    def start(
        self,
        item: Item,
        options: Mapping[str, Any] | None = None,
        vote: Vote | None = None,
        turns: bool = False,
    ) -> Program:
        """A new program for `item`. UserError if the method does not take one of `options`.

        Options that the name sets win over `options`. `vote` reaches only methods that vote, and `turns` (the
        task puts turns of examples before its prompt) only methods that show examples.
        """
        keywords = {**(options or {}), **self.fixed}
        if turns and self.shows_examples:
            keywords["turns"] = True
        if self.votes:
            keywords["vote"] = vote
        try:
            # Calling a generator function binds its arguments and runs nothing.
            program = self.function(item, **keywords)
        except TypeError as error:
            raise UserError(
                f"Method {self.name} does not take these options ({error}): "
                f"correct the task's method_options for {self.options_name!r}."
            ) from None
        if not isinstance(program, Generator):
            raise UserError(
                f"Method {self.name} returned {type(program).__name__} when it was started: make it a "
                "generator, which yields an Ask and then returns the response's text."
            )
        return program


_METHODS: dict[str, Method] = {}
_FAMILIES: list[Callable[[str], Method | None]] = []


def method(
    name: str,
    description: str,
    steps: Sequence[str] = (),
    *,
    paper: str = "",
    visible: bool = True,
    thinking: bool = False,
    votes: bool = False,
    shows_examples: bool = False,
    inner: str | None = None,
    without_turns: Sequence[str] = (),
) -> Callable[[Callable[..., Program]], Callable[..., Program]]:
    """Registers a generator function `program(item, **options)` under `name`. UserError if the name is taken.

    `without_turns` names the kinds of steps that a task's description and examples would mislead.
    """

    def register(function: Callable[..., Program]) -> Callable[..., Program]:
        known = _METHODS.get(name)
        if known is not None and known.function.__module__ != function.__module__:
            raise UserError(
                f"Method {name!r} is registered by {known.function.__module__} already: "
                f"give the one in {function.__module__} another name."
            )
        _METHODS[name] = Method(
            name, description, tuple(steps), function, paper, visible, thinking, votes, shows_examples, inner,
            tuple(without_turns),
        )  # fmt: skip
        return function

    return register


def family(resolve: Callable[[str], Method | None]) -> Callable[[str], Method | None]:
    """Registers a rule for names without a method of their own, such as `cot*5`. It returns None for other
    names."""
    _FAMILIES.append(resolve)
    return resolve


def registered() -> dict[str, Method]:
    """All methods that are registered so far, by name."""
    return dict(_METHODS)


@cache
def load_builtin() -> None:
    """Registers all methods once per process: imports every file of `harness.programs`, and the methods of
    installed packages. UserError with the name of a file that fails."""
    package = importlib.import_module("harness.programs")
    outside = importlib.import_module("harness.programs.outside")
    for module in pkgutil.iter_modules(package.__path__):
        with outside.naming(f"{package.__path__[0]}/{module.name}.py"):  # the file may be a user's
            importlib.import_module(f"harness.programs.{module.name}")
    outside.load_packages()


def methods() -> list[Method]:
    """All visible methods, by name."""
    load_builtin()
    return sorted((known for known in _METHODS.values() if known.visible), key=lambda known: known.name)


def get_method(name: str) -> Method:
    """The method of that name (`cot`, `cot*5`). UserError names the known ones."""
    load_builtin()
    if name in _METHODS:
        return _METHODS[name]
    for resolve in _FAMILIES:
        found = resolve(name)
        if found is not None:
            return found
    # Only for names: on long text the search takes quadratic time.
    close = difflib.get_close_matches(name, _METHODS, n=1) if len(name) < 64 else []
    hint = f"did you mean {close[0]!r}? " if close else ""
    raise UserError(f"No method is named {name!r}: {hint}known are {', '.join(sorted(_METHODS))}.")


def is_method(name: str) -> bool:
    """Whether there is a method of that name."""
    try:
        get_method(name)
    except UserError:
        return False
    return True


def check_yield(value: Any, method: str = "program") -> list[Ask]:
    """A yielded value as a list of asks. UserError with the method and what is wrong."""
    asks = list(value) if isinstance(value, list | tuple) else [value]
    if not asks:
        raise UserError(f"Method {method} yielded an empty list: yield an Ask or a list of at least one.")
    for ask in asks:
        if not isinstance(ask, Ask):
            raise UserError(f"Method {method} yielded {type(ask).__name__}: yield an Ask or a list of them.")
        if not ask.step or not isinstance(ask.step, str):
            raise UserError(f"Method {method} yielded an Ask without a step name: give it one.")
        if not ask.messages or not all(
            isinstance(message, dict)
            and isinstance(message.get("role"), str)
            and isinstance(message.get("content"), str)
            for message in ask.messages
        ):
            raise UserError(
                f"Method {method}, step {ask.step!r}: messages must be a non-empty list of "
                '{"role": ..., "content": ...} with text in both.'
            )
        most = ask.max_tokens
        if most is not None and (not isinstance(most, int) or isinstance(most, bool) or most < 1):
            raise UserError(
                f"Method {method}, step {ask.step!r}: max_tokens={most!r}: give a whole number from 1 on."
            )
        if not isinstance(ask.stop, tuple | list) or not all(
            isinstance(stop, str) and stop for stop in ask.stop
        ):
            raise UserError(
                f"Method {method}, step {ask.step!r}: stop must be a tuple of texts, none of them empty."
            )
    steps = [ask.step for ask in asks]
    if len(set(steps)) < len(steps):
        raise UserError(
            f"Method {method} yielded one step name twice in {steps}: "
            "number them (solve:1, solve:2), since a call's seed is made from its name."
        )
    return asks


class Running:
    """A running program: `asks` waits for completions, `text` is its response after its end.

    Errors of the program itself pass through the constructor and `send`. If it yields something else than
    asks or returns something else than text, UserError names the method.
    """

    __slots__ = ("_program", "_wants_list", "asks", "method", "text")

    def __init__(self, program: Program, method: str = "program") -> None:
        self.method = method
        self.asks: list[Ask] = []
        """What the program waits for; empty after its end."""
        self.text: str | None = None
        """The response; None while the program waits."""
        self._program = program
        self._wants_list = False
        self._advance(None)

    def send(self, completions: Sequence[Completion]) -> None:
        """Sends the completions of `asks`, in their order, and runs to the next asks or the end."""
        if len(completions) != len(self.asks):
            raise ValueError(f"{self.method} asked {len(self.asks)} calls and got {len(completions)}")
        self._advance(list(completions) if self._wants_list else completions[0])

    def _advance(self, value: Any) -> None:
        self.asks = []
        try:
            yielded = self._program.send(value)
        except StopIteration as end:
            if not isinstance(end.value, str):
                raise UserError(
                    f"Method {self.method} returned {type(end.value).__name__}: return the response's text."
                ) from None
            self.text = end.value
        else:
            self._wants_list = isinstance(yielded, list | tuple)
            self.asks = check_yield(yielded, self.method)


def finish_line(item: Item) -> str:
    """The sentence that asks for the task's answer form; empty if the task has none."""
    return f"Finish with {item.answer_form.rstrip('.')}." if item.answer_form else ""


def fill(template: str, item: Item, **values: str) -> str:
    """`template` with {question}, {answer_form}, {finish} of the item and `values` put in.

    Values are put in unchanged, so braces in them have no meaning. UserError for a field that the template
    uses and the step does not have.
    """
    known = {
        "question": item.question,
        "answer_form": item.answer_form,
        "finish": finish_line(item),
        **values,
    }
    try:
        return template.format_map(known).strip()
    except (KeyError, IndexError, ValueError, AttributeError) as error:
        raise UserError(
            f"The wording {template[:60]!r} cannot be filled ({type(error).__name__}: {error}): "
            f"it may use {', '.join('{' + name + '}' for name in sorted(known))}."
        ) from None
