"""Trains and evaluates WCVL: python projects/WCVL/train_net.py --config-file projects/WCVL/configs/Demo/wcvl_r18.yml"""

from wcvl import WCVLTrainer, add_wcvl_config

from vreid_common.engine import main

if __name__ == "__main__":
    main(add_wcvl_config, WCVLTrainer)
