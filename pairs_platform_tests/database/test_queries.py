import sqlalchemy as sa

from pairs_platform.core.prices.calendar import session_offset
from pairs_platform.database.models import record_training
from pairs_platform.database.queries import best_performing_pairs, recent_pair_performance
from pairs_platform_tests.support.trainings import SESSION, performance, training


def test_the_best_and_the_recent_pairs(database):
    record_training(database, training(), performance())
    best = best_performing_pairs(database, "technology", rows=2)
    assert best["pair"].tolist() == ["B_C", "A_B"]
    recent = recent_pair_performance(database, "technology", as_of=session_offset(SESSION, 6), pair="A_B")
    assert recent["n_test"].tolist() == [900]
    assert recent_pair_performance(database, "technology", as_of=session_offset(SESSION, 7)).empty
    with database.begin() as connection:
        rows = connection.execute(sa.text("SELECT pair, model_version FROM current_best_models ORDER BY 1")).all()
    assert [tuple(row) for row in rows] == [("A_B", 1), ("A_C", 1), ("B_C", 1)]
