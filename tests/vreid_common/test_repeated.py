"""Sentences that repeat are a few of each and a count."""

from vreid_common.repeated import shortened


def test_a_few_of_each_shape_in_their_order():
    sentences = [f"{number:03d}.jpg has no track." for number in range(5)] + ["Track 3 is of two vehicles."]
    assert list(shortened(sentences, 2)) == [
        "000.jpg has no track.",
        "001.jpg has no track.",
        "Track 3 is of two vehicles.",
        "... and 3 more like '000.jpg has no track.'; --limit 0 shows all.",
    ]


def test_paths_and_quoted_names_are_no_difference():
    sentences = ["/a/b c: the name 'x y' is odd.", "/a/d c: the name 'z' is odd.", "/a/e c: no match."]
    assert list(shortened(sentences, 1))[1:] == [
        "/a/e c: no match.",
        "... and 1 more like \"/a/b c: the name 'x y' is odd.\"; --limit 0 shows all.",
    ]


def test_no_limit_and_nothing_left_out():
    sentences = [f"{number}" for number in range(5)]
    assert list(shortened(sentences, 0)) == list(shortened(sentences, 5)) == sentences
    assert list(shortened([], 3)) == []
