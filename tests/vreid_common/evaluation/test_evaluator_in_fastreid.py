"""VehicleEvaluator in FastReID's own trainer."""

from pathlib import Path

import fastreid.evaluation
import pytest
from fastreid.config import get_cfg
from fastreid.engine import DefaultTrainer

from vreid_common.evaluation import VehicleEvaluator


class Loader(list):
    """What FastReID asks of a test loader."""

    @property
    def dataset(self):
        return range(sum(len(batch["targets"]) for batch in self))


class TestInFastReID:
    """A third party's trainer that only swaps the evaluator in."""

    @pytest.fixture
    def trainer(self, make_batches):
        class Trainer(DefaultTrainer):
            @classmethod
            def build_test_loader(cls, cfg, dataset_name):
                return Loader(make_batches(keys=())), 12

            @classmethod
            def build_evaluator(cls, cfg, dataset_name, output_dir=None):
                data_loader, num_query = cls.build_test_loader(cfg, dataset_name)
                return data_loader, VehicleEvaluator(cfg, num_query, output_dir)

        return Trainer

    def test_trainer_test(self, pass_through, trainer, expected):
        results = trainer.test(get_cfg(), pass_through())
        assert results["mAP"] == pytest.approx(100 * expected.mAP)

    def test_nothing_is_compiled_or_written_into_site_packages(self, pass_through, trainer):
        """Fault A5: FastReID's evaluator runs `make` in its own folder."""
        folder = Path(fastreid.evaluation.__file__).parent / "rank_cylib"
        before = sorted(folder.iterdir())
        trainer.test(get_cfg(), pass_through())
        assert sorted(folder.iterdir()) == before
