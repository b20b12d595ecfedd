"""First names for the generated coin flips and stories, with a separate list for each split.

Coin flip and math share these lists: then no name in one task's training items is in a test item of the
other, as the overlap rule of symbolic tasks requires. Names of `corpus` are in no item: they are for the text
that the embedded model is trained on.
"""

from __future__ import annotations

TRAIN = """
    Ann Bob Carl Dora Emil Fay Gus Hal Ida Jack Kate Leo Mia Ned Olga Paul Rita Sam Tess Uma Vic Wendy Zoe
    Adam Beth Cora Dan Ella Finn Gina Hugo Inga Jane Kurt Lisa Max Nina Otto Pia Ralph Sara Tom Vera Walt
    Yuri Alan Bella Cleo Dave Edith Frank Greta Helen Igor Joan Karl Lena Mona Nick Oscar Petra Rosa Simon
    Tina Ursula Viola Wanda Zach Abel Anita
"""
VALIDATION = """
    Amy Ben Clara Dirk Eva Fred Gail Hans Ivy Jim Kim Luke Mary Noah Opal Pete Ruth Seth Tara Vince Wes
    Yara Anton Brenda
"""
TEST = """
    Alice Bruno Chris Daisy Eric Flora Grace Henry Irene John Karen Liam Maya Nora Owen Peggy Quinn Roger
    Sue Toby Una Victor Willa Yves Zelda Aaron Bianca Colin Diana Ethan Felix Gloria Hilda Isaac Julia Kevin
"""
CORPUS = """
    Agnes Boris Celia Derek Elsa Floyd Gerda Homer Iris Jonas Klara Lloyd Magda Nigel Odile Percy Queenie
    Ronald Stella Tobias Ulrich Velma Wilma Xenia Yvonne Zora Alma Basil Clive Doris Edgar Frieda
"""

NAMES: dict[str, tuple[str, ...]] = {
    "train": tuple(TRAIN.split()),
    "validation": tuple(VALIDATION.split()),
    "test": tuple(TEST.split()),
    "corpus": tuple(CORPUS.split()),
}
"""Split -> names."""
