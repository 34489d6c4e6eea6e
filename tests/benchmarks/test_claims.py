"""The claims of the papers: each file is well formed, verdicts are right, the page is the CSV's."""

import math
from pathlib import Path

import pytest
from claim import PAPERS, VERDICTS, Found, Part, Run, claims, options, spread, verdict
from claims_page import anchor, common, found_of, judge, missing, numbers, of_curves, page, read_csv

ROOT = Path(__file__).resolve().parents[2]
CSV = ROOT / "benchmarks" / "results" / "claims.csv"
CLAIMS = claims()


def line(run="a", world=11, **given):
    curves = {f"{role} by epoch": "" for role in ("forget", "retain", "holdout")}
    return {"run": str(run), "world": str(world), "failed": "", **curves, **given}


def found(**of_labels):
    return Found({label: [{"U": u} for u in values] for label, values in of_labels.items()})


@pytest.mark.parametrize("name", CLAIMS)
def test_a_claim_is_well_formed(name, tmp_path):
    from claim_runs import request

    from unteach.methods import build

    claim = CLAIMS[name]
    assert claim.paper in PAPERS
    assert name.startswith(claim.paper)
    assert claim.title
    assert claim.where
    assert claim.says.endswith(".")
    assert (claim.untested or claim.protocol).endswith(".")
    for run in claim.runs.values():
        asked = request(tmp_path, run, tmp_path / "out", 11)
        given = dict(asked.method)
        build(given.pop("name"), given)


def test_every_claim_of_the_folder_is_on_the_page_in_the_papers_order():
    written = (ROOT / "docs" / "claims.md").read_text("utf-8")
    places = [written.index(f"### {claim.title}\n") for claim in CLAIMS.values()]
    assert places == sorted(places)
    assert len(CLAIMS) >= 16


def test_the_page_is_that_of_the_committed_numbers():
    written = (ROOT / "docs" / "claims.md").read_text("utf-8")
    assert page(CLAIMS, read_csv(CSV)) == written, "run `python benchmarks/claims.py`"


def test_a_claim_holds_where_all_of_its_parts_do():
    yes, no = Part(True, "this"), Part(False, "that")
    assert verdict([yes, yes]) == "holds"
    assert verdict([yes, no]) == "holds in part"
    assert verdict([no]) == "does not hold here"


def test_more_is_in_the_mean_and_on_no_world_less():
    assert found(a=[0.9, 0.8], b=[0.8, 0.8]).more("a", "b", "U")
    assert not found(a=[0.9, 0.7], b=[0.7, 0.8]).more("a", "b", "U")  # less on one world
    assert not found(a=[0.81, 0.81], b=[0.8, 0.8]).more("a", "b", "U")  # below the margin
    assert not found(a=[0.9, math.nan], b=[0.1, 0.1]).more("a", "b", "U")  # one run broke


def test_means_are_alike_within_a_distance():
    some = found(a=[0.9, 0.7], b=[0.75], c=[0.6])
    assert some.alike(["a", "b"], "U", 0.051)
    assert not some.alike(["a", "b", "c"], "U", 0.1)


def test_numbers_are_shown_with_their_spread():
    assert spread([0.5]) == "0.50"
    assert spread([0.4, 0.6, 0.8]) == "0.60 (0.40 to 0.80)"
    assert spread([1e-4, 3e-4]) == "2e-04 (1e-04 to 3e-04)"
    assert spread([0.5, math.nan]) == "broke"


def test_the_level_is_the_first_epoch_no_likelier_than_never_seen():
    curves = {"forget": [0.9, 0.3, 0.4], "holdout": [0.4, 0.4, 0.4], "retain": [1.0, 0.9, 0.7]}
    read = of_curves(curves)
    assert read["epochs to the level"] == 2
    assert read["retain at the level"] == 0.9
    assert read["largest rise"] == pytest.approx(0.1)
    assert read["moved in the last epochs"] == pytest.approx(0.6)
    assert read["lowest retain"] == 0.7


def test_a_run_that_never_comes_to_the_level_counts_an_epoch_more_than_it_has():
    read = of_curves({"forget": [0.9, 0.8], "holdout": [0.1, 0.1], "retain": [1.0, 0.9]})
    assert read["epochs to the level"] == 3
    assert read["retain at the level"] == 0.9


def test_a_run_whose_loss_broke_kept_nothing():
    assert numbers(line(failed="the loss is not finite"))["U"] == 0.0
    assert "U" not in numbers(line())


def test_what_the_list_lacks_is_missing_once_and_a_claim_is_judged_on_common_worlds():
    one, other = Run("npo", 1e-4), Run("npo", 3e-4)
    claim = CLAIMS["dto_kl"].__class__(
        title="t", paper="dto", where="w", says="s.", protocol="p.",
        judge=lambda got: [Part(got.mean("b", "U") > 0.5, "said")],
        runs={"a": one, "b": other, "c": one},
    )  # fmt: skip
    lines = [line(one, 11, U="0.1"), line(one, 12, U="0.2"), line(other, 12, U="0.6")]
    assert missing(claim, lines, [11, 12]) == [(other, 11)]
    assert common(claim, lines) == [12]
    assert found_of(claim, lines).values("a", "U") == [0.2]
    assert judge(claim, lines)[0] == "holds"
    assert judge(claim, lines[:2]) == ("not measured yet", [], None)


def test_runs_that_differ_have_names_that_differ():
    runs = {run for claim in CLAIMS.values() for run in claim.runs.values()}
    assert len({str(run) for run in runs}) == len(runs)
    assert str(Run("dto", 1e-3, options=options(method__hold=0.0))) == (
        "dto, 0.001, 10 epochs, method.hold=0.0"
    )


def test_every_line_of_the_list_is_of_a_run_that_a_claim_has():
    wanted = {str(run) for claim in CLAIMS.values() for run in claim.runs.values()}
    assert {line["run"] for line in read_csv(CSV)} <= wanted


def test_links_of_the_table_are_the_headings():
    assert anchor("LoKU: FILA is faster, and keeps more") == "loku-fila-is-faster-and-keeps-more"
    assert set(VERDICTS[:3]) == {"holds", "holds in part", "does not hold here"}


def test_the_share_of_adapters_is_that_of_real_ones():
    from support import tiny_llama

    from unteach.adapters import LoraSettings, add_lora

    module = CLAIMS["loku_share"].judge.__globals__
    model = tiny_llama()
    weights, config = sum(p.numel() for p in model.parameters()), model.config
    keys = config.num_key_value_heads * config.hidden_size // config.num_attention_heads
    shape = module["llama"](
        weights, config.num_hidden_layers, config.hidden_size, keys, config.intermediate_size
    )
    adapted = add_lora(model, LoraSettings(rank=4))
    trained = sum(p.numel() for p in adapted.parameters() if p.requires_grad)
    assert shape.share(4) * weights == trained


def test_the_uniform_start_is_the_largest_part_of_each_weight():
    import torch
    from claim_runs import starting

    from unteach.adapters import fila
    from unteach.adapters.factors import weighted_factors

    usual = fila.row_weights
    weight = torch.randn(12, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    with starting("uniform"):
        rows = fila.row_weights(torch.rand(12, 8), torch.rand(12, 8), 1e-5)
    assert fila.row_weights is usual
    down, up = weighted_factors(weight, rows.to(weight), rank=3, scaling=2.0)
    u, s, v = torch.linalg.svd(weight, full_matrices=False)
    largest = u[:, :3] @ torch.diag(s[:3]) @ v[:3]
    assert torch.allclose(2.0 * up @ down, largest, atol=1e-4)
