"""Generated last-letter items: common words, with a separate list for each split.

No word of a training item is in a validation or test item, so the figures measure the skill and not the
words. Each list holds words with 23 different last letters, evenly distributed, so that no letter is a good
guess.
"""

from __future__ import annotations

from collections.abc import Sequence

from tasks.sources import rng
from tasks.spec import TaskRow

TRAIN = """
    alibi animal apple arena arrow bank bath beach bear belief berry blitz blood bonus boss bowl box
    boy branch bread brick brief bulb bus cactus camp candle cargo castle cave chalk chef cherry
    chicken chief child chili clip clock cloth club coat cobra comb cotton country cow crab cube cubic
    cup data dinner donkey door dream drum duck ear earth echo elbow evening extra farm film fish five
    fix flame flower flu focus foot fork friend garden gas goat group haiku hammer hand heat helm hill
    hive honey horse item job juice jump key king kitten knob koala ladder lava law leaf leg lemon
    limb log logo loss love magic map market meadow metal mix monkey moon morning moss mouse mouth
    neck nest night nine noise north nose number ocean olive onion panic path pencil picnic pig pillow
    pizza planet plum pool potato public quartz quiz radio raven relax relic ring road rock room rope
    rug salt sand scarf school second sheep shelf shell shield shop signal silk sky sleep snack soda
    sofa song sound soup south spring storm story stove straw studio sugar system tap tax taxi team
    tempo tent thief ticket tofu topaz topic towel toy traffic train tub tuna verb video view virus
    wagon watch water wax web week wheel wind window wing winter wood yellow zebra zero
"""
VALIDATION = """
    arm basket bell bench button candy carrot climb cold comic dog drama dress field grass index jazz
    knife lamb lamp light lip logic lunch menu motto paper party pasta piano plate price rainbow river
    roof saw seed ski spoon steam stick table thing wolf wool work
"""
TEST = """
    album area attic bag ball basic bird board boat bolt book bottle brain bridge broom brush camel
    church city class cloud comma complex cream crib crisis crow curb day desk dragon drive egg finger
    flag fox frog glass glove gold guard guru half herb hero hotel idea jelly kiwi lens letter lion
    melon milk money month music narrow opera panda park peach photo plant play pocket poem proof
    rabbit rain ramp reef shadow ship six snow stamp star step stone string summer thumb tiger tomato
    tooth trap truck tunnel voice wall waltz wave
"""

WORDS: dict[str, tuple[str, ...]] = {
    "train": tuple(TRAIN.split()),
    "validation": tuple(VALIDATION.split()),
    "test": tuple(TEST.split()),
}
"""Split -> words."""
SIZES = {"train": 3000, "validation": 300, "test": 500}
QUESTION = 'Take the last letters of the words in "{words}" and concatenate them.'


def items(split: str, seed: int, words: int) -> list[TaskRow]:
    """`SIZES[split]` different items of `words` different words: keys question, target, symbols, text."""
    random = rng("last_letter", split, seed, words)
    chosen: dict[tuple[str, ...], None] = {}
    while len(chosen) < SIZES[split]:
        chosen[tuple(random.sample(WORDS[split], words))] = None
    return [item(picked) for picked in chosen]


def item(words: Sequence[str]) -> TaskRow:
    """The question about these words."""
    return {
        "question": QUESTION.format(words=" ".join(words)),
        "target": "".join(word[-1] for word in words),
        "symbols": list(words),
        "text": " ".join(words),
    }
