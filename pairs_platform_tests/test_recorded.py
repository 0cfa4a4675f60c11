import pytest

from pairs_platform_tests.support.recorded import RECORDED, ROOT


@pytest.mark.parametrize("path", RECORDED)
def test_a_file_that_is_written_from_the_code_is_up_to_date(path):
    """A difference that is meant is written by `make record`, for the review to see."""
    assert (ROOT / path).read_text(encoding="utf-8") == RECORDED[path]()
