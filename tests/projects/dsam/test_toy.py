import pytest

from vreid_common.data import DatasetError, build_dataset, build_test_loader


@pytest.fixture
def cfg(make_cfg, vehicles):
    return make_cfg(
        *("DATASETS.CSV.FILE", str(vehicles), "DSAM.TOY.DATASET", "CSVVehicles", "DSAM.TOY.NUM_IDS", 4),
        *("DATASETS.NAMES", ["ToyVehicles"], "DATASETS.TESTS", ["ToyVehicles"], "TEST.NUM_WORKERS", 0),
    )


def test_feature_the_same_images_for_training_and_testing(cfg):
    toy, whole = build_dataset(cfg, "ToyVehicles"), build_dataset(cfg, "CSVVehicles")
    assert len(toy.train) == 4 * 5
    assert {item.path for item in toy.train} == {item.path for item in toy.query + toy.gallery} < {i.path for i in whole.train}
    assert {item.pid for item in toy.query} == {item.pid for item in toy.gallery} == {0, 1, 2, 3}
    assert not {item.path for item in toy.query} & {item.path for item in toy.gallery}


def test_feature_can_be_evaluated(cfg):
    loader, num_query = build_test_loader(cfg, "ToyVehicles")
    assert (len(loader.dataset), num_query) == (20, 4)


@pytest.mark.parametrize("number", [0, 7])
def test_exception(cfg, number):
    cfg.DSAM.TOY.NUM_IDS = number
    with pytest.raises(DatasetError, match=rf"NUM_IDS is {number}, and there are 6 training identities"):
        build_dataset(cfg, "ToyVehicles")
