"""Trains and evaluates DSAM: python projects/DSAM/train_net.py --config-file projects/DSAM/configs/Demo/S-D.yml"""

from dsam import DSAMTrainer, add_dsam_config

from vreid_common.engine import main

if __name__ == "__main__":
    main(add_dsam_config, DSAMTrainer)
