"""The command line with weights in shards on CPUs, which accelerate makes on accelerators alone.

accelerate launch --config_file FILE --num_processes 2 tests/distributed/sharded.py ARGUMENTS...
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from distributed.curves import on_gloo

from unteach.cli import main

if __name__ == "__main__":
    on_gloo()
    main()
