"""Finished chunks of a training as files."""

from pairs_platform.core.models.gru.training import TrainedPair
from pairs_platform.workflows.checkpoints import ChunkFiles

CHUNK = [TrainedPair(pair="A_B", status="failed", reason="the loss is not finite")]


def test_a_chunk_is_found_again_by_its_pairs_and_what_it_was_trained_on(tmp_path):
    files = ChunkFiles(tmp_path / "training", "these features and settings")
    assert files.load(["A_B"]) is None
    files.save(["A_B"], CHUNK)
    (trained,) = files.load(["A_B"])
    assert (trained.pair, trained.status, trained.reason) == ("A_B", "failed", "the loss is not finite")
    assert files.load(["A_B", "A_C"]) is None
    assert ChunkFiles(tmp_path / "training", "other settings").load(["A_B"]) is None


def test_a_finished_training_leaves_nothing_of_older_attempts(tmp_path):
    ChunkFiles(tmp_path, "older").save(["A_B"], CHUNK)
    files = ChunkFiles(tmp_path, "newer")
    files.save(["A_B"], CHUNK)
    files.clear()
    assert list(tmp_path.iterdir()) == []
