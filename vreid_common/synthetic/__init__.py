"""Rendered vehicles: a renderer of parametric vehicles and the data sets made with it (docs/embedded-vehicles.md).

Importing this registers ``StreetVehicles`` and ``StudioVehicles`` with FastReID's ``DATASET_REGISTRY``.
"""

from vreid_common.synthetic.datasets import StreetVehicles, StudioVehicles
from vreid_common.synthetic.scene import Domain, Scene
from vreid_common.synthetic.sizes import SIZES, RenderSize
from vreid_common.synthetic.views import view_of
from vreid_common.synthetic.writer import write_scene

__all__ = ["SIZES", "Domain", "RenderSize", "Scene", "StreetVehicles", "StudioVehicles", "view_of", "write_scene"]
