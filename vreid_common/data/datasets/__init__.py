"""Vehicle data sets, one layout a file; importing this registers them with FastReID's ``DATASET_REGISTRY``."""

from vreid_common.data.datasets.base import DatasetError, VehicleDataset, data_root
from vreid_common.data.datasets.csv_vehicles import CSVVehicles
from vreid_common.data.datasets.veri776 import VeRi776

__all__ = ["CSVVehicles", "DatasetError", "VeRi776", "VehicleDataset", "data_root"]
