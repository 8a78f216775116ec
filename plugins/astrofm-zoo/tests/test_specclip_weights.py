"""SpecCLIP's checkpoints: counted, imported to the last bit, and refused where they are not what they should be."""

import os
import re
import zipfile

import numpy as np
import pytest
import specclip_fakes as fakes
import torch
from astrofm_zoo.specclip.aligner import SpecCLIPAligner
from astrofm_zoo.specclip.encoder import SpecCLIPEncoder
from astrofm_zoo.specclip.published import import_weights

import astrofm
from astrofm.cli import main
from astrofm.errors import DataError, ModelFileError
from astrofm.models import Model


def save(tmp_path, whole, name="model.ckpt"):
    path = tmp_path / name
    torch.save(whole, path)
    return path


def count(*parts):
    return sum(weights.numel() for part in parts for weights in part.parameters())


@pytest.mark.parametrize("kind", fakes.KINDS)
def test_the_published_sizes_to_the_last_parameter(kind):
    with torch.device("meta"):
        if kind in ("lrs", "xp", "xp-autoencoder"):
            found = count(SpecCLIPEncoder(lrs={} if kind == "lrs" else None, xp=None if kind == "lrs" else {},
                                          xp_kind="transformer" if kind == "xp" else "autoencoder"))
        else:
            found = count(SpecCLIPEncoder(lrs={}, xp={}), SpecCLIPAligner(kind=kind))
    assert found == fakes.PUBLISHED[kind]


def test_the_published_encoders_answers_are_ours(shared_data):
    folder = shared_data / "oracles" / "specclip"
    with np.load(folder / "oracle.npz", allow_pickle=False) as oracle:
        lrs = import_weights(folder / "lrs_encoder.ckpt").encoder.lrs
        xp = import_weights(folder / "xp_encoder_mlp.ckpt").encoder.xp
        for part, name in ((lrs, "lrs"), (xp, "xp")):
            with torch.inference_mode():
                tokens = part(torch.from_numpy(oracle[f"{name}_input"]))
                back = part.reconstruct(tokens)
            embedding = oracle["lrs_embedding"] if name == "lrs" else oracle["xp_latent"][:, None]
            assert np.abs(tokens.numpy() - embedding).max() < 1e-5 * embedding.std()
            theirs = oracle[f"{name}_reconstruction"]
            assert np.abs(back.numpy() - theirs).max() < 1e-4 * theirs.std()
        tokens = lrs.tokens(torch.from_numpy(oracle["lrs_input"])).numpy()
        assert np.abs(tokens - oracle["lrs_tokens"]).max() < 1e-5


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("kind", fakes.KINDS)
def test_every_tensor_comes_over(kind, fused, tmp_path):
    whole = fakes.checkpoint(kind, fused=fused)
    check_every_tensor(kind, whole, import_weights(save(tmp_path, whole)))


@pytest.mark.parametrize("kind", fakes.KINDS)
def test_every_tensor_of_a_checkpoint_of_published_size_comes_over(kind, tmp_path):
    whole = fakes.checkpoint(kind, size=fakes.FULL)
    model = import_weights(save(tmp_path, whole))
    assert count(model.encoder, model.aligner) == fakes.PUBLISHED[kind]
    check_every_tensor(kind, whole, model)
    check_answers(kind, whole, model)


def check_every_tensor(kind, whole, model):
    ours = {**{f"encoder.{k}": x for k, x in model.encoder.state_dict().items()},
            **{f"aligner.{k}": x for k, x in model.aligner.state_dict().items() if not k.startswith("errors.")}}
    theirs = sum(x.double().sum() for x in whole["state_dict"].values())
    assert float(sum(x.double().sum() for x in ours.values())) == pytest.approx(float(theirs), rel=1e-9)
    assert sum(x.numel() for x in ours.values()) == sum(x.numel() for x in whole["state_dict"].values())
    assert model.name == f"specclip-{kind}" and model.about["license"] == "MIT"


@pytest.mark.parametrize("kind", fakes.KINDS)
def test_every_answer_is_the_published_ones(kind, tmp_path):
    whole = fakes.checkpoint(kind)
    check_answers(kind, whole, import_weights(save(tmp_path, whole)))


@torch.inference_mode()
def check_answers(kind, whole, model):
    if kind == "xp-autoencoder":
        return  # against the published code's own answers, above
    state = whole["state_dict"]
    if kind == "xp":
        flux = 1 + 0.1 * torch.randn(3, 343, generator=torch.Generator().manual_seed(5))
        assert close(model.encoder.xp(flux), fakes.published_tokens(state, flux, heads=6))
        return
    flux = 1 + 0.1 * torch.randn(3, 1462, generator=torch.Generator().manual_seed(5))
    start = "" if kind == "lrs" else "lamost_lrs_encoder.backbone."
    backbone = {k.removeprefix(start): x for k, x in state.items() if k.startswith(start)}
    tokens, expected = model.encoder.lrs(flux), fakes.published_tokens(backbone, flux, heads=6)
    assert close(tokens, expected)
    if kind == "lrs":
        return
    aligned = model.aligner.align(tokens, "lamost-lrs")
    prefixes = {"": 4} if kind != "split" else {"shared_": 4, "private_": 2}
    expected = torch.cat([fakes.published_pooling(state, expected, prefix=prefix, heads=heads)
                          for prefix, heads in prefixes.items()], dim=1)
    assert close(aligned, expected)
    latent = torch.randn(3, 1, model.encoder.dim, generator=torch.Generator().manual_seed(6))
    expected = torch.cat([fakes.published_projection(state, latent[:, 0], prefix=prefix) for prefix in prefixes], dim=1)
    assert close(model.aligner.align(latent, "gaia-xp"), expected)
    if kind == "base":
        with pytest.raises(DataError, match="no decoders"):
            model.aligner.spectrum(aligned, "gaia-xp", source="lamost-lrs")
        return
    shared = aligned[:, : model.aligner.shared]
    for instrument, side in (("gaia-xp", "gaia_xp"), ("lamost-lrs", "lamost_lrs")):
        source = "lamost-lrs" if instrument == "gaia-xp" else "gaia-xp"
        assert close(model.aligner.spectrum(aligned, instrument, source=source),
                     fakes.published_decoder(state, f"{side}_cross_decoder", shared))
        expected = (fakes.published_decoder(state, f"{side}_decoder", aligned) if kind == "pr" else
                    fakes.published_two_parts(state, f"{side}_decoder", shared, aligned[:, shared.shape[1]:]))
        assert close(model.aligner.spectrum(aligned, instrument, source=instrument), expected)


def close(found, expected):
    return found.shape == expected.shape and bool((found - expected).abs().max() < 2e-4 * expected.std())


def test_an_imported_model_is_saved_and_answers_alike(tmp_path):
    model = import_weights(save(tmp_path, fakes.checkpoint("pr")))
    model.save(tmp_path / "pr.safetensors")
    again = Model.load(tmp_path / "pr.safetensors")
    star = astrofm.registry.get_instrument("gaia-xp").example(0)
    assert np.array_equal(model.embed(star), again.embed(star)) and len(model.embed(star)) == 48
    assert again.about["provenance"]["sha256"] == model.about["provenance"]["sha256"]


@pytest.mark.parametrize("to", ["lamost-lrs", "gaia-xp"])
def test_imported_decoders_give_spectra_without_errors_and_say_so(to, tmp_path):
    model = import_weights(save(tmp_path, fakes.checkpoint("split")))
    star = astrofm.registry.get_instrument("gaia-xp").example(0)
    found = model.reconstruct(star) if to == "gaia-xp" else model.translate(star, to=to)
    raw = model.aligner.spectrum(torch.from_numpy(model.embed(star)[None]), to, source="gaia-xp")[0]
    assert found.uncertainty is None and not found.mask.any() and found.meta["calibration"].startswith("relative to its")
    np.testing.assert_allclose(found.flux.value, raw.detach().numpy(), rtol=1e-4, atol=1e-6)


def test_a_model_without_decoders_says_so(tmp_path):
    model = import_weights(save(tmp_path, fakes.checkpoint("base")))
    star = astrofm.registry.get_instrument("gaia-xp").example(0)
    with pytest.raises(DataError, match="no decoders"):
        model.translate(star, to="lamost-lrs")


def test_the_card_draws_no_bridged_pixels_as_seen(tmp_path):
    pytest.importorskip("matplotlib")
    star = astrofm.registry.get_instrument("gaia-xp").example(0)
    star.mask = np.arange(343) // 50 == 2
    figure = import_weights(save(tmp_path, fakes.checkpoint("base"))).card(star, to=[])
    seen = next(line for line in figure.axes[0].get_lines() if line.get_label() == "seen")
    assert np.array_equal(np.isnan(seen.get_ydata()), star.mask)


def test_the_attention_scale_is_an_argument(tmp_path):
    path = save(tmp_path, fakes.checkpoint("lrs"))
    flux = torch.rand(2, 1462, generator=torch.Generator().manual_seed(0))
    quirk, usual = import_weights(path).encoder.lrs, import_weights(path, attention_scale="1/sqrt(D)").encoder.lrs
    with torch.inference_mode():
        assert not close(quirk(flux), usual(flux))
    with pytest.raises(ModelFileError, match="attention_scale is one of"):
        import_weights(path, attention_scale="2/D")


class Hostile:
    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize("where", ["hyper_parameters", "callbacks"])
def test_nothing_in_a_checkpoint_is_run(where, tmp_path):
    whole = fakes.checkpoint("lrs")
    told = {**whole["hyper_parameters"], "evil": Hostile(tmp_path / "run")}
    told["in its own dict"] = fakes.AttributeDict(evil=Hostile(tmp_path / "run"))
    path = save(tmp_path, {**whole, where: told})
    assert import_weights(path).dim == 48
    assert not (tmp_path / "run").exists()
    torch.load(path, weights_only=False)
    assert (tmp_path / "run").exists()  # it would have been


@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize("hparams", [True, False])
@pytest.mark.parametrize("order", [("backbone", "cross_attention"), ("cross_attention", "backbone")])
@pytest.mark.parametrize("kind", ["base", "pr", "split"])
def test_the_heads_are_the_backbones_own_wherever_lightning_keeps_them(kind, order, hparams, own, tmp_path):
    whole = fakes.checkpoint(kind)
    backbone = fakes.Backbone(3, hparams=hparams, own=own)
    whole["hyper_parameters"] = fakes.AttributeDict(
        lamost_lrs_encoder=fakes.LRSHead(backbone, order=order), gaia_xp_encoder=fakes.Backbone(2), lr=1e-4)
    path = save(tmp_path, whole)
    if not (hparams or own):
        with pytest.raises(ModelFileError, match="do not give num_heads.*say attention_heads="):
            import_weights(path)
        assert import_weights(path, attention_heads=3).encoder.arguments["lrs"]["heads"] == 3
    else:
        assert import_weights(path).encoder.arguments["lrs"]["heads"] == 3


def test_a_checkpoint_that_gives_two_numbers_of_heads_is_asked_about(tmp_path):
    whole = fakes.checkpoint("base")
    whole["hyper_parameters"] = {"lamost_lrs_encoder": fakes.LRSHead(fakes.Backbone(6, blocks=[6, 4]))}
    path = save(tmp_path, whole)
    with pytest.raises(ModelFileError, match="give 4 and 6 as num_heads: say which, attention_heads="):
        import_weights(path)
    out = tmp_path / "m.safetensors"
    assert main(["import-weights", "specclip", str(path), "-o", str(out), "--option", "attention_heads=6",
                 "--option", "attention_scale=1/sqrt(D)"]) == 0
    lrs = Model.load(out).encoder.arguments["lrs"]
    assert lrs["heads"] == 6 and lrs["attention_scale"] == "1/sqrt(D)"


@pytest.mark.parametrize(("told", "says"), [
    ("heads=3", "has no option 'heads'.*attention_heads, attention_scale, slice_overlap"), ("attention_heads", "NAME=VALUE"),
    ("attention_heads=5", "48 numbers a token do not divide into 5 heads"), ("slice_overlap=20", "do not overlap by 20")])
def test_options_of_an_import_that_cannot_be_are_refused(told, says, tmp_path, capsys):
    path = save(tmp_path, fakes.checkpoint("lrs"))
    assert main(["import-weights", "specclip", str(path), "-o", str(tmp_path / "m.safetensors"), "--option", told]) == 1
    assert re.search(says, capsys.readouterr().err.replace("\n", " "))


def test_a_learned_scale_of_the_loss_is_kept_in_the_card(tmp_path):
    whole = fakes.checkpoint("pr")
    whole["state_dict"]["logit_scale"] = torch.tensor(15.5)
    model = import_weights(save(tmp_path, whole))
    assert model.about["provenance"]["logit_scale"] == 15.5


@pytest.mark.parametrize(("kind", "name"), [("pr", "cross"), ("base", "cross"), ("split", "shared"), ("split", "private")])
def test_an_aligned_checkpoint_without_its_query_says_so(kind, name, tmp_path):
    whole = fakes.checkpoint(kind)
    del whole["state_dict"][f"lamost_lrs_encoder.{name}_attention.query"]
    with pytest.raises(ModelFileError, match=f"aligned model of SpecCLIP, and lacks .*[.]{name}_attention.query"):
        import_weights(save(tmp_path, whole))


def test_a_hostile_object_among_the_tensors_is_refused(tmp_path):
    whole = fakes.checkpoint("lrs")
    whole["state_dict"]["data_embed.bias"] = Hostile(tmp_path / "run")
    with pytest.raises(ModelFileError, match="no 'state_dict' of tensors"):
        import_weights(save(tmp_path, whole))
    assert not (tmp_path / "run").exists()


def change(whole, how):
    state = whole["state_dict"]
    if how == "lacks":
        del state["final_layernorm.bias"]
    elif how == "lacks half an attention":
        del state["blocks.0.attention.kv_proj.weight"]
    elif how == "has besides":
        state["blocks.0.attention.relative.weight"] = torch.zeros(3)
    elif how == "of another shape":
        state["blocks.1.mlp.0.bias"] = torch.zeros(7)
    elif how == "another model":
        whole["state_dict"] = {"conv1.weight": torch.zeros(3, 3)}
    elif how == "not finite":
        state["head.bias"] = torch.full((21,), torch.nan)
    elif how == "number of heads":
        whole["hyper_parameters"] = {}
    return whole


@pytest.mark.parametrize("how, says", [
    ("lacks", "lacks encoder.lrs.trunk.norm.bias"), ("lacks half an attention", "lacks blocks.0.attention.kv_proj.weight"),
    ("has besides", "has besides blocks.0.attention.relative.weight"),
    ("of another shape", "mlp.0.bias is .7,. instead of .192,."),
    ("another model", "no tensors of SpecCLIP .conv1.weight"), ("number of heads", "do not give num_heads"),
    ("not finite", "1 of its tensors hold numbers that are not finite, encoder.lrs.trunk.leave.bias")])
def test_what_is_wrong_with_a_checkpoint_is_said(how, says, tmp_path):
    with pytest.raises(ModelFileError, match=says):
        import_weights(save(tmp_path, change(fakes.checkpoint("lrs"), how)))


def test_a_truncated_checkpoint_another_file_and_none(tmp_path):
    path = save(tmp_path, fakes.checkpoint("lrs"))
    whole = path.read_bytes()
    for part in (whole[: len(whole) // 2], whole[:100], b"", b"SIMPLE  =  T" * 300):
        path.write_bytes(part)
        with pytest.raises(ModelFileError, match="no torch checkpoint"):
            import_weights(path)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("readme.txt", "nothing")
    with pytest.raises(ModelFileError, match="without one data.pkl"):
        import_weights(path)
    with pytest.raises(ModelFileError, match="no such file"):
        import_weights(tmp_path / "none.ckpt")


def test_the_command_imports_and_says_whose_it_is(tmp_path, capsys):
    path, out = save(tmp_path, fakes.checkpoint("split")), tmp_path / "split.safetensors"
    assert main(["import-weights", "specclip", str(path), "-o", str(out)]) == 0
    told = capsys.readouterr().out
    assert "specclip-split" in told and "MIT" in told and "arXiv:2507.01939" in told
    assert set(Model.load(out).instruments) == {"lamost-lrs", "gaia-xp"}
    assert main(["import-weights", "specclip", str(path), "-o", str(out)]) == 1
    assert main(["import-weights", "speclip", str(path), "-o", str(tmp_path / "x.safetensors")]) == 1
    assert "Did you mean 'specclip'" in capsys.readouterr().err
