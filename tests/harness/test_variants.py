"""What `--models` means: names, methods, checkpoints, and one line for what it cannot mean."""

from __future__ import annotations

import pytest

from harness.errors import UserError
from harness.manifest import named_pairs
from harness.recipes import LABELS, RECIPES
from harness.variants import (
    KNOWN,
    Variant,
    check_recipes,
    check_teachers,
    parse_variants,
    teacher_row,
    unteachable,
    with_noise_floor,
)


def one(text: str) -> Variant:
    found = parse_variants(text)
    assert len(found) == 1
    return found[0]


def test_the_three_of_the_headline() -> None:
    assert parse_variants("base, s2 ,distilled") == [
        Variant("base", "base"),
        Variant("s2", "s2"),
        Variant("distilled", "distilled"),
    ]


@pytest.mark.parametrize("name", list(RECIPES))
def test_every_recipe_is_a_variant_of_its_own(name: str) -> None:
    variant = one(name)
    assert (variant.name, variant.kind, variant.recipe.name) == (name, "distilled", name)
    assert variant.method_for("rar_2step") == ("rar_2step" if variant.recipe.asked == "teacher" else "direct")
    assert KNOWN[name] == variant.recipe.description
    with pytest.raises(UserError, match=f"{name} is the name of a built-in variant"):
        parse_variants(f"{name}=./folder")


def test_a_variant_that_learns_replies_answers_by_its_teacher_s_method() -> None:
    variants = parse_variants("base,s2:cot,distilled-short,distilled-gold")
    assert [each.method_for("rar_2step") for each in variants] == ["direct", "cot", "cot", "direct"]
    assert teacher_row(variants[2], variants, "rar_2step") == variants[1]
    assert variants[3].teacher_for("cot") == LABELS and teacher_row(variants[3], variants, "cot") is None
    [named] = parse_variants("distilled-cot:think")
    assert (named.name, named.method_for("cot")) == ("distilled-cot-from-think", "think")


def test_whole_replies_are_of_methods_of_one_call() -> None:
    for method in ("cot", "think", "rar_1step", "cot_fewshot"):
        check_recipes(parse_variants(f"distilled-short:{method},distilled-cot:{method}"), {"gsm8k": "cot"})
    for method in ("rar_2step", "s2a", "bsm", "cot*3"):
        [variant] = parse_variants(f"distilled-short:{method}")
        with pytest.raises(UserError, match=r"whole replies, and .* makes several calls \("):
            check_recipes([variant], {"gsm8k": "cot", "coin_flip": "cot"})
        assert unteachable(variant, "cot") is not None
    [short] = parse_variants("distilled-short")
    check_recipes([short], {"coin_flip": "rar_2step", "gsm8k": "cot"})
    assert unteachable(short, "rar_2step") and unteachable(short, "cot") is None


def test_a_control_is_compared_with_base_s2_and_distilled() -> None:
    pairs = named_pairs(parse_variants("base,s2,distilled,distilled-s1,mine=./folder"), {})
    assert pairs == [
        ["base", "distilled-s1"],
        ["s2", "distilled-s1"],
        ["distilled-s1", "distilled"],
        ["base", "mine"],
        ["s2", "mine"],
    ]
    assert named_pairs(with_noise_floor(parse_variants("base,s2")), {}) == [["base", "base-again"]]
    assert named_pairs(parse_variants("distilled-s1,distilled-all"), {}) == []
    several = parse_variants("base,s2:cot,s2:think,distilled:cot")
    assert named_pairs(several, {"distilled-from-cot": "s2-cot"}) == [
        ["base", "s2-cot"],
        ["base", "s2-think"],
        ["base", "distilled-from-cot"],
        ["s2-cot", "distilled-from-cot"],
    ]


def test_a_distilled_variant_learns_from_the_system_2_that_is_a_row() -> None:
    def teacher(models: str, name: str) -> str | None:
        return next(each for each in parse_variants(models) if each.name == name).teacher

    assert teacher("base,s2,distilled", "distilled") is None
    assert teacher("distilled", "distilled") is None
    assert teacher("s2:cot,distilled,distilled-nofilter", "distilled-nofilter") == "cot"
    assert teacher("distilled-all,s2:cot*3", "distilled-all") == "cot*3"
    both = "s2:cot,s2:think,distilled:cot,distilled:think,distilled-nofilter:think"
    assert teacher(both, "distilled-from-cot") == "cot"
    assert teacher(both, "distilled-from-think") == "think"
    assert teacher(both, "distilled-nofilter-from-think") == "think"
    assert one("distilled:cot").method_for("rar_2step") == "direct"
    assert one("distilled:cot").teacher_for("rar_2step") == "cot"
    assert one("distilled-s1").teacher_for("rar_2step") == "direct"
    rows = "s2,s2:cot,s2:think,"
    assert teacher(f"{rows}distilled:s2", "distilled") is None
    assert teacher(f"{rows}distilled-all:s2:think", "distilled-all") == "think"
    for models in ("s2:cot,s2:think,distilled", "s2,s2:cot,distilled-all"):
        with pytest.raises(UserError, match=r"several System 2 rows .*such as distilled\S*:cot"):
            parse_variants(models)


def test_a_teacher_is_a_row_on_every_task() -> None:
    own = {"coin_flip": "rar_2step", "gsm8k": "cot"}
    check_teachers(parse_variants("base,s2,distilled,distilled-s1"), own)
    check_teachers(parse_variants("base,distilled:think"), own)
    check_teachers(parse_variants("base,s2,distilled:cot"), {"gsm8k": "cot"})
    check_teachers(parse_variants("s2:self_consistency(cot)*3,distilled:cot*3"), own)
    for models, task, method in (
        ("base,s2:cot,distilled:think", "coin_flip", "think"),
        ("base,s2,distilled:cot", "coin_flip", "cot"),
    ):
        with pytest.raises(UserError, match=rf"on {task} it learns from {method}.*add s2:{method}"):
            check_teachers(parse_variants(models), own)
    both = parse_variants("s2:cot,s2,distilled:s2,distilled:cot")
    assert [row and row.name for row in (teacher_row(each, both, "cot") for each in both[2:])] == [
        "s2",
        "s2-cot",
    ]
    variants = parse_variants("base,s2,distilled,distilled-s1")
    rows = [teacher_row(each, variants, "cot") for each in variants]
    assert [row and row.name for row in rows] == [None, None, "s2", None]


@pytest.mark.parametrize(
    ("text", "method"), [("base", "direct"), ("s2", "rar_2step"), ("s2:cot", "cot"), ("distilled", "direct")]
)
def test_only_system_2_runs_the_task_s_method(text: str, method: str) -> None:
    assert one(text).method_for("rar_2step") == method


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("s2:cot", "s2-cot"),
        ("s2:cot*5", "s2-cot*5"),
        ("s2:self_consistency(rar_2step)*3", "s2-self_consistency-rar_2step-*3"),
    ],
)
def test_another_method_is_another_row(text: str, name: str) -> None:
    variant = one(text)
    assert (variant.name, variant.kind) == (name, "s2")
    assert variant.method == text.removeprefix("s2:")
    assert "/" not in variant.name


def test_two_methods_stand_side_by_side() -> None:
    assert [variant.name for variant in parse_variants("s2,s2:cot,s2:cot*3")] == ["s2", "s2-cot", "s2-cot*3"]


@pytest.mark.parametrize(
    ("text", "location", "revision", "method"),
    [
        ("mine=./folder", "./folder", None, "direct"),
        ("mine=./folder:cot", "./folder", None, "cot"),
        ("mine=org/model@v1.0", "org/model", "v1.0", "direct"),
        ("mine=org/model@abc123:cot*3", "org/model", "abc123", "cot*3"),
        ("mine=/a/b.c:cot", "/a/b.c", None, "cot"),
        ("mine=served:tuned", "served:tuned", None, "direct"),
        ("mine=served:qwen2.5:7b", "served:qwen2.5:7b", None, "direct"),
        ("mine=served:a@b:cot*3", "served:a@b", None, "cot*3"),
        ("mine=served:org/tuned:cot", "served:org/tuned", None, "cot"),
        ("mine=C:/models/one", "C:/models/one", None, "direct"),
        (r"mine=C:\models\one", r"C:\models\one", None, "direct"),
    ],
)
def test_a_named_checkpoint_has_a_place_a_revision_and_a_method(
    text: str, location: str, revision: str | None, method: str
) -> None:
    variant = one(text)
    assert (variant.name, variant.kind) == ("mine", "named")
    assert (variant.location, variant.revision) == (location, revision)
    assert variant.method_for("rar_2step") == method


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "--models is empty"),
        (" , ", "--models is empty"),
        ("basis", "no such variant"),
        ("base,base", "names base twice"),
        ("a=./x,a=./y", "names a twice"),
        ("s2:cot,s2:cot", "names s2-cot twice"),
        ("s2:magic", "'magic'"),
        ("s2:", "no method after ':'"),
        ("distilled:", "no method after ':'"),
        ("base:cot", "write s2:cot"),
        ("distilled-s1:cot", "learns from System 1"),
        ("distilled-gold:cot", "learns from labels"),
        ("distilled:magic", "'magic'"),
        ("mine=", "no checkpoint after '='"),
        ("mine=@v1", "no checkpoint after '='"),
        ("mine=./x:magic", "'magic'"),
        ("base=./x", "choose another name"),
        ("s2=./x", "choose another name"),
        ("../up=./x", "a name is letters"),
        ("a/b=./x", "a name is letters"),
        (".hidden=./x", "a name is letters"),
        ("=./x", "a name is letters"),
        (f"{'n' * 65}=./x", "at most 64"),
    ],
)
def test_what_is_no_variant_is_one_line(text: str, reason: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_variants(text)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)
