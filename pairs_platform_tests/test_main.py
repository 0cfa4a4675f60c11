from pathlib import Path

from pairs_platform_tests.__main__ import FAST, PARTS, SCRIPTS


def test_every_check_is_part_of_the_whole():
    assert PARTS["check"].items() <= PARTS["all"].items()
    assert PARTS["all"]["tests"] == PARTS["fast"]["tests"][: len(PARTS["all"]["tests"])]


def test_what_the_parts_name_is_there():
    for steps in PARTS.values():
        assert all((SCRIPTS / command[0]).exists() for command in steps.values())
    assert all((Path(__file__).parent / path).exists() for path in FAST)
