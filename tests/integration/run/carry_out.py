"""Carries one run out, in a process that a test will kill. Usage: FOLDER ENGINE OWNER RUN"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parent))

from conftest import Runner, make_engine

folder, kind, owner, run_id = sys.argv[1:]
runner = Runner(root=Path(folder), engine=make_engine(kind, Path(folder), owner), owner=owner)
runner.conductor.begin(run_id)
runner.conductor.wait(run_id)
