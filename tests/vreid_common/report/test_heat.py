import numpy as np

from vreid_common.report.heat import heat_over


def test_feature_nothing_where_the_map_is_0_and_the_brightest_colour_where_it_is_1():
    image = np.full((1, 2, 3), 100, np.uint8)
    cold, hot = heat_over(image, np.array([[0.0, 1.0]]))[0]
    assert cold.tolist() == [100, 100, 100]
    brightest = np.array([252, 255, 164])  # inferno's last colour
    assert np.abs(hot - (0.4 * 100 + 0.6 * brightest)).max() <= 1
    assert (image == 100).all()
