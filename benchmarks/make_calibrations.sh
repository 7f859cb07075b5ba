#!/bin/sh
# Makes data/calibration again, as is needed after any change of a detector description. Twenty seconds.
#   benchmarks/make_calibrations.sh FILE   FILE: beam muons of 160 GeV/c of g4raw-indep-1 (left out: only na64mu-2022 is made)
set -e
cd "$(dirname "$0")/.."
na64mu=${NA64MU:-.venv/bin/na64mu}
beam=$(mktemp -d)/beam.root
$na64mu simulate -n 20000 --process beam --config 1 --seed 2022 -o "$beam"
$na64mu calibrate "$beam" -o data/calibration/na64mu-2022.toml
[ -z "$1" ] || $na64mu calibrate "$1" --detector g4raw-indep-1 -o data/calibration/g4raw-indep-1.toml
rm -r "$(dirname "$beam")"
