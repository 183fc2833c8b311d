import torch
from ealn.image_buffer import ImageBuffer


def numbered(start, count):
    return torch.arange(start, start + count, dtype=torch.float32).view(-1, 1, 1, 1).expand(-1, 3, 2, 2).clone()


def values(images):
    return images[:, 0, 0, 0].tolist()


def test_the_first_images_are_kept_and_later_ones_swapped_half_of_the_time():
    buffer = ImageBuffer(4, (2, 2))
    assert values(buffer(numbered(0, 3))) == [0, 1, 2]
    own = older = 0
    for start in range(3, 2003, 2):
        held = set(values(buffer.images[: min(start, 4)]))
        new = numbered(start, 2)
        before = new.clone()
        seen = values(buffer(new))
        assert torch.equal(new, before)
        for place, value in enumerate(seen):
            assert value == start + place or value in held or value == start  # the batch before it fills the buffer
            own += value == start + place
            older += value != start + place
        # What is not shown is kept: nothing is lost and nothing doubled.
        assert len(set(values(buffer.images))) == 4 or start == 3
    assert 0.45 < older / (own + older) < 0.55


def test_batches_larger_than_the_buffer():
    buffer = ImageBuffer(2, (2, 2))
    seen = values(buffer(numbered(0, 7)))
    assert len(seen) == 7
    assert sorted({*seen, *values(buffer.images)}) == list(range(7))


def test_a_restored_buffer_goes_on_as_the_first():
    first, second = ImageBuffer(3, (2, 2)), ImageBuffer(3, (2, 2))
    first(numbered(0, 2))
    second.load_state_dict(first.state_dict())
    for start in (2, 5, 8):
        seen = []
        for buffer in (first, second):
            torch.manual_seed(start)
            seen.append(values(buffer(numbered(start, 3))))
        assert seen[0] == seen[1]
