"""Trains and evaluates DEx: python projects/DEx/train_net.py --config-file projects/DEx/configs/Demo/r18-ibn.yml"""

from dex import DExTrainer, add_dex_config

from vreid_common.engine import main

if __name__ == "__main__":
    main(add_dex_config, DExTrainer)
