"""Vehicle data sets, one layout a file; importing this registers them with FastReID's ``DATASET_REGISTRY``."""

from vreid_common.data.datasets.base import DatasetError, VehicleDataset, data_root
from vreid_common.data.datasets.cityflow import CityFlow, CityFlowV2
from vreid_common.data.datasets.csv_vehicles import CSVVehicles
from vreid_common.data.datasets.layout import FolderDataset
from vreid_common.data.datasets.pku_vd import PKUVD1, PKUVD2, PKUVD1Medium, PKUVD1Small, PKUVD2Medium, PKUVD2Small
from vreid_common.data.datasets.vehicleid import (
    VehicleID800,
    VehicleID1600,
    VehicleID2400,
    VehicleID3200,
    VehicleID6000,
    VehicleID13164,
)
from vreid_common.data.datasets.vehiclex import VehicleX
from vreid_common.data.datasets.veri776 import VeRi776
from vreid_common.data.datasets.veri_wild import VeRiWild3000, VeRiWild5000, VeRiWild10000
from vreid_common.data.datasets.vrai import VRAI, VRAITest
from vreid_common.data.datasets.vric import VRIC

__all__ = [
    "PKUVD1",
    "PKUVD2",
    "VRAI",
    "VRIC",
    "CSVVehicles",
    "CityFlow",
    "CityFlowV2",
    "DatasetError",
    "FolderDataset",
    "PKUVD1Medium",
    "PKUVD1Small",
    "PKUVD2Medium",
    "PKUVD2Small",
    "VRAITest",
    "VeRi776",
    "VeRiWild3000",
    "VeRiWild5000",
    "VeRiWild10000",
    "VehicleDataset",
    "VehicleID800",
    "VehicleID1600",
    "VehicleID2400",
    "VehicleID3200",
    "VehicleID6000",
    "VehicleID13164",
    "VehicleX",
    "data_root",
]
