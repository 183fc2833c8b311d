"""``python -m vreid_common`` is ``vreid``; torchrun starts it as ``torchrun --nproc-per-node 2 -m vreid_common``."""

from vreid_common.cli import main

if __name__ == "__main__":
    main()
