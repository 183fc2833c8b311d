"""Trains and evaluates the Cybercore baseline: python projects/CybercoreBaseline/train_net.py --config-file CONFIG.yml"""

from cybercore import CybercoreTrainer, add_cybercore_config

from vreid_common.engine import main

if __name__ == "__main__":
    main(add_cybercore_config, CybercoreTrainer)
