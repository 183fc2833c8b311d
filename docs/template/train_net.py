"""Trains and evaluates Template:

python projects/Template/train_net.py --config-file projects/Template/configs/Demo/r18.yml
"""

from template import TemplateTrainer, add_template_config

from vreid_common.engine import main

if __name__ == "__main__":
    main(add_template_config, TemplateTrainer)
