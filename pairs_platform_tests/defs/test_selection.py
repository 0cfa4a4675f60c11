"""What the pages of scores, ranking and configuration show first."""

from pairs_platform.defs.selection.assets import _config_page
from pairs_platform.views.trading_plan import trading_plan
from pairs_platform.workflows.selection import configure_partition
from pairs_platform_tests.support.demo_profile import key


def test_what_to_trade_is_the_first_thing_on_the_configurations_page(copied):
    page = _config_page(configure_partition(copied, key()), copied, key())
    plan = trading_plan(copied, key())
    name, shown = next(iter(page.items()))
    assert name == "trading_plan"
    assert shown.value.startswith(f"**{plan.headline}**\n\n{plan.place}")
    assert plan.pairs
    assert all(pair.legs.entry(side) in shown.value for pair in plan.pairs for side in (1, -1))
