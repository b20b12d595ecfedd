"""The commands about this machine and what is kept on it: `doctor`, `prices`, `cache`."""

from __future__ import annotations

from harness.command.command_line import LineParser, path_argument
from harness.command.exit import Course
from harness.errors import one_line


def doctor(arguments: list[str], course: Course) -> int:
    """What is installed, what this machine has, and what a model would need."""
    parser = LineParser(
        prog="s2d-bench doctor",
        description="Show what is installed, what this machine has, and how to add what is missing.",
    )
    parser.add_argument("--pretrained", metavar="MODEL", help="also what this model would need here")
    parser.add_argument("--revision", metavar="REV", help="hub revision of --pretrained")
    given = parser.parse_args(arguments)
    from harness.command.doctor import examine

    lines, facts = examine(given.pretrained, given.revision)
    for line in lines:
        print(line)
    course.tell(facts)
    return 0 if facts["status"] == "ok" else 1


def prices(arguments: list[str], course: Course) -> int:
    """Checks a price file, or prints one that works."""
    parser = LineParser(
        prog="s2d-bench prices", description="Check a price file for --prices, or print one that works."
    )
    parser.add_argument("file", nargs="?", type=path_argument, help="price file (YAML)")
    parser.add_argument("--example", action="store_true", help="print a price file, and nothing else")
    given = parser.parse_args(arguments)
    from harness.command.prices import example, explain

    if given.example:
        print(example(), end="")
        return 0
    lines, facts = explain(given.file)
    for line in lines:
        print(one_line(line) if not line.startswith(" ") else line)
    course.tell({"status": "ok", **facts})
    return 0


def cache(arguments: list[str], course: Course) -> int:
    """Lists or removes what is kept."""
    parser = LineParser(
        prog="s2d-bench cache",
        description="List or remove the checkpoints and converted models that are kept on this machine.",
    )
    parser.add_argument("what", choices=("ls", "rm"), help="list all, or remove what is named")
    parser.add_argument("names", nargs="*", help="names or beginnings of names, as ls lists them")
    given = parser.parse_args(arguments)
    from harness.command.cache import kept, listed, remove

    if given.what == "ls":
        entries = kept()
        for line in listed(entries):
            print(line)
        facts = {"entries": len(entries), "bytes": sum(entry.bytes for entry in entries)}
    else:
        course.writing = True
        removed = remove(given.names)
        for entry in removed:
            print(one_line(f"removed: {entry.path}"))
        facts = {"removed": len(removed), "bytes": sum(entry.bytes for entry in removed)}
    course.tell({"status": "ok", **facts})
    return 0
