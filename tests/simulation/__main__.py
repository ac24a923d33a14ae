"""Plays one history again and tells of it: python -m tests.simulation SEED [--flaw NAME] [--short]."""

import argparse
import sys

from tests.simulation.flaws import Flaw
from tests.simulation.plan import LONG, SHORT, plan_of
from tests.simulation.playing import play, report
from tests.simulation.rules import SOUND

arguments = argparse.ArgumentParser(prog="python -m tests.simulation")
arguments.add_argument("seed", type=int)
arguments.add_argument("--flaw", choices=[flaw.name for flaw in Flaw], help="with this done wrong on purpose")
arguments.add_argument("--short", action="store_true", help="as it is played on the databases")
given = arguments.parse_args()
rules = Flaw[given.flaw].value if given.flaw else SOUND
sys.stdout.write(report(play(plan_of(given.seed, SHORT if given.short else LONG), rules)) + "\n")
