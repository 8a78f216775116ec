"""ZTF's alerts in Avro: magnitudes of the star, one light curve an object, upper limits and doubles counted, damage."""

import gzip
import sys
from pathlib import Path

import numpy as np
import pytest
from astropy.time import Time

import astrofm
from astrofm.errors import ReadError
from astrofm.registry import get_instrument, identify

sys.path.insert(0, str(Path(__file__).parent))
from ztf_fakes import alert_schema, alerts, write_alerts  # noqa: E402

pytest.importorskip("fastavro")
OTHER = {"type": "record", "name": "other", "fields": [{"name": "objectId", "type": "string"}]}


@pytest.fixture
def instrument():
    return get_instrument("ztf")


@pytest.mark.parametrize("packed", [False, True])
def test_one_packet_is_a_light_curve_of_its_history_in_magnitudes_of_the_star(packed, tmp_path):
    packets, truth = alerts()
    path = write_alerts(tmp_path / "1105522281015015000.avro", packets[-1:])
    if packed:
        path.write_bytes(gzip.compress(path.read_bytes()))
    assert identify(path) == "ztf"
    star, = astrofm.read(path)
    assert star.meta["id"] == "ZTF18abcdefg" and star.meta["time_reference"] == "observer"
    assert (star.meta["n_alerts"], star.meta["n_merged"], star.meta["n_upper_limits"]) == (1, 0, 1)
    order = np.argsort(star["time"].jd)
    np.testing.assert_allclose(star["mag"].value[order], truth, atol=1e-5)
    assert star["band"][order].tolist() == ["g", "r"] * 3 and not star["mask"].any()
    jd = sorted([packets[-1]["candidate"]["jd"], *(one["jd"] for one in packets[-1]["prv_candidates"] if one["magpsf"])])
    np.testing.assert_allclose(star["time"][order].utc.jd, jd, rtol=0, atol=1e-9)
    change = np.abs(10 ** (-0.4 * truth) - 10 ** (-0.4 * 17.0))
    np.testing.assert_allclose(star["mag_err"].value[order], 0.05 * change / 10 ** (-0.4 * truth), rtol=1e-5)
    assert min(star.meta["ra"], 360 - star.meta["ra"]) < 1e-4 and star.meta["dec"] == pytest.approx(-3)


def test_packets_of_an_object_are_joined_in_a_file_and_in_a_folder(tmp_path, instrument):
    one, truth = alerts()
    two, _ = alerts("ZTF19zyxwvut", seed=4)
    star, other = astrofm.read(write_alerts(tmp_path / "night.avro", [one[5], two[0], *one[:5], *two[1:]]))
    assert (star.meta["id"], other.meta["id"]) == ("ZTF18abcdefg", "ZTF19zyxwvut") and len(star) == len(other) == 6
    assert (star.meta["n_alerts"], star.meta["n_merged"], star.meta["n_upper_limits"]) == (6, 15, 1)
    folder = tmp_path / "packets"
    folder.mkdir()
    for packet in [*one, *two]:
        write_alerts(folder / f"{packet['candid']}.avro", [packet])
    (folder / "notes.txt").write_text("seen from Palomar")
    found = {each.meta["id"]: each for each in instrument.read(folder)}
    assert list(found) == ["ZTF18abcdefg", "ZTF19zyxwvut"] and found["ZTF18abcdefg"].meta["n_merged"] == 15
    for each in (star, found["ZTF18abcdefg"]):
        np.testing.assert_allclose(np.sort(each["mag"].value), np.sort(truth), atol=1e-5)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ReadError, match="holds no alerts"):
        instrument.read(tmp_path / "empty")


def test_what_has_no_star_in_the_reference_image_is_masked(tmp_path, instrument):
    packets, _ = alerts()
    packets[5]["candidate"] |= {"distnr": 2.0}
    packets[5]["prv_candidates"][1] |= {"magnr": -999.0}
    packets[5]["prv_candidates"][2] |= {"magnr": None, "distnr": None}
    packets[5]["prv_candidates"][3] |= {"distnr": -999.0}
    packets[5]["prv_candidates"][4] |= {"isdiffpos": "f", "magpsf": 15.0}  # more light is gone than there was
    sample = instrument.sample(astrofm.read(write_alerts(tmp_path / "a.avro", packets[5:]))[0])
    assert sample.mask.tolist() == [True] * 4 + [False, True]


def test_times_are_utc_in_the_alert_and_tdb_in_the_sample(tmp_path, instrument):
    packets, _ = alerts()
    batch = next(iter(instrument.read_batches([write_alerts(tmp_path / "a.avro", packets)])))
    first = Time(packets[0]["candidate"]["jd"], format="jd", scale="utc").tdb.jd
    assert batch.meta["first_time"][0] == pytest.approx(first, abs=1e-9) and batch.meta["n_points"] == [6]


def test_without_fastavro_the_error_names_the_extra(tmp_path, monkeypatch, instrument):
    path = write_alerts(tmp_path / "a.avro", alerts()[0])
    monkeypatch.setitem(sys.modules, "fastavro", None)
    assert identify(path) == "ztf"
    with pytest.raises(ReadError, match=r"pip install 'astrofm-ztf\[alerts\]'"):
        astrofm.read(path)


def test_avro_of_others_is_not_claimed_and_an_empty_file_is_refused(tmp_path, instrument):
    path = write_alerts(tmp_path / "other.avro", [{"objectId": "x"}], OTHER)
    assert not instrument.claims_file(path)
    with pytest.raises(ReadError, match="no alerts of ZTF"):
        instrument.read(path)
    with pytest.raises(ReadError, match="empty.avro holds no alerts"):
        instrument.read(write_alerts(tmp_path / "empty.avro", [], alert_schema()))


def test_damaged_packets_are_refused_in_words_or_read(tmp_path, instrument):
    path = write_alerts(tmp_path / "a.avro", alerts()[0])
    data, random, refused = np.frombuffer(path.read_bytes(), np.uint8), np.random.default_rng(5), 0
    for keep in (0.1, 0.5, 0.9, 0.99):
        path.write_bytes(data[:int(len(data) * keep)].tobytes())
        with pytest.raises(ReadError, match="a.avro"):
            instrument.read(path)
    for _ in range(60):
        harmed = data.copy()
        harmed[random.integers(0, len(data), 4)] = random.integers(0, 256, 4)
        path.write_bytes(harmed.tobytes())
        try:
            list(instrument.read_batches([path]))
        except ReadError as error:
            refused += 1
            assert path.name in str(error)
    assert refused > 5
