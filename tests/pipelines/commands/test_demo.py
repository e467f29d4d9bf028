"""The demonstration that a new user begins with."""

from pipelines.__main__ import main


def test_a_simulated_scan_comes_back_as_images_near_the_truth(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["demo"]) == 0, capsys.readouterr().err
