import dagster as dg

from pairs_platform import defs
from pairs_platform.build import build_definitions
from pairs_platform.settings.loading import load_settings
from pairs_platform_tests.support.definitions_text import definitions_text


def test_no_definition_is_in_a_module_that_is_not_loaded():
    """Loaded from all modules of `defs`, which is slower, the definitions are the same."""
    settings = load_settings()
    built = build_definitions(settings)
    everything = dg.load_definitions_from_package_module(defs, resources=built.resources, executor=built.executor)
    assert definitions_text(everything) == definitions_text(built)


def test_resources_are_overridden_by_name():
    built = build_definitions(load_settings(), {"platform": "a platform of the test"})
    assert built.resources["platform"] == "a platform of the test"
    assert set(built.resources) == set(build_definitions(load_settings()).resources)
