"""Trains and evaluates EALN: python projects/EALN/train_net.py --config-file projects/EALN/configs/Demo/Hard-View-EALN.yml"""

from ealn import EALNTrainer, add_ealn_config

from vreid_common.engine import main

if __name__ == "__main__":
    main(add_ealn_config, EALNTrainer)
