"""Commands that the help of each verb ends with, to copy and change; a test parses every one of them."""

from __future__ import annotations

__all__ = ("EXAMPLES", "FIRST_STEPS", "epilog")

#: What a newcomer types first.
FIRST_STEPS = (
    "na64mu doctor",
    "na64mu sample sample/",
    "na64mu run sample/*.root -o out/",
    "na64mu display sample/zprime_100MeV_1.root --event 3",
    "na64mu glossary MIP",
)

#: Verb -> commands.
EXAMPLES: dict[str, tuple[str, ...]] = {
    "simulate": (
        "na64mu simulate -n 10000 --process beam --config 1 --seed 1 -o beam.root",
        "na64mu simulate -n 3500 --process zprime --mass 0.1 --prescale 0 -o zprime_100MeV.root",
        "na64mu simulate -n 20000 --process nuclear --pile-up --seed 2 -o nuclear.root",
    ),
    "mock": (
        "na64mu mock beam_1.root beam_2.root -o data/",
        "na64mu mock 'samples/*.root' --hidden hidden.toml --mot 3e7 2e7 --runs 2 --answer answer.json -o data/",
    ),
    "sample": ("na64mu sample", "na64mu sample sample/"),
    "check": (
        "na64mu check run9101.root",
        "na64mu check 'data/*.root' --json",
        "na64mu check theirs.root --layout na64-public-tree",
    ),
    "layout": (
        "na64mu layout theirs.root -o theirs.toml",
        "na64mu layout theirs.root --tree daq/events",
    ),
    "skim": (
        "na64mu skim run9101.root run9102.root -o fast.root",
        "na64mu skim 'data/*.root' --keep physics -o physics.root",
    ),
    "reconstruct": (
        "na64mu reconstruct run9101.root -o reco.parquet",
        "na64mu reconstruct 'data/*.root' --detector alignment.toml -o reco.root",
    ),
    "calibrate": (
        "na64mu calibrate calibration_1.root calibration_2.root -o calibration.toml",
        "na64mu calibrate 'data/calibration_*.root' --detector alignment.toml",
    ),
    "align": (
        "na64mu align calibration_1.root calibration_2.root -o alignment.toml",
        "na64mu align calibration_1.root --field-off straight.root -o alignment.toml",
        "na64mu align calibration_1.root --fix mm1,mm4 --millepede tracks.bin -o alignment.toml",
    ),
    "run": (
        "na64mu run beam.root zprime_100MeV.root -o out/",
        "na64mu run 'data/*.root' -o out/ --executor futures --workers 8",
        "na64mu run fileset.json -o out/ --executor dask --scheduler tcp://host:8786",
        "na64mu run 'data/*.root' -o narrow/ --selection narrow.toml --calibration calibration.toml",
        "na64mu run 'data/*.root' -o out/ --user my_cuts.py --selection mine.toml",
        "na64mu run 'data/*.root' -o out/ --resume",
        "na64mu run theirs.root -o out/ --layout na64-public-tree --detector my.toml --calibration calibration.toml",
    ),
    "freeze": (
        "na64mu freeze 'data/*.root' -o freeze.json",
        "na64mu freeze 'data/*.root' --selection mine.toml --user my_cuts.py --sign id_ed25519 -o freeze.json",
        "na64mu freeze --check freeze.json",
    ),
    "unblind": (
        "na64mu unblind out/ --freeze freeze.json --reason 'approved in the meeting of 2024-05-21' -o open/",
        "na64mu unblind out/ --freeze freeze.json --verify allowed_signers --reason 'approved in the meeting' -o open/",
        "na64mu unblind --record unblinding.jsonl",
    ),
    "display": (
        "na64mu display beam.root --event 3 -o event.png",
        "na64mu display beam.root --event 3 --detector alignment.toml -o event.pdf",
        "na64mu display theirs.root --layout na64-public-tree --detector my.toml",
    ),
    "efficiency": (
        "na64mu efficiency -o efficiency.json",
        "na64mu efficiency --like out/ -o own.json",
        "na64mu efficiency --masses 0.01,0.1,1 -n 5000 --no-pile-up --samples trees/ -o quick.json",
    ),
    "optimise": ("na64mu optimise out/ --signal zprime_100MeV -o boxes/",),
    "limits": (
        "na64mu limits --published -o limits/",
        "na64mu limits out/ -o limits/",
        "na64mu limits out/ --physics physics --calibration calibration --region-d nuclear -o limits/",
        "na64mu limits out/ --backgrounds letter --n-mot 1e11 --no-targets -o projected/",
    ),
    "recast": (
        "na64mu recast mymodel.csv -o recast/",
        "na64mu recast mymodel.csv --reference 1e-3 --power 2 --json",
    ),
    "project": (
        "na64mu project -o projection/",
        "na64mu project --n-mot 1e12 --momentum 0.1 --leakage 0.1 --per-spill 1e8 -o phase2/",
    ),
    "paper": ("na64mu paper --quick -o paper/",),
    "report": ("na64mu report out/ --tables",),
    "detector": (
        "na64mu detector",
        "na64mu detector na64mu-2022",
        "na64mu detector na64mu-2022 --sources",
        "na64mu detector my.toml --json",
        "na64mu detector na64mu-2022 --copy my.toml",
    ),
    "glossary": ("na64mu glossary", "na64mu glossary MOT"),
    "doctor": ("na64mu doctor", "na64mu doctor --json"),
    "completion": (
        'eval "$(na64mu completion bash)"',
        "na64mu completion fish > ~/.config/fish/completions/na64mu.fish",
    ),
}


def epilog(commands: tuple[str, ...], title: str) -> str:
    """Text below a help page: a title and the commands, one to a line.

    Parameters
    ----------
    commands : tuple of str
        Command lines; none gives an empty text.
    title : str
        The line above them.

    Returns
    -------
    str
        Epilog in the form that click expects: its mark keeps the lines from being joined.
    """
    return "\n".join(["\b", f"{title}:", *(f"  {command}" for command in commands)]) if commands else ""
