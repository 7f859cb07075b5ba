#!/bin/sh
# Makes data/sample: the same events every time (seeds are fixed). About one minute on two cores.
set -e
cd "$(dirname "$0")/.."
na64mu=${NA64MU:-.venv/bin/na64mu}
out=data/sample
for config in 1 2; do
  # calibration triggers: every beam muon that meets S0*S1*!V1
  $na64mu simulate -n 1150 --process beam --config $config --seed $((100 + config)) --run $((9100 + config)) -o $out/calibration_$config.root
  # physics triggers of unbiased beam muons; no calibration triggers are written
  $na64mu simulate -n 1500000 --workers 2 --process beam --config $config --seed $((200 + config)) --run $((9200 + config)) --prescale 0 -o $out/physics_$config.root
  # physics triggers of muons with a muon-nuclear interaction in the ECAL (weighted): the region of missing energy
  $na64mu simulate -n 20000 --process nuclear --config $config --seed $((400 + config)) --run $((9400 + config)) --prescale 0 -o $out/nuclear_$config.root
  # physics triggers of Z' events of 100 MeV
  $na64mu simulate -n 3500 --process zprime --mass 0.1 --config $config --seed $((300 + config)) --run $((9300 + config)) --prescale 0 -o $out/zprime_100MeV_$config.root
done
ls -l $out
